"""Estimated marginal means and what is made of them: contrasts, trends, again as values of one kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from interlace.arrays import Array
from interlace.errors import DataError, shown
from interlace.inference import families, means_tables
from interlace.inference.contrast_plan import (
    PAIRWISE,
    Plan,
    Wanted,
    plan_contrasts,
    plan_interaction,
    regrouped,
    simple_groups,
)
from interlace.inference.families import NONE
from interlace.inference.given_source import GivenSource
from interlace.inference.letter_display import letter_table
from interlace.inference.means_labels import RowLabels, text
from interlace.inference.means_list import MeansList
from interlace.inference.means_source import Source
from interlace.inference.response_scale import ResponseScale
from interlace.options import number, switch
from interlace.tables.table import Table

MEANS, CONTRASTS, TRENDS = "means", "contrasts", "trends"


@dataclass(frozen=True, repr=False, eq=False)
class EMMeans:
    """Estimated marginal means, or contrasts or trends of them, as `LinearMixedModel.emmeans` gives them.

    Every row is a linear function of the coefficients. Contrasts of the rows are an `EMMeans` again, so that
    contrasts of contrasts are no different. Nothing of it can be changed.

    Attributes
    ----------
    source : MeansSource or GivenSource
    labels : RowLabels
        What stands beside the rows.
    L : ndarray, (m, P)
        Over all columns of X, those too that were dropped for depending on others.
    shift : ndarray, (m,)
        What the offset adds.
    kind : {"means", "contrasts", "trends"}
        Contrasts print with tests, the others with intervals.
    level : float
        Confidence level.
    adjust : str
        The adjustment for several tests by default.
    family : str
        "pairwise" if each group holds all differences of two means.
    said : tuple of str
        Notes that go with every table.
    scale : ResponseScale or None
        How the response was transformed.

    Examples
    --------
    >>> import interlace
    >>> m = interlace.lmer("score ~ Machine + (Machine | Worker)", interlace.datasets.load("machines"))
    >>> means = m.emmeans("Machine")
    >>> means.frame["estimate"].round(2).tolist()
    [52.36, 60.32, 66.27]
    >>> means.pairs(adjust="none").test()["p"].round(4).tolist()
    [0.0217, 0.0003, 0.0592]
    """

    source: Source
    labels: RowLabels
    L: Array
    shift: Array
    kind: str = MEANS
    level: float = 0.95
    adjust: str = NONE
    family: str = ""
    said: tuple[str, ...] = ()
    scale: ResponseScale | None = None

    # ---- numbers ----

    @cached_property
    def estimate(self) -> Array:
        """The estimates, (m,); NaN where the data do not tell them."""
        return self.source.estimate(self.L) + self.shift

    @cached_property
    def se(self) -> Array:
        """Their standard errors, (m,)."""
        return self.source.se(self.L)

    @cached_property
    def df(self) -> Array:
        """Their degrees of freedom, (m,)."""
        return self.source.df(self.L)

    @property
    def vcov(self) -> pd.DataFrame:
        """The covariance of the estimates, (m, m)."""
        return pd.DataFrame(self.source.vcov(self.L), index=self._names, columns=self._names)

    @property
    def linfct(self) -> Array:
        """The rows as linear functions of all columns of X, (m, P); a copy."""
        return self.L.copy()

    @property
    def by(self) -> tuple[str, ...]:
        """The columns that make groups."""
        return self.labels.by

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def _names(self) -> list[str]:
        columns = self.labels.columns.values()
        return [" ".join(text(values[i]) for values in columns) for i in range(len(self))]

    # ---- tables ----

    @property
    def frame(self) -> Table:
        """A row per mean: its factors, `estimate`, `se`, `df`, `lower`, `upper`, without adjustment."""
        return means_tables.intervals(self, self.level, NONE)

    def to_frame(self) -> Table:
        """`frame`."""
        return self.frame

    def confint(self, level: float | None = None, *, adjust: str | None = None) -> Table:
        """Confidence intervals: the columns of `frame`.

        Parameters
        ----------
        level : float, optional
            That of the means by default.
        adjust : str, optional
            How the intervals of a group are adjusted for being several; see `test`. By default as the kind of
            contrast has it, and not at all for means.
        """
        chosen = self.level if level is None else confidence(level)
        return means_tables.intervals(self, chosen, families.method(adjust, self.adjust))

    def test(
        self,
        null: float = 0.0,
        *,
        side: str = "two-sided",
        delta: float = 0.0,
        adjust: str | None = None,
        joint: bool = False,
    ) -> Table:
        """Tests of each row, or of all rows of a group at once.

        Parameters
        ----------
        null : float
            The value under the hypothesis.
        side : {"two-sided", ">", "<"}
            What the alternative is. "greater" and "less" are known too.
        delta : float
            Above zero: a test of equivalence (two-sided), of non-inferiority (">") or of non-superiority
            ("<") with this threshold.
        adjust : str, optional
            How p-values of a group are adjusted for being several: "none", "tukey", "bonferroni", "holm", ...
            By default as the kind of contrast has it, and not at all for means.
        joint : bool
            One F test of all rows of a group.

        Returns
        -------
        Table
            The factors, then `estimate`, `se`, `df`, `t`, `p`; or `F`, `num_df`, `den_df`, `p` if joint.
        """
        null = number("null", null)
        if switch("joint", joint):
            return means_tables.joint_tests(self, null)
        threshold = number("delta", delta)
        if threshold < 0:
            raise DataError(f"delta must not be below zero, and is {threshold:g}")
        asked = means_tables.Hypotheses(null, families.side(side), threshold)
        return means_tables.tests(self, asked, families.method(adjust, self.adjust))

    # ---- contrasts ----

    def contrast(
        self,
        method: Any = "eff",
        *,
        by: Any = None,
        adjust: str | None = None,
        ref: Any = None,
        interaction: Any = None,
        simple: Any = None,
        reverse: bool = False,
        exclude: Any = None,
        include: Any = None,
        wts: Any = None,
    ) -> Any:
        """Contrasts of the rows within each group.

        Parameters
        ----------
        method : str, mapping or callable
            "pairwise", "revpairwise", "trt.vs.ctrl" ("trt_vs_ctrl" as well), "trt.vs.ctrl1", "trt.vs.ctrlk",
            "dunnett", "eff", "del.eff", "consec", "mean_chg", "poly", "opoly", "helmert", "nrmlz", "wtcon",
            "identity"; labels with coefficients; or a function of the list of means that gives these.
        by : str or sequence of str, optional
            Columns that make the groups, those of the means by default; ``[]`` is one group of all.
        adjust : str, optional
            For tests and intervals of the contrasts; each method has its own by default.
        ref : str, int, or several, optional
            The means that "trt.vs.ctrl" compares with: levels, or places from 0.
        interaction : str or sequence of str, optional
            Methods for each factor in place of `method`: contrasts of contrasts.
        simple : str or sequence of str, optional
            Contrasts of these factors at each combination of all others; "each" gives them for each factor.
        reverse : bool
            The other sign.
        exclude, include : optional
            Means that take no part, or that alone do: levels, or places from 0.
        wts : array-like, optional
            Weights of the means, for "wtcon".

        Returns
        -------
        EMMeans
            For ``simple="each"`` a `MeansList` of one for each factor.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("score ~ Machine + (Machine | Worker)", interlace.datasets.load("machines"))
        >>> m.emmeans("Machine").contrast("trt_vs_ctrl", ref="B").frame["contrast"].tolist()
        ['A - B', 'C - B']
        """
        wanted = Wanted(ref, switch("reverse", reverse), exclude, include, wts)
        labels = self.labels if by is None else regrouped(self.labels, by)
        if simple is not None:
            return self._simple(labels, method, adjust, simple, wanted)
        if interaction is None:
            return self._planned(plan_contrasts(labels, method, wanted), adjust)
        methods = [interaction] if isinstance(interaction, str) else list(interaction)
        return self._planned(plan_interaction(labels, methods, wanted), adjust)

    def pairs(
        self, *, adjust: str | None = None, by: Any = None, reverse: bool = False, simple: Any = None
    ) -> Any:
        """All differences of two rows of a group, by Tukey's method unless `adjust` says another.

        Parameters
        ----------
        adjust, by, reverse, simple
            As for `contrast`.
        """
        return self.contrast(PAIRWISE, adjust=adjust, by=by, reverse=reverse, simple=simple)

    def _simple(self, labels: RowLabels, method: Any, adjust: str | None, simple: Any, wanted: Wanted) -> Any:
        found = {
            f"simple contrasts for {name}": self._planned(plan_contrasts(grouped, method, wanted), adjust)
            for name, grouped in simple_groups(labels, simple)
        }
        return MeansList(found) if simple == "each" else next(iter(found.values()))

    def _planned(self, plan: Plan, adjust: str | None) -> EMMeans:
        # what takes no part must not count, not even where it is not known
        C, L = plan.C, np.where(np.isfinite(self.L), self.L, 0.0)
        rows = C @ L
        unknown = (C != 0) @ ~np.isfinite(self.L).all(axis=1)
        rows[unknown] = np.nan
        return replace(
            self,
            labels=plan.labels,
            L=rows,
            shift=C @ self.shift,
            kind=CONTRASTS,
            adjust=families.method(adjust, plan.adjust),
            family=plan.family,
            scale=self.scale if np.abs(C.sum(axis=1)).max(initial=0.0) < 1e-9 else None,
            said=tuple(note for note in self.said if not note.startswith(means_tables.MISLEADING)),
        )

    def cld(self, *, alpha: float = 0.05, adjust: str | None = None) -> Table:
        """Compact letters: means that share a letter are not told apart by the tests of their differences.

        Parameters
        ----------
        alpha : float
            Differences with a p-value below it are told apart.
        adjust : str, optional
            Of the differences, Tukey's method by default.

        Returns
        -------
        Table
            The columns of `confint`, the smallest mean of each group first, and the letters in `group`.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("score ~ Machine + (1 | Worker)", interlace.datasets.load("machines"))
        >>> m.emmeans("Machine").cld()["group"].str.strip().tolist()
        ['a', 'b', 'c']
        """
        return letter_table(self, alpha, adjust)

    def regrid(self, *, bias_adjust: bool = False, sigma: float = 0.0) -> EMMeans:
        """The estimates on the scale of the response, where the formula transforms it, as `log(y)` does.

        Contrasts of the result are differences there. By the delta method, with the smallest degrees
        of freedom of the estimates in a contrast, as R's emmeans has it.

        Parameters
        ----------
        bias_adjust : bool
            Add half the second derivative times ``sigma^2``: means of the response and not its medians.
        sigma : float
            The standard deviation on the scale of the model, the random effects included.

        Raises
        ------
        DataError
            The response is not transformed, or by a function that is not known.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("log(score) ~ Machine + (1 | Worker)", interlace.datasets.load("machines"))
        >>> m.emmeans("Machine").regrid().frame["estimate"].round(2).tolist()
        [52.21, 59.72, 66.15]
        """
        scale, there = self._known_scale(), self.estimate
        half = number("sigma", sigma) ** 2 / 2 if switch("bias_adjust", bias_adjust) else 0.0
        values = scale.inverse(there) + half * scale.curvature(there)
        slope = scale.slope(there)
        if half:
            step = 1e-6 * np.maximum(np.abs(there), 1.0)
            bent = scale.curvature(there + step) - scale.curvature(there - step)
            slope = slope + half * bent / (2 * step)
        covariance = self.source.vcov(self.L) * np.outer(slope, slope)
        return replace(
            self,
            source=GivenSource(values, covariance, self.df, self.source.ddf),
            L=np.eye(len(self)),
            shift=np.zeros(len(self)),
            said=(*self.said, f"on the scale of the response, back from {scale.name}"),
            scale=None,
        )

    def response(self, level: float | None = None, *, adjust: str | None = None) -> Table:
        """Intervals on the scale of the response: those of the scale of the model, transformed.

        Differences on a log scale become ratios. The columns are those of `frame`.

        Parameters
        ----------
        level, adjust
            As for `confint`.

        Raises
        ------
        DataError
            As for `regrid`; contrasts have no place on the scale of the response unless that is of
            logarithms.
        """
        scale, table = self._known_scale(), self.confint(level, adjust=adjust)
        if self.kind == CONTRASTS and not scale.ratios:
            raise DataError(
                f"differences on the scale of {scale.name} have no place on the scale of the response: "
                "compare the means of .regrid()"
            )
        columns = {name: table[name] for name in table}
        columns |= {name: scale.inverse(table[name].to_numpy()) for name in ("estimate", "lower", "upper")}
        columns["se"] = np.abs(scale.slope(table["estimate"].to_numpy())) * table["se"].to_numpy()
        what = "ratios" if self.kind == CONTRASTS else "means"
        return Table.of(columns, note=[table.note, f"{what} back from the scale of {scale.name}"])

    def _known_scale(self) -> ResponseScale:
        if self.scale is None or self.kind == TRENDS:
            raise DataError(
                "these estimates are not on a transformed scale that is known: the response must be log(y), "
                "log2(y), log10(y), log1p(y) or sqrt(y)"
            )
        return self.scale

    def eff_size(self, sigma: float, edf: float, *, method: Any = PAIRWISE) -> EMMeans:
        """Standardised effect sizes (Cohen's d): contrasts over a standard deviation.

        Parameters
        ----------
        sigma : float
            The standard deviation.
        edf : float
            Its degrees of freedom, by which its own uncertainty counts; infinite for one that is known.
        method : optional
            The contrasts, as for `contrast`; "identity" where the rows are contrasts already.

        Notes
        -----
        With c the contrast, ``se^2 = se(c)^2 / sigma^2 + (c / sigma)^2 / (2 edf)``; the degrees of freedom
        are the smallest of those of the means in it, as R's emmeans has it.
        """
        if not number("sigma", sigma) > 0 or not edf > 0:
            raise DataError("sigma and edf must be above zero")
        plan = plan_contrasts(self.labels, method, Wanted())
        contrasts = self._planned(plan, NONE)
        used = np.where(plan.C != 0, self.df[None, :], np.inf).min(axis=1)
        d = contrasts.estimate / sigma
        variance = contrasts.source.vcov(contrasts.L) / sigma**2 + np.outer(d, d) / (2 * edf)
        source = GivenSource(d, variance, used, self.source.ddf)
        said = (*contrasts.said, f"in units of sigma = {sigma:.4g}")
        rows = np.eye(len(d))
        return replace(contrasts, source=source, L=rows, shift=np.zeros(len(d)), kind=MEANS, said=said)

    # ---- rows ----

    def __getitem__(self, rows: Any) -> EMMeans:
        """Some rows: a slice, a mask, places, or one place."""
        try:
            taken = np.arange(len(self))[rows]
        except (IndexError, TypeError, ValueError) as error:
            raise DataError(f"{shown(rows)} chooses no rows: there are {len(self)}, from 0") from error
        at = np.atleast_1d(taken)
        return replace(
            self, labels=self.labels.take(at), L=self.L[at], shift=self.shift[at], family=self._family_of(at)
        )

    def _family_of(self, rows: np.ndarray) -> str:
        return self.family if len(rows) == len(self) else ""

    def __add__(self, other: Any) -> EMMeans:
        """The rows of both, in one group: of the same model, with the same columns."""
        if not isinstance(other, EMMeans):
            return NotImplemented
        same = np.array_equal(other.source.beta, self.source.beta, equal_nan=True)
        if not same:
            raise DataError("rows of two different models cannot stand in one table")
        mine, theirs = self.labels.columns, other.labels.columns
        names = list(dict.fromkeys([*mine, *theirs]))
        columns = {
            name: (*mine.get(name, (".",) * len(self)), *theirs.get(name, (".",) * len(other)))
            for name in names
        }
        return replace(
            self,
            labels=RowLabels(columns),
            L=np.vstack([self.L, other.L]),
            shift=np.concatenate([self.shift, other.shift]),
            family="",
            said=tuple(dict.fromkeys([*self.said, *other.said])),
        )

    def __iter__(self) -> Iterator[EMMeans]:
        return (self[i] for i in range(len(self)))

    # ---- words ----

    def _shown(self) -> Table:
        return self.test() if self.kind == CONTRASTS else self.confint()

    def __repr__(self) -> str:
        return "\n".join(means_tables.lines(self, self._shown()))

    def _repr_html_(self) -> str:
        return means_tables.html(self, self._shown())


def confidence(level: Any) -> float:
    """A confidence level.

    Raises
    ------
    DataError
        It does not lie between 0 and 1.
    """
    if not 0 < number("level", level) < 1:
        raise DataError(f"level must lie between 0 and 1, not {shown(level)}")
    return float(level)
