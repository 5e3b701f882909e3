"""The statistics behind the lines of a check: normality, spread, influence, order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array, Index
from interlace.estimation.fit import Fit
from interlace.inference.estimates import chi2_p_value, p_values
from interlace.prediction.innovations import innovations
from interlace.prediction.leverage import leverage
from interlace.prediction.ranef import blocks_by_group, conditional_covariance
from interlace.prediction.residuals import fitted, marginal_fitted, residuals
from interlace.prediction.spherical import Spherical
from interlace.refitting.influence import measured
from interlace.refitting.left_out import level_of_rows
from interlace.report.added import constant

SHAPIRO = 5_000  # rows up to which Shapiro and Wilk's test is taken
LACKS = 1e-6  # the share of a column beyond rounding error
EVERY = slice(None)

Rows = slice | NDArray[np.bool_]


def normality(values: Array) -> tuple[str, tuple[float, float]]:
    """Shapiro and Wilk's test; of very many values D'Agostino and Pearson's."""
    from scipy import stats

    if len(values) < 3 or not np.ptp(values) > 0:
        return "W", (np.nan, np.nan)
    if len(values) <= SHAPIRO:
        found = stats.shapiro(values)
        return "W", (float(found.statistic), float(found.pvalue))
    found = stats.normaltest(values)
    return "chisq(2)", (float(found.statistic), float(found.pvalue))


def breusch_pagan(fit: Fit, rows: Rows = EVERY) -> tuple[float, float]:
    """Of squared Pearson residuals on fitted values, as R's performance has it; of some rows."""
    u = residuals(fit, kind="pearson") ** 2
    u = (u / (fit.scale * (fit.A.n - len(fit.names) - fit.criterion.parameters.counted - 1) / fit.A.n))[rows]
    x = fitted(fit)[rows]
    x = x - x.mean()
    size = float(x @ x)
    if not size > 0:
        return np.nan, np.nan
    chisq = float(x @ u) ** 2 / size / 2
    return chisq, float(chi2_p_value(chisq, 1))


def standardized_modes(fit: Fit, blocks: list[int]) -> tuple[Array, Array, int]:
    """Conditional modes over their own standard deviation, (levels, k), and ``u'Var(u)^-1 u``, (levels,).

    ``Var`` is that of the conditional modes, the covariance of the random effects less the conditional one.
    """
    group = fit.encoding.random[blocks[0]].group
    b = np.hstack([fit.solution.b[i] for i in blocks])
    G = np.zeros((b.shape[1],) * 2)
    at = 0
    for i in blocks:
        T = fit.solution.factors[i]
        G[at : at + len(T), at : at + len(T)] = fit.scale * T @ T.T
        at += len(T)
    prior = np.diagonal(G)
    var = G - conditional_covariance(fit)[group]
    own = np.diagonal(var, axis1=1, axis2=2)
    z = np.full(b.shape, np.nan)
    known = own > 1e-9 * np.where(prior > 0, prior, np.inf)
    z[known] = b[known] / np.sqrt(own[known])
    unit = np.sqrt(np.where(own > 0, own, 1.0))
    R = var / (unit[:, :, None] * unit[:, None, :])
    value, vectors = np.linalg.eigh(R)
    share = np.einsum("lij,li->lj", vectors, b / unit)
    kept = value > 1e-6
    distance = np.where(kept, share**2 / np.where(kept, value, 1.0), 0.0).sum(axis=1)
    rank = int(kept.sum(axis=1).max(initial=0))
    whole = known.all(axis=1) & (kept.sum(axis=1) == rank)
    return z, np.where(whole, distance, np.nan), max(rank, 1)


def bartlett(fit: Fit, codes: Index, rows: Rows = EVERY) -> tuple[tuple[float, float], Array, Index, Array]:
    """Bartlett's test of one variance for all levels, of residuals of a regression within each.

    Where that leaves random effects in them (of another factor that varies within the levels, or of a column
    that the fixed part lacks), and of some rows, it is of conditional residuals, which have about ``sum of
    1 - h`` degrees of freedom in a level.

    Returns
    -------
    found : statistic and p
    deviation : ndarray
        Sums of squares of the levels over the pooled variance.
    there : ndarray of int
        Levels with two degrees of freedom or more.
    df : ndarray
    """
    whole = isinstance(rows, slice) and _regressions_are_enough(fit, codes)
    squares, df = (_within if whole else _conditional)(fit, codes, rows)
    there = np.flatnonzero((df >= 2) & (squares > 0))
    if len(there) < 2:
        return (np.nan, np.nan), np.zeros(0), there[:0], np.zeros(0)
    ss, v = squares[there], df[there]
    pooled = ss.sum() / v.sum()
    correction = 1 + ((1 / v).sum() - 1 / v.sum()) / (3 * (len(v) - 1))
    chisq = max((v.sum() * np.log(pooled) - (v * np.log(ss / v)).sum()) / correction, 0.0)
    return (float(chisq), float(chi2_p_value(chisq, len(v) - 1))), ss / pooled, there, v


