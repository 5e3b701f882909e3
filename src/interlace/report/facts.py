"""What a print of a model shows, as data; `summary` adds the words."""

from __future__ import annotations

import pandas as pd

from interlace.frozen import dataclass
from interlace.report.convergence import Convergence
from interlace.variances.varcorr import Component

MAX_CORRELATION = 20  # more coefficients than this, and their correlations are printed when asked for only


@dataclass(frozen=True, slots=True)
class OverviewFacts:
    """What a short print of a model and its summary both show.

    Attributes
    ----------
    title, formula, data : str
        Method of estimation, the formula as it was written, and the name of the data ("" when it has none).
    criteria : dict of str to float
        "REML criterion" of a REML fit; AIC, BIC, logLik, deviance and df.resid of an ML fit.
    components : tuple of Component
        Covariance matrices of the random-effects terms, in lme4's order.
    sigma : float
        Residual standard deviation.
    nobs, n_missing : int
        Rows used, and rows left out because of missing values.
    ngroups : dict of str to int
        Number of levels of each grouping factor.
    known : tuple of str
        Grouping factors whose levels have a known covariance.
    fixef : pandas.Series
        Coefficients of the fixed effects.
    dropped : tuple of str
        Columns of X left out because they are linear combinations of earlier ones.
    singular : str
        One line on a singular fit and what to do about it; "" for other fits.
    polynomials : tuple of str
        Factors whose columns are polynomials because they are ordered.
    unidentified : str
        One line on variances that the data cannot tell; "" where they tell all.
    absorbed : tuple of str
        Lines on the absorbed factors, their levels and rank.
    """

    title: str
    formula: str
    data: str
    criteria: dict[str, float]
    components: tuple[Component, ...]
    sigma: float
    nobs: int
    n_missing: int
    ngroups: dict[str, int]
    known: tuple[str, ...]
    fixef: pd.Series
    dropped: tuple[str, ...]
    singular: str
    polynomials: tuple[str, ...]
    unidentified: str
    absorbed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SummaryFacts:
    """All of `OverviewFacts`, with residuals, standard errors, correlations and the facts of convergence.

    Attributes
    ----------
    overview : OverviewFacts
    scaled_residuals : dict of str to float
        Min, 1Q, Median, 3Q, Max of the standardized residuals; nothing where the rows cannot be read.
    coefficients : pandas.DataFrame
        One row per coefficient: `estimate`, `se`, `df`, `t`, `p`.
    correlation : pandas.DataFrame
        Correlation matrix of the fixed effects.
    convergence : Convergence
    tests : str
        What the t tests use.
    note : str
        What a reader of their degrees of freedom must know; "" if nothing.
    stars : bool
        Whether stars are printed beside the p-values.
    correlation_asked : bool or None
        Whether the correlations are printed; None: where they are not too many.
    """

    overview: OverviewFacts
    scaled_residuals: dict[str, float]
    coefficients: pd.DataFrame
    correlation: pd.DataFrame
    convergence: Convergence
    tests: str
    note: str
    stars: bool
    correlation_asked: bool | None

    @property
    def correlation_shown(self) -> bool:
        """Whether the correlations are printed."""
        p = len(self.correlation)
        return p > 1 and (p <= MAX_CORRELATION if self.correlation_asked is None else self.correlation_asked)
