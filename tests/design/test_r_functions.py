"""Functions of R in formulas: what they learn, what new data get, and what is refused.

That their columns are R's is in test_against_r.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from interlace.design.encoding import Encoding
from interlace.errors import DataError, FormulaError, InterlaceError


def table(**changed: Any) -> pd.DataFrame:
    base = {
        "y": [1.0, 4, 2, 3, 7, 1],
        "x": [3.0, 1, 2, 5, 4, 9],
        "a": pd.Categorical(["a1", "a2", "a3"] * 2),
        "s": ["lo", "hi", "mid"] * 2,
        "g": [1, 1, 1, 2, 2, 2],
    }
    return pd.DataFrame({**base, **changed})


def learn(rhs: str, data: Any = None) -> tuple[Encoding, np.ndarray]:
    encoding, design = Encoding.learn(f"y ~ {rhs} + (1 | g)", table() if data is None else data)
    return encoding, design.X


def refused(rhs: str) -> InterlaceError:
    with pytest.raises(InterlaceError) as caught:
        learn(rhs)
    return caught.value


@pytest.mark.parametrize(
    "rhs",
    [
        "as.factor(x)",
        "as.ordered(s)",
        "ordered(s, levels=c('lo', 'mid', 'hi'))",
        "factor(s, levels=c('lo', 'mid', 'hi'), labels=c('A', 'B', 'C'))",
        "relevel(a, ref='a3')",
        "relevel(s, 'mid')",
        "C(relevel(a, 'a3'), contr.sum)",
        "cut(x, 3)",
        "cut(x, 3, labels=FALSE)",
        "pd.cut(x, 3)",
        "pd.cut(x, [0, 2.5, 10], labels=['lo', 'hi'], ordered=False)",
        "pd.cut(x, 3, labels=False)",
        "cut(x, c(0, 2.5, 10), right=FALSE)",
        "as.numeric(factor(a))",
        "as.numeric(as.ordered(s))",
        "as.numeric(relevel(a, 'a3'))",
        "as.numeric(x > 2)",
        "C(a, contr.treatment(base=2))",
        "I(a == 'a2')",
    ],
)
@pytest.mark.parametrize("row", range(6))
def test_what_was_learnt_serves_new_data(rhs: str, row: int) -> None:
    encoding, X = learn(rhs)
    new = table().iloc[[row]].astype({"a": object})  # one level only, and no categories to tell the others
    np.testing.assert_array_equal(encoding.design(new, random={}).X, X[[row]])


@pytest.mark.parametrize(
    "data",
    [
        table(),
        table().astype({"a": object}),
        table().astype({"a": "string"}),
        pl.from_pandas(table().astype({"a": object})),
        pl.from_pandas(table().astype({"a": object})).with_columns(pl.col("a").cast(pl.Categorical)),
        pl.from_pandas(table().astype({"a": object})).to_arrow(),
    ],
    ids=["categorical", "object", "string", "polars", "polars categorical", "arrow"],
)
def test_a_comparison_is_a_logical_column(data: Any) -> None:
    encoding, X = learn('I(a == "a1")', data)
    assert encoding.fixed_names == ("Intercept", "I(a == 'a1')[T.True]")
    np.testing.assert_array_equal(X[:, 1], [1, 0, 0, 1, 0, 0])


@pytest.mark.parametrize(
    ("rhs", "names"),
    [
        ("cut(x, 3)", ["(3.67,6.33]", "(6.33,9.01]"]),
        ("cut(x, c(0, 3, 6, 10), right=FALSE)", ["[3,6)", "[6,10)"]),
        ("cut(x, c(1, 2.5, 9), include.lowest=TRUE)", ["(2.5,9]"]),
        ("cut(x, c(1, 2.5, 9), right=FALSE, include.lowest=TRUE)", ["[2.5,9]"]),
        ("cut(x, c(-Inf, 3, Inf))", ["(3,Inf]"]),
        ("cut(x, c(1, 3.0001, 3.0002, 10) - 0.5)", ["(2.5001,2.5002]", "(2.5002,9.5]"]),
    ],
)
def test_intervals_have_their_names_in_r(rhs: str, names: list[str]) -> None:
    data = table(x=[3.0, 1, 2.50015, 5, 4, 9]) if "3.0001" in rhs else table()
    fixed_names = learn(rhs, data)[0].fixed_names
    assert [name.partition("[T.")[2][:-1] for name in fixed_names[1:]] == names


def test_intervals_of_pandas_are_those_of_pandas() -> None:
    encoding, X = learn("pd.cut(x, 3)")
    assert encoding.fixed_names[1:] == ("pd.cut(x, 3)[.L]", "pd.cut(x, 3)[.Q]")
    in_the_data = table().assign(o=pd.cut(table()["x"], 3))
    np.testing.assert_allclose(X, learn("o", in_the_data)[1])
    codes = pd.cut(table()["x"], 4, labels=False)
    np.testing.assert_array_equal(learn("pd.cut(x, 4, labels=False)")[1][:, 1], codes)


def test_a_cut_of_a_constant_has_intervals_round_it() -> None:
    assert learn("cut(x, 2, labels=FALSE)", table(x=[7.0] * 6))[1][:, 1].tolist() == [1] * 6


@pytest.mark.parametrize(
    ("rhs", "first"),
    [
        ("contr.treatment(base=2)", "a2"),
        ("contr.treatment(3, base=2)", "a2"),
        ("contr.treatment(base='a3')", "a3"),
        ("contr.treatment('a3')", "a3"),
        ("contr.treatment", "a1"),
        ("contr.treatment()", "a1"),
    ],
)
def test_the_base_is_a_level_or_its_number(rhs: str, first: str) -> None:
    _, X = learn(f"C(a, {rhs})")
    np.testing.assert_array_equal(X[:, 1:].any(axis=1), table()["a"] != first)


def test_an_integer_that_is_a_level_means_that_level() -> None:
    _, X = learn("C(k, contr.treatment(base=2))", table(k=[2, 3, 4] * 2))
    np.testing.assert_array_equal(X[:, 1:].any(axis=1), [False, True, True] * 2)


@pytest.mark.parametrize(
    ("rhs", "words"),
    [
        ("C(a, contr.foo)", ["'contr.foo' (for 'a')", "treatment, sum, helmert, poly, sdif, sas"]),
        ("C(a, sum)", ["contrast for 'a'", "function sum", "C(a, contr.sum)", "treatment, sum, helmert"]),
        ("C(a, contr.treatment(base=7))", ["level 7", "'a1', 'a2', 'a3'", "number from 1 to 3"]),
        ("C(a, contr.treatment(base='zz'))", ["level 'zz'", "'a1', 'a2', 'a3'"]),
        ("C(a, contr.treatment(7))", ["level 7", "'a1', 'a2', 'a3'"]),
        ("relevel(a, ref='zz')", ["level 'zz' of 'a'", "'a1', 'a2', 'a3'"]),
        ("relevel(as.ordered(a), ref='a2')", ["order of 'ordered(a)'", "levels ="]),
        ("as.numeric(s)", ["of 's'", "as.numeric(factor(s))", "astype(float)"]),
        ("factor(s, levels=c('lo', 'hi', 'mid'), labels=c('A', 'B'))", ["'s' has 3 levels and 2 labels"]),
        ("cut(x, c(0, 10), labels=c('p', 'q'))", ["'x' has 1 levels and 2 labels"]),
        ("cut(x, c(0, 3, 3))", ["different breaks"]),
        ("cut(x, 1)", ["2 or more"]),
        ("cut(a, 3)", ["needs numbers", "'a'"]),
        ("cut(x, c(0, 3, 5))", ["'cut(x, c(0, 3, 5))' has no level at row 5"]),
    ],
)
def test_refused(rhs: str, words: list[str]) -> None:
    error = refused(rhs)
    assert isinstance(error, DataError)
    for word in words:
        assert word in str(error)


@pytest.mark.parametrize(
    ("rhs", "instead"),
    [
        ("paste(a, s)", "a:b"),
        ("x.clip(1, 2)", "pmin(x, 5)"),
        ("contr(a)", "C(f, contr.sum)"),
        ("s(x)", "ns(x, df = 4)"),
        ("wobble(x)", "define it before the call"),
    ],
)
def test_functions_that_are_not_there_are_answered(rhs: str, instead: str) -> None:
    error = refused(rhs)
    assert isinstance(error, FormulaError) and error.position == len("y ~ ")
    assert instead in error.message


def test_the_column_can_be_called_as_the_function_is() -> None:
    data = table().rename(columns={"x": "cut", "a": "as.factor"})
    _, X = learn("cut(cut, 3) + as.factor(`as.factor`)", data)
    np.testing.assert_array_equal(X, learn("cut(x, 3) + as.factor(a)")[1])
