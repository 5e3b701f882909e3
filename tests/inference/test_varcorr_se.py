"""Standard errors of variance components against merDeriv, balanced formulas, and the dense model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import interlace
from dense_inference import DenseInference
from interlace.precision import varpar
from interlace.precision.marginal import Marginal
from interlace.precision.varpar import VarianceParameters
from interlace.variances.varcorr_se import _se
from made_data import crossed
from reference_data import array, load_case, load_data


@pytest.mark.parametrize("case", ["sleepstudy_slope", "sleepstudy_int"])
def test_against_merderiv(case: str) -> None:
    """By ML; merDeriv's covariance of a REML fit is that of the expected or ML information."""
    reference = load_case("extras", f"extras_{case}")
    model = interlace.lmer(reference["formula"], load_data("sleepstudy"), reml=False)
    table = model.varcorr(se=True)
    for kind in ("var", "sd"):
        block = array(reference["ML"][f"merDeriv_vcov_full_{kind}_observed"]["data"])
        expected = np.sqrt(np.diagonal(block))[2:]
        if kind == "var":
            order = (
                [0, 2, 1, 3] if len(expected) == 4 else [0, 1]
            )  # R: column by column of the lower triangle
            np.testing.assert_allclose(table["variance_se"], expected[order], rtol=2e-5)
        else:
            sd = table["sd_se"].dropna()
            np.testing.assert_allclose(sd, expected[[0, 2, 3] if len(expected) == 4 else [0, 1]], rtol=2e-5)


@pytest.mark.parametrize("reml", [True, False])
def test_against_the_dense_information(reml: bool) -> None:
    data = crossed(np.random.default_rng(3), 200, (14, 9))
    model = interlace.lmer("y ~ x + f + (x | a) + (1 | b)", data, reml=reml, weights="w")
    assert not model.is_singular
    W = DenseInference.of(model.fit).W("observed", reml=reml)
    expected = np.sqrt(np.diagonal(W))[[0, 2, 1, 3, 4]]  # variances first, then the covariance
    table = model.varcorr(se=True)
    np.testing.assert_allclose(table["variance_se"], expected, rtol=1e-5)
    # the delta method, from variances to standard deviations and to the correlation
    variances = table["term2"].isna()
    np.testing.assert_allclose(
        table["sd_se"][variances], table["variance_se"][variances] / (2 * table["sd"][variances]), rtol=1e-9
    )
    s11, s12, s22 = (table["variance"].iloc[i] for i in (0, 2, 1))
    r = s12 / np.sqrt(s11 * s22)
    g = np.array([-r / (2 * s11), 1 / np.sqrt(s11 * s22), -r / (2 * s22)])
    np.testing.assert_allclose(table["corr_se"].dropna(), np.sqrt(g @ W[:3, :3] @ g), rtol=1e-5)


def test_a_balanced_design_has_a_formula() -> None:
    """Of one-way data by REML: sigma^2 from n - a degrees of freedom, a mean square from a - 1."""
    table = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("dyestuff")).varcorr(se=True)
    batch, residual = table["variance"]
    a, rows = 6, 5
    between = residual + rows * batch
    expected = [
        np.sqrt(2 * between**2 / (a - 1) + 2 * residual**2 / (a * (rows - 1))) / rows,
        residual * np.sqrt(2 / (a * (rows - 1))),
    ]
    np.testing.assert_allclose(table["variance_se"], expected, rtol=1e-5)


def test_what_lies_at_the_boundary_has_no_standard_error() -> None:
    table = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("dyestuff2")).varcorr(se=True)
    assert np.isnan(table["variance_se"][0]) and np.isnan(table["sd_se"][0])
    assert table["variance_se"][1] > 0
    singular = interlace.lmer("vsae ~ age2 * sicdegp + (age2 | childid)", load_data("autism"))
    table = singular.varcorr(se=True)
    assert abs(table["corr"]).max() == pytest.approx(1.0) or (table["variance"] == 0).any()
    assert table["corr_se"].isna().all()


def test_without_standard_errors_the_table_is_as_it_was() -> None:
    model = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("dyestuff"))
    assert list(model.varcorr()) == ["group", "term1", "term2", "variance", "sd", "corr"]
    assert model.varcorr(se=True)[list(model.varcorr())].equals(model.varcorr())


def test_a_variance_below_zero_is_rounding_error() -> None:
    covariance = np.array([[1.0, 0.0], [0.0, -1e-30]])
    found = _se([np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([np.nan, 0.0])], covariance)
    np.testing.assert_array_equal(found, [1.0, np.nan, np.nan])


def test_a_curvature_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In whichever coordinates: the second try has others than the first."""
    model = interlace.lmer("y ~ x + (x | a)", crossed(np.random.default_rng(3), 200, (14, 9)))
    plain = varpar._profiled_hessian
    for bad_from in (1, 2):
        calls = iter(range(1, 9))

        def hessian(criterion: Any, par: Any, calls: Any = calls, bad_from: int = bad_from) -> Any:
            H = plain(criterion, par)
            return H * np.inf if next(calls) >= bad_from else H - 1e3 * np.eye(len(H))

        monkeypatch.setattr(varpar, "_profiled_hessian", hessian)
        with (
            pytest.raises(interlace.ModelError, match="too large or too small"),
            np.errstate(invalid="ignore"),
        ):
            VarianceParameters.of(model.fit, Marginal.of(model.fit))
