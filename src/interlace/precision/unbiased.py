"""CR2 (Bell and McCaffrey 2002): dense matrices of clusters, many clusters of the same shape at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from interlace import kernel
from interlace.arrays import Array
from interlace.design.gathered import gathered
from interlace.errors import ModelError
from interlace.estimation.capacity import check_room
from interlace.frozen import dataclass
from interlace.precision.cluster_rows import CHUNK, WhiteRows
from interlace.precision.clusters import Clusters
from interlace.precision.plain_sandwich import KEPT, SATURATED
from interlace.precision.sandwich import Dense, Turned, cut
from interlace.progress import pieces as watched_pieces

Index = np.ndarray
Matrices = tuple[Array, Array]  # D and R, (b, p, p)

CORRECT = 1e-6  # how exactly what CR2 makes of a cluster must be unbiased
WHITE = 1e-3  # how exactly the clusters must add up to X'V^-1X = I
TOO_LARGE = (
    "CR2 needs a dense matrix of the largest cluster: {rows} rows and {effects} random effects, {{}}; "
    "use CR1 or CR3, which do not"
)


class _Adjusted(NamedTuple):
    score: Array  # (b, p)
    D: Array  # (b, p, p)
    R: Array  # (b, p, p)
    information: Array  # (p, p), sum of X_j'V_j^-1X_j


class _Effects(NamedTuple):
    """Random effects of one grouping factor in the rows."""

    z: Array  # (n, k), rows of Z Lambda
    local: Index  # (n,), which of the levels in its cluster a row has
    levels: Index  # (J,), how many levels each cluster has


def unbiased(rows: WhiteRows, chosen: Clusters) -> tuple[Array, UnbiasedMoments]:
    """CR2: ``A = D (D'(V - X M X') D)^(-1/2) D'`` for any root ``V = D D'``, cluster by cluster.

    Scores (J, p), in no order of the clusters, and their moments.

    Raises
    ------
    ModelError
        A cluster does not fit in memory, or rounding errors leave no correct digits.
    """
    p = len(rows.beta)
    moments = UnbiasedMoments(rows, chosen)
    scores: list[Array] = [np.zeros((0, p))]
    kept: list[Matrices] = []
    information = np.zeros((p, p))
    room = 16.0 * chosen.size * p**2 <= KEPT
    for found in moments.adjusted():
        scores.append(found.score)
        information += found.information
        if room:
            kept.append((found.D, found.R))
    if not np.abs(information - np.eye(p)).max(initial=0.0) < WHITE:
        raise ModelError(_NO_DIGITS)
    moments.kept = kept if room else None
    return np.concatenate(scores), moments


@dataclass(eq=False)
class UnbiasedMoments:
    """Moments of CR2: kept, or computed again."""

    rows: WhiteRows
    chosen: Clusters
    kept: list[Matrices] | None = field(default=None, repr=False)

    def turned(self, rows: Array) -> Iterator[Turned]:
        """Some clusters in the directions of the rows, until each was there once."""
        found = self.kept if self.kept is not None else ((one.D, one.R) for one in self.adjusted())
        for D, R in found:
            for at in cut(len(D), rows.size):
                yield Dense.of(D[at], R[at], rows)

    def adjusted(self) -> Iterator[_Adjusted]:
        """Scores and moments of some clusters, until each was there once."""
        yield from watched_pieces(self._adjusted(), self.chosen.size, "CR2")

    def _adjusted(self) -> Iterator[tuple[int, _Adjusted]]:
        fit, chosen = self.rows.fit, self.chosen
        for places, design in gathered(fit.rows, chosen.codes, chosen.size, chosen.name, check_room):
            here, codes = np.unique(chosen.codes[places], return_inverse=True)
            own = Clusters(chosen.name, codes.reshape(-1), len(here))
            work = _Work(self.rows, fit.kernel_rows_of(design), own)
            work.check_room()
            yield from ((len(batch), work.of(batch)) for batch in work.batches())


@dataclass(eq=False)
class _Work:
    rows: WhiteRows
    data: dict[str, Any]
    chosen: Clusters

    @cached_property
    def order(self) -> Index:
        return np.argsort(self.chosen.codes, kind="stable")

    @cached_property
    def count(self) -> Index:
        return np.bincount(self.chosen.codes, minlength=self.chosen.size)

    @cached_property
    def start(self) -> Index:
        return np.asarray(np.cumsum(self.count) - self.count)

    @cached_property
    def effects(self) -> list[_Effects]:
        fit = self.rows.fit
        factors = fit.criterion.system.internal_factors(fit.solution.factors)
        return [
            _Effects((z - origin) @ F, *self._local(codes))
            for z, origin, F, codes in zip(
                self.data["z"], self.data["z_origin"], factors, self.data["codes"], strict=True
            )
        ]

    def _local(self, codes: Index) -> tuple[Index, Index]:
        """Levels numbered within each cluster, and their number."""
        order = np.lexsort((codes, self.chosen.codes))
        level, cluster = codes[order], self.chosen.codes[order]
        new = np.ones(len(order), dtype=bool)
        new[1:] = (level[1:] != level[:-1]) | (cluster[1:] != cluster[:-1])
        number = np.cumsum(new) - 1
        first = number[self.start]
        local = np.empty(len(order), dtype=np.int64)
        local[order] = number - first[cluster]
        return local, np.bincount(cluster[new], minlength=self.chosen.size)

    @cached_property
    def q(self) -> Index:
        """Number of random effects of each cluster, (J,)."""
        return sum(
            (e.levels * e.z.shape[1] for e in self.effects), np.zeros(self.chosen.size, dtype=np.int64)
        )

    @cached_property
    def reduced(self) -> Index:
        """Without weights V is I outside the span of [X Z], where X and A have nothing to do, (J,)."""
        if self.data["w"] is not None:
            return np.zeros(self.chosen.size, dtype=bool)
        return self.count > self.q + len(self.rows.beta)

    def check_room(self) -> None:
        n, q = self.count.astype(np.float64), self.q.astype(np.float64)
        inner = np.where(self.reduced, q + len(self.rows.beta), n)
        needed = 8.0 * (3.0 * n * inner + 6.0 * inner**2)
        worst = int(np.argmax(needed))
        rows, effects = int(self.count[worst]), int(self.q[worst])
        check_room(float(needed[worst]), TOO_LARGE.format(rows=rows, effects=effects))

    def batches(self) -> Iterator[Index]:
        """Clusters of one shape."""
        shape = np.column_stack([self.count, *(np.where(self.reduced, e.levels, 0) for e in self.effects)])
        _, kind = np.unique(shape, axis=0, return_inverse=True)
        kind = kind.reshape(-1)
        order = np.argsort(kind, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1):
            n, q = int(self.count[members[0]]), int(self.q[members[0]])
            inner = q + len(self.rows.beta) if self.reduced[members[0]] else n
            step = max(1, CHUNK // max(1, 3 * n * inner + 6 * inner**2))
            yield from (members[first : first + step] for first in range(0, len(members), step))

    def of(self, batch: Index) -> _Adjusted:
        n = int(self.count[batch[0]])
        at = self.order[self.start[batch][:, None] + np.arange(n)]
        x = self.data["x"][at] - self.data["x_origin"]
        X = x @ self.rows.white
        r = self.data["y"][at] - self.data["y_origin"] - x @ self.rows.beta
        with kernel.one_thread():
            if self.reduced[batch[0]]:
                Z = np.concatenate([_expanded(e, at, int(e.levels[batch[0]])) for e in self.effects], axis=2)
                B = np.swapaxes(np.linalg.qr(np.concatenate([Z, X], axis=2))[0], 1, 2)
                X, r, Z = B @ X, np.einsum("bij,bj->bi", B, r), B @ Z
                V = Z @ np.swapaxes(Z, 1, 2) + np.eye(Z.shape[1])
            else:
                V = self._covariance(at)
            return _adjusted(X, r, V)

    def _covariance(self, at: Index) -> Array:
        V = np.zeros((*at.shape, at.shape[1]))
        for e in self.effects:
            z, local = e.z[at], e.local[at]
            V += np.where(local[:, :, None] == local[:, None, :], z @ np.swapaxes(z, 1, 2), 0.0)
        w = self.data["w"]
        V[:, np.arange(at.shape[1]), np.arange(at.shape[1])] += 1.0 if w is None else 1 / w[at]
        return V


def _expanded(effects: _Effects, at: Index, levels: int) -> Array:
    """Rows of Z Lambda with the columns of each level side by side, (b, n, levels * k)."""
    b, n = at.shape
    k = effects.z.shape[1]
    out = np.zeros((b, n, levels, k))
    out[np.arange(b)[:, None], np.arange(n), effects.local[at]] = effects.z[at]
    return out.reshape(b, n, levels * k)


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused
def _adjusted(X: Array, r: Array, V: Array) -> _Adjusted:
    """One batch: X (b, n, p), r (b, n), V (b, n, n)."""
    try:
        root = np.linalg.cholesky(V)
    except np.linalg.LinAlgError:
        raise ModelError(_NO_DIGITS) from None
    Y = np.linalg.solve(root, X)  # V^-1/2 X, so that X'V^-1X = Y'Y
    left = np.swapaxes(root, 1, 2)
    G = left @ root @ (np.eye(V.shape[1]) - Y @ np.swapaxes(Y, 1, 2)) @ left @ root
    if not np.isfinite(G).all():
        raise ModelError(_NO_DIGITS)
    values, vectors = np.linalg.eigh(G)
    turned = np.swapaxes(vectors, 1, 2)
    # directions whose residuals are always zero have no part
    there = np.arange(V.shape[1]) >= _lost(Y)[:, None]
    inverse = np.where(there, 1 / np.sqrt(np.maximum(values, np.finfo(np.float64).tiny)), 0.0)
    part, information = turned @ Y, np.einsum("bnp,bnr->pr", Y, Y, optimize=True)
    E = root @ (vectors @ (inverse[:, :, None] * part))  # (V^-1X)'A, transposed
    part = np.where(there[:, :, None], part, 0.0)
    Et = np.swapaxes(E, 1, 2)
    D, R = np.swapaxes(part, 1, 2) @ part, Et @ X
    if not _is_unbiased(left @ E, R, D):
        raise ModelError(_NO_DIGITS)
    return _Adjusted(np.einsum("bpn,bn->bp", Et, r), D, R, information)


def _is_unbiased(half: Array, R: Array, D: Array) -> bool:
    """Is ``X'V^-1 A V A'V^-1X = half'half`` what R and D say it is, in every cluster?"""
    found = np.swapaxes(half, 1, 2) @ half - R @ np.swapaxes(R, 1, 2)
    return bool(np.allclose(found, D, rtol=0.0, atol=CORRECT))


def _lost(Y: Array) -> Index:
    """How many directions of beta each cluster determines alone, (b,)."""
    lost = np.zeros(len(Y), dtype=np.int64)
    may = np.flatnonzero(np.square(Y).sum(axis=(1, 2)) > 1 - SATURATED)  # no eigenvalue exceeds the trace
    if may.size:
        S = np.swapaxes(Y[may], 1, 2) @ Y[may]
        lost[may] = (np.linalg.eigvalsh(S) > 1 - SATURATED).sum(axis=1)
    return lost


_NO_DIGITS = (
    "the residual variance is so small beside those of the random effects that CR2 has no correct digits "
    "here; use CR1 or CR3"
)
