"""Draw the pictures that the pages show: `python docs/pictures.py`, from the code that stands above each.

A line `![words](pictures/NAME.svg)` below a block of Python shows the figure that the block has drawn last.
The files are the same however often one version of matplotlib writes them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import blocks

DOCS = Path(__file__).parent
STYLE = {"svg.hashsalt": "interlace", "svg.fonttype": "path", "path.simplify": True}


def named(page: Path) -> list[str]:
    """The pictures that a page shows."""
    return [part.text for part in blocks.parts(page) if part.kind == "picture"]


def figures(page: Path) -> Iterator[tuple[str, Any]]:
    """Name and figure of each picture of a page, whose code runs on the way."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    for part in blocks.run(page):
        if part.kind == "picture":
            if not plt.get_fignums():
                raise SystemExit(f"{page.name}: the code above {part.text} draws nothing")
            yield part.text, plt.gcf()


def write(figure: Any, path: Path) -> None:
    """One file, without the date and with names of its parts that do not change."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Write all of them, or those of the pages that are named."""
    for page in [Path(name) for name in sys.argv[1:]] or blocks.pages():
        if not named(page):
            continue
        for name, figure in figures(page):
            (DOCS / name).parent.mkdir(exist_ok=True)
            write(figure, DOCS / name)
            print(name, file=sys.stderr)


if __name__ == "__main__":
    main()
