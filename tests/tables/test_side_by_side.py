"""Models side by side: every cell against the model it is of, in all four spellings."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import interlace
from interlace.errors import DataError
from interlace.tables.side_by_side import latex

SLEEP = interlace.datasets.load("sleepstudy")


@pytest.fixture(scope="module")
def models() -> list[Any]:
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", SLEEP)
    other = m.update("log(.) ~ .")
    return [m.update("~ . - Days", reml=False), m, other, interlace.lm("Reaction ~ Days | Subject", SLEEP)]


def row(table: Any, label: str, below: int = 0) -> list[str]:
    rows = table.frame
    at = rows.index[rows["row"] == label][0] + below
    return rows.loc[at, list(table.names)].tolist()


def test_every_number_is_that_of_its_model(models: list[Any]) -> None:
    kinds = ["nobs", "groups", "sigma", "loglik", "aic", "bic", "r2", "icc"]
    table = interlace.modeltable(models, statistics=kinds, digits=6)
    tables = [m.coef_table() for m in models]
    days = row(table, "Days")
    assert days[0] == ""
    np.testing.assert_allclose(
        [float(x) for x in days[1:]], [t.loc["Days", "estimate"] for t in tables[1:]], rtol=1e-5
    )
    ses = [float(x.strip("()")) for x in row(table, "Days", 1)[1:]]
    np.testing.assert_allclose(ses, [t.loc["Days", "se"] for t in tables[1:]], rtol=1e-5)
    sds = [float(x) for x in row(table, "sd_Days|Subject")[:3]]
    np.testing.assert_allclose(sds, [m.varcorr()["sd"].iloc[1] for m in models[:3]], rtol=1e-5)
    assert row(table, "sd_Days|Subject")[3] == ""
    assert row(table, "Rows") == ["180"] * 4 and row(table, "Levels of Subject") == ["18", "18", "18", ""]
    assert row(table, "AIC") == [f"{m.aic:.1f}" for m in models]
    np.testing.assert_allclose(float(row(table, "R² (within)")[3]), models[3].r2()["within"], rtol=1e-5)
    np.testing.assert_allclose(float(row(table, "ICC")[1]), models[1].icc()["adjusted"], rtol=1e-5)
    assert "fitted by maximum likelihood and REML" in table.notes[0]


def test_absorbed_factors(models: list[Any]) -> None:
    """As fixest's etable: levels first, then slopes that vary; nothing where no model absorbs."""
    data = SLEEP.assign(half=np.where(np.arange(len(SLEEP)) % 2, "a", "b"))
    both = interlace.lm("Reaction ~ 1 | Subject[Days] + half", data)
    slopes = interlace.lm("Reaction ~ 1 | half[[Days]]", data)
    mixed = interlace.lmer("Reaction ~ Days + (1 | Subject) | half", data)
    found = interlace.modeltable([models[1], mixed, models[3], slopes, both]).frame
    block = found[found["block"] == "Absorbed factors"].drop(columns="block")
    assert block.to_numpy().tolist() == [
        ["half", "no", "yes", "no", "no", "yes"],
        ["Subject", "no", "no", "yes", "no", "yes"],
        ["Days by half", "no", "no", "no", "yes", "no"],
        ["Days by Subject", "no", "no", "no", "no", "yes"],
    ]
    assert "Absorbed" not in str(interlace.modeltable(models[:2]))


def test_what_stands_below(models: list[Any]) -> None:
    m, t = models[1], models[1].coef_table(level=0.9).loc["Days"]
    found = interlace.modeltable([m], below="interval", level=0.9)
    low, high = (float(x) for x in row(found, "Days", 1)[0].strip("[]").split(","))
    np.testing.assert_allclose([low, high], t[["lower", "upper"]], atol=0.005)
    assert "90 % confidence intervals" in found.notes[0]
    assert row(interlace.modeltable([m], below="t"), "Days", 1) == [f"({t['t']:.2g})"]
    nothing = interlace.modeltable([m], below="nothing", random=False)
    assert "" not in nothing.frame["row"].tolist() and "sd_" not in str(nothing)
    robust = interlace.modeltable([m], vcov="CR2", ddf="satterthwaite")
    assert float(row(robust, "Days", 1)[0].strip("()")) == pytest.approx(
        m.vcov("CR2").loc["Days", "Days"] ** 0.5, abs=0.005
    )
    assert row(interlace.modeltable([m], stars=True), "Days") == ["10.47***"]


def test_names_and_the_rows_that_are_kept(models: list[Any]) -> None:
    table = interlace.modeltable(
        {"one": models[0], "two": models[1]}, rename={"Days": "Day & night"}, keep=["Days"]
    )
    assert table.names == ("one", "two") and row(table, "Day & night")[0] == ""
    assert "Intercept" not in table.frame["row"].tolist()
    assert interlace.modeltable(models[1]).names == ("(1)",)
    assert "log(Reaction)" in str(interlace.modeltable(models)) and "Reaction" not in str(
        interlace.modeltable([models[1]])
    )


