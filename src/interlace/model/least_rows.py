"""What a linear model says of rows, of the data and of new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from interlace.design.augmented import with_columns
from interlace.errors import DataError
from interlace.estimation.fit import Fit
from interlace.model.least_made import LeastMade
from interlace.options import KEPT, MODEL
from interlace.prediction import ols_rows, predict
from interlace.refitting import refit
from interlace.report import ols_broom

if TYPE_CHECKING:
    from interlace.callers import CallersSeries, CallersTable
    from interlace.precision.df import DdfLike
    from interlace.prediction.simulate import Seed


class LeastRows(LeastMade):
    """What a linear model says of rows, of the data and of new ones."""

    @property
    def fitted(self) -> CallersSeries:
        """Fitted values of the rows used, the effects of absorbed levels included."""
        return self._handed.series("fitted", self._least.fitted)

    def residuals(self, kind: str = "response") -> CallersSeries:
        """Residuals of the rows used, in the library of the data.

        Parameters
        ----------
        kind : {"response", "pearson", "standardized", "studentized", "externally-studentized"}
            "response", `y - fitted`; "pearson", times the root of the prior weight; "standardized", over
            sigma; "studentized", over its standard deviation, `sigma sqrt((1 - h) / w)` for the leverage h
            (R's `rstandard`); "externally-studentized", with the sigma of the other rows (R's `rstudent`).
            NaN where a row is fitted whatever its response.
        """
        return self._handed.series("residuals", ols_rows.residuals_of(self._least, kind))

    def leverage(self) -> CallersSeries:
        """How much each response moves its own fitted value, R's `hatvalues`; absorbed levels included."""
        return self._handed.series("leverage", self._least.leverages)

    def predict(
        self,
        newdata: Any = None,
        *,
        offset: Any = None,
        interval: str | None = None,
        level: float = 0.95,
        se: bool = False,
        weights: Any = None,
        ddf: DdfLike = "satterthwaite",
        vcov: str = MODEL,
        cluster: Any = None,
    ) -> CallersSeries | CallersTable:
        """Predicted responses, the effects of absorbed levels included.

        Parameters
        ----------
        newdata : table, optional
            Data with the columns of the formula; the response is not needed. Without it, the rows of the fit.
        offset : str or array-like, optional
            In place of `lm`'s `offset=`; needed where that was an array.
        interval : {"confidence", "prediction"}, optional
            Of the mean of a row, or of a new response of it.
        level : float
            Of the intervals, between 0 and 1.
        se : bool
            True: the standard error of the mean.
        weights : str or array-like, optional
            Prior weights of new responses, where the fit had an array of them.
        ddf : {"satterthwaite", "asymptotic"}
            Quantiles of t with the degrees of freedom of the covariance, as without it, or of the normal
            distribution.
        vcov, cluster
            As for `interlace.lm`: of standard errors and of intervals of means.

        Returns
        -------
        Series of the library of `newdata`, or ndarray
            Missing (null, and NaN in pandas and arrays) where a column that is needed is. With `interval` or
            `se` a table of that library: `predicted`, and `se`, `lower`, `upper` as asked for.

        Raises
        ------
        DataError
            An absorbed factor has a level that the fit has not seen, or a row joins levels that no chain of
            rows connects.
        ModelError
            A robust covariance is asked for of new responses, or beside absorbed factors.

        Examples
        --------
        >>> import interlace
        >>> machines = interlace.datasets.load("machines")
        >>> model = interlace.lm("score ~ Machine | Worker", machines)
        >>> print(model.predict(machines[:1], interval="confidence", se=True).round(2).to_string(index=False))
         predicted   se  lower  upper
             53.62 1.22  51.17  56.07
        """
        asked = predict.Asked.of(interval, level, se, weights)
        found = self._choice.ddf(ddf, vcov, cluster) if asked.anything else None
        sure = (
            None if found is None else ols_rows.SureOfLeast(self._least, found.vcov, found.den_df, found.kind)
        )
        return predict.predict(
            cast(Fit, self._least), newdata, random="all", new_levels="error", offset=offset, weights=weights,
            interval=interval, level=level, se=se, sure=sure, handed=self._handed,
        )  # fmt: skip

    def simulate(self, n: int = 1, seed: Seed = None) -> CallersTable:
        """Draw `n` new responses for the rows used: a table with columns "sim_1", "sim_2", ...

        They are the fitted values, effects of absorbed levels included, and errors ``N(0, sigma^2 / w)``.

        Parameters
        ----------
        n : int
        seed : int or Generator, optional
        """
        draws = ols_rows.simulated(self._least, n, seed)
        return self._handed.table({f"sim_{j + 1}": draws[:, j] for j in range(draws.shape[1])})

    def augment(self) -> CallersTable:
        """The rows used with what the model says of each, in the library of the data.

        Returns
        -------
        table
            All columns of the data, and those of broom: `.fitted`; `.resid = y - fitted`; `.hat`, leverage;
            `.std.resid`, studentized residuals; `.cooksd`, Cook's distance by deletion of the row. Absorbed
            effects count as coefficients.

        Raises
        ------
        DataError
            The data have a column of one of these names.
        """
        return with_columns(self._least.design, ols_broom.row_columns(self._least))

    def update(
        self,
        formula: str = "~ .",
        *,
        data: Any = KEPT,
        vcov: Any = KEPT,
        cluster: Any = KEPT,
        ssc: Any = KEPT,
        weights: Any = KEPT,
        offset: Any = KEPT,
        contrasts: Any = KEPT,
        singletons: Any = KEPT,
        na_action: Any = KEPT,
        n_jobs: Any = KEPT,
    ) -> Self:
        """Fit the model again with another formula, other data or other options; the rest is kept.

        Parameters
        ----------
        formula : str
            As for `LinearMixedModel.update`: ``"~ . + z"``, ``"log(.) ~ . | . + year"``.
        data, vcov, cluster, ssc, weights, offset, contrasts, singletons, na_action, n_jobs
            As for `interlace.lm`; without them, as before.

        Returns
        -------
        LinearModel

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lm("score ~ Machine", interlace.datasets.load("machines"))
        >>> m.update("~ . | Worker", cluster="Worker").formula
        'score ~ Machine | Worker'
        """
        given = {
            "data": data, "weights": weights, "offset": offset, "contrasts": contrasts,
            "singletons": singletons, "na_action": na_action, "n_jobs": n_jobs,
        }  # fmt: skip
        choose = self._choice.other(vcov, cluster, ssc)
        text, asked = self._asked.updated(self._least.encoding.formula, formula, given)
        fit = asked.fit(text)
        return type(self)(fit, choose(fit), asked)

    def refit(self, y: Any) -> Self:
        """The same model fitted to another response; all else is kept.

        Parameters
        ----------
        y : array-like, (n,)
            A response for each row used.

        Raises
        ------
        DataError
            It has another length, or values that are missing.
        """
        if np.ndim(y) != 1:
            raise DataError(
                "refit takes one response, a value for each row used; call it for each of several"
            )
        fit = self._least.refit(refit.read_response(self._least.rows, y))
        asked = self._asked.changed(refitted=True)
        return type(self)(fit, self._choice.of_another(fit), asked, self._handed)
