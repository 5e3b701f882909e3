"""How well the variance parameters are known: from the exact curvature of the unprofiled criterion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array
from interlace.errors import ModelError
from interlace.estimation.covariance import Covariance
from interlace.estimation.descent import hopeless
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.fit import Fit, NotPositiveDefiniteError
from interlace.frozen import dataclass
from interlace.precision.curvature import exact_hessian
from interlace.precision.marginal import Marginal

STEP = 1e-3
WELL_CONDITIONED = 1e-8  # smallest eigenvalue of the Hessian scaled to unit diagonal
FLAT = 1e-3  # the same of a direction that is known to be flat, where the search ended near the optimum
LMERTEST_TOLERANCE = 1e-8  # eigenvalues of the Hessian in (theta, sigma) up to this are left out
NOISE = 1e-9  # the same relative to the largest: differences do not know the rest

OVERFLOW = (
    "products of the data are too large or too small for floating-point arithmetic, so that nothing can be "
    "said of how well the variances are known: give weights and predictors in other units"
)


@dataclass(frozen=True, slots=True)
class VarianceParameters:
    """Parameters of the relative covariance factors and log sigma, with their covariance.

    The parameters are coordinates T of the factors, ``Lambda = basis T``, where the criterion is regular.
    What follows from them does not depend on the coordinates, unless eigenvalues of the Hessian had to be
    left out that the data could tell; then the coordinates are theta and sigma, as in lmerTest.

    Attributes
    ----------
    criterion : ProfiledDeviance
        Holds the basis.
    par : ndarray, (n_par,)
    covariance : ndarray, (n_par + 1, n_par + 1)
        Of (par, log sigma): 2 H^-1 for the Hessian H of ``-2 log L(par, log sigma)``.
    left_out : ndarray
        Eigenvalues of the Hessian that were left out; empty where it is positive definite.
    """

    criterion: ProfiledDeviance
    par: Array
    covariance: Array
    left_out: Array

    @classmethod
    def of(cls, fit: Fit, marginal: Marginal) -> VarianceParameters:
        """At the fitted theta."""
        # 1) where the Hessian is positive definite its inverse serves, in the coordinates most regular
        parameters, par = fit.criterion.parameters.pivoted(fit.optimum.par)
        criterion = fit.criterion.with_parameters(parameters)
        H = _hessian(criterion, par, fit, marginal)
        units: Array = 1 / np.sqrt(np.where(np.diagonal(H) > 0, np.diagonal(H), 1.0))
        scaled = H * np.outer(units, units)
        values, vectors = np.linalg.eigh(scaled)
        keep = _curved(values, _n_flat(fit))
        if values[keep].min(initial=1.0) > WELL_CONDITIONED:
            inverse = (vectors[:, keep] / values[keep]) @ vectors[:, keep].T
            return cls(criterion, par, 2 * inverse * np.outer(units, units), values[~keep])
        # 2) else lmerTest's generalised inverse, in coordinates like its own: theta and sigma, without units
        if parameters.n_par == parameters.n_theta:  # else theta has directions that are no parameters
            criterion, par = _theta_coordinates(fit)
        H = _hessian(criterion, par, fit, marginal)
        values, vectors = np.linalg.eigh(H)
        keep = values > max(LMERTEST_TOLERANCE, NOISE * values[-1])
        inverse = (vectors[:, keep] / values[keep]) @ vectors[:, keep].T
        return cls(criterion, par, 2 * inverse, values[~keep])


def _n_flat(fit: Fit) -> int:
    """Along how many directions of the parameters the criterion does not change."""
    found = fit.identification
    directions = len(found.unchanged) + (len(found.confounded) if fit.reml else 0)
    return max(0, min(directions, fit.criterion.parameters.n_par - found.n_parameters))


def _curved(values: Array, flat: int) -> NDArray[np.bool_]:
    """Which eigenvalues are left when up to so many of them are known to be zero.

    At a variance of zero there are fewer: the criterion is curved in its root in either direction. What is
    said of the other directions is the same for every generalised inverse.
    """
    keep = np.ones(len(values), dtype=np.bool_)
    smallest = np.argsort(np.abs(values))[:flat]
    keep[smallest] = np.abs(values[smallest]) > FLAT
    return keep


def derivatives(criterion: ProfiledDeviance, par: Array, left: Sequence[Array]) -> Array:
    """``sum over levels of left' (dLambda) Lambda' left`` for each parameter of the criterion, (n_par, a, a).

    `left` has one array (levels, k, a) per grouping factor of the kernel. Where the covariance K of the
    levels is known it stands between: ``sum over g, h of left_g' (dLambda) K_gh Lambda' left_h``.
    """
    right = [criterion.system.covariance(f, v) for f, v in enumerate(left)]
    parameters, out = criterion.parameters, list[Array]()
    a = left[0].shape[-1]
    blocks = zip(
        parameters.structures, parameters.basis, parameters.slices, parameters.layout.places, strict=True
    )
    for s, B, at, place in blocks:
        rows = np.einsum("lkp,kr->rlp", left[place.group][:, place.columns], B)
        other = rows
        if right[place.group] is not left[place.group]:
            other = np.einsum("lkp,kr->rlp", right[place.group][:, place.columns], B)
        columns = np.einsum("rlp,rc->clp", other, s.factor(par[at]))
        entries = np.array([rows[row].T @ columns[col] for row, col in s.entries]).reshape(
            len(s.entries), a, a
        )
        out.append(entries if s.plain else np.tensordot(_of_entries(s, par[at]), entries, 1))
    return np.concatenate([np.zeros((0, a, a)), *out])


def _of_entries(s: Covariance, par: Array) -> Array:
    """Derivatives of the entries of the factor, (n_par, entries)."""
    rows, cols = np.array(s.entries).T
    return s.derivative(par)[:, rows, cols]


def _hessian(criterion: ProfiledDeviance, par: Array, fit: Fit, marginal: Marginal) -> Array:
    """Of ``ld(par) + df log(2 pi sigma^2) + pwrss(par) / sigma^2`` in (par, log sigma), at the best sigma.

    The profiled criterion is ``ld + df log pwrss`` and a constant; what it lacks of the second derivative in
    par is ``df (d log pwrss)(d log pwrss)'``.

    Raises
    ------
    ModelError
        It is not finite.
    """
    m = len(par)
    df = criterion.df
    residuals = [v[:, :, None] / np.sqrt(fit.solution.pwrss) for v in marginal.zvr]
    d_pwrss = -2 * derivatives(criterion, par, residuals)[:, 0, 0]
    H = np.empty((m + 1, m + 1))
    exact = exact_hessian(criterion, par, fit, marginal)
    if exact is None:
        exact = _profiled_hessian(criterion, par) + df * np.outer(d_pwrss, d_pwrss)
    H[:m, :m] = exact
    H[:m, m] = H[m, :m] = -2 * df * d_pwrss
    H[m, m] = 4 * df
    if not np.isfinite(H).all():
        raise ModelError(OVERFLOW)
    return H


def _profiled_hessian(criterion: ProfiledDeviance, par: Array) -> Array:
    """Central differences of fourth order of the exact gradient: good to about 1e-10. Where the data cannot
    tell the parameters apart and they are very many, the average information."""
    compiled = criterion.kernel()
    if hopeless(criterion):
        with criterion.system.threads():
            return np.asarray(compiled.derivatives(par)[1])
    H = np.empty((len(par), len(par)))
    with criterion.system.threads(), np.errstate(invalid="ignore"):  # the caller looks at infinite ones
        for i, x in enumerate(par):
            step = np.zeros(len(par))
            step[i] = STEP * max(1.0, abs(x))
            try:
                near = compiled.gradient(par + step) - compiled.gradient(par - step)
                far = compiled.gradient(par + 2 * step) - compiled.gradient(par - 2 * step)
            except NotPositiveDefiniteError as error:
                raise ModelError(
                    "beside the optimum the criterion cannot be computed, so that nothing is known of the "
                    "uncertainty of the variances: the residuals are too small beside the random effects"
                ) from error
            H[i] = (8 * near - far) / (12 * step[i])
    return (H + H.T) / 2


def _theta_coordinates(fit: Fit) -> tuple[ProfiledDeviance, Array]:
    """The criterion with theta for parameters, as if the columns of Z had a mean square of 1."""
    criterion, system = fit.criterion, fit.criterion.system
    parameters, basis, par = criterion.parameters, [], []
    blocks = zip(
        parameters.structures, parameters.shift, fit.solution.factors, parameters.layout.places, strict=True
    )
    for s, shift, T, place in blocks:
        zz = np.asarray(system.A.products.zz_diagonal(place.group))[:, place.columns, place.columns].mean(
            axis=0
        )
        length = np.sqrt(np.diagonal(shift.T @ zz @ shift))
        unit = 1 / np.where(length > 0, length, 1.0)
        basis.append(shift * unit)
        par.append(s.par(T / unit[:, None]))
    return criterion.with_parameters(replace(parameters, basis=tuple(basis))), np.concatenate(par)
