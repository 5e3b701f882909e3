"""Every function of formulas has R's values: `r_functions.R` writes `r_functions.json`."""

from __future__ import annotations

import json
import pickle
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from function_calls import call, columns_of
from interlace.design.functions import CONSTANTS, FUNCTIONS
from interlace.design.functions.instead import INSTEAD
from interlace.design.functions.values import level_text
from interlace.design.orthogonal import evaluate, orthonormal_polynomials
from interlace.design.values import CodedFactor, Factor, Matrix
from interlace.errors import DataError, InterlaceError

OUTPUT: dict[str, Any] = json.loads((Path(__file__).parent / "r_functions.json").read_text())


@cache
def table(which: str) -> pd.DataFrame:
    data = pd.DataFrame(OUTPUT[which])
    data["o"] = pd.Categorical(data["o"], categories=["s", "m", "l"], ordered=True)
    return data


def numbers(values: list[Any]) -> np.ndarray:
    words = {"Inf": np.inf, "-Inf": -np.inf, "NaN": np.nan, "NA": np.nan, None: np.nan}
    return np.array([words.get(v, v) if isinstance(v, str | None) else v for v in values], dtype=np.float64)


def assert_equal(ours: Any, theirs: dict[str, Any]) -> None:
    """Up to rounding; levels of factors are compared where they occur (unused ones are dropped later)."""
    if theirs["kind"] == "factor":
        assert isinstance(ours, Factor)
        assert ours.ordered == theirs["ordered"]
        codes = numbers(theirs["codes"])
        expected = [None if np.isnan(c) else theirs["levels"][int(c) - 1] for c in codes]
        texts = [level_text(v).replace(",Inf", ", Inf") for v in ours.levels.tolist()]  # R puts a space there
        assert [None if c < 0 else texts[c] for c in ours.codes] == expected
        return
    if theirs["kind"] == "matrix":
        assert isinstance(ours, Matrix)
        labels = (
            [str(int(label) - 1) for label in theirs["labels"]] if ours.labels[0] == "0" else theirs["labels"]
        )
        assert list(ours.labels) == labels
        expected = np.column_stack([numbers(column) for column in theirs["values"]])
        scale = np.nanmax(np.abs(expected), axis=0)
        scale[scale == 0] = 1  # R has columns of zeros where knots are repeated
        np.testing.assert_allclose(ours.values / scale, expected / scale, rtol=1e-11, atol=1e-11)
        return
    values = ours.values[:, 0] if isinstance(ours, Matrix) else ours
    assert isinstance(values, np.ndarray) and (values.dtype == np.float64 or theirs["kind"] == "logical")
    np.testing.assert_allclose(values, numbers(theirs["values"]), rtol=2e-14, atol=1e-13)


@pytest.mark.parametrize("case", OUTPUT["cases"], ids=lambda c: c["text"])
def test_values_equal_r_on_the_data_and_on_new_data(case: dict[str, Any]) -> None:
    states: list[dict[str, Any]] = []
    assert_equal(call(case["text"], table("data"), states), case["learnt"])
    states = pickle.loads(pickle.dumps(states))
    assert_equal(call(case["text"], table("new"), states), case["new"])


@pytest.mark.parametrize("case", [*OUTPUT["several"], *OUTPUT["once"]], ids=lambda c: c["text"])
def test_values_equal_r_on_the_data(case: dict[str, Any]) -> None:
    if "mean(x)" in case["text"]:
        value = columns_of(table("data"))["x"] - call("mean(x)", table("data"))
        assert_equal(value, case["learnt"])
        return
    assert_equal(call(case["text"], table("data")), case["learnt"])


@pytest.mark.parametrize("case", OUTPUT["constants"], ids=lambda c: c["text"])
def test_constants_equal_r_and_stay_what_they_were(case: dict[str, Any]) -> None:
    states: list[dict[str, Any]] = []
    expected = numbers(case["value"])
    for which in ("data", "new"):
        found = call(case["text"], table(which), states)
        assert isinstance(found, float | tuple)
        np.testing.assert_allclose(np.atleast_1d(found), expected, rtol=1e-13)


