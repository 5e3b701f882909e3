"""Would the fixed part be better with a column more? Tests at the fitted theta, without fitting again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from interlace.arrays import Array, Index
from interlace.estimation.fit import Fit
from interlace.estimation.penalized import Solution
from interlace.inference.estimates import p_values
from interlace.prediction.residuals import residuals

NOTHING = 1e-8  # of a column's sum of squares: what the fixed part leaves of it is rounding error


def added(fit: Fit, z: Array) -> tuple[float, float, float]:
    """t, degrees of freedom and p of a column z added to the fixed part; NaN where it is there already.

    With P of the fitted theta the coefficient is ``z'Py / z'Pz``. Sigma is estimated anew, so that t is that
    of the model with z at the same theta: ``t = s sqrt((df - 1) / (df - s^2))`` for
    ``s = z'Py / (sigma sqrt(z'Pz))``. z'Pz is the penalised sum of squares of z as a response.
    """
    design = fit.design
    z = z - z.mean()
    size = np.linalg.norm(z)
    if not size > 0:
        return np.nan, np.nan, np.nan
    z = z / size
    w = np.ones(len(z)) if design.weights is None else design.weights
    if _spanned(fit, z, w):
        return np.nan, np.nan, np.nan
    A = fit.A.with_response(fit.encoding, replace(design.selected(fit.kept), y=z, offset=None))
    left = Solution.at(fit.criterion.system.with_products(A), fit.solution.factors).pwrss
    if left <= NOTHING * float(w @ z**2):
        return np.nan, np.nan, np.nan
    s = float(w * z @ residuals(fit)) / (fit.sigma * np.sqrt(left))
    df = fit.criterion.df
    t = s * np.sqrt(max(df - 1, 1) / max(df - s**2, 1e-12))
    free = _free(fit, z)
    return float(t), float(free), float(p_values(np.array([t]), free)[0])


def _spanned(fit: Fit, z: Array, w: Array) -> bool:
    """Is z a combination of the columns of X?"""
    root = np.sqrt(w)
    X = root[:, None] * fit.X
    beta = np.linalg.lstsq(X, root * z, rcond=None)[0]
    return bool(np.linalg.norm(root * z - X @ beta) < 1e-6 * np.linalg.norm(root * z))


def _free(fit: Fit, z: Array) -> int:
    """Degrees of freedom: of levels where z does not vary within levels of a factor, else of rows."""
    X = fit.X
    least = len(z) - X.shape[1] - 1
    for block, rows in zip(fit.encoding.random, fit.design.random, strict=True):
        if constant(z, rows.codes):
            between = sum(constant(column, rows.codes) for column in X.T)
            least = min(least, len(block.levels) - between - 1)
    return int(max(least, 1))


def constant(z: Array, codes: Index) -> bool:
    """Has every level one value?"""
    first = np.zeros(int(codes.max()) + 1, dtype=z.dtype)
    first[codes] = z
    return bool(np.allclose(first[codes], z, rtol=1e-9, atol=1e-12))


def numbers(fit: Fit) -> dict[str, Array]:
    """The columns of numbers that the fixed part uses, at the rows of the fit."""
    columns = fit.design.frame.columns
    return {
        name: np.asarray(columns[name], dtype=np.float64)
        for name in fit.encoding.covariates
        if name in columns
    }
