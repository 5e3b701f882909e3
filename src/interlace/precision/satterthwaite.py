"""Satterthwaite's degrees of freedom, in the definition of lmerTest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from interlace.arrays import Array
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.precision.marginal import Marginal
from interlace.precision.singular import is_singular
from interlace.precision.varpar import VarianceParameters, derivatives
from interlace.precision.wald import FTest, Worded, mean, rowwise, scores, standard_errors, whitened

EQUAL_DF = 1e-8
SHOWN = 6  # of the eigenvalues that are left out


@dataclass(frozen=True, slots=True, repr=False)
class SatterthwaiteDdf(Worded):
    """``df = 2 v^2 / (g'A g)``: v the variance of a contrast, g its gradient in the variance parameters, A
    their covariance.

    Attributes
    ----------
    beta, vcov : ndarray
    root : ndarray, (p, p)
        K with ``vcov = sigma^2 K K'``.
    gradient : ndarray, (m, p, p)
        Derivatives of ``K^-1 vcov K^-T / sigma^2``, one per variance parameter.
    parameters : VarianceParameters
        With their covariance A, (m, m).
    note : str
    """

    beta: Array
    vcov: Array
    root: Array
    gradient: Array
    parameters: VarianceParameters
    note: str

    @property
    def name(self) -> str:
        """As printed."""
        return "Satterthwaite"

    @property
    def description(self) -> str:
        """In words."""
        return "Satterthwaite's method"

    def se(self, L: Array) -> Array:
        """Standard error of each row of L, (m,)."""
        return standard_errors(L, self.vcov)

    def df(self, L: Array) -> Array:
        """Degrees of freedom of each row of L, (m,)."""
        white = whitened(L, self.root)
        variance = np.einsum("ij,ij->i", white, white)
        gradient = np.array([rowwise(white, G) for G in self.gradient])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(
                2 * variance**2 / np.einsum("mi,mk,ki->i", gradient, self.parameters.covariance, gradient)
            )

    def f_test(self, L: Array, rhs: Array | float = 0.0) -> FTest:
        """F of all rows at once: t statistics along the eigenvectors of ``L vcov L'``, df from theirs.

        F does not depend on the units of the rows of L; the df does a little, by lmerTest's definition.
        """
        rows, t2 = scores(L, self.vcov, L @ self.beta - rhs)
        return FTest(mean(t2), float(t2.size), _joined(self.df(rows)) if t2.size else np.nan)


def _joined(nu: Array) -> float:
    """lmerTest's rule: the df whose F has the expectation of the mean of the squared t's."""
    if np.all(np.isposinf(nu)):
        return np.inf
    if np.all(np.abs(np.diff(nu)) < EQUAL_DF):
        return float(nu.mean())
    if np.any(nu <= 2):
        return 2.0
    above = float(np.sum(2 / (nu - 2)))  # of the expectation, above the number of t's
    return 2 * (nu.size + above) / above


def bind(fit: Fit) -> SatterthwaiteDdf:
    """Curvature of the criterion and gradient of ``Var(beta)`` at the fitted variance parameters."""
    found = without_note(fit)
    return replace(found, note=_note(fit, found.parameters.left_out))


def without_note(fit: Fit) -> SatterthwaiteDdf:
    """The same without a word of what is special, for fits by the thousand."""
    marginal = Marginal.of(fit)
    parameters = VarianceParameters.of(fit, marginal)
    half = derivatives(parameters.criterion, parameters.par, marginal.zvx)
    scale = 2 * np.eye(fit.solution.beta.size)  # log sigma
    return SatterthwaiteDdf(
        beta=fit.solution.beta,
        vcov=fit.vcov,
        root=marginal.root,
        gradient=np.concatenate([half + half.transpose(0, 2, 1), scale[None]]),
        parameters=parameters,
        note="",
    )


def _note(fit: Fit, left_out: Array) -> str:
    words = []
    if is_singular(fit):
        words.append(
            "the fit is singular: the degrees of freedom take variances at zero as known to be zero "
            "(as lmerTest does)"
        )
    if left_out.size:
        values = ", ".join(f"{value:.1e}" for value in left_out[:SHOWN])
        values += ", ..." if left_out.size > SHOWN else ""
        words.append(
            f"the Hessian of the variance parameters is not positive definite: {left_out.size} eigenvalue"
            f"{'s' * (left_out.size > 1)} ({values}) left out (as lmerTest does)"
        )
    return "; ".join(words)
