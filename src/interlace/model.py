"""The fitted model that a user holds; every method asks one room of the house."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from interlace.errors import DataError
from interlace.estimation.fit import Fit
from interlace.hints import answers_by_name
from interlace.inference import anova, drop1, likelihood, varcorr
from interlace.inference.contrast import ContrastTest, Hypothesis, contrast_test
from interlace.inference.df import DdfLike, VcovLike
from interlace.inference.effect_size import icc, r2
from interlace.inference.estimates import fixed_effects
from interlace.inference.memory import Memory
from interlace.inference.robust import MODEL, covariance
from interlace.inference.singular import TOLERANCE, is_singular
from interlace.inference.varcorr_se import varcorr_se_table
from interlace.options import switch
from interlace.prediction import predict, ranef, residuals, rows, simulate
from interlace.refitting.ranova import ranova
from interlace.refitting.refit import refit
from interlace.report.convergence import Convergence, convergence
from interlace.report.results import results
from interlace.report.summary import Summary, overview, summarise
from interlace.tables.table import Table


@answers_by_name
class LinearMixedModel:
    """A fitted linear mixed-effects model, as returned by `interlace.lmer`.

    Tables of results are pandas; what has a row per observation comes back in the caller's own frame library.
    Nothing of a model can be changed; `refit` gives a new one. Models pickle.

    Columns are named by one rule everywhere: "Intercept", "x", "recipe[T.B]", "recipe[T.B]:x",
    "poly(x, 2)[1]".
    """

    def __init__(self, fit: Fit, *, data_name: str = "") -> None:
        self._fit = fit
        self._data_name = data_name
        self._memory = Memory(fit)

    # ---- the fit ---

    @property
    def fit(self) -> Fit:
        """The values the model was made from: encoding, design, optimum, solution."""
        return self._fit

    @property
    def formula(self) -> str:
        """The formula as it was written."""
        return self._fit.encoding.formula.text or str(self._fit.encoding.formula)

    @property
    def reml(self) -> bool:
        """Whether the model was fitted by REML; else by maximum likelihood."""
        return self._fit.reml

    @property
    def nobs(self) -> int:
        """Number of rows used."""
        return likelihood.n_obs(self._fit)

    @property
    def ngroups(self) -> dict[str, int]:
        """Number of levels of each grouping factor."""
        return ranef.n_groups(self._fit)

    @property
    def convergence(self) -> Convergence:
        """The facts about the optimum: scaled gradient, curvature, evaluations, what is singular."""
        return convergence(self._fit)

    # ---- fixed effects ---

    @property
    def fixef(self) -> pd.Series:
        """Coefficients of the fixed effects; columns dropped from a rank-deficient X are absent."""
        estimates = fixed_effects(self._fit)
        return pd.Series(estimates.estimate, index=list(estimates.labels), name="estimate")

    @property
    def se(self) -> pd.Series:
        """Standard errors of `fixef`."""
        estimates = fixed_effects(self._fit)
        return pd.Series(estimates.se, index=list(estimates.labels), name="se")

    def vcov(self, kind: str = MODEL, *, cluster: Any = None) -> pd.DataFrame:
        """Covariance matrix of `fixef`.

        Parameters
        ----------
        kind : {"model", "CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"}
            "model": `sigma^2 (X' V^-1 X)^-1` at the estimated theta. The others are cluster-robust, see
            `interlace.ClusterRobust`; every table of tests takes them too: `coef_table(vcov="CR2")`.
        cluster : str or array-like, optional
            A column of the model, or a value per row; by default the grouping factor that holds all others.

        Raises
        ------
        ModelError
            Rows of different clusters share random effects.
        """
        names = list(self._fit.names)
        return pd.DataFrame(covariance(self._fit, kind, cluster=cluster), index=names, columns=names)

    def coef_table(self, *, ddf: DdfLike = "satterthwaite", vcov: VcovLike = MODEL) -> Table:
        """One row per coefficient: `estimate`, `se`, `df`, `t` and its two-sided p-value `p`.

        Parameters
        ----------
        ddf : {"satterthwaite", "kenward-roger", "asymptotic"} or an object such as KenwardRoger()
            Degrees of freedom of the t statistics. Kenward-Roger also adjusts the standard errors, and needs
            a fit by REML.
        vcov : {"model", "CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"} or ClusterRobust(kind, cluster=...)
            Covariance of the coefficients. A cluster-robust one goes with ddf="satterthwaite" (clubSandwich's
            degrees of freedom) or "asymptotic".
        """
        return fixed_effects(self._fit, self._memory.ddf(ddf, vcov)).table()

    def contrast_test(
        self,
        L: Any,
        *,
        rhs: Any = 0.0,
        ddf: DdfLike = "satterthwaite",
        vcov: VcovLike = MODEL,
        level: float = 0.95,
    ) -> ContrastTest:
        """Test `L beta = rhs`: a t test of each row of L, and an F test of all of them.

        Parameters
        ----------
        L : mapping, Series, data frame, text or array
            By name, `{"x": 1, "z": -1}`: one row, or a mapping of labels to such mappings, or a data frame
            with coefficients in its columns; coefficients not named weigh 0. As text, "x", "x - 2 * z = 1",
            or a list of such. As an array: (p,) or (rows, p),
            in the order of `fixef`.
        rhs : float or array, (rows,)
            Hypothetical values.
        ddf, vcov
            As for `coef_table`.
        level : float
            Confidence level of the intervals.

        Returns
        -------
        ContrastTest
            `.rows` has estimate, se, df, t, p, lower, upper; `.F`, `.num_df`, `.den_df`, `.p` are joint.
        """
        asked = Hypothesis.of(self._fit, L, rhs=rhs, level=level)
        return contrast_test(self._fit, asked, self._memory.ddf(ddf, vcov))

    def anova(
        self,
        *others: NoReturn,
        type: int | str = 3,
        ddf: DdfLike | None = None,
        vcov: VcovLike = MODEL,
        test: str = "F",
        terms: Sequence[str] | None = None,
    ) -> Table:
        """A test of each term of the fixed part.

        Parameters
        ----------
        type : {3, 2, 1} or {"III", "II", "I"}
            1: each term after those before it. 2: after all terms that do not contain it. 3: averaged over
            the terms that contain it, whatever the coding of the factors. As SAS and lmerTest define them.
        ddf : str or DdfMethod, optional
            Denominator degrees of freedom of F: "satterthwaite" (as without it), "kenward-roger" or
            "asymptotic", or an object such as `KenwardRoger(information="observed")`.
        vcov : {"model", "CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"} or ClusterRobust(kind, cluster=...)
            As for `coef_table`; F is then clubSandwich's HTZ test, and chi-square that of car's `vcov.=`.
        test : {"F", "wald", "chisq"}
            "F": columns `sum_sq, mean_sq, num_df, den_df, F, p`, as lmerTest defines them. "wald" and
            "chisq": type 2 or 3 of car's `Anova`, columns `num_df, den_df, F, p` and `chisq, df, p`. There
            type 2 leaves out an interaction with a covariate too, and weighs by the covariance of the
            coefficients instead of X'X; type 3 is about the coefficients in the coding of the model, so code
            factors by "sum" for it.
        terms : sequence of str, optional
            The terms to test, all by default; "1" is the intercept, which is not tested unless it is named.

        Returns
        -------
        DataFrame
            One row per term; NaN for a term of which no column is in the model.
        """
        if others:
            raise DataError(
                "anova tests the terms of one model, and takes its options by name, such as type=3; models "
                "are compared by interlace.compare(m1, m2)"
            )
        asked = anova.Asked.of(type, test, terms)
        return anova.anova(self._fit, asked, self._memory.bind(asked.method(ddf, vcov)))

    def drop1(self, *, test: str = "F", ddf: DdfLike | None = None, vcov: VcovLike = MODEL) -> Table:
        """A test of each term that may be left out by itself: those that are no part of another term.

        Parameters
        ----------
        test : {"F", "lrt"}
            "F": columns as those of `anova`. "lrt": the model and each smaller model are fitted by maximum
            likelihood; columns `df, aic, chisq, p`, and a row `<none>` for the model itself.
        ddf, vcov
            Of F, as for `anova`.
        """
        method = drop1.method(test, ddf, vcov)
        if method is None:
            return drop1.drop1_lrt(self._fit)
        return drop1.drop1_f(self._fit, self._memory.bind(method))

    # ---- variance components ---

    @property
    def theta(self) -> np.ndarray:
        """Entries of the relative covariance factors in lme4's order: each lower triangle by column."""
        return self._fit.solution.theta.copy()

    @property
    def sigma(self) -> float:
        """Residual standard deviation."""
        return self._fit.sigma

    def varcorr(self, *, se: bool = False) -> Table:
        """Variances, standard deviations and correlations: columns `group, term1, term2, variance, sd, corr`.

        A row without `term2` is a variance; a row with `term2` holds the covariance in `variance` and the
        correlation in `corr`. The last row is the residual. Equal to lme4's `as.data.frame(VarCorr(m))`.

        Parameters
        ----------
        se : bool
            True adds standard errors `variance_se`, `sd_se`, `corr_se`, by the delta method from the Hessian
            of the criterion that was minimised. A variance at zero has none.
        """
        if switch("se", se):
            return varcorr_se_table(self._fit, self._memory.variance_parameters())
        return varcorr.varcorr_table(self._fit)

    @property
    def is_singular(self) -> bool:
        """Whether some linear combination of the random effects has (nearly) no variance.

        lme4's rule, with columns taken in units in which they are orthonormal over the rows: neither their
        units nor their origin matters. `convergence.singular` says which.
        """
        return is_singular(self._fit)

    def ranova(self, *, drop: str = "slopes") -> Table:
        """Likelihood-ratio tests of the random terms, by the criterion of the fit, as lmerTest's `ranova`.

        Parameters
        ----------
        drop : {"slopes", "terms"}
            "slopes": a term with slopes loses one slope at a time. "terms": each term is dropped as a whole.

        Returns
        -------
        DataFrame
            Columns `npar, loglik, aic, lrt, df, p, p_mixture`; the first row is the model. As a variance
            cannot be negative, `p` (chi-square) is too large; `p_mixture` is by the 50:50 mixture of
            chi-squares with `df - 1` and `df` degrees of freedom where one variance is dropped, else NaN.
        """
        return ranova(self._fit, drop=drop)

    def r2(self, *, tolerance: float = TOLERANCE) -> dict[str, float]:
        """Nakagawa's R2: shares of the variance explained by the fixed part (marginal) and all (conditional).

        With slopes the variance of the random effects is the mean of `z' Sigma z` over rows (Johnson 2014).
        For a singular fit (see `is_singular`, of which `tolerance` is the limit) the conditional R2 is NaN,
        with a warning, and the marginal one is `fixed / (fixed + residual)`; `tolerance=0` takes estimates
        as they are.
        """
        return r2(self._fit, tolerance=tolerance)

    def icc(self, *, tolerance: float = TOLERANCE) -> dict[str, float | dict[str, float]]:
        """Intraclass correlation: shares of the random effects in the variance; NaN for singular fits.

        "adjusted": of the variance that the fixed part leaves; "unadjusted": of all the variance; "by_group":
        {grouping factor: share of its random effects in the variance that the fixed part leaves}; NaN for a
        grouping factor with slopes, whose variance differs from row to row.
        """
        return icc(self._fit, tolerance=tolerance)

    # ---- likelihood ---

    @property
    def loglik(self) -> float:
        """The restricted log-likelihood of a REML fit, the log-likelihood of an ML fit."""
        return self._fit.loglik

    @property
    def deviance(self) -> float:
        """-2 times the log-likelihood at the fitted theta.

        Of a REML fit, the value at the REML estimates: lme4's `deviance(m, REML = FALSE)`.
        """
        return likelihood.deviance(self._fit)

    @property
    def reml_criterion(self) -> float:
        """-2 times the restricted log-likelihood.

        Raises
        ------
        ModelError
            If the model was fitted by maximum likelihood.
        """
        return likelihood.reml_criterion(self._fit)

    @property
    def aic(self) -> float:
        """-2 loglik + 2 (p + length of theta + 1)."""
        return likelihood.aic(self._fit)

    @property
    def bic(self) -> float:
        """-2 loglik + log(n) (p + length of theta + 1)."""
        return likelihood.bic(self._fit)

    @property
    def df_resid(self) -> int:
        """n - (p + length of theta + 1)."""
        return likelihood.df_resid(self._fit)

    # ---- levels and rows ---

    def ranef(self, *, condvar: bool = False) -> dict[str, pd.DataFrame]:
        """Conditional modes of the random effects: {grouping factor: table of levels by effects}.

        Parameters
        ----------
        condvar : bool
            True adds conditional standard deviations: the columns are then `("mode", effect)` and
            `("sd", effect)`, so that `table["mode"]` is the table of `condvar=False`. `condvar()` has the
            whole covariance matrices.
        """
        return ranef.modes_with_sd(self._fit) if switch("condvar", condvar) else ranef.modes(self._fit)

    def condvar(self) -> dict[str, np.ndarray]:
        """Conditional covariance matrices of the random effects: {grouping factor: array (levels, k, k)}.

        Levels and effects stand in the order of the rows and columns of `ranef()`.
        """
        return ranef.conditional_covariance(self._fit)

    def coef(self) -> dict[str, pd.DataFrame]:
        """Fixed plus random coefficients: {grouping factor: table of levels by coefficients}."""
        return ranef.coefficients(self._fit)

    @property
    def fitted(self) -> Any:
        """`X beta + offset + Z b` of the rows used: a Series of the library of the data, or an array."""
        return rows.row_series(self._fit.design.frame, "fitted", residuals.fitted(self._fit))

    def residuals(self, kind: str = "response") -> Any:
        """Residuals of the rows used, in the library of the data.

        Parameters
        ----------
        kind : {"response", "pearson", "standardized"}
            "response": `y - fitted`. "pearson": times the root of the prior weight. "standardized": the
            Pearson residual over sigma; lme4's `resid(m, type = "pearson", scaled = TRUE)`.
        """
        return rows.row_series(self._fit.design.frame, "residuals", residuals.residuals(self._fit, kind=kind))

    def predict(
        self,
        newdata: Any = None,
        *,
        random: str | Sequence[str] = "all",
        new_levels: str = "error",
        offset: Any = None,
    ) -> Any:
        """Predicted responses, the offset included; in the library and the row order of the data given.

        Parameters
        ----------
        newdata : table, optional
            Data with the columns of the formula; the response is not needed. Without it, the rows of the fit.
        random : str or sequence of str
            "all" random effects, "none", or some of them: names of grouping factors or terms like "(1 | g)".
        new_levels : {"error", "population"}
            What to do with levels that the fit has not seen: refuse, or take their random effects as zero.
        offset : str or array-like, optional
            In place of `lmer`'s `offset=`; needed where that was an array. `offset(...)` terms are added.

        Returns
        -------
        Series of the library of `newdata`, or ndarray: NaN where a column that is needed is missing.
        """
        return predict.predict(self._fit, newdata, random=random, new_levels=new_levels, offset=offset)

    def simulate(self, n: int = 1, seed: simulate.Seed = None) -> Any:
        """Draw `n` new responses for the rows used: a table with columns "sim_1", "sim_2", ...

        New random effects and new residuals are drawn each time; `seed` is an integer or a numpy Generator.
        """
        draws = simulate.simulate(self._fit, n, seed=seed)
        return rows.row_table(
            self._fit.design.frame, {f"sim_{j + 1}": draws[:, j] for j in range(draws.shape[1])}
        )

    # ---- the fit again ---

    def refit(self, y: Any = None, *, reml: bool | None = None) -> LinearMixedModel:
        """The same model fitted to another response, or by the other criterion; all else is kept.

        Parameters
        ----------
        y : array-like, optional
            A response for each row used (or for each row of the data given to `lmer`).
        reml : bool, optional
            Fit by REML or by maximum likelihood; without it, as before.
        """
        return LinearMixedModel(refit(self._fit, y, reml=reml), data_name=self._data_name)

    # ---- words ---

    def summary(
        self,
        *,
        ddf: DdfLike = "satterthwaite",
        vcov: VcovLike = MODEL,
        stars: bool = False,
        correlation: bool | None = None,
    ) -> Summary:
        """Everything that is printed about a model, as data; its `str` reads like lmerTest's `summary`.

        Parameters
        ----------
        ddf, vcov
            Degrees of freedom and standard errors of the t tests, as for `coef_table`.
        stars : bool
            Print stars beside small p-values.
        correlation : bool, optional
            Print the correlations of the coefficients; without it, those of up to 20.
        """
        bound, name = self._memory.ddf(ddf, vcov), self._data_name
        return summarise(self._fit, bound, data_name=name, stars=stars, correlation=correlation)

    def to_dict(self, *, ddf: DdfLike = "satterthwaite", vcov: VcovLike = MODEL) -> dict[str, Any]:
        """Every result as plain data that strict JSON takes: dicts, lists, texts, finite numbers and None.

        Parameters
        ----------
        ddf, vcov
            Of the tests of the coefficients, as for `coef_table`.

        Examples
        --------
        >>> import interlace, json
        >>> m = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("Dyestuff"))
        >>> json.dumps(m.to_dict()["ngroups"])
        '{"Batch": 6}'
        """
        return results(self._fit, self._memory.ddf(ddf, vcov))

    def __repr__(self) -> str:
        return str(overview(self._fit, data_name=self._data_name))

    def _repr_html_(self) -> str:
        return overview(self._fit, data_name=self._data_name)._repr_html_()
