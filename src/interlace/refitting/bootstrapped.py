"""Draws of a bootstrap, and what is made of them: standard errors, intervals, tests and pictures."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from interlace.arrays import Array
from interlace.errors import DataError, InterlaceError, ModelError, shown
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.hints import methods_answer_options
from interlace.options import number, word
from interlace.pictures.curves import Curves, Panel, curve_plot, density
from interlace.refitting.bootstrap_ends import Draws, ends
from interlace.refitting.parallel import check_draws, stopped
from interlace.refitting.profile import check_level
from interlace.refitting.reb2 import adjusted
from interlace.tables.table import Table
from interlace.text import did_you_mean
from interlace.variances.scales import NATURAL, Scale

if TYPE_CHECKING:
    from interlace.pictures.axes import OneOrMoreAxes

INTERVALS = ("percentile", "basic", "normal", "bca", "studentized")


@dataclass(frozen=True, slots=True)
class Draw:
    """What one replicate gave: statistics and their standard errors, whether it is singular; or the reason
    why there are none."""

    values: Array | None
    se: Array | None
    singular: bool
    reason: str

    @classmethod
    def failed(cls, error: InterlaceError) -> Draw:
        """Without values, for this reason."""
        return cls(None, None, False, str(error).partition(";")[0].partition(":")[0])


class Drawing(Protocol):
    """Where draws come from."""

    @property
    def fit(self) -> Fit:
        """The model."""

    @property
    def kind(self) -> str:
        """Of the bootstrap."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the statistics."""

    @property
    def estimate(self) -> Array:
        """Those of the model, (m,)."""

    @property
    def se(self) -> Array:
        """Their standard errors, (m,); NaN for none."""

    @property
    def level(self) -> float:
        """Of intervals for which none is said."""

    @property
    def limits(self) -> Array:
        """Between which numbers each statistic can be, (m, 2)."""

    @property
    def scales(self) -> tuple[Scale, ...]:
        """On which studentized intervals are made."""

    def run(self, first: int, last: int) -> list[Draw]:
        """Replicates `first` to `last`."""

    def variance_errors(self, n: int) -> list[Array] | None:
        """Standard errors of variances, where these are statistics: the model, then replicates 0 to `n`."""

    def jackknife(self) -> list[Array]:
        """The statistics without each level of the grouping factors that lie in no other."""

    def pickled(self) -> Drawing:
        """Without functions that do not pickle."""


