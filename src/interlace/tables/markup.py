"""Pieces of HTML for notebooks; every text from the data is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd

from interlace.tables.format import format_common

DIGITS = 4
SENTENCE = 30  # characters: longer texts are sentences

#: The one look of tables and summaries in notebooks and reports; colours are those of the page.
LOOK = (
    ".interlace table{border:0;border-collapse:collapse;margin:.4em 0 .8em;font-variant-numeric:tabular-nums}"
    ".interlace caption{text-align:left;font-weight:600;padding:.2em 0;caption-side:top}"
    ".interlace th,.interlace td{padding:.15em .6em;border:0;background:none}"
    ".interlace thead tr:last-child th{border-bottom:1px solid currentColor}"
    ".interlace tbody tr:last-child td{border-bottom:1px solid currentColor}"
    ".interlace p{margin:.3em 0;max-width:60em}"
)


def page(*pieces: str) -> str:
    """All pieces that are not empty, in the one look."""
    body = "\n".join(piece for piece in pieces if piece)
    return f'<div class="interlace">\n<style>{LOOK}</style>\n{body}\n</div>'


def title(text: str) -> str:
    """A heading."""
    return f"<p><strong>{escape(text)}</strong></p>"


def paragraphs(lines: Sequence[str]) -> str:
    """One paragraph for each line that is not empty."""
    return "\n".join(f"<p>{escape(line.strip())}</p>" for line in lines if line)


def table_html(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    """A table; `align` holds "l", "r" or "n" for each column, as for `format.text_table`."""
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = _row("th", header, align)
    body = "\n".join(_row("td", row, align) for row in rows)
    return f"<table>{said}\n<thead>{head}</thead>\n<tbody>{body}</tbody>\n</table>"


def frame_html(table: pd.DataFrame, corner: str, most: int) -> str:
    """A data frame with its labels, numbers in four significant digits of their column; `most` rows."""
    shown = table.iloc[:most]
    columns = [
        format_common(shown.iloc[:, j], DIGITS)
        if pd.api.types.is_numeric_dtype(shown.dtypes.iloc[j])
        else [str(value) for value in shown.iloc[:, j]]
        for j in range(shown.shape[1])
    ]
    names = [" ".join(name) if isinstance(name, tuple) else str(name) for name in table.columns]
    labels = [str(label) for label in shown.index]
    rows = [list(row) for row in zip(labels, *columns, strict=True)]
    left = len(table) - len(shown)
    more = paragraphs([f"and {left} more row{'s' * (left != 1)}"] if left else [])
    return table_html("", [corner, *names], rows, "l" + "r" * len(names)) + more


def _row(tag: str, cells: Sequence[str], align: str) -> str:
    return (
        f"<tr>{''.join(_cell(tag, str(cell).strip(), a) for cell, a in zip(cells, align, strict=True))}</tr>"
    )


def _cell(tag: str, text: str, align: str) -> str:
    """On a narrow page a sentence would have the room of its longest word, and a line for each."""
    side = {"l": "left", "r": "right", "n": "right"}[align]
    room = "; min-width: 14em" if len(text) > SENTENCE else ""
    return f'<{tag} style="text-align: {side}{room}">{escape(text)}</{tag}>'
