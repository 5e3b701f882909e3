"""The bootstrap: how estimates vary over data that the model, or its residuals, could have given."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from interlace.arrays import Array
from interlace.errors import DataError, InterlaceError, InterlaceWarning, ModelError
from interlace.estimation.fit import Fit
from interlace.options import word
from interlace.precision.singular import is_singular
from interlace.prediction.predict import contribution, fixed_part
from interlace.prediction.selection import Part
from interlace.prediction.simulate import simulate
from interlace.refitting.parallel import check_draws, replicate
from interlace.refitting.profile import check_level
from interlace.tables.table import Table
from interlace.variances.natural import parameter_names, parameter_values

KINDS = ("parametric", "residual")
INTERVALS = ("percentile", "basic", "normal")
Statistic = Callable[[Fit], Any]
Draw = tuple[Array | None, bool, str]


@dataclass(frozen=True, slots=True)
class Residuals:
    """Random effects and residuals of a fit, centred and with the variances that were estimated.

    Estimated effects vary less than the effects do (they are shrunk), and residuals less than errors. Both
    are multiplied so that their empirical covariance is the estimated one: ``U A`` with ``A'U'U A / L = S``
    for the effects U of L levels and their estimated covariance S.

    References
    ----------
    Carpenter, J. R., Goldstein, H., and Rasbash, J. (2003). A novel bootstrap procedure for assessing the
    relationship between class size and achievement. Applied Statistics, 52, 431-443.
    """

    effects: tuple[Array, ...]
    errors: Array
    fixed: Array

    @classmethod
    def of(cls, fit: Fit) -> Residuals:
        """All of them.

        Raises
        ------
        ModelError
            The covariance of the levels is known: they cannot be exchanged.
        """
        known = [block.group for block in fit.encoding.random if block.known is not None]
        if known:
            raise ModelError(
                f"levels of '{known[0]}' have a known covariance and cannot be exchanged: take "
                "kind='parametric'"
            )
        design, solution = fit.design, fit.solution
        fixed = fixed_part(fit, design)
        errors = design.y - fixed
        for i, b in enumerate(solution.b):
            errors -= contribution(design.random[i], b, _whole(i, b))
        if design.weights is not None:
            errors *= np.sqrt(design.weights)
        errors -= errors.mean()
        errors *= fit.sigma / np.sqrt(np.mean(errors**2))
        effects = [
            _spread(b, fit.scale * (T @ T.T)) for b, T in zip(solution.b, solution.factors, strict=True)
        ]
        return cls(tuple(effects), errors, fixed)

    def draw(self, fit: Fit, rng: np.random.Generator) -> Array:
        """A response: effects of levels and errors of rows, each with replacement."""
        design = fit.design
        y = rng.choice(self.errors, size=len(self.errors))
        if design.weights is not None:
            y /= np.sqrt(design.weights)
        for i, u in enumerate(self.effects):
            y += contribution(design.random[i], u[rng.integers(0, len(u), len(u))], _whole(i, u))
        return y + self.fixed


def _whole(i: int, effects: Array) -> Part:
    return Part(i, tuple(range(effects.shape[1])))


def _spread(b: Array, S: Array) -> Array:
    """Rows, centred, times A with ``A' cov A = S``: by symmetric roots, which a singular S has too."""
    centred = b - b.mean(axis=0)
    return centred @ _root(centred.T @ centred / len(b), -0.5) @ _root(S, 0.5)


def _root(M: Array, power: float) -> Array:
    values, vectors = np.linalg.eigh(M)
    kept = values > 1e-12 * max(values[-1], 0.0)
    scale = np.where(kept, np.where(kept, values, 1.0) ** power, 0.0)
    return np.asarray((vectors * scale) @ vectors.T)


