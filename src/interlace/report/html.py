"""Overview and summary as HTML for notebooks; every text from the data is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd

from interlace.report import text
from interlace.report.anova_text import NO_ROWS, anova_cells
from interlace.report.facts import OverviewFacts, SummaryFacts


def overview_html(o: OverviewFacts) -> str:
    """The short form of a model in a notebook."""
    values = text.format_common(o.fixef.to_numpy(), text.DIGITS)
    return _page(
        _heading(text.heading(o)),
        _criteria(o),
        _table("Random effects", *text.random_effects(o.components, o.sigma, variances=False)),
        _paragraphs(text.size_lines(o)),
        _table("Fixed effects", list(o.fixef.index), [values], "r" * len(values)),
        _paragraphs(text.remarks(o)),
    )


def summary_html(s: SummaryFacts) -> str:
    """A summary in a notebook."""
    o = s.overview
    quantiles = text.quantile_cells(s)
    return _page(
        _heading(text.summary_heading(s)),
        _criteria(o),
        _table("Scaled residuals", list(s.scaled_residuals), [quantiles], "r" * len(quantiles)),
        _table("Random effects", *text.random_effects(o.components, o.sigma, variances=True)),
        _paragraphs(text.size_lines(o)),
        _coefficients(s),
        _paragraphs([*text.remarks(o), *text.note_lines(s)]),
        _correlation(s),
        _paragraphs([str(s.convergence)]),
    )


def anova_html(table: pd.DataFrame) -> str:
    """A table of tests in a notebook: the numbers of its text, with heading and note."""
    cells = anova_cells(table)
    rows = [
        [str(label), *row] for label, row in zip(table.index, zip(*cells.values(), strict=True), strict=False)
    ]
    align = "l" + "".join("r" if pd.api.types.is_numeric_dtype(table[name]) else "l" for name in cells)
    return _page(
        _paragraphs([table.attrs.get("heading", "")]),
        _table("", ["", *cells], rows, align) if rows else _paragraphs([NO_ROWS]),
        _paragraphs([table.attrs.get("note", "")]),
    )


def _page(*pieces: str) -> str:
    return '<div class="interlace">\n' + "\n".join(piece for piece in pieces if piece) + "\n</div>"


def _heading(lines: Sequence[str]) -> str:
    title, *rest = lines
    return "\n".join([f"<p><strong>{escape(title)}</strong></p>", _paragraphs(rest)])


def _criteria(o: OverviewFacts) -> str:
    cells = text.criteria_cells(o, decimals=1)
    return _table("", list(cells), [list(cells.values())], "r" * len(cells))


def _coefficients(s: SummaryFacts) -> str:
    cells = text.coefficient_cells(s.coefficients, stars=s.stars) if len(s.coefficients) else {}
    rows = [
        [str(name), *row]
        for name, row in zip(s.coefficients.index, zip(*cells.values(), strict=True), strict=False)
    ]
    return _table("Fixed effects", ["", *cells], rows, "l" + "r" * len(cells))


def _correlation(s: SummaryFacts) -> str:
    names = [str(name) for name in s.correlation.index]
    p = len(names)
    if not s.correlation_shown:
        return _paragraphs(text.correlation_lines(s))
    values = s.correlation.to_numpy()
    rows = [
        [names[i], *(text.correlation_cell(values[i, j]) if j < i else "" for j in range(p - 1))]
        for i in range(1, p)
    ]
    return _table("Correlation of fixed effects", ["", *names[:-1]], rows, "l" + "r" * (p - 1))


def _table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = _row("th", header, align)
    body = "\n".join(_row("td", row, align) for row in rows)
    return f"<table>{title}\n<thead>{head}</thead>\n<tbody>{body}</tbody>\n</table>"


def _row(tag: str, cells: Sequence[str], align: str) -> str:
    side = {"l": "left", "r": "right", "n": "right"}
    styled = (
        f'<{tag} style="text-align: {side[a]}">{escape(str(cell).strip())}</{tag}>'
        for cell, a in zip(cells, align, strict=True)
    )
    return f"<tr>{''.join(styled)}</tr>"


def _paragraphs(lines: Sequence[str]) -> str:
    return "\n".join(f"<p>{escape(line.strip())}</p>" for line in lines if line)
