"""Of which covariance standard errors in a table are, and by which degrees of freedom its p-values."""

from __future__ import annotations

import html
from typing import Any

import pytest

import interlace
from interlace.tables.side_by_side import latex

SLEEP = interlace.datasets.load("sleepstudy")
MIXED = interlace.lmer("Reaction ~ Days + (1 | Subject)", SLEEP)
SLOPES = interlace.lmer("Reaction ~ Days + (Days | Subject)", SLEEP)
LINEAR = interlace.lm("Reaction ~ Days", SLEEP)
ROBUST = interlace.lm("Reaction ~ Days", SLEEP, vcov="HC3")
CLUSTERS = interlace.lm("Reaction ~ Days", SLEEP, cluster="Subject")
PLAIN = "standard errors in parentheses; fitted by REML"
CASES: list[tuple[list[Any], dict[str, Any], list[str]]] = [
    ([MIXED, SLOPES], {}, [PLAIN]),
    ([MIXED, LINEAR], {}, [PLAIN]),
    (
        [MIXED, SLOPES],
        {"vcov": "CR2"},
        [PLAIN, "standard errors: CR2 covariance from 18 clusters (Subject)"],
    ),
    (
        [MIXED],
        {"vcov": "CR1", "cluster": "Subject", "ddf": "asymptotic"},
        [PLAIN, "standard errors: CR1 covariance from 18 clusters (Subject)"],
    ),
    (
        [MIXED, SLOPES],
        {"ddf": "kenward-roger"},
        [PLAIN, "standard errors: covariance adjusted by Kenward and Roger"],
    ),
    (
        [MIXED, ROBUST, CLUSTERS],
        {},
        [
            PLAIN,
            "standard errors: (1) covariance of the model; (2) HC3 covariance; "
            "(3) CR1 covariance from clusters (18 Subject)",
        ],
    ),
    (
        [MIXED, SLOPES],
        {"below": "p"},
        ["p-values in parentheses; fitted by REML", "p-values: Satterthwaite's method"],
    ),
    (
        [MIXED, LINEAR],
        {"below": "interval", "ddf": "kenward-roger"},
        [
            "95 % confidence intervals in brackets; fitted by REML",
            "standard errors: (1) covariance adjusted by Kenward and Roger; (2) covariance of the model",
            "intervals: (1) Kenward-Roger's method; (2) t with 178 df",
        ],
    ),
    (
        [MIXED],
        {"below": "nothing", "stars": True, "ddf": "asymptotic"},
        [
            "fitted by REML",
            "p-values: the normal distribution",
            "Stars: *** p < 0.001, ** p < 0.01, * p < 0.05",
        ],
    ),
    ([MIXED], {"below": "nothing", "vcov": "CR2"}, ["fitted by REML"]),
]


@pytest.mark.parametrize(("models", "options", "notes"), CASES)
def test_notes_in_all_spellings(models: list[Any], options: dict[str, Any], notes: list[str]) -> None:
    table = interlace.modeltable(models, random=False, statistics=["nobs"], **options)
    assert list(table.notes) == notes
    assert str(table).splitlines()[-len(notes) :] == notes
    shown, tabular, marked = table.to_html(), table.to_latex(), table.to_markdown()
    for note in notes:
        assert f"<p>{html.escape(note)}</p>" in shown
        assert latex(note) in tabular and note.replace("*", "\\*") in marked


def test_the_numbers_are_those_that_are_said() -> None:
    asked = {"vcov": "CR2", "cluster": "Subject"}
    cells = interlace.modeltable(MIXED, **asked, digits=6).frame
    se = MIXED.coef_table(**asked)["se"].iloc[0]
    assert cells.iloc[1, 2] == f"({se:.5f})"
    both = interlace.modeltable(MIXED, CLUSTERS, ddf="kenward-roger", below="p").frame
    assert both.iloc[3, 3] == f"({CLUSTERS.coef_table()['p'].iloc[1]:.2g})"


def test_models_of_the_iterative_engine_have_normal_tests() -> None:
    data = interlace.datasets.load("penicillin")
    m = interlace.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", data, solver="iterative", probes=20)
    assert interlace.modeltable(m, stars=True).notes[1] == "p-values: the normal distribution"
    with pytest.raises(interlace.ModelError, match="ddf='kenward-roger' is not there"):
        interlace.modeltable(m, ddf="kenward-roger")


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        (MIXED, {"ddf": "kenward-roger"}, "note: covariance adjusted by Kenward and Roger\n"),
        (MIXED, {"vcov": "CR2"}, "note: CR2 covariance from 18 clusters (Subject)\n"),
        (LINEAR, {"vcov": "CR1", "cluster": "Subject"}, "(CR1 covariance from clusters (18 Subject))"),
        (ROBUST, {}, "t-tests use t with 178 df (HC3)"),
    ],
)
def test_summaries_say_it_once(model: Any, options: dict[str, Any], words: str) -> None:
    text = str(model.summary(**options))
    assert text.count(words) == 1
    assert "covariance" not in str(MIXED.summary())
