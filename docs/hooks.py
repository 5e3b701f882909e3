"""What the site does to pages while MkDocs builds it: it runs them, and adds files from elsewhere.

A page whose code fails, or prints something else than it says, ends the build.
"""

from __future__ import annotations

import os
import re
import sys
from html import unescape
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
import blocks

DOCS = Path(__file__).parent
ROOT = DOCS.parent
ELSEWHERE = {
    "index.md": ROOT / "README.md",
    "changelog.md": ROOT / "CHANGELOG.md",
    "contributing.md": ROOT / "CONTRIBUTING.md",
    "security.md": ROOT / "SECURITY.md",
    "core.md": ROOT / "core" / "README.md",
    "reference-values.md": ROOT / "tests" / "reference" / "README.md",
}
HIDDEN = {"index.md": ["navigation"], "parity.md": ["toc"], "coverage.md": ["toc"]}
NOTEBOOKS = ("analyses/*.md", "tour.md")
LINK = re.compile(r"\[(?P<words>[^\]]*)\]\((?P<target>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")
TABLE_ROW = re.compile(r"^\|.*$", re.M)
CODE = re.compile(r"`[^`\n]+`")
FORMULA = re.compile(
    r'<(span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</\1>', re.S
)


def on_files(files: Files, config: Any) -> Files:
    """Pages that stand elsewhere in the repository, and a notebook of each analysis."""
    for uri, origin in ELSEWHERE.items():
        files.append(File.generated(config, uri, content=origin.read_text()))
    for pattern in NOTEBOOKS:
        for page in sorted(set(DOCS.glob(pattern)) & set(blocks.pages())):
            uri = page.relative_to(DOCS).with_suffix(".ipynb").as_posix()
            files.append(File.generated(config, uri, content=blocks.notebook(page)))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: Any) -> str:
    """Run the page; links to files of the repository become links to their pages."""
    origin = ELSEWHERE.get(page.file.src_uri, DOCS / page.file.src_uri)
    try:
        for _part in blocks.run(origin):
            pass
    except Exception as error:
        raise PluginError(
            f"{origin.name} does not run: {type(error).__name__}: {error}"
        ) from error
    page.meta.setdefault("hide", HIDDEN.get(page.file.src_uri, []))
    markdown = LINK.sub(lambda link: _linked(link, origin, page.file.src_uri), markdown)
    markdown = TABLE_ROW.sub(_bars_in_code, markdown)
    notebook = page.file.src_uri.removesuffix(".md") + ".ipynb"
    if files.get_file_from_path(notebook):
        words = f"\n[Download this page as a notebook]({os.path.basename(notebook)}){{ .notebook }}\n"
        markdown = re.sub(r"(?<=\n)\n", lambda _: words + "\n", markdown, count=1)
    return markdown


def _bars_in_code(row: re.Match[str]) -> str:
    """A row of a table with bare bars in its code: GitHub wants them escaped, this Markdown does not."""
    return CODE.sub(lambda code: code[0].replace("\\|", "|"), row[0])


def _linked(link: re.Match[str], origin: Path, uri: str) -> str:
    """The link from the page at `uri`; without its target where that is no page."""
    target = (origin.parent / link["target"]).resolve()
    pages = {path: name for name, path in ELSEWHERE.items()}
    if target in pages:
        there = pages[target]
    elif target.is_relative_to(DOCS):
        there = target.relative_to(DOCS).as_posix()
    else:
        return link["words"]
    path = os.path.relpath(there, os.path.dirname(uri) or ".")
    return f"[{_words(link['words'], target)}]({path}{link['anchor'] or ''})"


def _words(words: str, target: Path) -> str:
    """The title of the page where the words of a link are the name of its file."""
    title = (
        re.search(r"^# (.*)", target.read_text(), re.M)
        if words.endswith(target.name)
        else None
    )
    return title[1] if title and target.suffix == ".md" else words


def on_page_content(html: str, **_: Any) -> str:
    """Formulas become MathML, which browsers show without a script."""
    return FORMULA.sub(_formula, html)


def _formula(match: re.Match[str]) -> str:
    display = "block" if match[1] == "div" else "inline"
    return convert(unescape(match["tex"]), display=display)
