"""What the likelihood says about a fit as a whole: log-likelihood, deviance, AIC, BIC, degrees of freedom."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array
from interlace.errors import ConvergenceWarning, ModelError, warn
from interlace.estimation.any_fit import AnyFit
from interlace.estimation.fit import Fit

# A likelihood-ratio statistic this far below zero, and this share of the log-likelihood, is rounding error.
ROUNDING = 1e-6, 1e-10


def n_obs(fit: AnyFit) -> int:
    """Number of rows the fit was made from."""
    return fit.rows.n


def n_parameters(fit: AnyFit) -> int:
    """Number of estimated parameters: fixed effects, those of absorbed levels included, those of the
    covariances, and sigma."""
    return fit.n_parameters


def df_resid(fit: AnyFit) -> int:
    """n minus the number of parameters, as lme4's `df.residual`."""
    return n_obs(fit) - n_parameters(fit)


def reml_criterion(fit: Fit) -> float:
    """-2 times the restricted log-likelihood; only of a REML fit."""
    if not fit.reml:
        raise ModelError(
            "the model was fitted by maximum likelihood: it has a deviance, not a REML criterion"
        )
    return fit.optimum.value


def deviance(fit: Fit) -> float:
    """-2 times the (unrestricted) log-likelihood, profiled over sigma, at the fitted theta.

    `ldL2 + n (1 + log(2 pi pwrss / n)) - sum(log w)`: the minimum for an ML fit; for a REML fit
    the value at the REML estimate of theta, lme4's `deviance(m, REML = FALSE)`.
    """
    if not fit.reml:
        return fit.optimum.value
    n, log_weights = n_obs(fit), fit.criterion.system.A.products.sum_log_w
    return float(fit.solution.ldL2 + n * (1 + math.log(2 * math.pi * fit.solution.pwrss / n)) - log_weights)


def linear_criterion(fit: Fit, Y: Array) -> Array:
    """The criterion of the linear model without random effects for each row of Y, (r, n); (r,).

    ``d (1 + log(2 pi rss / d)) + log det X'WX - sum(log w)`` with d = n - p for REML, and d = n and no
    determinant for maximum likelihood.
    """
    if fit.encoding.absorbed:
        raise ModelError("the criterion of the linear model with absorbed factors is not there")
    design = fit.design.selected(fit.kept)
    root = np.ones(design.nrows) if design.weights is None else np.sqrt(design.weights)
    y = (Y if design.offset is None else Y - design.offset) * root
    Q, R = np.linalg.qr(fit.X * root[:, None])
    rss = np.sum((y - (y @ Q) @ Q.T) ** 2, axis=1)
    d = fit.rows.n - (R.shape[1] if fit.reml else 0)
    log_det = 2 * np.sum(np.log(np.abs(np.diagonal(R)))) if fit.reml else 0.0
    return np.asarray(d * (1 + np.log(2 * np.pi * rss / d)) + log_det - 2 * np.sum(np.log(root)))


def likelihood_ratio(larger: Array | float, smaller: Array | float) -> Array:
    """Twice the difference of two log-likelihoods, zero where the smaller model has the higher one."""
    return np.maximum(2 * (np.asarray(larger) - smaller), 0.0)


def is_lower(larger: Array | float, smaller: Array | float) -> NDArray[np.bool_]:
    """Whether the log-likelihood of the larger model is lower, by more than rounding error."""
    absolute, share = ROUNDING
    return np.asarray(2 * (np.asarray(smaller) - larger) > absolute + share * np.abs(larger))


def warn_if_lower(larger: float, smaller: Mapping[str, float]) -> None:
    """Of models nested in the larger one, by the name of what was left out: none should fit better."""
    better = [name for name, value in smaller.items() if is_lower(larger, value)]
    if better:
        warn(
            f"the log-likelihood of the model ({larger:.6g}) is lower than without {', '.join(better)} "
            f"({max(smaller[name] for name in better):.6g}), so it is not the model's maximum: the search "
            "ended early or at a local one. Their statistics are shown as zero; look for effects that the "
            "data cannot tell apart",
            ConvergenceWarning,
        )


def aic(fit: AnyFit) -> float:
    """-2 loglik + 2 (number of parameters); of a REML fit with the restricted log-likelihood, as in lme4."""
    return -2 * fit.loglik + 2 * n_parameters(fit)


def bic(fit: AnyFit) -> float:
    """-2 loglik + log(n) (number of parameters); of a REML fit with the restricted log-likelihood."""
    return -2 * fit.loglik + math.log(n_obs(fit)) * n_parameters(fit)
