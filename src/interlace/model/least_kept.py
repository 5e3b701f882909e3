"""A linear model as a page, and as a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from interlace.estimation import ols_chunks
from interlace.formula.tree import label
from interlace.inference import estimates
from interlace.model.least_made import LeastMade
from interlace.options import MODEL, switch
from interlace.prediction.per_row import Handed
from interlace.refitting import profile
from interlace.report import equation, ols_said, pages
from interlace.storage import archive

if TYPE_CHECKING:
    from interlace.precision.df import VcovLike
    from interlace.tables.table import Table


class Said(Protocol):
    """What the page asks a model."""

    formula: str

    def r2(self) -> dict[str, float]: ...

    def glance(self) -> Table: ...

    def anova(self, *, vcov: VcovLike, cluster: Any) -> Table: ...


class LeastKept(LeastMade):
    """A linear model as a page, and as a file."""

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        title: str | None = None,
        vcov: VcovLike = MODEL,
        cluster: Any = None,
        level: float = 0.95,
    ) -> None:
        """Write a self-contained page of HTML: the model in words and in mathematics, and its tables.

        Parameters
        ----------
        path : path
            The file.
        title : str, optional
            Of the page.
        vcov, cluster
            Of the tests, as for `coef_table`.
        level : float
            Of the intervals.

        Raises
        ------
        DataError
            The file cannot be written.

        Examples
        --------
        >>> import interlace, tempfile
        >>> m = interlace.lm("score ~ Machine | Worker", interlace.datasets.load("machines"))
        >>> m.report(f"{tempfile.mkdtemp()}/machines.html")
        """
        model, level = cast(Said, self), profile.check_level(level)
        bound = self._choice.of(vcov, cluster)
        tests = estimates.fixed_effects(self._fit, bound).whole_table(level)
        response = label(self._least.encoding.formula.response)
        page = pages.Page(title or f"Linear model of {response}", model.formula)
        for heading, lines in ols_said.sentences(self._least, tests, bound, model.r2(), level):
            listed = heading != "What was fitted"
            page.section(heading, pages.listing(lines) if listed else pages.paragraph(lines))
        page.section("The model", pages.mathematics(equation.equation(self._fit)))
        if len(tests):
            page.section("Coefficients", pages.table(tests))
        page.section("The fit as a whole", pages.table(model.glance()))
        if self._least.rows.readable and len(tests):
            page.section("Tests of terms", pages.table(model.anova(vcov=vcov, cluster=cluster)))
        page.write(path)

    def without_rows(self) -> Self:
        """The same model without the rows of its data, to be pickled or saved for predictions.

        It answers what looks at no row: coefficients and their tests by the covariance of the model,
        predictions of new rows. Fitted values, residuals, other covariances and other fits are refused.

        Returns
        -------
        LinearModel

        Raises
        ------
        ModelError
            Factors are absorbed: the effects of their levels are found from the rows.

        Examples
        --------
        >>> import interlace, pickle
        >>> m = interlace.lm("math ~ year + female", interlace.datasets.load("egsingle"), vcov="HC1")
        >>> len(pickle.dumps(m.without_rows())) < len(pickle.dumps(m)) / 10
        True
        """
        fit = ols_chunks.without_rows(self._least)
        asked = self._asked.changed(data=None, weights=None, offset=None)
        return type(self)(fit, self._choice.without_rows(fit), asked, Handed(fit.rows.frame))

    def save(self, path: str | os.PathLike[str], *, rows: bool = True) -> None:
        """Write the model to a file that holds no code, for `interlace.load`.

        See `LinearMixedModel.save`.

        Parameters
        ----------
        path : path
        rows : bool
            False: without the rows of the data, for predictions; see `without_rows`.

        Raises
        ------
        SavingError
            The formula uses a function of the caller's.
        DataError
            The file cannot be written.
        ModelError
            Without rows: factors are absorbed.
        """
        model = self if switch("rows", rows) else self.without_rows()
        parts = {"fit": model._least, "choice": model._choice.parts, "asked": model._asked}
        archive.save({"kind": "linear", **parts, "handed": model._handed}, path)
