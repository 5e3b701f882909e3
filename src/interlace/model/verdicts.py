"""Whether the data speak against what the model assumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlace.model.fitted import Fitted
from interlace.report import checking, collinearity, simulated
from interlace.tables.table import Table

if TYPE_CHECKING:
    from interlace.callers import CallersSeries


class Verdicts(Fitted):
    """Whether the data speak against what the model assumes."""

    def check(self, *, order: Any = None, alpha: float = 0.01, n: int = 999, seed: int | None = 1) -> Table:
        """Every assumption of the model with a test, a verdict and a reading, one line for each.

        Parameters
        ----------
        order : str or array-like, optional
            A column, or values per row, whose order within levels is that of time: neighbours are tested for
            autocorrelation.
        alpha : float
            A line says "look" where its p-value is below this; each line by itself, outlying and influential
            rows and levels by Bonferroni's rule.
        n : int
            Simulated responses (fewer where they would be many numbers).
        seed : int, optional
            Of these.

        Returns
        -------
        Table
            A row for each check: `about`, `statistic`, `value`, `p`, `verdict` ("ok", "look", "see", or "-"
            where nothing is judged) and `reading`. "see": p is below `alpha`, and no longer without rows or
            levels that other lines name (outlying ones, and levels of another variance).

            "normality": Shapiro and Wilk's W of studentized residuals, and of the random effects over the
            standard deviation of their estimates. "heteroscedasticity": Breusch and Pagan's test on fitted
            values, as R's performance defines it (with sigma of the model); Bartlett's of the variances
            within levels (of regressions within each; where random effects are left in these, of conditional
            residuals). "outlying rows": the largest externally studentized residual. "outlying levels":
            ``u'Var(u)^-1 u`` of random effects. "influential levels": Cook's distance above 4 / J, where the
            coefficients change by more than chance (``Var(beta - beta_()) = C_() - C``). "linearity": a
            square of a covariate, tested at the fitted theta. "heterogeneity bias": its means by level, in
            the same way (Mundlak's test). "autocorrelation": neighbours within
            levels, of residuals by Cholesky factor in the order.
            "random part": a standard deviation that is zero, or less than twice its standard error.
            "collinearity": generalised variance inflation above 10. "uniformity", "dispersion", "outliers":
            DHARMa's tests on `quantile_residuals(kind="rotated")` and on new responses. "quantiles":
            quarters of the rotated residuals by tenths of the prediction, a chi-square test with
            ``3 (groups - 1)`` degrees of freedom (groups of 40 rows at least).
            "posterior predictive": skewness and kurtosis of the response among those of new ones.
            "reliability": one less the mean conditional variance of a random effect over its variance.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> found = m.check(order="Days")
        >>> found[found["verdict"] == "look"][["about", "statistic"]].to_dict("split")["data"][0]
        ['residuals', 'max |t|']
        """
        return checking.checks(
            self._fit,
            order=order,
            alpha=alpha,
            n=n,
            seed=seed,
            parameters=self._memory.variance_parameters(),
        )

    def quantile_residuals(
        self, kind: str = "new", *, n: int = 250, seed: int | None = None
    ) -> CallersSeries:
        """The place of each response among simulated ones, from 0 to 1, as DHARMa has it.

        Parameters
        ----------
        kind : {"new", "conditional", "rotated"}
            "new": responses with new random effects (DHARMa's default), which are dependent within levels.
            "conditional": with the random effects of the model. "rotated": of residuals without their
            correlation, `residuals("marginal-cholesky")`, of which the distribution is known: nothing is
            drawn for them.
        n : int
            Simulated responses.
        seed : int, optional

        Returns
        -------
        Series of the library of the data
            Uniform where the model holds (of "conditional": nearly, as the model has seen the data).

        References
        ----------
        Hartig, F. (2022). DHARMa: residual diagnostics for hierarchical (multi-level/mixed) regression
        models.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> m.quantile_residuals("rotated").head(2).round(3).tolist()
        [0.479, 0.472]
        """
        found = simulated.Simulated.of(self._fit, kind, n, seed)
        return self._handed.series("quantile_residual", found.places)

    def collinearity(self, *, level: float = 0.95) -> Table:
        """Variance inflation of each term of the fixed part, with an interval.

        Parameters
        ----------
        level : float
            Of the intervals.

        Returns
        -------
        Table
            `vif`, the generalised one of Fox and Monette; `lower`, `upper` (Marcoulides and Raykov 2019);
            `df`; `gvif_root`, ``vif^(1 / (2 df))``. Empty with fewer than two terms. Equal to R's
            `performance::check_collinearity`.

        Examples
        --------
        >>> import interlace
        >>> data = interlace.datasets.load("sleepstudy").assign(x=lambda d: d["Days"] ** 2)
        >>> m = interlace.lmer("Reaction ~ Days + x + (1 | Subject)", data)
        >>> m.collinearity()["vif"].round(2).to_dict()
        {'Days': 13.66, 'x': 13.66}
        """
        return collinearity.collinearity(self._fit, level)
