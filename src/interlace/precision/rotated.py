"""The moments of `moments.py` for small models, in rows rotated to where the covariance of y is diagonal.

Sums over pieces of Z'Z lose digits where a few groups, or a variance at zero, leave little of a derivative
besides what the fixed effects explain, or where the random effects are far larger than the residuals. Here
every derivative is a small matrix over the rotated rows, projected before anything is squared.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from interlace.arrays import Array
from interlace.design.design import Design
from interlace.errors import ModelError
from interlace.estimation.absorbed import Absorbed
from interlace.estimation.beside_levels import absorbed_of
from interlace.estimation.fit import Fit
from interlace.estimation.rank import joined_triangles, triangle
from interlace.frozen import dataclass
from interlace.precision import information as sums
from interlace.precision.information import Moments, Parameter, bases, orthonormal_factors, parameters
from interlace.precision.marginal import Marginal, from_origin
from interlace.precision.paired import Projected

#: Rows times the square of the columns: up to here the rows are factored in milliseconds, or in seconds.
SMALL, POSSIBLE = 2.0**22, 2.0**30
NOISE = 1e-20  # share of the square of a derivative of V that is rounding error once it is projected


def moments_of(fit: Fit) -> Moments:
    """The moments at the fitted theta, by whichever way keeps their digits.

    Raises
    ------
    ModelError
        The largest connected piece of Z'Z, made dense, would not fit in memory.
    """
    A = fit.A
    effects = sum(A.layout.levels[f] * A.layout.k[f] for f in A.layout.varying)
    work = float(A.n) * (effects + fit.solution.beta.size + 1) ** 2
    if fit.encoding.absorbed and work > POSSIBLE:
        raise ModelError(
            f"Kenward-Roger beside absorbed factors needs every random effect as a column: {A.n:,} rows and "
            f"{effects:,} effects are too many; take ddf='satterthwaite', which needs no such matrix"
        )
    if not fit.encoding.absorbed and (work > SMALL or not fit.rows.readable):
        found = sums.moments(fit, Marginal.of(fit))
        if not found.lost_digits or work > POSSIBLE:
            return found
    with fit.criterion.system.blas_threads(work):
        return moments(fit)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows, rotated and divided by their standard deviations (sigma = 1), so that V = I.

    Attributes
    ----------
    noise : ndarray, (r,)
        What ``sigma^2 I`` has become: the share of the residuals in the variance of each row.
    Z : tuple of ndarray, (r, levels, k)
        Per grouping factor of the kernel, columns orthonormal on average.
    Q : ndarray, (r, p)
        Orthonormal basis of the columns of X.
    root : ndarray, (p, p)
        K with ``X K = Q``.
    y : ndarray, (r, 1)
        What X leaves of y.
    """

    noise: Array
    Z: tuple[Array, ...]
    Q: Array
    root: Array
    y: Array

    def left(self, A: Array) -> Array:
        """What the columns of X leave of columns; twice, so that it is orthogonal to rounding."""
        for _ in range(2):
            A = A - self.Q @ (self.Q.T @ A)
        return A


def moments(fit: Fit, average: Array | None = None) -> Moments:
    """All of them at the fitted theta.

    Parameters
    ----------
    average : ndarray, (n, 1), optional
        A combination of the columns of absorbed levels, times the roots of the weights. Its coefficient comes
        before beta, if it is what all others that have none leave of a column whose coefficient that is.
    """
    rows = _rotated(fit, average)
    found = [_derivative(rows, parameter) for parameter in parameters(fit)]
    found.append(np.diag(rows.noise))
    # 1) on X, between X and its complement, and on the complement
    m, p = len(found), rows.Q.shape[1]
    P = np.array([-(rows.Q.T @ V @ rows.Q) for V in found])
    mixed = np.array([rows.left(V @ rows.Q).T for V in found])
    inner = np.array([rows.left(rows.left(V).T) for V in found])
    # 2) their products
    flat, response = inner.reshape(m, -1), (inner @ rows.y)[..., 0]
    expected, size = flat @ flat.T, np.array([float(np.sum(V * V)) for V in found])
    # 3) rows that a rotation has made zero: nothing but sigma^2 is seen there
    absorbed = sum(one.rank for one in fit.encoding.absorbed) - (average is not None)
    empty = fit.A.n - absorbed - len(rows.Q)
    expected[-1, -1] += empty
    size[-1] += empty
    return Moments(
        root=rows.root,
        P=P.reshape(m, p, p),
        Q=Projected(mixed),
        expected=expected,
        quadratic=response @ response.T,
        size=size,
        noise=NOISE,
    )


