"""At R's theta every quantity equals R's to 1e-9: no optimiser stands between the formulas and the test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from comparison import assert_close, assert_long_close, new_rows, our_group, rows_at_levels
from interlace.estimation.fit import Fit
from interlace.model import LinearMixedModel
from reference_data import array, frame, load_data, named

RTOL = 1e-9


@pytest.fixture(scope="module")
def model(fit: Fit) -> LinearMixedModel:
    return LinearMixedModel(fit)


def test_likelihood(model: LinearMixedModel, reference: dict[str, Any]) -> None:
    actual = [model.loglik, model.aic, model.bic, model.deviance, -2 * model.loglik]
    deviance = -2 * (reference["logLik_other"] if model.reml else reference["logLik"])
    expected = [reference["logLik"], reference["AIC"], reference["BIC"], deviance, reference["objective"]]
    np.testing.assert_allclose(actual, expected, rtol=RTOL)
    if model.reml:
        np.testing.assert_allclose(model.reml_criterion, reference["devcomp"]["REML"], rtol=RTOL)


def test_sizes(model: LinearMixedModel, reference: dict[str, Any]) -> None:
    assert model.nobs == reference["nobs"]
    assert model.df_resid == reference["df_residual"]
    assert model.is_singular == reference["isSingular"]
    ours = model.ngroups
    assert list(ours) == [our_group(group, list(ours)) for group in reference["ngrps"]]
    assert list(ours.values()) == list(reference["ngrps"].values())


def test_theta_is_reported_as_given(model: LinearMixedModel, reference: dict[str, Any]) -> None:
    np.testing.assert_allclose(model.theta, array(reference["theta"]["values"]), rtol=1e-14, atol=1e-14)


def test_fixed_effects(model: LinearMixedModel, reference: dict[str, Any]) -> None:
    beta, se = named(reference["fixef"]).to_numpy(), array(reference["se"])
    np.testing.assert_allclose(model.fixef, beta, rtol=RTOL, atol=RTOL * se.max())
    np.testing.assert_allclose(model.se, se, rtol=RTOL)
    assert_close(model.vcov(), array(reference["vcov"]["data"]), rtol=RTOL)
    assert len(model.fixef) == reference["p"]
    np.testing.assert_allclose(
        model.coef_table()["t"], array(reference["coef_table"]["data"])[:, 2], rtol=1e-8, atol=1e-8
    )


def test_fixed_effects_are_named(model: LinearMixedModel, reference: dict[str, Any]) -> None:
    names = list(model.fixef.index)
    assert ("Intercept" in names) == ("(Intercept)" in reference["fixef"]["names"])
    assert len(set(names)) == len(names)
    for table in (model.vcov(), model.vcov().T):
        assert list(table.columns) == names


def test_variance_components(model: LinearMixedModel, reference: dict[str, Any]) -> None:
    np.testing.assert_allclose(model.sigma, reference["sigma"], rtol=RTOL)
    ours, theirs = model.varcorr(), frame(reference["varcorr_df"])
    assert_close(ours["variance"], theirs["vcov"], rtol=RTOL)
    pair = ours["term2"].notna().to_numpy()
    assert list(pair) == [v != "NA" for v in reference["varcorr_df"]["var2"]]
    sdcor = array(reference["varcorr_df"]["sdcor"])
    np.testing.assert_allclose(ours["sd"][~pair], sdcor[~pair], rtol=RTOL)
    np.testing.assert_allclose(ours["corr"][pair], sdcor[pair], rtol=RTOL, atol=RTOL)
    assert ours["sd"][pair].isna().all() and ours["corr"][~pair].isna().all()
    for name, theirs_name in zip(ours["group"], reference["varcorr_df"]["grp"], strict=True):
        assert set(name.split(":")) == set(theirs_name.split(":"))


def test_conditional_modes(model: LinearMixedModel, reference: dict[str, Any]) -> None:
    ours = model.ranef()
    assert len(ours) == len(reference["ranef"])
    for theirs in reference["ranef"]:
        table = ours[our_group(theirs["group"], list(ours))]
        assert table.shape == (theirs["nlevels"], len(theirs["names"]))
        scale = np.sqrt(array(theirs["colsumsq"]) / len(table))
        chosen = rows_at_levels(table, theirs["group"], theirs["levels"])
        worst = np.abs(chosen - array(theirs["values"])).max().to_numpy()
        assert np.all(worst <= RTOL * np.maximum(scale, reference["sigma"])), worst / scale
        np.testing.assert_allclose((table**2).sum(), array(theirs["colsumsq"]), rtol=RTOL, atol=1e-18)


def test_conditional_covariances(model: LinearMixedModel, reference: dict[str, Any]) -> None:
    tables, covariances = model.ranef(condvar=True), model.condvar()
    for theirs in reference["ranef"]:
        group = our_group(theirs["group"], list(tables))
        table, covariance = tables[group], covariances[group]
        sd = rows_at_levels(table["sd"].rename_axis(group), theirs["group"], theirs["levels"])
        np.testing.assert_allclose(sd, array(theirs["condSD"]).T, rtol=RTOL, atol=1e-14)
        np.testing.assert_array_equal(table["mode"], model.ranef()[group])
        np.testing.assert_allclose(table["sd"] ** 2, np.diagonal(covariance, axis1=1, axis2=2), rtol=1e-12)
        # R reports no covariance between the terms of `||`; within a term it is there.
        within = array(theirs["condVar_sum"]) != 0 if theirs["condVar_blocks_assembled"] else np.s_[:, :]
        assert_close(covariance.sum(axis=0)[within], array(theirs["condVar_sum"])[within], rtol=RTOL)


def test_conditional_covariance_of_the_first_levels(
    model: LinearMixedModel, reference: dict[str, Any]
) -> None:
    for theirs in reference["ranef"]:
        if theirs["condVar_blocks_assembled"]:
            continue
        table = model.ranef()[our_group(theirs["group"], list(model.ranef()))]
        labels = list(
            rows_at_levels(table, theirs["group"], theirs["levels"]).index[: len(theirs["condVar_head"])]
        )
        rows = table.index.astype(str).get_indexer(labels)
        assert_close(model.condvar()[table.index.name][rows], array(theirs["condVar_head"]), rtol=RTOL)


def test_coefficients(model: LinearMixedModel, reference: dict[str, Any]) -> None:
    ours = model.coef()
    for group, head in reference["coef_head"].items():
        table = ours[our_group(group, list(ours))]
        theirs = frame(head)
        chosen = rows_at_levels(table, group, list(theirs.index))
        assert_close(chosen, theirs, rtol=RTOL)


def test_fitted_and_residuals(model: LinearMixedModel, reference: dict[str, Any]) -> None:
    largest = max(abs(reference["fitted"]["min"]), abs(reference["fitted"]["max"]))
    assert_long_close(model.fitted, reference["fitted"], rtol=RTOL)
    assert_long_close(model.residuals(), reference["resid"], rtol=RTOL, atol=RTOL * largest)
    assert_long_close(
        model.residuals("standardized"),
        reference["resid_pearson_scaled"],
        rtol=RTOL,
        atol=RTOL * largest / reference["sigma"],
    )
    np.testing.assert_allclose(
        model.residuals("pearson") / model.sigma, model.residuals("standardized"), rtol=1e-12
    )


def test_predictions_for_the_rows_of_the_fit(model: LinearMixedModel, reference: dict[str, Any]) -> None:
    assert_long_close(model.predict(random="none"), reference["predict"]["re_form_NA"], rtol=RTOL)
    assert_long_close(model.predict(), reference["predict"]["re_form_NULL"], rtol=RTOL)
    np.testing.assert_array_equal(model.predict(), model.fitted)


def test_the_data_of_the_fit_as_new_data(case: Any, model: LinearMixedModel) -> None:
    data = load_data(case.data)
    predicted = model.predict(data)
    assert len(predicted) == len(data)
    rows = model.fitted.index
    assert_close(predicted.loc[rows], model.fitted, rtol=1e-12)
    some = data.loc[rows].iloc[::-7].drop(columns=case.formula.split("~")[0].strip(), errors="ignore")
    assert_close(model.predict(some), model.fitted.loc[some.index], rtol=1e-12)


def test_predictions_for_new_rows(case: Any, model: LinearMixedModel, reference: dict[str, Any]) -> None:
    theirs, rows = reference["predict"]["newdata"], new_rows(reference)
    assert_close(model.predict(rows, random="none"), array(theirs["re_form_NA"]), rtol=RTOL)
    predicted = model.predict(rows, new_levels="population")
    assert_close(predicted, array(theirs["re_form_NULL_allow_new"]), rtol=RTOL)
    for partial in theirs.get("partial", []):
        term = partial["re_form"].removeprefix("~")
        assert_close(
            model.predict(rows, random=[term], new_levels="population"), array(partial["values"]), rtol=RTOL
        )
        assert_long_close(model.predict(random=term), partial["in_sample"], rtol=RTOL)
        group = term.strip("()").split("|")[1].strip()
        np.testing.assert_array_equal(model.predict(random=[group]), model.predict(random=[term]))


def test_leverage(model: LinearMixedModel, reference: dict[str, Any]) -> None:
    overall = model.leverage()["overall"]
    if "hatvalues" in reference:  # R's are dense: not of large data
        assert_long_close(overall, reference["hatvalues"], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(model.leverage()["fixef"].sum(), reference["p"], rtol=1e-9)
