"""``Z'V^-1Z`` from Z'Z, a grouping factor at a time: the largest comes first, where all is block diagonal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interlace.arrays import Array


def marginal_gram(S: Array, at: Sequence[slice], G: Sequence[Array]) -> Array:
    """``(I + Z'Z G)^-1 Z'Z``, in place of Z'Z.

    With the random effects of one factor f more in V, ``M = I + S_ff G_f`` and S the last ``Z'V^-1Z``, the
    rows of f become ``M^-1 S_f.``, and ``S_gf G_f M^-1 S_fh`` leaves the block of g and h.

    Parameters
    ----------
    S : ndarray, (pieces, size, size)
        Z'Z of connected pieces of one shape.
    at : sequence of slice
        The effects of each grouping factor.
    G : sequence of ndarray, (k, k)
        Their relative covariance within a level.

    Returns
    -------
    ndarray, (pieces, size, size)
        S.
    """
    order = sorted(range(len(at)), key=lambda f: at[f].start - at[f].stop)
    for step, f in enumerate(order):
        if not S[:, at[f], at[f]].size:
            continue
        rows = _own_levels(S, at[f], G[f]) if step == 0 else _all_levels(S, at[f], G[f])
        _update(S, at, f, _times(S[:, :, at[f]], G[f]), rows)
    return S


def _own_levels(S: Array, own: slice, G: Array) -> Array:
    """``(I + S_ff G)^-1 S_f.`` where levels of f do not meet; (pieces, effects of f, size)."""
    (b, size, _), k = S.shape, len(G)
    m = (own.stop - own.start) // k
    rows = S[:, own].reshape(b, m, k, size)
    blocks = np.empty((b, m, k, k))
    for level in range(m):
        start = own.start + level * k
        blocks[:, level] = rows[:, level, :, start : start + k]
    return np.asarray(np.linalg.solve(np.eye(k) + blocks @ G, rows)).reshape(b, m * k, size)


def _all_levels(S: Array, own: slice, G: Array) -> Array:
    M = _times(S[:, own, own], G)
    M[:, np.arange(M.shape[1]), np.arange(M.shape[1])] += 1.0
    if len(S) > 1:
        return np.asarray(np.linalg.solve(M, S[:, own]))
    return _solved_in_place(M[0], np.array(S[0, own], order="F"))[None]  # one piece may be large


def _solved_in_place(M: Array, rows: Array) -> Array:
    """``M^-1 rows`` in the memory of both: M is in the order of C, `rows` in that of Fortran.

    Variances far above the residual one make the condition of M large, and nothing is said of it: the rows of
    the solution are as small as M is large.
    """
    from scipy.linalg import lapack  # slow to import

    lu, pivots, singular = lapack.dgetrf(M.T, overwrite_a=True)
    if singular:
        raise np.linalg.LinAlgError("Singular matrix")
    return np.asarray(lapack.dgetrs(lu, pivots, rows, trans=1, overwrite_b=True)[0])


def _times(columns: Array, G: Array) -> Array:
    """Columns of the effects of a factor times the covariance within its levels."""
    levels = columns.reshape(*columns.shape[:2], -1, len(G))
    return np.asarray((levels @ G).reshape(columns.shape))


def _update(S: Array, at: Sequence[slice], f: int, left: Array, rows: Array) -> None:
    """What the effects of f explain leaves the other blocks; its own become `rows`."""
    for g in range(len(at)):
        for h in range(g, len(at)):
            if f in (g, h):
                continue
            explained = left[:, at[g]] @ rows[:, :, at[h]]
            if g == h:
                explained += explained.transpose(0, 2, 1)
                explained /= 2
            S[:, at[g], at[h]] -= explained
            if g != h:
                S[:, at[h], at[g]] = S[:, at[g], at[h]].transpose(0, 2, 1)
    S[:, at[f]] = rows
    S[:, :, at[f]] = rows.transpose(0, 2, 1)
    own = S[:, at[f], at[f]]
    own += own.transpose(0, 2, 1)
    own /= 2
