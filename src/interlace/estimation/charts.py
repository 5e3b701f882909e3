"""Charts: the parameters of a model as functions of fewer numbers, with one quantity held at a value.

The coordinates x are the covariance parameters and log sigma; y are the numbers that are left.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from interlace.estimation.scaled import Scaled
from interlace.frozen import dataclass

Array = NDArray[np.floating]

# A size below this share of the residuals' is no start: there the criterion has no slope in it.
SMALLEST_START = 1e-3


class Chart(Protocol):
    """x as a function of y where the quantity is held at `value`."""

    @property
    def removed(self) -> int:
        """The place of x that y has not."""

    def of(self, x: Array) -> float:
        """The quantity at x."""

    def start(self, x: Array) -> Array:
        """The y of a point near x."""

    def at(self, y: Array, value: float) -> Array:
        """x."""

    def jacobian(self, y: Array, value: float) -> Array:
        """dx / dy."""

    def bend(self, y: Array, value: float, slopes: Array) -> Array:
        """Second derivatives of ``slopes'x``."""

    def moves(self, y: Array, value: float) -> Array:
        """dx / dvalue."""


@dataclass(frozen=True, slots=True)
class Coordinate:
    """A coordinate of x is held: log sigma, or (in the classes below) a function of it."""

    place: int
    size: int

    @property
    def removed(self) -> int:
        """The place itself."""
        return self.place

    def of(self, x: Array) -> float:
        """sigma."""
        return float(np.exp(x[self.place]))

    def start(self, x: Array) -> Array:
        """All others."""
        return np.delete(x, self.place)

    def at(self, y: Array, value: float) -> Array:
        """The log of the value in its place."""
        return np.insert(y, self.place, np.log(value))

    def jacobian(self, y: Array, value: float) -> Array:
        """Unit vectors."""
        return np.delete(np.identity(self.size), self.place, axis=1)

    def bend(self, y: Array, value: float, slopes: Array) -> Array:
        """Zero."""
        return np.zeros((len(y), len(y)))

    def moves(self, y: Array, value: float) -> Array:
        """The derivative of the log."""
        return np.asarray(np.identity(self.size)[self.place] / value)


@dataclass(frozen=True, slots=True)
class Angle(Coordinate):
    """The angle that stands for the correlation of a structure of k effects."""

    structure: Scaled

    def of(self, x: Array) -> float:
        """The correlation."""
        return self.structure.correlation.rho(float(x[self.place]), self.structure.k)

    def at(self, y: Array, value: float) -> Array:
        """The angle of the value in its place."""
        return np.insert(y, self.place, self._angle(value))

    def _angle(self, value: float) -> float:
        return self.structure.correlation.angle(value, self.structure.k)

    def moves(self, y: Array, value: float) -> Array:
        """One over the slope of the correlation in its angle."""
        k, correlation = self.structure.k, self.structure.correlation
        here, step = self._angle(value), 1e-6
        slope = (correlation.rho(here + step, k) - correlation.rho(here - step, k)) / (2 * step)
        return np.identity(self.size)[self.place] / slope if slope else np.full(self.size, np.nan)


@dataclass(frozen=True, slots=True)
class Deviation(Coordinate):
    """A standard deviation ``length |x|^power sigma``, where x is one parameter, is held."""

    length: float
    power: int

    def of(self, x: Array) -> float:
        """The standard deviation."""
        return float(self.length * abs(x[self.place]) ** self.power * np.exp(x[-1]))

    def at(self, y: Array, value: float) -> Array:
        """The parameter falls as sigma rises."""
        return np.insert(y, self.place, (value / self.length * np.exp(-y[-1])) ** (1 / self.power))

    def jacobian(self, y: Array, value: float) -> Array:
        """In log sigma it is proportional to itself."""
        out = Coordinate.jacobian(self, y, value)
        out[self.place, -1] = -self.at(y, value)[self.place] / self.power
        return out

    def bend(self, y: Array, value: float, slopes: Array) -> Array:
        """In log sigma alone."""
        out = np.zeros((len(y), len(y)))
        out[-1, -1] = slopes[self.place] * self.at(y, value)[self.place] / self.power**2
        return out

    def moves(self, y: Array, value: float) -> Array:
        """Of a root, infinite at zero."""
        x = self.at(np.asarray(y), value)[self.place]
        if not value:
            x, value = (1 / self.length * np.exp(-y[-1]), 1.0) if self.power == 1 else (np.nan, 1.0)
        return np.asarray(np.identity(self.size)[self.place] * x / (self.power * value))


@dataclass(frozen=True, slots=True)
class Pair:
    """The correlation of two effects is held.

    In a basis where the first is ``a`` times the first direction and the second ``b`` times the first and
    the second one, the rows of their factor are ``(a t, 0)`` and ``(rho, sqrt(1 - rho^2)) r``, t and r not
    negative: their roots are the coordinates.
    """

    first: int  # places in x of the entries (1, 1), (2, 1), (2, 2) of the factor
    below: int
    second: int
    size: int
    b: tuple[float, float]

    @property
    def removed(self) -> int:
        """That between the two roots."""
        return self.below

    def of(self, x: Array) -> float:
        """The correlation; zero where one of the effects is."""
        along, r = self._second(x)
        return along / r if r and x[self.first] else 0.0

    def _second(self, x: Array) -> tuple[float, float]:
        """The second effect's part along the first, and its length."""
        along = self.b[0] * x[self.first] + self.b[1] * x[self.below]
        return float(along), float(np.hypot(along, self.b[1] * x[self.second]))

    def start(self, x: Array) -> Array:
        """The lengths of both rows, by their roots."""
        r = self._second(x)[1]
        y = x.copy()
        y[self.first] = np.sqrt(max(abs(x[self.first]), SMALLEST_START))
        y[self.second] = np.sqrt(max(r, SMALLEST_START))
        return np.delete(y, self.below)

    def _rows(self, value: float) -> Array:
        """What t and r are multiplied by in the entries (1, 1), (2, 1), (2, 2)."""
        b1, b2 = self.b
        return np.array([[1.0, 0.0], [-b1 / b2, value / b2], [0.0, np.sqrt(max(1 - value**2, 0.0)) / b2]])

    @property
    def _own(self) -> list[int]:
        return [self.first, self.below, self.second]

    def _places(self, y: Array) -> tuple[int, int]:
        """Of the roots of t and r in y."""
        return tuple(p - (p > self.below) for p in (self.first, self.second))  # type: ignore[return-value]

    def at(self, y: Array, value: float) -> Array:
        """The rows of the factor."""
        x = np.insert(y, self.below, 0.0)
        x[self._own] = self._rows(value) @ y[list(self._places(y))] ** 2
        return x

    def jacobian(self, y: Array, value: float) -> Array:
        """Twice the roots."""
        out = np.delete(np.identity(self.size), self.below, axis=1)
        roots = list(self._places(y))
        out[self._own] = 0.0
        out[np.ix_(self._own, roots)] = self._rows(value) * 2 * y[roots]
        return out

    def bend(self, y: Array, value: float, slopes: Array) -> Array:
        """Of the squares."""
        out, roots = np.zeros((len(y), len(y))), list(self._places(y))
        out[roots, roots] = 2 * slopes[self._own] @ self._rows(value)
        return out

    def moves(self, y: Array, value: float) -> Array:
        """Infinite at the limits."""
        out = np.zeros(self.size)
        r = y[self._places(y)[1]] ** 2
        left = 1 - value**2
        out[self.below] = r / self.b[1]
        out[self.second] = -value / np.sqrt(left) * r / self.b[1] if left > 0 else np.nan
        return out
