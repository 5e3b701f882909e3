"""A model as a page that can be read without this library."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from interlace.estimation.fit import Fit
from interlace.formula.tree import label
from interlace.inference import estimates
from interlace.options import MODEL, switch
from interlace.refitting import profile
from interlace.report import equation, pages, said
from interlace.tables.by_group import ByGroup

if TYPE_CHECKING:
    from interlace.precision.df import DdfLike, VcovLike
    from interlace.precision.memory import Memory


class Reported:
    """A model as a page that can be read without this library."""

    _fit: Fit
    _memory: Memory

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        title: str | None = None,
        ddf: DdfLike = "satterthwaite",
        vcov: VcovLike = MODEL,
        cluster: Any = None,
        level: float = 0.95,
        plots: bool = True,
    ) -> None:
        """Write a self-contained page of HTML: the model in words and in mathematics, tables, checks, plots.

        Parameters
        ----------
        path : path
            The file.
        title : str, optional
            Of the page.
        ddf, vcov, cluster
            Of the tests, as for `coef_table`.
        level : float
            Of the intervals.
        plots : bool
            Pictures of residuals and random effects, where matplotlib is installed.

        Raises
        ------
        DataError
            The file cannot be written.

        Examples
        --------
        >>> import interlace, tempfile
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> m.report(f"{tempfile.mkdtemp()}/sleep.html", plots=False)
        """
        model, level = cast(Any, self), profile.check_level(level)
        options = {"ddf": ddf, "vcov": vcov, "cluster": cluster}
        bound = self._memory.ddf(ddf, vcov, cluster)
        tests = estimates.fixed_effects(self._fit, bound).whole_table(level)
        page = pages.Page(
            title or f"Linear mixed model of {label(self._fit.encoding.formula.response)}", model.formula
        )
        for heading, lines in said.sentences(self._fit, tests, bound.description, level):
            listed = heading != "What was fitted"
            page.section(heading, pages.listing(lines) if listed else pages.paragraph(lines))
        page.section("The model", pages.mathematics(equation.equation(self._fit)))
        page.section("Coefficients", pages.table(tests))
        page.section("Variances", pages.table(model.varcorr()))
        page.section("The fit as a whole", pages.table(model.glance()))
        page.section("Tests of terms", pages.or_reason(lambda: pages.table(model.anova(**options))))
        page.section("Checks of what the model assumes", pages.or_reason(lambda: pages.table(model.check())))
        if switch("plots", plots):
            page.section("Pictures", pages.or_reason(lambda: _picture(model)))
        page.section("Random effects of each level", pages.table(cast(ByGroup, model.ranef(condvar=True))))
        page.write(path)


def _picture(model: Any) -> str:
    words = "Residuals, their quantiles, random effects, influence"
    return pages.picture(model.plot.check(), words)
