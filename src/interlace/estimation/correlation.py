"""Correlations of the k random effects of a level that are functions of one number rho.

Each is a lower triangular C(angle) with rows of length one, so that ``C C'`` is the correlation matrix. The
angle is a number without bounds: rho comes near its limits as the angle passes them, C is smooth there, and
``C C'`` is the same on both sides. So the search needs no bounds, as for the diagonal of an unstructured
factor.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from interlace.frozen import dataclass

Array = NDArray[np.floating]

# A sine or cosine below this is that of a limit.
AT_A_LIMIT = 1e-15


class Jet(NamedTuple):
    """A smooth function of one number: its value there and two derivatives."""

    value: float
    slope: float = 0.0
    bend: float = 0.0

    def __mul__(self, other: Jet) -> Jet:  # type: ignore[override]
        a, b = self, other
        bend = a.bend * b.value + 2 * a.slope * b.slope + a.value * b.bend
        return Jet(a.value * b.value, a.slope * b.value + a.value * b.slope, bend)

    def power(self, p: float) -> Jet:
        """``f^p`` of a positive f."""
        x = self.value
        first, second = p * x ** (p - 1), p * (p - 1) * x ** (p - 2)
        return Jet(x**p, first * self.slope, second * self.slope**2 + first * self.bend)

    def line(self, a: float, b: float) -> Jet:
        """``a + b f``."""
        return Jet(a + b * self.value, b * self.slope, b * self.bend)


def circle(angle: float) -> tuple[Jet, Jet]:
    """Sine and cosine; exactly zero at the limits."""
    s, c = math.sin(angle), math.cos(angle)
    s, c = (0.0 if abs(x) < AT_A_LIMIT else x for x in (s, c))
    return Jet(s, c, -s), Jet(c, -s, -c)


class Correlation(Protocol):
    """Correlations of k effects that depend on one number, or on none."""

    @property
    def name(self) -> str:
        """As it is written in a formula: "cs"."""

    @property
    def n_par(self) -> int:
        """One, or none."""

    def at(self, angle: float, k: int) -> tuple[Array, Array, Array]:
        """C and its first and second derivatives in the angle, (k, k) each; C is lower triangular."""

    def rho(self, angle: float, k: int) -> float:
        """The correlation of the first two effects."""

    def angle(self, rho: float, k: int) -> float:
        """The angle of a correlation; of one out of range, that of the limit."""

    def slope(self, rho: float, k: int) -> Array:
        """Derivative of the correlation matrix in rho, (k, k)."""

    def limits(self, k: int) -> tuple[float, float]:
        """The lowest and the highest rho."""

    def places(self, k: int) -> tuple[tuple[int, int], ...]:
        """(row, column) of the entries of C that are not always zero, column by column."""

    def distinct(self, k: int) -> tuple[tuple[int, int], ...]:
        """Of these, the places of entries that are not equal to earlier ones whatever rho is."""


@dataclass(frozen=True, slots=True)
class Independent:
    """No correlation: C is the identity."""

    name = "diag"
    n_par = 0

    def at(self, angle: float, k: int) -> tuple[Array, Array, Array]:
        """The identity."""
        return np.identity(k), np.zeros((k, k)), np.zeros((k, k))

    def rho(self, angle: float, k: int) -> float:
        """Zero."""
        return 0.0

    def angle(self, rho: float, k: int) -> float:
        """There is none."""
        return 0.0

    def slope(self, rho: float, k: int) -> Array:
        """Zero."""
        return np.zeros((k, k))

    def limits(self, k: int) -> tuple[float, float]:
        """Zero."""
        return 0.0, 0.0

    def places(self, k: int) -> tuple[tuple[int, int], ...]:
        """The diagonal."""
        return tuple((i, i) for i in range(k))

    def distinct(self, k: int) -> tuple[tuple[int, int], ...]:
        """One entry."""
        return ((0, 0),)


@dataclass(frozen=True, slots=True)
class CompoundSymmetry:
    """One correlation rho between any two effects, from ``-1 / (k - 1)`` to 1.

    ``1 - rho = k sin(angle)^2 / (k - 1)`` and ``1 + (k - 1) rho = k cos(angle)^2`` are the two eigenvalues of
    the correlation matrix, so that both limits are zeros of a sine or cosine.
    """

    name = "cs"
    n_par = 1

    def at(self, angle: float, k: int) -> tuple[Array, Array, Array]:
        """The Cholesky factor, with signs of its last columns that make it smooth."""
        sine, cosine = circle(angle)
        a, b = sine.line(0.0, math.sqrt(k / (k - 1))), cosine.line(0.0, math.sqrt(k))
        rho = (a * a).line(1.0, -1.0)
        minor = [rho.line(1.0, m) for m in range(k - 1)]  # 1 + m rho, positive for m < k - 1
        out = np.zeros((3, k, k))
        out[:, 1:, 0] = np.array(rho)[:, None]
        out[0, 0, 0] = 1.0
        for j in range(1, k):
            if j < k - 1:
                out[:, j, j] = a * (minor[j] * minor[j - 1].power(-1.0)).power(0.5)
                out[:, j + 1 :, j] = np.array(a * rho * (minor[j] * minor[j - 1]).power(-0.5))[:, None]
            else:
                out[:, j, j] = a * b * minor[j - 1].power(-0.5)
        return out[0], out[1], out[2]

    def rho(self, angle: float, k: int) -> float:
        """``1 - k sin(angle)^2 / (k - 1)``."""
        return 1.0 - k / (k - 1) * circle(angle)[0].value ** 2

    def angle(self, rho: float, k: int) -> float:
        """Between 0, where rho is 1, and pi / 2, where it is at its lower limit."""
        return math.asin(math.sqrt(min(max((1.0 - rho) * (k - 1) / k, 0.0), 1.0)))

    def slope(self, rho: float, k: int) -> Array:
        """One off the diagonal."""
        return 1.0 - np.identity(k)

    def limits(self, k: int) -> tuple[float, float]:
        """``-1 / (k - 1)`` and 1."""
        return -1.0 / (k - 1), 1.0

    def places(self, k: int) -> tuple[tuple[int, int], ...]:
        """The lower triangle."""
        return _lower(k)

    def distinct(self, k: int) -> tuple[tuple[int, int], ...]:
        """The first two of each column."""
        return tuple((i, j) for i, j in _lower(k) if i <= j + 1)


@dataclass(frozen=True, slots=True)
class Autoregressive:
    """``rho^|i - j|``: effects in a row, one step apart; ``rho = sin(angle)``."""

    name = "ar1"
    n_par = 1

    def at(self, angle: float, k: int) -> tuple[Array, Array, Array]:
        """The Cholesky factor, with a sign of its columns after the first that makes it smooth."""
        rho, left = circle(angle)
        powers = [Jet(1.0)]
        while len(powers) < k:
            powers.append(powers[-1] * rho)
        first, rest = np.array(powers), np.array([p * left for p in powers])
        out = np.zeros((3, k, k))
        out[:, :, 0] = first.T
        for j in range(1, k):
            out[:, j:, j] = rest[: k - j].T
        return out[0], out[1], out[2]

    def rho(self, angle: float, k: int) -> float:
        """``sin(angle)``."""
        return circle(angle)[0].value

    def angle(self, rho: float, k: int) -> float:
        """Between -pi / 2 and pi / 2."""
        return math.asin(min(max(rho, -1.0), 1.0))

    def slope(self, rho: float, k: int) -> Array:
        """``d rho^(d - 1)`` at distance d."""
        distance = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
        return np.asarray(distance * rho ** np.maximum(distance - 1, 0))

    def limits(self, k: int) -> tuple[float, float]:
        """-1 and 1."""
        return -1.0, 1.0

    def places(self, k: int) -> tuple[tuple[int, int], ...]:
        """The lower triangle."""
        return _lower(k)

    def distinct(self, k: int) -> tuple[tuple[int, int], ...]:
        """The first two columns."""
        return tuple((i, j) for i, j in _lower(k) if j < 2)


def _lower(k: int) -> tuple[tuple[int, int], ...]:
    return tuple((i, j) for j in range(k) for i in range(j, k))
