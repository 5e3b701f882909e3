"""Marginal means beside absorbed factors: averages over the levels of these stand in for the intercept.

In the model with dummy variables a mean is an average over all levels of the factors, with equal weights.
Here the sum over the absorbed factors of the averages of their effects is a coefficient of its own, the
first: ``psi = c'a`` for the effects a of the levels. Its variance and its covariance with beta are those of
the mixed model equations, and so is ``Z'V^-1 X l`` of it, on which Satterthwaite's degrees of freedom rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from interlace.arrays import Array
from interlace.design.absorbing import numbers
from interlace.estimation.any_fit import AnyFit
from interlace.estimation.fit import Fit
from interlace.estimation.level_system import LevelSystem
from interlace.frozen import dataclass
from interlace.inference.means_source import MeansSource
from interlace.precision import rotated
from interlace.precision.df import AsymptoticDdf
from interlace.precision.kenward_roger import KenwardRogerDdf, of_moments
from interlace.precision.marginal import Marginal
from interlace.precision.ols_covariance import ResidualDdf
from interlace.precision.satterthwaite import SatterthwaiteDdf
from interlace.precision.varpar import derivatives
from interlace.precision.wald import Ddf

SAME = 1e-9  # shares of levels in a component that are the same

# Why an average over all levels is not known, after "means are averages over the levels of these, and".
_UNEQUAL = "these are with equal weights alone: leave weights out, or ask for contrasts"
_JACKKNIFE = "without a cluster some levels have no rows: ask for vcov='CR1', or for contrasts"
_INDEFINITE = "their covariance is not positive semidefinite: ask for one clustering, or for contrasts"
_NO_METHOD = "their degrees of freedom are not known for this covariance: ask for contrasts"
_APART = "the data do not tell it: no chain of rows joins all levels, or a factor lies in others"


def source_of_means(fit: AnyFit, ddf: Ddf, *, equal: bool) -> MeansSource:
    """What estimates of means are made from; those of means themselves where they can be.

    Parameters
    ----------
    equal : bool
        Are all levels weighted equally? Else nothing is known of means beside absorbed factors.
    """
    source = MeansSource.of(fit, ddf)
    if not fit.encoding.absorbs_constant or "Intercept" not in fit.encoding.fixed_names:
        return source
    found = _found(fit, ddf) if equal else _UNEQUAL
    if isinstance(found, str):
        return replace(
            source, untold=f"means beside absorbed factors are averages over their levels, and {found}"
        )
    value, joined = found
    at = fit.encoding.fixed_names.index("Intercept")
    estimable = source.estimable
    others = np.abs(estimable.null[at]) < 0.5  # one direction is the intercept alone
    estimable = replace(estimable, null=estimable.null[:, others], kept=(at, *estimable.kept))
    return MeansSource(np.append(value, fit.solution.beta), joined, estimable)


def _found(fit: AnyFit, ddf: Ddf) -> tuple[float, Ddf] | str:
    """psi, and a method of degrees of freedom of (psi, beta); why not, where one is not known."""
    if isinstance(ddf, ResidualDdf):
        return _of_least_squares(ddf)
    assert isinstance(fit, Fit)
    return _of_mixed(fit, ddf)


def _of_mixed(fit: Fit, ddf: Ddf) -> tuple[float, Ddf] | str:
    average = _Average.of(fit)
    return average if isinstance(average, str) else average.joined(fit, ddf)


def _of_least_squares(ddf: ResidualDdf) -> tuple[float, Ddf] | str:
    """The same of least squares. With ``D'W D g = c`` and ``d = X'W D g``, psi moves by ``q_i w_i`` with the
    response of row i for ``q = D g - X C d``, where C and X are those of what the absorbed factors leave.
    """
    if ddf.rule is None or ddf.rule.jackknife:
        return _JACKKNIFE
    fit = ddf.rule.fit
    weights = _weights(fit)
    if isinstance(weights, str):
        return weights
    explained, _ = fit.level_system.solved(weights)
    w, design, C = fit.weights, fit.design, fit.root @ fit.root.T
    assert design.y is not None
    offset = 0.0 if design.offset is None else design.offset
    value = float((w * explained) @ (design.y - offset - fit.X @ fit.solution.beta))
    own = fit.left @ C
    influence = np.column_stack([explained - own @ (fit.X.T @ (w * explained)), own])
    vcov, not_definite = ddf.rule.covariance(influence)
    if not_definite:
        return _INDEFINITE
    return value, replace(ddf, beta=np.append(value, fit.solution.beta), vcov=vcov)


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
    def of(cls, fit: Fit) -> _Average | str:
        """Why not, where the average is not told by the data."""
        weights = _weights(fit)
        if isinstance(weights, str):
            return weights
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

    def joined(self, fit: Fit, ddf: Ddf) -> tuple[float, Ddf] | str:
        """psi and a method of degrees of freedom of (psi, beta); why not, of those that are not known."""
        found = self._joined(fit, ddf)
        return _NO_METHOD if found is None else (self.value, found)

    def _joined(self, fit: Fit, ddf: Ddf) -> Ddf | None:
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
    by_factor = {at: one[:, :, 0] for at, one in zip(fit.layout.absorbed, c, strict=True) if at is not None}
    levels = LevelSystem.of(
        fit.encoding, fit.rows, fit.n_jobs, "means beside absorbed factors need a factor: {}"
    )
    explained, length = levels.solved([by_factor[at] for at in sorted(by_factor)])
    weights = fit.design.weights
    root = 1.0 if weights is None else np.sqrt(weights)
    return (root * explained)[:, None] / length


def _weights(fit: AnyFit) -> list[Array] | str:
    """Of the coefficients of all levels in the average over them, (levels, k) for each absorbed factor; at
    the means of the columns that have slopes.

    Why not, where effects can move and leave every row as it is, and the average not; and where a combination
    of factors does not occur.
    """
    design, effects, found = fit.design, fit.absorbed_effects, list[Array]()
    shares = []
    for one, component in zip(fit.encoding.absorbed, effects.component, strict=True):
        cells = np.prod([len(part) for part in one.grouping.parts])
        if one.grouping.n_levels < cells:
            return f"not all combinations of {one.term} occur in the data"
        if one.held[:, int(one.term.intercept) :].any():
            return f"the data do not tell a slope in every level of {one.term}"
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
        return _APART
    return found if all(np.allclose(one, shares[0], rtol=0, atol=SAME) for one in shares) else _APART
