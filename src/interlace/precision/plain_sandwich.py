"""CR0, CR1 and its relatives, and CR3: all that they need of a cluster are p x p matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field

import numpy as np

from interlace.arrays import Array
from interlace.errors import ModelError
from interlace.frozen import dataclass
from interlace.precision.cluster_rows import WhiteRows
from interlace.precision.clusters import Clusters
from interlace.precision.sandwich import Dense, Turned, cut, times
from interlace.progress import pieces as watched_pieces

SATURATED = (
    1e-10  # a cluster that alone determines a coefficient has an eigenvalue of X'V^-1X within this of one
)
KEPT = 2.0**29  # bytes of matrices per cluster that are kept; more are made again when they are asked for

SHARES: dict[str, Callable[[int, int, int], float]] = {  # of J clusters, n rows, p coefficients
    "CR0": lambda J, n, p: 1.0,
    "CR1": lambda J, n, p: J / (J - 1),
    "CR1p": lambda J, n, p: J / (J - p) if p < J else np.inf,
    "CR1S": lambda J, n, p: J * (n - 1) / ((J - 1) * (n - p)),
}


def share(kind: str, J: int, n: int, p: int) -> float:
    """The factor of CR0 or a relative of CR1.

    Raises
    ------
    ModelError
        There is none: too few clusters.
    """
    factor = SHARES[kind](J, n, p)
    if not 0 < factor < np.inf:
        raise ModelError(f"{J} clusters are too few for {p} coefficients; use CR1 or CR2")
    return factor


def scaled(kind: str, rows: WhiteRows, chosen: Clusters) -> tuple[Array, SquareMoments]:
    """CR0 and the relatives of CR1: one number for all clusters. Scores (J, p) and their moments."""
    factor = share(kind, chosen.size, rows.fit.rows.n, len(rows.beta))
    root = np.sqrt(factor)
    moments = SquareMoments(rows, chosen, lambda S, C: _Plain(root, root * times(S, C)), kind)
    return root * rows.scores(chosen), moments


@dataclass(frozen=True, slots=True)
class _Plain:
    """Clusters with A_j = root: ``R_j = root S_j`` and ``D_j = root^2 (S_j - S_j^2)``."""

    root: float
    h: Array

    def own(self, C: Array, at: slice) -> Array:
        """``c_s'D_j c_t``, (b, q, q)."""
        h = self.h[at]
        return np.asarray(np.einsum("sbp,tbp->bst", self.root * C[:, None] - h, h, optimize=True))


def jackknife(rows: WhiteRows, chosen: Clusters) -> tuple[Array, SquareMoments]:
    """CR3: ``A_j = (I - X_j M X_j'V_j^-1)^-1``. Scores (J, p) and their moments."""

    def without(S: Array) -> Array:
        return _inverse(np.eye(S.shape[1]) - S)

    def turned(S: Array, C: Array) -> Dense:
        R = without(S) @ S  # D = B (S - S^2) B = B S for B = (I - S)^-1
        return Dense.of((R + np.swapaxes(R, 1, 2)) / 2, R, C)

    moments = SquareMoments(rows, chosen, turned, "CR3")
    scores = rows.scores(chosen)
    for first, S in moments.squares():
        at = slice(first, first + len(S))
        scores[at] = np.einsum("jik,jk->ji", without(S), scores[at])
    return scores, moments


def _inverse(left: Array) -> Array:
    """``(I - S)^-1``; its trace is infinite, or nearly so, where S has an eigenvalue of one."""
    try:
        found = np.linalg.inv(left)
    except np.linalg.LinAlgError:
        raise ModelError(_NO_JACKKNIFE) from None
    trace = np.einsum("jii->j", found)
    if not ((trace >= 0) & (trace < 1 / SATURATED)).all():
        raise ModelError(_NO_JACKKNIFE)
    return found


_NO_JACKKNIFE = (
    "without one of the clusters some coefficients cannot be estimated: CR3 does not exist; use CR2"
)


@dataclass(eq=False)
class SquareMoments:
    """Moments that follow from the ``S = X_j'V_j^-1X_j`` of the clusters.

    Attributes
    ----------
    rows : WhiteRows
    chosen : Clusters
    turn : callable
        S (b, p, p) in the directions of some rows.
    label : str
        Before the bar that shows how far the work is.
    """

    rows: WhiteRows
    chosen: Clusters
    turn: Callable[[Array, Array], Turned]
    label: str
    _kept: list[tuple[int, Array]] | None = field(default=None, repr=False)

    def squares(self) -> Iterator[tuple[int, Array]]:
        """First cluster and S of some clusters: kept if there is room for all of them."""
        if self._kept is not None:
            yield from self._kept
            return
        p, J = len(self.rows.beta), self.chosen.size
        kept: list[tuple[int, Array]] | None = [] if 8.0 * J * p**2 <= KEPT else None
        found = ((len(S), (first, S)) for first, S in self.rows.squares(self.chosen))
        for piece in watched_pieces(found, J, self.label):
            if kept is not None:
                kept.append(piece)
            yield piece
        self._kept = kept

    def turned(self, rows: Array) -> Iterator[Turned]:
        """Some clusters in the directions of the rows, until each was there once."""
        for _, S in self.squares():
            for at in cut(len(S), rows.size):
                yield self.turn(S[at], rows)
