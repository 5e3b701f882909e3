"""The model as one dense normal distribution: slow, memory-hungry, and too simple to be wrong.

Everything is computed from the rows of a design with `V = sigma^2 (W^-1 + Z Lambda Lambda' Z')` written out,
in the units of the data: no cross-products, no origin, no sparse factor, none of the library's algebra.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, null_space

from interlace.design.design import Design

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Oracle:
    """What follows from y, X, Z, weights and the relative covariance factors by the textbook."""

    ml: float
    reml: float
    beta: Array
    vcov: Array  # over sigma^2
    b: tuple[Array, ...]  # per term, (L, k)
    u: tuple[Array, ...]
    conditional: tuple[Array, ...]  # per term, (L, k, k), over sigma^2
    pwrss: float
    ld_l2: float
    ld_rx2: float


def dense_z(design: Design, i: int, levels: int) -> Array:
    """Z of term i, (n, L k): the columns of a level stand side by side."""
    rows = design.random[i]
    n, k = rows.z.shape
    Z = np.zeros((n, levels, k))
    Z[np.arange(n), rows.codes] = rows.z
    return Z.reshape(n, levels * k)


def oracle(
    design: Design, levels: tuple[int, ...], factors: tuple[Array, ...], kept: tuple[int, ...]
) -> Oracle:
    """Density, generalised least squares and best linear unbiased predictions.

    `levels` and `factors` are the number of levels and the relative covariance factor of each term, `kept`
    the columns of X that are in the model.
    """
    n, X = len(design.X), design.X[:, list(kept)]
    p = X.shape[1]
    assert design.y is not None
    y = design.y - (0.0 if design.offset is None else design.offset)
    w = np.ones(n) if design.weights is None else design.weights
    Z = np.hstack([dense_z(design, i, L) for i, L in enumerate(levels)])
    Lambda = _block_diagonal([np.kron(np.eye(L), T) for L, T in zip(levels, factors, strict=True)])
    G = Lambda @ Lambda.T
    ZL = Z @ Lambda  # first, as columns of Z far from the origin cancel there
    Omega = np.diag(1.0 / w) + ZL @ ZL.T
    factor = cho_factor(Omega, lower=True)
    XtOX = X.T @ cho_solve(factor, X)
    beta = np.linalg.solve(XtOX, X.T @ cho_solve(factor, y)) if p else np.zeros(0)
    solved = cho_solve(factor, y - X @ beta)
    pwrss = float((y - X @ beta) @ solved)
    u = ZL.T @ solved
    b = Lambda @ u
    conditional = G - G @ Z.T @ cho_solve(factor, Z @ G)
    log_omega = 2.0 * float(np.log(np.diagonal(factor[0])).sum())
    return Oracle(
        ml=-2.0 * _log_density(y - X @ beta, Omega * pwrss / n),
        reml=_reml(y, X, Omega * pwrss / (n - p)),
        beta=beta,
        vcov=np.linalg.inv(XtOX) if p else np.zeros((0, 0)),
        b=_split(b, levels, factors),
        u=_split(u, levels, factors),
        conditional=_diagonal_blocks(conditional, levels, factors),
        pwrss=pwrss,
        ld_l2=log_omega + float(np.log(w).sum()),
        ld_rx2=float(np.linalg.slogdet(XtOX)[1]) if p else 0.0,
    )


def _log_density(r: Array, V: Array) -> float:
    """Of r under N(0, V)."""
    L = np.linalg.cholesky(V)
    z = np.linalg.solve(L, r)
    return float(-0.5 * (len(r) * np.log(2 * np.pi) + z @ z) - np.log(np.diagonal(L)).sum())


def _reml(y: Array, X: Array, V: Array) -> float:
    """-2 log density of K'y for orthonormal K with K'X = 0, with lme4's constant log |X'X|."""
    if not X.shape[1]:
        return -2.0 * _log_density(y, V)
    K = null_space(X.T)
    return -2.0 * _log_density(K.T @ y, K.T @ V @ K) + float(np.linalg.slogdet(X.T @ X)[1])


def _block_diagonal(blocks: list[Array]) -> Array:
    size = sum(len(b) for b in blocks)
    out, at = np.zeros((size, size)), 0
    for b in blocks:
        out[at : at + len(b), at : at + len(b)] = b
        at += len(b)
    return out


def _split(v: Array, levels: tuple[int, ...], factors: tuple[Array, ...]) -> tuple[Array, ...]:
    out, at = [], 0
    for L, T in zip(levels, factors, strict=True):
        k = len(T)
        out.append(v[at : at + L * k].reshape(L, k))
        at += L * k
    return tuple(out)


def _diagonal_blocks(C: Array, levels: tuple[int, ...], factors: tuple[Array, ...]) -> tuple[Array, ...]:
    out, at = [], 0
    for L, T in zip(levels, factors, strict=True):
        k = len(T)
        blocks = [C[at + j * k : at + (j + 1) * k, at + j * k : at + (j + 1) * k] for j in range(L)]
        out.append(np.array(blocks).reshape(L, k, k))
        at += L * k
    return tuple(out)
