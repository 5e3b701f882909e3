"""Formulas without a random term on the command line: linear models, as `interlace.lm` fits them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.cli import main

PLAIN, ABSORBED = "score ~ Machine", "score ~ Machine | Worker"


@pytest.fixture
def machines() -> pd.DataFrame:
    return interlace.datasets.load("machines")


@pytest.mark.parametrize("options", [[], ["--vcov", "hc3"], ["--vcov", "CR1", "--cluster", "Worker"]])
def test_a_linear_model_is_that_of_lm(options: list[str], machines: pd.DataFrame, capsys: Any) -> None:
    asked = dict(zip(("vcov", "cluster"), options[1::2], strict=False))
    model = interlace.lm(PLAIN, machines, **asked)
    command = ["fit", PLAIN, "machines", *options, "--anova", "3", "--emmeans", "Machine"]
    assert main([*command, "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["coefficients"]["se"] == pytest.approx(model.coef_table()["se"].tolist(), rel=1e-12)
    assert found["anova"]["p"] == pytest.approx(model.anova()["p"].tolist(), rel=1e-10)
    assert found["emmeans"]["df"] == pytest.approx(model.emmeans("Machine").frame["df"].tolist())
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Linear model fit by least squares.") and "Data: machines" in out and err == ""


def test_a_bar_outside_parentheses_is_said_to_absorb(capsys: Any) -> None:
    assert main(["fit", ABSORBED, "machines"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Linear model fit by least squares.")
    assert "Absorbed fixed effects (levels):  Worker, 6" in out
    assert len(err.splitlines()) == 1 and "'(1 | g)'" in err


@pytest.mark.parametrize("options", [["--ml"], ["--ddf", "kenward-roger"], ["--solver", "exact"]])
def test_options_of_mixed_models_are_refused(options: list[str], capsys: Any) -> None:
    assert main(["fit", PLAIN, "machines", *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and f"leave {' '.join(options)} out" in err and "has no random term" in err


def test_a_covariance_of_the_other_kind_of_model_is_refused(capsys: Any) -> None:
    assert main(["fit", PLAIN, "machines", "--vcov", "CR2", "--cluster", "Worker"]) == 2
    assert "HC3" in capsys.readouterr().err


def test_clusters_of_a_mixed_model(machines: pd.DataFrame, capsys: Any) -> None:
    formula = "score ~ Machine + (1 | Worker)"
    model = interlace.lmer(formula, machines)
    assert main(["fit", formula, "machines", "--vcov", "CR2", "--cluster", "Worker", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)["coefficients"]["se"]
    assert found == pytest.approx(model.coef_table(vcov="CR2", cluster="Worker")["se"].tolist(), rel=1e-12)


@pytest.mark.parametrize("formula", [PLAIN, ABSORBED])
def test_save_and_predict(formula: str, machines: pd.DataFrame, tmp_path: Path, capsys: Any) -> None:
    new = pd.DataFrame({"Machine": ["A", "C"], "Worker": [1, 6]})
    new.to_csv(tmp_path / "new.csv", index=False)
    files = [str(tmp_path / "m.interlace"), str(tmp_path / "new.csv")]
    assert main(["save", formula, "machines", "-o", files[0]]) == 0
    capsys.readouterr()
    assert main(["predict", *files, "--interval", "prediction", "--se"]) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    model = interlace.lm(formula, machines)
    wanted = model.predict(new.astype(str), interval="prediction", se=True)
    np.testing.assert_allclose(found[wanted.columns].to_numpy(), wanted.to_numpy(), rtol=1e-9)
    for options in (["--new-levels", "population"], ["--random", "Worker"]):
        assert main(["predict", *files, *options]) == 2
        assert f"leave {' '.join(options)} out" in capsys.readouterr().err


def test_levels_that_the_fit_has_not_seen_are_named(tmp_path: Path, capsys: Any) -> None:
    """A file has numbers where the shipped data have text: a level is not a type."""
    pd.DataFrame({"Machine": ["A", "B"], "Worker": [1, 9]}).to_csv(tmp_path / "new.csv", index=False)
    assert main(["save", ABSORBED, "machines", "-o", str(tmp_path / "m")]) == 0
    assert main(["predict", str(tmp_path / "m"), str(tmp_path / "new.csv")]) == 2
    assert "has levels in 1 row that the fit has not seen" in capsys.readouterr().err


def test_a_report(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "page.html"
    assert main(["report", PLAIN, "machines", "-o", str(path), "--title", "Machines", "--vcov", "HC3"]) == 0
    page = path.read_text(encoding="utf-8")
    assert "<title>Machines</title>" in page and "HC3" in page


def test_a_formula_without_quotes_is_understood_as_that(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "score", "~", "Machine", "machines"])
    assert "a formula stands in quotes" in capsys.readouterr().err


def test_standard_input_is_named(
    monkeypatch: pytest.MonkeyPatch, machines: pd.DataFrame, capsys: Any
) -> None:
    text = io.TextIOWrapper(io.BytesIO(machines.to_csv(index=False).encode()))
    monkeypatch.setattr("sys.stdin", text)
    assert main(["fit", PLAIN, "-"]) == 0
    assert "Data: standard input" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("formula", "options", "words"),
    [
        ("score ~ Machine + (1 | Worker)", "--cluster Worker", "write --vcov CR2 beside --cluster (there"),
        ("score ~ Machine + (1 | Worker)", "--cluster no --vcov CR1", "no column"),
        ("score ~ Machine + (1 | Worker)", "--vcov HC3", "--vcov HC3 is not known: choose from model"),
        ("score ~ Machine", "--cluster no", "--cluster no is no column"),
        ("score ~ Machine", "--cluster Worker --vcov HC3", "--vcov HC3 has no clusters; leave --cluster out"),
    ],
)
def test_messages_have_the_words_of_the_shell(
    formula: str, options: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", formula, "machines", *options.split()]) == 2
    said = capsys.readouterr().err
    assert words in said and "cluster=" not in said and "vcov=" not in said
