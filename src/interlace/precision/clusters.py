"""Which rows belong together when covariances are to hold up without the model's: clusters of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from interlace.design.frame import Frame
from interlace.design.row_labels import row_labels, used_labels
from interlace.design.rows import codes_of, per_row
from interlace.design.values import Column, Factor
from interlace.errors import DataError, ModelError
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass


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
    """The one partition of the rows that was asked for.

    Parameters
    ----------
    given : str or array-like, optional
        A grouping factor or a column of the data, or a value per row (used, or of the data). Without it, the
        grouping factor in which all others are nested.

    Raises
    ------
    DataError
        No such column, wrong length, missing values, a single cluster.
    ModelError
        A random effect is shared between clusters.
    """
    (chosen,) = clusterings(fit, None if given is None else [given])
    return chosen


def clusterings(fit: Fit, given: Any = None) -> tuple[Clusters, ...]:
    """One partition of the rows, or several: rows that share a cluster of any of them may be dependent.

    Parameters
    ----------
    given : optional
        What `clusters` takes; or several of it, in a list or as the columns of a table. Text in a list names
        columns, unless there is one for each row.

    Raises
    ------
    DataError, ModelError
        As for `clusters`. Of several, one must hold the whole levels of each grouping factor.
    """
    for block in fit.encoding.random:
        if block.known is not None:
            raise ModelError(
                f"the levels of '{block.group}' have a known covariance, so that rows of different clusters "
                "depend on each other, and cluster-robust covariances do not hold; use vcov='model'"
            )
    wanted = None if given is None else _several(fit, given)
    if wanted == []:
        raise DataError("cluster has no column; give the name of a column of the data, or a value per row")
    chosen = (_outermost(fit),) if wanted is None else tuple(_given(fit, one) for one in wanted)
    for one in chosen:
        if one.size < 2:
            raise DataError(f"a robust covariance needs two clusters or more; {one.name} has {one.size}")
    for block, codes in zip(fit.encoding.random, codes_of(fit.rows), strict=True):
        if not any(nested(codes, one.codes) for one in chosen):
            names = " or ".join(one.name for one in chosen)
            raise ModelError(
                f"the levels of '{block.group}' are not nested in the clusters ({names}): rows of "
                "different clusters share random effects. Choose clusters that hold whole levels of every "
                "grouping factor"
            )
    return chosen


def intersections(chosen: Sequence[Clusters]) -> list[tuple[int, Clusters]]:
    """What inclusion and exclusion adds (1) and takes away (-1): each clustering, each two at once, ..."""
    found = []
    for k in range(1, len(chosen) + 1):
        sign = 1 if k % 2 else -1
        found += [(sign, _crossed(several)) for several in combinations(chosen, k)]
    return found


def _crossed(several: Sequence[Clusters]) -> Clusters:
    codes, size = several[0].codes, several[0].size
    for other in several[1:]:
        levels, codes = np.unique(codes.astype(np.int64) * other.size + other.codes, return_inverse=True)
        size = len(levels)
    name = ":".join(one.name for one in several)
    return Clusters(name, np.ascontiguousarray(codes.reshape(-1), dtype=np.int32), size)


def _several(fit: Fit, given: Any) -> list[Any]:
    """The clusterings that are asked for, each as a name or as values."""
    if isinstance(given, str):
        return [given]
    if isinstance(given, list | tuple) and given:
        lengths = (fit.rows.n, fit.rows.n_read)
        if all(_is_values(one) or isinstance(one, str) for one in given) and (
            len(given) not in lengths or any(_is_values(one) for one in given)
        ):
            return _distinct(given)
        return [given]
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        frame = Frame.read(given)
        if frame.missing:
            raise DataError(f"the column '{next(iter(frame.missing))}' of the clusters has missing values")
        return [_Named(name, column) for name, column in frame.columns.items()]
    if getattr(given, "ndim", 1) == 2:
        return list(np.asarray(given).T)
    return [given]


def _distinct(given: Sequence[Any]) -> list[Any]:
    texts = [one for one in given if isinstance(one, str)]
    return list(dict.fromkeys(texts)) if len(texts) == len(given) else list(given)


def _is_values(one: Any) -> bool:
    return not isinstance(one, str | bytes) and hasattr(one, "__len__")


@dataclass(frozen=True, slots=True)
class _Named:
    name: str
    values: Column


def _outermost(fit: Fit) -> Clusters:
    factors = {
        block.group: (codes, len(block.levels))
        for block, codes in zip(fit.encoding.random, codes_of(fit.rows), strict=True)
    }
    name = min(factors, key=lambda group: factors[group][1])
    codes, size = factors[name]
    crossed = [group for group, (inner, _) in factors.items() if not nested(inner, codes)]
    if crossed:
        raise ModelError(
            f"the grouping factors {name} and {', '.join(crossed)} are crossed: there are no independent "
            "clusters of rows for a robust covariance"
        )
    return Clusters(name, np.asarray(codes), size)


def _given(fit: Fit, given: Any) -> Clusters:
    if isinstance(given, _Named):
        return _of_factor(given.name, used_labels(fit.rows, "cluster", given.values, None))
    if not isinstance(given, str):
        return _of_factor("the given clusters", row_labels(fit.rows, "cluster", given))
    i = next((i for i, block in enumerate(fit.encoding.random) if block.group == given), None)
    if i is not None:
        codes = per_row(fit.rows, lambda design: design.random[i].codes)
        return Clusters(given, np.asarray(codes), len(fit.encoding.random[i].levels))
    return _of_factor(given, row_labels(fit.rows, "cluster", given))


def _of_factor(name: str, factor: Factor) -> Clusters:
    return Clusters(name, np.ascontiguousarray(factor.codes, dtype=np.int32), len(factor.levels))


def nested(inner: np.ndarray, outer: np.ndarray) -> bool:
    """Whether each level of `inner` lies within one of `outer`."""
    first = np.zeros(int(inner.max()) + 1, dtype=outer.dtype)
    first[inner] = outer
    return bool((first[inner] == outer).all())
