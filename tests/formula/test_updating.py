"""Formulas changed by others: R's update.formula (updating.R), what is more than that, and refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from interlace.errors import FormulaError
from interlace.formula.algebra import terms_of
from interlace.formula.formula import Formula
from interlace.formula.parser import parse, parse_linear, parse_random
from interlace.formula.updating import updated

CELLS = json.loads((Path(__file__).parent / "updating.json").read_text())


def read(text: str) -> Formula:
    return parse(text) if re.search(r"\([^()]*\|", text) else parse_linear(text)


def what_r_says(cell: dict[str, Any]) -> tuple[Any, ...]:
    fixed = [one for one in cell["terms"] if "|" not in one]
    bars = [one for one in cell["terms"] if "|" in one]
    random = sorted(term.terse for one in bars for term in parse_random(f"({one})"))
    rhs = " + ".join([str(cell["intercept"]), *fixed])
    keys = {term.key for term in terms_of(parse_linear(f"q7 ~ {rhs}").fixed)}
    return str(parse_linear(f"{cell['response']} ~ 1").response), keys, random


def removes_what_is_not_there(cell: dict[str, Any]) -> bool:
    """There R says nothing, and here is an error."""
    gone = [one for one in ("(1 | g)", "(1 | h)", "(x | g)") if f"- {one}" in cell["new"]]
    return any(one not in cell["old"] for one in gone)


def test_there_are_many_cells() -> None:
    assert len(CELLS) > 300
    assert sum(map(removes_what_is_not_there, CELLS)) < 20


def test_as_r() -> None:
    wrong = []
    for cell in CELLS:
        if removes_what_is_not_there(cell):
            with pytest.raises(FormulaError, match="to take away"):
                updated(read(cell["old"]), cell["new"])
            continue
        ours = updated(read(cell["old"]), cell["new"])
        keys = {term.key for term in terms_of(ours.fixed)}
        found = str(ours.response), keys, sorted(term.terse for term in ours.random)
        if found != what_r_says(cell):
            wrong.append((cell, found))
        assert read(ours.terse) == ours  # what is written stands for the same
    assert wrong == []


@pytest.mark.parametrize(
    ("old", "new", "made"),
    [
        ("y ~ x + offset(w)", "~ . - offset(w)", "y ~ x"),  # R 4.2 leaves it
        ("y ~ x + offset(w)", "~ . + z", "y ~ x + z + offset(w)"),
        ("y ~ x + (1 | a/b)", "~ . - (1 | a:b)", "y ~ x + (1 | a)"),
        ("y ~ x + (1 | a/b)", "~ . - (1 | b:a) + (1 | c)", "y ~ x + (1 | a) + (1 | c)"),
        ("y ~ x + (z + x | g)", "~ . - (x + z | g) + (1 | g)", "y ~ x + (1 | g)"),
        ("y ~ x + (1 | g)", "~ . * z", "y ~ x + z + x:z + (1 | g)"),
        ("y ~ x + z + (1 | g)", "~ . - (z + (1 | g)) + (x || g)", "y ~ x + (x || g)"),
        ("y ~ x + cs(0 + f | g)", "~ . - cs(0 + f | g) + ar1(0 + f | g)", "y ~ x + ar1(0 + f | g)"),
        ("y ~ x | f", "~ . + z", "y ~ x + z | f"),
        ("y ~ x | f", ". ~ . | . + k[x]", "y ~ x | f + k[x]"),
        ("y ~ x | f + k", "~ . | . - f", "y ~ x | k"),
        ("y ~ x | f + k", "~ . | 0", "y ~ x"),
        ("y ~ x + (1 | g) | f", "~ . - x + z", "y ~ z + (1 | g) | f"),
        ("y ~ `my x` + (1 | g)", "~ .:z", "y ~ `my x`:z + (1 | g)"),
    ],
)
def test_more_than_r_has(old: str, new: str, made: str) -> None:
    assert updated(read(old), new).terse == made


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ("x + z", "the formula has no '~'"),
        ("~ . - (1 | h)", r"no random term \(1 \| h\) to take away; there are \(1 \| g\)"),
        ("~ . + (. | h)", "'.' cannot be used in a random term"),
        ("~ . | . - firm", "the factor firm is not absorbed"),
        ("~ . | ", "the absorbed factors are missing"),
        ("~ . + ", "missing"),
        ("", "empty"),
    ],
)
def test_refusals(new: str, words: str) -> None:
    with pytest.raises(FormulaError, match=words):
        updated(parse("y ~ x + (1 | g)"), new)
