"""New responses drawn from a fitted model."""

from __future__ import annotations

import numpy as np

from interlace.estimation.capacity import available_bytes
from interlace.estimation.fit import Fit
from interlace.options import count, generator
from interlace.prediction.predict import contribution, fixed_part
from interlace.prediction.selection import Part

Seed = int | np.random.Generator | None


def simulate(fit: Fit, n: int, *, seed: Seed = None) -> np.ndarray:
    """Draw `n` responses for the rows of the fit, shape (n_obs, n).

    Each is `X beta + offset + Z b + e` with new `b ~ N(0, sigma^2 Lambda Lambda')` and
    `e ~ N(0, sigma^2 / w)`; levels with a known covariance are drawn with it.
    """
    n = count("n", n, at_most=available_bytes() / (8 * fit.rows.n))
    rng = generator(seed)
    return np.column_stack([drawn(fit, rng) for _ in range(n)])


def drawn(fit: Fit, rng: np.random.Generator) -> np.ndarray:
    """One response: its errors are drawn first, then the random effects, block by block."""
    system = fit.criterion.system
    y = rng.normal(scale=fit.sigma, size=fit.rows.n)
    effects = [
        fit.sigma * system.draw(place.factor, rng.standard_normal(b.shape)) @ T.T
        for b, T, place in zip(fit.solution.b, fit.solution.factors, system.A.layout.places, strict=True)
    ]
    start = 0
    for design in fit.rows.designs():
        part = y[start : start + design.nrows]
        if design.weights is not None:
            part /= np.sqrt(design.weights)
        for i, b in enumerate(effects):
            part += contribution(design.random[i], b, Part(i, tuple(range(b.shape[1]))))
        part += fixed_part(fit, design)
        start += design.nrows
    return y
