"""Adjustments that need the p-values of a family alone: Bonferroni, Sidak, and those that go step by step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array


def bonferroni(p: Array, n: int) -> Array:
    """``n p``: the chance of one false finding or more is held, whatever the tests have in common."""
    return np.minimum(1.0, n * p)


def sidak(p: Array, n: float) -> Array:
    """``1 - (1 - p)^n``: exact for independent tests."""
    with np.errstate(divide="ignore"):
        return -np.expm1(n * np.log1p(-p))


def holm(p: Array, n: int) -> Array:
    """Bonferroni's bound, from the smallest p-value on, for the tests that are left."""
    return _down(p, n - np.arange(float(p.size)))


def hochberg(p: Array, n: int) -> Array:
    """Holm's steps from the largest p-value on; for tests that are independent or positively related."""
    return _up(p, n - np.arange(float(p.size)))


def bh(p: Array, n: int) -> Array:
    """Benjamini and Hochberg (1995): the expected share of false findings among the findings."""
    return _up(p, n / np.arange(1, p.size + 1))


def by(p: Array, n: int) -> Array:
    """Benjamini and Yekutieli (2001): the same share, whatever the tests have in common."""
    return _up(p, np.sum(1 / np.arange(1, n + 1)) * n / np.arange(1, p.size + 1))


def hommel(p: Array, n: int) -> Array:
    """Simes' test of every set of hypotheses, closed, by Wright's (1992) algorithm."""
    order = np.argsort(p, kind="stable")
    given = np.concatenate([p[order], np.ones(n - p.size)])
    closed = given.copy()
    for size in range(n, 1, -1):
        largest = given[n - size + 1 :]  # without the first of the `size` largest
        simes = np.min(size * given[n - size :] / np.arange(1, size + 1))
        bound = np.min(size * largest / np.arange(2, size + 1))
        closed[n - size :] = np.maximum(closed[n - size :], simes)
        rest = np.minimum(bound, size * given[: n - size])
        closed[: n - size] = np.maximum(closed[: n - size], rest)
    return _back(closed[: p.size], order)


def _down(p: Array, factors: Array) -> Array:
    order = np.argsort(p, kind="stable")
    return _back(np.minimum(1.0, np.maximum.accumulate(factors * p[order])), order)


def _up(p: Array, factors: Array) -> Array:
    order = np.argsort(p, kind="stable")
    return _back(np.minimum(1.0, np.minimum.accumulate((factors * p[order])[::-1])[::-1]), order)


def _back(ordered: Array, order: NDArray[np.intp]) -> Array:
    result = np.empty_like(ordered)
    result[order] = ordered
    return result


OF_P: dict[str, Callable[[Array, int], Array]] = {
    "bonferroni": bonferroni,
    "holm": holm,
    "hochberg": hochberg,
    "hommel": hommel,
    "bh": bh,
    "by": by,
}