def _derivative(rows: _Rows, parameter: Parameter) -> Array:
    Z = rows.Z[parameter.group]
    return np.asarray(np.einsum("rla,ab,slb->rs", Z, parameter.D, Z, optimize=True))


def _rotated(fit: Fit, average: Array | None) -> _Rows:
    # 1) [X Z residuals], columns of X of length 1: all other rows of an orthogonal factor are zero
    blocks, shapes = _triangle(fit, average)
    R = np.hstack(blocks)
    largest = np.abs(blocks[0]).max(axis=0, initial=0.0)
    length = largest * np.linalg.norm(blocks[0] / largest, axis=0)
    Z = [block.reshape(len(R), *shape) for block, shape in zip(blocks[1:-1], shapes, strict=True)]
    # 2) V = I + Z Lambda Lambda'Z' is diagonal in the left singular vectors of Z Lambda
    spread = [(z @ F).reshape(len(R), -1) for z, F in zip(Z, orthonormal_factors(fit), strict=True)]
    U, s, _ = np.linalg.svd(np.hstack(spread), full_matrices=True)
    noise = np.ones(len(R))
    noise[: len(s)] = 1 / (1 + s * s)

    def whitened(columns: Array) -> Array:
        return np.sqrt(noise)[:, None] * (U.T @ columns)

    # 3) X
    Q, triangular = np.linalg.qr(whitened(blocks[0] / length))
    rows = _Rows(
        noise=noise,
        Z=tuple(whitened(z.reshape(len(R), -1)).reshape(z.shape) for z in Z),
        Q=Q,
        root=from_origin(fit, np.linalg.inv(triangular) / length[:, None]),
        y=whitened(blocks[-1]),
    )
    return replace(rows, y=rows.left(rows.y))


def _triangle(fit: Fit, average: Array | None) -> tuple[list[Array], list[tuple[int, ...]]]:
    """The triangle of `_columns` of all rows, cut into X, each Z and y; and the shapes of a row of Z."""
    R: Array | None = None
    for design in fit.rows.designs():
        X, effects, y = _columns(fit, design, average)
        found = triangle(np.hstack([X, *(z.reshape(len(z), -1) for z in effects), y[:, None]]))
        R = found if R is None else joined_triangles(R, found)
    assert R is not None
    blocks = np.split(R, np.cumsum([X.shape[1], *(z[0].size for z in effects)]), axis=1)
    return blocks, [z.shape[1:] for z in effects]


def _columns(fit: Fit, design: Design, average: Array | None) -> tuple[Array, list[Array], Array]:
    """Rows times the roots of their weights: X about its origin (n, p), Z in the coordinates of `bases` (n,
    levels, k), and the residuals of the fixed part over sigma (n,)."""
    A = fit.A
    assert design.y is not None
    X, n = design.selected(fit.kept).X, design.nrows
    root = np.ones(n) if design.weights is None else np.sqrt(design.weights)
    effects: list[Array] = []
    for blocks, levels, k, B in zip(A.layout.blocks, A.layout.levels, A.layout.k, bases(fit), strict=True):
        if not blocks:  # absorbed
            effects.append(np.zeros((n, 0, k)))
            continue
        z = np.hstack([design.random[i].z - A.origin.z[i] for i in blocks])
        Z = np.zeros((n, levels, k))
        Z[np.arange(n), design.random[blocks[0]].codes] = (root[:, None] * z) @ B
        effects.append(Z)
    y = design.y - (0.0 if design.offset is None else design.offset) - X @ fit.solution.beta
    X, y = root[:, None] * (X - A.origin.x), (root / fit.sigma) * y
    absorbed = absorbed_of(fit.encoding, fit.rows, fit.n_jobs)
    return (X, effects, y) if absorbed is None else _beside(absorbed, average, X, effects, y)


def _beside(
    absorbed: Absorbed, average: Array | None, X: Array, effects: list[Array], y: Array
) -> tuple[Array, list[Array], Array]:
    """What the levels of absorbed factors leave of the columns; all but `average`, which becomes the first
    column of X."""

    def left(columns: Array) -> Array:
        found = absorbed.within(columns)
        if average is None:
            return found
        return found + average @ (average.T @ columns) / float(average[:, 0] @ average[:, 0])

    Z = [left(z.reshape(len(z), -1)).reshape(z.shape) if z.size else z for z in effects]
    X = left(X) if average is None else np.hstack([average, left(X)])
    return X, Z, left(y[:, None])[:, 0]