@pytest.mark.parametrize("case", OUTPUT["coded"], ids=lambda c: c["text"])
def test_codings_equal_r(case: dict[str, Any]) -> None:
    found = call(f"C(b, {case['text']})", table("data"))
    assert isinstance(found, CodedFactor) and found.contrast is not None
    matrix = found.contrast.reduced("b", tuple(found.levels.tolist())).matrix
    np.testing.assert_allclose(matrix, np.array(case["matrix"], dtype=float), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", OUTPUT["polynomials"], ids=lambda c: c["levels"])
def test_polynomials_of_many_levels_equal_r(case: dict[str, Any]) -> None:
    levels = np.arange(case["levels"])
    contrast = call("contr.poly()", table("data"))
    found = contrast.reduced("o", tuple(levels.tolist())).matrix
    np.testing.assert_allclose(found, np.array(case["matrix"], dtype=float), atol=1e-7)
    np.testing.assert_allclose(found.T @ found, np.eye(len(levels) - 1), atol=1e-13)


def test_every_function_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formulas.md").read_text()
    words = set(re.findall(r"[A-Za-z][A-Za-z0-9.]*", page))
    assert {f.name for f in FUNCTIONS.values()} - words == {"is.na"}  # refused
    assert set(CONSTANTS) - words == {"NaN"}


@pytest.mark.parametrize("name", INSTEAD)
def test_what_is_answered_for_a_function_is_not_a_function(name: str) -> None:
    assert name not in FUNCTIONS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sqrt(x, z)", "sqrt() has 1 argument too many; write sqrt(x)"),
        ("log(x, 2, 3)", "log() has 1 argument too many; write log(x, base =)"),
        ("log()", "log() needs the argument 'x'; write log(x, base =)"),
        ("round(x, dig=1)", "has no argument 'dig'; did you mean 'digits'?"),
        ("log(s)", "log() needs numbers, and 's' holds categories"),
        ("log('a')", "gives it the text 'a'"),
        ("poly(2, 2)", "needs a column of the data, and 'poly(2, 2)' gives it the number 2"),
        ("poly(x, z, 2)", "write poly(x, 2, raw = TRUE) or poly(x, z, degree = 2)"),
        ("poly(x, 0)", "whole number of at least 1 for 'degree', not the number 0"),
        ("poly(k, 7)", "degree 7 of 'poly(k, 7)' must be less than the number of distinct values, 7"),
        ("poly(qlogis(p), 2)", "'qlogis(p)' is nan at row 0"),
        ("bs(x, df=2)", "needs df of at least 3, not 2"),
        ("bs(x, df=31)", "asks for 31 columns, and the data have 30 rows"),
        ("bs(x, knots=100)", "must lie inside the boundary knots"),
        ("ns(x - x, 3)", "all values of 'x - x' are equal"),
        ("scale(x - x)", "all values of 'x - x' are equal, so that their standard deviation is zero"),
        ("scale(x, scale=0)", "divides by zero"),
        ("c(x)", "c() puts constants together, such as c(1, 2) or c('a', 'b'); 'c(x)' has a column in it"),
        ("contr.sum(s)", "write C(s, contr.sum)"),
        ("cbind(x, z)", "a model has one response"),
        ("matrix(c(1, 2, 3), 2)", "has 3 numbers for 2 rows and 2 columns"),
        ("C(s, c(1, 1, 1))", "are not independent of each other and of the constant"),
        ("factor(s, levels=c('p', 'q'))", "none of the levels given to"),
        ("factor(s, levels=c('lo', 'lo'))", "must be different"),
        ("dummy(s, 'none')", "the level 'none' of 's' does not occur; its levels are hi, lo, mid"),
        ("droplevels(x)", "droplevels() needs a factor"),
        ("interaction(s)", "needs two factors or more"),
        ("as.logical(s)", "cannot read 'hi' as TRUE or FALSE"),
        ("as.numeric(s)", "write as.numeric(factor(s))"),
        ("is.na(x)", "data['x'].isna()"),
        ("quantile(x, 2)", "between 0 and 1"),
        ("ave(x, s, FUN=sqrt)", "ave() knows FUN = mean, median"),
        ("cut(x, c(0, 'a'))", "cut() needs numbers as breaks"),
        ("cut(x, c(50, 60))", "no value of 'x' lies in the intervals"),
        ("cut(x, 3, labels='a')", "'x' has 3 levels and 1 labels"),
        ("pmax(x, z, s)", "pmax() needs numbers, and 's' holds categories"),
        ("max(x, c(1, 2), s)", "max() needs numbers, and 's' holds categories"),
        ("mean(x, z)", "needs TRUE or FALSE for 'na.rm', not a column"),
        ("log(ifelse(x > 0, 'a, (', 'b'), z)", "and 'ifelse(x > 0, 'a, (', 'b')' holds categories"),
    ],
)
def test_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(InterlaceError) as caught:
        call(text, table("data"))
    assert words in str(caught.value)


