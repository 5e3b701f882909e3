"""ANOVA tables and single term deletions at R's theta, against lmerTest, lme4 and car."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.design.encoding import Encoding
from interlace.estimation.fit import Fit, at_theta
from interlace.formula.parser import parse
from interlace.inference.anova import anova
from interlace.inference.drop1 import drop1
from reference_cases import Case, lmer_cases
from reference_data import array, frame

CASES = [case for case in lmer_cases() if "lmerTest" in case.reference()]
METHODS = {"satt": "satterthwaite", "kr": "kenward-roger"}
F_COLUMNS = {"sum_sq": "Sum Sq", "mean_sq": "Mean Sq", "num_df": "NumDF", "F": "F value"}

#: Satterthwaite's df of lmerTest come from numerical derivatives.
RTOL, RTOL_DF = 1e-9, {"satt": 2e-6, "kr": 1e-9}


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="module")
def reference(case: Case) -> dict[str, Any]:
    return case.reference()


@pytest.fixture(scope="module")
def fit(case: Case, reference: dict[str, Any]) -> Fit:
    encoding, design = Encoding.learn(
        parse(case.formula), case.frame(), weights=case.weights, contrasts=case.contrasts
    )
    return at_theta(encoding, design, array(reference["theta"]["values"]), reml=case.reml)


def _assert_f_table(table: pd.DataFrame, expected: pd.DataFrame, method: str) -> None:
    assert len(table) == len(expected)
    for ours, theirs in F_COLUMNS.items():
        np.testing.assert_allclose(table[ours], expected[theirs], rtol=RTOL)
    np.testing.assert_allclose(table["den_df"], expected["DenDF"], rtol=RTOL_DF[method])
    _assert_p(table["p"], expected["Pr(>F)"], rtol=10 * RTOL_DF[method])


def _assert_p(actual: pd.Series, expected: pd.Series, *, rtol: float) -> None:
    """p-values by their logarithm; what is too small for R's 15 digits of a double is just small."""
    logs = [np.log(np.maximum(p, 1e-300)) for p in (actual, expected)]
    np.testing.assert_allclose(*logs, rtol=rtol, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("type", [1, 2, 3])
def test_f_tables(fit: Fit, reference: dict[str, Any], type: int, method: str) -> None:
    block = reference["lmerTest"].get(f"anova_{'I' * type}_{method}")
    if block is None:
        pytest.skip("not computed by R: no REML fit, or too large for pbkrtest")
    table = anova(fit, type=type, ddf=METHODS[method])
    labels = [label for label, _ in fit.encoding.fixed_terms if label != "1"]
    assert list(table.index) == labels
    if "F value" not in block:  # R has an empty table for a model with an intercept only
        assert labels == [] and table.empty
        return
    _assert_f_table(table, frame(block), method)


@pytest.mark.parametrize("type", [2, 3])
def test_chi_square_tables(fit: Fit, reference: dict[str, Any], type: int) -> None:
    block = reference["car_Anova"][f"type{type}_chisq"]
    if "error" in block:  # car fails where there is an intercept only; the table is empty
        assert anova(fit, type=type, test="chisq").empty
        return
    expected = frame(block)
    labels = [label for label, _ in fit.encoding.fixed_terms if label != "1"]
    intercept = ["1"] if "(Intercept)" in expected.index else []
    table = anova(fit, type=type, test="chisq", terms=intercept + labels)
    assert len(table) == len(expected)
    np.testing.assert_allclose(table["chisq"], expected["Chisq"], rtol=RTOL)
    np.testing.assert_array_equal(table["df"], expected["Df"])
    _assert_p(table["p"], expected["Pr(>Chisq)"], rtol=1e-8)
    if intercept:
        assert list(anova(fit, type=type, test="chisq").index) == labels


@pytest.mark.parametrize("method", METHODS)
def test_drop1_by_f(fit: Fit, reference: dict[str, Any], method: str) -> None:
    block = reference["lmerTest"].get(f"drop1_{method}")
    if block is None:
        pytest.skip("not computed by R")
    table = drop1(fit, ddf=METHODS[method])
    assert len(table.columns) == 6
    _assert_f_table(table, frame(block), method)


def test_drop1_by_likelihood_ratio(fit: Fit, reference: dict[str, Any]) -> None:
    block = reference["lmerTest"].get("drop1_chisq_ml")
    if block is None:
        pytest.skip("not computed by R")
    expected, table = frame(block), drop1(fit, test="lrt")
    assert table.index[0] == "<none>" and len(table) == len(expected)
    # both programs search for the optimum of each model
    np.testing.assert_allclose(table["aic"], expected["AIC"], rtol=1e-9)
    np.testing.assert_allclose(table["df"], expected["npar"])
    np.testing.assert_allclose(table["chisq"], expected["LRT"], rtol=1e-6)
    _assert_p(table["p"], expected["Pr(Chi)"], rtol=1e-6)
