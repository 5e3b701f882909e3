"""Formulas that are refused: the message says what to do and the caret stands under the place."""

from __future__ import annotations

import pickle

import pytest

from interlace.errors import FormulaError, InterlaceError
from interlace.formula import parse


def place(error: FormulaError) -> str:
    """The text from the caret on."""
    assert error.text is not None and error.position is not None
    return error.text[error.position :]


@pytest.mark.parametrize(
    ("text", "words", "rest"),
    [
        ("y x", "no '~'", ""),
        ("y ~ x ~ z", "second '~'", "~ z"),
        ("~ x + (1|g)", "response is missing", "~ x + (1|g)"),
        ("y ~", "nothing on the right", ""),
        ("y ~ (x + (1|g)", "never closed", "(x + (1|g)"),
        ("y ~ x) + (1|g)", "closes nothing", ") + (1|g)"),
        ("y ~ log(x] + (1|g)", "does not match", "] + (1|g)"),
        ("y ~ `a + (1|g)", "back-quote is never closed", "`a + (1|g)"),
        ("y ~ `` + (1|g)", "empty", "`` + (1|g)"),
        ("y ~ C(a, 'b) + (1|g)", "quote is never closed", "'b) + (1|g)"),
        ("y ~ x + 1|g", "put parentheses round the random term", "|g"),
        ("y ~ x + 1||g", "put parentheses round the random term", "||g"),
        ("y ~ (|g)", "columns are missing", "|g)"),
        ("y ~ (1|)", "grouping factor is missing", ")"),
        ("y ~ (1|g|h)", "one bar", "|h)"),
        ("y ~ x", "no random term", ""),
        ("y ~ (1|g) + (1|g)", "random intercept for the grouping factor 'g'", "(1|g)"),
        ("y ~ (1|g) + (x|g)", "random intercept for the grouping factor 'g'", "(x|g)"),
        ("y ~ (1|g) + (1|g/h)", "grouping factor 'g'", "(1|g/h)"),
        ("y ~ (0+x|g) + (0+x|g)", "'x' for the grouping factor 'g'", "(0+x|g)"),
        ("y ~ (1|a:b) + (1|b:a)", "grouping factor 'b:a'", "(1|b:a)"),
        ("y ~ x - (1|g)", "cannot be taken away", "(1|g)"),
        ("y ~ x:(1|g)", "cannot stand inside another term", "|g)"),
        ("y ~ (1|g)*x", "cannot stand inside another term", "|g)*x"),
        ("y ~ x - (z + (1|g))", "cannot stand inside another term", "|g))"),
        ("y ~ (x|1)", "grouping factor is 1", "1)"),
        ("y ~ (1|a+b)", "cannot join grouping factors", "+b)"),
        ("y ~ (1|a*b)", "cannot join grouping factors", "*b)"),
        ("y ~ (1|a/)", "missing beside '/'", "/)"),
        ("y ~ (1|(a/b):c)", "not a grouping", "(a/b):c)"),
        ("y ~ (0|g)", "no columns", "0|g)"),
        ("y ~ (.|g)", "'.' cannot be used in a random term", ".|g)"),
        ("y ~ (offset(x)|g)", "offset cannot stand in a random term", "offset(x)|g)"),
        ("y ~ 2 + (1|g)", "only numbers", "2 + (1|g)"),
        ("y ~ x z + (1|g)", "operator such as '+' is missing", "z + (1|g)"),
        ("y ~ x - - z + (1|g)", "missing after this sign", "- - z + (1|g)"),
        ("y ~ x + (1|g) +", "missing after this sign", "+"),
        ("y ~ x:* z + (1|g)", "missing before '*'", "* z + (1|g)"),
        ("y ~ x: + (1|g)", "missing after ':'", ": + (1|g)"),
        ("y ~ x (1|g)", "operator such as '+' is missing", "(1|g)"),
        ("y ~ a == 'p' + (1|g)", "put it into I(...)", "== 'p' + (1|g)"),
        ("y ~ x > 0 + (1|g)", "put it into I(...)", "> 0 + (1|g)"),
        ("y ~ exp(x)/2 + (1|g)", "a number cannot be part of a term", "2 + (1|g)"),
        ("y ~ a %o% b + (1|g)", "'%o%' cannot join terms", "%o% b + (1|g)"),
        ("y ~ () + (1|g)", "parentheses are empty", "() + (1|g)"),
        ("y ~ 2x + (1|g)", "put a column of that name in back-quotes", "2x + (1|g)"),
        ("y ~ x $ z + (1|g)", "no meaning", "$ z + (1|g)"),
        ("y ~ offset() + (1|g)", "offset() is empty", "offset() + (1|g)"),
        ("y ~ x - offset(z) + (1|g)", "cannot be taken away", "offset(z) + (1|g)"),
        ("y, z ~ x + (1|g)", "one column or expression", ", z ~ x + (1|g)"),
        ("y\n~ x +\n z z + (1|g)", "operator such as '+' is missing", "z + (1|g)"),
    ],
)
def test_refused_with_a_caret(text: str, words: str, rest: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert words in caught.value.message
    assert place(caught.value) == rest
    lines = str(caught.value).splitlines()
    caret = next(i for i, line in enumerate(lines) if line.strip() == "^")
    column = lines[caret].index("^")
    assert lines[caret - 1][column:] == rest.split("\n")[0]


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_empty_formula(text: str) -> None:
    with pytest.raises(FormulaError, match="the formula is empty"):
        parse(text)


def test_no_random_term_says_what_to_do() -> None:
    with pytest.raises(FormulaError, match=r"add one, for example '\(1 \| group\)'.*by interlace.lm"):
        parse("y ~ x")


def test_errors_pickle_with_their_caret() -> None:
    with pytest.raises(FormulaError) as caught:
        parse("y ~ (1|")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert isinstance(copy, InterlaceError) and isinstance(copy, ValueError)
