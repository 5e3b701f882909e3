"""Overview and summary as HTML for notebooks; every text from the data is escaped."""

from __future__ import annotations

from collections.abc import Sequence

from interlace.report import printed as text
from interlace.report.facts import OverviewFacts, SummaryFacts
from interlace.tables.cells import printed
from interlace.tables.format import format_common
from interlace.tables.markup import page, paragraphs, table_html, title


def overview_html(o: OverviewFacts) -> str:
    """The short form of a model in a notebook."""
    values = format_common(o.fixef.to_numpy(), text.DIGITS)
    return page(
        _heading(text.heading(o)),
        _criteria(o),
        table_html("Random effects", *text.random_effects(o.components, o.sigma, variances=False)),
        paragraphs(text.size_lines(o)),
        table_html("Fixed effects", list(o.fixef.index), [values], "r" * len(values)),
        paragraphs(text.remarks(o)),
    )


def summary_html(s: SummaryFacts) -> str:
    """A summary in a notebook."""
    o = s.overview
    quantiles = text.quantile_cells(s) if s.scaled_residuals else []
    names = list(s.scaled_residuals)
    residuals = table_html("Scaled residuals", names, [quantiles], "r" * len(names)) if names else ""
    return page(
        _heading(text.summary_heading(s)),
        _criteria(o),
        residuals,
        table_html("Random effects", *text.random_effects(o.components, o.sigma, variances=True)),
        paragraphs(text.size_lines(o)),
        _coefficients(s),
        paragraphs([*text.remarks(o), *text.note_lines(s)]),
        _correlation(s),
        paragraphs([str(s.convergence)]),
    )


def _heading(lines: Sequence[str]) -> str:
    first, *rest = lines
    return "\n".join([title(first), paragraphs(rest)])


def _criteria(o: OverviewFacts) -> str:
    cells = text.criteria_cells(o, decimals=1)
    return table_html("", list(cells), [list(cells.values())], "r" * len(cells))


def _coefficients(s: SummaryFacts) -> str:
    return table_html("Fixed effects", *printed(s.coefficients, stars=s.stars))


def _correlation(s: SummaryFacts) -> str:
    names = [str(name) for name in s.correlation.index]
    p = len(names)
    if not s.correlation_shown:
        return paragraphs(text.correlation_lines(s))
    values = s.correlation.to_numpy()
    rows = [
        [names[i], *(text.correlation_cell(values[i, j]) if j < i else "" for j in range(p - 1))]
        for i in range(1, p)
    ]
    return table_html("Correlation of fixed effects", ["", *names[:-1]], rows, "l" + "r" * (p - 1))
