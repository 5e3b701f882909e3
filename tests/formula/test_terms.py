"""Terms that a right-hand side stands for are R's (`r_language.R` writes `r_language.json`)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from interlace.errors import FormulaError
from interlace.formula import parse
from interlace.formula.algebra import MOST_TERMS, separate, terms_of


@cache
def r_output() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "r_language.json").read_text())


def fixed(rhs: str) -> Any:
    return parse(f"y ~ {rhs} + (1 | g)").fixed


@pytest.mark.parametrize("case", r_output()["terms"], ids=lambda c: c["text"])
def test_terms_and_intercept_are_those_of_r(case: dict[str, Any]) -> None:
    rhs = fixed(case["text"])
    assert rhs.intercept == bool(case["intercept"])
    found = [term.key for term in terms_of(rhs) if term.members]
    assert found == [frozenset(label.split(":")) for label in case["labels"]]
    again = parse(f"y ~ {rhs} + (1 | g)").fixed
    assert again == rhs and str(again) == str(rhs)


@pytest.mark.parametrize("case", r_output()["terms"], ids=lambda c: c["text"])
def test_the_same_left_of_a_bar(case: dict[str, Any]) -> None:
    if not case["intercept"] and not case["labels"]:
        return
    (term,) = parse(f"y ~ ({case['text']} | g)").random
    assert terms_of(term.columns) == terms_of(fixed(case["text"]))


def test_a_right_hand_side_for_each_term() -> None:
    assert [str(part) for part in separate(fixed("x * f + z"))] == ["1", "0 + x", "0 + f", "0 + z", "0 + x:f"]
    assert [str(part) for part in separate(fixed("(x - 1) * f"))] == ["0 + x", "0 + f", "0 + x:f"]


@pytest.mark.parametrize("power", ["3", "200", "5000"])
def test_powers_beyond_the_number_of_terms_give_nothing_new(power: str) -> None:
    assert terms_of(fixed(f"(x + z + t)^{power}")) == terms_of(fixed("x * z * t"))


def test_too_many_terms_are_refused() -> None:
    names = " + ".join(f"x{i}" for i in range(30))
    with pytest.raises(FormulaError, match=f"more than {MOST_TERMS} terms"):
        terms_of(fixed(f"({names})^10"))
    assert len(terms_of(fixed(" * ".join(f"x{i}" for i in range(14))))) == 2**14 < MOST_TERMS


def test_a_sum_of_thousands_is_read_without_depth() -> None:
    rhs = fixed(" + ".join(f"x{i}" for i in range(5000)))
    assert len(terms_of(rhs)) == 5001
    inside = fixed(f"I({' + '.join(['x'] * 5000)})")
    assert str(parse(f"y ~ {inside} + (1 | g)").fixed) == str(inside)
