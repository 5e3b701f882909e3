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
    n = count("n", n, at_most=available_bytes() / (8 * fit.design.nrows))
    rng = generator(seed)
    mean = fixed_part(fit, fit.design)
    return np.column_stack([mean + _noise(fit, rng) for _ in range(n)])


def _noise(fit: Fit, rng: np.random.Generator) -> np.ndarray:
    design, system = fit.design, fit.criterion.system
    noise = rng.normal(scale=fit.sigma, size=design.nrows)
    if design.weights is not None:
        noise /= np.sqrt(design.weights)
    for i, (T, place) in enumerate(zip(fit.solution.factors, system.A.layout.places, strict=True)):
        b = fit.sigma * system.draw(place.factor, rng.standard_normal(fit.solution.b[i].shape)) @ T.T
        noise += contribution(design.random[i], b, Part(i, tuple(range(T.shape[0]))))
    return noise
