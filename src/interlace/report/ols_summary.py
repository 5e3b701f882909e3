"""The summary of a least-squares fit: what is printed, as data, and its text."""

from __future__ import annotations

import textwrap

from interlace.estimation.ols_fit import LeastSquaresFit
from interlace.frozen import dataclass
from interlace.hints import says_instead
from interlace.inference.estimates import fixed_effects
from interlace.other_names import OF_SUMMARIES
from interlace.precision.ols_covariance import ResidualDdf
from interlace.prediction.absorbed_levels import absorbed_lines
from interlace.tables.cells import lines, printed
from interlace.tables.format import LINE_WIDTH
from interlace.tables.markup import page, paragraphs, table_html, title
from interlace.tables.table import Table

_NONE = "No coefficients"


@says_instead(**OF_SUMMARIES)
@dataclass(frozen=True, slots=True, repr=False)
class LinearSummary:
    """The summary of a linear model.

    Attributes
    ----------
    formula, data : str
    coefficients : Table
        `estimate`, `se`, `df`, `t`, `p`.
    nobs, n_missing, n_singletons : int
        Rows used; left out because of missing values; and as singletons of absorbed factors.
    df_resid : int
    sigma : float
    r2 : dict of str to float
    dropped : tuple of str
        Columns that depend on others, or that the absorbed factors explain.
    absorbed : tuple of str
        Lines on the absorbed factors.
    tests : str
        What the t tests use.
    notes : tuple of str
        What else a reader must know of the covariance.
    """

    formula: str
    data: str
    coefficients: Table
    nobs: int
    n_missing: int
    n_singletons: int
    df_resid: int
    sigma: float
    r2: dict[str, float]
    dropped: tuple[str, ...]
    absorbed: tuple[str, ...]
    tests: str
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        first, *rest = self._head()
        table = table_html("Coefficients", *printed(self.coefficients)) if len(self.coefficients) else ""
        below = [*self.notes, *self._fit_lines(), *self._row_lines()]
        return page(title(first), paragraphs(rest), table or paragraphs([_NONE]), paragraphs(below))

    def _lines(self) -> list[str]:
        table = lines(self.coefficients, words=False) if len(self.coefficients) else [_NONE]
        notes = [line for note in self.notes for line in textwrap.wrap(note, LINE_WIDTH)]
        below = ["", *self._fit_lines(), *self._row_lines()]
        return [*self._head(), "", "Coefficients:", *table, *notes, *below]

    def _head(self) -> list[str]:
        head = [f"Linear model fit by least squares. t-tests use {self.tests}", f"Formula: {self.formula}"]
        return head + [f"   Data: {self.data}"] * bool(self.data)

    def _fit_lines(self) -> list[str]:
        shares = ", ".join(f"{name} {value:.4f}" for name, value in self.r2.items())
        return [f"Residual standard error: {self.sigma:.4g} on {self.df_resid} df", f"R2: {shares}"]

    def _row_lines(self) -> list[str]:
        found = [f"Number of obs: {self.nobs}", *self.absorbed]
        if self.n_missing:
            found.append(f"  ({_rows(self.n_missing)} left out because of missing values)")
        if self.n_singletons:
            found.append(f"  ({_rows(self.n_singletons)} left out as singletons of absorbed factors)")
        if self.dropped:
            found.append(f"dropped, for others or the absorbed factors explain it: {', '.join(self.dropped)}")
        return found


def _rows(n: int) -> str:
    return f"{n} row{'s' * (n != 1)}"


def summarised(fit: LeastSquaresFit, ddf: ResidualDdf, r2: dict[str, float], data: str) -> LinearSummary:
    """The summary of a fit."""
    return LinearSummary(
        formula=fit.encoding.formula.text or str(fit.encoding.formula),
        data=data,
        coefficients=fixed_effects(fit, ddf).table(),
        nobs=fit.n,
        n_missing=fit.n_missing,
        n_singletons=fit.n_singletons,
        df_resid=fit.df_resid,
        sigma=fit.sigma,
        r2=r2,
        dropped=fit.dropped,
        absorbed=absorbed_lines(fit),
        tests=ddf.description,
        notes=tuple(note for note in ddf.note.split("; ")[1:] if note),
    )