def _regressions_are_enough(fit: Fit, codes: Index) -> bool:
    """Do they take all random effects out?"""
    Q = np.linalg.qr(np.column_stack([np.ones(len(codes)), fit.X]))[0]
    for part in fit.design.random:
        z = np.asarray(part.z)
        left = np.linalg.norm(z - Q @ (Q.T @ z), axis=0)
        if not constant(part.codes, codes) or (left > LACKS * np.linalg.norm(z, axis=0)).any():
            return False
    return True


def _within(fit: Fit, codes: Index, rows: Rows) -> tuple[Array, Array]:
    """Sums of squares of the levels and their degrees of freedom."""
    from interlace.prediction.least_squares import WithinLevels

    within = WithinLevels.of(fit, codes)
    w = np.ones(fit.A.n) if fit.design.weights is None else fit.design.weights
    squares = np.bincount(codes, weights=w * within.residuals**2)
    return np.asarray(squares, dtype=float), np.rint(np.bincount(codes, weights=within.left))


def _conditional(fit: Fit, codes: Index, rows: Rows) -> tuple[Array, Array]:
    """The same of conditional residuals."""
    some, left = codes[rows], 1 - leverage(fit)["overall"]
    squares = residuals(fit, kind="pearson") ** 2
    levels = int(codes.max()) + 1
    sums = [np.bincount(some, weights=values[rows], minlength=levels) for values in (squares, left)]
    return np.asarray(sums[0], dtype=float), np.asarray(sums[1], dtype=float)


def chi2_tail(value: Array, df: Array) -> Array:
    from scipy import special

    return np.asarray(special.chdtr(df, value))


def influenced(fit: Fit, one: Any) -> tuple[float, float]:
    """Cook's distance of a deletion, and how often the change of the coefficients is as large by chance.

    ``Var(beta - beta_(a)) = C_(a) - C``, as beta is the best estimate.
    """
    kept = list(one.kept)
    d, C = fit.solution.beta[kept] - one.beta, fit.vcov[np.ix_(kept, kept)]
    unit = 1 / np.sqrt(np.diagonal(C))
    value, vectors = np.linalg.eigh((one.vcov - C) * np.outer(unit, unit))
    there = value > 1e-8
    chisq = float((((vectors.T @ (d * unit))[there]) ** 2 / value[there]).sum())
    p = float(chi2_p_value(chisq, int(there.sum()))) if there.any() else 1.0
    return measured(fit, one, np.arange(len(fit.names)))[0], p


def means_of(x: Array, codes: Index) -> Array:
    """The mean of the level of each row."""
    rows = np.bincount(codes)
    sums = np.bincount(codes, weights=x)
    return sums[codes] / rows[codes]


def autocorrelation(fit: Fit, order: Any, some: Rows = EVERY) -> tuple[float, float]:
    """Correlation of neighbours within levels of the innermost factor, of residuals in that order.

    The residuals are those by Cholesky factor with rows in the order, which are independent where the model
    holds; p is by the normal distribution of the sum of their products. Of neighbours that are both among
    some rows.
    """
    place = level_of_rows(fit, order, "order")
    groups = blocks_by_group(fit)
    inner = max(groups.values(), key=lambda blocks: len(fit.encoding.random[blocks[0]].levels))[0]
    codes = fit.design.random[inner].codes
    rows = np.lexsort((place, codes))
    w = fit.design.weights
    y = fit.design.y
    assert y is not None
    r = (y - marginal_fitted(fit)) / fit.sigma * (1.0 if w is None else np.sqrt(w))
    e = innovations(Spherical.of(fit).taken(rows), r[rows])
    here = np.zeros(len(rows), dtype=bool)
    here[some] = True
    here = here[rows]
    same = (codes[rows][1:] == codes[rows][:-1]) & here[1:] & here[:-1]
    if not same.any():
        return np.nan, np.nan
    sums = float((e[1:] * e[:-1])[same].sum())
    z = sums / np.sqrt(same.sum())
    return sums / float((e[here] ** 2).mean() * same.sum()), float(p_values(np.array([z]), np.inf)[0])
