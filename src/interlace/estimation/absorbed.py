"""Absorbed factors: their levels are fixed effects of their own, of which no column is ever made.

With D the columns of all levels of all factors and W the prior weights, least squares of a column v on D
leaves ``v - D a``, ``D'W (v - D a) = 0``. The levels of the largest factor do not meet, and are eliminated
exactly; the system that they leave of the other levels is factored where its factor is small, and solved by
conjugate gradients elsewhere. It is never more than rows and levels in memory, and that factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any

import numpy as np

from interlace import kernel
from interlace.arrays import Array, Index
from interlace.design.absorbing import AbsorbedFactor
from interlace.errors import ConvergenceError, DataError, ModelError
from interlace.estimation.capacity import available_bytes
from interlace.frozen import dataclass

# Where the normal equations do not hold to this, there is no answer.
TOLERANCE = 1e-10
MOST_ITERATIONS = 10_000

# The exact rank may take so many products: modulo a prime, and of numbers.
_MOST_PRODUCTS, _MOST_FLOPS = 2e9, 2e11

METHODS = {
    "exact": "means of the levels",
    "direct": "a sparse factor of the levels beyond those of the largest factor",
    "diagonal": "conjugate gradients",
    "sampled": "conjugate gradients with sampled factors (Gao, Kyng and Spielman 2025)",
}


@dataclass(frozen=True, slots=True)
class Projection:
    """Columns less what the absorbed factors explain of them.

    Attributes
    ----------
    values : ndarray of float64, shape (n, m)
        ``v - D a``, orthogonal to every column of D with the weights.
    normal : ndarray of float64, shape (m,)
        How far the normal equations are from holding, worked out from `values`: the length of ``Q'W (v - D
        a)`` relative to that of what the largest factor leaves of v, where Q is D with orthonormal columns in
        each factor. At most 1e-10.
    iterations : ndarray of int64, shape (m,)
        Of conjugate gradients; 0 where none were needed.
    method : {"exact", "direct", "diagonal", "sampled"}
        What the hardest columns needed: `METHODS` says it in words.
    """

    values: Array
    normal: Array
    iterations: Index
    method: str


@dataclass(frozen=True, slots=True)
class Effects:
    """Estimates of the coefficients of all levels.

    Their sum in a row is always that of least squares. Each of them is fixed by a normalisation: in each
    connected component, the first level of every factor with intercepts but the first such factor has the
    intercept 0.

    Attributes
    ----------
    estimates : tuple of ndarray, shape (levels, k, m)
        By factor; of m columns.
    component : tuple of ndarray of int32, shape (levels,)
        By factor: the component that each level belongs to. Levels of two components share no row, nor a
        chain of them.
    """

    estimates: tuple[Array, ...]
    component: tuple[Index, ...]


@dataclass(frozen=True, eq=False)
class Absorbed:
    """Absorbed factors of some rows, with prior weights.

    Attributes
    ----------
    factors : tuple of AbsorbedFactor
        In the order in which they were named.
    weights : ndarray of float64, shape (n,), or None
        Positive.
    n_jobs : int or None
        Threads at most. The numbers do not depend on it.
    """

    factors: tuple[AbsorbedFactor, ...]
    weights: Array | None = None
    n_jobs: int | None = None
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.factors:
            raise DataError("there is no factor to absorb; name at least one")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": {}}

    @property
    def nrows(self) -> int:
        """Number of rows n."""
        return len(self.factors[0].codes)

    @property
    def coefficients(self) -> int:
        """Number of columns of D: the coefficients of all levels."""
        return sum(factor.n_levels * factor.k for factor in self.factors)

    @property
    def rank(self) -> int:
        """Rank of D: what the absorbed factors take from the degrees of freedom.

        It is exact where there are no slopes: levels less connected components for two factors, and
        elimination modulo a prime for more. With slopes it is the number of pivots above rounding.

        Raises
        ------
        ModelError
            The elimination would need more memory or time than there is.
        """
        found = self._structure()["rank"]
        if found < 0:
            raise ModelError(
                f"the rank of the {self.coefficients:,} coefficients of the absorbed factors is not known: "
                "their elimination would need more memory or time than there is; absorb fewer factors, or "
                "factors with fewer levels or slopes"
            )
        return int(found)

    @property
    def components(self) -> int:
        """Number of connected components of all factors together."""
        return int(self._structure()["components"])

    @property
    def undetermined(self) -> int:
        """Directions in which coefficients can move and leave every row's sum as it is, beyond those that the
        normalisation of `Effects` fixes: 0, unless a factor is nested in another, or nearly so."""
        intercepts = sum(factor.term.intercept for factor in self.factors)
        return self.coefficients - self.rank - self.components * max(intercepts - 1, 0)

    def residuals(self, columns: Array) -> Projection:
        """Columns less what the factors explain of them.

        Parameters
        ----------
        columns : ndarray of float64, shape (n, m)
            Finite; any strides.

        Raises
        ------
        ConvergenceError
            The normal equations could not be solved to 1e-10.
        """
        found = self._project(columns, residuals=True)
        return Projection(found["residuals"].T, found["normal"], found["iterations"], found["method"])

    def within(self, rows: Array) -> Array:
        """`residuals` of columns of rows that were multiplied by the roots of the weights, times these."""
        if self.weights is None:
            return self.residuals(rows).values
        root = np.sqrt(self.weights)[:, None]
        return np.asarray(root * self.residuals(rows / root).values)

    def effects(self, columns: Array) -> Effects:
        """Estimates of all levels for each of some columns, shape (n, m).

        Raises
        ------
        ConvergenceError
            The normal equations could not be solved to 1e-10.
        """
        found = self._project(columns, residuals=False)
        component = tuple(self._structure()["component"])
        return Effects(self._normalised(found["effects"], component), component)

    def _project(self, columns: Array, *, residuals: bool) -> dict[str, Any]:
        with self._threads(columns.shape[1]):
            found: dict[str, Any] = self._system().project(columns, residuals, not residuals, MOST_ITERATIONS)
        worst = float(found["normal"].max(initial=0.0))
        if not worst <= TOLERANCE:
            raise ConvergenceError(
                f"the effects of the factors {', '.join(str(f.term) for f in self.factors)} were not found: "
                f"after {int(found['iterations'].max())} iterations the normal equations hold to "
                f"{worst:.1g}, and {TOLERANCE:g} is needed; scale slopes and weights to numbers near 1, or "
                "absorb fewer factors"
            )
        return found

    def _normalised(self, estimates: Sequence[Array], component: Sequence[Index]) -> tuple[Array, ...]:
        first, *others = [i for i, factor in enumerate(self.factors) if factor.term.intercept] or [0]
        for i in others:
            _, reference = np.unique(component[i], return_index=True)  # components are 0, 1, ...
            shift = estimates[i][reference, 0].copy()
            estimates[i][:, 0] -= shift[component[i]]
            estimates[first][:, 0] += shift[component[first]]
        return tuple(estimates)

    def _structure(self) -> dict[str, Any]:
        if "structure" not in self._held:
            doubles = available_bytes() / 32.0
            with self._threads(1):
                self._held["structure"] = self._system().rank(_MOST_PRODUCTS, _MOST_FLOPS, doubles)
        structure: dict[str, Any] = self._held["structure"]
        return structure

    def _system(self) -> kernel.AbsorbedSystem:
        if "system" not in self._held:
            self._held["system"] = kernel.absorbed(
                [factor.codes for factor in self.factors],
                [factor.n_levels for factor in self.factors],
                [factor.columns for factor in self.factors],
                [factor.term.intercept for factor in self.factors],
                self.weights,
            )
        return self._held["system"]

    def _threads(self, m: int) -> Any:
        return kernel.core_threads(100.0 * self.nrows * m * len(self.factors), self.n_jobs)