class Cells(HTMLParser):
    """The texts of a table of HTML, and whether its elements are closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.texts.append(data)


def test_all_spellings_have_all_cells(models: list[Any]) -> None:
    table = interlace.modeltable({"a<b": models[1], "c_d": models[3]}, stars=True)
    cells = [c for c in table.frame[["row", *table.names]].to_numpy().ravel() if c]
    html = Cells(table._repr_html_())
    assert html.open == [] and set(cells) <= set(html.texts) and "a<b" in html.texts
    tex = table._repr_latex_()
    assert all(latex(cell) in tex for cell in cells) and tex.count(r"\begin") == tex.count(r"\end") == 1
    rows = [line for line in tex.splitlines() if " & " in line]
    assert all(line.count(" & ") == 2 and line.endswith(r" \\") for line in rows)
    lines = [line for line in table.to_markdown().splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {4}
    text = str(table)
    assert all(cell in text for cell in cells) and max(map(len, text.splitlines())) < 80


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: interlace.modeltable([]), "takes a list of models"),
        (lambda m: interlace.modeltable([m, "x"]), r"models of interlace\.lmer and interlace\.lm, not 'x'"),
        (lambda m: interlace.modeltable([m, m], names=["a", "a"]), "2 models need as many different names"),
        (lambda m: interlace.modeltable({"a": m}, names=["a"]), "leave names out"),
        (lambda m: interlace.modeltable([m], keep=["x"]), "no model has a coefficient 'x'"),
        (lambda m: interlace.modeltable([m], rename={"x": "y"}), "no model has a coefficient 'x'"),
        (lambda m: interlace.modeltable([m], below="sd"), "below 'sd' is not known"),
        (lambda m: interlace.modeltable([m], statistics=["auc"]), "statistics 'auc' is not known"),
        (lambda m: interlace.modeltable([m], digits=0), "digits must be a positive whole number"),
    ],
)
def test_refusals(call: Any, words: str, models: list[Any]) -> None:
    with pytest.raises(DataError, match=words):
        call(models[1])


def test_attributes_of_maketables(models: list[Any]) -> None:
    for m in (models[1], models[3]):
        table = m.__maketables_coef_table__
        assert list(table) == ["b", "se", "t", "p", "ci95l", "ci95u"] and table.index.name == "Coefficient"
        np.testing.assert_array_equal(table["b"], m.fixef)
        assert m.__maketables_depvar__ == "Reaction" and m.__maketables_stat__("N") == 180
        assert m.__maketables_stat__("nonsense") is None
    assert (
        models[3].__maketables_fixef_string__ == "Subject" and models[1].__maketables_fixef_string__ is None
    )


def test_maketables_itself(models: list[Any]) -> None:
    """It reads whatever has statsmodels' names by these, before the attributes that are for it."""
    maketables = pytest.importorskip("maketables")
    table = maketables.ETable([models[1], models[3]], model_stats=["N", "r2", "adj_r2", "ll", "aic"])
    text = table.make(type="tex")
    rows = {cells[0].strip(): cells[1:] for line in text.splitlines() if len(cells := line.split("&")) > 1}
    days = [m.coef_table().loc["Days"] for m in (models[1], models[3])]
    for cell, asked in zip(rows["Days"], days, strict=True):
        assert f"{asked['estimate']:.3f}***" in cell and f"({asked['se']:.3f})" in cell
    assert "{c}{Reaction}" in text
    assert "180" in rows["Observations"][0] and f"{models[3].r2()['r2']:.3f}" in rows["$R^2$"][1]
    assert f"{models[1].aic:,.2f}" in rows["AIC"][0]
    for kind in ("gt", "typst"):
        assert table.make(type=kind) is not None


def test_great_tables_itself(models: list[Any]) -> None:
    great_tables = pytest.importorskip("great_tables")
    frame = interlace.modeltable(models).frame
    html = great_tables.GT(frame, groupname_col="block", rowname_col="row").as_raw_html()
    cells = re.sub(r"<[^>]+>", " ", html)
    assert all(value in cells for value in frame.iloc[:, 2:].to_numpy().ravel() if value)
    for table in (models[1].coef_table(), models[1].anova(), models[1].varcorr(), models[1].ranef("Subject")):
        assert "<table" in great_tables.GT(table.reset_index()).as_raw_html()


def test_names_of_statsmodels_for_tables(models: list[Any]) -> None:
    assert models[1].endog_names == models[3].endog_names == "Reaction"
    assert {"r2": models[3].rsquared, "adjusted": models[3].rsquared_adj}.items() <= models[3].r2().items()
    assert "endog_names" not in dir(models[1]) and "rsquared" not in dir(models[3])
