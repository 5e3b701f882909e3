"""The Python in README.md and docs/ runs, prints what stands below it, and draws the pictures shown."""

from __future__ import annotations

import json
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import interlace

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))
blocks: Any = import_module("blocks")
pictures: Any = import_module("pictures")
PAGES = blocks.pages()


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def page_of(tmp_path: Path, text: str) -> Path:
    page = tmp_path / "page.md"
    page.write_text(text)
    return page


def test_there_are_pages() -> None:
    assert {"README.md", "docs/inference.md"} <= {name_of(page) for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_examples_of_a_page(page: Path) -> None:
    """The code above each picture has drawn a figure; the files are written by `docs/pictures.py`."""
    if pictures.named(page):
        pytest.importorskip("matplotlib").use("agg")
    for part in blocks.run(page):
        if part.kind == "picture":
            drawn = sys.modules["matplotlib.pyplot"].gcf()
            assert any(axes.has_data() for axes in drawn.axes), part.text


@pytest.mark.parametrize(
    "text",
    [
        "```python\nprint(1)\n```\n```text\n2\n```\n",
        "```python\nprint(1)\n```\n\nand so\n\n```text\n2\n```\n",
        "| there | interlace |\n|---|---|\n| a | `print(nothing)` |\n",
        "```python\n1 / 0\n```\n",
    ],
)
def test_a_page_that_is_wrong_is_noticed(tmp_path: Path, text: str) -> None:
    with pytest.raises((blocks.PageError, NameError, ZeroDivisionError)):
        list(blocks.run(page_of(tmp_path, text)))


def test_calls_of_a_table_are_found(tmp_path: Path) -> None:
    page = page_of(
        tmp_path, "| R | interlace |\n|---|---|\n| `f(a \\| b)` | `'a \\| b'`, `2` |\n\n| a | b |\n|--|--|\n"
    )
    assert [part.text for part in blocks.parts(page)] == ["'a | b'", "2"]


def test_every_picture_that_a_page_shows_is_there() -> None:
    shown = [name for page in PAGES for name in pictures.named(page)]
    files = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs" / "pictures").iterdir()}
    assert files == set(shown) and len(files) >= 5
    for page in (ROOT / "docs").rglob("*.md"):
        said = re.findall(r"!\[[^]]*\]\((?P<file>[^)]*)\)", page.read_text())
        assert all((page.parent / name).is_file() for name in said), page.name


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


def test_a_page_as_a_notebook_has_its_code_and_its_output() -> None:
    page = ROOT / "docs" / "inference.md"
    cells = json.loads(blocks.notebook(page))["cells"]
    code = [cell["source"] + "\n" for cell in cells if cell["cell_type"] == "code"]
    assert code == [part.text for part in blocks.parts(page) if part.kind == "python"]
    outputs = [out["text"] for cell in cells for out in cell.get("outputs", ())]
    assert outputs == [part.text for part in blocks.parts(page) if part.kind == "text"]
    assert len({cell["id"] for cell in cells}) == len(cells)


def test_every_page_has_a_place_in_the_site_and_every_link_leads_somewhere() -> None:
    site = (ROOT / "mkdocs.yml").read_text()
    written = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    placed = set(re.findall(r"([\w/.-]+\.md)$", site, re.M))
    elsewhere = dict(
        re.findall(r'"([\w-]+\.md)": ROOT((?: / "[\w.-]+")+)', (ROOT / "docs/hooks.py").read_text())
    )
    assert placed == written | set(elsewhere)
    sources = [ROOT / "docs" / name for name in written]
    sources += [ROOT.joinpath(*re.findall(r'"([^"]+)"', path)) for path in elsewhere.values()]
    for page in sources:
        links = re.findall(r"\]\(([^)#\s:]+)(?:#[^)\s]*)?\)", re.sub(r"`[^`\n]*`", "", page.read_text()))
        assert [link for link in links if not (page.parent / link).exists()] == [], name_of(page)


def test_every_public_name_stands_in_the_reference() -> None:
    pages = (ROOT / "docs" / "reference").glob("*.md")
    shown = set(re.findall(r"^::: interlace\.(?:\w+\.)*(\w+)$", "\n".join(map(Path.read_text, pages)), re.M))
    errors = {name for name in interlace.__all__ if name in vars(interlace.errors)}
    assert shown >= set(interlace.__all__) - errors - {"__version__"} and "errors" in shown


def test_pages_for_users_are_free_of_words_of_the_workshop() -> None:
    developers = {"docs/architecture.md", "docs/benchmarks-absorbed.md"}
    pages = [ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        text = re.sub(r"make laws.*", "", page.read_text())
        found = re.findall(r"\b(?:[Pp]roofs?|[Ll]aws?|the house|the workshop)\b", text)
        assert not found or name_of(page) in developers, (name_of(page), found)
