"""The curvature of the criterion, and Kenward-Roger's moments, from the factor of large crossed models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.estimation.fit import Fit
from interlace.precision import by_factor, curvature, information, varpar
from interlace.precision.df import ddf_method
from interlace.precision.marginal import Marginal
from interlace.precision.varpar import VarianceParameters
from reference_cases import Case, lmer_cases
from reference_data import matrix

from .test_lmertest import DF_RTOL, TABLES, at_reference

CROSSED = (
    "y ~ x + (1 | a) + (1 | b)",
    "y ~ x * z + (x | a) + (z | b) + (1 | c)",
    "y ~ x + (x || a) + (0 + z | a) + (z | b)",
)
OF_R = (
    *("cake_cross_reml", "chem97_reml", "insteval_sub_reml", "oats_reml", "pastes_ml", "pastes_nested_reml"),
    *("penicillin_ml", "penicillin_reml", "scotssec_reml", "star_sub_reml"),
)


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small models are worked on as large ones are."""
    monkeypatch.setattr(by_factor, "DEAR", 0.0)
    monkeypatch.setattr(curvature, "GRADIENTS", 1e12)
    monkeypatch.setattr(information, "operations", lambda fit: by_factor.operations(fit) / 1e12)


def fitted(formula: str, *, reml: bool = True) -> Fit:
    rng = np.random.default_rng(5)
    n, levels = 400, {"a": 90, "b": 15, "c": 5}  # more levels of a than are worked on at once
    data = pd.DataFrame({name: rng.integers(0, count, n) for name, count in levels.items()})
    data["x"], data["z"] = rng.normal(size=(2, n))
    data["y"] = data.x + rng.normal(size=n)
    for name, count in levels.items():
        b = rng.normal(size=(3, count))[:, data[name]]
        data["y"] += b[0] + b[1] * data.x + b[2] * data.z
    return interlace.lmer(formula, data, reml=reml, weights=rng.uniform(0.5, 2, n)).fit


def curvatures(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The covariance of the variance parameters, exactly and from differences of the gradient."""
    exact = VarianceParameters.of(fit, Marginal.of(fit))
    monkeypatch.setattr(varpar, "exact_hessian", lambda *_: None)
    return exact, VarianceParameters.of(fit, Marginal.of(fit))


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("formula", CROSSED)
def test_the_curvature_is_what_differences_of_the_gradient_say(
    formula: str, reml: bool, everywhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact, differences = curvatures(fitted(formula, reml=reml), monkeypatch)
    scale = np.abs(differences.covariance).max()
    np.testing.assert_allclose(exact.covariance, differences.covariance, rtol=1e-8, atol=1e-9 * scale)
    assert not np.array_equal(exact.covariance, differences.covariance)


@pytest.mark.parametrize("formula", CROSSED)
def test_moments_are_those_of_the_dense_matrix(
    formula: str, everywhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = fitted(formula)
    found = information.moments(fit, Marginal.of(fit))
    monkeypatch.setattr(by_factor, "DEAR", np.inf)
    dense = information.moments(fit, Marginal.of(fit))
    for name in ("P", "expected", "quadratic", "size"):
        scale = np.abs(getattr(dense, name)).max(initial=0)
        np.testing.assert_allclose(getattr(found, name), getattr(dense, name), rtol=1e-9, atol=1e-11 * scale)
    np.testing.assert_allclose(found.Q.trace, dense.Q.trace, rtol=1e-8, atol=1e-10)
    assert not np.array_equal(found.expected, dense.expected)


@pytest.mark.parametrize("case", [c for c in lmer_cases() if c.name in OF_R], ids=str)
def test_degrees_of_freedom_are_those_of_r(case: Case, everywhere: None) -> None:
    blocks = case.reference()["lmerTest"]
    fit = at_reference(case.name)
    assert information.by_factor(fit, Marginal.of(fit), information.parameters(fit))
    for method, table in TABLES.items():
        if table in blocks and "error" not in blocks[table]:
            expected = matrix(blocks[table])
            found = ddf_method(method, "model").bind(fit).df(np.eye(len(fit.solution.beta)))
            np.testing.assert_allclose(found, expected["df"], rtol=DF_RTOL[method])


def test_a_variance_near_zero_is_left_to_differences(everywhere: None) -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"a": np.tile(np.arange(30), 10), "b": np.repeat(np.arange(10), 30)})
    data["y"] = rng.normal(size=30)[data.a] + rng.normal(size=300)
    data["y"] -= data.groupby("b")["y"].transform("mean")
    fit = interlace.lmer("y ~ 1 + (1 | a) + (1 | b)", data).fit
    assert information.by_factor(fit, Marginal.of(fit), information.parameters(fit)) is None
    assert np.isfinite(by_factor.operations(fit))


def test_small_models_and_known_covariances_have_no_need_of_it() -> None:
    assert by_factor.operations(fitted(CROSSED[0])) == np.inf
