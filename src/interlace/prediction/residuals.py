"""Fitted values and residuals of the rows of the fit."""

from __future__ import annotations

import numpy as np

from interlace.estimation.fit import Fit
from interlace.options import word
from interlace.prediction.predict import linear_predictor
from interlace.prediction.selection import select

RESIDUAL_KINDS = ("response", "pearson", "standardized")


def fitted(fit: Fit) -> np.ndarray:
    """`X beta + offset + Z b` for the rows of the fit, shape (n,)."""
    return linear_predictor(fit, fit.design, select(fit.encoding, "all"))


def residuals(fit: Fit, *, kind: str = "response") -> np.ndarray:
    """Residuals of the rows of the fit, shape (n,).

    Parameters
    ----------
    kind : {"response", "pearson", "standardized"}
        "response": `y - fitted`. "pearson": `sqrt(w) (y - fitted)`, the same without prior weights.
        "standardized": the Pearson residual divided by sigma, so that it has no unit; lme4's
        `type = "pearson", scaled = TRUE`.
    """
    kind = word("kind of residuals", kind, RESIDUAL_KINDS)
    y = fit.design.y
    if y is None:
        raise AssertionError("a fit has a response")
    response = y - fitted(fit)
    if kind == "response":
        return response
    pearson = response if fit.design.weights is None else np.sqrt(fit.design.weights) * response
    return pearson if kind == "pearson" else pearson / fit.sigma
