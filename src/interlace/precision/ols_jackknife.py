"""CR3 of least squares: what coefficients change without each cluster, from p x p or smaller matrices.

Where every absorbed factor is nested in the clusters, a cluster takes its levels with it, and of the other
rows the factors leave the same. With the rows ``V = W^1/2 X K`` of a cluster, of what they leave of X and
``K'X'WX K = I``, and its residuals r times the roots of the weights,

    beta without it - beta = -K (I - V'V)^-1 V'r = -K V'(I - VV')^-1 r.

A factor that is not nested becomes columns of X, where it has few levels. Otherwise the rows that are left
are absorbed again for each cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from interlace.arrays import Array, Index
from interlace.design.absorbing import AbsorbedFactor, learn_absorbed
from interlace.errors import ModelError
from interlace.estimation.absorbed import Absorbed
from interlace.estimation.ols_fit import LeastSquaresFit
from interlace.estimation.rank import independent, triangle
from interlace.precision.clusters import Clusters, nested

SATURATED = 1e-10  # of an eigenvalue of I - V'V, of a direction that one cluster tells
MOST_COLUMNS = 400  # levels that become columns of X, in all
MOST_NUMBERS = 4e8  # of X with them
MOST_ROWS = 5e8  # that are absorbed again, in all
_AT_ONCE = 2**22  # numbers of the matrices of some clusters

_GONE = "without one of the clusters some coefficients cannot be estimated: CR3 does not exist; use 'CR1'"


def jackknife(fit: LeastSquaresFit, chosen: Sequence[Clusters]) -> Array:
    """CR3: the sum over clusters of the squares of what beta changes without each of them, (p, p).

    Raises
    ------
    ModelError
        There are several clusterings, a cluster alone tells a coefficient, or there are too many clusters to
        absorb again for each.
    """
    if len(chosen) > 1:
        raise ModelError(f"CR3 is defined for one clustering of the rows, not for {len(chosen)}; use 'CR1'")
    X = _columns(fit, chosen[0])
    change = _again(fit, chosen[0].rows()) if X is None else _changes(fit, chosen[0], X)
    return np.asarray(change.T @ change)


def _columns(fit: LeastSquaresFit, clusters: Clusters) -> Array | None:
    """Columns of X behind those of the factors that are not nested in the clusters; None where these are too
    many."""
    absorbed = fit.absorbed
    if absorbed is None:
        return fit.left
    apart = [one for one in absorbed.factors if not nested(one.codes, clusters.codes)]
    if not apart:
        return fit.left
    m = sum(one.n_levels * one.k for one in apart)
    if m > MOST_COLUMNS or float(m) * fit.n > MOST_NUMBERS:
        return None
    inside = tuple(one for one in absorbed.factors if not any(one is other for other in apart))
    D = np.hstack([_dummies(one) for one in apart])
    if inside:
        own = replace(absorbed, factors=inside)
        share = np.linalg.norm(D, axis=0)
        D = own.residuals(D).values
        D = D[:, np.linalg.norm(D, axis=0) > 1e-7 * share]
    D = D[:, list(independent(triangle(D, fit.design.weights)))]
    return np.hstack([D, fit.left])


def _dummies(factor: AbsorbedFactor) -> Array:
    """A column for each coefficient of each level, (n, levels k)."""
    n, k = len(factor.codes), factor.k
    D = np.zeros((n, factor.n_levels, k))
    D[np.arange(n), factor.codes] = 1.0 if factor.columns is None else factor.columns
    return D.reshape(n, -1)


def _changes(fit: LeastSquaresFit, clusters: Clusters, X: Array) -> Array:
    """Of beta without each cluster, (J, p); the last p columns of X have it."""
    root = np.sqrt(fit.weights)
    R = np.triu(triangle(X, fit.design.weights))
    V = np.linalg.solve(R.T, (X * root[:, None]).T).T
    r = fit.residuals * root
    p = len(fit.solution.beta)
    K = np.linalg.inv(R)[-p:] if p else np.zeros((0, len(R)))
    change, again = np.empty((clusters.size, p)), list[int]()
    for at, rows in _of_one_size(clusters, V.shape[1]):
        found, told = _without(V[rows], r[rows])
        change[at] = found @ K.T
        again += at[~told].tolist()
    if again:
        every = clusters.rows()
        change[again] = _again(fit, [every[g] for g in again])
    return change


def _of_one_size(clusters: Clusters, p: int) -> Iterator[tuple[Index, Index]]:
    """Some clusters of as many rows each, (b,), and these rows, (b, size)."""
    order = np.argsort(clusters.codes, kind="stable")
    sizes = np.bincount(clusters.codes, minlength=clusters.size)
    first = np.cumsum(sizes) - sizes
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        step = max(1, int(_AT_ONCE // (size * p + min(size, p) ** 2 + 1)))
        for start in range(0, len(alike), step):
            at = alike[start : start + step]
            yield at, order[first[at][:, None] + np.arange(size)]


def _without(V: Array, r: Array) -> tuple[Array, np.ndarray]:
    """``-(I - V'V)^-1 V'r`` of some clusters, (b, P), and for which of them there is one, (b,)."""
    size, P = V.shape[1:]
    turned = V.swapaxes(1, 2)
    own = V @ turned if size < P else turned @ V
    left = np.eye(min(size, P)) - own
    values = np.linalg.eigvalsh(left)[:, 0] if left.size else np.ones(len(V))
    told = values > SATURATED
    left[~told] = np.eye(min(size, P))
    if size < P:
        return -(turned @ np.linalg.solve(left, r[:, :, None]))[:, :, 0], told
    return -np.linalg.solve(left, turned @ r[:, :, None])[:, :, 0], told


def _again(fit: LeastSquaresFit, clusters: Sequence[Index]) -> Array:
    """The same from least squares of the rows that each cluster leaves."""
    if float(len(clusters)) * fit.n > MOST_ROWS:
        raise ModelError(
            f"CR3 beside absorbed factors of many levels that are not nested in the clusters would absorb "
            f"{fit.n:,} rows again for {len(clusters):,} clusters; use 'CR1'"
        )
    every = np.arange(fit.n)
    found = [_of_rows(fit, np.setdiff1d(every, rows)) for rows in clusters]
    return np.array(found).reshape(len(found), -1) - fit.solution.beta


def _of_rows(fit: LeastSquaresFit, rest: Index) -> Array:
    """beta of some of the rows."""
    columns, w = np.column_stack([fit.left, fit.response])[rest], fit.design.weights
    w = None if w is None else np.ascontiguousarray(w[rest])
    absorbed = fit.absorbed
    if absorbed is not None:
        terms = [factor.term for factor in absorbed.factors]
        columns = Absorbed(learn_absorbed(fit.design.frame.take(rest), terms), w).residuals(columns).values
    R, p = triangle(columns, w), len(fit.solution.beta)
    full = np.linalg.norm(fit.triangle, axis=0)
    lost = len(independent(R[:, :p])) < p or (np.linalg.norm(R[:, :p], axis=0) < SATURATED * full).any()
    if lost:
        raise ModelError(_GONE)
    return np.asarray(np.linalg.solve(R[:p, :p], R[:p, p]))
