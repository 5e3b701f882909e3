"""Marginal means from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import interlace
from interlace.cli import main

FIT = ["fit", "yield ~ factor(nitro) * Variety + (1 | Block/Variety)", "oats"]


def test_means_and_pairs_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FIT, "--emmeans", "nitro | Variety", "--pairs"]) == 0
    out, err = capsys.readouterr()
    m = interlace.lmer(FIT[1], interlace.datasets.load("oats"))
    means = m.emmeans("nitro | Variety")
    assert err == "" and str(means) in out and str(means.pairs()) in out


def test_means_with_contrasts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FIT, "--emmeans", "consec ~ nitro", "--ddf", "kr"]) == 0
    assert "nitro0.2 - nitro0" in capsys.readouterr().out


def test_means_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "found.json"
    assert main([*FIT, "--emmeans", "Variety", "--pairs", "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert found["emmeans"]["Variety"] == ["Golden Rain", "Marvellous", "Victory"]
    assert len(found["pairs"]["p"]) == 3 and "tukey" in found["pairs"]["note"]


@pytest.mark.parametrize("argv", [["--pairs"], ["--emmeans", "Varieti"]])
def test_what_is_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FIT, *argv]) == 2
    assert capsys.readouterr().err.startswith("interlace: error: ")
