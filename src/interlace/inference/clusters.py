"""Which rows belong together when covariances are to hold up without the model's: clusters of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from interlace.design.frame import read_array
from interlace.design.values import Column, Factor, factorize
from interlace.errors import DataError, ModelError
from interlace.estimation.fit import Fit


@dataclass(frozen=True, slots=True)
class Clusters:
    """A partition of the rows of a fit.

    Attributes
    ----------
    name : str
        For messages and notes.
    codes : ndarray of int, shape (n,)
        Cluster of each row, 0 to `size - 1`; each occurs.
    size : int
        Number of clusters J.
    """

    name: str
    codes: np.ndarray
    size: int

    def rows(self) -> list[np.ndarray]:
        """Indices of the rows of each cluster, in order."""
        order = np.argsort(self.codes, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.codes, minlength=self.size))[:-1])


def clusters(fit: Fit, given: Any = None) -> Clusters:
    """The clusters of a fit.

    Parameters
    ----------
    given : str or array-like, optional
        A grouping factor or a column of the model, or a value per row (used, or of the data). Without it, the
        grouping factor in which all others are nested.

    Raises
    ------
    DataError
        No such column, wrong length, missing values, a single cluster.
    ModelError
        A random effect is shared between clusters.
    """
    chosen = _outermost(fit) if given is None else _given(fit, given)
    if chosen.size < 2:
        raise DataError(f"a robust covariance needs two clusters or more; {chosen.name} has {chosen.size}")
    for block, rows in zip(fit.encoding.random, fit.design.random, strict=True):
        if not _nested(rows.codes, chosen.codes):
            raise ModelError(
                f"the levels of '{block.group}' are not nested in the clusters ({chosen.name}): rows of "
                "different clusters share random effects. Choose clusters that hold whole levels of every "
                "grouping factor"
            )
    return chosen


def _outermost(fit: Fit) -> Clusters:
    factors = {
        block.group: (rows.codes, len(block.levels))
        for block, rows in zip(fit.encoding.random, fit.design.random, strict=True)
    }
    name = min(factors, key=lambda group: factors[group][1])
    codes, size = factors[name]
    crossed = [group for group, (inner, _) in factors.items() if not _nested(inner, codes)]
    if crossed:
        raise ModelError(
            f"the grouping factors {name} and {', '.join(crossed)} are crossed: there are no independent "
            "clusters of rows for a robust covariance"
        )
    return Clusters(name, np.asarray(codes), size)


def _given(fit: Fit, given: Any) -> Clusters:
    if not isinstance(given, str):
        return _from_array(fit, given)
    for block, rows in zip(fit.encoding.random, fit.design.random, strict=True):
        if block.group == given:
            return Clusters(given, np.asarray(rows.codes), len(block.levels))
    columns = fit.design.frame.columns
    if given not in columns:
        groups = dict.fromkeys(block.group for block in fit.encoding.random)
        raise DataError(
            f"cluster '{given}' is no column of the model: choose one of {', '.join({**groups, **columns})}, "
            "or give its values as an array"
        )
    return _of_column(given, columns[given])


def _from_array(fit: Fit, values: Any) -> Clusters:
    column, missing = read_array("cluster", values)
    design = fit.design
    n, n_read = design.nrows, design.n_rows_read
    if len(column) not in (n, n_read):
        wanted = f"{n}" if n == n_read else f"{n} (rows used) or {n_read} (rows of the data)"
        raise DataError(f"cluster has {len(column)} values, not {wanted}")
    if len(column) != n and design.kept is not None:
        column = column.take(design.kept) if isinstance(column, Factor) else column[design.kept]
        missing = None if missing is None else missing[design.kept]
    if missing is not None and missing.any():
        raise DataError(f"cluster is missing in {int(missing.sum())} of the rows used")
    return _of_column("the given clusters", column)


def _of_column(name: str, column: Column) -> Clusters:
    factor = (column if isinstance(column, Factor) else factorize(column)).drop_unused()
    if len(factor) and factor.codes.min() < 0:
        raise DataError(f"cluster is missing in {int((factor.codes < 0).sum())} of the rows used")
    return Clusters(name, np.asarray(factor.codes), len(factor.levels))


def _nested(inner: np.ndarray, outer: np.ndarray) -> bool:
    """Whether each level of `inner` lies within one of `outer`."""
    first = np.zeros(int(inner.max()) + 1, dtype=outer.dtype)
    first[inner] = outer
    return bool((first[inner] == outer).all())
