"""Linear functions of the fixed effects: the one currency of everything that is said about beta."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError
from interlace.estimation.any_fit import AnyFit
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.precision.df import Asymptotic
from interlace.precision.unidentified import rest_together
from interlace.precision.wald import Ddf
from interlace.tables.table import Table

LEVEL = 0.95  # of intervals, where nothing is said


@dataclass(frozen=True, slots=True)
class LinearEstimates:
    """Estimates `L beta` with their covariance and degrees of freedom; closed under taking rows (`contrast`).

    Attributes
    ----------
    labels : tuple of str
        One name per row of `L`.
    L : ndarray, shape (m, p)
        The linear functions, over the columns of X that are in the model.
    estimate : ndarray, shape (m,)
        `L beta`.
    ddf : Ddf
        Covariance of beta, and degrees of freedom of any linear function.
    """

    labels: tuple[str, ...]
    L: np.ndarray
    estimate: np.ndarray
    ddf: Ddf

    @property
    def vcov(self) -> np.ndarray:
        """`L Var(beta) L'`, shape (m, m); NaN where it rests on variances that the data cannot tell."""
        return np.where(rest_together(self.ddf, self.L), np.nan, self.L @ self.ddf.vcov @ self.L.T)

    @property
    def df(self) -> np.ndarray:
        """Degrees of freedom of each estimate, shape (m,)."""
        return self.ddf.df(self.L)

    @property
    def se(self) -> np.ndarray:
        """Standard errors, the roots of the diagonal of `vcov`; NaN where there is none."""
        return self.ddf.se(self.L)

    @property
    def statistic(self) -> np.ndarray:
        """Estimate over standard error (NaN where both are zero)."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return np.asarray(self.estimate / self.se)

    def contrast(self, C: np.ndarray, labels: Sequence[str]) -> LinearEstimates:
        """The estimates `C L beta`, for `C` of shape (rows, m)."""
        C = np.atleast_2d(np.asarray(C, dtype=np.float64))
        if C.shape != (len(labels), len(self.labels)):
            raise DataError(
                f"a contrast of {len(self.labels)} estimates with {len(labels)} labels needs a matrix "
                f"of shape ({len(labels)}, {len(self.labels)}), not {C.shape}"
            )
        return LinearEstimates(tuple(labels), C @ self.L, C @ self.estimate, self.ddf)

    def table(self) -> Table:
        """One row per estimate: `estimate`, `se`, `df`, `t`, `p`, with the note of the method."""
        t, df = self.statistic, self.df
        columns = {"estimate": self.estimate, "se": self.se, "df": df, "t": t, "p": p_values(t, df)}
        return Table.of(columns, self.labels, note=self.ddf.note)

    def whole_table(self, level: float) -> Table:
        """The same with the confidence interval, `lower` and `upper`; a level that is not 0.95 is said."""
        table = self.table()
        lower, upper = self.interval(level)
        said = "" if level == LEVEL else f"{100 * level:g} % confidence intervals"
        columns = {**dict(table), "lower": lower, "upper": upper}
        return Table.of(columns, self.labels, note=[self.ddf.note, said])

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends of the confidence intervals, one at a time."""
        half = t_quantile((1 + level) / 2, self.df) * self.se
        return self.estimate - half, self.estimate + half


def fixed_effects(fit: AnyFit, ddf: Ddf) -> LinearEstimates:
    """The coefficients themselves: `L` is the identity."""
    beta = fit.solution.beta
    return LinearEstimates(fit.names, np.eye(beta.size), beta, ddf)


def by_the_model(fit: Fit) -> LinearEstimates:
    """The coefficients with ``Var(beta) = sigma^2 (RX'RX)^-1`` and infinite degrees of freedom."""
    return fixed_effects(fit, Asymptotic().bind(fit))


def _special() -> Any:
    """`scipy.special`, from the first p-value on: it takes longer to import than most models to be fitted."""
    from scipy import special

    return special


def p_values(statistic: Array, df: Array | float) -> Array:
    """Two-sided p-values of t statistics; the normal distribution where `df` is infinite, NaN where it is."""
    size = -np.abs(np.asarray(statistic, dtype=np.float64))
    finite = ~np.isinf(df)
    return np.asarray(
        np.where(finite, 2 * _special().stdtr(np.where(finite, df, 1.0), size), 2 * _special().ndtr(size))
    )


def f_p_value(F: Array | float, num_df: Array | float, den_df: Array | float) -> Array:
    """Upper tail of F; that of chi-square over its df where `den_df` is infinite, NaN where it is."""
    F, num_df = np.asarray(F, dtype=np.float64), np.asarray(num_df, dtype=np.float64)
    finite = ~np.isinf(den_df)
    tail = _special().fdtrc(num_df, np.where(finite, den_df, 1.0), F)
    return np.where(finite, tail, chi2_p_value(F * num_df, num_df))


def chi2_p_value(statistic: Array | float, df: Array | float) -> Array:
    """Upper tail of the chi-square distribution; 1 for 0 df."""
    statistic, df = np.asarray(statistic, dtype=np.float64), np.asarray(df, dtype=np.float64)
    return np.where(df > 0, _special().chdtrc(df, statistic), 1.0)


def gamma_p_value(statistic: Array | float, mean: float, variance: float) -> Array:
    """Upper tail of the gamma distribution with this mean and variance; NaN without variance."""
    if not variance > 0:
        return np.full(np.shape(statistic), np.nan)
    return np.asarray(_special().gammaincc(mean**2 / variance, np.asarray(statistic) * mean / variance))


def t_quantile(probability: float, df: Array | float) -> Array:
    """Quantile of the t distribution; the normal one where `df` is infinite, NaN where it is."""
    finite = ~np.isinf(df)
    t, normal = _special().stdtrit(np.where(finite, df, 1.0), probability), _special().ndtri(probability)
    return np.asarray(np.where(finite, t, normal))
