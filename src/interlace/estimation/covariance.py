"""Relative covariance factors: parameters to lower triangular matrices, and the changes of basis between
them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from interlace import kernel

Array = NDArray[np.floating]


class Covariance(Protocol):
    """A covariance structure of k random effects: a small map from parameters to a lower triangular
    factor."""

    k: int

    @property
    def n_par(self) -> int:
        """Number of parameters."""
        ...

    @property
    def start(self) -> Array:
        """A neutral start, (n_par,)."""
        ...

    @property
    def bounds(self) -> Array:
        """Lower and upper bounds, (n_par, 2)."""
        ...

    def names(self, columns: Sequence[str]) -> list[str]:
        """Names of the parameters, given those of the k columns."""
        ...

    def factor(self, par: Array) -> Array:
        """The lower triangular factor, (k, k)."""
        ...

    def derivative(self, par: Array) -> Array:
        """Derivatives of the factor, (n_par, k, k)."""
        ...


class _Triangle(NamedTuple):
    """The lower triangle of a k x k matrix, column by column."""

    entries: tuple[tuple[int, int], ...]
    places: tuple[NDArray[np.intp], NDArray[np.intp]]
    diagonal: NDArray[np.bool_]


@cache
def _triangle(free: int) -> _Triangle:
    cols, rows = np.triu_indices(free)
    entries = tuple(zip(rows.tolist(), cols.tolist(), strict=True))
    return _Triangle(entries, (rows, cols), rows == cols)


@dataclass(frozen=True, slots=True)
class Unstructured:
    """Any covariance: the parameters are the entries of the lower triangle, column by column (lme4's
    theta).

    Attributes
    ----------
    k : int
    fixed : int
        The last effects, which are zero and have no parameters.
    """

    k: int
    fixed: int = 0

    @property
    def free(self) -> int:
        """The number of effects that have parameters."""
        return self.k - self.fixed

    @property
    def entries(self) -> tuple[tuple[int, int], ...]:
        """(row, column) of each parameter."""
        return _triangle(self.free).entries

    @property
    def diagonal(self) -> NDArray[np.bool_]:
        """Which parameters are diagonal entries, (n_par,)."""
        return _triangle(self.free).diagonal

    @property
    def n_par(self) -> int:
        """free (free + 1) / 2."""
        return self.free * (self.free + 1) // 2

    @property
    def start(self) -> Array:
        """The identity."""
        return np.array([1.0 if row == col else 0.0 for row, col in self.entries])

    @property
    def bounds(self) -> Array:
        """Diagonal entries are not negative."""
        return np.array([(0.0 if row == col else -np.inf, np.inf) for row, col in self.entries]).reshape(
            -1, 2
        )

    def names(self, columns: Sequence[str]) -> list[str]:
        """As lme4: ``row.column`` off the diagonal, the column's name on it."""
        return [columns[row] if row == col else f"{columns[row]}.{columns[col]}" for row, col in self.entries]

    def factor(self, par: Array) -> Array:
        """Lower triangular T with these entries, (k, k)."""
        T = np.zeros((self.k, self.k))
        T[_triangle(self.free).places] = par
        return T

    def derivative(self, par: Array) -> Array:
        """Unit matrices, (n_par, k, k)."""
        out = np.zeros((self.n_par, self.k, self.k))
        for i, (row, col) in enumerate(self.entries):
            out[i, row, col] = 1.0
        return out

    def par(self, factor: Array) -> Array:
        """The entries of a lower triangular factor."""
        return np.asarray(factor, dtype=np.float64)[_triangle(self.free).places]


def lower_factor(F: Array) -> Array:
    """Lower triangular T with a diagonal that is not negative and ``T T' = F F'``, without forming ``F F'``.

    Where F is singular, T has a zero column for each direction that is missing (the zero diagonal entries
    of lme4's theta).
    """
    return np.asarray(kernel.lower_factor(np.ascontiguousarray(F, dtype=np.float64)))
