"""Models side by side: rows of labels and cells, as text, HTML, LaTeX and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd

from interlace.frozen import dataclass
from interlace.tables.format import text_table
from interlace.tables.markup import page, paragraphs

#: Characters that LaTeX has another meaning for.
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "²": r"\textsuperscript{2}", "×": r"\(\times\)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one kind.

    Attributes
    ----------
    title : str
    rows : tuple of (str, tuple of str)
        Label and a cell for each model; a row without a label belongs to the one above.
    """

    title: str
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, repr=False)
class ModelTable:
    """Models side by side, as `interlace.modeltable` makes it.

    `print` shows it as text, and a notebook as HTML. ``great_tables.GT(table.frame, groupname_col="block",
    rowname_col="row")`` makes a table of great_tables of it.

    Attributes
    ----------
    names : tuple of str
        Of the models.
    responses : tuple of str
        What each is about.
    blocks : tuple of Block
    notes : tuple of str
    """

    names: tuple[str, ...]
    responses: tuple[str, ...]
    blocks: tuple[Block, ...]
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """All cells: columns `block`, `row`, and one for each model."""
        rows = [(b.title, label, *cells) for b in self.blocks for label, cells in b.rows]
        return pd.DataFrame(rows, columns=["block", "row", *self.names])

    def text(self) -> str:
        """Lines of text."""
        above = self._above()
        body: list[list[str]] = []
        for block in self.blocks:
            body += [[block.title, *[""] * len(self.names)]] if block.title else []
            body += [[f"  {label}" if label else "", *cells] for label, cells in block.rows]
        lines = text_table(["", *self.names], [*above, *body], "l" + "r" * len(self.names))
        rule = "-" * max(map(len, lines))
        top = 1 + len(above)
        return "\n".join([*lines[:top], rule, *lines[top:], rule, *self.notes])

    def to_html(self) -> str:
        """A table of HTML; every text is escaped."""
        head = _html_row("th", ["", *self.names])
        head += "".join(_html_row("th", row) for row in self._above())
        body = []
        for block in self.blocks:
            if block.title:
                span = len(self.names) + 1
                body.append(
                    f'<tr><th colspan="{span}" style="text-align: left">{escape(block.title)}</th></tr>'
                )
            body += [_html_row("td", [label, *cells]) for label, cells in block.rows]
        table = f"<table><thead>{head}</thead>\n<tbody>{chr(10).join(body)}</tbody></table>"
        return page(table, paragraphs(self.notes))

    def to_latex(self) -> str:
        """A tabular of LaTeX, which needs the package booktabs."""
        width = len(self.names) + 1
        lines = [r"\begin{tabular}{l" + "r" * len(self.names) + "}", r"\toprule"]
        lines += [_latex_row(row) for row in (["", *self.names], *self._above())]
        for block in self.blocks:
            lines.append(r"\midrule")
            if block.title:
                lines.append(rf"\multicolumn{{{width}}}{{l}}{{\textit{{{latex(block.title)}}}}} \\")
            lines += [_latex_row([label, *cells]) for label, cells in block.rows]
        lines.append(r"\bottomrule")
        lines += [rf"\multicolumn{{{width}}}{{l}}{{\footnotesize {latex(note)}}} \\" for note in self.notes]
        return "\n".join([*lines, r"\end{tabular}"])

    def to_markdown(self) -> str:
        """A table of Markdown, with its notes below."""
        rows = [["", *self.names], ["---", *["---:"] * len(self.names)], *self._above()]
        for block in self.blocks:
            rows += [[f"**{block.title}**", *[""] * len(self.names)]] if block.title else []
            rows += [[label, *cells] for label, cells in block.rows]
        lines = [f"| {' | '.join(_markdown(cell) for cell in row)} |" for row in rows]
        return "\n".join([*lines, *(f"\n{_markdown(note)}" for note in self.notes)])

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.to_html()

    def _repr_latex_(self) -> str:
        return self.to_latex()

    def _above(self) -> list[list[str]]:
        """The responses, where models differ in them."""
        return [["", *self.responses]] if len(set(self.responses)) > 1 else []


def latex(text: str) -> str:
    """Text for LaTeX."""
    return "".join(LATEX.get(sign, sign) for sign in text)


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(latex(cell) for cell in cells) + r" \\"


def _html_row(tag: str, cells: Sequence[str]) -> str:
    first, *rest = (escape(cell) for cell in cells)
    right = "".join(f'<{tag} style="text-align: right">{cell}</{tag}>' for cell in rest)
    return f'<tr><{tag} style="text-align: left">{first}</{tag}>{right}</tr>'


def _markdown(cell: str) -> str:
    if set(cell) <= set("-:") and cell:
        return cell
    marked = cell if cell.startswith("**") and cell.endswith("**") else cell.replace("*", "\\*")
    return marked.replace("|", "\\|")
