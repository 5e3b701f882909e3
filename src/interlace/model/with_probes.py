"""The fitted model of the iterative engine: what it answers, and what it refuses to answer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NoReturn

from interlace.errors import ModelError, shown
from interlace.estimation.iterative import NO_FACTOR
from interlace.hints import answers_by_name
from interlace.inference import estimates
from interlace.model.linear import LinearMixedModel
from interlace.options import MODEL
from interlace.precision import df
from interlace.precision.df import Ddf, DdfLike, VcovLike
from interlace.refitting import profile
from interlace.tables.table import Table
from interlace.variances import monte_carlo

#: What needs no factor: estimates, predictions, tests by normal quantiles.
ANSWERED = frozenset({
    "aic", "anova", "bic", "coef", "coef_table", "confint", "contrast_test", "convergence", "deviance",
    "df_resid", "emmeans", "emtrends", "fit", "fitted", "fixef", "formula", "glance", "icc", "is_singular",
    "joint_tests", "loglik", "monte_carlo", "ngroups", "nobs", "predict", "r2", "ranef", "refit", "reml",
    "reml_criterion", "residuals", "se", "sigma", "simulate", "summary", "theta", "tidy", "to_dict",
    "equation", "update", "varcorr", "vcov", "model_matrix", "save", "without_rows",
    # and by the names of statsmodels
    "bse", "conf_int", "cov_params", "endog_names", "fittedvalues", "llf", "params", "pvalues",
    "random_effects", "resid", "tvalues",
})  # fmt: skip

_MANY = "each of its many fits would have a Monte Carlo error of its own"
#: Why the others are refused, where it is not the factor.
REASONS: dict[str, str] = {
    "profile": "it is a search at every point, and each would have a Monte Carlo error of its own",
    **dict.fromkeys(
        ("bootstrap", "permutation_test", "multistart", "cross_validate", "ranova", "drop1"), _MANY
    ),
}


class IterativeModel(LinearMixedModel):
    """A linear mixed model without a factor of its random effects, of `lmer(..., solver="iterative")`.

    Estimates, standard errors of the fixed effects, predictions and tests by normal quantiles are those of
    every fitted model; `ddf` is "asymptotic". The criterion and what it was minimised for are estimates with
    a Monte Carlo error, which `monte_carlo` reports. What rests on the factor, or on many fits, raises a
    `ModelError` that says why.
    """

    def monte_carlo(self) -> Table:
        """The Monte Carlo error of the criterion and of the estimates.

        Returns
        -------
        Table
            A row for the criterion, each standard deviation and correlation, sigma and each coefficient:
            `estimate`, and `error`, the standard deviation of the estimate over sets of probes. It falls with
            the root of their number. Of coefficients, `share` is the error over their standard error.

        Notes
        -----
        With slopes g of the criterion that have the covariance N over sets of probes, and its Hessian H, the
        parameters have the Monte Carlo covariance ``H^-1 N H^-1``; the rest follows by the delta method.

        Examples
        --------
        >>> import interlace
        >>> data = interlace.datasets.load("penicillin")
        >>> m = interlace.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", data, solver="iterative")
        >>> list(m.monte_carlo().columns)
        ['estimate', 'error', 'share']
        """
        return monte_carlo.monte_carlo(self._fit)

    def confint(
        self,
        parm: str | Iterable[str] | None = None,
        *,
        method: str = "wald",
        level: float = 0.95,
        **others: Any,
    ) -> Table:
        """Wald intervals of the coefficients, by normal quantiles.

        Parameters
        ----------
        parm : str, or several, optional
            Names of coefficients; all of them without it.
        method : {"wald"}
            There are no others.
        level : float
            Between 0 and 1.
        **others
            Refused: options of other methods.

        Returns
        -------
        Table
            Columns `estimate, lower, upper`.
        """
        if method != "wald" or others:
            asked = next(iter(others), "method")
            raise ModelError(f"m.confint({asked}=...) is not there after solver='iterative': {_MANY}")
        found = estimates.fixed_effects(self._fit, df.Asymptotic().bind(self._fit))
        lower, upper = found.interval(profile.check_level(level))
        names = profile.chosen(parm, [], list(found.labels))
        rows = dict(zip(found.labels, zip(found.estimate, lower, upper, strict=True), strict=True))
        kept = [name for name in rows if name in names]
        note = [f"{level:.12g} Wald intervals of the coefficients", found.ddf.note]
        return Table.of_rows([rows[name] for name in kept], ["estimate", "lower", "upper"], kept, note=note)

    def _tests(self, *, ddf: DdfLike = "asymptotic", vcov: VcovLike = MODEL, cluster: Any = None) -> Ddf:
        """What coefficients are tested by: the normal distribution."""
        _refuse_others(ddf)
        return self._memory.ddf(ddf, vcov, cluster)

    @property
    def plot(self) -> NoReturn:
        """Refused: pictures are of diagnostics that are not there."""
        raise _refusal("plot")


def _refusal(name: str) -> ModelError:
    return ModelError(f"m.{name} is not there after solver='iterative': {REASONS.get(name, NO_FACTOR)}")


def _refused(name: str) -> Callable[..., None]:
    def method(self: Any, *args: Any, **options: Any) -> None:
        raise _refusal(name)

    method.__name__ = name
    method.__doc__ = f"Refused: {REASONS.get(name, NO_FACTOR)}."
    return method


def _refuse_others(ddf: object) -> None:
    if ddf != "asymptotic":
        raise ModelError(
            f"ddf={shown(ddf)} is not there after solver='iterative': {NO_FACTOR}. With so many levels "
            "normal quantiles are as good: write ddf='asymptotic'"
        )


def _asymptotic(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method whose tests are by normal quantiles, unless others are asked for and refused."""

    @wraps(function)
    def method(self: Any, *args: Any, **options: Any) -> Any:
        _refuse_others(options.setdefault("ddf", "asymptotic"))
        return function(self, *args, **options)

    return method


for _name in dir(LinearMixedModel):
    _member = inspect.getattr_static(LinearMixedModel, _name)
    if _name.startswith("_") or _name in vars(IterativeModel):
        continue
    if _name not in ANSWERED:
        setattr(IterativeModel, _name, _refused(_name))
    elif inspect.isfunction(_member) and "ddf" in inspect.signature(_member).parameters:
        setattr(IterativeModel, _name, _asymptotic(_member))
answers_by_name()(IterativeModel)
