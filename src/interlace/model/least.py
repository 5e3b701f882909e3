"""The linear model without random effects that a user holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd

from interlace.errors import DataError
from interlace.estimation import likelihood
from interlace.estimation.ols_fit import LeastSquaresFit
from interlace.hints import answers_by_name
from interlace.inference import anova, contrast, estimates
from interlace.model.aliases import LeastAliases
from interlace.model.least_kept import LeastKept
from interlace.model.least_rows import LeastRows
from interlace.model.least_words import INSTEAD
from interlace.model.maketables import ForMaketables
from interlace.model.means import Means
from interlace.model.tests import refuse_models
from interlace.options import MODEL, labels, switch, word
from interlace.prediction import absorbed_levels, matrix
from interlace.refitting import drop1, profile
from interlace.report import equation, ols_broom, ols_summary
from interlace.tables.table import Table, Wide

if TYPE_CHECKING:
    from interlace.callers import CallersTable
    from interlace.inference.contrast import ContrastTest
    from interlace.precision.df import VcovLike
    from interlace.report.formulae import Equation
    from interlace.report.ols_summary import LinearSummary


@answers_by_name(of="LinearModel", instead=INSTEAD)
class LinearModel(Means, LeastRows, LeastKept, LeastAliases, ForMaketables):
    """A linear model fitted by least squares, as returned by `interlace.lm`.

    Every table of tests has the covariance that `lm` was asked for, or another: ``coef_table(vcov="HC3")``,
    ``anova(vcov="CR1", cluster="firm")``. `emmeans`, `emtrends` and `joint_tests` are those of mixed models;
    beside absorbed factors means are averages over their levels with equal weights, as in the model with
    dummy variables.
    """

    @property
    def fit(self) -> LeastSquaresFit:
        """What the model is made of, for programs that look inside; it may change between versions."""
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
    def reml(self) -> bool:
        """False: the likelihood is not restricted."""
        return False

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
        return likelihood.aic(self._fit)

    @property
    def bic(self) -> float:
        """-2 loglik + log(n) k."""
        return likelihood.bic(self._fit)

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

    def vcov(self, kind: VcovLike = MODEL, *, cluster: Any = None) -> pd.DataFrame:
        """Covariance matrix of `fixef`: that of the model, or another kind as in `interlace.lm`."""
        names = list(self._least.names)
        return Wide(self._choice.of(kind, cluster).vcov, index=names, columns=names)

    def coef_table(self, *, vcov: VcovLike = MODEL, cluster: Any = None, level: float = 0.95) -> Table:
        """One row per coefficient: `estimate`, `se`, `df`, `t`, its two-sided p-value `p`, `lower`, `upper`.

        Parameters
        ----------
        vcov, cluster
            As for `interlace.lm`.
        level : float
            Of the confidence intervals, by t.
        """
        return estimates.fixed_effects(self._fit, self._choice.of(vcov, cluster)).whole_table(
            profile.check_level(level)
        )

    def model_matrix(self, newdata: Any = None) -> CallersTable:
        """The columns of X that are in the model, as `LinearMixedModel.model_matrix`."""
        return matrix.model_matrix(self._fit, newdata, self._handed)

    def confint(
        self,
        parm: str | Iterable[str] | None = None,
        *,
        level: float = 0.95,
        vcov: VcovLike = MODEL,
        cluster: Any = None,
    ) -> Table:
        """Confidence intervals of the coefficients by t: columns `estimate, lower, upper`.

        Parameters
        ----------
        parm : str, or several, optional
            Names of coefficients; all without it.
        level : float
            Between 0 and 1.
        vcov, cluster
            As for `interlace.lm`.
        """
        level = profile.check_level(level)
        found = estimates.fixed_effects(self._fit, self._choice.of(vcov, cluster))
        lower, upper = found.interval(level)
        columns = {"estimate": found.estimate, "lower": lower, "upper": upper}
        if parm is not None:
            wanted = labels("parm", [parm] if isinstance(parm, str) else parm)
            at = [_place(found.labels, name) for name in wanted]
            columns = {name: values[at] for name, values in columns.items()}
            found = found.contrast(np.eye(len(found.labels))[at], wanted)
        return Table.of(columns, found.labels, note=f"{level:g} intervals by t; {found.ddf.note}".strip("; "))

    def tidy(
        self,
        *,
        conf_int: bool = False,
        conf_level: float = 0.95,
        vcov: VcovLike = MODEL,
        cluster: Any = None,
    ) -> Table:
        """A row for each coefficient, with broom's column names.

        Parameters
        ----------
        conf_int : bool
            Adds `conf.low` and `conf.high`.
        conf_level : float
            Between 0 and 1.
        vcov, cluster
            As for `interlace.lm`.

        Returns
        -------
        Table
            `term`, `estimate`, `std.error`, `statistic`, `df`, `p.value`.
        """
        found = estimates.fixed_effects(self._fit, self._choice.of(vcov, cluster))
        return ols_broom.tidy(found, conf_int=conf_int, conf_level=profile.check_level(conf_level))

    def glance(self) -> Table:
        """One row about the whole model, with broom's column names.

        Returns
        -------
        Table
            `r.squared, adj.r.squared` (and `within.r.squared` beside absorbed factors), `sigma, logLik, AIC,
            BIC, deviance` (the weighted residual sum of squares), `df.residual` and `nobs`.
        """
        return ols_broom.glance(self._least, self.r2())

    def to_dict(self, *, vcov: VcovLike = MODEL, cluster: Any = None) -> dict[str, Any]:
        """Every result as plain data that strict JSON takes: dicts, lists, texts, finite numbers and None."""
        return ols_broom.results(self._least, self._choice.of(vcov, cluster), self.r2())

    # ---- tests ---

    def contrast_test(
        self, L: Any, *, rhs: Any = 0.0, vcov: VcovLike = MODEL, cluster: Any = None, level: float = 0.95
    ) -> ContrastTest:
        """Test `L beta = rhs`: a t test of each row of L, and an F test of all of them.

        Parameters
        ----------
        L, rhs, level
            As for `LinearMixedModel.contrast_test`.
        vcov, cluster
            As for `interlace.lm`.
        """
        asked = contrast.Hypothesis.of(self._fit, L, rhs=rhs, level=level)
        return contrast.contrast_test(self._fit, asked, self._choice.of(vcov, cluster))

    def anova(
        self,
        *others: NoReturn,
        type: int | str = 3,
        vcov: VcovLike = MODEL,
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
        refuse_models(others)
        asked, ddf = anova.Asked.of(type, test, terms), self._choice.of(vcov, cluster)
        return anova.anova(self._fit, asked, ddf if test != "chisq" else replace(ddf, den_df=np.inf))

    def drop1(self, *, test: str = "F", vcov: VcovLike = MODEL, cluster: Any = None) -> Table:
        """A test of each term that may be left out by itself: those that are no part of another term.

        Parameters
        ----------
        test : {"F", "lrt"}
            "F": columns as those of `anova`. "lrt": each smaller model is fitted; columns `df, aic, lrt, p`,
            and a row `<none>` for the model itself.
        vcov, cluster
            Of F, as for `interlace.lm`.
        """
        if word("test", test, drop1.TESTS) == "lrt":
            if vcov != MODEL or cluster is not None:
                raise DataError(
                    "a likelihood ratio has no covariance: leave vcov and cluster out, or use test='F'"
                )
            return drop1.drop1_lrt(self._fit)
        return drop1.drop1_f(self._fit, self._choice.of(vcov, cluster))

    # ---- fit ---

    def r2(self) -> dict[str, float]:
        """Shares of explained variation.

        Returns
        -------
        dict
            `r2` and `adjusted`; with absorbed factors `within` and `within_adjusted` too: of what these leave
            of the response. Without an intercept the variation is about zero.
        """
        fit, spans = self._least, self._least.encoding.spans_constant
        share = fit.rss / fit.tss
        found = {"r2": 1 - share, "adjusted": 1 - share * (fit.n - int(spans)) / fit.df_resid}
        if fit.encoding.absorbed:
            share = fit.rss / float(fit.weights @ fit.response**2)
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
        return absorbed_levels.level_table(self._fit)

    def summary(self, *, vcov: VcovLike = MODEL, cluster: Any = None) -> LinearSummary:
        """Everything that is printed about a model, as data; its `str` reads like R's `summary`."""
        return ols_summary.summarised(
            self._least, self._choice.of(vcov, cluster), self.r2(), self._asked.data_name
        )

    def equation(self, *, estimates: bool = False) -> Equation:
        """The model in mathematics, as `LinearMixedModel.equation`."""
        return equation.equation(self._fit, estimates=switch("estimates", estimates))

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


def _place(names: Sequence[str], name: str) -> int:
    if name not in names:
        raise DataError(f"there is no coefficient {name!r}; there are {', '.join(names) or 'none'}")
    return list(names).index(name)
