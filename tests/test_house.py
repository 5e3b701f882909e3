"""The rules of the house: which room may import which, what a room may touch, and how large it may grow.

Read from the source with `ast`, so that an import inside a function or under TYPE_CHECKING counts as well.
"""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from interlace.storage.registry import CLASSES

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "interlace"

# A file imports from its own floor or from lower ones, and never in a circle.
FLOORS = {
    "arrays": 1,
    "callers": 1,
    "later": 1,
    "errors": 1,
    "frozen": 1,
    "hints": 1,
    "other_names": 1,
    "kernel": 1,
    "log": 1,
    "storage": 2,
    "options": 1,
    "progress": 1,
    "text": 1,
    "version": 1,
    "datasets": 2,
    "tables": 2,
    "pictures": 2,
    "formula": 2,
    "design": 3,
    "estimation": 4,
    "precision": 5,
    "prediction": 5,
    "inference": 6,
    "variances": 6,
    "refitting": 7,
    "report": 7,
    "model": 8,
    "accumulating": 9,
    "adapters": 9,
    "api": 9,
    "comparison": 9,
    "demeaning": 9,
    "regressor": 9,
    "planning": 9,
    "stepping": 9,
    "tabulating": 9,
    "cli": 10,
    "__main__": 11,
    "": 11,
}

COMPILED = "interlace._core"

# What lies outside the house, and the rooms (or files) that may touch it. Tables come in at design (and, read
# from files, at cli); pandas elsewhere is for tables handed out.
DOORS = {
    COMPILED: ("kernel",),
    "matplotlib": ("pictures",),
    "narwhals": ("design",),
    "duckdb": ("design",),
    "polars": ("design", "cli", "adapters"),
    "pyarrow": ("design", "cli"),
    "pandas": (
        "datasets",
        "tables",
        "storage",
        "design",
        "inference",
        "variances",
        "prediction",
        "refitting",
        "report",
        "model",
        "comparison",
        "stepping",
        "regressor",
        "cli",
    ),
}

# Slow to import or not everybody's: only inside functions.
LAZY = (
    "matplotlib",
    "scipy.linalg",
    "scipy.special",
    "scipy.stats",
    "polars",
    "pyarrow",
    "duckdb",
    "sklearn",
)

MAX_LINES, MAX_LINES_OF_TESTS = 400, 500
MAX_FUNCTION = 60