@dataclass(frozen=True)
class Bootstrap:
    """Estimates over samples drawn anew; made by `LinearMixedModel.bootstrap`.

    Attributes
    ----------
    kind : str
    names : tuple of str
        Of the statistics.
    estimate : ndarray, (m,)
        Those of the model.
    values : ndarray, (n, m)
        Those of the refits; the ones that failed are not among them.
    n : int
        Samples drawn.
    n_singular : int
        Refits with a singular covariance of the random effects.
    failures : dict
        How many refits failed, by reason.
    """

    kind: str
    names: tuple[str, ...]
    estimate: Array
    values: Array
    n: int
    n_singular: int
    failures: dict[str, int]
    more: Callable[[int], Bootstrap] = field(repr=False, compare=False)

    @property
    def draws(self) -> pd.DataFrame:
        """One row per refit, one column per statistic."""
        return pd.DataFrame(self.values, columns=list(self.names))

    @property
    def _note(self) -> list[str]:
        singular = f"{self.n_singular} of {self.n} refits are singular" if self.n_singular else ""
        return [singular, *(f"{count} refits failed: {reason}" for reason, count in self.failures.items())]

    def summary(self) -> Table:
        """`estimate`, `bias` (mean of the draws less the estimate) and `se` (their standard deviation)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a statistic that no refit has
            mean, se = np.nanmean(self.values, axis=0), np.nanstd(self.values, axis=0, ddof=1)
        columns = {"estimate": self.estimate, "bias": mean - self.estimate, "se": se}
        heading = f"{self.kind} bootstrap: {self.n} samples"
        return Table.of(columns, self.names, heading=heading.capitalize(), note=self._note)

    def confint(self, kind: str = "percentile", *, level: float = 0.95) -> Table:
        """Columns `estimate, lower, upper`.

        Parameters
        ----------
        kind : {"percentile", "basic", "normal"}
            "percentile": quantiles of the draws. "basic": twice the estimate less the opposite quantiles.
            "normal": estimate less bias, and quantiles of the normal distribution times `se`.
        level : float
            Between 0 and 1.

        References
        ----------
        Davison, A. C., and Hinkley, D. V. (1997). Bootstrap Methods and their Application, chapter 5.
        """
        kind, level = word("kind", kind, INTERVALS), check_level(level)
        half = (1 - level) / 2
        if kind == "normal":
            from scipy import special  # slow to import

            s = self.summary()
            middle = (s["estimate"] - s["bias"]).to_numpy()
            reach = special.ndtri(1 - half) * s["se"].to_numpy()
            lower, upper = middle - reach, middle + reach
        else:
            lower, upper = (_quantiles(self.values, p) for p in (half, 1 - half))
            if kind == "basic":
                lower, upper = 2 * self.estimate - upper, 2 * self.estimate - lower
        columns = {"estimate": self.estimate, "lower": lower, "upper": upper}
        note = [f"{level:.12g} {kind} intervals of a {self.kind} bootstrap of {self.n} samples", *self._note]
        return Table.of(columns, self.names, note=note)

    def append(self, n: int) -> Bootstrap:
        """The same with `n` more samples: those that a longer run with the same seed would have drawn."""
        return self.more(self.n + check_draws(n))

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


def _quantiles(values: Array, p: float) -> Array:
    """By column, of the draws that have the statistic; linear between order statistics, R's type 7."""
    out = np.full(values.shape[1], np.nan)
    for j, column in enumerate(values.T):
        there = column[~np.isnan(column)]
        if there.size:
            out[j] = np.quantile(there, p)
    return out


def bootstrap(
    fit: Fit,
    n: int = 1000,
    *,
    kind: str = "parametric",
    statistic: Statistic | None = None,
    seed: int | None = None,
    n_jobs: int = 1,
    progress: bool | None = None,
) -> Bootstrap:
    """See `LinearMixedModel.bootstrap`; `statistic` is a function of a fit."""
    kind, n = word("kind", kind, KINDS), check_draws(n)
    seed = int(np.random.default_rng().integers(2**63)) if seed is None else seed
    names, estimate = _statistics(fit, statistic)
    sample = _sampler(fit, kind)

    def draw(rng: np.random.Generator) -> Draw:
        return _refitted(fit, sample(rng), statistic, names)

    with warnings.catch_warnings():  # counted instead
        warnings.simplefilter("ignore", InterlaceWarning)
        found = replicate(draw, n, seed=seed, n_jobs=n_jobs, progress=progress, label="bootstrap")
    values = [value for value, _, _ in found if value is not None]
    return Bootstrap(
        kind=kind,
        names=names,
        estimate=estimate,
        values=np.array(values, dtype=np.float64).reshape(-1, len(names)),
        n=n,
        n_singular=sum(singular for _, singular, _ in found),
        failures=dict(Counter(reason for _, _, reason in found if reason)),
        more=partial(
            bootstrap, fit, kind=kind, statistic=statistic, seed=seed, n_jobs=n_jobs, progress=progress
        ),
    )


def _sampler(fit: Fit, kind: str) -> Callable[[np.random.Generator], Array]:
    if kind == "residual":
        return partial(Residuals.of(fit).draw, fit)
    return lambda rng: simulate(fit, 1, seed=rng)[:, 0]


def _refitted(fit: Fit, y: Array, statistic: Statistic | None, names: Sequence[str]) -> Draw:
    try:
        again = fit.refit(y)
    except InterlaceError as error:
        return None, False, str(error).partition(";")[0].partition(":")[0]
    if not again.optimum.converged:
        return None, False, f"the search did not converge ({again.optimum.status})"
    return _values(again, statistic, len(names)), is_singular(again), ""


def _statistics(fit: Fit, statistic: Statistic | None) -> tuple[tuple[str, ...], Array]:
    if statistic is None:
        return tuple(parameter_names(fit)), parameter_values(fit)
    found = statistic(fit)
    if isinstance(found, dict):
        found = pd.Series(found)
    values = _numbers(found)
    if isinstance(found, pd.Series):
        return tuple(map(str, found.index)), values
    return tuple(f"statistic_{j + 1}" for j in range(len(values))), values


def _values(fit: Fit, statistic: Statistic | None, size: int) -> Array:
    if statistic is None:
        return parameter_values(fit)
    found = statistic(fit)
    values = _numbers(pd.Series(found) if isinstance(found, dict) else found)
    if len(values) != size:
        raise DataError(
            f"the statistic gave {size} numbers for the model and {len(values)} for a refit; it must always "
            "give as many"
        )
    return values


def _numbers(found: Any) -> Array:
    try:
        values = np.atleast_1d(np.asarray(found, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise DataError(f"the statistic must give a number or several, not {type(found).__name__}") from error
    if values.ndim != 1 or not values.size:
        raise DataError(f"the statistic must give a number or several, not an array of shape {values.shape}")
    return values
