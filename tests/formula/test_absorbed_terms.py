"""Factors after a bar outside parentheses, and what is refused there by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import FormulaError, InterlaceError
from interlace.formula.formula import AbsorbedTerm
from interlace.formula.names import used_names, uses_of
from interlace.formula.parser import parse, parse_linear


@pytest.mark.parametrize(
    ("text", "absorbed"),
    [
        ("y ~ x | f", [AbsorbedTerm(("f",))]),
        ("y ~ 1 | f+g", [AbsorbedTerm(("f",)), AbsorbedTerm(("g",))]),
        ("y ~ x | f:g", [AbsorbedTerm(("f", "g"))]),
        ("y ~ x | f^g^h", [AbsorbedTerm(("f", "g", "h"))]),
        ("y ~ x | f:f", [AbsorbedTerm(("f",))]),
        ("y ~ x | f[z]", [AbsorbedTerm(("f",), ("z",))]),
        ("y ~ x | f[[z]]", [AbsorbedTerm(("f",), ("z",), intercept=False)]),
        ("y ~ x | f^g[z, w] + h", [AbsorbedTerm(("f", "g"), ("z", "w")), AbsorbedTerm(("h",))]),
        ("y ~ x | f + f[[z]]", [AbsorbedTerm(("f",)), AbsorbedTerm(("f",), ("z",), intercept=False)]),
        ("y ~ x | `my f`:a.b[`a b`]", [AbsorbedTerm(("my f", "a.b"), ("a b",))]),
    ],
)
def test_absorbed_factors_are_read_and_written(text: str, absorbed: list[AbsorbedTerm]) -> None:
    formula = parse_linear(text)
    assert formula.absorbed == tuple(absorbed)
    assert parse_linear(str(formula)) == formula
    assert {name for term in absorbed for name in term.columns} <= {use.name for use in uses_of(formula)}


def test_random_terms_and_absorbed_factors_stand_beside_each_other() -> None:
    formula = parse("y ~ x + (1 + x | worker) | firm + year[x]")
    assert [str(term) for term in formula.random] == ["(1 + x | worker)"]
    assert formula.absorbed == (AbsorbedTerm(("firm",)), AbsorbedTerm(("year",), ("x",)))
    assert parse(str(formula)) == formula
    assert used_names(formula.fixed) == {"x"}


@pytest.mark.parametrize(
    ("text", "words", "rest"),
    [
        ("y ~ x | f | z ~ q", "instrumental variables", "~ q"),
        ("y ~ x | z ~ q", "instrumental variables", "~ q"),
        ("y ~ sw(x, z) | f", "sw() stands for several models", "sw(x, z) | f"),
        ("y ~ x | csw0(f, g)", "csw0() stands for several models", "csw0(f, g)"),
        ("y1 + y2 ~ x | f", "write I(y1 + y2) for the sum", "+ y2 ~ x | f"),
        ("c(y1, y2) ~ x | f", "has one response", "c(y1, y2) ~ x | f"),
        ("y ~ x | f | g", "second bar", "| g"),
        ("y ~ x || f", "(1 || g)", "|| f"),
        ("y ~ | f", "nothing between '~' and the bar", "| f"),
        ("y ~ x |", "absorbed factors are missing", ""),
        ("y ~ x | f +", "absorbed factor is missing", ""),
        ("y ~ x | f * g", "write a:b for their combinations", "* g"),
        ("y ~ x | f/g", "write a:b for the levels of b within a", "/g"),
        ("y ~ x | f - g", "cannot join absorbed factors", "- g"),
        ("y ~ x | f g", "joined by '+'", "g"),
        ("y ~ x | factor(f)", "compute the column in the data", "factor(f)"),
        ("y ~ x | f[log(z)]", "compute the column in the data", "log(z)]"),
        ("y ~ x | (f + g)", "leave these parentheses out", "(f + g)"),
        ("y ~ x | f + (1 | g)", "stand before the bar", "(1 | g)"),
        ("y ~ x | 0", "'0' is no column", "0"),
        ("y ~ x | f^2", "'2' is no column", "2"),
        ("y ~ x | .", "'.' is no column", "."),
        ("y ~ x | f[]", "a slope is missing", "]"),
        ("y ~ x | f[x, ]", "a slope is missing", "]"),
        ("y ~ x | f[[x]", "never closed", "[[x]"),
        ("y ~ x | f + f", "stands in the formula twice", "f"),
        ("y ~ x | f:g + g^f", "stands in the formula twice", "g^f"),
        ("y ~ x | y", "the response 'y' stands on the right", "y"),
        ("y ~ x | f[y]", "the response 'y' stands on the right", "y]"),
        ("y ~ x + (1 | g)", "fit the model by interlace.lmer", "(1 | g)"),
    ],
)
def test_what_is_refused_in_words(text: str, words: str, rest: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_linear(text)
    assert words in caught.value.message
    assert caught.value.position is not None and text[caught.value.position :] == rest


@pytest.fixture
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    f = np.repeat(np.arange(6), 5)
    return pd.DataFrame({"y": rng.normal(size=30), "x": rng.normal(size=30), "f": f, "g": f % 3})


def test_a_forgotten_parenthesis_is_said_by_lmer(rows: pd.DataFrame) -> None:
    with pytest.raises(FormulaError, match=r"'\(1 \| g\)'.*interlace.lm"):
        interlace.lmer("y ~ x | g", rows)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("y ~ i(f) + (1 | g)", r"write factor\(f\), factor\(f\):x"),
        ("y ~ sw(x, f) + (1 | g)", "one model: fit each"),
    ],
)
def test_words_of_fixest_are_answered_in_ordinary_formulas(rows: pd.DataFrame, text: str, words: str) -> None:
    with pytest.raises(InterlaceError, match=words):
        interlace.lmer(text, rows)
