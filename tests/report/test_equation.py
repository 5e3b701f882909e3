"""A model in mathematics and in words, and the page about it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.cli import main
from interlace.errors import DataError

SLEEP = interlace.datasets.load("sleepstudy")
PASTES = interlace.datasets.load("pastes")
MACHINES = interlace.datasets.load("machines")


def one_line(model: Any, **options: Any) -> str:
    return re.sub(r"\s+", "", str(model.equation(**options)))


def test_random_slopes() -> None:
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", SLEEP)
    said = one_line(m)
    assert r"\text{Reaction}_{i}&=\beta_{0}+\beta_{1}\text{Days}_{i}+b_{0,\text{Subject}[i]}" in said
    assert r"+b_{1,\text{Subject}[i]}\text{Days}_{i}+\varepsilon_{i}" in said
    assert r"\rho_{01}\sigma_{0}\sigma_{1}" in said
    with_numbers = one_line(m, estimates=True)
    assert "&=251.4+10.47" in with_numbers and "25.59^2" in with_numbers


def test_signs_of_estimates() -> None:
    m = interlace.lmer("yield ~ Variety + (1 | Block)", interlace.datasets.load("oats"))
    said = one_line(m, estimates=True)
    assert "+-" not in said and "-6.875" in said and r"\text{yield}" in said


@pytest.mark.parametrize(
    ("term", "pieces"),
    [
        ("(1 | batch) + (1 | sample)", [r"\sigma_{0,\text{batch}}^2", r"\sigma_{0,\text{sample}}^2"]),
        ("cs(0 + cask | batch)", [r"\rho\sigma_{0}\sigma_{1}", r"\sigma_{2}^2"]),
        ("cs(0 + cask | batch, hom=True)", [r"\rho\sigma_{b}^2"]),
        ("ar1(0 + cask | batch)", [r"\rho^{2}\sigma_{b}^2"]),
        ("diag(0 + cask | batch)", [r"\sigma_{0}^2&0&0"]),
    ],
)
def test_structures(term: str, pieces: list[str]) -> None:
    said = one_line(interlace.lmer(f"strength ~ 1 + {term}", PASTES))
    assert all(piece in said for piece in pieces), said


def test_weights_offsets_absorbed_and_known() -> None:
    data = MACHINES.assign(Worker=MACHINES["Worker"].astype(str), w=np.linspace(1, 2, 54), o=1.0)
    m = interlace.lmer("score ~ Machine + offset(o) + (1 | Worker:Machine) | Worker", data, weights="w")
    said = one_line(m)
    assert (
        r"\frac{\sigma^2}{w_{i}}" in said
        and r"\alpha_{\text{Worker}[i]}" in said
        and r"+\text{o}_{i}" in said
    )
    levels = sorted(data["Worker"].unique())
    K = pd.DataFrame(np.eye(len(levels)), index=levels, columns=levels)
    assert r"\sigma_{0}^2K" in one_line(interlace.lmer("score ~ 1 + (1 | Worker)", data, known={"Worker": K}))
    assert r"\sigma_" not in one_line(interlace.lm("score ~ Machine", data))


def test_both_spellings_are_well_formed() -> None:
    odd = SLEEP.rename(columns={"Days": "a_b & <c>"})
    m = interlace.lmer("Reaction ~ `a_b & <c>` + (1 | Subject)", odd)
    found = m.equation()
    assert r"a\_b \& \textless{}c\textgreater{}" in found.latex
    assert ET.fromstring(found.mathml).tag == "math"
    assert found._repr_latex_().startswith("$$") and found.latex.count("{") == found.latex.count("}")


def test_many_columns_are_not_written_out() -> None:
    wide = SLEEP.assign(f=[f"l{i % 30}" for i in range(180)])
    assert r"&=x\beta+" in one_line(interlace.lmer("Reaction ~ f + (1 | Subject)", wide))


def test_the_page_holds_everything_and_asks_for_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib").use("agg")
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", SLEEP)
    path = tmp_path / "report.html"
    m.report(path, title="Sleep & <reactions>", ddf="kenward-roger", level=0.9)
    text = path.read_text()
    for heading in (
        "What was fitted",
        "The model",
        "Coefficients",
        "Variances",
        "Tests of terms",
        "Pictures",
    ):
        assert f"<h2>{heading}</h2>" in text
    assert "<h1>Sleep &amp; &lt;reactions&gt;</h1>" in text and "data:image/png;base64," in text
    assert not re.search(r'(?:src|href)="(?!data:)', text) and "<script" not in text and "@import" not in text
    row = m.coef_table(ddf="kenward-roger", level=0.9).loc["Days"]
    assert (
        f"Days: {row['estimate']:.4g}, 90 % confidence interval from {row['lower']:.4g} to {row['upper']:.4g}"
        in text
    )
    assert "fitted by restricted maximum likelihood (REML) to 180 rows" in text
    assert "The correlation of Intercept and Days over the levels of Subject is 0.07." in text
    with pytest.raises(DataError, match="cannot be written"):
        m.report(tmp_path / "no" / "report.html", plots=False)


def test_what_a_reader_must_know_stands_on_the_page(tmp_path: Path) -> None:
    data = interlace.datasets.load("dyestuff2")
    data.loc[data.index[0], "Yield"] = np.nan
    interlace.lmer("Yield ~ 1 + (1 | Batch)", data).report(tmp_path / "r.html", plots=False)
    text = (tmp_path / "r.html").read_text()
    assert "What to keep in mind" in text and "1 more was left out" in text and "ingular" in text


def _parts(page: Path) -> dict[str, str]:
    """What stands below each heading."""
    return dict(part.split("</h2>", 1) for part in page.read_text().split("<h2>")[1:])


def _without_rows() -> Any:
    return interlace.lmer("Reaction ~ Days + (1 | Subject)", SLEEP).without_rows()


def _in_chunks() -> Any:
    table = pytest.importorskip("pyarrow").Table.from_pandas(SLEEP)
    rows = interlace.chunks(lambda: table.to_reader(max_chunksize=50))
    return interlace.lmer("Reaction ~ Days + (1 | Subject)", rows)


def _absorbed() -> Any:
    data = interlace.datasets.load("machines")
    return interlace.lmer("score ~ Machine + (1 | Worker:Machine) | Worker", data)


@pytest.mark.parametrize(
    ("made", "tested", "why"),
    [
        (_without_rows, True, "the model was made without them"),
        (_in_chunks, True, "needs all rows in memory"),
        (_absorbed, True, "not there for a model with absorbed factors"),
    ],
)
def test_what_the_page_leaves_out_it_says(
    made: Callable[[], Any], tested: bool, why: str, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib").use("agg")
    made().report(tmp_path / "r.html")
    parts = _parts(tmp_path / "r.html")
    assert "<table" in parts["Coefficients"] and ("<table" in parts["Tests of terms"]) == tested
    for heading in ("Checks of what the model assumes", "Pictures"):
        assert "Left out: " in parts[heading]
        assert why in parts[heading] and "<img" not in parts[heading]


def test_the_command_line(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "r.html"
    command = ["report", "Reaction ~ Days + (Days | Subject)", "sleepstudy", "-o", str(path), "--no-plots"]
    assert main([*command, "--title", "Sleep", "--vcov", "CR2"]) == 0
    assert "<h1>Sleep</h1>" in path.read_text() and str(path) in capsys.readouterr().err
