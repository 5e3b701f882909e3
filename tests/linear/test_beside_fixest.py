"""`lm` beside fixest: the values are those of fixest 0.14.2 and clubSandwich 0.5.8 (R 4.2.2)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace

HERE = Path(__file__).parent
REFERENCE = json.loads((HERE / "fixest_small.json").read_text())
COVARIANCES: dict[str, dict[str, Any]] = {
    "iid": {},
    "hetero": {"vcov": "HC1"},
    "cl_id": {"cluster": "id"},
    "cl_firm": {"cluster": "firm"},
    "twoway": {"cluster": ["id", "firm"]},
}
MODELS = ("ols", "fe1", "fe2", "fe3", "slope", "slope_only", "combined", "factorx")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return pd.read_csv(HERE / "fe_small.csv")


def singletons(name: str) -> str:
    return "drop" if REFERENCE["feols"][name]["nobs_removed"] else "keep"


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", COVARIANCES)
def test_coefficients_and_covariances(rows: pd.DataFrame, name: str, kind: str) -> None:
    reference = REFERENCE["feols"][name]
    model = interlace.lm(reference["formula"], rows, singletons=singletons(name), **COVARIANCES[kind])
    assert model.nobs == reference["nobs"]
    np.testing.assert_allclose(model.fixef, reference["coef"]["values"], rtol=1e-8)
    np.testing.assert_allclose(model.vcov(), reference["se"][kind]["vcov"]["data"], rtol=1e-8)
    table = model.coef_table()
    assert set(table["df"]) == {reference["se"][kind]["df_t"]}
    np.testing.assert_allclose(
        table["p"], np.array(reference["se"][kind]["coeftable"]["data"])[:, 3], rtol=1e-6
    )


@pytest.mark.parametrize("name", MODELS)
def test_what_is_said_of_the_whole_fit(rows: pd.DataFrame, name: str) -> None:
    reference = REFERENCE["feols"][name]
    model = interlace.lm(reference["formula"], rows, singletons=singletons(name))
    shares, wanted = model.r2(), reference["fitstat"]
    assert model.loglik == pytest.approx(reference["loglik"], rel=1e-10)
    assert model.sigma**2 == pytest.approx(reference["sigma2"], rel=1e-10)
    assert shares["r2"] == pytest.approx(wanted["r2"], rel=1e-9)
    assert shares["adjusted"] == pytest.approx(wanted["ar2"], rel=1e-9)
    if name.startswith("fe"):
        assert shares["within"] == pytest.approx(wanted["wr2"], rel=1e-9)
        assert shares["within_adjusted"] == pytest.approx(wanted["awr2"], rel=1e-9)
    np.testing.assert_allclose(model.residuals()[:5], reference["resid"]["head"][:5], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(model.fitted[:5], reference["fitted"]["head"][:5], rtol=1e-8)


@pytest.mark.parametrize("kind", COVARIANCES)
def test_prior_weights(rows: pd.DataFrame, kind: str) -> None:
    reference = REFERENCE["feols"]["fe2_weights"]
    model = interlace.lm("y ~ x1 + x2 | id + firm", rows, weights="w", singletons="drop", **COVARIANCES[kind])
    np.testing.assert_allclose(model.fixef, reference["coef"]["values"], rtol=1e-8)
    np.testing.assert_allclose(model.vcov(), reference["se"][kind]["vcov"]["data"], rtol=1e-8)


def test_columns_that_depend_on_others_are_named(rows: pd.DataFrame) -> None:
    reference = REFERENCE["feols"]["collin"]
    with pytest.warns(interlace.RankDeficiencyWarning, match="dropped 1 column.*: x3"):
        model = interlace.lm(reference["formula"], rows, singletons="drop")
    np.testing.assert_allclose(model.fixef, reference["coef"]["values"], rtol=1e-8)
    assert "x3" in str(model.summary())


@pytest.mark.parametrize("kind", ["cl_id", "cl_firm", "twoway", "hetero"])
@pytest.mark.parametrize(
    "variant", ["default", "none", "K_none", "K_full", "K_nonnested", "G_conv", "t_conv"]
)
def test_small_sample_corrections(rows: pd.DataFrame, variant: str, kind: str) -> None:
    reference = REFERENCE["ssc_variants_fe2"][variant][kind]
    said = {name: value for name, value in reference["ssc"].items() if name != "K.exact"}
    said = {name: value == "TRUE" if value in ("TRUE", "FALSE") else value for name, value in said.items()}
    model = interlace.lm(
        "y ~ x1 + x2 | id + firm", rows, singletons="drop", ssc=interlace.ssc(**said), **COVARIANCES[kind]
    )
    np.testing.assert_allclose(model.vcov(), reference["vcov"]["data"], rtol=1e-8)
    np.testing.assert_allclose(
        model.coef_table()["p"], np.array(reference["coeftable"]["data"])[:, 3], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("kind", "name"), [("HC0", "sandwich_HC0"), ("HC1", "HC1"), ("HC2", "HC2"), ("HC3", "HC3")]
)
def test_unequal_variances(rows: pd.DataFrame, kind: str, name: str) -> None:
    wanted = REFERENCE["ols_vcovs"][name]["data"]
    np.testing.assert_allclose(interlace.lm("y ~ x1 + x2", rows, vcov=kind).vcov(), wanted, rtol=1e-8)


def test_the_jackknife_of_clusters(rows: pd.DataFrame) -> None:
    model = interlace.lm("y ~ x1 + x2", rows, vcov="CR3", cluster="firm")
    np.testing.assert_allclose(model.vcov(), REFERENCE["clubSandwich_lm_id"]["CR3"]["data"], rtol=1e-8)
