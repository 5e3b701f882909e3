"""How much of the variance is explained: Nakagawa's R2 and the intraclass correlation."""

from __future__ import annotations

import numpy as np

from interlace.design.rows import selected
from interlace.errors import DataError, InterlaceWarning, shown, warn
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.options import number
from interlace.precision.singular import TOLERANCE, singular_terms
from interlace.precision.unidentified import changes_covariance, unidentified_line, unknown_entries
from interlace.prediction.predict import absorbed_part


@dataclass(frozen=True, slots=True)
class Variances:
    """The parts of the variance of a response (Nakagawa and Schielzeth 2013, Johnson 2014).

    Attributes
    ----------
    fixed : float
        Sample variance of `X beta` over the rows, the offset left out.
    random : float
        Mean over the rows of `z' Sigma z`, summed over the random terms; NaN for a singular fit.
    by_group : dict of str to float
        Variance of the random effects of each grouping factor. NaN for a factor with slopes: their variance
        depends on the row, and that of the intercept is at zero of the predictors, wherever that lies.
    residual : float
        sigma^2, of an observation of weight 1.
    """

    fixed: float
    random: float
    by_group: dict[str, float]
    residual: float


def variances(fit: Fit, *, tolerance: float = TOLERANCE) -> Variances:
    """The parts of the variance; `random` is NaN where the fit is singular, see `singular_terms`.

    Warns
    -----
    InterlaceWarning
        For a singular fit.
    """
    if number("tolerance", tolerance) < 0:
        raise DataError(f"tolerance must not be negative: {shown(tolerance)}")
    solution = fit.solution
    mean, squares, own = _over_rows(fit)
    random = 0.0
    by_group: dict[str, float] = {}
    unknown = unknown_entries(fit)
    for i, (block, T) in enumerate(zip(fit.encoding.random, solution.factors, strict=True)):
        random += fit.scale * float(squares[i]) / fit.rows.n
        told = block.columns == ("Intercept",) and not unknown[i].any()
        variance = fit.scale * float(np.square(T).sum()) * float(own[i]) if told else np.nan
        by_group[block.group] = by_group.get(block.group, 0.0) + variance
    zero = [str(term) for term in singular_terms(fit, tolerance)] if tolerance else []
    if zero:
        warn(
            f"the fit is singular ({', '.join(zero)}): the variance of the random effects is not given, "
            "nor what depends on it; use a simpler random part, or tolerance=0 to take the estimates as "
            "they are",
            InterlaceWarning,
        )
        random = np.nan
    if changes_covariance(fit):
        warn(
            f"{unidentified_line(fit)}: the variance of the random effects is not given, nor what depends on "
            "it",
            InterlaceWarning,
        )
        random = np.nan
    return Variances(float(mean.var(ddof=1)), random, by_group, fit.scale)


def _level_variances(fit: Fit, i: int, codes: np.ndarray) -> np.ndarray:
    """The variance of the level of each row in units of that of the term: 1, but for a known covariance."""
    system = fit.criterion.system
    variance = system.variance(system.A.layout.places[i].group)
    return np.ones(len(codes)) if variance is None else variance[codes]


def _over_rows(fit: Fit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`X beta` of each row; for each random term the sum over the rows of ``|z' T|^2`` times the variance of
    the level, and the mean of these variances."""
    kept, factors = selected(fit.rows, fit.kept), fit.solution.factors
    means, squares, own = [], np.zeros(len(factors)), np.zeros(len(factors))
    for design in kept.designs():
        means.append(design.fixed.times(fit.solution.beta) + absorbed_part(fit, design))
        for i, (part, T) in enumerate(zip(design.random, factors, strict=True)):
            variance = _level_variances(fit, i, part.codes)
            squares[i] += float((np.square(part.z @ T).sum(axis=1) * variance).sum())
            own[i] += float(variance.sum())
    return np.concatenate(means), squares, own / fit.rows.n


def r2(fit: Fit, *, tolerance: float = TOLERANCE) -> dict[str, float]:
    """Nakagawa's R2: the share of the variance explained by the fixed part, and by the model as a whole.

    Returns
    -------
    dict
        "marginal": `fixed / (fixed + random + residual)`; "conditional": `(fixed + random) / (the same)`. For
        a singular fit, as performance has it, the conditional one is NaN and the marginal one leaves
        `random` out. Both are NaN where the data cannot tell a variance that is part of `random`.
    """
    v = variances(fit, tolerance=tolerance)
    if changes_covariance(fit):
        return {"marginal": np.nan, "conditional": np.nan}
    if np.isnan(v.random):
        return {"marginal": v.fixed / (v.fixed + v.residual), "conditional": np.nan}
    total = v.fixed + v.random + v.residual
    return {"marginal": v.fixed / total, "conditional": (v.fixed + v.random) / total}


def icc(fit: Fit, *, tolerance: float = TOLERANCE) -> dict[str, float | dict[str, float]]:
    """Intraclass correlation: the share of the random effects in the variance.

    Returns
    -------
    dict
        "adjusted": `random / (random + residual)`; "unadjusted": `random / (fixed + random + residual)`;
        "by_group": for each grouping factor with random intercepts alone, their variance over
        `random + residual`; NaN where it has slopes. All are NaN for a singular fit.
    """
    v = variances(fit, tolerance=tolerance)
    within = v.random + v.residual
    return {
        "adjusted": v.random / within,
        "unadjusted": v.random / (v.fixed + within),
        "by_group": {group: variance / within for group, variance in v.by_group.items()},
    }
