"""Relative covariance factors: what a covariance structure is, and the one without any."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.frozen import dataclass

Array = NDArray[np.floating]


class Covariance(Protocol):
    """The covariance of the k random effects of a level, over sigma^2: a small map from parameters to a
    factor T with ``T T'`` the covariance.

    Parameters have no units: those of the data are in a `basis`, which stands before the factor,
    ``Lambda = basis T``.
    """

    @property
    def k(self) -> int:
        """Number of random effects."""

    @property
    def n_par(self) -> int:
        """Number of parameters of the search."""

    @property
    def counted(self) -> int:
        """Number of parameters that the model has, whatever the data tell of them."""

    @property
    def start(self) -> Array:
        """A neutral start, (n_par,)."""

    @property
    def even(self) -> NDArray[np.bool_]:
        """Parameters whose sign does not matter, and whose lowest value is zero, (n_par,)."""

    @property
    def entries(self) -> tuple[tuple[int, int], ...]:
        """(row, column) of the entries of the factor that are not always zero."""

    @property
    def plain(self) -> bool:
        """Are the parameters these entries?"""

    @property
    def effects(self) -> tuple[tuple[NDArray[np.intp], int], ...]:
        """What can be large or small by itself: its parameters, and which of them is even."""

    def names(self, columns: Sequence[str]) -> list[str]:
        """Names of the parameters, given those of the k columns."""

    def factor(self, par: Array) -> Array:
        """The factor, (k, k)."""

    def derivative(self, par: Array) -> Array:
        """Derivatives of the factor, (n_par, k, k)."""

    def curvature(self, par: Array, weights: Array) -> Array:
        """Second derivatives of the sum of the entries of the factor times weights (k, k), (n_par, n_par)."""

    def par(self, factor: Array) -> Array:
        """Parameters of a lower triangular factor whose diagonal is not negative."""

    def triangular(self, F: Array) -> Array:
        """Lower triangular T with a diagonal that is not negative and ``T T' = F F'``, of a factor in the
        units of the data."""

    def as_they_are(self, shift: Array, basis: Array, T: Array) -> Array:
        """The same of ``shift^-1 basis T``, the factor of the effects of columns as they are."""

    def basis(self, orthonormal: Array, shift: Array) -> Array:
        """What stands before the factor, so that the parameters have no units, (k, k).

        `orthonormal` makes columns about their origin orthonormal on average over the levels; `shift` takes
        effects of the columns as they are to effects of those.
        """

    def pivoted(self, basis: Array, par: Array) -> tuple[Array, Array]:
        """Another basis that suits these parameters better, and the parameters there."""

    def at_limit(self, par: Array, near: float) -> Array:
        """The parameters, those so near to their limits moved there."""

    @property
    def scouted(self) -> bool:
        """Are other minima looked for from `elsewhere`, whatever the design?"""

    def elsewhere(self, par: Array) -> list[list[Array]]:
        """Parameters of covariances with other correlations, from which to look for another minimum."""

    def theta(self, T: Array) -> Array:
        """The part of lme4's theta that is this factor in the units of the data."""

    @property
    def n_theta(self) -> int:
        """The length of that part."""

    @property
    def diagonal(self) -> NDArray[np.bool_]:
        """Which of its entries are on the diagonal of the factor, (n_theta,)."""

    def of_theta(self, theta: Array) -> Array:
        """The factor of that part of theta."""

    def directions(self, T: Array) -> list[tuple[Array, float]]:
        """Symmetric matrices D and numbers gamma, one per parameter that is counted: the directions in which
        the covariance ``T T'`` can change, and ``sum of gamma D = T T'``."""

    @property
    def tangents(self) -> Array:
        """The directions at some covariance that is not special, (parameters, k, k)."""

    def folded(self, of_entries: Array) -> Array:
        """From the derivatives in the entries of a k x k matrix, the rows, to those along the `tangents`."""

    @property
    def linear(self) -> bool:
        """Is the covariance a linear function of some parameters?"""

    def units(self, squares: Array) -> Array:
        """Units of the directions, given the squares of what changes along each."""


class Triangle(NamedTuple):
    """The lower triangle of a matrix, column by column."""

    entries: tuple[tuple[int, int], ...]
    places: tuple[NDArray[np.intp], NDArray[np.intp]]
    diagonal: NDArray[np.bool_]