def test_groups_and_levels_that_the_fit_has_not_seen_are_named() -> None:
    seen, new = table("data"), table("new").assign(s="other")
    for text in ("ave(x, s)", "as.numeric(factor(s))", "interaction(s, b)", "dummy(s)", "ordered(s)"):
        states: list[dict[str, Any]] = []
        call(text, seen, states)
        with pytest.raises(DataError, match=r"'other'.*first at row 0"):
            call(text, new, states)


def test_a_number_alone_in_treatment_is_the_count_or_a_level_and_refused_if_both() -> None:
    levels = np.array([2, 3, 4])
    count = call("contr.treatment(3)", table("data"))
    with pytest.raises(DataError, match=r"3 levels or the level 3; write contr.treatment\(base"):
        count.reduced("k", tuple(levels.tolist()))
    assert count.reduced("k", tuple((levels + 5).tolist())).fields == (8, 9)
    level = call("contr.treatment(4)", table("data"))
    assert level.reduced("k", tuple(levels.tolist())).fields == (2, 3)
    with pytest.raises(DataError, match="level 5 of 'k' does not occur"):
        call("contr.treatment(5)", table("data")).reduced("k", tuple(levels.tolist()))


@pytest.mark.parametrize(
    ("most", "more"),
    [
        ("bs(x, df=30)", "bs(x, df=31)"),
        ("bs(x, degree=30)", "bs(x, degree=31)"),
        ("ns(x, df=30)", "ns(x, df=31)"),
        ("cs(x, df=30)", "cs(x, df=31)"),
        ("poly(x, 29)", "poly(x, 30)"),
        ("poly(x / 10, 30, raw=TRUE)", "poly(x / 10, 31, raw=TRUE)"),
        ("seq(1, 100000)", "seq(1, 100001)"),
        ("seq(0, 1, length.out=100000)", "seq(0, 1, length.out=100001)"),
        ("cut(x, 100000, labels=FALSE)", "cut(x, 100001)"),
        ("cut(x, 2)", "cut(x, 1)"),
        ("bs(x, df=3)", "bs(x, df=2)"),
        ("bs(x, df=4, intercept=TRUE)", "bs(x, df=3, intercept=TRUE)"),
        ("ns(x, df=1)", "ns(x, df=0)"),
        ("cs(x, df=2)", "cs(x, df=1)"),
        ("cc(x, df=1)", "cc(x, df=0)"),
        ("quantile(x, 1)", "quantile(x, 1.001)"),
        ("quantile(x, 0)", "quantile(x, -0.001)"),
        ("contr.poly(scores=c(1, 2))", "contr.poly(scores='a')"),
    ],
)
def test_limits_of_counts_on_both_sides(most: str, more: str) -> None:
    call(most, table("data"))
    with pytest.raises(InterlaceError):
        call(more, table("data"))


def test_the_limit_of_combinations_on_both_sides() -> None:
    rows = pd.DataFrame({"p": np.arange(400.0), "q": np.arange(400.0) % 250, "r": np.arange(400.0) % 251})
    assert len(call("interaction(p, q)", rows).levels) == 100_000
    with pytest.raises(DataError, match="more than 100000 combinations"):
        call("interaction(p, r)", rows)


def test_polynomials_of_high_degree_are_orthonormal_and_evaluated_alike() -> None:
    x = np.linspace(3e6, 3e6 + 1, 60)
    basis, recurrence = orthonormal_polynomials(x, 40)
    np.testing.assert_allclose(basis.T @ basis, np.eye(40), atol=1e-13)
    np.testing.assert_allclose(basis.sum(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(evaluate(x, recurrence), basis, atol=1e-7)
    assert (basis[-1] > 0).all()  # leading coefficients are positive
