"""Sentences of the page of a model that are there for some models only."""

from __future__ import annotations

import re
import warnings
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import interlace
from interlace.errors import InterlaceWarning
from interlace.variances.varcorr import components

SLEEP = interlace.datasets.load("sleepstudy")


def sentences(formula: str, tmp_path: Path, **options: Any) -> list[str]:
    data = SLEEP.assign(again=SLEEP["Subject"], many=np.arange(180) % 30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterlaceWarning)
        m = interlace.lmer(formula, data, **options)
    m.report(tmp_path / "r.html", plots=False)
    text = (tmp_path / "r.html").read_text()
    assert not re.search(r"\bnan\b", " ".join(re.findall(r"<(?:p|li)>.*?</", text, re.S)))
    return [unescape(line) for line in re.findall(r"<li>(.*?)</li>", text, re.S)]


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("Reaction ~ factor(many) + (1 | Subject)",
         "The 30 coefficients are in the table below; tests use Satterthwaite's method."),
        ("Reaction ~ Days + I(2 * Days) + (1 | Subject)",
         "Columns that depend on others were left out: I(2 * Days)."),
        ("Reaction ~ Days + (1 | Subject) + (1 | again)",
         "The data do not tell the standard deviations between levels of again."),
        ("Reaction ~ Days + cs(1 + Days | Subject)", "The correlation of the effects of "),
    ],
)  # fmt: skip
def test_what_some_pages_say(formula: str, words: str, tmp_path: Path) -> None:
    found = sentences(formula, tmp_path)
    assert [line for line in found if line.startswith(words)], found


def test_what_a_page_says_of_a_correlation(tmp_path: Path) -> None:
    m = interlace.lmer("Reaction ~ Days + ar1(0 + factor(Days) | Subject)", SLEEP)
    rho = next(one.rho for one in components(m.fit) if one.rho is not None)
    said = sentences("Reaction ~ Days + ar1(0 + factor(Days) | Subject)", tmp_path)
    assert any(line.endswith(f"is {rho:.2f}.") and "correlation of the effects" in line for line in said)
