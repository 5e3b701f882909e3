"""Every function of formulas has R's values: `r_functions.R` writes `r_functions.json`."""

from __future__ import annotations

import json
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from function_calls import call, columns_of
from interlace.design.contrasts import coding
from interlace.design.functions import FUNCTIONS
from interlace.design.functions.values import level_text
from interlace.design.values import CodedFactor, Factor, Matrix

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
    matrix = coding("b", found.contrast, found.levels, True).matrix
    np.testing.assert_allclose(matrix, np.array(case["matrix"], dtype=float), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", OUTPUT["polynomials"], ids=lambda c: c["levels"])
def test_polynomials_of_many_levels_equal_r(case: dict[str, Any]) -> None:
    levels = np.arange(case["levels"])
    contrast = call("contr.poly()", table("data"))
    found = coding("o", contrast, levels, True).matrix
    np.testing.assert_allclose(found, np.array(case["matrix"], dtype=float), atol=1e-7)
    np.testing.assert_allclose(found.T @ found, np.eye(len(levels) - 1), atol=1e-13)
    assert len(FUNCTIONS) > 80
