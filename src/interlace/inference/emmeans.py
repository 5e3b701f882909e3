"""Estimated marginal means and what is made of them: contrasts, trends, again as values of one kind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, TypedDict, Unpack, overload

import numpy as np

from interlace.errors import DataError
from interlace.frozen import dataclass
from interlace.hints import methods_answer_options
from interlace.inference import adjust as adjusting
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
from interlace.inference.letters import SYMBOLS
from interlace.inference.means_drawn import Pictures
from interlace.inference.means_labels import RowLabels
from interlace.inference.means_list import MeansList
from interlace.inference.means_tested import Tested
from interlace.inference.means_view import CONTRASTS, MEANS
from interlace.inference.regridding import regridded
from interlace.options import number, switch
from interlace.tables.table import Table

SUM_OF_A_DIFFERENCE = 5e-4  # coefficients that sum to less make a difference, as in R's emmeans
STILL = "contrasts are still on"


class PairsOptions(TypedDict, total=False):
    """What `pairs` is asked by name, for type checkers."""

    by: Any
    adjust: str | None
    reverse: bool
    cross_adjust: str | None


class ContrastOptions(PairsOptions, total=False):
    """What `contrast` is asked by name, for type checkers."""

    ref: Any
    interaction: Any
    exclude: Any
    include: Any
    wts: Any


@methods_answer_options
@dataclass(frozen=True, repr=False, eq=False)
class EMMeans(Tested, Pictures):
    """Estimated marginal means, or contrasts or trends of them, as `LinearMixedModel.emmeans` gives them.

    Every row is a linear function of the coefficients. Contrasts of the rows are an `EMMeans` again, so that
    contrasts of contrasts are no different. Nothing of it can be changed.

    The attributes are those of `MeansRows`.

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

    # ---- contrasts ----

    @overload
    def contrast(
        self, method: Any = "eff", *, simple: Literal["each"], **options: Unpack[ContrastOptions]
    ) -> MeansList[EMMeans]: ...

    @overload
    def contrast(
        self,
        method: Any = "eff",
        *,
        simple: list[str] | tuple[str, ...] | None = None,
        **options: Unpack[ContrastOptions],
    ) -> EMMeans: ...

    @overload
    def contrast(
        self, method: Any = "eff", *, simple: str, **options: Unpack[ContrastOptions]
    ) -> EMMeans | MeansList[EMMeans]: ...

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
        cross_adjust: str | None = None,
    ) -> EMMeans | MeansList[EMMeans]:
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
        cross_adjust : str, optional
            For tests, over the groups; see `test`.

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
        within = (
            self if cross_adjust is None else replace(self, cross_adjust=adjusting.cross_method(cross_adjust))
        )
        if simple is not None:
            return within._simple(labels, method, adjust, simple, wanted)
        if interaction is None:
            return within._planned(plan_contrasts(labels, method, wanted), adjust)
        methods = [interaction] if isinstance(interaction, str) else list(interaction)
        return within._planned(plan_interaction(labels, methods, wanted), adjust)

    @overload
    def pairs(self, *, simple: Literal["each"], **options: Unpack[PairsOptions]) -> MeansList[EMMeans]: ...

    @overload
    def pairs(
        self, *, simple: list[str] | tuple[str, ...] | None = None, **options: Unpack[PairsOptions]
    ) -> EMMeans: ...

    @overload
    def pairs(self, *, simple: str, **options: Unpack[PairsOptions]) -> EMMeans | MeansList[EMMeans]: ...

    def pairs(
        self,
        *,
        adjust: str | None = None,
        by: Any = None,
        reverse: bool = False,
        simple: Any = None,
        cross_adjust: str | None = None,
    ) -> EMMeans | MeansList[EMMeans]:
        """All differences of two rows of a group, by Tukey's method unless `adjust` says another.

        Parameters
        ----------
        adjust, by, reverse, simple, cross_adjust
            As for `contrast`.
        """
        found: EMMeans | MeansList[EMMeans] = self.contrast(
            PAIRWISE, adjust=adjust, by=by, reverse=reverse, simple=simple, cross_adjust=cross_adjust
        )
        return found

    def _simple(
        self, labels: RowLabels, method: Any, adjust: str | None, simple: Any, wanted: Wanted
    ) -> EMMeans | MeansList[EMMeans]:
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
        sums = np.abs(C.sum(axis=1)).max(initial=0.0)
        scale = None if self.scale is None or sums > SUM_OF_A_DIFFERENCE else self.scale.differences()
        still = "" if self.scale is None or scale is not None else f"{STILL} the {self.scale.name} scale"
        said = [note for note in self.said if not note.startswith(means_tables.MISLEADING)]
        return replace(
            self,
            labels=plan.labels,
            L=rows,
            shift=C @ self.shift,
            kind=CONTRASTS,
            adjust=families.method(adjust, plan.adjust),
            family=plan.family,
            scale=scale,
            said=(*said, *([still] if still else [])),
        )

    def cld(self, *, alpha: float = 0.05, adjust: str | None = None, letters: Any = SYMBOLS) -> Table:
        """Compact letters: means that share a letter are not told apart by the tests of their differences.

        Parameters
        ----------
        alpha : float
            Differences with a p-value below it are told apart.
        adjust : str, optional
            Of the differences, Tukey's method by default.
        letters : str or sequence of str
            The letters in their order; where they run out, the last one comes before the others.

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
        >>> m.emmeans("Machine").cld(letters="123456789")["group"].str.strip().tolist()
        ['1', '2', '3']
        """
        return letter_table(self, alpha, adjust, letters)

    def regrid(
        self, transform: str = "response", *, bias_adjust: bool | None = None, sigma: float | None = None
    ) -> EMMeans:
        """The estimates on the scale of the response, where the formula transforms it, as `log(y)` does.

        Contrasts of the result are differences there. By the delta method, with the smallest degrees
        of freedom of the estimates in a contrast, as R's emmeans has it.

        Parameters
        ----------
        transform : str
            "response", or the scale that the estimates are brought to from there: "log", "logit", "sqrt", ...
            Differences of logarithms are ratios with ``type="response"``.
        bias_adjust, sigma
            As for `confint`.

        Raises
        ------
        DataError
            The response is transformed by a function whose way back is not known, `transform` is no scale,
            or an estimate has no place on it.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("log(score) ~ Machine + (1 | Worker)", interlace.datasets.load("machines"))
        >>> m.emmeans("Machine").regrid().frame["estimate"].round(2).tolist()
        [52.21, 59.72, 66.15]
        >>> plain = interlace.lmer("score ~ Machine + (1 | Worker)", interlace.datasets.load("machines"))
        >>> pairs = plain.emmeans("Machine").regrid("log").pairs()
        >>> pairs.confint(type="response")["estimate"].round(3).tolist()
        [0.868, 0.79, 0.91]
        """
        return regridded(self, transform, self.view.asked(None, bias_adjust, sigma))

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
        return replace(
            contrasts, source=source, L=rows, shift=np.zeros(len(d)), kind=MEANS, said=said, scale=None
        )

    def _shown(self) -> Table:
        return self.test() if self.kind == CONTRASTS else self.confint()

    def __repr__(self) -> str:
        return "\n".join(means_tables.lines(self, self._shown()))

    def _repr_html_(self) -> str:
        return means_tables.html(self, self._shown())
