"""Marginal residuals without their correlation: what each row adds to the rows before it."""

from __future__ import annotations

from typing import Any

import numpy as np

from interlace.arrays import Array, Index
from interlace.prediction.spherical import Spherical

SMALL = 64  # rows of a component up to which its covariance is written out, many components at once
ENTRIES = 4_000_000  # of the covariances that are written out at once
AT_ONCE = 2_000  # rows of a large component that enter together


def innovations(model: Spherical, e: Array) -> Array:
    """``L^-1 e`` for ``I + S Q^-1 S' = L L'`` with rows in their own order, (n,).

    Entry i is the part of ``e_i`` that the entries before it do not predict, over its standard deviation.
    The covariance falls into components that share no random effects. In a small one it is written out; in a
    large one rows enter by blocks, each given those before it through the random effects alone, so that
    nothing of the size n x n is made.
    """
    out = np.empty(len(e))
    component = model.components()
    order = np.argsort(component, kind="stable")
    sizes = np.bincount(component)
    begin = np.concatenate([[0], np.cumsum(sizes)])
    for size in np.unique(sizes):
        which = np.flatnonzero(sizes == size)
        if size <= SMALL and model.plain:
            _alike(model, e, out, order, begin[which], int(size))
            continue
        for c in which:
            _blocks(model, e, out, order[begin[c] : begin[c + 1]])
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


def _blocks(model: Spherical, e: Array, out: Array, rows: Index) -> None:
    """One component, `AT_ONCE` rows at a time."""
    from scipy.linalg import cholesky, solve_triangular

    S = model.S[rows]
    used = np.unique(S.indices) if model.plain else np.arange(S.shape[1])
    S = S[:, used]
    M, past = model.Q[used][:, used], np.zeros(len(used))
    for first in range(0, len(rows), AT_ONCE):
        part, at = S[first : first + AT_ONCE], rows[first : first + AT_ONCE]
        solve = _factored(M)
        B = solve(part.T.toarray())
        L = cholesky(np.eye(len(at)) + part @ B, lower=True)
        out[at] = solve_triangular(L, e[at] - B.T @ past, lower=True)
        M, past = M + part.T @ part, past + part.T @ e[at]


def _factored(M: Any) -> Any:
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu

    return splu(csc_array(M), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve
