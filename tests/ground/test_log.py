"""What the library says of its work goes through `logging`; nothing is printed by itself."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

import interlace

SLEEP = interlace.datasets.load("sleepstudy")
FORMULA = "Reaction ~ Days + (1 | Subject)"


def test_fits_refits_and_files_are_said(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level(logging.INFO, logger="interlace"):
        m = interlace.lmer(FORMULA, SLEEP)
        m.bootstrap(3, seed=1, progress=False)
        m.save(tmp_path / "m")
    said = [record.getMessage() for record in caplog.records if record.name == "interlace"]
    assert said[0].startswith(f"fitted {FORMULA}: 180 rows, converged, ")
    assert any("3 of 3 done" in line for line in said) and "wrote" in said[-1]


def test_nothing_is_said_unasked() -> None:
    code = (
        f"import interlace; interlace.lmer({FORMULA!r}, interlace.datasets.load('sleepstudy')).bootstrap(3)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == ran.stderr == ""
