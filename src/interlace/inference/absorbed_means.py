"""Marginal means beside absorbed factors: averages over the levels of these stand in for the intercept.

In the model with dummy variables a mean is an average over all levels of the factors, with equal weights.
Here the sum over the absorbed factors of the averages of their effects is a coefficient of its own, the
first: ``psi = c'a`` for the effects a of the levels. Its variance and its covariance with beta are those of
the mixed model equations, and so is ``Z'V^-1 X l`` of it, on which Satterthwaite's degrees of freedom rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from interlace.arrays import Array
from interlace.design.absorbing import numbers
from interlace.estimation.fit import Fit
from interlace.estimation.ols import LeastSquaresFit
from interlace.inference.means_source import MeansSource
from interlace.precision import rotated
from interlace.precision.df import AsymptoticDdf
from interlace.precision.kenward_roger import KenwardRogerDdf, of_moments
from interlace.precision.marginal import Marginal
from interlace.precision.ols_covariance import ResidualDdf
from interlace.precision.satterthwaite import SatterthwaiteDdf
from interlace.precision.varpar import derivatives
from interlace.precision.wald import Ddf

# With more levels the equations of the average of least squares are not solved.
MOST_LEVELS = 5000
SAME = 1e-9  # shares of levels in a component that are the same


def source_of_means(fit: Fit, ddf: Ddf, *, equal: bool) -> MeansSource:
    """What estimates of means are made from; those of means themselves where they can be.

    Parameters
    ----------
    equal : bool
        Are all levels weighted equally? Else nothing is known of means beside absorbed factors.
    """
    source = MeansSource.of(fit, ddf)
    if not fit.encoding.absorbs_constant or not equal or "Intercept" not in fit.encoding.fixed_names:
        return source
    found = _of_least_squares(fit, ddf) if isinstance(fit, LeastSquaresFit) else _of_mixed(fit, ddf)
    if found is None:
        return source
    value, joined = found
    at = fit.encoding.fixed_names.index("Intercept")
    estimable = source.estimable
    others = np.abs(estimable.null[at]) < 0.5  # one direction is the intercept alone
    estimable = replace(estimable, null=estimable.null[:, others], kept=(at, *estimable.kept))
    return MeansSource(np.append(value, fit.solution.beta), joined, estimable)


def _of_mixed(fit: Fit, ddf: Ddf) -> tuple[float, Ddf] | None:
    """psi, and a method of degrees of freedom of (psi, beta); None where one is not known."""
    average = _Average.of(fit)
    joined = None if average is None else average.joined(fit, ddf)
    return None if average is None or joined is None else (average.value, joined)


def _of_least_squares(fit: LeastSquaresFit, ddf: Ddf) -> tuple[float, Ddf] | None:
    """The same of least squares with one variance: with ``D'W D g = c`` and ``d = X'W D g``, the variance of
    psi is ``sigma^2 (c'g + d'C d)``, and ``-sigma^2 C d`` its covariance with beta, for C that of beta.
    """
    if not isinstance(ddf, ResidualDdf) or ddf.note or fit.absorbed_rank > MOST_LEVELS:
        return None
    weights = _weights(fit)
    if weights is None:
        return None
    encoded = fit.encoding.absorbed
    c = [np.where(one.held, 0.0, w) for one, w in zip(encoded, weights, strict=True)]
    moved, length = _moved(fit, range(len(encoded)), c)
    root = np.sqrt(fit.weights)
    d = (root[:, None] * fit.X).T @ moved
    C = fit.root @ fit.root.T
    covariance = np.block([[np.array([[length + d @ C @ d]]), -(C @ d)[None]], [-(C @ d)[:, None], C]])
    design = fit.design
    assert design.y is not None
    offset = 0.0 if design.offset is None else design.offset
    value = float(moved @ (root * (design.y - offset - fit.X @ fit.solution.beta)))
    beta = np.append(value, fit.solution.beta)
    return value, replace(ddf, beta=beta, vcov=fit.scale * covariance)


@dataclass(frozen=True, slots=True)
class _Average:
    """psi, and what it has to do with beta (sigma = 1).

    Attributes
    ----------
    value : float
    covariance : ndarray, (p + 1, p + 1)
        Of (psi, beta).
    zvx : tuple of ndarray, (levels, k, p + 1)
        ``Z'V^-1 X l`` for psi and for each coefficient, per grouping factor of the kernel; X has the columns
        of the levels too, and l the covariance of all coefficients with each.
    T : ndarray, (p + 1, p + 1)
        From coefficients about the origin to these.
    c : tuple of ndarray, (levels, k, 1)
        Per grouping factor of the kernel.
    """

    value: float
    covariance: Array
    zvx: tuple[Array, ...]
    T: Array
    c: tuple[Array, ...]

    @classmethod
    def of(cls, fit: Fit) -> _Average | None:
        """None where the average is not told by the data."""
        weights = _weights(fit)
        if weights is None:
            return None
        A, factor, p = fit.A, fit.solution.factor, len(fit.kept)
        c = _functions(fit, weights)
        beta, effects, variance = _solved(fit, c)
        covariance = np.empty((p + 1, p + 1))
        covariance[0, 0], covariance[0, 1:], covariance[1:, 0] = variance, beta, beta
        covariance[1:, 1:] = factor.unscaled_covariance()
        # Z'V^-1 X l, of psi and of beta
        white = np.linalg.inv(np.triu(np.asarray(factor.rx)[:-1, :-1]))
        zvx = []
        for f, (ztz, own) in enumerate(zip(factor.apply_ztz(effects), Marginal.of(fit).zvx, strict=True)):
            psi = np.asarray(A.products.zx(f)) @ beta + np.asarray(ztz)[:, :, 0]
            zvx.append(np.concatenate([psi[:, :, None], own @ white.T], axis=2))
        # from the origin back: psi takes what the means of the columns of X stand for
        T = np.identity(p + 1)
        T[0, 1:] = -A.origin.x
        estimates = fit.absorbed_effects.estimates
        value = sum(float(np.vdot(w, e[:, :, 0])) for w, e in zip(weights, estimates, strict=True))
        return cls(value, T @ covariance @ T.T, tuple(g @ T.T for g in zvx), T, tuple(c))

    def joined(self, fit: Fit, ddf: Ddf) -> Ddf | None:
        """A method of degrees of freedom of (psi, beta); None of those that are not known."""
        beta, vcov = np.append(self.value, fit.solution.beta), fit.scale * self.covariance
        if isinstance(ddf, AsymptoticDdf):
            return AsymptoticDdf(beta, vcov, ddf.note)
        if isinstance(ddf, KenwardRogerDdf):
            found = rotated.moments(fit, _column(fit, self.c))
            return of_moments(fit, replace(found, root=self.T @ found.root), ddf.information, beta)
        if not isinstance(ddf, SatterthwaiteDdf):
            return None
        root = np.linalg.cholesky(self.covariance)
        white = [np.linalg.solve(root, g.transpose(0, 2, 1)).transpose(0, 2, 1) for g in self.zvx]
        half = derivatives(ddf.parameters.criterion, ddf.parameters.par, white)
        gradient = np.concatenate([half + half.transpose(0, 2, 1), 2 * np.eye(len(beta))[None]])
        return replace(ddf, beta=beta, vcov=vcov, root=root, gradient=gradient)


def _functions(fit: Fit, weights: list[Array]) -> list[Array]:
    """c for each grouping factor of the kernel, (levels, k, 1), zero where coefficients are held."""
    encoding, layout, out = fit.encoding, fit.layout, list[Array]()
    for at, levels, k in zip(layout.absorbed, layout.levels, layout.k, strict=True):
        c = np.zeros((levels, k)) if at is None else np.where(encoding.absorbed[at].held, 0.0, weights[at])
        out.append(c[:, :, None])
    return out


def _solved(fit: Fit, c: list[Array]) -> tuple[Array, list[Array], float]:
    """(0, c, 0) through the inverse of the mixed model equations of random effects, levels and beta about the
    origin: beta, effects of each grouping factor of the kernel, (levels, k, 1), and the variance of psi.
    """
    system, factor, p = fit.criterion.system, fit.solution.factor, len(fit.kept)
    with system.threads():
        u = [np.asarray(v) for v in factor.solve(c)]
        onto = [np.asarray(v)[:, :, :p] for v in factor.solve_xy()]
    crossed = sum((np.tensordot(a[:, :, 0], v, 2) for a, v in zip(c, onto, strict=True)), np.zeros(p))
    beta = -np.asarray(factor.unscaled_covariance()) @ crossed
    u = [v - (w @ beta)[:, :, None] for v, w in zip(u, onto, strict=True)]
    variance = float(sum(np.vdot(a, v) for a, v in zip(c, u, strict=True)))
    F = system.internal_factors(fit.solution.factors)
    effects = [np.ascontiguousarray(np.einsum("rs,lsa->lra", f, v)) for f, v in zip(F, u, strict=True)]
    return beta, effects, variance


def _column(fit: Fit, c: Sequence[Array]) -> Array:
    """``W^1/2 D g / c'g`` for the columns D of the levels that are not held and ``D'W D g = c``, (n, 1): of
    columns with the coefficient psi, what those combinations of D leave that have none."""
    absorbed = [(at, one[:, :, 0]) for at, one in zip(fit.layout.absorbed, c, strict=True) if at is not None]
    moved, length = _moved(fit, [at for at, _ in absorbed], [one for _, one in absorbed])
    return moved[:, None] / length


def _moved(fit: Fit | LeastSquaresFit, factors: Sequence[int], c: Sequence[Array]) -> tuple[Array, float]:
    """``W^1/2 D g``, (n,), and ``c'g``, for ``D'W D g = c``; c of some absorbed factors, (levels, k) each."""
    from scipy import sparse  # not in every model
    from scipy.sparse.linalg import spsolve

    design, n = fit.design, fit.rows.n
    root = np.ones(n) if design.weights is None else np.sqrt(design.weights)
    blocks, right = [], []
    for at, one in zip(factors, c, strict=True):
        rows, (levels, k) = design.absorbed[at], one.shape
        place = (rows.codes.astype(np.int64) * k)[:, None] + np.arange(k)
        row = np.repeat(np.arange(n), k)
        D = sparse.csc_array(((root[:, None] * rows.z).ravel(), (row, place.ravel())), shape=(n, levels * k))
        free = np.flatnonzero(~fit.encoding.absorbed[at].held.ravel())
        blocks.append(D[:, free])
        right.append(one.ravel()[free])
    D, r = sparse.hstack(blocks, format="csc"), np.concatenate(right)
    g = spsolve(sparse.csc_matrix(D.T @ D), r)
    return np.asarray(D @ g), float(r @ g)


def _weights(fit: Fit | LeastSquaresFit) -> list[Array] | None:
    """Of the coefficients of all levels in the average over them, (levels, k) for each absorbed factor; at
    the means of the columns that have slopes.

    None where effects can move and leave every row as it is, and the average not; and where a combination of
    factors does not occur.
    """
    design, effects, found = fit.design, fit.absorbed_effects, list[Array]()
    shares = []
    for one, component in zip(fit.encoding.absorbed, effects.component, strict=True):
        cells = np.prod([len(part) for part in one.grouping.parts])
        if one.held[:, int(one.term.intercept) :].any() or one.grouping.n_levels < cells:
            return None
        first = [1.0] if one.term.intercept else []
        means = [
            float(numbers(name, design.frame.columns[name], "have a slope").mean())
            for name in one.term.slopes
        ]
        found.append(np.tile([*first, *means], (len(component), 1)) / len(component))
        if one.term.intercept:
            shares.append(np.bincount(component, minlength=1 + int(component.max())) / len(component))
    held = sum(int(one.held[:, 0].sum()) for one in fit.encoding.absorbed if one.term.intercept)
    if held != len(shares[0]) * (len(shares) - 1):
        return None
    return found if all(np.allclose(one, shares[0], rtol=0, atol=SAME) for one in shares) else None
