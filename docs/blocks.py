"""The Python of a page: read, run, and written as a notebook.

A page is Markdown. What stands in a block of `python` is run in order, in one namespace. What stands in a
block of `text` after it is what it prints. A line `![words](pictures/NAME.svg)` shows the figure that it has
drawn last. In a table with a column `interlace`, each piece of code in that column is run as well. The tests,
the site and the pictures all read pages by this file.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PICTURE = re.compile(
    r"^!\[[^]]*\]\((?:\.\./|docs/)*(?P<name>pictures/[\w-]+\.svg)\)$", re.M
)
PART = re.compile(
    rf"^```(?P<kind>python|text)\n(?P<body>.*?)^```$|{PICTURE.pattern}|^(?P<table>(?:\|[^\n]*\n)+)",
    re.M | re.S,
)
CALL = re.compile(r"`([^`]+)`")
BAR = re.compile(r"(?<!\\)\|")


class PageError(Exception):
    """What a page says is not what happens."""


@dataclass(frozen=True)
class Part:
    """One thing of a page: a block of code, its output, a picture, or a call in a table."""

    kind: str
    text: str
    line: int


def pages() -> list[Path]:
    """The pages with something to run."""
    every = (DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md")))
    return [
        page
        for page in every
        if any(part.kind in ("python", "call") for part in parts(page))
    ]


def parts(page: Path) -> list[Part]:
    """All parts of a page, from top to bottom."""
    text = page.read_text()
    found = []
    for match in PART.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["kind"]:
            found.append(Part(match["kind"], match["body"], line + 1))
        elif match["name"]:
            found.append(Part("picture", match["name"], line))
        else:
            found += [Part("call", call, line + row) for row, call in calls(match["table"])]
    return found


def calls(table: str) -> Iterator[tuple[int, str]]:
    """Row and code of every call in the column `interlace` of a table."""
    rows = [[cell.strip() for cell in BAR.split(row)[1:-1]] for row in table.splitlines()]
    if "interlace" not in rows[0]:
        return
    column = rows[0].index("interlace")
    for i, row in enumerate(rows[2:], start=2):
        yield from ((i, call.replace("\\|", "|")) for call in CALL.findall(row[column]))


def run(page: Path) -> Iterator[Part]:
    """The parts of a page, each after it was run; `PageError` where it prints something else."""
    import pandas as pd

    names: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    with pd.option_context("display.width", 80, "display.max_columns", 20):
        for part in parts(page):
            where = f"{page.name}, line {part.line}"
            if part.kind == "text":
                if words(printed) != words(part.text):
                    raise PageError(
                        f"{where}: the code above prints\n{printed}\nand not\n{part.text}"
                    )
            elif part.kind != "picture":
                printed = _executed(part, page, names)
            yield part


def _executed(part: Part, page: Path, names: dict[str, Any]) -> str:
    """What the code of a part prints."""
    if part.kind == "python" and "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
    code = compile("\n" * (part.line - 1) + part.text, str(page), "exec")
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        exec(code, names)
    return stream.getvalue()


def words(text: str) -> list[list[str]]:
    """Lines of words: how wide a column is printed does not matter."""
    return [line.split() for line in text.strip().splitlines() if line.strip()]


def notebook(page: Path) -> str:
    """The page as a Jupyter notebook, with its output where the page shows it."""
    text = PICTURE.sub("", page.read_text())
    cells: list[dict[str, Any]] = []
    end = 0
    for match in re.finditer(
        r"^```(?P<kind>python|text)\n(?P<body>.*?)^```\n", text, re.M | re.S
    ):
        _prose(cells, text[end : match.start()])
        end = match.end()
        if match["kind"] == "python":
            cell = {"cell_type": "code", "execution_count": None, "outputs": []}
            cells.append(cell | _labelled(cells, match["body"].rstrip("\n")))
        else:
            stream = {"output_type": "stream", "name": "stdout", "text": match["body"]}
            next(cell for cell in reversed(cells) if cell["cell_type"] == "code")[
                "outputs"
            ].append(stream)
    _prose(cells, text[end:])
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {
        "cells": cells,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(whole, indent=1) + "\n"


def _prose(cells: list[dict[str, Any]], text: str) -> None:
    if text.strip():
        cells.append({"cell_type": "markdown"} | _labelled(cells, text.strip()))


def _labelled(cells: list[dict[str, Any]], source: str) -> dict[str, Any]:
    return {"id": f"cell-{len(cells)}", "metadata": {}, "source": source}
