"""Formulas that are understood: what they mean, and that their text means the same again."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlace.formula import RandomTerm, Sum, parse
from interlace.formula.grammar import expression
from interlace.formula.names import names_in
from interlace.formula.tree import Name


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("y~x+(1|g)", "y ~ 1 + x + (1 | g)"),
        ("y ~ 1 + x + (1 + x | g)", "y ~ 1 + x + (1 + x | g)"),
        ("y ~ x*z - 1 + (0+x|g)", "y ~ 0 + x * z + (0 + x | g)"),
        ("y ~ -1 + x + (x - 1|g)", "y ~ 0 + x + (0 + x | g)"),
        ("y ~ 0 + x + 1 + (1|g)", "y ~ 1 + x + (1 | g)"),
        ("y~ x + -1 + (1|g)", "y ~ 0 + x + (1 | g)"),
        ("y ~ (x||g)", "y ~ 1 + (1 + x || g)"),
        ("y ~ (1|a/b/c)", "y ~ 1 + (1 | a) + (1 | a:b) + (1 | a:b:c)"),
        ("y ~ (1|a/(b:c))", "y ~ 1 + (1 | a) + (1 | a:b:c)"),
        ("y ~ (1|a:b/c)", "y ~ 1 + (1 | a:b) + (1 | a:b:c)"),
        ("y ~ (1|(a:b))", "y ~ 1 + (1 | a:b)"),
        ("y ~ (((1|g)))", "y ~ 1 + (1 | g)"),
        ("y ~ (x + z + (1|g))", "y ~ 1 + x + z + (1 | g)"),
        ("  y\n ~ x +\n (1|g)  ", "y ~ 1 + x + (1 | g)"),
        ("y ~ x+x + (1|g)", "y ~ 1 + x + (1 | g)"),
        ("y ~ (a+b)^2 + (1|g)", "y ~ 1 + (a + b) ** 2 + (1 | g)"),
        ("y ~ a*b - a:b + (1|g)", "y ~ 1 + a * b - a:b + (1 | g)"),
        ("y ~ I(x^2) + I(-x) + (1|g)", "y ~ 1 + I(x ** 2) + I(-x) + (1 | g)"),
        ("y ~ poly(x,3,raw = TRUE) + (poly(x,2)|g)", "y ~ 1 + poly(x, 3, raw=True) + (1 + poly(x, 2) | g)"),
        ("y ~ splines::ns(x, 3) + (1|g)", "y ~ 1 + ns(x, 3) + (1 | g)"),
        ("y ~ C(a, contr.sum) + (C(a)|g)", "y ~ 1 + C(a, contr.sum) + (1 + C(a) | g)"),
        ("y ~ (1|factor(g))", "y ~ 1 + (1 | factor(g))"),
        ("log(y) ~ x + offset(log(z)) + (1|g)", "log(y) ~ 1 + x + offset(log(z)) + (1 | g)"),
        ("y ~ offset(x^2) + (1|g)", "y ~ 1 + offset(x ** 2) + (1 | g)"),
        ("`my y` ~ `a b` + (1|`my g`)", "`my y` ~ 1 + `a b` + (1 | `my g`)"),
        ("`y` ~ `x` + (1|`g`)", "y ~ 1 + x + (1 | g)"),
        ("größe ~ 数 + (1|ü)", "größe ~ 1 + 数 + (1 | ü)"),
        ("yield ~ class + (1|in)", "`yield` ~ 1 + `class` + (1 | `in`)"),
        ("y ~ Sepal.Length + np.log(x) + (1|g)", "y ~ 1 + Sepal.Length + np.log(x) + (1 | g)"),
        ("y ~ I(x > 3) + I(s == 'a b|c') + (1|g)", "y ~ 1 + I(x > 3) + I(s == 'a b|c') + (1 | g)"),
        ("y ~ bs(x, df=4, knots=[1,2]) + (1|g)", "y ~ 1 + bs(x, df=4, knots=[1, 2]) + (1 | g)"),
        ("a/b ~ 1 + (1|g)", "a / b ~ 1 + (1 | g)"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    formula = parse(text)
    assert str(formula) == canonical
    assert parse(canonical) == formula
    assert pickle.loads(pickle.dumps(formula)) == formula


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("y ~ (1|a/b)", "y ~ (1|a) + (1|a:b)"),
        ("y ~ x %in% f + (1|g)", "y ~ x:f + (1|g)"),
        ("y ~ (a + b)%in%c*d + (x %in% f|g)", "y ~ (a + b):c * d + (x:f|g)"),
        ("y ~ (x|g)", "y ~ (1 + x|g)"),
        ("y ~ (x|a/b)", "y ~ (x|a) + (x|a:b)"),
        ("y ~ x + (1|g)", "y ~ (1|g) + x"),
    ],
)
def test_two_ways_to_write_the_same(short: str, long: str) -> None:
    assert parse(short) == parse(long)


def test_parts_of_a_formula() -> None:
    formula = parse("log(y) ~ x + offset(w) + (x || a:`b c`)")
    assert str(formula.response) == "log(y)"
    assert str(formula.fixed) == "1 + x"
    assert formula.offsets == (expression("w"),)
    columns = Sum(True, (("+", expression("x")),))
    assert formula.random == (RandomTerm(columns, (Name("a"), Name("b c")), "independent"),)
    assert formula.random[0].group == "a:b c"


def test_names_and_their_roles() -> None:
    fixed = parse("y ~ a:`b c` + poly(x, degree=2) + np.log(`d e` + z) + (1 | g)").fixed
    found = [(n.name, n.role) for n in names_in(fixed)]
    assert found == [
        ("a", "term"),
        ("b c", "term"),
        ("poly", "function"),
        ("x", "value"),
        ("np.log", "function"),
        ("d e", "value"),
        ("z", "value"),
    ]


NAMES = st.sampled_from(["x", "z", "`a b`", "v.w", "ärger", "`1st`", "`class`"])
CALLS = st.builds("{}({})".format, st.sampled_from(["log", "scale", "C", "I"]), NAMES)
ATOMS = st.one_of(NAMES, CALLS, st.builds("poly({}, {})".format, NAMES, st.integers(1, 4)))
PRODUCTS = st.lists(ATOMS, min_size=1, max_size=3).flatmap(
    lambda atoms: st.sampled_from([":", "*", " * ", " : "]).map(lambda op: op.join(atoms))
)
INTERCEPTS = st.sampled_from(["", "0 + ", "1+", "-1 + "])
SUMS = st.builds(
    lambda i, terms: i + "+ ".join(terms), INTERCEPTS, st.lists(PRODUCTS, min_size=1, max_size=4)
)
GROUPS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True)


@st.composite
def formulas(draw: st.DrawFn) -> str:
    random = []
    for letter in draw(st.lists(st.sampled_from("GHJ"), min_size=1, max_size=3, unique=True)):
        group = draw(st.sampled_from(["/", ":"])).join([letter, *draw(GROUPS)])
        random.append(f"({draw(SUMS)} {draw(st.sampled_from(['|', '||', ' | ']))} {group})")
    response = draw(st.sampled_from(["y", "log(y)", "`my y`", "y / 2"]))
    offset = draw(st.sampled_from(["", " + offset(w)"]))
    return f"{response} ~ {draw(SUMS)}{offset} + {' + '.join(random)}"


@given(formulas())
@settings(deadline=None)
def test_text_of_a_formula_is_the_formula(text: str) -> None:
    formula = parse(text)
    assert parse(str(formula)) == formula
    assert str(parse(str(formula))) == str(formula)


@given(formulas(), st.sampled_from([" ", "\n", "\t "]))
@settings(deadline=None)
def test_spaces_do_not_matter(text: str, space: str) -> None:
    # Inside back-quotes a space is part of the name, and none of these names may change.
    pieces = text.split("`")
    spaced = "`".join(p.replace(" ", space) if i % 2 == 0 else p for i, p in enumerate(pieces))
    assert parse(spaced) == parse(text)


@given(st.text(alphabet="yxg~|()+-*:/`1 0.,^\n", max_size=30))
@settings(deadline=None, max_examples=300)
def test_any_text_is_a_formula_or_a_formula_error(text: str) -> None:
    from interlace.errors import FormulaError

    try:
        formula = parse(text)
    except FormulaError as error:
        assert error.text is None or 0 <= (error.position or 0) <= len(error.text)
    else:
        assert parse(str(formula)) == formula


def test_sums_inside_calls_are_not_columns_of_their_own() -> None:
    formula = parse("y ~ (0 + I(x + z)|g) + (0 + I(w + z)|g)")
    assert [str(term.columns) for term in formula.random] == ["0 + I(x + z)", "0 + I(w + z)"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("as.factor(x)", "factor(x)"),
        ("log(as.numeric(x))", "log(as_numeric(x))"),
        ("relevel(as.ordered(a), ref = 'b')", "relevel(ordered(a), ref='b')"),
        ("cut(x, 3, include.lowest = TRUE)", "cut(x, 3, include_lowest=True)"),
        ("ns(x, Boundary.knots = c(0, 1))", "ns(x, boundary_knots=c(0, 1))"),
        ("I(`as.factor` + as.factor)", "I(`as.factor` + as.factor)"),
    ],
)
def test_dots_of_r_in_functions_and_arguments(written: str, read: str) -> None:
    formula = parse(f"y ~ {written} + (1 | g)")
    assert str(formula.fixed) == f"1 + {read}"
    assert parse(str(formula)) == formula
