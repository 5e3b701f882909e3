"""The errors that `make mutants` puts into the code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from mutants.__main__ import SOLVER, TESTS
from mutants.covering import covering
from mutants.mutations import Mutant, mutants

ROOT = Path(__file__).parent.parent.parent


def changed(tmp_path: Path, name: str, text: str) -> set[str]:
    """All texts that one error makes of a file."""
    file = tmp_path / name
    file.write_text(text)
    return {mutant.text() for mutant in mutants(file)}


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("a = b + c\n", {"a = b - c\n"}),
        ("é = 'é' if x <= y else z\n", {"é = 'é' if x < y else z\n", "é = 'é' if not (x <= y) else z\n"}),
        ("a = x and y in z\n", {"a = x or y in z\n", "a = x and y not in z\n"}),
        ("raise E(a + b)\n", set()),
    ],
)
def test_of_python(tmp_path: Path, text: str, errors: set[str]) -> None:
    assert changed(tmp_path, "a.py", text) == errors


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("x = a + b;  // a - b\n", {"x = a - b;  // a - b\n"}),
        (
            "for (index i = 0; i < n; ++i)\n",
            {"for (index i = 1; i < n; ++i)\n", "for (index i = 0; i <= n; ++i)\n"},
        ),
        ('std::vector<int> v; s = "a + b";\n', set()),
        ("throw Error(a + b);\n", set()),
    ],
)
def test_of_the_core(tmp_path: Path, text: str, errors: set[str]) -> None:
    assert changed(tmp_path, "a.cpp", text) == errors


def test_errors_in_python_can_be_run_and_change_something() -> None:
    for name in ("estimation/likelihood.py", "precision/satterthwaite.py", "formula/parser.py"):
        file = ROOT / "src" / "interlace" / name
        found = mutants(file)
        assert len({mutant.text() for mutant in found}) == len(found) > 5
        assert all(ast.parse(mutant.text()) and mutant.text() != file.read_text() for mutant in found)


def test_which_tests_run_a_line(tmp_path: Path) -> None:
    coverage = pytest.importorskip("coverage")
    data = coverage.CoverageData(str(tmp_path / "data"))
    for test, lines in (("t.py::a|run", [1, 3]), ("t.py::b|setup", [3]), ("", [1, 3, 9])):
        data.set_context(test)
        data.add_lines({"/somewhere/interlace/x.py": lines})
    data.write()

    def tests(line: int) -> set[str]:
        return set(covering(tmp_path / "data", Mutant(Path("src/interlace/x.py"), line, 0, 0, "", "")))

    assert tests(3) == {"t.py::a", "t.py::b"} and tests(1) == {"t.py::a"}
    assert tests(5) == {"t.py::a", "t.py::b"}  # the second line of a statement that begins at 3
    assert tests(9) == set()


def test_the_tests_that_are_asked_exist() -> None:
    assert all((ROOT / tests).exists() for of_file in TESTS.values() for tests in of_file)
    assert all((ROOT / name).exists() or list(ROOT.glob(f"{name}*")) for name in (*TESTS, *SOLVER))
