"""ANOVA tables and single term deletions at R's theta, against lmerTest, lme4 and car."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.design.encoding import Encoding
from interlace.estimation.fit import Fit, at_theta
from interlace.formula.parser import parse
from interlace.model import LinearMixedModel
from reference_cases import lmer_cases
from reference_data import array, frame

CASES = {case.name: case for case in lmer_cases()}
REFERENCE = {name: case.reference() for name, case in CASES.items()}
METHODS = {"satt": "satterthwaite", "kr": "kenward-roger"}
F_COLUMNS = {"sum_sq": "Sum Sq", "mean_sq": "Mean Sq", "num_df": "NumDF", "F": "F value"}

#: Satterthwaite's df of lmerTest come from numerical derivatives.
RTOL, RTOL_DF = 1e-9, {"satt": 2e-6, "kr": 1e-9}


def anova(fit: Fit, **options: Any) -> pd.DataFrame:
    return LinearMixedModel(fit).anova(**options)


def drop1(fit: Fit, **options: Any) -> pd.DataFrame:
    return LinearMixedModel(fit).drop1(**options)


@cache
def fit_of(name: str) -> Fit:
    """The model at R's theta."""
    case = CASES[name]
    encoding, design = Encoding.learn(
        parse(case.formula), case.frame(), weights=case.weights, contrasts=case.contrasts
    )
    return at_theta(encoding, design, array(REFERENCE[name]["theta"]["values"]), reml=case.reml)


def blocks(room: str, *names: str) -> list[tuple[str, str]]:
    """All pairs of a case and one of these blocks that R has computed."""
    return [(case, block) for case, r in REFERENCE.items() for block in names if block in r.get(room, {})]


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


@pytest.mark.parametrize(
    ("name", "block"),
    blocks("lmerTest", *(f"anova_{type}_{method}" for type in ("I", "II", "III") for method in METHODS)),
)
def test_f_tables(name: str, block: str) -> None:
    fit, expected = fit_of(name), REFERENCE[name]["lmerTest"][block]
    _, type, method = block.split("_")
    table = anova(fit, type=len(type), ddf=METHODS[method])
    labels = [label for label, _ in fit.encoding.fixed_terms if label != "1"]
    assert list(table.index) == labels
    if "F value" not in expected:  # R has an empty table for a model with an intercept only
        assert labels == [] and table.empty
        return
    _assert_f_table(table, frame(expected), method)


@pytest.mark.parametrize(("name", "block"), blocks("car_Anova", "type2_chisq", "type3_chisq"))
def test_chi_square_tables(name: str, block: str) -> None:
    fit, type = fit_of(name), int(block[4])
    if "error" in REFERENCE[name]["car_Anova"][block]:  # car fails where there is an intercept only
        assert anova(fit, type=type, test="chisq").empty
        return
    expected = frame(REFERENCE[name]["car_Anova"][block])
    labels = [label for label, _ in fit.encoding.fixed_terms if label != "1"]
    intercept = ["1"] if "(Intercept)" in expected.index else []
    table = anova(fit, type=type, test="chisq", terms=intercept + labels)
    assert len(table) == len(expected)
    np.testing.assert_allclose(table["chisq"], expected["Chisq"], rtol=RTOL)
    np.testing.assert_array_equal(table["df"], expected["Df"])
    _assert_p(table["p"], expected["Pr(>Chisq)"], rtol=1e-8)
    if intercept:
        assert list(anova(fit, type=type, test="chisq").index) == labels


CAR_F = blocks("car_Anova", "type2_F", "type3_F")

# Type II of car and of lmerTest (SAS) are different hypotheses in these rows.
COVARIATE = "for car the term is part of its interaction with a covariate, for SAS it is not"
WEIGHING = "unbalanced: car weighs the rows of the interaction by the covariance of beta, SAS by X'X"
OTHER_TYPE_2 = {
    ("ahd_slope_reml", "week"): WEIGHING,
    ("ahd_slope_reml", "treatment"): COVARIATE,
    ("autism_singular_reml", "age2"): WEIGHING,
    ("autism_singular_reml", "sicdegp"): COVARIATE,
    ("sleepstudy_grp_reml", "grp"): COVARIATE,
    ("sleepstudy_grpsum_reml", "grp"): COVARIATE,
}


@pytest.mark.parametrize(("name", "block"), CAR_F)
def test_wald_f_tables_of_car(name: str, block: str) -> None:
    """With Kenward-Roger's degrees of freedom, as in car."""
    fit, type = fit_of(name), int(block[4])
    if "error" in REFERENCE[name]["car_Anova"][block]:  # car fails where there is an intercept only
        assert anova(fit, type=type, test="wald", ddf="kenward-roger").empty
        return
    expected = frame(REFERENCE[name]["car_Anova"][block])
    labels = [label for label, _ in fit.encoding.fixed_terms if label != "1"]
    intercept = ["1"] if "(Intercept)" in expected.index else []
    table = anova(fit, type=type, test="wald", ddf="kenward-roger", terms=intercept + labels)
    assert len(table) == len(expected)
    np.testing.assert_allclose(table["F"], expected["F"], rtol=RTOL)
    np.testing.assert_array_equal(table["num_df"].fillna(0), expected["Df"])  # NaN: nothing left to test
    den_df = expected["Df.res"].where(expected["Df"] > 0)
    np.testing.assert_allclose(table["den_df"], den_df, rtol=RTOL)
    _assert_p(table["p"], expected["Pr(>F)"], rtol=1e-8)
    assert table.attrs["heading"].endswith(f"(Type {'I' * type} Wald F tests with Kenward-Roger df)")


@pytest.mark.parametrize("name", [name for name, block in CAR_F if block == "type2_F"])
def test_where_type_2_of_car_is_that_of_lmertest(name: str) -> None:
    fit = fit_of(name)
    ours, car = (anova(fit, type=2, test=test, ddf="kenward-roger") for test in ("F", "wald"))
    for term in ours.index.drop(list(fit.dropped)):
        same = [np.isclose(ours.loc[term, c], car.loc[term, c], rtol=1e-8) for c in ("F", "den_df")]
        assert all(same) == ((name, term) not in OTHER_TYPE_2), term
        assert ours.loc[term, "num_df"] == car.loc[term, "num_df"]


@pytest.mark.parametrize(("name", "block"), blocks("lmerTest", "drop1_satt", "drop1_kr"))
def test_drop1_by_f(name: str, block: str) -> None:
    method = block.removeprefix("drop1_")
    table = drop1(fit_of(name), ddf=METHODS[method])
    _assert_f_table(table, frame(REFERENCE[name]["lmerTest"][block]), method)


@pytest.mark.parametrize(("name", "block"), blocks("lmerTest", "drop1_chisq_ml"))
def test_drop1_by_likelihood_ratio(name: str, block: str) -> None:
    expected, table = frame(REFERENCE[name]["lmerTest"][block]), drop1(fit_of(name), test="lrt")
    assert table.index[0] == "<none>" and len(table) == len(expected)
    # both programs search for the optimum of each model
    np.testing.assert_allclose(table["aic"], expected["AIC"], rtol=1e-9)
    np.testing.assert_allclose(table["df"], expected["npar"])
    np.testing.assert_allclose(table["lrt"], expected["LRT"], rtol=1e-6)
    _assert_p(table["p"], expected["Pr(Chi)"], rtol=1e-6)
