"""Fitted values and residuals of the rows of the fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from interlace.design.design import Design
from interlace.design.rows import per_row
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.options import word
from interlace.prediction.innovations import innovations
from interlace.prediction.leverage import Leverages, fixed_leverage
from interlace.prediction.predict import fixed_part, linear_predictor
from interlace.prediction.selection import Part, select
from interlace.prediction.spherical import Spherical

PLAIN = ("response", "pearson", "standardized")
STUDENTIZED = ("studentized", "externally-studentized")
MARGINAL = ("marginal", "marginal-pearson", "marginal-studentized", "marginal-cholesky")
RESIDUAL_KINDS = (*PLAIN, *STUDENTIZED, *MARGINAL)
SMALLEST = 1e-12  # of what a fit leaves of a row: below it the row is fitted whatever its response


def fitted(fit: Fit) -> np.ndarray:
    """`X beta + offset + Z b` for the rows of the fit, shape (n,)."""
    parts = select(fit.encoding, "all")
    return per_row(fit.rows, lambda design: linear_predictor(fit, design, parts))


def marginal_fitted(fit: Fit) -> np.ndarray:
    """`X beta + offset` for the rows of the fit, shape (n,)."""
    return per_row(fit.rows, lambda design: fixed_part(fit, design))


def residuals(fit: Fit, *, kind: str = "response") -> np.ndarray:
    """Residuals of the rows of the fit, shape (n,).

    Parameters
    ----------
    kind : str
        "response": `y - fitted`. "pearson": `sqrt(w) (y - fitted)`, the same without prior weights.
        "standardized": the Pearson residual divided by sigma, so that it has no unit; lme4's
        `type = "pearson", scaled = TRUE`. The others are those of `_Studentized`, `_Marginal` and
        `_innovations`.
    """
    kind = word("kind of residuals", kind, RESIDUAL_KINDS)
    if kind == "marginal-cholesky":
        return _innovations(fit)
    return per_row(fit.rows, residuals_by_chunk(fit, kind))


def residuals_by_chunk(fit: Fit, kind: str) -> Callable[[Design], np.ndarray]:
    """What gives the residuals of some of the rows, (n,).

    Raises
    ------
    DataError
        The kind is not known, or its residuals are not of rows one by one.
    """
    kind = word("kind of residuals", kind, [one for one in RESIDUAL_KINDS if one != "marginal-cholesky"])
    if kind in MARGINAL:
        return _Marginal(fit, kind, Leverages(fit))
    if kind in STUDENTIZED:
        return _Studentized(fit, kind, Leverages(fit))
    return partial(_residuals, fit, select(fit.encoding, "all"), kind)


def _residuals(fit: Fit, parts: Sequence[Part], kind: str, design: Design) -> np.ndarray:
    assert design.y is not None
    response: np.ndarray = design.y - linear_predictor(fit, design, parts)
    if kind == "response":
        return response
    pearson = response if design.weights is None else np.sqrt(design.weights) * response
    return np.asarray(pearson if kind == "pearson" else pearson / fit.sigma)


@dataclass(frozen=True, slots=True)
class _Studentized:
    """Conditional residuals over their standard deviation, ``e / sqrt(diag(R P R))``, shape (n,).

    ``R = sigma^2 W^-1`` and ``diag(R P R) = sigma^2 (1 - h) / w`` for the leverage h.
    "externally-studentized" has the sigma that the other rows give at the same theta:
    ``sigma_(i)^2 = (pwrss - w e^2 / (1 - h)) / (df - 1)``. NaN where ``h = 1``.
    """

    fit: Fit
    kind: str
    leverages: Leverages

    def __call__(self, design: Design) -> np.ndarray:
        fit = self.fit
        left = 1 - self.leverages(design)["overall"]
        standardized = _residuals(fit, select(fit.encoding, "all"), "standardized", design)
        return over_their_deviation(standardized, left, fit.criterion.df, self.kind)


def over_their_deviation(standardized: np.ndarray, left: np.ndarray, df: int, kind: str) -> np.ndarray:
    """`studentized` from residuals over sigma, ``1 - h`` and the degrees of freedom, (n,)."""
    inner = _over(standardized, left)
    if kind == "studentized":
        return inner
    share = df - inner**2
    out = np.full(len(inner), np.nan)
    there = share > SMALLEST * df
    out[there] = inner[there] * np.sqrt((df - 1) / share[there])
    return out


@dataclass(frozen=True, slots=True)
class _Marginal:
    """``r = y - offset - X beta`` and what is made of it, shape (n,).

    With V the covariance of y and C that of beta: "marginal-pearson" is ``r / sqrt(diag V)``,
    "marginal-studentized" is ``r / sqrt(diag(V - X C X'))``.
    """

    fit: Fit
    kind: str
    leverages: Leverages

    def __call__(self, design: Design) -> np.ndarray:
        r = _left(self.fit, design)
        if self.kind == "marginal":
            return r
        prior = self.leverages(design)["ranef_uc"]
        variance = 1 + (prior if design.weights is None else design.weights * prior)
        if self.kind == "marginal-studentized":
            variance = variance - fixed_leverage(self.fit, design)
        return _over(_scaled(self.fit, design, r), variance)


def _innovations(fit: Fit) -> np.ndarray:
    """``L^-1 r`` for ``V = L L'`` with rows in their own order, shape (n,)."""
    design = fit.design
    return innovations(Spherical.of(fit), _scaled(fit, design, _left(fit, design)))


def _left(fit: Fit, design: Design) -> np.ndarray:
    assert design.y is not None
    return np.asarray(design.y - fixed_part(fit, design))


def _scaled(fit: Fit, design: Design, r: np.ndarray) -> np.ndarray:
    return (r if design.weights is None else np.sqrt(design.weights) * r) / fit.sigma


def _over(values: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Over the root of a variance; NaN where it is zero."""
    out = np.full(len(values), np.nan)
    there = variance > SMALLEST
    out[there] = values[there] / np.sqrt(variance[there])
    return out
