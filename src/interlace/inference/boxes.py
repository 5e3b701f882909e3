"""Probabilities of boxes: that all of several normal variables of a known correlation lie below a bound."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.frozen import dataclass

POINTS = 131071  # of the lattice, a prime number
GENERATOR = 3  # its powers are all numbers below POINTS
IMPORTANCE = 0.8  # of each variable beside the one before it
DEPENDENT = 1e-7  # length that is left of a row of length one, below which it depends on others


@dataclass(frozen=True, slots=True)
class Box:
    """``P(max_i |a_i'z| <= c)`` or ``P(max_i a_i'z <= c)`` for independent normal z and unit rows a_i.

    Genz's (1992) product of conditional probabilities: with the rows in trapezoidal form, as in a pivoted
    Cholesky factorisation, those that end with z_k bound it once all before it are known (Genz and Kwong
    2000). The mean over these is taken over a lattice (Sloan and Reztsov 2002).

    Attributes
    ----------
    groups : tuple of ndarray, (rows, k)
        The coefficients of the rows that end with variable k, for k from 1.
    uniform : ndarray, (rank - 1, points)
        The points of the lattice.
    """

    groups: tuple[Array, ...]
    uniform: Array

    @classmethod
    def of(cls, rows: Array, seed: int) -> Box:
        """For rows of length one, (m, rank), and the shift of the lattice that a seed makes."""
        groups = _trapezoidal(rows)
        return cls(groups, _lattice(len(groups) - 1, seed))

    def inside(self, c: float, *, both: bool) -> float:
        """The probability; `both` bounds each from both sides."""
        ndtr, ndtri = _special().ndtr, _special().ndtri
        z = np.empty_like(self.uniform)
        probability = np.ones(self.uniform.shape[1])
        for k, rows in enumerate(self.groups):
            before, last = rows[:, :k] @ z[:k], rows[:, k][:, None]
            positive, negative = last[:, 0] > 0, last[:, 0] < 0
            above, below = (c - before) / last, (-c - before) / last if both else None
            high = _least([above[positive], *([below[negative]] if below is not None else [])])
            low = -_least([-above[negative], *([-below[positive]] if below is not None else [])])
            start = ndtr(low)
            width = np.maximum(ndtr(high) - start, 0.0)
            probability *= width
            if k < len(z):
                z[k] = ndtri(np.clip(start + self.uniform[k] * width, 1e-16, 1 - 1e-16))
        return float(probability.mean())


def _least(bounds: list[Array]) -> Array:
    return np.asarray(np.concatenate(bounds).min(axis=0, initial=np.inf))


def _trapezoidal(rows: Array) -> tuple[Array, ...]:
    """Coefficients of the rows in a basis of some of them, grouped by the last one that is not zero."""
    left, basis, groups = np.arange(len(rows)), np.zeros((0, rows.shape[1])), []
    rest = rows.copy()
    while left.size:
        length = np.linalg.norm(rest[left], axis=1)
        chosen = left[int(np.argmax(np.round(length, 9)))]  # of equal ones the first, on every machine
        one = rest[chosen] / np.linalg.norm(rest[chosen])
        one = one - basis.T @ (basis @ one)
        one /= np.linalg.norm(one)
        basis = np.vstack([basis, one])
        rest = rest - np.outer(rest @ one, one)
        ended = np.linalg.norm(rest[left], axis=1) < DEPENDENT
        groups.append(rows[left[ended]] @ basis.T)
        left = left[~ended]
    return tuple(groups)


def _lattice(dimensions: int, seed: int) -> Array:
    """A shifted lattice without its jump at one, (dimensions, points)."""
    shift = np.random.default_rng(seed).random(dimensions)[:, None]
    points = np.outer(_generating(dimensions), np.arange(POINTS)) % POINTS / POINTS
    return np.asarray(np.abs(2 * ((points + shift) % 1) - 1))


@lru_cache(maxsize=8)
def _generating(dimensions: int) -> tuple[int, ...]:
    """The generating vector, a component at a time: each makes the worst error of periodic functions least.

    The errors of all candidates are one convolution, as they are in the order of powers of a generator of
    the multiplicative group (Nuyens and Cools 2006).
    """
    half = (POINTS - 1) // 2
    powers = np.empty(half, dtype=np.int64)
    power = 1
    for j in range(half):
        powers[j] = power
        power = power * GENERATOR % POINTS
    powers = np.minimum(powers, POINTS - powers)
    u = powers / POINTS
    kernel = 2 * np.pi**2 * (u * u - u + 1 / 6)
    spectrum, product, found = np.fft.rfft(kernel), np.ones(half), []
    for j in range(dimensions):
        errors = np.fft.irfft(spectrum * np.conj(np.fft.rfft(product)), half)
        best = int(np.argmin(np.round(errors / np.abs(errors).max(), 9))) if j else 0
        found.append(int(powers[best]))
        product = product * (1 + IMPORTANCE**j * np.roll(kernel, -best))
    return tuple(found)


def _special() -> Any:
    from scipy import special

    return special
