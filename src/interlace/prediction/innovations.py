"""Marginal residuals without their correlation: what each row adds to the rows before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array, Index
from interlace.estimation.capacity import check_room
from interlace.prediction.spherical import Spherical
from interlace.progress import pieces

SMALL = 64  # rows of a component up to which its covariance is written out, many components at once
ENTRIES = 4_000_000  # of the covariances that are written out at once
# Rows of a large component that enter together: as many as half of its random effects, within limits.
FEWEST, MOST = 128, 2_000
# Random effects that are solved for as a dense matrix; more are as sparse ones.
DENSE = 12_000
# What a flop within levels costs beside one of a large matrix.
WITHIN = 10.0
PAIRS = 1e8  # of rows of one level that may be taken as a matrix
LONG = 1e12  # multiplications from which a bar is shown
ROOM = (
    "residuals by Cholesky factor need {} for random effects that so many rows share: take "
    'kind="marginal-studentized", which needs no factor over the rows'
)


def innovations(model: Spherical, e: Array) -> Array:
    """``L^-1 e`` for ``I + S Q^-1 S' = L L'`` with rows in their own order, (n,).

    Entry i is the part of ``e_i`` that the entries before it do not predict, over its standard deviation.
    The covariance falls into components that share no random effects. In a small one it is written out. In a
    large one ``L = N C``: N is the factor with the effects of one grouping factor alone, which is of one
    level after the other; C is that of ``I + R Q^-1 R'`` for what it leaves of the others, ``R = N^-1 S``.
    There rows enter by blocks, each given those before it through the random effects alone, so that nothing
    of the size n x n is made.

    Raises
    ------
    ModelError
        There is not room enough.
    """
    out = np.empty(len(e))
    component, of_columns = model.components()
    order = np.argsort(component, kind="stable")
    columns = np.argsort(of_columns, kind="stable")
    sizes = np.bincount(component)
    begin = np.concatenate([[0], np.cumsum(sizes)])
    first = np.searchsorted(of_columns[columns], np.arange(len(sizes) + 1))
    for size in np.unique(sizes):
        which = np.flatnonzero(sizes == size)
        if size <= SMALL and model.plain:
            _alike(model, e, out, order, begin[which], int(size))
            continue
        for c in which:
            rows = order[begin[c] : begin[c + 1]]
            out[rows] = _component(model, e, rows, columns[first[c] : first[c + 1]])
    return out


def _alike(model: Spherical, e: Array, out: Array, order: Index, begins: Index, size: int) -> None:
    """Components of one size, some at a time."""
    step = max(1, ENTRIES // size**2)
    for first in range(0, len(begins), step):
        some = begins[first : first + step]
        rows = order[some[:, None] + np.arange(size)]
        part = model.S[rows.ravel()]
        V = (part @ part.T).tocoo()
        dense = np.zeros((len(some), size, size))
        dense[V.row // size, V.row % size, V.col % size] = V.data
        dense += np.eye(size)
        L = np.linalg.cholesky(dense)
        out[rows] = np.linalg.solve(L, e[rows][:, :, None])[:, :, 0]


def _component(model: Spherical, e: Array, rows: Index, columns: Index) -> Array:
    """One component, which has these columns of S."""
    S, x = model.S[rows][:, columns], e[rows]
    stay: NDArray[np.bool_] = np.ones(len(columns), dtype=np.bool_)
    group = _leading(model, rows, columns)
    if group is not None:
        stay = ~model.columns_of(group)[columns]
        N = _within_levels(*model.within(group, rows))
        S, x = N @ S[:, stay], N @ x
    if not stay.any():
        return x
    Q = model.Q[columns[stay]][:, columns[stay]]
    solved = _dense(S, Q, x) if stay.sum() <= DENSE else _sparse(S, Q, x)
    work = len(x) * float(stay.sum()) ** 2
    return np.concatenate(
        list(pieces(solved, len(x), "residuals") if work > LONG else (v for _, v in solved))
    )


def _leading(model: Spherical, rows: Index, columns: Index) -> str | None:
    """The grouping factor whose effects are best taken first; None where that is no gain."""
    best, cost = None, _flops(len(rows), len(columns))
    for group in dict.fromkeys(model.groups):
        if group in model.linked:
            continue
        own = int(model.columns_of(group)[columns].sum())
        squares = np.square(
            np.bincount(model.codes[model.groups.index(group)][rows], minlength=1), dtype=float
        )
        within = WITHIN * float((squares**1.5).sum())
        other = within + _flops(len(rows), len(columns) - own)
        if other < cost and 12.0 * float(squares.sum()) < 8.0 * float(len(columns)) ** 2 + ENTRIES * 64.0:
            best, cost = group, other
    return best


def _flops(n: int, q: int) -> float:
    """Of q random effects and n rows: solves, and a factorisation for each block of rows."""
    return float(n) * q**2 + n / _at_once(q) * float(q) ** 3 / 3


def _at_once(q: int) -> int:
    return min(max(q // 2, FEWEST), MOST)


def _within_levels(codes: Index, z: Array) -> Any:
    """``N^-1`` for ``N N' = I + A A'``, where A has the entries z of each row in the columns of its level."""
    import scipy.sparse as sp

    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    begin = np.concatenate([[0], np.cumsum(sizes)])
    entries: list[tuple[Array, Index, Index]] = []
    for size in np.unique(sizes[sizes > 0]):
        begins, step = begin[:-1][sizes == size], max(1, int(ENTRIES // size**2))
        i, j = np.nonzero(np.arange(size)[:, None] >= np.arange(size))  # each row and those before it
        for first in range(0, len(begins), step):
            rows = order[begins[first : first + step, None] + np.arange(size)]
            L = np.linalg.cholesky(np.eye(size) + z[rows] @ z[rows].transpose(0, 2, 1))
            inverse = np.linalg.inv(L)
            entries.append((inverse[:, i, j].ravel(), rows[:, i].ravel(), rows[:, j].ravel()))
    value, row, col = (np.concatenate(part) for part in zip(*entries, strict=True))
    return sp.csr_array((value, (row, col)), shape=(len(codes), len(codes)))


def _dense(S: Any, Q: Any, x: Array) -> Iterator[tuple[int, Array]]:
    """``C^-1 x`` for ``C C' = I + S Q^-1 S'`` a block of rows after the other, with ``Q + S'S`` of the rows
    before it as a dense matrix."""
    from scipy.linalg import cholesky, solve_triangular

    n, q = S.shape
    step = _at_once(q)
    check_room(24.0 * q**2 + 24.0 * q * step + 24.0 * S.nnz, ROOM)
    M, past = Q.toarray(), np.zeros(q)
    for first in range(0, n, step):
        part, here = S[first : first + step], x[first : first + step]
        L = cholesky(M, lower=True)
        half = solve_triangular(L, np.column_stack([part.toarray().T, past]), lower=True)
        half, before = half[:, :-1], half[:, -1]
        C = cholesky(np.eye(len(here)) + half.T @ half, lower=True)
        yield len(here), solve_triangular(C, here - half.T @ before, lower=True)
        M += (part.T @ part).toarray()
        past += part.T @ here


def _sparse(S: Any, Q: Any, x: Array) -> Iterator[tuple[int, Array]]:
    """The same where there are too many random effects for a dense matrix."""
    from scipy.linalg import cholesky, solve_triangular

    n, q = S.shape
    check_room(16.0 * q * MOST, ROOM)
    M, past = Q, np.zeros(q)
    for first in range(0, n, MOST):
        part, here = S[first : first + MOST], x[first : first + MOST]
        B = _factored(M)(part.T.toarray())
        L = cholesky(np.eye(len(here)) + part @ B, lower=True)
        yield len(here), solve_triangular(L, here - B.T @ past, lower=True)
        M, past = M + part.T @ part, past + part.T @ here


def _factored(M: Any) -> Any:
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu

    return splu(csc_array(M), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve
