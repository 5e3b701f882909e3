"""Singular fits: degrees of freedom and F of lmerTest and pbkrtest (r/singular.R), said so; the intercept."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.estimation.fit import at_theta
from interlace.model import LinearMixedModel
from reference_data import array, frame

R = json.loads((Path(__file__).parent / "r" / "singular.json").read_text())
CASES = R["cases"]
METHODS = ("Satterthwaite", "Kenward-Roger")
PAIRS = [(name, ddf) for name, case in CASES.items() for ddf in METHODS if ddf in case]
both = pytest.mark.parametrize(("name", "ddf"), PAIRS)

KNOWN = "the degrees of freedom take variances at zero as known to be zero (as lmerTest does)"
COUNTED = "Kenward-Roger counts every variance and covariance as estimated"


@cache
def data() -> pd.DataFrame:
    return pd.DataFrame({k: v if isinstance(v[0], str) else array(v) for k, v in R["data"].items()})


@cache
def optimum(name: str) -> LinearMixedModel:
    return interlace.lmer(CASES[name]["formula"], data(), reml=CASES[name]["REML"])


def at_reference(name: str) -> LinearMixedModel:
    fit, case = optimum(name).fit, CASES[name]
    theta = np.abs(array(case["theta"]))  # bobyqa leaves noise of either sign at the boundary
    return LinearMixedModel(at_theta(fit.encoding, fit.design, theta, reml=case["REML"]))


def close(table: pd.DataFrame, expected: pd.DataFrame, names: dict[str, str], rtol: float) -> None:
    for ours, theirs in names.items():
        np.testing.assert_allclose(table[ours], expected[theirs], rtol=rtol, atol=1e-9)


@both
def test_tables(name: str, ddf: str) -> None:
    r = CASES[name][ddf]
    coefficients = {"estimate": "Estimate", "se": "Std. Error", "df": "df", "t": "t value", "p": "Pr(>|t|)"}
    tests = {"sum_sq": "Sum Sq", "num_df": "NumDF", "den_df": "DenDF", "F": "F value", "p": "Pr(>F)"}
    for m, rtol in ((at_reference(name), 2e-5), (optimum(name), 1e-4)):
        close(m.coef_table(ddf=ddf), frame(r["coef"]), coefficients, rtol)
        close(m.anova(ddf=ddf), frame(r["anova"]), tests, rtol)


@both
def test_it_is_said(name: str, ddf: str) -> None:
    m = optimum(name)
    assert CASES[name]["singular"] and m.is_singular
    note = {"Satterthwaite": KNOWN, "Kenward-Roger": COUNTED}[ddf]
    shown: list[Any] = [m.summary(ddf=ddf), m.anova(ddf=ddf), m.drop1(ddf=ddf)]
    shown.append(m.contrast_test({"x": 1.0}, ddf=ddf))
    for result in shown:
        text = " ".join(str(result).split())
        assert "the fit is singular: " in text
        assert note in text


def test_it_is_not_said_of_other_fits() -> None:
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
    assert not m.is_singular
    for ddf in METHODS:
        for result in (m.summary(ddf=ddf), m.anova(ddf=ddf), m.contrast_test({"Days": 1.0}, ddf=ddf)):
            assert "singular" not in str(result)


# ---- the intercept ---


@pytest.mark.parametrize("options", [{"test": "F"}, {"test": "wald"}, {"test": "chisq"}])
@pytest.mark.parametrize("type", [2, 3])
def test_intercept_only_on_request(options: dict[str, Any], type: int) -> None:
    m = optimum("one of two")
    assert list(m.anova(type=type, **options).index) == ["x", "f"]
    asked = m.anova(type=type, terms=["1", "f"], **options)
    assert list(asked.index) == ["1", "f"]
    assert asked.notna().all(axis=None)


def test_no_intercept_row_in_type_1_nor_in_drop1() -> None:
    m = optimum("one of two")
    assert list(m.anova(type=1).index) == ["x", "f"]
    assert list(m.drop1().index) == ["x", "f"]
    assert list(m.drop1(test="lrt").index) == ["<none>", "x", "f"]
    assert list(m.anova(type=1, terms=["1"]).index) == ["1"]


def test_model_of_an_intercept_only_has_an_empty_table() -> None:
    m = interlace.lmer("none ~ 1 + (1 | g)", data())
    for options in ({}, {"type": 1}, {"test": "wald"}, {"test": "chisq"}, {"ddf": "kenward-roger"}):
        table = m.anova(**options)
        assert table.empty
        assert "(nothing to show)" in str(table)
    t = m.coef_table().loc["Intercept"]
    assert m.anova(terms=["1"]).loc["1", "F"] == pytest.approx(t["t"] ** 2)
    assert m.anova(terms=["1"]).loc["1", "den_df"] == pytest.approx(t["df"])
