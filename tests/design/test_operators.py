"""Operators of expressions: R's values (`formula/r_language.R`), widths of numbers, text, missing values."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.design.evaluation import Evaluator, Memory
from interlace.design.frame import Frame
from interlace.design.values import Factor
from interlace.errors import InterlaceError
from interlace.formula.grammar import expression


@cache
def r_output() -> dict[str, Any]:
    return json.loads((Path(__file__).parent.parent / "formula" / "r_language.json").read_text())


def r_frame() -> pd.DataFrame:
    data = pd.DataFrame(r_output()["data"])
    data["f"] = pd.Categorical(data["f"], categories=["c", "a", "b"])
    data["o"] = pd.Categorical(data["o"], categories=["lo", "mid", "hi"], ordered=True)
    return data


def evaluated(text: str, data: pd.DataFrame) -> Any:
    frame = Frame.read(data)
    return Evaluator(frame.columns, frame.nrows, Memory()).column(expression(text))


def numbers(value: Any) -> np.ndarray:
    """float64, missing values as NaN."""
    if isinstance(value, Factor):
        assert value.levels.dtype.kind == "b"
        return np.where(value.codes < 0, np.nan, value.levels[value.codes].astype(float))
    return np.asarray(value, dtype=np.float64)


@pytest.mark.parametrize("case", r_output()["expressions"], ids=lambda c: c["text"])
@pytest.mark.parametrize("width", ["int8", "int64", "float64"])
def test_values_are_those_of_r(case: dict[str, Any], width: str) -> None:
    found = evaluated(case["text"], r_frame().astype({"k": width}))
    special = {"NA": np.nan, "NaN": np.nan, "Inf": np.inf, "-Inf": -np.inf}
    expected = np.array([special.get(v, v) for v in case["value"]], dtype=np.float64)
    if len(expected) == 1:
        expected = np.full(len(r_frame()), expected[0])
    logical = isinstance(found, Factor) or found.dtype.kind == "b"
    assert logical == case["logical"] or np.isnan(expected).all()
    np.testing.assert_allclose(numbers(found), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    "width", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float16", "float32"]
)
@pytest.mark.parametrize(
    "text", ["k^2", "k - 11", "log(k)", "k^5", "k^-1", "k * k * k", "-k", "sqrt(k)", "k + k", "k^10"]
)
def test_narrow_numbers_are_computed_as_wide_ones(width: str, text: str) -> None:
    data = pd.DataFrame({"k": [1, 2, 3, 11, 100, 127]})
    found, wide = (evaluated(text, data.astype({"k": kind})) for kind in (width, "float64"))
    np.testing.assert_array_equal(found, wide)
    assert found.dtype == np.float64


def test_columns_of_int64_do_not_overflow() -> None:
    found = evaluated("k^5 * k", pd.DataFrame({"k": [10**6, -(10**6)]}))
    np.testing.assert_allclose(found, [1e36, 1e36])


def test_integers_that_float64_cannot_tell_apart_are_refused() -> None:
    with pytest.raises(InterlaceError, match=r"beyond 2\^53"):
        evaluated("k + 0", pd.DataFrame({"k": [2**53 + 2, 1]}))
    assert evaluated("k + 0", pd.DataFrame({"k": [2**53, 1]}))[0] == 2.0**53
    labels = evaluated("factor(k)", pd.DataFrame({"k": [2**60 + 1, 2**60, 2**60 + 1]}))
    assert labels.levels.tolist() == [2**60, 2**60 + 1] and labels.codes.tolist() == [1, 0, 1]


TABLE = pd.DataFrame(
    {
        "x": [1.0, 2, 3, 4],
        "z": [1.0, 0, 4, -4],
        "t": list("abab"),
        "f": pd.Categorical(list("bbaa"), categories=["b", "a"]),
        "n": pd.Categorical([1, 2, 1, 2]),
        "q": pd.Categorical([0.5, 2.0, 0.5, 2.0]),
        "b": [True, False, True, True],
        "d": pd.to_datetime(["2020-01-01", "2020-01-03", "2021-01-01", "2019-12-31"]),
        "o": pd.Categorical(["lo", "hi", "mid", "lo"], categories=["lo", "mid", "hi"], ordered=True),
    }
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("t == f", [0, 1, 1, 0]),
        ("n == 1", [1, 0, 1, 0]),
        ("n == '1'", [1, 0, 1, 0]),
        ("q == 2", [0, 1, 0, 1]),
        ("q %in% c(0.5)", [1, 0, 1, 0]),
        ("n == x", [1, 1, 0, 0]),
        ("d > '2020-01-02'", [0, 1, 1, 0]),
        ("d - d", [0, 0, 0, 0]),
        ("log(z) > 1", [0, 0, 1, np.nan]),
        ("log(z) > 1 & x > 5", [0, 0, 0, 0]),
        ("log(z) > 1 | x > 3", [0, 0, 1, 1]),
        ("(log(z) > 1) + 1", [1, 1, 2, np.nan]),
        ("!(log(z) > 1)", [1, 1, 0, np.nan]),
        ("c(1, 2, 3, 4) * x", [1, 4, 9, 16]),
        ("o >= 'mid'", [0, 1, 1, 0]),
        ("b == 'TRUE' | x > 100", [1, 0, 1, 1]),
        ("poly(x, 1) * 0 + x", [1, 2, 3, 4]),
    ],
)
def test_comparisons_of_all_kinds(text: str, value: list[float]) -> None:
    found = evaluated(text, TABLE)
    np.testing.assert_array_equal(numbers(found), value)


def test_two_factors_combine() -> None:
    found = evaluated("t:f", TABLE)
    assert found.levels[found.codes].tolist() == ["a:b", "b:b", "a:a", "b:a"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("t + 1", "a column of categories cannot be taken for numbers by '+'"),
        ("-f", "a column of categories"),
        ("!t", "a column of categories"),
        ("t < 'b'", "needs an order"),
        ("o > 'x'", "'x' is no level of the ordered factor (lo, mid, hi)"),
        ("x == 'a'", "numbers are compared with the text 'a'"),
        ("x == NULL", "numbers are compared with NULL"),
        ("x %in% c('a')", "numbers are looked for among text"),
        ("d + 1", "a column of dates"),
        ("d > 'soon'", "write a date"),
        ("x * c(1, 2, 3)", "there are 3 constants and not one"),
        ("c(1, 2) + c(1, 2, 3)", "2 and 3 constants"),
        ("x:z", "':' makes 1:3 of numbers"),
        ("1:1e9", "the sequence is too long"),
        ("poly(x, 2) > 0", "a matrix cannot be compared"),
        ("poly(x, 2) + poly(x, 3)", "2 and 3 columns"),
        ("x %o% z", "no operator '%o%'"),
        ("x && z", "no operator '&&'"),
        ("c(1, 2)", "2 constants and no column"),
        ("NULL", "NULL and no column"),
        ("'x'", "the text 'x' and no column"),
    ],
)
def test_what_operators_refuse(text: str, words: str) -> None:
    with pytest.raises(InterlaceError) as caught:
        evaluated(text, TABLE)
    assert words in str(caught.value)