@cache
def triangles(*sizes: int) -> Triangle:
    """Those of matrices of these sizes on the diagonal of a larger one."""
    places, at = [np.zeros((2, 0), dtype=np.intp)], 0
    for size in sizes:
        places.append(at + np.array(np.triu_indices(size)))
        at += size
    cols, rows = np.hstack(places)
    entries = tuple(zip(rows.tolist(), cols.tolist(), strict=True))
    return Triangle(entries, (rows, cols), rows == cols)


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
    def triangle(self) -> Triangle:
        """Where the parameters stand."""
        return triangles(self.free)

    @property
    def entries(self) -> tuple[tuple[int, int], ...]:
        """(row, column) of each parameter."""
        return self.triangle.entries

    @property
    def even(self) -> NDArray[np.bool_]:
        """The diagonal entries, (n_par,)."""
        return self.triangle.diagonal

    @property
    def plain(self) -> bool:
        """Yes."""
        return True

    @property
    def effects(self) -> tuple[tuple[NDArray[np.intp], int], ...]:
        """The rows of the factor."""
        rows = np.array([row for row, _ in self.entries])
        diagonal = np.flatnonzero(self.even)
        return tuple((np.flatnonzero(rows == r), int(diagonal[r])) for r in range(self.free))

    @property
    def counted(self) -> int:
        """k (k + 1) / 2."""
        return self.k * (self.k + 1) // 2

    @property
    def n_par(self) -> int:
        """free (free + 1) / 2."""
        return len(self.triangle.entries)

    @property
    def start(self) -> Array:
        """The identity."""
        return np.array([1.0 if row == col else 0.0 for row, col in self.entries])

    def names(self, columns: Sequence[str]) -> list[str]:
        """As lme4: ``row.column`` off the diagonal, the column's name on it."""
        return [columns[row] if row == col else f"{columns[row]}.{columns[col]}" for row, col in self.entries]

    def factor(self, par: Array) -> Array:
        """Lower triangular T with these entries, (k, k)."""
        T = np.zeros((self.k, self.k))
        T[self.triangle.places] = par
        return T

    def derivative(self, par: Array) -> Array:
        """Unit matrices, (n_par, k, k)."""
        out = np.zeros((self.n_par, self.k, self.k))
        for i, (row, col) in enumerate(self.entries):
            out[i, row, col] = 1.0
        return out

    def curvature(self, par: Array, weights: Array) -> Array:
        """Zero."""
        return np.zeros((self.n_par, self.n_par))

    def par(self, factor: Array) -> Array:
        """The entries of a lower triangular factor."""
        return np.asarray(factor, dtype=np.float64)[self.triangle.places]

    def triangular(self, F: Array) -> Array:
        """See `lower_factor`."""
        return lower_factor(F)

    def as_they_are(self, shift: Array, basis: Array, T: Array) -> Array:
        """The same of ``shift^-1 basis T``."""
        found: Array = kernel.as_they_are(shift, np.ascontiguousarray(basis), T)
        return found

    def basis(self, orthonormal: Array, shift: Array) -> Array:
        """Columns of Z are orthonormal, as any covariance in one basis is one in every other."""
        return orthonormal

    def pivoted(self, basis: Array, par: Array) -> tuple[Array, Array]:
        """Columns in order of (conditional) variance, so that the directions in which a covariance is
        (nearly) singular come last. Those in which the random effects are larger than the residuals are in
        units of the effects: a step of one would else be a millionth of one parameter and far too much for
        another.
        """
        found, T = kernel.pivoted(np.ascontiguousarray(basis), self.factor(par), self.free)
        return np.asarray(found), self.par(T)

    def at_limit(self, par: Array, near: float) -> Array:
        """Small diagonal entries are zero."""
        return np.where(self.even & (np.abs(par) < near), 0.0, par)

    @property
    def scouted(self) -> bool:
        """No."""
        return False

    def elsewhere(self, par: Array) -> list[list[Array]]:
        """None: the search finds its way."""
        return []

    def theta(self, T: Array) -> Array:
        """The lower triangle, column by column."""
        return T[triangles(self.k).places]

    @property
    def n_theta(self) -> int:
        """k (k + 1) / 2."""
        return self.counted

    @property
    def diagonal(self) -> NDArray[np.bool_]:
        """The first of each column."""
        return triangles(self.k).diagonal

    def of_theta(self, theta: Array) -> Array:
        """A matrix of these entries."""
        return Unstructured(self.k).factor(theta)

    def directions(self, T: Array) -> list[tuple[Array, float]]:
        """The entries of the lower triangle of ``T T'``."""
        G = T @ T.T
        return [(D, float(G[row, col])) for D, (row, col) in zip(self.tangents, self.entries, strict=True)]

    @property
    def tangents(self) -> Array:
        """A one for each variance, two for each covariance."""
        return _mirrored(self)

    def folded(self, of_entries: Array) -> Array:
        """Mirror images are one."""
        if self.k == 1:
            return of_entries
        rows, cols = self.triangle.places
        both = of_entries[rows * self.k + cols]
        off = rows != cols
        both[off] += of_entries[cols[off] * self.k + rows[off]]
        return np.asarray(both)

    @property
    def linear(self) -> bool:
        """Of its entries."""
        return True

    def units(self, squares: Array) -> Array:
        """For a variance ``1 / sqrt(square)``, for a covariance the geometric mean of those of its
        variances."""
        variance = {row: s for (row, col), s in zip(self.entries, squares, strict=True) if row == col}
        return np.array([(variance[row] * variance[col]) ** -0.25 for row, col in self.entries])


@cache
def _mirrored(structure: Unstructured) -> Array:
    out = structure.derivative(np.zeros(0))
    out = np.maximum(out, out.transpose(0, 2, 1))
    out.flags.writeable = False
    return out


def lower_factor(F: Array) -> Array:
    """Lower triangular T with a diagonal that is not negative and ``T T' = F F'``, without forming ``F F'``.

    Where F is singular, T has a zero column for each direction that is missing (the zero diagonal entries
    of lme4's theta).
    """
    found: Array = kernel.lower_factor(F)
    return found
