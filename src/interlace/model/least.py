"""The linear model without random effects that a user holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd

from interlace.errors import DataError, shown
from interlace.estimation.fit import Fit
from interlace.estimation.ols import LeastSquaresFit
from interlace.hints import answers_by_name
from interlace.inference import anova
from interlace.inference.contrast import ContrastTest, Hypothesis, contrast_test
from interlace.inference.estimates import fixed_effects
from interlace.model.means import Means
from interlace.options import number
from interlace.precision.df import DdfLike, VcovLike
from interlace.precision.memory import Memory
from interlace.precision.ols_covariance import KINDS, ResidualDdf, bind
from interlace.precision.robust import MODEL
from interlace.precision.small_sample import SmallSample
from interlace.prediction import per_row as rows
from interlace.prediction import predict, residuals
from interlace.prediction.absorbed_levels import level_table
from interlace.report.ols_summary import LinearSummary, summarised
from interlace.tables.table import Table

_ELSEWHERE = {
    "hetero": "HC1",
    "robust": "HC1",
    "white": "HC1",
    "cluster": "CR1",
    "twoway": "CR1",
    "crv1": "CR1",
    "crv3": "CR3",
    "standard": "iid",
    "nonrobust": "iid",
    "ols": "iid",
}


def covariance_kind(vcov: Any, cluster: Any) -> str:
    """The kind of covariance that is asked for; without one "iid", or "CR1" with clusters.

    Raises
    ------
    DataError
        It is not known, or has clusters where there are none.
    """
    if vcov is None:
        return "iid" if cluster is None else "CR1"
    if not isinstance(vcov, str):
        raise DataError(
            f"vcov must be one of {', '.join(KINDS)}, not {shown(vcov)}; clusters are given by cluster='firm'"
        )
    kind = next((one for one in KINDS if one.lower() == vcov.strip().lower()), None)
    if kind is None:
        known = _ELSEWHERE.get(vcov.strip().lower())
        hint = f": did you mean '{known}'?" if known else ""
        raise DataError(f"vcov {shown(vcov)} is not known{hint} (there are {', '.join(KINDS)})")
    if cluster is not None and not kind.startswith("CR"):
        raise DataError(f"vcov='{kind}' has no clusters; leave cluster out, or take 'CR1' or 'CR3'")
    return kind


class Choice:
    """The covariances of a fit, that of the model unless another is asked for."""

    def __init__(self, fit: LeastSquaresFit, kind: str, cluster: Any, small: SmallSample) -> None:
        self._fit, self.kind, self.cluster, self.small = fit, kind, cluster, small
        self._own = bind(fit, kind, cluster, small)

    def ddf(self, ddf: DdfLike = "satterthwaite", vcov: VcovLike = MODEL) -> ResidualDdf:
        """The covariance and its degrees of freedom."""
        found = self._own if vcov == MODEL else self.of(vcov)
        if ddf == "satterthwaite":  # what means have where nothing is said
            return found
        if ddf == "asymptotic":
            return replace(found, den_df=np.inf, name="asymptotic", description="the normal distribution")
        raise DataError(
            f"ddf={shown(ddf)} is of models with random effects; here tests have the degrees of freedom of "
            "the residuals or of the clusters, and with ddf='asymptotic' infinite ones"
        )

    def of(self, vcov: Any, cluster: Any = None) -> ResidualDdf:
        """Another kind, with the clusters of the model if there are none of its own."""
        if vcov == MODEL and cluster is None:
            return self._own
        kind = covariance_kind(None if vcov == MODEL else vcov, cluster)
        clusters = self.cluster if cluster is None and kind.startswith("CR") else cluster
        return bind(self._fit, kind, clusters, self.small)


@answers_by_name
class LinearModel(Means):
    """A linear model fitted by least squares, as returned by `interlace.lm`.

    Every table of tests has the covariance that `lm` was asked for, or another: ``coef_table(vcov="HC3")``,
    ``anova(vcov="CR1", cluster="firm")``. `emmeans`, `emtrends` and `joint_tests` are those of mixed models;
    where absorbed factors have intercepts, means themselves are not estimable and are NaN, and differences of
    means are as in the model with dummy variables.
    """

    def __init__(self, fit: LeastSquaresFit, choice: Choice, *, data_name: str = "") -> None:
        self._fit = cast(Fit, fit)  # the rooms ask nothing that it does not answer
        self._least, self._choice, self._data_name = fit, choice, data_name
        self._memory = cast(Memory, choice)

    @property
    def fit(self) -> LeastSquaresFit:
        """The values the model was made from."""
        return self._least

    @property
    def formula(self) -> str:
        """The formula as it was written."""
        return self._least.encoding.formula.text or str(self._least.encoding.formula)

    @property
    def nobs(self) -> int:
        """Number of rows used."""
        return self._least.n

    @property
    def df_resid(self) -> int:
        """Rows less coefficients less the rank of the absorbed levels."""
        return self._least.df_resid

    @property
    def sigma(self) -> float:
        """Residual standard deviation of an observation of weight 1."""
        return self._least.sigma

    @property
    def loglik(self) -> float:
        """The log-likelihood at its maximum; with ``sum(log w) / 2``, as R's `logLik`."""
        return self._least.loglik

    @property
    def aic(self) -> float:
        """-2 loglik + 2 k, where k counts coefficients, the rank of absorbed levels, and sigma."""
        return -2 * self.loglik + 2 * self._least.n_parameters

    @property
    def bic(self) -> float:
        """-2 loglik + log(n) k."""
        return -2 * self.loglik + float(np.log(self.nobs)) * self._least.n_parameters

    # ---- coefficients ---

    @property
    def fixef(self) -> pd.Series:
        """Coefficients; columns that depend on others or that absorbed factors explain are absent."""
        return pd.Series(self._least.solution.beta, index=list(self._least.names), name="estimate")

    @property
    def se(self) -> pd.Series:
        """Standard errors of `fixef`, by the covariance of the model."""
        values = np.sqrt(np.diagonal(self._choice.ddf().vcov))
        return pd.Series(values, index=list(self._least.names), name="se")

    def vcov(self, kind: str = MODEL, *, cluster: Any = None) -> pd.DataFrame:
        """Covariance matrix of `fixef`: that of the model, or another kind as in `interlace.lm`."""
        names = list(self._least.names)
        return pd.DataFrame(self._choice.of(kind, cluster).vcov, index=names, columns=names)

    def coef_table(self, *, vcov: str = MODEL, cluster: Any = None) -> Table:
        """One row per coefficient: `estimate`, `se`, `df`, `t` and its two-sided p-value `p`."""
        return fixed_effects(self._fit, self._choice.of(vcov, cluster)).table()

    def confint(self, *, level: float = 0.95, vcov: str = MODEL, cluster: Any = None) -> Table:
        """Confidence intervals of the coefficients by t: columns `estimate, lower, upper`."""
        if not 0 < number("level", level) < 1:
            raise DataError(f"level must lie between 0 and 1, not {shown(level)}")
        found = fixed_effects(self._fit, self._choice.of(vcov, cluster))
        lower, upper = found.interval(level)
        columns = {"estimate": found.estimate, "lower": lower, "upper": upper}
        return Table.of(columns, found.labels, note=f"{level:g} intervals by t; {found.ddf.note}".strip("; "))

    # ---- tests ---

    def contrast_test(
        self, L: Any, *, rhs: Any = 0.0, vcov: str = MODEL, cluster: Any = None, level: float = 0.95
    ) -> ContrastTest:
        """Test `L beta = rhs`: a t test of each row of L, and an F test of all of them.

        Parameters
        ----------
        L, rhs, level
            As for `LinearMixedModel.contrast_test`.
        vcov, cluster
            As for `interlace.lm`.
        """
        asked = Hypothesis.of(self._fit, L, rhs=rhs, level=level)
        return contrast_test(self._fit, asked, self._choice.of(vcov, cluster))

    def anova(
        self,
        *,
        type: int | str = 3,
        vcov: str = MODEL,
        cluster: Any = None,
        test: str = "F",
        terms: Sequence[str] | None = None,
    ) -> Table:
        """A test of each term, with its sum of squares.

        Parameters
        ----------
        type : {3, 2, 1} or {"III", "II", "I"}
            As for `LinearMixedModel.anova`; 1 is that of R's `anova`.
        vcov, cluster
            As for `interlace.lm`.
        test : {"F", "wald", "chisq"}
            As for `LinearMixedModel.anova`.
        terms : sequence of str, optional
            The terms to test, all by default.
        """
        asked, ddf = anova.Asked.of(type, test, terms), self._choice.of(vcov, cluster)
        return anova.anova(self._fit, asked, ddf if test != "chisq" else replace(ddf, den_df=np.inf))

    # ---- fit ---

    def r2(self) -> dict[str, float]:
        """Shares of explained variation.

        Returns
        -------
        dict
            `r2` and `adjusted`; with absorbed factors `within` and `within_adjusted` too: of what these leave
            of the response. Without an intercept the variation is about zero.
        """
        fit, w = self._least, self._least.weights
        design = fit.design
        assert design.y is not None
        y = design.y if design.offset is None else design.y - design.offset
        spans = fit.encoding.spans_constant
        centre = float(w @ y / w.sum()) if spans else 0.0
        share = fit.rss / float(w @ (y - centre) ** 2)
        found = {"r2": 1 - share, "adjusted": 1 - share * (fit.n - int(spans)) / fit.df_resid}
        if fit.encoding.absorbed:
            share = fit.rss / float(w @ fit.response**2)
            found["within"] = 1 - share
            found["within_adjusted"] = 1 - share * (fit.n - fit.absorbed_rank) / fit.df_resid
        return found

    def absorbed(self) -> Table:
        """The estimated effects of the levels of the absorbed factors.

        Returns
        -------
        Table
            A row for each coefficient of each level: `factor, level, coefficient, estimate, component`.
            `component` numbers sets of levels that no chain of rows connects. The note states the
            normalisation.
        """
        return level_table(self._fit)

    def summary(self, *, vcov: str = MODEL, cluster: Any = None) -> LinearSummary:
        """Everything that is printed about a model, as data; its `str` reads like R's `summary`."""
        return summarised(self._least, self._choice.of(vcov, cluster), self.r2(), self._data_name)

    def __repr__(self) -> str:
        return str(self.summary())

    # ---- rows ---

    @property
    def fitted(self) -> Any:
        """Fitted values of the rows used, the effects of absorbed levels included."""
        return rows.row_series(self._least.rows.frame, "fitted", residuals.fitted(self._fit))

    def residuals(self, kind: str = "response") -> Any:
        """Residuals of the rows used: "response", "pearson" (times the root of the weight) or "standardized"
        (over sigma)."""
        if kind not in residuals.PLAIN:
            raise DataError(f"residuals of lm are of kind {', '.join(residuals.PLAIN)}, not {shown(kind)}")
        return rows.row_series(self._least.rows.frame, "residuals", residuals.residuals(self._fit, kind=kind))

    def leverage(self) -> Any:
        """How much each response moves its own fitted value, R's `hatvalues`; absorbed levels included."""
        return rows.row_series(self._least.rows.frame, "leverage", self._least.leverages)

    def predict(self, newdata: Any = None, *, offset: Any = None) -> Any:
        """Predicted responses, the effects of absorbed levels included.

        Parameters
        ----------
        newdata : table, optional
            Data with the columns of the formula. Without it, the rows of the fit.
        offset : array-like, optional
            Where the fit was given values.

        Raises
        ------
        DataError
            An absorbed factor has a level that the fit has not seen.
        """
        return predict.predict(self._fit, newdata, random="all", new_levels="error", offset=offset)
