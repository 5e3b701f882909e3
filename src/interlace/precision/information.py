"""Traces and quadratic forms of the derivatives of the marginal covariance, without a matrix over the rows.

With sigma = 1, ``V = I + sum_j gamma_j V_j`` and ``V_j = Z D_j Z'`` everything follows from
``S = Z'V^-1Z``, which is dense only within the connected pieces of Z'Z, and from ``Z'V^-1X``. What has the
identity in place of V_j follows from the rest, as ``I = V - sum_j gamma_j V_j``.
"""

from __future__ import annotations

import numpy as np

from interlace.arrays import Array
from interlace.errors import ModelError
from interlace.estimation.capacity import SHARE, available_bytes
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.precision.by_factor import Explained, Whole, operations
from interlace.precision.components import Gram, Pieces, chunks, pieces
from interlace.precision.elimination import marginal_gram
from interlace.precision.marginal import Marginal
from interlace.precision.paired import (
    AnyPart,
    Kept,
    Multiplied,
    Part,
    Products,
    WithResidual,
    between,
    products,
    trace_of_products,
)

NOISE = 1e-12  # share of the square of a derivative of V that is rounding error in the sums
LOST = 1e-6  # below this share of the square of a derivative the sums have lost most of their digits
COPIES = 4  # dense matrices of the size of the largest piece that are alive at once


@dataclass(frozen=True, slots=True)
class Moments:
    """Per covariance parameter: variances and covariances of the terms in the order of theta, in coordinates
    where the columns of a term are orthonormal; then sigma^2.

    X is white (``X'V^-1X = I``), ``R = V^-1 - V^-1 X X'V^-1``, and y is in units of sigma.

    Attributes
    ----------
    root : ndarray, (p, p)
        K with ``Var(beta) = sigma^2 K K'``: X stands for X K.
    P : ndarray, (m, p, p)
        ``-X'V^-1 V_j V^-1X``.
    Q : Products, (m, m) of (p, p)
        ``X'V^-1 V_j R V_k V^-1X``.
    expected : ndarray, (m, m)
        ``tr(R V_j R V_k)``, twice the expected information of the REML criterion.
    quadratic : ndarray, (m, m)
        ``y'R V_j R V_k R y``.
    size : ndarray, (m,)
        ``tr(V^-1 V_j V^-1 V_j)``: what `expected` would be without fixed effects.
    noise : float
        The share of `size` that is rounding error in `expected`.
    """

    root: Array
    P: Array
    Q: Products
    expected: Array
    quadratic: Array
    size: Array
    noise: float

    @property
    def lost_digits(self) -> bool:
        """Is so little left of `size` in `expected`, or more than all, that a sum over pieces does not know
        it well?"""
        left = np.diagonal(self.expected)
        return bool(np.any((left < LOST * self.size) | (self.size < (1 - LOST) * left) | (self.size < 0)))


@dataclass(frozen=True, slots=True)
class Parameter:
    """A variance or covariance of a term: ``D`` within a level of grouping factor `group` of the kernel."""

    group: int
    D: Array
    gamma: float


@dataclass(slots=True)
class Sums:
    """Sums over the pieces, per parameter; in Q these are in the order of the kernel."""

    P: Array
    Q: Multiplied | Kept
    trace: Array  # tr(V^-1 V_j)
    traces: Array  # tr(V^-1 V_j V^-1 V_k)
    linear: Array  # y'R V_j R y
    quadratic: Array  # y'R V_j V^-1 V_k R y
    mixed: Array  # X'V^-1 V_j R y


def moments(fit: Fit, marginal: Marginal) -> Moments:
    """All of them at the fitted theta.

    Raises
    ------
    ModelError
        The largest connected piece of Z'Z, made dense, would not fit in memory.
    """
    found = parameters(fit)
    batches = pieces(fit.A)
    dense = sum(len(batch) * float(batch.size(fit.layout.k)) ** 3 for batch in batches)
    sums = by_factor(fit, marginal, found) if operations(fit) < dense else None
    return _finished(fit, marginal.root, sums or _by_pieces(fit, marginal, found, batches), found)


def by_factor(fit: Fit, marginal: Marginal, found: list[Parameter]) -> Sums | None:
    """From the factor of the fit; None where its digits do not suffice."""
    explained = Explained.of(fit, orthonormal_factors(fit))
    if explained is None:
        return None
    effects = [levels * k for levels, k in zip(fit.layout.levels, fit.layout.k, strict=True)]
    own = _own(fit, found)
    p = len(marginal.root)
    sums = _empty(fit, p, found, sum(p * n * len(at) for n, at in zip(effects, own, strict=True)))
    D = _derivatives(fit, found, own)
    for f in range(len(own)):
        sums.trace[own[f]] += np.tensordot(D[f], explained.traces[f])
        for g in range(f, len(own)):
            _add_traces(sums, own, D, f, g, explained.squares[f, g])
    E = [one[None] for one in _columns(fit, marginal)]
    DE = _times_columns(D, E)
    _add_columns(sums, own, E, DE, Whole(fit, bases(fit), [one[..., :-1] for one in DE]))
    return sums


