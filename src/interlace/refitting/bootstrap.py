"""The bootstrap: how estimates vary over data that the model, or its residuals, could have given."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from interlace.arrays import Array
from interlace.errors import (
    ConvergenceError,
    DataError,
    FunctionError,
    InterlaceError,
    InterlaceWarning,
    ModelError,
)
from interlace.estimation.answering import Responses
from interlace.estimation.beside_levels import ROWS_LEAVE, refuse_absorbed
from interlace.estimation.fit import Fit
from interlace.estimation.many import Many, fit_many, fits_at
from interlace.frozen import dataclass
from interlace.options import word
from interlace.precision.marginal import Marginal
from interlace.precision.singular import are_singular, is_singular
from interlace.precision.varpar import VarianceParameters
from interlace.refitting.bootstrapped import Bootstrap, Draw
from interlace.refitting.cases import Cases, Factors, fit_rows
from interlace.refitting.parallel import Generators, check_draws, each, in_blocks, jobs_of, root_of, size_of
from interlace.refitting.profile import check_level
from interlace.refitting.resampling import AUX, HCCME, Blocks, Residuals, Sampler, Wild, parametric
from interlace.refitting.statistics import Lost, Statistic, numbers, pickled_or_lost
from interlace.variances.natural import (
    parameter_limits,
    parameter_names,
    parameter_values,
    parameters_of_many,
)
from interlace.variances.scales import NATURAL, Scale, scales
from interlace.variances.wald_ends import variance_errors

KINDS = ("parametric", "residual", "case", "reb0", "reb1", "reb2", "wild")
T = TypeVar("T")
UNPROVED = "the search did not converge ({})"


@dataclass(frozen=True)
class Plan:
    """What is drawn, and what is read off each refit.

    Attributes
    ----------
    fit : Fit
    kind : str
    source : Sampler or Cases
        Of responses, or of rows.
    statistic, spread : callable or None
        Functions of a fit that give numbers, and their standard errors.
    names : tuple of str
    estimate, se : ndarray, (m,)
        Of the model; NaN where the standard error is not known.
    root : int
        Seed.
    n_jobs : int or None
    progress : bool or None
    level : float
        Of intervals for which none is said.
    """

    fit: Fit = field(repr=False)
    kind: str
    source: Sampler | Cases = field(repr=False)
    statistic: Statistic | None
    spread: Statistic | None
    names: tuple[str, ...]
    estimate: Array
    se: Array
    root: int
    n_jobs: int | None
    progress: bool | None
    level: float

    @property
    def limits(self) -> Array:
        """Between which numbers each statistic can be, (m, 2); of the caller's, any."""
        if self.statistic is None:
            return parameter_limits(self.fit)
        return np.tile([-np.inf, np.inf], (len(self.names), 1))

    def run(self, first: int, last: int) -> list[Draw]:
        """Replicates `first` to `last`; fewer if somebody stops it."""
        self._refuse_lost()
        return in_blocks(
            self._draws,
            first,
            last,
            root=self.root,
            n_jobs=jobs_of(self.fit.rows, self.n_jobs),
            progress=self.progress,
            label="bootstrap",
            size=size_of(self.fit),
        )

    @property
    def scales(self) -> tuple[Scale, ...]:
        """On which studentized intervals are made."""
        return scales(self.fit) if self.statistic is None else (NATURAL,) * len(self.names)

    def variance_errors(self, n: int) -> list[Array] | None:
        """Standard errors of the parameters of the random effects and of sigma, (variances,): those of the
        model, then of replicates 0 to `n`, which are drawn again; None where these are not the statistics."""
        if self.statistic is not None or self.spread is not None:
            return None
        found = in_blocks(
            self._variance_errors,
            0,
            n,
            root=self.root,
            n_jobs=jobs_of(self.fit.rows, self.n_jobs),
            progress=self.progress,
            label="standard errors",
            size=size_of(self.fit),
        )
        if len(found) < n:
            raise KeyboardInterrupt
        return [errors_of_variances(self.fit), *found]

    def _variance_errors(self, generators: Generators) -> list[Array]:
        fits: Iterable[Fit | None]
        if isinstance(self.source, Cases):
            fits = (_case(self.fit, self.source, rng) for rng in generators)
        else:
            Y = self.source.responses(self.fit, generators)
            fits = fits_at(self.fit, Y, fit_many(self.fit, Y))
        nothing = np.full(len(self.names) - len(self.fit.names), np.nan)
        return [nothing if fit is None else errors_of_variances(fit) for fit in fits]

    def jackknife(self) -> list[Array]:
        """The statistics without each level of a grouping factor, (L, m): one array for each factor that lies
        in no other.

        Raises
        ------
        ModelError
            Without some level the model cannot be fitted, or levels are absorbed.
        """
        refuse_absorbed(self.fit.encoding, "a BCa interval", ROWS_LEAVE)
        self._refuse_lost()
        factors = Factors.of(self.fit)
        out = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InterlaceWarning)
            for i in factors.outermost:
                codes = factors.codes[i]
                found = [self._without(codes != level, factors.names[i]) for level in range(codes.max() + 1)]
                out.append(np.array(found))
        return out

    def _without(self, rows: np.ndarray, name: str) -> Array:
        try:
            return self.read(fit_rows(self.fit, np.flatnonzero(rows)))
        except FunctionError as error:
            raise error.at(f" without a level of '{name}', which BCa intervals need") from error.original
        except InterlaceError as error:
            raise ModelError(
                f"BCa intervals need the model without each level of '{name}' in turn, and without one "
                f"of them {error}: take kind='percentile'"
            ) from error

    def _draws(self, generators: Generators) -> list[Draw]:
        if isinstance(self.source, Cases):
            return each(partial(self._of_case, cases=self.source), generators)
        Y = self.source.responses(self.fit, generators)
        if self.statistic is None and self.spread is None:
            return self._of_many(fit_many(self.fit, Y))
        try:
            fits = self.fit.refit_many(Y)
        except InterlaceError:  # of one of them: which?
            return each(self._of_response, (Y[j : j + 1] for j in range(len(Y))))
        return each(self._of_fit, fits)

    def _of_many(self, many: Many) -> list[Draw]:
        """The parameters of all refits together."""
        values, singular = parameters_of_many(self.fit, many), are_singular(self.fit, many.factors)
        se = np.full(values.shape, np.nan)
        se[:, values.shape[1] - len(self.fit.names) :] = many.se
        out = []
        for j, (error, status) in enumerate(zip(many.errors, many.status, strict=True)):
            if error is not None:
                out.append(Draw.failed(error))
            elif status != "converged":
                out.append(Draw(None, None, False, UNPROVED.format(status)))
            else:
                out.append(Draw(values[j], se[j], bool(singular[j]), ""))
        return out

    def _of_response(self, y: Responses) -> Draw:
        try:
            (again,) = self.fit.refit_many(y)
        except InterlaceError as error:
            return Draw.failed(error)
        return self._of_fit(again)

    def _of_case(self, rng: np.random.Generator, cases: Cases) -> Draw:
        try:
            again = fit_rows(self.fit, *cases.sample(rng))
        except InterlaceError as error:
            return Draw.failed(error)
        return self._of_fit(again)

    def _of_fit(self, again: Fit) -> Draw:
        if not again.optimum.converged:
            return Draw(None, None, False, UNPROVED.format(again.optimum.status))
        try:
            return Draw(self.read(again), self.errors(again), is_singular(again), "")
        except (ModelError, ConvergenceError) as error:  # of a statistic that some fits do not have
            return Draw.failed(error)

    def read(self, fit: Fit) -> Array:
        """The statistics of a fit.

        Raises
        ------
        DataError
            They are not as many as those of the model.
        """
        if self.statistic is None:
            return parameter_values(fit)
        return self._as_many(self.statistic(fit), "statistic", "numbers")

    def errors(self, fit: Fit) -> Array | None:
        """Their standard errors: those of coefficients, or what the caller's function says."""
        if self.spread is not None:
            return self._as_many(self.spread(fit), "se", "standard errors")
        return None if self.statistic is not None else standard_errors(fit, len(self.names))

    def _as_many(self, found: Any, what: str, words: str) -> Array:
        values = numbers(pd.Series(found) if isinstance(found, dict) else found)
        if len(values) == len(self.names):
            return values
        if what == "se":
            raise DataError(
                f"the function se gave {len(values)} standard errors, and the statistic has "
                f"{len(self.names)} numbers: one for each"
            )
        raise DataError(
            f"the {what} gave {len(self.names)} {words} for the model and {len(values)} for a refit; it must "
            "always give as many"
        )

    def _refuse_lost(self) -> None:
        for function in (self.statistic, self.spread):
            if isinstance(function, Lost):
                raise ModelError(function.words)

    def pickled(self) -> Plan:
        """The plan without functions that do not pickle; what was drawn does not need them."""
        statistic, spread = pickled_or_lost(self.statistic, "statistic"), pickled_or_lost(self.spread, "se")
        return replace(self, statistic=statistic, spread=spread)


