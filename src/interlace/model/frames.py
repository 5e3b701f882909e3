"""The model as tables that other programs read: rows, parameters, and one line about the whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from interlace.design.augmented import with_columns
from interlace.model.fitted import Fitted
from interlace.refitting import profile
from interlace.report import broom
from interlace.tables.table import Table

if TYPE_CHECKING:
    from interlace.callers import CallersTable
    from interlace.precision.df import DdfLike


class Frames(Fitted):
    """The model as tables that other programs read: rows, parameters, and one line about the whole."""

    def augment(self) -> CallersTable:
        """The rows used with what the model says of each, in the library of the data.

        Returns
        -------
        table
            All columns of the data, and broom.mixed's: `.fitted`; `.resid = y - fitted`; `.hat`, leverage;
            `.cooksd`, lme4's ``h / p (e / (sigma (1 - h)))^2`` of the conditional residual (the Cook's
            distance by deletion is that of `influence()`); `.fixed`, the fitted value without random effects.
            Where the table has changed since the fit, or the model was pickled, the columns are those that
            the model uses.

        Raises
        ------
        DataError
            The data have a column of one of these names.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> print(m.augment().head(2).round(3).to_string(index=False))
         Reaction  Days Subject  .fitted  .resid  .hat  .cooksd  .fixed
          249.560   0.0     308  253.664  -4.104 0.229    0.005 251.405
          258.705   1.0     308  273.330 -14.625 0.170    0.040 261.872
        """
        return with_columns(self._fit.design, broom.row_columns(self._fit))

    def tidy(
        self,
        effects: str | Iterable[str] = ("fixed", "ran_pars"),
        *,
        conf_int: bool = False,
        conf_level: float = 0.95,
        ddf: DdfLike = "satterthwaite",
    ) -> Table:
        """A row for each parameter, with broom.mixed's column names.

        Parameters
        ----------
        effects : {"fixed", "ran_pars", "ran_vals", "ran_coefs"}, or several
            Coefficients; standard deviations and correlations; random effects of each level; fixed plus
            random coefficients of each level.
        conf_int : bool
            Adds `conf.low` and `conf.high`: by t for coefficients, Wald intervals as those of `confint` for
            standard deviations and correlations, by the conditional standard deviation for random effects.
        conf_level : float
            Between 0 and 1.
        ddf : {"satterthwaite", "kenward-roger", "asymptotic"} or an object such as KenwardRoger()

        Returns
        -------
        Table
            `effect`, `group`, `level`, `term`, `estimate`, `std.error`, `statistic`, `df`, `p.value`, as far
            as they belong to what is asked for. broom.mixed has no standard errors of "ran_pars".

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("dyestuff"))
        >>> m.tidy(ddf="asymptotic")[["effect", "group", "term", "estimate", "std.error"]].round(3)
             effect     group             term  estimate  std.error
        0     fixed       NaN        Intercept  1527.500     19.383
        1  ran_pars     Batch    sd__Intercept    42.001     17.056
        2  ran_pars  Residual  sd__Observation    49.510      7.146
        """
        return broom.tidy(
            self._fit,
            effects,
            conf_int=conf_int,
            conf_level=profile.check_level(conf_level),
            ddf=lambda: self._memory.ddf(ddf),
            parameters=self._memory.variance_parameters,
        )

    def glance(self) -> Table:
        """One row about the whole model, with broom.mixed's column names.

        Returns
        -------
        Table
            `nobs, sigma, logLik, AIC, BIC, REMLcrit` (`deviance` of a fit by maximum likelihood), and
            `df.residual`.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("dyestuff"))
        >>> m.glance().round(2).to_dict("list")["REMLcrit"]
        [319.65]
        """
        return broom.glance(self._fit)
