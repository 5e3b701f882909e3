"""Confidence intervals of every parameter of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from interlace.callers import called
from interlace.errors import DataError, shown
from interlace.estimation.fit import Fit
from interlace.inference import estimates
from interlace.model.fitted import Fitted
from interlace.options import word
from interlace.refitting import bootstrap as bootstrapping
from interlace.refitting import profile as profiles
from interlace.refitting import refit
from interlace.tables.table import Table
from interlace.variances import natural, wald_ends

if TYPE_CHECKING:
    from interlace.precision.df import DdfLike
    from interlace.refitting.bootstrapped import Bootstrap
    from interlace.refitting.profile import Profile

METHODS = ("wald", "profile", "bootstrap")
SAMPLES = 1000  # of a bootstrap whose number is not said
OF_REPLICATES = (
    "it gets a fitted model: try it on the model itself. Where a fit has no such value, let it raise "
    "interlace.ModelError: the replicate is left out and counted"
)


class Intervals(Fitted):
    """Confidence intervals of every parameter of a model."""

    def profile(
        self,
        which: str | Iterable[str] | None = None,
        *,
        criterion: str = "ml",
        n_jobs: int | None = None,
        progress: bool | None = None,
    ) -> Profile:
        """Likelihood profiles: how fast the deviance rises where one parameter is held off its estimate.

        Standard deviations, correlations and sigma come in the order of lme4's theta, with the names that
        lme4's `profile(m, signames = FALSE)` gives them ("sd_Days|Subject", "cor_Days.Intercept|Subject",
        "sigma"), then the coefficients.

        Parameters
        ----------
        which : str, or several, optional
            Names of parameters, "random", "fixed" or "all".
        criterion : {"ml", "reml"}
            The deviance (of maximum likelihood, whatever the model was fitted by, as in lme4), or the REML
            criterion. The latter has no profile of fixed effects: it is the likelihood of what they leave,
            and its values with different fixed parts cannot be compared.
        n_jobs : int, optional
            Number of threads, each with profiles of its own; -1 for one per processor. Small models have
            one, as their evaluations take less time than threads wait for each other; two save a third of
            the time with 4,000 rows of crossed effects.
        progress : bool, optional
            Show a bar; by default only where a person watches.

        Raises
        ------
        ModelError
            The data cannot tell the variances, or a profile found a lower deviance than the fit.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("dyestuff"))
        >>> m.profile().confint()
                              lower   upper
        sd_Intercept|Batch    12.20   84.06
        sigma                 38.23   67.66
        Intercept           1486.45 1568.55
        0.95 profile-likelihood intervals, by the deviance (maximum likelihood)
        """
        return profiles.profile(
            self._fit, self._by, which, criterion=criterion, n_jobs=n_jobs, progress=progress
        )

    def confint(
        self,
        parm: str | Iterable[str] | None = None,
        *,
        method: str = "wald",
        level: float = 0.95,
        criterion: str = "ml",
        ddf: DdfLike = "satterthwaite",
        n: int = SAMPLES,
        seed: int | None = None,
        kind: str = "percentile",
    ) -> Table:
        """Confidence intervals: columns `estimate, lower, upper`, one row per parameter.

        Parameters
        ----------
        parm : str, or several, optional
            As `which` of `profile`.
        method : {"wald", "profile", "bootstrap"}
            "wald": coefficients by t, standard deviations by their logarithms, correlations by Fisher's z,
            each with the standard error from the Hessian of the criterion that was minimised. NaN at a
            standard deviation of zero. "profile": by the likelihood, see `profile`; these need no standard
            error, and end at zero where a standard deviation may be zero. "bootstrap": percentiles of a
            parametric bootstrap, see `bootstrap`.
        level : float
            Between 0 and 1.
        criterion : {"ml", "reml"}
            Of the profile.
        ddf : {"satterthwaite", "kenward-roger", "asymptotic"} or an object such as KenwardRoger()
            Of the Wald intervals of coefficients; "asymptotic" gives those of lme4.
        n, seed : int
            Samples of the bootstrap, and what they are drawn by.
        kind : {"percentile", "basic", "normal", "bca", "studentized"}
            Of its intervals, see `Bootstrap.confint`.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (1 | Subject)", interlace.datasets.load("sleepstudy"))
        >>> m.confint("fixed", method="profile")
                   estimate   lower   upper
        Intercept   251.405 231.992 270.818
        Days         10.467   8.887  12.048
        0.95 profile-likelihood intervals, by the deviance (maximum likelihood)
        """
        method, level = word("method", method, METHODS), profiles.check_level(level)
        if method == "wald":
            return self._wald(parm, level, ddf)
        if method == "bootstrap":
            return self._drawn(parm, level, kind, n, seed)
        return profiles.intervals(self._fit, self._by, parm, level=level, criterion=criterion)

    def bootstrap(
        self,
        n: int = SAMPLES,
        *,
        kind: str = "parametric",
        statistic: Callable[[Any], Any] | None = None,
        se: Callable[[Any], Any] | None = None,
        level: float = 0.95,
        resample: Any = None,
        hccme: str = "hc2",
        aux: str = "mammen",
        seed: int | None = None,
        n_jobs: int | None = None,
        progress: bool | None = None,
    ) -> Bootstrap:
        """Estimates of the model refitted to `n` samples drawn anew.

        Parameters
        ----------
        n : int
            Samples.
        kind : {"parametric", "residual", "case", "reb0", "reb1", "reb2", "wild"}
            "parametric": responses of `simulate`, with new random effects and errors (lme4's `bootMer`); of
            a model without its rows, what refits need of such responses.
            "residual": random effects of levels and residuals of rows are drawn with replacement from those
            of the fit, centred and with the estimated variances (Carpenter, Goldstein and Rasbash 2003), so
            that neither needs to be normal. "case": whole groups of rows, or rows within groups, are drawn
            with replacement; a group that is drawn twice is two groups (Van der Leeden, Meijer and Busing
            2008). "reb0": for one grouping factor, effects by least squares within each level, and the
            errors of one level together, are drawn with replacement; "reb1" centres both and gives them the
            estimated variances beforehand; "reb2" mends the draws of "reb0" afterwards (Chambers and Chandra
            2013). "wild": the residuals of a group are multiplied by one random number, so that their
            variances may differ (Modugno and Giannerini 2015).
        statistic : callable, optional
            A function of a refitted model that gives a number or several: an array, a Series or a dict, whose
            keys become names. By default every parameter, as in `confint`.
        se : callable, optional
            A function of a refitted model that gives their standard errors, for studentized intervals; those
            of parameters are known without it.
        level : float
            Of its intervals, where `.confint` says no other.
        resample : str, or several, optional
            For "case", what is drawn: names of grouping factors, whose levels are drawn within those they are
            nested in, and "rows"; or a True or False for each grouping factor from the outermost to the
            innermost and one for the rows, as in R's lmeresampler. By default the outermost grouping factor.
            For "wild", the grouping factor whose levels are given a number each, the outermost by default.
        hccme : {"hc2", "hc3"}
            For "wild": residuals are divided by ``(1 - h)^0.5`` or by ``1 - h``, h their leverage.
        aux : {"mammen", "rademacher", "norm", "webb", "gamma"}
            For "wild": the distribution of the random numbers.
        seed : int, optional
            The same seed gives the same draws for any `n_jobs` and any back end.
        n_jobs : int, optional
            Number of workers; -1 for one per processor, None for what joblib's `parallel_config` says. They
            are threads unless a back end of joblib is set ("loky", "dask").
        progress : bool, optional
            Show a bar; by default only where a person watches.

        Returns
        -------
        Bootstrap
            If it is stopped by Ctrl-C, with the samples that are done.

        Raises
        ------
        DataError
            An option that is not known, a seed that is none, a statistic of changing length.
        ModelError
            A model that the kind of bootstrap is not for: crossed groups for "case" without `resample`, two
            grouping factors for "reb0", a known covariance of levels for all but "parametric".

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("dyestuff"))
        >>> b = m.bootstrap(200, statistic=lambda r: {"ratio": r.fixef["Intercept"] / r.sigma}, seed=1)
        >>> b.draws.shape
        (200, 1)
        """
        wrapped = [_wrapped(name, f, type(self)) for name, f in (("statistic", statistic), ("se", se))]
        return bootstrapping.bootstrap(
            self._fit, n, kind=kind, statistic=wrapped[0], se=wrapped[1], level=level, resample=resample,
            hccme=hccme, aux=aux, seed=seed, n_jobs=n_jobs, progress=progress,
        )  # fmt: skip

    def _drawn(
        self, parm: str | Iterable[str] | None, level: float, kind: str, n: int, seed: int | None
    ) -> Table:
        fixed = list(self._fit.names)
        random = [name for name in natural.parameter_names(self._fit) if name not in fixed]
        names = profiles.chosen(parm, random, fixed)
        table = self.bootstrap(n, seed=seed).confint(kind, level=level)
        kept = [name for name in table.index if name in names]
        rows = table.loc[kept]
        return Table.of({name: rows[name].to_numpy() for name in rows.columns}, kept, note=table.note)

    def _by(self, reml: bool) -> Fit:
        return refit.refit(self._fit, reml=reml)

    def _wald(self, parm: str | Iterable[str] | None, level: float, ddf: DdfLike) -> Table:
        random = wald_ends.wald_intervals(self._fit, self._memory.variance_parameters(), level)
        fixed = estimates.fixed_effects(self._fit, self._memory.ddf(ddf, "model"))
        lower, upper = fixed.interval(level)
        rows = {name: ends for name, *ends in random}
        rows |= {
            name: list(ends) for name, *ends in zip(fixed.labels, fixed.estimate, lower, upper, strict=True)
        }
        names = [name for name, *_ in random]
        chosen = profiles.chosen(parm, names, list(fixed.labels))
        kept = [name for name in rows if name in chosen]
        empty = any(not np.isfinite(rows[name]).all() for name in kept)
        note = [
            f"{level:.12g} Wald intervals: standard deviations by their logarithms, correlations by Fisher's "
            "z",
            fixed.ddf.note,
            "NaN or inf: at the edge of what is possible there is no standard error; take method='profile'"
            * empty,
        ]
        return Table.of_rows([rows[name] for name in kept], ["estimate", "lower", "upper"], kept, note=note)


def _wrapped(name: str, given: Any, kind: type) -> Callable[[Fit], Any] | None:
    if given is not None and not callable(given):
        raise DataError(
            f"{name} must be a function of a refitted model, such as lambda m: m.sigma, not {shown(given)}"
        )
    return None if given is None else partial(_of_model, name, given, kind)


def _of_model(name: str, function: Callable[[Any], Any], kind: type, fit: Fit) -> Any:
    return called(f"{name}=", function, kind(fit), advice=OF_REPLICATES)
