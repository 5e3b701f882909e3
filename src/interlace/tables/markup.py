"""Pieces of HTML for notebooks; every text from the data is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def page(*pieces: str) -> str:
    """All pieces that are not empty."""
    return '<div class="interlace">\n' + "\n".join(piece for piece in pieces if piece) + "\n</div>"


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


def _row(tag: str, cells: Sequence[str], align: str) -> str:
    side = {"l": "left", "r": "right", "n": "right"}
    styled = (
        f'<{tag} style="text-align: {side[a]}">{escape(str(cell).strip())}</{tag}>'
        for cell, a in zip(cells, align, strict=True)
    )
    return f"<tr>{''.join(styled)}</tr>"
