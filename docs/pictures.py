"""Draw the pictures that the pages show: `python docs/pictures.py`, from the code that stands above each.

A line `![words](pictures/NAME.svg)` below a block of Python shows the figure that the block has drawn last.
The files are the same however often one version of matplotlib writes them.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PART = re.compile(
    r"^```python\n(?P<code>.*?)^```$|^!\[[^]]*\]\((?P<picture>pictures/[\w-]+\.svg)\)$", re.M | re.S
)
STYLE = {"svg.hashsalt": "interlace", "svg.fonttype": "path", "path.simplify": True}


def named(page: Path) -> list[str]:
    """The pictures that a page shows."""
    return [part["picture"] for part in PART.finditer(page.read_text()) if part["picture"]]


def figures(page: Path) -> Iterator[tuple[str, Any]]:
    """Name and figure of each picture of a page, whose code runs on the way."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    names: dict[str, Any] = {}
    for part in PART.finditer(page.read_text()):
        if part["code"] is not None:
            plt.close("all")
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(part["code"], str(page), "exec"), names)
            continue
        if not plt.get_fignums():
            raise SystemExit(f"{page.name}: the code above {part['picture']} draws nothing")
        yield part["picture"], plt.gcf()


def write(figure: Any, path: Path) -> None:
    """One file, without the date and with names of its parts that do not change."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Write all of them."""
    for page in sorted(DOCS.glob("*.md")):
        if not named(page):
            continue
        for name, figure in figures(page):
            (DOCS / name).parent.mkdir(exist_ok=True)
            write(figure, DOCS / name)
            print(name, file=sys.stderr)


if __name__ == "__main__":
    main()
