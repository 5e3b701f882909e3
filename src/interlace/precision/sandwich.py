"""A sandwich covariance of beta bound to a fit: its tests, and where it says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from interlace.arrays import Array
from interlace.frozen import dataclass
from interlace.precision.cluster_rows import CHUNK
from interlace.precision.wald import RANK_TOLERANCE, FTest, Worded, scaled_rows, whitened

LARGEST = 8  # clusters whose products with the others are added up one by one
NO_TEST = (
    "no test, for the residuals say nothing about some direction of it: there are too few clusters, or one "
    "of them determines it"
)


class Bound(Protocol):
    """A robust covariance bound to a fit, of whatever clusters."""

    @property
    def beta(self) -> Array: ...

    @property
    def root(self) -> Array: ...

    def wald(self, tested: Hypothesis) -> float: ...


def normal_test(bound: Bound, L: Array, rhs: Array | float) -> FTest:
    """The chi-square test of all rows at once, over its degrees of freedom."""
    tested = Hypothesis.of(L, bound.root, L @ bound.beta - rhs)
    q, t2 = len(tested.rows), bound.wald(tested)
    if not q or np.isnan(t2):
        return FTest(np.nan, float(q), np.nan, NO_TEST if q else "")
    return FTest(t2 / q, float(q), np.inf)


class Turned(Protocol):
    """Some clusters in the directions of some rows C (m, p).

    In coordinates where beta is white, the estimate of the variance of ``c'beta`` is a quadratic form in
    normal variables with the matrix ``P = diag(c'D_j c) - (c'R_j R_k'c)_jk, j != k`` over the clusters.
    """

    @property
    def h(self) -> Array:
        """``R_j'c_s``, (m, b, p)."""
        ...

    def own(self, C: Array, at: slice) -> Array:
        """``c_s'D_j c_t`` of the rows `at`, which are C (q, p): (b, q, q)."""
        ...


class Moments(Protocol):
    """What the sampling distribution of a sandwich under the model follows from."""

    def turned(self, rows: Array) -> Iterator[Turned]:
        """Some clusters in the directions of the rows (m, p), until each cluster was there once."""
        ...


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Independent directions of ``L beta = rhs`` where beta is white.

    Attributes
    ----------
    rows : ndarray, (q, p)
        Orthonormal.
    distance : ndarray, (q,)
        How far the estimate is from the hypothesis.
    """

    rows: Array
    distance: Array

    @classmethod
    def of(cls, L: Array, root: Array, distance: Array) -> Hypothesis:
        """Rows of L that depend on others do not count."""
        rows, size = scaled_rows(np.asarray(L, dtype=np.float64))
        C = rows @ root
        length = np.linalg.norm(C, axis=1)
        unit = 1 / np.where(length > 0, length, 1.0)
        U, s, Vt = np.linalg.svd(C * unit[:, None], full_matrices=False)
        keep = s**2 > RANK_TOLERANCE * np.max(s, initial=0.0) ** 2
        return cls(Vt[keep], U[:, keep].T @ (unit * (distance / size)) / s[keep])


@dataclass(frozen=True, slots=True, repr=False)
class Robust(Worded):
    """What robust covariances ``K W K'`` of beta have in common, whatever the clusters that W is from.

    Attributes
    ----------
    kind : str
    beta, vcov : ndarray
    root : ndarray, (p, p)
        K.
    floor : float
        Standard errors of ``c'beta`` up to this times ``|K'c|`` are rounding error.
    note : str
    """

    kind: str
    beta: Array
    vcov: Array
    root: Array
    floor: float
    note: str

    @property
    def name(self) -> str:
        """As printed."""
        return f"cluster-robust {self.kind}"

    @property
    def covariance(self) -> str:
        """In words."""
        return self.note.partition("; ")[0]

    def se(self, L: Array) -> Array:
        """Standard errors of the rows; NaN where they are rounding error."""
        rows, unit = scaled_rows(np.asarray(L, dtype=np.float64))
        C, more = scaled_rows(rows @ self.root)
        size, found = np.linalg.norm(C, axis=1), self.deviations(C)
        return np.where((found > self.floor * size) | (size == 0), unit * more * found, np.nan)

    def deviations(self, C: Array) -> Array:
        """Standard deviations of rows (m, p) where beta is white; zero for a variance below zero."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, repr=False)
class Sandwich(Robust):
    """A covariance ``K H'H K'`` of beta from the residuals of clusters.

    Attributes
    ----------
    half : ndarray, (p, p)
        H.
    moments : Moments
    """

    half: Array
    moments: Moments

    @property
    def description(self) -> str:
        """In words."""
        return f"Satterthwaite's method with a cluster-robust covariance ({self.kind})"

    def deviations(self, C: Array) -> Array:
        """The lengths of ``H c``."""
        return np.asarray(np.linalg.norm(C @ self.half.T, axis=1))

    def df(self, L: Array) -> Array:
        """Satterthwaite's degrees of freedom ``(tr P)^2 / tr(P^2)`` of each row, (m,)."""
        rows = np.asarray(L, dtype=np.float64)
        found = np.full(len(rows), np.nan)
        known = np.flatnonzero(self.se(rows) > 0)
        C = whitened(rows[known], self.root)
        found[known] = degrees_of_freedom(self.moments, [c[None] for c in C])
        return found

    def f_test(self, L: Array, rhs: Array | float = 0.0) -> FTest:
        """Approximate Hotelling T-squared test (HTZ) of all rows at once.

        ``F = (nu - q + 1) / (nu q) T^2`` with q and ``nu - q + 1`` degrees of freedom, where nu matches the
        total variance of the entries of the covariance; NaN where ``nu <= q - 1``: too few clusters.
        """
        tested = Hypothesis.of(L, self.root, L @ self.beta - rhs)
        q, t2 = len(tested.rows), self.wald(tested)
        if not q or np.isnan(t2):
            return FTest(np.nan, float(q), np.nan, NO_TEST if q else "")
        nu = float(degrees_of_freedom(self.moments, [tested.rows])[0])
        if not nu - q + 1 > 0:
            return FTest(np.nan, float(q), np.nan)
        return FTest(float((nu - q + 1) / (nu * q) * t2), float(q), float(nu - q + 1))

    def wald(self, tested: Hypothesis) -> float:
        """``d'(A H'H A')^-1 d``; NaN where a direction of it has a standard error that is rounding error."""
        _, s, Qt = np.linalg.svd(self.half @ tested.rows.T, full_matrices=False)
        if s.min(initial=np.inf) <= self.floor:
            return np.nan
        return float(np.square(Qt @ tested.distance / s).sum())


def degrees_of_freedom(moments: Moments, hypotheses: Sequence[Array]) -> Array:
    """``q (q + 1) / (sum over s, t of tr(P_st P_st) + tr(P_ss P_tt))`` of each matrix C (q, p).

    P_st is that of the covariance of rows s and t, after C is scaled so that the covariance has the
    expectation I. For a single row it is Satterthwaite's ``(tr P)^2 / tr(P^2)``.
    """
    several = [C for C in hypotheses if len(C) > 1]
    means = iter(_means(moments, several))
    scaled = [_inverse_root(next(means)) @ C if len(C) > 1 else C for C in hypotheses]
    found = _totals(moments, scaled)
    return np.array([total.degrees_of_freedom() for total in found])


def _means(moments: Moments, hypotheses: Sequence[Array]) -> list[Array]:
    """``sum over j of C D_j C'`` of each."""
    found: list[Array] = [np.zeros((len(C), len(C))) for C in hypotheses]
    for piece, places in _over(moments, hypotheses):
        for mean, C, at in zip(found, hypotheses, places, strict=True):
            mean += piece.own(C, at).sum(axis=0)
    return found


def _totals(moments: Moments, hypotheses: Sequence[Array]) -> list[_Total]:
    found = [_Total(C) for C in hypotheses]
    for piece, places in _over(moments, hypotheses):
        for total, at in zip(found, places, strict=True):
            total.add(piece.own(total.C, at), piece.h[at])
    return found


def _over(moments: Moments, hypotheses: Sequence[Array]) -> Iterator[tuple[Turned, list[slice]]]:
    """All clusters in the directions of all hypotheses, and where the rows of each are."""
    if not hypotheses:
        return
    ends = np.cumsum([len(C) for C in hypotheses])
    places = [slice(end - len(C), end) for C, end in zip(hypotheses, ends, strict=True)]
    for piece in moments.turned(np.vstack(hypotheses)):
        yield piece, places


class _Total:
    """The total variance, added up over clusters.

    With ``h_js = R_j'c_s`` the entries of P_st off its diagonal are ``-h_js'h_kt``. Their products are sums
    over pairs of clusters: of one large cluster with all, less that with itself, nothing would be left but
    rounding error, so that the largest are kept apart and paired one by one.
    """

    def __init__(self, C: Array) -> None:
        self.C, (self.q, self.p) = C, C.shape
        self._mean = 0.0
        self._diagonal = 0.0
        self._large: Array = np.zeros((self.q, 0, self.p))
        self._rest = np.zeros((self.q * self.p, self.q * self.p))  # sum of vec(h) vec(h)'
        self._rest_own = 0.0

    def add(self, own: Array, h: Array) -> None:
        """``C D_j C'`` (b, q, q) and ``R_j'C'`` (q, b, p) of some clusters."""
        trace = np.einsum("bss->b", own)
        self._mean += float(trace.sum()) / self.q
        self._diagonal += float(np.square(own).sum() + np.square(trace).sum())
        h = np.concatenate([self._large, h], axis=1)
        size = np.einsum("sbp,sbp->b", h, h)
        largest = np.argpartition(size, -LARGEST)[-LARGEST:] if len(size) > LARGEST else slice(None)
        self._large = h[:, largest].copy()
        h[:, largest] = 0.0
        flat = h[0] if self.q == 1 else np.swapaxes(h, 0, 1).reshape(h.shape[1], self.q * self.p)
        self._rest += flat.T @ flat
        self._rest_own += float(_pair(h, h).sum())

    def degrees_of_freedom(self) -> float:
        """``q (q + 1)`` over the total variance, where the covariance has the expectation I."""
        K = self._rest.reshape(self.q, self.p, self.q, self.p)
        among = float(np.einsum("satb,sbta->", K, K) + np.square(K).sum()) - self._rest_own
        h = self._large
        between = np.einsum("satb,sjb,tja->", K, h, h, optimize=True)
        between += np.einsum("satb,sja,tjb->", K, h, h, optimize=True)
        pairs = sum(float(_pair(h[:, [j]], h[:, :j]).sum()) for j in range(1, h.shape[1]))
        total = self._diagonal + among + 2 * float(between) + 2 * pairs
        return self.q * (self.q + 1) * self._mean**2 / total if total > 0 else np.nan


def _pair(h: Array, g: Array) -> Array:
    """``sum over s, t of (h_s'g_t)(h_t'g_s) + (h_s'g_s)(h_t'g_t)`` of pairs of clusters, (q, b, p) each."""
    if len(h) == 1:
        return np.asarray(2 * np.square(np.einsum("bp,bp->b", *np.broadcast_arrays(h[0], g[0]))))
    B = np.einsum("sbp,tbp->bst", *np.broadcast_arrays(h, g), optimize=True)
    return np.asarray(np.einsum("bst,bts->b", B, B) + np.square(np.einsum("bss->b", B)))


def times(matrices: Array, rows: Array) -> Array:
    """``A_j'c_s`` of matrices (b, p, p) and rows (m, p), as one product: (m, b, p)."""
    b, p, _ = matrices.shape
    return (rows @ np.swapaxes(matrices, 0, 1).reshape(p, b * p)).reshape(len(rows), b, p)


@dataclass(frozen=True, slots=True)
class Dense:
    """Clusters with any D and R."""

    h: Array
    DC: Array

    @classmethod
    def of(cls, D: Array, R: Array, rows: Array) -> Dense:
        """D symmetric and R, (b, p, p), in the directions of the rows."""
        return cls(times(R, rows), times(D, rows))

    def own(self, C: Array, at: slice) -> Array:
        """``c_s'D_j c_t``, (b, q, q)."""
        return np.asarray(np.einsum("sp,tbp->bst", C, self.DC[at], optimize=True))


def cut(n: int, size: int) -> Iterator[slice]:
    """Pieces of n things of `size` numbers each."""
    step = max(1, CHUNK // max(1, size))
    for first in range(0, n, step):
        yield slice(first, first + step)


def _inverse_root(G: Array) -> Array:
    """``G^(-1/2)`` of a symmetric matrix."""
    values, vectors = np.linalg.eigh(G)
    return np.asarray((vectors / np.sqrt(np.maximum(values, np.finfo(np.float64).tiny))) @ vectors.T)