def _by_pieces(fit: Fit, marginal: Marginal, found: list[Parameter], batches: list[Pieces]) -> Sums:
    k, m, p = fit.layout.k, len(found), len(marginal.root)
    of_group = [len(at) for at in _own(fit, found)]
    kept = sum(len(batch) * batch.size(k) * (batch.size(k) + p * max(of_group)) for batch in batches)
    _check_memory(fit, max(batch.size(k) for batch in batches), min(kept, float(m * p) ** 2))
    sums = _empty(fit, p, found, kept)
    gram, columns = Gram(fit.A, bases(fit)), _columns(fit, marginal)
    for batch in batches:
        size = batch.size(k)
        for part in chunks(batch, size * (size + 2 * m * (p + 1))):
            with fit.criterion.system.blas_threads(4.0 * len(part) * size**3):
                _add(sums, fit, columns, found, part, gram.of(part))
    return sums


def _empty(fit: Fit, p: int, found: list[Parameter], kept: float) -> Sums:
    """`kept` numbers are in the parts of the products."""
    m = len(found)
    return Sums(
        P=np.zeros((m, p, p)),
        Q=products([len(at) for at in _own(fit, found)], p, kept),
        trace=np.zeros(m),
        traces=np.zeros((m, m)),
        linear=np.zeros(m),
        quadratic=np.zeros((m, m)),
        mixed=np.zeros((m, p)),
    )


def _own(fit: Fit, found: list[Parameter]) -> list[list[int]]:
    """Which parameters each grouping factor of the kernel has."""
    return [[j for j, one in enumerate(found) if one.group == f] for f in range(len(fit.layout.k))]


def bases(fit: Fit) -> list[Array]:
    """Per grouping factor of the kernel B such that the columns of Z B are orthonormal on average over the
    levels: there the rank of the information is seen whatever the origin and units of the data."""
    layout = fit.layout
    out: list[Array] = [
        np.identity(k) if k and not blocks else np.zeros((k, k))
        for k, blocks in zip(layout.k, layout.blocks, strict=True)
    ]
    for place, B in zip(layout.places, fit.criterion.parameters.natural, strict=True):
        out[place.group][place.columns, place.columns] = B
    return out


def orthonormal_factors(fit: Fit) -> list[Array]:
    """The relative covariance factors per grouping factor of the kernel, in the coordinates of `bases`."""
    factors = fit.criterion.system.internal_factors(fit.solution.factors)
    return [np.linalg.solve(B, F) for B, F in zip(bases(fit), factors, strict=True)]


def parameters(fit: Fit) -> list[Parameter]:
    """Variances and covariances in the coordinates of `bases`."""
    layout, out = fit.layout, []
    for i, E, gamma in fit.criterion.parameters.directions(fit.solution.factors):
        place = layout.places[i]
        D = np.zeros((layout.k[place.group],) * 2)
        D[place.columns, place.columns] = E
        out.append(Parameter(place.group, D, gamma))
    return out


def _columns(fit: Fit, marginal: Marginal) -> list[Array]:
    """``Z'V^-1[X, y - X beta]`` in the coordinates of `bases`, (levels, k, p + 1) per grouping factor."""
    return [
        B.T @ np.concatenate([x, r[..., None] / fit.sigma], axis=-1)
        for B, x, r in zip(bases(fit), marginal.zvx, marginal.zvr, strict=True)
    ]


def _add(
    sums: Sums,
    fit: Fit,
    columns: list[Array],
    parameters: list[Parameter],
    part: Pieces,
    ZZ: Array,
) -> None:
    """The sums over some pieces; b is the piece, a and c levels in it, r, s, t, u effects of a level."""
    k = fit.layout.k
    at = part.slices(k)
    S = marginal_gram(ZZ, at, [F @ F.T for F in orthonormal_factors(fit)])
    own = _own(fit, parameters)
    D = _derivatives(fit, parameters, own)
    for f in range(len(k)):
        # 1) the trace of each, from the diagonal
        sums.trace[own[f]] += np.tensordot(D[f], _diagonal_sum(S[:, at[f], at[f]], k[f]))
        # 2) traces of pairs, from sums over pairs of levels
        for g in range(f, len(k)):
            _add_traces(sums, own, D, f, g, _pair_sums(S[:, at[f], at[g]], k[f], k[g]))
    # 3) Z'V^-1[X, y - X beta], with D_j of it
    E = [one[levels] for one, levels in zip(columns, part.levels, strict=True)]
    DE = _times_columns(D, E)
    X = [np.ascontiguousarray(one[..., :-1]) for one in DE]
    _add_columns(sums, own, E, DE, Part(S, at, X))


def _derivatives(fit: Fit, found: list[Parameter], own: list[list[int]]) -> list[Array]:
    """Per grouping factor of the kernel the D of its parameters, (parameters, k, k)."""
    return [np.reshape([found[j].D for j in at], (-1, k, k)) for at, k in zip(own, fit.layout.k, strict=True)]


