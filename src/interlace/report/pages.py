"""One self-contained page of HTML about a model: words, mathematics, tables, diagnostics, pictures."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from interlace.errors import DataError, InterlaceError
from interlace.pictures.canvas import png
from interlace.report.formulae import Equation
from interlace.tables.markup import LOOK
from interlace.version import installed_version

STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:62em;margin:2em auto;padding:0 1.2em}
body{background:Canvas;color:CanvasText}h1{font-size:1.5em;margin-bottom:.2em}
h2{font-size:1.2em;margin-top:1.8em;border-bottom:1px solid;padding-bottom:.2em}
code,pre{font:14px/1.4 ui-monospace,monospace}pre{overflow-x:auto;white-space:pre-wrap}
.wide{overflow-x:auto}.wide td{vertical-align:top}.wide th,.wide td[style*=right]{white-space:nowrap}
img{max-width:100%;height:auto;background:white}math{font-size:1.1em}
mtd.left{text-align:-webkit-right}mtd.right{text-align:-webkit-left}footer{margin-top:3em;font-size:.85em;opacity:.7}
@media print{body{max-width:none}h2{break-after:avoid}}
"""


class Page:
    """A page as it grows, section by section."""

    def __init__(self, title: str, formula: str) -> None:
        self._title = title
        self._parts = [f"<h1>{escape(title)}</h1>", f"<p><code>{escape(formula)}</code></p>"]

    def section(self, heading: str, *parts: str) -> None:
        """A heading, and what stands below it."""
        self._parts += [f"<h2>{escape(heading)}</h2>", *parts]

    def __str__(self) -> str:
        head = f"<title>{escape(self._title)}</title><style>{STYLE}{LOOK}</style>"
        foot = f"<footer>interlace {escape(installed_version())}</footer>"
        body = "\n".join([*self._parts, foot])
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">{head}</head>\n'
            f"<body>\n{body}\n</body></html>\n"
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write it.

        Raises
        ------
        DataError
            The file cannot be written.
        """
        try:
            Path(path).write_text(str(self), encoding="utf-8")
        except OSError as error:
            raise DataError(f"'{path}' cannot be written: {error.strerror}") from error


def paragraph(lines: Sequence[str]) -> str:
    """Sentences."""
    return f"<p>{escape(' '.join(lines))}</p>"


def listing(lines: Sequence[str]) -> str:
    """One below the other."""
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def table(answer: Any) -> str:
    """A table of results as a notebook shows it; the page has the look already."""
    return f'<div class="wide">{answer._repr_html_().replace(f"<style>{LOOK}</style>", "")}</div>'


def mathematics(found: Equation) -> str:
    """The equation, and its LaTeX to copy."""
    return (
        f'<div class="wide">{found.mathml}</div><details><summary>LaTeX</summary>'
        f"<pre>{escape(found.latex)}</pre></details>"
    )


def picture(figure: Any, words: str) -> str:
    """A figure of matplotlib, inside the page."""
    data = base64.b64encode(png(figure)).decode()
    return f'<p><img alt="{escape(words)}" src="data:image/png;base64,{data}"></p>'


def or_reason(made: Any) -> str:
    """What a function makes, or why it cannot."""
    try:
        return str(made())
    except InterlaceError as error:
        return paragraph([f"Left out: {error}."])