@methods_answer_options
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
    values, errors : ndarray, (n, m)
        Those of the refits, and their standard errors (NaN where none are known); refits that failed are not
        among them.
    n : int
        Samples drawn.
    n_singular : int
        Refits with a singular covariance of the random effects.
    failures : dict
        How many refits failed, by reason.
    stopped : str
        What is to be said where somebody stopped it before all samples were drawn; else "".
    """

    kind: str
    names: tuple[str, ...]
    estimate: Array
    values: Array
    errors: Array
    n: int
    n_singular: int
    failures: dict[str, int]
    stopped: str
    found: tuple[Draw, ...] = field(repr=False, compare=False)
    plan: Drawing = field(repr=False, compare=False)
    _memory: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, plan: Drawing, found: Sequence[Draw], asked: int) -> Bootstrap:
        """From the draws of a plan."""
        failures = Counter(one.reason for one in found if one.reason)
        kept = [one for one in found if one.values is not None]
        m, none = len(plan.names), np.full(len(plan.names), np.nan)
        values: Array = np.array([one.values for one in kept], dtype=np.float64).reshape(-1, m)
        errors: Array = np.array([none if one.se is None else one.se for one in kept]).reshape(-1, m)
        names, estimate = plan.names, plan.estimate
        if plan.kind == "reb2":
            names, estimate, values, lost = adjusted(plan.fit, names, estimate, values)
            errors = np.full(values.shape, np.nan)
            failures += Counter(lost)
        singular = sum(one.singular for one in found)
        return cls(
            plan.kind, names, estimate, values, errors, len(found), singular, dict(failures),
            stopped(len(found), asked), tuple(found), plan,
        )  # fmt: skip

    @property
    def draws(self) -> pd.DataFrame:
        """One row per refit, one column per statistic."""
        return pd.DataFrame(self.values, columns=list(self.names))

    @property
    def _note(self) -> list[str]:
        singular = f"{self.n_singular} of {self.n} refits are singular" if self.n_singular else ""
        failed = [
            f"{count} refit{'s' * (count != 1)} failed: {reason}" for reason, count in self.failures.items()
        ]
        missing = np.isnan(self.values).sum(axis=0)
        lost = [
            f"{count} of {len(self.values)} refits have no {name}"
            for name, count in zip(self.names, missing, strict=True)
            if count
        ]
        return [self.stopped, singular, *failed, *lost]

    @property
    def _drawn(self) -> Draws:
        same = self.names == self.plan.names
        se = self.plan.se if same else np.full(len(self.names), np.nan)
        scales = self.plan.scales if same else (NATURAL,) * len(self.names)
        return Draws(self.names, self.estimate, self.values, se, self.errors, scales)

    @property
    def _with_variances(self) -> Draws:
        """With the standard errors of variances, for which the samples are drawn once more."""
        if self.kind == "reb2":
            raise ModelError("kind='reb2' has no studentized interval: its draws are adjusted already")
        drawn = self._drawn
        if "variances" not in self._memory:
            self._memory["variances"] = self.plan.variance_errors(self.n)
        if self._memory["variances"] is None:
            return drawn
        own, *found = self._memory["variances"]
        kept = [one for one, draw in zip(found, self.found, strict=True) if draw.values is not None]
        se, errors = drawn.se.copy(), drawn.errors.copy()
        se[: len(own)], errors[:, : len(own)] = own, kept
        return replace(drawn, se=se, errors=errors)

    def summary(self) -> Table:
        """`estimate`, `bias` (mean of the draws less the estimate), `se` (their standard deviation), and
        `singular` and `failed`, the shares of singular and of failed refits."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a statistic that no refit has
            mean, se = np.nanmean(self.values, axis=0), np.nanstd(self.values, axis=0, ddof=1)
        failed = sum(self.failures.values())
        columns = {
            "estimate": self.estimate,
            "bias": mean - self.estimate,
            "se": se,
            "singular": np.full(len(se), self.n_singular / self.n),
            "failed": np.full(len(se), failed / self.n),
        }
        heading = f"{self.kind} bootstrap: {self.n} samples"
        return Table.of(columns, self.names, heading=heading[0].upper() + heading[1:], note=self._note)

    def confint(self, kind: str = "percentile", *, level: float | None = None) -> Table:
        """Columns `estimate, lower, upper`.

        Parameters
        ----------
        kind : {"percentile", "basic", "normal", "bca", "studentized"}
            "percentile": quantiles of the draws. "basic": twice the estimate less the opposite quantiles.
            "normal": estimate less bias, and quantiles of the normal distribution times `se`.
            "bca": quantiles of the draws at levels that mend bias and skewness, ``Phi(z0 + (z0 + z) / (1 -
            a (z0 + z)))``: z0 is the normal quantile of the share of draws below the estimate (half of those
            equal to it), and a the skewness of the statistics without each level of the outermost grouping
            factor (with several crossed ones, of all together), for which the model is refitted without each.
            "studentized": ``estimate - q se``, q quantiles of ``(draw - estimate) / se of the draw``, for
            every parameter, or for a statistic with the standard errors that `se=` gave. Standard deviations
            are taken by their logarithms and correlations by Fisher's z, with standard errors from the
            Hessian of the criterion as in `confint(method="wald")`, for which the samples are drawn once
            more. Refits where there is none, at a standard deviation of zero or a correlation of 1, are left
            out and counted.
        level : float, optional
            Between 0 and 1; without it, that of the bootstrap.

        Raises
        ------
        ModelError
            No refit is left; "studentized" without a standard error, or of kind "reb2"; "bca" where the model
            cannot be fitted without some level.

        References
        ----------
        Davison, A. C., and Hinkley, D. V. (1997). Bootstrap Methods and their Application, chapter 5.
        Efron, B. (1987). Better bootstrap confidence intervals. JASA, 82, 171-185.
        """
        kind, level = word("kind", kind, INTERVALS), self._level(level)
        self._refuse_none()
        if kind == "normal" and len(self.values) < 2:
            raise ModelError("a normal interval needs the standard error of two draws or more")
        drawn = self._with_variances if kind == "studentized" else self._drawn
        lower, upper, words = ends(kind, drawn, level, self._jackknife)
        columns = {"estimate": self.estimate, "lower": lower, "upper": upper}
        said = f"{level:.12g} {kind} intervals of a {self.kind} bootstrap of {self.n} samples"
        table = Table.of(columns, self.names, note=[said, *words, *self._note])
        if kind == "studentized":
            kept = [name for name, low in zip(self.names, lower, strict=True) if not np.isnan(low)]
            rows = table.loc[kept]
            table = Table.of({name: rows[name].to_numpy() for name in rows}, kept, note=table.note)
        return table

    def _level(self, level: float | None) -> float:
        return self.plan.level if level is None else check_level(level)

    def _jackknife(self) -> list[Array]:
        if self.kind == "reb2":
            raise ModelError("kind='reb2' has no BCa interval: its draws are adjusted already")
        if "jackknife" not in self._memory:
            self._memory["jackknife"] = self.plan.jackknife()
        return list(self._memory["jackknife"])

    def _refuse_none(self) -> None:
        if not len(self.values):
            reasons = ", ".join(self.failures)
            raise ModelError(f"no refit is left: all {self.n} failed ({reasons})")

    def pvalues(self, null: float = 0.0) -> Table:
        """Tests that a statistic has the value `null`: columns `estimate, null, statistic, p`.

        With ``t = (estimate - null) / se`` and ``t* = (draw - estimate) / se of the draw``,
        ``p = (1 + #{|t*| >= |t|}) / (1 + draws)`` (Davison and Hinkley 1997, section 4.4). Of the parameters
        only the coefficients are tested, as a variance of zero is at the edge of what is possible: see
        `ranova` and `bootstrap_compare`. A statistic without `se=` is taken as it is, without division.
        """
        null = number("null", null)
        self._refuse_none()
        known = np.isfinite(self.plan.se) if self.kind != "reb2" else np.zeros(len(self.names), dtype=bool)
        own = not known.any()
        if self.kind == "reb2":
            rows = [j for j, name in enumerate(self.names) if name in self.plan.fit.names]
        else:
            rows = list(range(len(self.names))) if own else np.flatnonzero(known).tolist()
        out = []
        for j in rows:
            draws = self.values[:, j]
            unit = 1.0 if own else float(self.plan.se[j])
            units = np.ones(len(draws)) if own else self.errors[:, j]
            there = np.isfinite(draws) & (units > 0)
            t = (self.estimate[j] - null) / unit
            extreme = np.abs((draws[there] - self.estimate[j]) / units[there]) >= abs(t)
            p = (1 + int(extreme.sum())) / (1 + int(there.sum())) if np.isfinite(t) else np.nan
            out.append((self.estimate[j], null, t, p))
        return Table.of_rows(
            out,
            ["estimate", "null", "statistic", "p"],
            [self.names[j] for j in rows],
            note=[f"two-sided, by a {self.kind} bootstrap of {self.n} samples", *self._note],
        )

    def plot(
        self, which: str | Sequence[str] | None = None, *, level: float | None = None, ax: Any = None
    ) -> OneOrMoreAxes:
        """Densities of the draws, with the estimate and the percentile interval; axes come back.

        Densities of standard deviations end at 0, those of correlations at -1 and 1: what would lie beyond is
        reflected there.

        Parameters
        ----------
        which : str, or several, optional
            Names of statistics.
        level : float, optional
            Of the interval; without it, that of the bootstrap.
        ax : matplotlib axes, or one for each statistic, optional
        """
        level = self._level(level)
        self._refuse_none()
        lower, upper, _ = ends("percentile", self._drawn, level, self._jackknife)
        limits = dict(zip(self.plan.names, self.plan.limits.tolist(), strict=True))
        panels = []
        for j in self._chosen(which):
            draws = self.values[np.isfinite(self.values[:, j]), j]
            x, y = density(draws, *limits[self.names[j]])
            marks = (self.estimate[j], lower[j], upper[j])
            panels.append(Panel(self.names[j], x, y, np.zeros((0, 2)), marks))
        words = (
            f"{self.kind} bootstrap of {self.n} samples: density of the draws, the estimate (line) and the "
            f"{level:.12g} percentile interval (band)"
        )
        return curve_plot(Curves(panels, "density", words), ax)

    def _chosen(self, which: str | Sequence[str] | None) -> list[int]:
        if which is None:
            return list(range(len(self.names)))
        asked = [which] if isinstance(which, str) else list(which)
        for name in asked:
            if name not in self.names:
                near = did_you_mean(name, self.names) if isinstance(name, str) else ""
                raise DataError(
                    f"there is no statistic {shown(name)}: {near}{' ' * bool(near)}there are "
                    f"{', '.join(self.names)}"
                )
        return [self.names.index(name) for name in asked]

    def append(self, n: int) -> Bootstrap:
        """The same with `n` more samples: those that a longer run with the same seed would have drawn."""
        total = self.n + check_draws(n)
        return Bootstrap.of(self.plan, [*self.found, *self.plan.run(self.n, total)], total)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "plan": self.plan.pickled()}

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()