# Files of one name in two rooms: a value of the formula language and a function of it; a linear model and its
# linear functions; where rows come from, and what a model says of each.
SAME_NAMES = {"__main__.py", "linear.py", "rows.py", "values.py"}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module (or name) and where it stands."""

    file: str
    line: int
    target: str
    at_top: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.target}"


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(module: str) -> Iterator[Import]:
    path = FILES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    yield from _imports_in(ast.parse(path.read_text()), module, package, at_top=True)


def _imports_in(node: ast.AST, module: str, package: str, *, at_top: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.Import | ast.ImportFrom):
            for target in _targets(child, package):
                yield Import(module, child.lineno, target, at_top and not _is_type_checking(node))
        yield from _imports_in(child, module, package, at_top=at_top and not inside)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _targets(node: ast.Import | ast.ImportFrom, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    parents = package.split(".")
    base = node.module or ""
    if node.level:
        base = ".".join([*parents[: len(parents) - node.level + 1], *([node.module] if node.module else [])])
    return [f"{base}.{alias.name}" for alias in node.names]


def home_module(target: str) -> str | None:
    """The file of the house that `target` is or lies in; None for what is outside or compiled."""
    if is_in(target, "interlace._core"):
        return None
    while target and target not in FILES:
        target = target.rpartition(".")[0]
    return target or None


def floor(module: str) -> int:
    return FLOORS[module.partition(".")[2].partition(".")[0]]


def is_in(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


ALL_IMPORTS = [found for module in FILES for found in imports_of(module)]


def test_every_file_has_a_floor() -> None:
    assert {module.partition(".")[2].partition(".")[0] for module in FILES} <= set(FLOORS)


def test_no_upward_arrow() -> None:
    arrows = [(found, home_module(found.target)) for found in ALL_IMPORTS]
    assert [str(found) for found, home in arrows if home and floor(home) > floor(found.file)] == []


def test_no_circle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in FILES}
    for found in ALL_IMPORTS:
        home = home_module(found.target)
        if home and home != found.file:
            graph[found.file].add(home)
    graphlib.TopologicalSorter(graph).prepare()  # CycleError names the files of a circle


@pytest.mark.parametrize("outside", DOORS)
def test_only_its_rooms_touch(outside: str) -> None:
    allowed = [f"interlace.{room}" for room in DOORS[outside]]
    touching = [found for found in ALL_IMPORTS if is_in(found.target, outside)]
    assert [str(f) for f in touching if not any(is_in(f.file, room) for room in allowed)] == []


@pytest.mark.parametrize("outside", LAZY)
def test_only_inside_functions(outside: str) -> None:
    assert [str(f) for f in ALL_IMPORTS if f.at_top and is_in(f.target, outside)] == []


def test_optional_imports_stay_unimported() -> None:
    # What pandas itself brings along is not our doing.
    code = (
        "import sys, pandas; before = set(sys.modules); import interlace.api; "
        f"print(*(m for m in {LAZY!r} if m in sys.modules and m not in before))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_the_shape_of_theta_stands_in_estimation() -> None:
    """Rooms above ask `Parameters` and structures what parameters mean."""
    shape = re.compile(r"\b(Unstructured|tril_indices|triu_indices|tril)\b")
    found = [module for module, path in FILES.items() if shape.search(path.read_text())]
    outside = {module for module in found if not is_in(module, "interlace.estimation")}
    assert outside == {"interlace.storage.registry"}  # which has the names of all values


def test_no_file_is_too_long() -> None:
    for files, most in (
        ([*PACKAGE.rglob("*.py"), *(ROOT / "core").glob("*.[ch]pp")], MAX_LINES),
        ((ROOT / "tests").rglob("*.py"), MAX_LINES_OF_TESTS),
    ):
        lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
        assert {name: n for name, n in lengths.items() if n > most} == {}


def test_no_function_is_too_long() -> None:
    functions = [
        (module, node)
        for module, path in FILES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    lengths = {f"{module}: {node.name}": _lines_of_code(node) for module, node in functions}
    assert {name: n for name, n in lengths.items() if n > MAX_FUNCTION} == {}


def _lines_of_code(node: ast.FunctionDef) -> int:
    """From the line after the docstring."""
    first = 1 if ast.get_docstring(node) is not None and len(node.body) > 1 else 0
    return (node.end_lineno or 0) - node.body[first].lineno + 1


def test_nothing_is_printed_but_by_the_command_line() -> None:
    """What the library has to say of its work goes through `logging`."""
    printing = [
        f"{module}:{node.lineno}"
        for module, path in FILES.items()
        if not is_in(module, "interlace.cli")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []


def test_no_two_files_of_one_name() -> None:
    names = [path.name for path in FILES.values() if path.name != "__init__.py"]
    assert {name for name in names if names.count(name) > 1} <= SAME_NAMES


def test_the_page_about_the_house_has_its_rooms() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (`[^|]*`) \|", page, flags=re.MULTILINE)
    shown = {room: int(number) for number, rooms in rows for room in re.findall(r"`(\w+)`", rooms)}
    assert shown == {room: number for room, number in FLOORS.items() if room}


def test_paths_in_the_page_about_the_house_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"\b((?:core/)?[a-z_0-9/]+\.(?:py|cpp|md))\b", page)
    gone = [
        name for name in named if not any((top / name).exists() for top in (PACKAGE, ROOT, ROOT / "docs"))
    ]
    assert gone == []


def test_no_path_of_one_machine() -> None:
    machine = re.compile(r"(?<![\w.:/~$})])/(?:home|root|work|farm|Users|opt)/\w")
    folders = ["src", "core", "tests", "benchmarks", "docs", ".ci"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    files += [
        path for path in ROOT.iterdir() if path.suffix in (".md", ".toml", ".txt") or path.name == "Makefile"
    ]
    binary = (".gz", ".pyc", ".so", ".png", ".interlace")
    texts = {path: path.read_text() for path in files if path.suffix not in binary}
    found = {
        str(path.relative_to(ROOT)): match[0]
        for path, text in texts.items()
        if (match := machine.search(text))
    }
    assert found == {}


def _values(module: Path) -> set[str]:
    """The frozen values that a module defines, by where they stand."""
    place = ".".join(("interlace", *module.relative_to(PACKAGE).with_suffix("").parts))
    classes = [node for node in ast.parse(module.read_text()).body if isinstance(node, ast.ClassDef)]
    return {
        f"{place}.{one.name}"
        for one in classes
        if any("frozen=True" in ast.unparse(decorator) for decorator in one.decorator_list)
    }


def test_values_that_files_may_hold_have_names_there() -> None:
    """A new value, or one that moved: give its module a line in storage/registry.py; names in files stay."""
    values = {path: _values(path) for path in PACKAGE.rglob("*.py")}
    named = set(CLASSES.values())
    assert named - set().union(*values.values()) == set()
    for path, found in values.items():
        if path.relative_to(PACKAGE).parts[0] in ("design", "estimation", "formula"):
            public = {place for place in found if not place.rpartition(".")[2].startswith("_")}
            assert public - named == set()
