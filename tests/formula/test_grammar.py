"""How expressions are read: precedence, the one spelling of each, depth, and what cannot be read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlace.errors import FormulaError
from interlace.formula import parse
from interlace.formula.grammar import MAX_DEPTH, expression
from interlace.formula.tree import Number


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("x > 1 & y < 2 | z == 3", "((x > 1) & (y < 2)) | (z == 3)"),
        ("!x > 1 & y", "(!(x > 1)) & y"),
        ("-x^2", "-(x^2)"),
        ("2^-x", "2^(-x)"),
        ("a^b^c", "a^(b^c)"),
        ("-x:z", "(-x):z"),
        ("a %% b * c", "(a %% b) * c"),
        ("a * b %% c", "a * (b %% c)"),
        ("a %in% b:c", "a %in% (b:c)"),
        ("a %% b %in% c", "(a %% b) %in% c"),
        ("a %in% b %% c", "(a %in% b) %% c"),
        ("a - b - c", "(a - b) - c"),
        ("a + b > c * d", "(a + b) > (c * d)"),
        ("a & b | c & d", "(a & b) | (c & d)"),
        ("x ** 2", "x^2"),
        ("stats::poly(x, 2L)", "poly(x, 2)"),
        ("f(TRUE, NULL)", "f(True, None)"),
        ("Q('a b') + 1", "`a b` + 1"),
        ('s == "a\\tb"', "s == 'a\tb'"),
        ("1e3", "1000.0"),
        ("0x", "0x"),
    ],
)
def test_precedence_is_that_of_r(text: str, same_as: str) -> None:
    if text == "0x":
        with pytest.raises(FormulaError, match="neither a number nor a name"):
            expression(text)
        return
    assert expression(text) == expression(same_as)
    assert expression(str(expression(text))) == expression(text)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("x>1&y", "(x > 1) & y"),
        ("!x>1", "!(x > 1)"),
        ("a-(b-c)", "a - (b - c)"),
        ("((a-b))-c", "a - b - c"),
        ("x^-1", "x ** (-1)"),
        ("x%%2*y", "x % 2 * y"),
        ("y*x%%2", "y * (x % 2)"),
        ("x%/%2", "x // 2"),
        ("c( 1,2 )", "c(1, 2)"),
        ("`a b`+`c`", "`a b` + c"),
        ("`np.x` + np.x", "`np.x` + np.x"),
        ("f(Boundary.knots=1)", "f(boundary_knots=1)"),
        ('"it\'s"', '"it\'s"'),
        ("[1,2]", "[1, 2]"),
        ("(1, 2)", "(1, 2)"),
        ("class + yield", "`class` + `yield`"),
    ],
)
def test_one_spelling(text: str, spelled: str) -> None:
    assert str(expression(text)) == spelled
    assert expression(spelled) == expression(text)


def test_numbers_that_are_equal_are_not_the_same_text() -> None:
    assert expression("2") != expression("2.0") != expression("TRUE")
    assert expression("x + 1") != expression("x + 1.0") and expression("x + 1") != expression("x + TRUE")
    assert len({expression("1"), expression("1.0"), expression("TRUE"), expression("'1'")}) == 4
    assert expression("2L") == Number("2") and Number("2").value == 2.0


LEAVES = st.sampled_from(["x", "z", "`a b`", "1", "2.5", "'t'", "TRUE", "log(x)", "f(x, k = 2)", "c(1, 2)"])
OPERATORS = st.sampled_from(
    ["+", "-", "*", "/", "^", "%%", "%/%", "%in%", ":", "==", "!=", "<", "<=", ">", ">=", "&", "|"]
)


def _larger(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, parts, OPERATORS, parts),
        st.builds("{} {} ({})".format, LEAVES, OPERATORS, parts),
        st.builds("-({})".format, parts),
        st.builds("!({})".format, parts),
        st.builds("log({})".format, parts),
        st.builds("{} * {} + {}".format, LEAVES, LEAVES, LEAVES),
    )


@given(st.recursive(LEAVES, _larger, max_leaves=12))
@settings(deadline=None, max_examples=300)
def test_the_spelling_is_read_as_the_same_tree(text: str) -> None:
    try:
        node = expression(text)
    except FormulaError as error:
        assert "do not chain" in error.message
        return
    assert expression(str(node)) == node
    assert str(expression(str(node))) == str(node)


@pytest.mark.parametrize("opening", ["(", "log(", "-", "!", "{", "2^", "f(x, "])
def test_depth_is_bounded(opening: str) -> None:
    closing = {"(": ")", "log(": ")", "{": "}", "f(x, ": ")"}.get(opening, "")
    deep = MAX_DEPTH - 5
    expression(opening * deep + "x" + closing * deep)
    with pytest.raises(FormulaError, match=f"more than {MAX_DEPTH} levels"):
        expression(opening * 5000 + "x" + closing * 5000)
    with pytest.raises(FormulaError, match="levels"):
        parse("y ~ " + "(" * 3000 + "x" + ")" * 3000 + " + (1 | g)")


@pytest.mark.parametrize(
    ("text", "words", "rest"),
    [
        ("x and y", "write &", "and y"),
        ("not x", "write !", "not x"),
        ("x if y", "operator such as '+' is missing", "if y"),
        ("x[1]", "no subscripts", "[1]"),
        ("f(x,)", "argument is missing after this comma", ",)"),
        ("f(,x)", "argument is missing before this comma", ",x)"),
        ("a < b < c", "comparisons do not chain", "< c"),
        ("(x = 1)", "write == to compare", "= 1)"),
        ("x -> y", "'->' has no meaning", "-> y"),
        ("x @ y", "'@' has no meaning", "@ y"),
        ("x +", "a term is missing after this sign", "+"),
        ("x *", "missing after '*'", "*"),
        ("* x", "missing before '*'", "* x"),
        ("f(x)(y)", "operator such as '+' is missing", "(y)"),
        ("9" * 400, "too many digits", "9" * 400),
        ("1e999", "too large", "1e999"),
        ("'a\\qb'", "has no meaning in text", "'a\\qb'"),
        ("x::y", "nothing", ""),
    ],
)
def test_what_cannot_be_read(text: str, words: str, rest: str) -> None:
    if text == "x::y":
        assert str(expression(text)) == "y"
        return
    with pytest.raises(FormulaError) as caught:
        expression(text)
    assert words in caught.value.message
    assert caught.value.text is not None and caught.value.position is not None
    assert caught.value.text[caught.value.position :] == rest


@pytest.mark.parametrize(
    ("formula", "words", "rest"),
    [
        ("y ~ a * offset(z) + (1 | g)", "add it: '+ offset(z)'", "offset(z) + (1 | g)"),
        ("cbind(a, b) ~ x + (1 | g)", "one response", "cbind(a, b) ~ x + (1 | g)"),
        ("y ~ y + (1 | g)", "response 'y' stands on the right", "y + (1 | g)"),
        ("log(y) ~ x*log(y) + (1 | g)", "response 'log(y)' stands on the right", "log(y) + (1 | g)"),
        ("1 ~ x + (1 | g)", "the response is 1; name a column", "1 ~ x + (1 | g)"),
        ("None ~ x + (1 | g)", "the response is None", "None ~ x + (1 | g)"),
        ("'y' ~ x + (1 | g)", "the response is 'y'", "'y' ~ x + (1 | g)"),
        ("y ~ x + (1 | c(1, 2))", "names no column", "c(1, 2))"),
        ("y ~ x + (1 | 'g')", "the grouping factor is 'g'", "'g')"),
        ("y ~ x + (1 | g == 1)", "cannot join grouping factors", "== 1)"),
        ("y ~ x + (1 | g) || f", "put parentheses round the random term", "|| f"),
        ("y ~ x | f", "put parentheses round the random term: '(1 | g)'", "| f"),
        ("y ~ x + ou(0 + t | g)", "ou(... | g) is not there; ", "ou(0 + t | g)"),
        ("y ~ TRUE + (1 | g)", "True cannot be a term", "TRUE + (1 | g)"),
        ("y ~ 'x' + (1 | g)", "cannot be a term", "'x' + (1 | g)"),
        ("y ~ x:-z + (1 | g)", "missing after ':'", ":-z + (1 | g)"),
        ("y ~ -x:z + (1 | g)", "a sign cannot stand inside a product", "-x:z + (1 | g)"),
        ("y ~ (1)*x + (1 | g)", "a number cannot be part of a term", "(1)*x + (1 | g)"),
        ("y ~ (0 + 1)*x + (1 | g)", "hold no term", "(0 + 1)*x + (1 | g)"),
        ("y ~ (a + b)^0 + (1 | g)", "power of a sum of terms must be a whole number", "0 + (1 | g)"),
        ("y ~ (a + b)^1.5 + (1 | g)", "power of a sum of terms must be a whole number", "1.5 + (1 | g)"),
        ("y ~ x %% 2 + (1 | g)", "put it into I(...)", "%% 2 + (1 | g)"),
        ("y ~ (1 | ()) + x", "parentheses are empty", "()) + x"),
        ("y ~ x[::-1] + (1 | g)", "no subscripts", "[::-1] + (1 | g)"),
        ("y ~ offset(x, z) + (1 | g)", "one expression", "offset(x, z) + (1 | g)"),
    ],
)
def test_formulas_that_are_answered_in_words(formula: str, words: str, rest: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(formula)
    assert words in caught.value.message
    assert caught.value.position is not None and formula[caught.value.position :] == rest
