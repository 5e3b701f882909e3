"""The Python in README.md and docs/ runs, and prints what stands below it."""

from __future__ import annotations

import contextlib
import io
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
_spec: Any = spec_from_file_location("pictures_of_docs", ROOT / "docs" / "pictures.py")
pictures: Any = module_from_spec(_spec)
_spec.loader.exec_module(pictures)
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n*```text\n(?P<printed>.*?)^```)?", re.M | re.S)
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if BLOCK.search(page.read_text())
]


def test_there_are_pages() -> None:
    assert {"README.md", "inference.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page(page: Path) -> None:
    names: dict[str, Any] = {}
    text = page.read_text()
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start()) + 2
        code = compile("\n" * (line - 1) + block["code"], str(page), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, names)
        if block["printed"] is not None:
            assert words(printed.getvalue()) == words(block["printed"]), f"{page.name}, line {line}"


def test_every_picture_that_a_page_shows_is_there_and_drawn_by_its_code() -> None:
    """The files are written by `docs/pictures.py`; here the code above each has drawn a figure."""
    pytest.importorskip("matplotlib")
    shown = []
    for page in sorted((ROOT / "docs").glob("*.md")):
        said = re.findall(r"!\[[^]]*\]\((?P<file>[^)]*)\)", page.read_text())
        assert all((page.parent / name).is_file() for name in said), page.name
        drawn = pictures.named(page)
        assert drawn == [name for name in said if name.startswith("pictures/")], page.name
        shown += [f"docs/{name}" for name in drawn]
        for name, figure in pictures.figures(page) if drawn else ():
            assert any(axes.has_data() for axes in figure.axes), name
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "pictures").iterdir()}
    assert files == set(shown) and len(shown) >= 5


def test_a_picture_is_written_alike_twice(tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    plt.close("all")
    plt.plot([1, 2], [3, 4])
    for name in ("a.svg", "b.svg"):
        pictures.write(plt.gcf(), tmp_path / name)
    plt.close("all")
    text = (tmp_path / "a.svg").read_bytes()
    assert text == (tmp_path / "b.svg").read_bytes() and b"dc:date" not in text


def words(text: str) -> list[list[str]]:
    """Lines of words: how wide a column is printed does not matter."""
    return [line.split() for line in text.strip().splitlines() if line.strip()]