def _times_columns(D: list[Array], E: list[Array]) -> list[Array]:
    """``D_j E`` of each grouping factor, (pieces, effects, parameters, p + 1)."""
    DE = [np.einsum("jrs,blsp->blrjp", d, e, optimize=True) for d, e in zip(D, E, strict=True)]
    return [one.reshape(len(one), one.shape[1] * one.shape[2], *one.shape[3:]) for one in DE]


def _add_traces(sums: Sums, own: list[list[int]], D: list[Array], f: int, g: int, pair_sums: Array) -> None:
    """From the sums over pairs of levels of f and g, as `_pair_sums` has them."""
    right = np.tensordot(pair_sums.transpose(2, 0, 1, 3), D[g], ([2, 3], [1, 2]))
    _add_both_ways(sums.traces, own[f], own[g], np.tensordot(D[f], right))


def _add_columns(sums: Sums, own: list[list[int]], E: list[Array], DE: list[Array], part: AnyPart) -> None:
    """E is ``Z'V^-1[X, y - X beta]``, (pieces, levels, k, p + 1)."""
    # 4) quadratic forms in the columns of X
    sums.Q.add(part)
    for f, e in enumerate(E):
        b, levels, k, columns = e.shape
        direct = np.tensordot(e.reshape(b, levels * k, columns), DE[f], ([0, 1], [0, 1])).transpose(1, 0, 2)
        sums.P[own[f]] -= direct[:, :-1, :-1]
        sums.mixed[own[f]] += direct[:, :-1, -1]
        sums.linear[own[f]] += direct[:, -1, -1]
    # 5) and in the residuals
    for g, f in between(part):
        both = np.tensordot(DE[g][..., -1], part.times(g, f, DE[f][..., -1]), ([0, 1], [0, 1]))
        _add_both_ways(sums.quadratic, own[g], own[f], both)


def _add_both_ways(total: Array, rows: list[int], cols: list[int], values: Array) -> None:
    """Add to a block of a symmetric matrix and to its mirror image."""
    total[np.ix_(rows, cols)] += values
    if rows != cols:
        total[np.ix_(cols, rows)] += values.T


def _pair_sums(S: Array, k: int, kk: int) -> Array:
    """``sum over b, a, c of S[b, a r, c t] S[b, a s, c u]``, indexed by r, t, s, u."""
    b, rows, cols = S.shape
    entries = S.reshape(b, rows // k, k, cols // kk, kk).transpose(2, 4, 0, 1, 3).reshape(k * kk, -1)
    return (entries @ entries.T).reshape(k, kk, k, kk)


def _diagonal_sum(S: Array, k: int) -> Array:
    """Sum of the diagonal blocks (k, k)."""
    b, size, _ = S.shape
    return np.asarray(np.einsum("baras->rs", S.reshape(b, size // k, k, size // k, k)))


def _finished(fit: Fit, root: Array, sums: Sums, found: list[Parameter]) -> Moments:
    """sigma^2 added as the last parameter, and V^-1 made R."""
    m, p = sums.P.shape[:2]
    n, solution = fit.A.n, fit.solution
    gamma = np.array([parameter.gamma for parameter in found])
    P = np.empty((m + 1, p, p))
    traces, quadratic = np.empty((m + 1, m + 1)), np.empty((m + 1, m + 1))
    # 1) of P and tr(V^-1 V_j V^-1 V_k)
    P[:m], traces[:m, :m] = sums.P, sums.traces
    P[m] = -np.eye(p) - np.tensordot(gamma, sums.P, 1)
    traces[m, :m] = traces[:m, m] = sums.trace - gamma @ sums.traces
    traces[m, m] = n - gamma @ sums.trace - gamma @ traces[m, :m]
    # 2) of y'R V_j R V_k R y, where R V R = R
    quadratic[:m, :m] = sums.quadratic - sums.mixed @ sums.mixed.T
    quadratic[m, :m] = quadratic[:m, m] = sums.linear - gamma @ quadratic[:m, :m]
    quadratic[m, m] = solution.wrss / fit.sigma / fit.sigma - gamma @ quadratic[m, :m]
    # 3) of X'V^-1 V_j R V_k V^-1X
    order = np.argsort(np.argsort([parameter.group for parameter in found], kind="stable"), kind="stable")
    Q = WithResidual(sums.Q, order, P, gamma)
    expected = traces - 2 * Q.whole_trace + trace_of_products(P)
    return Moments(root, P, Q, expected, quadratic, np.diagonal(traces).copy(), NOISE)


def _check_memory(fit: Fit, size: int, products: float) -> None:
    """Of the largest piece, and of products of derivatives."""
    need = 8.0 * (COPIES * float(size) ** 2 + products)
    if need < 2.0**28:
        return
    limit = SHARE * available_bytes()
    if need > limit:
        groups = ", ".join(dict.fromkeys(block.group for block in fit.encoding.random))
        raise ModelError(
            f"Kenward-Roger needs dense matrices over the {size:,} random effects that {groups} connect: "
            f"about {need / 2**30:,.1f} GiB, and {limit / 2**30:,.1f} GiB can be had. Take "
            "ddf='satterthwaite', which needs no such matrix"
        )
