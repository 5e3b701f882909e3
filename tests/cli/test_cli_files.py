"""Standard input, `save` and `predict`, `--contrasts`, and `python -m interlace`."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.cli import main

FORMULA = "Reaction ~ Days + (Days | Subject)"
SLEEP = interlace.datasets.load("sleepstudy")


class Input:
    """Standard input with some bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def given(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setattr(sys, "stdin", Input(content.encode()))


@pytest.mark.parametrize("separator", [",", "\t"])
def test_standard_input(separator: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    given(monkeypatch, SLEEP.to_csv(index=False, sep=separator))
    assert main(["fit", FORMULA, "-"]) == 0
    said = capsys.readouterr().out
    assert "251.40" in said and "Data: standard input" in said


def test_standard_input_that_is_no_table(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    given(monkeypatch, "")
    assert main(["fit", FORMULA, "-"]) == 2
    assert "'standard input' is empty" in capsys.readouterr().err


def test_codings_of_factors(capsys: Any) -> None:
    command = ["fit", "score ~ Machine + (1 | Worker)", "machines", "--contrasts", "Machine=sum"]
    assert main(command) == 0
    assert "59.650" in capsys.readouterr().out  # the mean of the means
    assert main([*command[:-1], "Machine"]) == 2
    assert "such as Machine=sum, not 'Machine'" in capsys.readouterr().err
    assert (
        main(["fit", "Reaction ~ factor(Days) + (1 | Subject)", "sleepstudy", "--contrasts", "Days=sum"]) == 2
    )
    assert "write --contrasts 'factor(Days)=...', or" in capsys.readouterr().err
    assert main([*command[:-1], "Machine=__import__('os').getcwd()"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--no-rows"]])
def test_save_and_predict(
    more: list[str], tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "m.interlace")
    assert main(["save", FORMULA, "sleepstudy", "-o", path, "--ml", *more]) == 0
    m = interlace.lmer(FORMULA, SLEEP, reml=False)
    assert interlace.load(path).loglik == m.loglik
    new = pd.DataFrame({"Days": [10, 3], "Subject": ["308", "new"], "note": ["a", None]})
    given(monkeypatch, new.to_csv(index=False))
    options = ["--new-levels", "population", "--interval", "prediction", "--se", "--level", "0.9"]
    capsys.readouterr()
    assert main(["predict", path, "-", *options]) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out), dtype={"Subject": str})
    wanted = m.predict(new, new_levels="population", interval="prediction", se=True, level=0.9)
    np.testing.assert_allclose(found[list(wanted)], wanted, rtol=1e-12)
    assert found["note"].isna().tolist() == [False, True]


def test_predictions_in_a_file(tmp_path: Path, capsys: Any) -> None:
    path, out = str(tmp_path / "m"), tmp_path / "out.csv"
    main(["save", FORMULA, "sleepstudy", "-o", path])
    assert main(["predict", path, "sleepstudy", "--random", "none", "-o", str(out)]) == 0
    found = pd.read_csv(out)["predicted"]
    np.testing.assert_allclose(found, interlace.lmer(FORMULA, SLEEP).predict(random="none"), rtol=1e-12)
    assert main(["predict", path, str(out)]) == 2
    assert "have a column 'predicted' already" in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "no"), "sleepstudy"]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert main(["predict", str(out), "sleepstudy"]) == 2
    assert "is no file of interlace" in capsys.readouterr().err


@pytest.mark.parametrize("of", [int, str])
def test_levels_of_a_file_are_those_of_the_fit(of: type, tmp_path: Path, capsys: Any) -> None:
    """308 in one file is a number, and in another, beside a word, text."""
    data = SLEEP.assign(Subject=SLEEP["Subject"].astype(str).astype(of))
    m = interlace.lmer(FORMULA, data)
    m.save(tmp_path / "m")
    rows = "Days,Subject\n3,308\n4,309\n"
    for more, expected in (("", 2), ("5,\n", 3), ("5,new\n", 3)):
        (tmp_path / "new.csv").write_text(rows + more)
        options = ["--new-levels", "population"]
        assert main(["predict", str(tmp_path / "m"), str(tmp_path / "new.csv"), *options]) == 0
        found = pd.read_csv(io.StringIO(capsys.readouterr().out))["predicted"]
        known = m.predict({"Days": [3, 4], "Subject": [of("308"), of("309")]})
        np.testing.assert_allclose(found[:2], known, rtol=1e-12)
        assert len(found) == expected
    assert main(["predict", str(tmp_path / "m"), str(tmp_path / "new.csv")]) == 2
    assert "'new'" in capsys.readouterr().err


def test_the_package_runs() -> None:
    command = [sys.executable, "-m", "interlace", "fit", FORMULA, "sleepstudy"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "251.405" in ran.stdout and ran.stderr == ""
