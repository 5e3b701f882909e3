"""The command line: what it prints, what it writes, and how it fails."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import interlace
from interlace import cli
from interlace.cli import inputs, main
from reference_data import load_case, load_data

FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture
def csv(tmp_path: Path) -> str:
    path = tmp_path / "sleep.csv"
    load_data("sleepstudy").to_csv(path, index=False)
    return str(path)


def _fails(argv: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run a command that must fail with status 2 and nothing on stdout; the lines on stderr."""
    try:
        status = main(argv)
    except SystemExit as exit_:
        status = exit_.code
    out, err = capsys.readouterr()
    assert status == 2 and out == ""
    assert "Traceback" not in err
    lines = err.splitlines()
    assert lines[0].startswith("interlace: error: ")
    return lines


def test_a_csv_file(csv: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", FORMULA, csv]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(
        "Linear mixed model fit by REML. t-tests use Satterthwaite's method\n"
        "Formula: Reaction ~ Days + (Days | Subject)\n"
    )
    assert f"   Data: {csv}\n" in out
    assert "REML criterion at convergence: 1743.6" in out
    assert "Days        10.467   1.546  17.000  6.771 3.26e-06" in out


def test_the_method_of_degrees_of_freedom(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", FORMULA, "sleepstudy", "--ddf", "kenward-roger"]) == 0
    assert "t-tests use Kenward-Roger's method" in capsys.readouterr().out
    assert main(["fit", FORMULA, "sleepstudy", "--ddf", "asymptotic", "--json", "-"]) == 0
    table = json.loads(capsys.readouterr().out)["coefficients"]
    assert table["ddf"] == "asymptotic" and table["df"] == [None, None] and table["p"][1] < 1e-10
    _fails(["fit", FORMULA, "sleepstudy", "--ddf", "roger"], capsys)
    (line,) = _fails(["fit", FORMULA, "sleepstudy", "--ml", "--ddf", "kenward-roger"], capsys)
    assert "REML" in line


def test_a_robust_covariance(capsys: pytest.CaptureFixture[str]) -> None:
    model = interlace.lmer(FORMULA, interlace.datasets.load("sleepstudy"))
    command = ["fit", FORMULA, "sleepstudy", "--vcov", "cr1", "--anova", "3"]
    assert main([*command, "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["coefficients"]["se"] == model.coef_table(vcov="CR1")["se"].tolist()
    assert found["anova"]["den_df"] == model.anova(vcov="CR1")["den_df"].tolist()
    assert main(command) == 0
    assert "CR1 covariance from 18 clusters (Subject)" in capsys.readouterr().out
    (line,) = _fails(["fit", FORMULA, "sleepstudy", "--vcov", "HC3"], capsys)
    assert "HC3 is not known: choose from" in line
    (line,) = _fails([*command, "--ddf", "Kenward-Roger"], capsys)
    assert "Kenward-Roger adjusts the covariance of the model" in line


def test_a_shipped_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", FORMULA, "sleepstudy"]) == 0
    assert "Number of obs: 180, groups:  Subject, 18" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["csv.gz", "tsv", "parquet"])
def test_other_files(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, data = tmp_path / f"sleep.{kind}", load_data("sleepstudy")
    if kind == "parquet":
        data.to_parquet(path)
    else:
        data.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    assert main(["fit", FORMULA, str(path)]) == 0
    assert "REML criterion at convergence: 1743.6" in capsys.readouterr().out


@pytest.mark.parametrize("missing", [["pyarrow"], ["pyarrow", "polars"]])
def test_parquet_without_its_readers(
    missing: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sleep.parquet"
    load_data("sleepstudy").to_parquet(path)
    monkeypatch.setattr(inputs, "find_spec", lambda name: None if name in missing else object())
    if "polars" not in missing:
        assert main(["fit", FORMULA, str(path)]) == 0
        assert "1743.6" in capsys.readouterr().out
    else:
        assert "pip install pyarrow" in _fails(["fit", FORMULA, str(path)], capsys)[0]


def test_maximum_likelihood_and_weights(csv: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "Reaction ~ Days + (1 | Subject)", csv, "--ml", "--weights", "w"]) == 0
    out = capsys.readouterr().out
    reference = load_case("lmer", "sleepstudy_weights_ml")
    assert "fit by maximum likelihood" in out
    assert f"{reference['AIC']:.1f}" in out and f"{reference['logLik']:.1f}" in out


def _strict(text: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_all_results_as_json(csv: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "results.json"
    assert main(["fit", FORMULA, csv, "--json", str(target)]) == 0
    assert capsys.readouterr().out.startswith("Linear mixed model")
    found = _strict(target.read_text())
    model = interlace.lmer(FORMULA, load_data("sleepstudy"))
    assert found["method"] == "REML" and found["nobs"] == 180 and found["ngroups"] == {"Subject": 18}
    assert found["criterion"] == pytest.approx(model.reml_criterion)
    for name, value in {
        "loglik": model.loglik,
        "aic": model.aic,
        "bic": model.bic,
        "sigma": model.sigma,
    }.items():
        assert found[name] == pytest.approx(value)
    assert found["theta"] == pytest.approx(model.theta.tolist(), abs=1e-9)
    assert found["fixef"] == pytest.approx(model.fixef.to_dict())
    assert found["se"] == pytest.approx(model.se.to_dict())
    assert found["vcov"]["values"][1] == pytest.approx(model.vcov().iloc[1].tolist())
    assert [row["group"] for row in found["varcorr"]] == ["Subject", "Subject", "Subject", "Residual"]
    assert found["varcorr"][0]["corr"] is None and found["varcorr"][0]["term2"] is None
    subject = found["ranef"]["Subject"]
    assert len(subject["levels"]) == 18 and subject["names"] == ["Intercept", "Days"]
    assert subject["modes"][0] == pytest.approx(model.ranef()["Subject"].iloc[0].tolist())
    assert subject["sd"][0] == pytest.approx(model.ranef(condvar=True)["Subject"]["sd"].iloc[0].tolist())
    assert found["convergence"]["evaluations"] == model.convergence.evaluations


def test_json_on_standard_output_is_all_there_is(csv: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", FORMULA, csv, "--json", "-"]) == 0
    assert _strict(capsys.readouterr().out)["df_resid"] == 174


def test_json_of_a_singular_fit_is_strict(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "Yield ~ 1 + (1 | Batch)", "dyestuff2", "--json", "-"]) == 0
    found = _strict(capsys.readouterr().out)
    assert found["is_singular"] and found["theta"] == [0.0]


def test_missing_values_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gaps.csv"
    load_data("sleepstudy_na").to_csv(path, index=False)
    assert main(["fit", FORMULA, str(path)]) == 0
    assert "(5 rows left out because of missing values)" in capsys.readouterr().out


def test_an_id_that_is_empty_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = load_data("sleepstudy")
    data["Subject"] = data["Subject"].astype(str)
    data.loc[4, "Subject"] = ""
    data.to_csv(tmp_path / "ids.csv", index=False)
    assert main(["fit", FORMULA, str(tmp_path / "ids.csv"), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["nobs"], found["n_missing"]) == (179, 1)
    assert found["ranef"]["Subject"]["levels"][:2] == [308, 309]


def test_warnings_are_one_line(csv: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "Reaction ~ Days + Days2 + (1 | Subject)", csv]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("interlace: warning: ") and "Days2" in err and len(err.splitlines()) == 1
    assert "Days2" in out


# ---- bad input ---


def test_no_such_file(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = _fails(["fit", FORMULA, "nowhere/sleep.csv"], capsys)
    assert "no file 'nowhere/sleep.csv'" in line


def test_no_such_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = _fails(["fit", FORMULA, "sleepstudi"], capsys)
    assert "'sleepstudi'" in line and "sleepstudy" in line


def test_a_directory_or_a_pattern_is_read_in_chunks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = _fails(["fit", FORMULA, str(tmp_path)], capsys)
    assert "holds no files" in line
    (line,) = _fails(["fit", FORMULA, f"{tmp_path}/*.parquet"], capsys)
    assert "there is no Parquet or CSV file" in line
    data = interlace.datasets.load("sleepstudy")
    for i in range(2):
        data.iloc[90 * i : 90 * i + 90].to_csv(tmp_path / f"{i}.csv", index=False)
    for where in (f"{tmp_path}/*.csv", str(tmp_path)):
        assert main(["fit", FORMULA, where]) == 0
        assert "1743.6" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("ragged.csv", b"a,b\n1,2\n1,2,3\n"),
        ("binary.csv", bytes(range(128, 256))),
        ("broken.csv.gz", gzip.compress(b"a,b\n1,2\n" * 99)[:20]),
        ("plain.csv.gz", b"a,b\n1,2\n"),
        ("broken.parquet", b"a,b\n1,2\n"),
    ],
    ids=["empty", "ragged", "binary", "truncated", "not-gzip", "not-parquet"],
)
def test_unreadable_files(
    name: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    (line,) = _fails(["fit", FORMULA, str(path)], capsys)
    assert name in line


def test_a_column_name_that_is_there_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("y,x,x,g\n1,2,3,a\n")
    (line,) = _fails(["fit", "y ~ x + (1 | g)", str(path)], capsys)
    assert "more than one column named 'x'" in line


@pytest.mark.parametrize(
    ("name", "separator", "words"),
    [
        ("d.csv", ";", "semicolons, not commas"),
        ("d.csv", "\t", "tabs, not commas"),
        ("d.tsv", ",", "commas, not tabs"),
    ],
)
def test_another_separator(
    name: str, separator: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    load_data("sleepstudy").to_csv(path, sep=separator, index=False)
    (line,) = _fails(["fit", FORMULA, str(path)], capsys)
    assert words in line


def test_an_unknown_column(csv: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = _fails(["fit", "Reaction ~ Dayz + (1 | Subject)", csv], capsys)
    assert "Dayz" in lines[0] and "Days" in lines[0]
    (line,) = _fails(["fit", FORMULA, csv, "--weights", "heavy"], capsys)
    assert "heavy" in line


def test_a_bad_formula_shows_the_place(csv: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = _fails(["fit", "Reaction ~ Days + (Days | Subject", csv], capsys)
    assert lines[-1].strip() == "^"
    assert "Reaction ~ Days + (Days | Subject" in lines[-2]


def test_a_model_that_cannot_be_fitted(csv: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.csv"
    load_data("sleepstudy").assign(row=range(180)).to_csv(path, index=False)
    (line,) = _fails(["fit", "Reaction ~ Days + (1 | row)", str(path)], capsys)
    assert "row" in line


def test_results_that_cannot_be_written(csv: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = _fails(["fit", FORMULA, csv, "--json", str(tmp_path / "no" / "r.json")], capsys)
    assert "cannot be written" in line


@pytest.mark.parametrize(
    "argv", [[], ["fit"], ["fit", FORMULA], ["train", FORMULA, "x"], ["fit", FORMULA, "x", "--fast"]]
)
def test_wrong_usage_is_one_line(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = _fails(argv, capsys)
    assert "--help" in line


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["--ddf", "KR"], "t-tests use Kenward-Roger's method"),
        (["--anova", "III"], "Type III Analysis of Variance"),
        (["--vcov", "cr2"], "cluster-robust covariance (CR2)"),
    ],
)
def test_words_are_understood_as_in_the_library(
    options: list[str], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", FORMULA, "sleepstudy", *options]) == 0
    assert shown in capsys.readouterr().out
    (line,) = _fails(["fit", FORMULA, "sleepstudy", options[0], "foo"], capsys)
    assert "'foo' is not known: choose from" in line


@pytest.mark.parametrize(
    ("cell", "words"),
    [("missing", "it holds text such as 'missing'"), (".", "'.' among them: leave that cell empty")],
)
def test_a_cell_that_is_no_number_is_named(
    cell: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = load_data("sleepstudy").astype({"Reaction": str})
    table.loc[3, "Reaction"] = cell
    table.to_csv(tmp_path / "cells.csv", index=False)
    assert words in _fails(["fit", FORMULA, str(tmp_path / "cells.csv")], capsys)[0]


def test_another_encoding_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_data("sleepstudy").to_csv(tmp_path / "wide.csv", index=False, encoding="utf-16")
    assert "is no text in UTF-8" in _fails(["fit", FORMULA, str(tmp_path / "wide.csv")], capsys)[0]


def test_interruption(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "fitted", interrupted)
    assert main(["fit", FORMULA, "sleepstudy"]) == 130
    assert "Traceback" not in capsys.readouterr().err


# ---- the program ---


def test_version_of_a_source_tree(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", absent)
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == "interlace unknown\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"interlace {interlace.__version__}\n"


def test_as_a_program(csv: str) -> None:
    command = [sys.executable, "-m", "interlace.cli", "fit", FORMULA, csv, "--json", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == ""
    assert _strict(done.stdout)["nobs"] == len(pd.read_csv(csv))


def test_as_a_program_that_fails(csv: str) -> None:
    command = [sys.executable, "-m", "interlace.cli", "fit", "Reaction ~ Dayz + (1 | Subject)", csv]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("interlace: error: ") and "Traceback" not in done.stderr


def test_an_anova_table(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["fit", "angle ~ recipe * temperature + (1 | recipe:replicate)", "cake", "--anova", "1"]
    assert main([*command, "--ddf", "kenward-roger"]) == 0
    out = capsys.readouterr().out
    assert out.endswith(
        """
Type I Analysis of Variance Table with Kenward-Roger degrees of freedom
                    sum_sq mean_sq num_df den_df       F       p
recipe               10.19    5.09      2     42  0.2488  0.7809
temperature        2100.30  420.06      5    210 20.5199 < 2e-16
recipe:temperature  205.98   20.60     10    210  1.0062  0.4393
"""
    )
    assert main([*command, "--json", "-"]) == 0
    table = json.loads(capsys.readouterr().out)["anova"]
    assert table["type"] == 1 and table["terms"] == ["recipe", "temperature", "recipe:temperature"]
    assert table["num_df"] == [2, 5, 10] and len(table["p"]) == 3
    _fails([*command[:-1], "4"], capsys)
