"""The largest of several t statistics with a known correlation: multivariate t probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.frozen import dataclass
from interlace.inference.boxes import Box
from interlace.inference.estimates import f_p_value
from interlace.precision.wald import RANK_TOLERANCE

SEED = 20040601  # of the quasi-random points, so that the same table has the same p-values
MOST_POINTS = 18  # as a power of two
CHUNK = 2**22  # numbers at a time
BINS = 2048
POWERS = (2, 4, 8, 16)
KEPT = 16  # distributions
CALIBRATED = (4, 24)  # ranks where boxes are known better than directions
NODES = (0.97, 0.9, 0.75, 0.5, 0.3)  # probabilities at which directions have those of boxes
FAR = 40.0  # standard deviations


@dataclass(frozen=True, slots=True)
class Largest:
    """Distribution of ``max_i |T_i|`` or ``max_i T_i`` for multivariate t statistics T of correlation R.

    With R = AA' and unit rows a_i, ``T = A d rho / S``: a direction d, uniform on the sphere, and a radius,
    ``(rho / S)^2 / r`` from the F distribution on r and df degrees of freedom. Given the direction, the
    probability that the largest one is above c is that of F above ``c^2 / (r h^2)``, ``h = max_i a_i'd``.
    What is left is a mean over directions, which serves all c and all degrees of freedom; R may be singular.

    The error is about 1e-4 at most up to rank 12, of a small probability a small share of it. Above rank 24,
    where `Box` is no help, it is up to 1e-3 for probabilities above 0.1.

    Attributes
    ----------
    rank : int
        r.
    above, below : tuple of ndarray
        Heights |h| and their shares of all directions, where h is positive and where it is negative.
    """

    rank: int
    above: tuple[Array, Array]
    below: tuple[Array, Array]

    def tail(self, c: float, df: float) -> float:
        """Probability that the largest statistic is above `c`; NaN where `c` or `df` is."""
        if math.isnan(c) or math.isnan(df):
            return float("nan")
        if math.isinf(c):
            return float(c < 0)
        heights, shares = self.above if c >= 0 else self.below
        beyond = float(shares @ self._radius_tail(c, df, heights))
        return beyond if c >= 0 else 1.0 - beyond

    def quantile(self, p: float) -> float:
        """Where the tail of normal variables is p."""
        from scipy.optimize import brentq

        return float(brentq(lambda c: self.tail(c, math.inf) - p, -FAR, FAR, xtol=1e-6))

    def beyond(self, c: float, heights: Array) -> Array:
        """The probability that normal variables are above c, for directions of these heights."""
        nodes = np.linspace(0.0, 1.0, BINS)[1:]
        tail = np.concatenate([[0.0], self._radius_tail(c, math.inf, nodes)])
        found = np.interp(np.abs(heights), np.concatenate([[0.0], nodes]), tail)
        return np.where(heights > 0, found, 0.0) if c >= 0 else 1 - np.where(heights < 0, found, 0.0)

    def _radius_tail(self, c: float, df: float, heights: Array) -> Array:
        """P((rho / S)^2 > (c / h)^2)."""
        with np.errstate(over="ignore"):
            return f_p_value((c / heights) ** 2 / self.rank, float(self.rank), df)


def largest_size(correlation: Array, seed: int) -> Largest:
    """The distribution of ``max_i |T_i|``; those asked for last are kept."""
    return _largest_size(np.ascontiguousarray(correlation).tobytes(), len(correlation), seed)


def largest(correlation: Array, seed: int) -> Largest:
    """The distribution of ``max_i T_i``; those asked for last are kept."""
    return _largest(np.ascontiguousarray(correlation).tobytes(), len(correlation), seed)


@lru_cache(maxsize=KEPT)
def _largest_size(correlation: bytes, m: int, seed: int) -> Largest:
    directions = _Directions.of(np.frombuffer(correlation).reshape(m, m), seed)
    found = [(np.abs(part).max(axis=1), _power_sums(part)) for part in directions.parts()]
    heights, sums = (np.concatenate(each) for each in zip(*found, strict=True))
    return _calibrated([heights], sums, directions, seed)


@lru_cache(maxsize=KEPT)
def _largest(correlation: bytes, m: int, seed: int) -> Largest:
    """Each direction is taken together with its opposite."""
    directions = _Directions.of(np.frombuffer(correlation).reshape(m, m), seed)
    found = [(part.max(axis=1), -part.min(axis=1), _power_sums(part)) for part in directions.parts()]
    ahead, behind, sums = (np.concatenate(each) for each in zip(*found, strict=True))
    return _calibrated([ahead, behind], sums, directions, seed)


def _calibrated(sides: list[Array], sums: Array, directions: _Directions, seed: int) -> Largest:
    """The distribution of heights that stand beside each other for every direction.

    Among normal variables the probability that one is above c is known better by `Box`, unless it is small:
    where the rank makes a difference, shares of the directions are such that they give it for some c.
    """
    means = [_deviations(sums, directions)]
    rough = _distribution(sides, _shares(means), directions.rank)
    if CALIBRATED[0] <= directions.rank <= CALIBRATED[1]:
        box = Box.of(directions.rows, seed)
        for p in NODES:
            c = rough.quantile(p)
            beyond = np.mean([rough.beyond(c, side) for side in sides], axis=0)
            means.append((beyond - (1 - box.inside(c, both=len(sides) == 1)))[:, None])
        return _distribution(sides, _shares(means), directions.rank)
    return rough


@dataclass(frozen=True, slots=True)
class _Directions:
    """Quasi-random directions d on the unit sphere, and the rows a_i that they are projected on.

    Attributes
    ----------
    rows : ndarray, shape (m, r)
        A, with rows of length one.
    shift : ndarray, shape (r,)
        Where the lattice starts.
    """

    rows: Array
    shift: Array

    @classmethod
    def of(cls, correlation: Array, seed: int) -> _Directions:
        values, vectors = np.linalg.eigh(correlation)
        keep = values > RANK_TOLERANCE * values[-1]
        rows = vectors[:, keep] * np.sqrt(values[keep])
        rows /= np.linalg.norm(rows, axis=1)[:, None]
        return cls(rows, np.random.default_rng(seed).random(rows.shape[1]))

    @property
    def rank(self) -> int:
        return int(self.rows.shape[1])

    def parts(self) -> Iterator[Array]:
        """The projections ``a_i'd``, shape (some, m), a part of the directions at a time."""
        steps = np.sqrt(_primes(self.rank)) % 1
        size = max(1, CHUNK // max(self.rows.shape))
        points = 2 ** min(MOST_POINTS, 12 + 2 * self.rank)
        for first in range(1, points + 1, size):
            index = np.arange(first, min(first + size, points + 1))[:, None]
            folded = np.abs(2 * ((index * steps + self.shift) % 1) - 1)  # the lattice without its jump at one
            normal = _special().ndtri(np.clip(folded, 1e-15, 1 - 1e-15))
            yield (normal / np.linalg.norm(normal, axis=1)[:, None]) @ self.rows.T


def _primes(n: int) -> Array:
    """The first n primes: no whole multiples of their roots add up to one (Richtmyer's lattice)."""
    found: list[int] = []
    candidate = 2
    while len(found) < n:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return np.array(found, dtype=np.float64)


def _power_sums(projections: Array) -> Array:
    """``sum_i (a_i'd)^p`` for the `POWERS` p, shape (directions, powers)."""
    sums, power = [], projections
    for _ in POWERS:
        power = power * power
        sums.append(power.sum(axis=1))
    return np.stack(sums, axis=1)


def _deviations(sums: Array, directions: _Directions) -> Array:
    """The sums of powers over their means on the whole sphere, less one."""
    m, r, p = len(directions.rows), directions.rank, np.array(POWERS)
    log_moment = _special().gammaln(r / 2) - _special().gammaln((r + p) / 2)
    log_moment += _special().gammaln((p + 1) / 2) - np.log(np.pi) / 2
    return np.asarray(sums / (m * np.exp(log_moment)) - 1)


def _shares(means: list[Array]) -> Array:
    """Shares of the directions by which all of these have the mean zero, as they have on the whole sphere.

    A mean by these shares is the mean corrected by its regression on them, whatever it is a mean of.
    """
    deviations = np.hstack(means)
    mean = deviations.mean(axis=0)
    deviations = deviations - mean
    size = np.sqrt(np.mean(deviations**2, axis=0))
    varying = size > RANK_TOLERANCE
    deviations, mean = deviations[:, varying] / size[varying], mean[varying] / size[varying]
    slope = np.linalg.lstsq(deviations.T @ deviations / len(deviations), -mean, rcond=RANK_TOLERANCE)[0]
    return np.asarray((1 + deviations @ slope) / len(deviations))


def _distribution(sides: list[Array], shares: Array, rank: int) -> Largest:
    heights, shares = np.concatenate(sides), np.tile(shares / len(sides), len(sides))
    above, below = heights > 0, heights < 0
    return Largest(rank, _binned(heights[above], shares[above]), _binned(-heights[below], shares[below]))


def _binned(heights: Array, shares: Array) -> tuple[Array, Array]:
    """Heights on an even grid; each is shared by its two neighbours, so that the mean stays what it is."""
    if not heights.size:
        return np.ones(1), np.zeros(1)
    low = heights.min()
    width = (heights.max() - low) / (BINS - 1) or 1.0
    place = (heights - low) / width
    left = np.minimum(place.astype(np.intp), BINS - 2)
    right = place - left
    nodes, places = low + width * np.arange(BINS), np.concatenate([left, left + 1])
    parts = np.concatenate([shares * (1 - right), shares * right])
    return nodes, np.bincount(places, parts, BINS).astype(np.float64)


def _special() -> Any:
    from scipy import special

    return special