def _case(fit: Fit, cases: Cases, rng: np.random.Generator) -> Fit | None:
    try:
        return fit_rows(fit, *cases.sample(rng))
    except InterlaceError:  # counted among the draws
        return None


def errors_of_variances(fit: Fit) -> Array:
    """Standard errors of the parameters of the random effects and of sigma; NaN where there are none."""
    try:
        return variance_errors(fit, VarianceParameters.of(fit, Marginal.of(fit)))
    except ModelError:  # the criterion has no curvature beside the optimum
        return np.full(len(parameter_names(fit)) - len(fit.names), np.nan)


def standard_errors(fit: Fit, size: int) -> Array:
    """Of the coefficients, which come last; NaN for the variances before them."""
    se = fit.sigma * np.sqrt(np.diagonal(fit.solution.unscaled_vcov))
    return np.concatenate([np.full(size - len(se), np.nan), se])


def bootstrap(
    fit: Fit,
    n: int = 1000,
    *,
    kind: str = "parametric",
    statistic: Statistic | None = None,
    se: Statistic | None = None,
    level: float = 0.95,
    resample: Any = None,
    hccme: str = "hc2",
    aux: str = "mammen",
    seed: int | None = None,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> Bootstrap:
    """See `LinearMixedModel.bootstrap`; `statistic` and `se` are functions of a fit."""
    kind, n = word("kind", kind, KINDS), check_draws(n)
    if kind == "case":
        refuse_absorbed(fit.encoding, "kind='case'", ROWS_LEAVE)
    if kind == "wild":
        refuse_absorbed(
            fit.encoding, "kind='wild'", "levels of these reach beyond the groups that it draws for"
        )
    if kind == "reb2" and statistic is not None:
        raise DataError(
            "kind='reb2' adjusts the draws of all parameters together, and has no statistic= of its own: "
            "take kind='reb0' or 'reb1'"
        )
    source = _source(fit, kind, resample, word("hccme", hccme, HCCME), word("aux", aux, AUX))
    names, estimate = _of_the_model(partial(_statistics, statistic=statistic), fit)
    plan = Plan(
        fit,
        kind,
        source,
        statistic,
        se,
        names,
        estimate,
        estimate,
        root_of(seed),
        n_jobs,
        progress,
        check_level(level),
    )
    errors = _of_the_model(plan.errors, fit)
    plan = replace(plan, se=np.full(len(names), np.nan) if errors is None else errors)
    return Bootstrap.of(plan, plan.run(0, n), n)


def _source(fit: Fit, kind: str, resample: Any, hccme: str, aux: str) -> Sampler | Cases:
    if resample is not None and kind not in ("case", "wild"):
        raise DataError(f"resample= is for kind='case' and 'wild', not for kind='{kind}'")
    if kind == "case":
        return Cases.of(fit, resample)
    if kind == "wild":
        return Wild.of(fit, _clusters(fit, resample), hccme, aux)
    makers: dict[str, Callable[[Fit], Sampler]] = {
        "parametric": parametric,
        "residual": Residuals.of,
        "reb0": Blocks.of,
        "reb1": Blocks.scaled,
        "reb2": Blocks.of,
    }
    return makers[kind](fit)


def _clusters(fit: Fit, resample: Any) -> np.ndarray:
    factors = Factors.of(fit)
    if resample is None:
        return factors.codes[factors.independent("wild")]
    name = resample[0] if isinstance(resample, Sequence) and len(resample) == 1 else resample
    if name not in factors.names:
        raise DataError(
            "for kind='wild' resample names the one grouping factor whose levels are given a random number "
            f"each: {' or '.join(factors.names)}"
        )
    return factors.codes[factors.names.index(name)]


def _of_the_model(read: Callable[[Fit], T], fit: Fit) -> T:
    """What is read of the model itself, before any replicate."""
    try:
        return read(fit)
    except FunctionError as error:
        raise error.at(" for the model itself") from error.original


def _statistics(fit: Fit, statistic: Statistic | None) -> tuple[tuple[str, ...], Array]:
    if statistic is None:
        return tuple(parameter_names(fit)), parameter_values(fit)
    found = statistic(fit)
    if isinstance(found, dict):
        found = pd.Series(found)
    values = numbers(found)
    if isinstance(found, pd.Series):
        return tuple(map(str, found.index)), values
    return tuple(f"statistic_{j + 1}" for j in range(len(values))), values
