"""Kenward and Roger (1997): the adjusted covariance of beta, the scaled F statistic, and its df.

The covariance of y is linear in its parameters, ``Sigma = sum of gamma_j V_j``: the variances and covariances
of each random-effects term (V_j = Z D_j Z' for a small symmetric D_j repeated along the levels) and the
residual variance (V_0 = W^-1). Where a covariance structure makes it a curved function of its parameters, the
V_j are its derivatives, and second derivatives are left out of the adjustment, as SAS does with
DDFM=KENWARDROGER(FIRSTORDER): so nothing depends on which parameters one takes. The letters P, Q, W, Phi, A1,
A2 are those of the paper and of pbkrtest.

Everything is computed with sigma = 1, in coordinates where ``Phi = I`` (`Marginal`): A1 and A2 do not depend
on either.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array
from interlace.errors import ModelError
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.precision.information import Moments
from interlace.precision.paired import trace_of_products
from interlace.precision.rotated import moments_of
from interlace.precision.singular import is_singular, scale_free_factor
from interlace.precision.varpar import OVERFLOW
from interlace.precision.wald import FTest, Worded, mean, scores, standard_errors, whitened

NEAR_TWO = 0.01  # F is not scaled where the df are this near to 2, as in pbkrtest: it has no mean there
EQUAL = 1e-12  # share that A1 may lack of q A2 and be equal: rho may be zero over zero there
NO_F = (
    "no F distribution has the moments that Kenward and Roger find for the statistic, as the variances are "
    "known too badly: the denominator df are those of rows that all have the same, and F is not scaled"
)
RANK_TOLERANCE = 1e-10
BOUNDARY = 1e-6
CONSTANT = 1e-8  # share of the derivative of the covariance of y that is rounding error
SHARE = 1e-3  # of the largest part in a direction: parameters below it are not named


@dataclass(frozen=True, slots=True, repr=False)
class KenwardRogerDdf(Worded):
    """The adjusted covariance, and P and W from which the degrees of freedom of any L follow.

    Attributes
    ----------
    beta : ndarray, (p,)
    vcov : ndarray, (p, p)
        Adjusted covariance of beta.
    root : ndarray, (p, p)
        K with ``K K'`` the covariance before adjustment.
    P : ndarray, (m, p, p)
        Derivatives of the information about beta, in coordinates where its covariance is I.
    W : ndarray, (m, m)
        Covariance of the variance parameters, those of theta's terms first, sigma^2 last (sigma = 1).
    information : str
        What W is the inverse of: "expected" or "observed" information.
    note : str
    """

    beta: Array
    vcov: Array
    root: Array
    P: Array
    W: Array
    information: str
    note: str

    @property
    def name(self) -> str:
        """As printed."""
        return "Kenward-Roger"

    @property
    def description(self) -> str:
        """In words."""
        observed = " with observed information" if self.information == "observed" else ""
        return f"Kenward-Roger's method{observed}"

    @property
    def covariance(self) -> str:
        """In words."""
        return "covariance adjusted by Kenward and Roger"

    def se(self, L: Array) -> Array:
        """Standard error of each row of L, (m,)."""
        return standard_errors(L, self.vcov)

    def df(self, L: Array) -> Array:
        """Degrees of freedom of each row of L, (m,)."""
        rows = whitened(L, self.root)
        return np.array([self._approximation(row[None]).df for row in rows])

    def f_test(self, L: Array, rhs: Array | float = 0.0) -> FTest:
        """The scaled F statistic."""
        L = np.asarray(L, dtype=np.float64)
        rows, t2 = scores(L, self.vcov, L @ self.beta - rhs)
        found = self._approximation(whitened(rows, self.root))
        return FTest(found.scale * mean(t2), float(t2.size), found.df, found.note)

    def _approximation(self, rows: Array) -> Approximation:
        """That of white rows (q, p) of full rank."""
        if not np.any(rows):
            return Approximation(np.nan, np.nan)
        basis = np.linalg.qr(rows.T)[0]
        projected = basis.T @ self.P @ basis
        trace = np.trace(projected, axis1=1, axis2=2)
        A1 = float(trace @ self.W @ trace)
        A2 = float(np.einsum("iab,ij,jba->", projected, self.W, projected))
        return approximation(len(rows), A1, A2)


class Approximation(NamedTuple):
    """Denominator df and scale of F, and what must be said about them."""

    df: float
    scale: float
    note: str = ""


def approximation(q: int, A1: float, A2: float) -> Approximation:
    """Denominator df and scale that give F the first two moments of the Wald statistic of q rows over q.

    Kenward and Roger's (1997) rho, and ``df = 4 + (q + 2) / (q rho - 1)``, are quotients of polynomials in A2
    at a fixed ``A1 / A2``. What cancels in them is taken out beforehand, so that nothing is lost where the df
    are large, and nothing divided by zero where they are 4. Rows that all have the same df have ``A1 = q A2``
    and ``df = 2 q / A2``; so much is taken too, with F as it is, where no F distribution has the moments: the
    formula would give df or a scale that are not positive.
    """
    if A2 <= 0:  # the statistic does not depend on the variance parameters
        return Approximation(np.inf, 1.0)
    if q == 1 or (1 - EQUAL) * q * A2 <= A1:
        return Approximation(2 * q / A2, 1.0)
    ratio = A1 / A2
    b, g = (ratio + 6) / (2 * q), ((q + 1) * ratio - (q + 4)) / (q + 2)
    d = 3 * q + 2 * (1 - g)
    c1, c2, c3 = b * g / d, b * (q - g) / d, b * (q + 2 - g) / d
    # (1 - A2/q)^2 V0 - V1^2 V2 = A2 * less, V0 = 1 + c1 A2, V1 = 1 - c2 A2, V2 = 1 - c3 A2
    linear = (ratio + 2) / (2 * q)
    square = 1 / q**2 - 2 * c1 / q - c2**2 - 2 * c2 * c3
    less = linear + A2 * (square + A2 * (c1 / q**2 + c2**2 * c3))
    V1, V2 = 1 - c2 * A2, 1 - c3 * A2
    df = 4 + (q + 2) * V1 * V1 * V2 / (A2 * less) if less else np.inf
    scale = 1.0 if abs(df - 2) < NEAR_TWO else (1 - A2 / q) / (1 - 2 / df)
    if df > 0 and scale > 0:
        return Approximation(df, scale)
    return Approximation(2 * q / A2, 1.0, NO_F)


def bind(fit: Fit, information: str) -> KenwardRogerDdf:
    """The adjusted covariance of a fit by REML.

    Raises
    ------
    ModelError
        The fit is by maximum likelihood, the matrices would not fit in memory, the data do not tell the
        parameters apart, or there is no observed information: at a singular covariance matrix, or where it is
        not positive definite.
    """
    if not fit.reml:
        raise ModelError(
            "Kenward-Roger is defined for fits by REML, and this one is by maximum likelihood: refit with "
            "refit(reml=True), or take ddf='satterthwaite'"
        )
    for block in fit.encoding.random:
        if block.known is not None:
            raise ModelError(
                f"Kenward-Roger is not there for models with a known covariance of levels ('{block.group}'): "
                "take ddf='satterthwaite'"
            )
    if information == "observed" and (curved := _curved(fit)):
        raise ModelError(
            f"the covariance of y is no linear function of the parameters of {curved[0]}, and there the "
            "observed information has parts that are not computed: take "
            "KenwardRoger(information='expected')"
        )
    return of_moments(fit, moments_of(fit), information, fit.solution.beta)


def of_moments(fit: Fit, found: Moments, information: str, beta: Array) -> KenwardRogerDdf:
    """The same of coefficients whose moments are these."""
    known = _known_to_be_zero(fit) if information == "observed" else np.zeros(len(found.P), dtype=np.bool_)
    W, left_out = _variance(fit, found, information, known)
    K = fit.sigma * found.root
    vcov = K @ _adjusted(found.Q.weighted(W)) @ K.T
    note = _note(fit, left_out, known)
    return KenwardRogerDdf(beta, vcov, K, found.P, W, information, note)


def _adjusted(products: Array) -> Array:
    """The adjusted covariance in units where ``Var(beta)`` is the identity."""
    adjusted: Array = np.eye(len(products)) + products + products.T
    if np.isfinite(adjusted).all() and (np.linalg.eigvalsh(adjusted) > 0).all():
        return adjusted
    raise ModelError(
        "the adjusted covariance of Kenward and Roger is not positive definite: the data hardly tell some of "
        "the variance parameters, and the adjustment, which is meant to be small, is larger than the "
        "covariance itself. Take ddf='satterthwaite', or a simpler random part"
    )


def _known_to_be_zero(fit: Fit) -> NDArray[np.bool_]:
    """Per covariance parameter: is it a variance on the boundary, without covariances?

    The observed information says nothing there, as the criterion still falls towards negative values. SAS
    takes such a variance out of the parameters.
    """
    known: list[bool] = []
    for i in fit.layout.theta_order:
        if not fit.criterion.parameters.structures[i].n_par:
            continue
        S, T, tested = scale_free_factor(fit, i)
        smallest = np.linalg.svd(tested.T @ S @ T, compute_uv=False).min(initial=np.inf)
        singular = bool(smallest <= BOUNDARY)
        if singular and tested.shape[1] > 1:
            raise ModelError(
                f"the estimated covariance matrix of {fit.encoding.random[i].text()} is singular, where the "
                "observed information about it means nothing: take KenwardRoger(information='expected'), or "
                "a simpler random part"
            )
        known += [singular] * fit.criterion.parameters.structures[i].n_par
    return np.array([*known, False])


def _variance(fit: Fit, found: Moments, information: str, known: NDArray[np.bool_]) -> tuple[Array, int]:
    """W, zero for parameters that are known, and the number of directions without information.

    W is twice the inverse of (twice) the information about the others.
    """
    twice = found.expected.copy()
    if information == "observed":
        twice = 2 * found.quadratic - twice
    if not np.isfinite(twice).all():
        raise ModelError(OVERFLOW)
    nothing = np.diagonal(found.expected) <= found.noise * found.size
    twice[nothing] = twice[:, nothing] = 0.0
    free = np.ix_(~known, ~known)
    twice = twice[free]
    # 1) in units of their own, so that the rank does not depend on those of the data
    diagonal = np.diagonal(twice)
    units = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(twice * np.outer(units, units))
    keep = values > RANK_TOLERANCE
    if information == "observed" and not keep.all():
        raise ModelError(
            "the observed information about the variances is not positive definite: take "
            "KenwardRoger(information='expected')"
        )
    # 2) directions without information are left out if the covariance of y does not change along them: then
    # nothing depends on them
    if not keep.all():
        _refuse_confounded(fit, found, units[:, None] * vectors[:, ~keep])
    inverse = (vectors[:, keep] / values[keep]) @ vectors[:, keep].T
    W = np.zeros_like(found.expected)
    W[free] = 2 * inverse * np.outer(units, units)
    return W, int(np.sum(~keep))


def _refuse_confounded(fit: Fit, found: Moments, directions: Array) -> None:
    """Refuse directions along which the covariance of y changes, but within the columns of X alone.

    The restricted likelihood is the same along them and the covariance of beta is not: there is no adjusted
    covariance to be had. ``tr(Q_dd) = 0`` only if the covariance of y is constant along d.
    """
    if fit.identification.confounded:  # hypotheses that rest on them have no answer
        return
    both = found.Q.trace + trace_of_products(found.P)
    lengths = np.diagonal(both)
    change = np.einsum("id,ij,jd->d", directions, both, directions)
    confounded = directions[:, change > CONSTANT * (np.abs(directions).T ** 2 @ lengths)]
    if not confounded.size:
        return
    share = np.abs(confounded) * np.sqrt(np.maximum(found.size, 0.0))[:, None]
    involved = np.flatnonzero((share > SHARE * share.max(axis=0)).any(axis=1))
    labels = [*_labels(fit), "the residuals"]
    names = list(dict.fromkeys(labels[j] for j in involved))
    raise ModelError(
        f"the data do not tell the variances and covariances of {' and '.join(names)} apart: a part of them "
        "is seen in the fixed effects only, as where the predictor of a random slope is constant within the "
        "groups. The adjustment of Kenward and Roger would depend on the origin of the predictors. Take "
        "ddf='satterthwaite', or a simpler random part"
    )


def _curved(fit: Fit) -> list[str]:
    """Terms whose covariance is no linear function of any parameters."""
    blocks = zip(fit.encoding.random, fit.criterion.parameters.structures, strict=True)
    return [block.text() for block, structure in blocks if not structure.linear]


def _labels(fit: Fit) -> list[str]:
    """The term of each covariance parameter, in the order of theta."""
    found: list[str] = []
    for i in fit.layout.theta_order:
        found += [fit.encoding.random[i].text()] * fit.criterion.parameters.structures[i].n_par
    return found


def _note(fit: Fit, left_out: int, known: NDArray[np.bool_]) -> str:
    words = []
    if curved := _curved(fit):
        words.append(
            f"the covariance is no linear function of the parameters of {' and '.join(curved)}: Kenward-"
            "Roger without second derivatives, which does not depend on their choice (SAS's FIRSTORDER)"
        )
    if known.any():
        words.append(
            "the fit is singular: Kenward-Roger with observed information takes variances at zero as known "
            "to be zero (as SAS does)"
        )
    elif is_singular(fit):
        words.append(
            "the fit is singular: Kenward-Roger counts every variance and covariance as estimated, those at "
            "the boundary too (as pbkrtest does)"
        )
    if left_out:
        words.append(
            f"the data do not tell all variance parameters apart: {left_out} direction{'s' * (left_out > 1)} "
            "of them left out, on which nothing depends"
        )
    return "; ".join(words)
