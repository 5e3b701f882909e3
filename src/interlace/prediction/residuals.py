"""Fitted values and residuals of the rows of the fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interlace.design.design import Design
from interlace.design.rows import per_row
from interlace.estimation.fit import Fit
from interlace.options import word
from interlace.prediction.predict import linear_predictor
from interlace.prediction.selection import Part, select

RESIDUAL_KINDS = ("response", "pearson", "standardized")


def fitted(fit: Fit) -> np.ndarray:
    """`X beta + offset + Z b` for the rows of the fit, shape (n,)."""
    parts = select(fit.encoding, "all")
    return per_row(fit.rows, lambda design: linear_predictor(fit, design, parts))


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
    parts = select(fit.encoding, "all")
    return per_row(fit.rows, lambda design: _residuals(fit, design, parts, kind))


def _residuals(fit: Fit, design: Design, parts: Sequence[Part], kind: str) -> np.ndarray:
    assert design.y is not None
    response = design.y - linear_predictor(fit, design, parts)
    if kind == "response":
        return response
    pearson = response if design.weights is None else np.sqrt(design.weights) * response
    return pearson if kind == "pearson" else pearson / fit.sigma
