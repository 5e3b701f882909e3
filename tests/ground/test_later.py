"""What a first fit loads, and how the rest is loaded when it is asked for."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

# What only asks a model that is there.
LATER = [
    "estimation.ols",
    "inference.emmeans",
    "inference.given_fit",
    "model.least",
    "precision.robust",
    "refitting.bootstrap",
    "refitting.permutation",
    "refitting.scores",
    "report.plots",
    "report.summary",
    "storage.archive",
    "tables.markup",
    "pictures.canvas",
]

FIRST_FIT = """
import sys
import interlace
m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
print(*(name for name in sys.modules if name.startswith("interlace.")))
assert m.bootstrap(2, seed=1) and "interlace.refitting.bootstrap" in sys.modules
"""

NAMES = """
from interlace.report import envelope
import sys
assert "interlace.report.envelope" not in sys.modules
assert envelope.ROWS == 20_000 and "ROWS" in dir(envelope) and envelope.__dict__["ROWS"] == 20_000
envelope.ROWS = 7
from interlace.report import envelope as loaded
assert loaded.ROWS == 7 and loaded is sys.modules["interlace.report.envelope"]
del envelope.ROWS
assert not hasattr(loaded, "ROWS") and not hasattr(envelope, "ROWS")
"""


def in_a_fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout


def test_a_first_fit_loads_no_answers() -> None:
    loaded = in_a_fresh_process(FIRST_FIT).split()
    assert "interlace.model.linear" in loaded
    assert not [name for name in LATER if f"interlace.{name}" in loaded]


def test_a_module_is_loaded_when_something_of_it_is_asked_for() -> None:
    in_a_fresh_process(NAMES)


def test_ctrl_c_while_a_module_is_loaded_is_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "pressed"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from interlace.later import modules_of\n__getattr__ = modules_of(__name__)\n"
    )
    (package / "answers.py").write_text(
        "class Pressed:\n    def __set_name__(self, *_):\n        raise KeyboardInterrupt\n"
        "class Values:\n    first = Pressed()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    answers = importlib.import_module("pressed").answers
    with pytest.raises(KeyboardInterrupt):
        answers.Values  # noqa: B018


def test_a_name_that_no_package_has() -> None:
    with pytest.raises(ImportError, match="cannot import name 'nothing_of_this_name'"):
        from interlace.report import nothing_of_this_name  # type: ignore[attr-defined] # noqa: F401
