"""Cluster-robust (sandwich) covariance of beta, with degrees of freedom by Pustejovsky and Tipton (2018)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from interlace.errors import DataError, ModelError
from interlace.estimation.fit import Fit
from interlace.estimation.memory import available_bytes
from interlace.inference.clusters import Clusters, clusters
from interlace.inference.wald import Array, FTest, scores
from interlace.inference.words import word

SATURATED = (
    1e-10  # a cluster that alone determines a coefficient has an eigenvalue of X'V^-1X within this of one
)

MODEL = "model"
KINDS = ("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")


@dataclass(frozen=True, slots=True, eq=False)
class ClusterRobust:
    """Sandwich covariance of beta: right when the random effects and their covariances are not, as long as
    clusters are independent and there are enough of them.

    With the estimated V as the working covariance, ``M = (X'V^-1X)^-1`` and residuals ``r = y - X beta``,

        Var(beta) = M (sum over clusters of X_j'V_j^-1 A_j r_j r_j' A_j' V_j^-1 X_j) M .

    As clubSandwich has it for `lmer` fits; prior weights, which it refuses, are part of V here.

    Parameters
    ----------
    kind : {"CR2", "CR0", "CR1", "CR1p", "CR1S", "CR3"}
        For J clusters, n rows and p coefficients, ``A_j A_j'`` is 1 (CR0), ``J / (J - 1)`` (CR1),
        ``J / (J - p)`` (CR1p), ``J (n - 1) / ((J - 1) (n - p))`` (CR1S, Stata's). CR2 makes the covariance
        unbiased if V is right (Bell and McCaffrey 2002), CR3 is close to the jackknife.
    cluster : str or array-like, optional
        Column of the model or values per row; by default the grouping factor in which all others are nested.

    Notes
    -----
    Tests of one row have the t distribution with Satterthwaite's degrees of freedom; tests of several rows
    are approximate Hotelling T-squared tests (HTZ, clubSandwich's default). With `ddf="asymptotic"` they are
    normal and chi-square.

    Examples
    --------
    >>> import interlace
    >>> sleepstudy = interlace.datasets.load("sleepstudy")
    >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    >>> print(m.coef_table(vcov="CR2")[["estimate", "se", "df"]].round(3))
               estimate     se    df
    Intercept   251.405  6.825  17.0
    Days         10.467  1.546  17.0
    >>> print(m.anova(test="chisq", vcov=interlace.ClusterRobust("CR1", cluster="Subject")).round(3))
           chisq   df    p
    term
    Days  45.853  1.0  0.0
    """

    kind: str = "CR2"
    cluster: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", word("robust covariance", self.kind, KINDS))

    def __eq__(self, other: object) -> bool:
        """Same kind and same clusters, arrays by their values."""
        if not isinstance(other, ClusterRobust):
            return NotImplemented
        return self.kind == other.kind and np.array_equal(self.cluster, other.cluster)

    def __hash__(self) -> int:
        """By value; there is none of clusters in an array, as of the array."""
        return hash((self.kind, self.cluster))

    @property
    def name(self) -> str:
        """As printed."""
        return f"cluster-robust {self.kind}"

    @property
    def description(self) -> str:
        """In words."""
        return f"Satterthwaite's method with a cluster-robust covariance ({self.kind})"

    def robust(self, vcov: ClusterRobust) -> NoReturn:
        """Refused: it is robust already."""
        raise DataError(
            f"ddf ({self.kind}) and vcov ({vcov.kind}) are both robust covariances: leave ddf out"
        )

    def bind(self, fit: Fit) -> RobustDdf:
        """The covariance and its moments under the model."""
        chosen = clusters(fit, self.cluster)
        parts = _Parts.of(fit)
        score, Q, R = _SANDWICHES[self.kind](parts, chosen)
        root = parts.root @ score.T
        return RobustDdf(
            beta=fit.solution.beta,
            vcov=root @ root.T,
            root=parts.root,
            Q=Q,
            R=R,
            note=f"{self.kind} covariance from {chosen.size} clusters ({chosen.name})",
        )


def covariance(fit: Fit, kind: str = MODEL, *, cluster: Any = None) -> Array:
    """Covariance of beta, (p, p): that of the model, or a robust one.

    Raises
    ------
    DataError
        The kind is not known, or a cluster was given for the covariance of the model.
    """
    if word("vcov", kind, (MODEL, *KINDS)) == MODEL:
        if cluster is not None:
            raise DataError(f"the covariance of the model has no clusters; choose from {', '.join(KINDS)}")
        return fit.sigma**2 * fit.solution.unscaled_vcov
    return ClusterRobust(kind, cluster).bind(fit).vcov


VcovLike = str | ClusterRobust | type[ClusterRobust]


def robust_choice(vcov: VcovLike) -> ClusterRobust | None:
    """The robust covariance that is meant by a word, or itself; None for that of the model.

    Raises
    ------
    DataError
        The word is not known, or it is something else (such as a matrix, which has no degrees of freedom).
    """
    if isinstance(vcov, ClusterRobust):
        return vcov
    if vcov is ClusterRobust:
        return ClusterRobust()
    if not isinstance(vcov, str):
        raise DataError(
            f"vcov must be one of {MODEL}, {', '.join(KINDS)}, or ClusterRobust(kind, cluster=...), not an "
            f"object of type {type(vcov).__name__}"
        )
    kind = word("vcov", vcov, (MODEL, *KINDS))
    return None if kind == MODEL else ClusterRobust(kind)


@dataclass(frozen=True, slots=True)
class RobustDdf:
    """A cluster-robust covariance bound to a fit.

    In coordinates where ``M = K K' = I``, the estimate of ``c'beta``'s variance is a quadratic form in normal
    variables with the matrix ``P = diag(c'Q_j c) - (c'R_j R_k'c)_jk`` over the clusters.

    Attributes
    ----------
    beta, vcov : ndarray
    root : ndarray, (p, p)
        K.
    Q, R : ndarray, (J, p, p)
        ``E_j V_j E_j'`` and ``E_j X_j`` for ``E_j = X_j'V_j^-1 A_j``.
    note : str
    """

    beta: Array
    vcov: Array
    root: Array
    Q: Array
    R: Array
    note: str

    def df(self, L: Array) -> Array:
        """Satterthwaite's degrees of freedom ``(tr P)^2 / tr(P^2)`` of each row, (m,)."""
        return np.array([self._df(c) for c in np.asarray(L, dtype=np.float64) @ self.root])

    def _df(self, c: Array) -> float:
        d, h = np.einsum("i,jik,k->j", c, self.Q, c), np.einsum("i,jik->jk", c, self.R)
        squares = np.square(h).sum(axis=1)
        trace = d.sum() - squares.sum()
        trace_squared = np.square(d).sum() - 2 * (d @ squares) + np.square(h.T @ h).sum()
        return float(trace**2 / trace_squared) if trace_squared > 0 else np.nan

    def f_test(self, L: Array, rhs: Array | float = 0.0) -> FTest:
        """Approximate Hotelling T-squared test (HTZ) of all rows at once.

        ``F = (nu - q + 1) / (nu q) Q`` with q and ``nu - q + 1`` degrees of freedom, where nu matches the
        total variance of the entries of the covariance; NaN where ``nu <= q - 1``: too few clusters.
        """
        rows, t2 = scores(L, self.vcov, L @ self.beta - rhs)
        q = len(rows)
        if not q:
            return FTest(np.nan, 0.0, np.nan)
        nu = self._hotelling_df(rows @ self.root)
        if not nu - q + 1 > 0:
            return FTest(np.nan, float(q), np.nan)
        return FTest(float((nu - q + 1) / (nu * q) * t2.sum()), float(q), float(nu - q + 1))

    def _hotelling_df(self, C: Array) -> float:
        """``q (q + 1) / sum over s, t of tr(P_st P_ts) + tr(P_ss P_tt)``, after C is scaled so that the
        covariance has the expectation I."""
        q = len(C)
        h = np.einsum("si,jik->jsk", C, self.R)
        expected = np.einsum("si,jik,tk->st", C, self.Q, C) - np.einsum("jsk,jtk->st", h, h)
        C = _inverse_root(expected) @ C
        d = np.einsum("si,jik,tk->jst", C, self.Q, C)
        h = np.einsum("si,jik->jsk", C, self.R)
        own = np.einsum("jsk,jtk->jst", h, h)
        K = np.einsum("jsa,jtb->stab", h, h)
        total = np.square(d).sum() - 2 * np.einsum("jst,jst->", d, own) + np.einsum("stab,stba->", K, K)
        d_trace, own_trace = np.einsum("jss->j", d), np.einsum("jss->j", own)
        total += np.square(d_trace).sum() - 2 * (d_trace @ own_trace) + np.square(K).sum()
        return float(q * (q + 1) / total) if total > 0 else np.nan


@dataclass(frozen=True, slots=True)
class _Parts:
    """Rows of the model with sigma = 1, X in coordinates where ``X'V^-1X = I``."""

    fit: Fit
    root: Array  # K, (p, p)
    X: Array  # (n, p)
    r: Array  # (n,), y - X beta
    VX: Array  # V^-1 X, (n, p)
    Vr: Array  # V^-1 r, (n,)

    @classmethod
    def of(cls, fit: Fit) -> _Parts:
        design, system = fit.design, fit.criterion.system
        origin = system.A.origin
        with system.threads():
            cholesky = system.factorize(fit.solution.factors)
            U = cholesky.solve_xy()
        # 1) [X K, r] in terms of [X y] about the origin
        white = np.linalg.inv(np.triu(cholesky.rx[:-1, :-1]))
        p = len(white)
        C = np.zeros((p + 1, p + 1))
        C[:p, :p], C[:p, p], C[p, p] = white, -cholesky.beta, 1.0
        rows = fit.rows()
        columns = np.column_stack([rows["x"] - origin.x, rows["y"] - origin.y]) @ C
        # 2) V^-1 of these: W times what the best predictions of the random effects leave
        left = columns.copy()
        for place, random, T in zip(system.A.layout.places, design.random, fit.solution.factors, strict=True):
            b = T @ np.asarray(U[place.factor])[:, place.columns] @ C
            for k in range(len(T)):
                left -= random.z[:, k, None] * b[random.codes, k]
        if design.weights is not None:
            left *= design.weights[:, None]
        root = white.copy()
        if fit.encoding.intercept is not None:
            root[fit.encoding.intercept] -= origin.x @ white
        return cls(fit, root, columns[:, :p], columns[:, p], left[:, :p], left[:, p])


_Moments = tuple[Array, Array, Array]  # scores (J, p), Q (J, p, p), R (J, p, p)


def _plain(parts: _Parts, chosen: Clusters) -> _Moments:
    """CR0: A_j = 1, so that ``Q_j = R_j = X_j'V_j^-1X_j``."""
    rows = chosen.rows()
    score = np.array([parts.X[j].T @ parts.Vr[j] for j in rows])
    S = np.array([parts.X[j].T @ parts.VX[j] for j in rows])
    return score, S, S


def _scaled(share: Callable[[int, int, int], float]) -> Callable[[_Parts, Clusters], _Moments]:
    """CR1 and its relatives: one number for all clusters."""

    def sandwich(parts: _Parts, chosen: Clusters) -> _Moments:
        score, S, _ = _plain(parts, chosen)
        factor = share(chosen.size, *parts.X.shape)
        if not 0 < factor < np.inf:
            raise ModelError(
                f"{chosen.size} clusters are too few for {parts.X.shape[1]} coefficients; use CR1 or CR2"
            )
        return np.sqrt(factor) * score, factor * S, np.sqrt(factor) * S

    return sandwich


def _jackknife(parts: _Parts, chosen: Clusters) -> _Moments:
    """CR3: ``A_j = (I - X_j M X_j'V_j^-1)^-1``; all that is needed of it are p x p matrices."""
    score, S, _ = _plain(parts, chosen)
    if np.linalg.eigvalsh(S).max() > 1 - SATURATED:
        raise ModelError(
            "without one of the clusters some coefficients cannot be estimated: CR3 does not exist; use CR2"
        )
    B = np.linalg.inv(np.eye(S.shape[1]) - S)
    return np.einsum("jik,jk->ji", B, score), B @ S @ np.swapaxes(B, 1, 2), B @ S


def _unbiased(parts: _Parts, chosen: Clusters) -> _Moments:
    """CR2: ``A = D'(D (V - X M X') D')^(-1/2) D`` for any root ``V = D'D``, cluster by cluster."""
    moments = [_unbiased_cluster(*_dense(parts, rows)) for rows in chosen.rows()]
    score, Q, R = zip(*moments, strict=True)
    return np.array(score), np.array(Q), np.array(R)


def _unbiased_cluster(X: Array, r: Array, VX: Array, V: Array) -> _Moments:
    D = np.linalg.cholesky(V)
    S = X.T @ VX
    lost = int((np.linalg.eigvalsh(S) > 1 - SATURATED).sum())  # directions whose residuals are always zero
    E = D @ (_inverse_root(D.T @ (V - X @ X.T) @ D, lost) @ (D.T @ VX))  # (V^-1X)'A, transposed
    Q, R = E.T @ V @ E, E.T @ X
    if not lost and not np.allclose(Q - R @ R.T, S, rtol=0.0, atol=1e-6):
        raise ModelError(
            "the residual variance is so small beside those of the random effects that CR2 has no correct "
            "digits here; use CR1 or CR3"
        )
    return E.T @ r, Q, R


def _dense(parts: _Parts, rows: Array) -> tuple[Array, Array, Array, Array]:
    """X, r, V^-1 X and V of a cluster, in fewer coordinates if that loses nothing.

    Without weights V is I outside the span of ``[X Z]``, where X and A have nothing to do.
    """
    design, factors = parts.fit.design, parts.fit.solution.factors
    X, r, VX = parts.X[rows], parts.r[rows], parts.VX[rows]
    sizes = [
        len(np.unique(block.codes[rows])) * len(T) for block, T in zip(design.random, factors, strict=True)
    ]
    q, n = sum(sizes), len(rows)
    _check_memory(n, q)
    Z = np.hstack(
        [
            _effects(block.codes[rows], block.z[rows] @ T)
            for block, T in zip(design.random, factors, strict=True)
        ]
    )
    if design.weights is not None:
        return X, r, VX, Z @ Z.T + np.diag(1 / design.weights[rows])
    if n > q + X.shape[1]:
        B = np.linalg.qr(np.hstack([Z, X]))[0].T
        X, r, VX, Z = B @ X, B @ r, B @ VX, B @ Z
    return X, r, VX, Z @ Z.T + np.eye(len(Z))


def _effects(codes: Array, z: Array) -> Array:
    """Rows of one covariance block as a dense matrix, the columns of a level side by side."""
    level, code = np.unique(codes, return_inverse=True)
    out = np.zeros((len(z), len(level), z.shape[1]))
    out[np.arange(len(z)), code] = z
    return out.reshape(len(z), -1)


def _check_memory(n: int, q: int) -> None:
    needed = 8.0 * (5.0 * n * min(n, 2 * q) + n * q)
    if needed > 2.0**28 and needed > available_bytes():
        raise ModelError(
            f"CR2 needs a dense matrix of the largest cluster: {n} rows and {q} random effects, about "
            f"{needed / 2**30:.1f} GiB; use CR1 or CR3, which do not"
        )


def _inverse_root(G: Array, lost: int = 0) -> Array:
    """``G^(-1/2)`` of a symmetric matrix; zero in the directions of the `lost` smallest eigenvalues."""
    values, vectors = np.linalg.eigh(G)
    tiny = np.finfo(np.float64).tiny
    scaled = vectors[:, lost:] / np.sqrt(np.maximum(values[lost:], tiny))
    return scaled @ vectors[:, lost:].T


_SANDWICHES: dict[str, Callable[[_Parts, Clusters], _Moments]] = {
    "CR0": _plain,
    "CR1": _scaled(lambda J, n, p: J / (J - 1)),
    "CR1p": _scaled(lambda J, n, p: J / (J - p) if p < J else np.inf),
    "CR1S": _scaled(lambda J, n, p: J * (n - 1) / ((J - 1) * (n - p))),
    "CR2": _unbiased,
    "CR3": _jackknife,
}
