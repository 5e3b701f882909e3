"""New responses drawn from a fitted model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interlace.errors import DataError
from interlace.estimation.capacity import available_bytes
from interlace.estimation.fit import Fit
from interlace.options import count, generator, word
from interlace.prediction.predict import contribution, fixed_part
from interlace.prediction.selection import Part, select

Seed = int | np.random.Generator | None
RANDOM = ("new", "conditional")


def simulate(fit: Fit, n: int, *, seed: Seed = None, random: str | Sequence[str] = "new") -> np.ndarray:
    """Draw `n` responses for the rows of the fit, shape (n_obs, n).

    Each is `X beta + offset + Z b + e` with new `b ~ N(0, sigma^2 Lambda Lambda')` and
    `e ~ N(0, sigma^2 / w)`; levels with a known covariance are drawn with it. `random` says which b are new;
    the others are those of the fit.
    """
    fresh = _fresh(fit, random)
    n = count("n", n, at_most=available_bytes() / (8 * fit.rows.n))
    rng = generator(seed)
    return np.column_stack([drawn(fit, rng, fresh) for _ in range(n)])


def _fresh(fit: Fit, random: str | Sequence[str]) -> frozenset[int]:
    """The covariance blocks whose effects are drawn."""
    if isinstance(random, str) and random not in {block.group for block in fit.encoding.random}:
        every = range(len(fit.encoding.random)) if word("random", random, RANDOM) == "new" else ()
        return frozenset(every)
    return frozenset(part.block for part in select(fit.encoding, random) if _is_whole(fit, part))


def _is_whole(fit: Fit, part: Part) -> bool:
    block = fit.encoding.random[part.block]
    if len(part.columns) < len(block.columns):
        raise DataError(
            f"the effects of '{block.group}' vary together and are drawn together: name the grouping factor"
        )
    return True


def drawn(fit: Fit, rng: np.random.Generator, fresh: frozenset[int] | None = None) -> np.ndarray:
    """One response: its errors are drawn first, then the random effects, block by block."""
    system = fit.criterion.system
    y = rng.normal(scale=fit.sigma, size=fit.rows.n)
    effects = [
        fit.sigma * system.draw(place.group, rng.standard_normal(b.shape)) @ T.T
        if fresh is None or i in fresh
        else b
        for i, (b, T, place) in enumerate(
            zip(fit.solution.b, fit.solution.factors, system.A.layout.places, strict=True)
        )
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
