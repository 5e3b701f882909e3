"""Model matrices equal R's: synthetic columns (`r_columns.R` writes `r_columns.json`), reference cases."""

from __future__ import annotations

import json
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.design.encoding import Encoding
from reference_cases import lmer_cases
from reference_data import array

# R writes more columns than the rank for an interaction without its margins (lme4 then drops some of them);
# here the coding has full rank from the start.
R_LEAVES_RANK_DEFICIENT = {"a:b", "a %in% b"}

HERE = Path(__file__).parent


@cache
def r_output() -> dict[str, Any]:
    return json.loads((HERE / "r_columns.json").read_text())


@cache
def r_frame() -> pd.DataFrame:
    data = pd.DataFrame(r_output()["data"])
    data["a"] = pd.Categorical(data["a"], categories=["lo", "mid", "hi"])
    data["b"] = pd.Categorical(data["b"])
    data["o"] = pd.Categorical(data["o"], categories=["s", "m", "l", "xl"], ordered=True)
    data["y"] = np.arange(len(data)) ** 2.0
    data["g"] = np.arange(len(data)) % 4
    return data


def columns_of(rhs: str, data: Any, **options: Any) -> tuple[Encoding, np.ndarray]:
    encoding, design = Encoding.learn(f"y ~ {rhs} + (1 | g)", data, **options)
    return encoding, design.X


@pytest.mark.parametrize("case", r_output()["plain"], ids=lambda c: c["formula"])
def test_matrix_equals_r(case: dict[str, Any]) -> None:
    _, X = columns_of(case["formula"], r_frame())
    expected = np.array(case["data"], dtype=float)
    if case["formula"] in R_LEAVES_RANK_DEFICIENT:
        rank = np.linalg.matrix_rank(expected)
        assert X.shape[1] == rank == np.linalg.matrix_rank(np.hstack([X, expected]))
        return
    np.testing.assert_allclose(X, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("case", r_output()["coded"], ids=lambda c: c["contrast"])
@pytest.mark.parametrize("prefix", ["", "contr."])
def test_contrasts_argument_equals_r(case: dict[str, Any], prefix: str) -> None:
    encoding, X = columns_of(case["formula"], r_frame(), contrasts={"b": prefix + case["contrast"]})
    np.testing.assert_allclose(X, np.array(case["data"], dtype=float), rtol=1e-12, atol=1e-12)
    assert encoding.fixed_factors["b"].contrast.shape == (4, 3)


@pytest.mark.parametrize("case", r_output()["outside"], ids=lambda c: c["formula"])
def test_new_data_beyond_the_old_equals_r(case: dict[str, Any]) -> None:
    encoding, _ = columns_of(case["formula"], r_frame())
    X = encoding.design({"x": case["x"]}, random={}).X
    np.testing.assert_allclose(X, np.array(case["data"], dtype=float), rtol=1e-10, atol=1e-10)


def test_a_matrix_is_a_contrast() -> None:
    coding = np.array([[1.0, 0], [0, 1], [-1, -1]])
    _, X = columns_of("a", r_frame(), contrasts={"a": coding})
    _, expected = columns_of("C(a, contr.sum)", r_frame())
    np.testing.assert_array_equal(X, expected)
    named = pd.DataFrame(coding, columns=["first", "second"])
    assert columns_of("a", r_frame(), contrasts={"a": named})[0].fixed_names[1:] == ("a[first]", "a[second]")


def test_contrasts_reach_random_terms() -> None:
    encoding, design = Encoding.learn("y ~ a + (a | b) + (0 + o | g)", r_frame(), contrasts={"a": "sum"})
    assert encoding.fixed_names == ("Intercept", "a[S.lo]", "a[S.mid]")
    assert encoding.random[0].columns == encoding.fixed_names
    np.testing.assert_array_equal(design.random[0].z, design.X)
    assert encoding.random[1].columns == ("o[s]", "o[m]", "o[l]", "o[xl]")
    only, _ = Encoding.learn("y ~ x + (a | g)", r_frame(), contrasts={"a": "sum"})
    assert only.random[0].columns == ("Intercept", "a[S.lo]", "a[S.mid]")


@pytest.mark.parametrize("case", lmer_cases(), ids=str)
def test_reference_cases(case: Any) -> None:
    reference, data = case.reference(), case.frame()
    encoding, design = Encoding.learn(case.formula, data, weights=case.weights, contrasts=case.contrasts)
    # 1) X; R's has lost the columns that others determine
    X = np.delete(design.X, 2, axis=1) if case.name == "sleepstudy_rankdef_reml" else design.X
    np.testing.assert_allclose(X.sum(axis=0), array(reference["X"]["colsums"]), rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(X[:5], array(reference["X"]["head5"]), rtol=1e-12, atol=1e-10)
    assert design.nrows == reference["nobs"]
    # 2) Levels, in order (R calls the nested factor of a/b "b:a")
    expected = {r["group"]: r for r in reference["ranef"]}
    for block in encoding.random:
        reverse = ":".join(reversed(block.group.split(":")))
        entry = expected[block.group] if block.group in expected else expected[reverse]
        assert len(block.levels) == entry["nlevels"]
        levels = [str(level) for level in block.levels]
        if block.group not in expected:
            levels = sorted(":".join(reversed(level.split(":"))) for level in levels)
            assert sorted(entry["levels"]) == levels[: len(entry["levels"])] or len(entry["levels"]) < len(
                levels
            )
        elif len(entry["levels"]) == len(levels):
            assert levels == entry["levels"]
    # 3) The same columns again, from the pickle
    again = pickle.loads(pickle.dumps(encoding)).design(data, response="required")
    np.testing.assert_array_equal(again.X, design.X)
    np.testing.assert_array_equal(again.y, design.y)
    for ours, theirs in zip(again.random, design.random, strict=True):
        np.testing.assert_array_equal(ours.codes, theirs.codes)
        np.testing.assert_array_equal(ours.z, theirs.z)
