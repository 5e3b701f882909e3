"""Our own optimum: never worse than R's, and every estimate within 1e-4 of a standard error of R's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import interlace
from comparison import assert_long_close, our_group, rows_at_levels
from reference_data import array, frame, named

OF_A_STANDARD_ERROR = 1e-4
RELATIVE = 2e-5  # of variances, which are flat where they are barely determined


@pytest.fixture(scope="module")
def model(case: Any) -> interlace.LinearMixedModel:
    if case.name == "sleepstudy_rankdef_reml":
        with pytest.warns(interlace.RankDeficiencyWarning, match="Days2"):
            return interlace.lmer(case.formula, case.frame(), **case.options)
    return interlace.lmer(case.formula, case.frame(), **case.options)


def test_the_criterion_is_not_worse(model: interlace.LinearMixedModel, reference: dict[str, Any]) -> None:
    criterion = -2 * model.loglik
    assert criterion <= reference["objective"] + 1e-6
    assert (
        criterion >= reference["objective"] - 1e-5
    )  # R's optimum is polished: much better would be an error too
    np.testing.assert_allclose(
        [model.aic, model.bic], [reference["AIC"], reference["BIC"]], rtol=1e-9, atol=1e-5
    )


def test_estimates(model: interlace.LinearMixedModel, reference: dict[str, Any]) -> None:
    se = array(reference["se"])
    assert np.all(np.abs(model.fixef - named(reference["fixef"]).to_numpy()) < OF_A_STANDARD_ERROR * se)
    np.testing.assert_allclose(model.se, se, rtol=OF_A_STANDARD_ERROR)


def test_variance_components(model: interlace.LinearMixedModel, reference: dict[str, Any]) -> None:
    np.testing.assert_allclose(model.sigma, reference["sigma"], rtol=RELATIVE)
    theta = array(reference["theta"]["values"])
    np.testing.assert_allclose(model.theta, theta, rtol=1e-4, atol=1e-4 * np.abs(theta).max(initial=1e-2))
    theirs = frame(reference["varcorr_df"])["vcov"]
    np.testing.assert_allclose(model.varcorr()["variance"], theirs, rtol=1e-4, atol=1e-4 * theirs.max())
    assert model.is_singular == reference["isSingular"]


def test_random_effects(model: interlace.LinearMixedModel, reference: dict[str, Any]) -> None:
    tables = model.ranef(condvar=True)
    for theirs in reference["ranef"]:
        group = our_group(theirs["group"], list(tables))
        table = rows_at_levels(tables[group].rename_axis(group), theirs["group"], theirs["levels"])
        scale = np.maximum(array(theirs["condSD"]).T, 1e-3 * reference["sigma"])
        assert np.all(np.abs(table["mode"] - array(theirs["values"])) < OF_A_STANDARD_ERROR * scale)


def test_rows(model: interlace.LinearMixedModel, reference: dict[str, Any]) -> None:
    tolerance = OF_A_STANDARD_ERROR * reference["sigma"]
    assert_long_close(model.fitted, reference["fitted"], rtol=1e-7, atol=tolerance)
    assert_long_close(model.residuals(), reference["resid"], rtol=1e-7, atol=tolerance)
