"""Degrees of freedom, standard errors, F and p against lmerTest and pbkrtest."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from dense_inference import covariance_of_variances
from interlace.design.encoding import Encoding
from interlace.estimation.fit import Fit, at_theta
from interlace.formula.parser import parse
from interlace.model import LinearMixedModel
from interlace.precision.df import ddf_method
from interlace.precision.kenward_roger import KenwardRogerDdf
from interlace.precision.marginal import Marginal
from interlace.precision.varpar import VarianceParameters
from reference_cases import Case, lmer_cases
from reference_data import array, frame, matrix

METHODS = {"satterthwaite": "satt", "kenward-roger": "kr"}
TABLES = {"satterthwaite": "summary_satterthwaite", "kenward-roger": "summary_kr"}

# lmerTest differentiates by numDeriv: about 1e-6 is the noise of its Hessian. Kenward-Roger is exact.
DF_RTOL = {"satterthwaite": 5e-6, "kenward-roger": 1e-9}


def _blocks(field: dict[str, str] | str) -> list[tuple[Case, str]]:
    found = []
    for case in lmer_cases():
        blocks = case.reference().get("lmerTest") or {}
        for method in METHODS:
            name = field[method] if isinstance(field, dict) else f"{field}_{METHODS[method]}"
            if name in blocks and "error" not in blocks[name]:
                found.append((case, method))
    return found


def _ids(value: Any) -> str:
    return str(value)


@cache
def at_reference(name: str) -> Fit:
    case = next(c for c in lmer_cases() if c.name == name)
    encoding, design = Encoding.learn(
        parse(case.formula), case.frame(), weights=case.weights, contrasts=case.contrasts
    )
    return at_theta(encoding, design, array(case.reference()["theta"]["values"]), reml=case.reml)


def log_p_close(actual: Any, expected: Any, df_rtol: float) -> None:
    """Equal logarithms of p: R's df, with their noise, go into R's p. Below 1e-300 p is as good as zero."""
    actual, expected = np.maximum(actual, 1e-300), np.maximum(expected, 1e-300)
    np.testing.assert_allclose(np.log(actual), np.log(expected), rtol=1e-4, atol=10 * df_rtol)


@pytest.mark.parametrize(("case", "method"), _blocks(TABLES), ids=_ids)
def test_coefficients_at_the_theta_of_r(case: Case, method: str) -> None:
    expected = matrix(case.reference()["lmerTest"][TABLES[method]])
    table = LinearMixedModel(at_reference(case.name)).coef_table(ddf=method)
    assert list(table) == ["estimate", "se", "df", "t", "p", "lower", "upper"]
    np.testing.assert_allclose(table["df"], expected["df"], rtol=DF_RTOL[method])
    np.testing.assert_allclose(table["se"], expected["Std. Error"], rtol=1e-9)
    np.testing.assert_allclose(table["t"], expected["t value"], rtol=1e-8, atol=1e-8)
    log_p_close(table["p"], expected["Pr(>|t|)"], DF_RTOL[method])


@pytest.mark.parametrize(("case", "method"), _blocks(TABLES), ids=_ids)
def test_coefficients_at_our_optimum(case: Case, method: str) -> None:
    expected = matrix(case.reference()["lmerTest"][TABLES[method]])
    table = _optimum(case).coef_table(ddf=method)
    np.testing.assert_allclose(table["df"], expected["df"], rtol=1e-4)
    np.testing.assert_allclose(table["se"], expected["Std. Error"], rtol=1e-5)


def _optimum(case: Case) -> LinearMixedModel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.RankDeficiencyWarning)
        return interlace.lmer(case.formula, case.frame(), **case.options)


SEVERAL = [(case, method) for case, method in _blocks("contest_all") if case.reference()["p"] > 1]


@pytest.mark.parametrize(("case", "method"), SEVERAL, ids=_ids)
def test_all_coefficients_but_the_first(case: Case, method: str) -> None:
    expected = frame(case.reference()["lmerTest"][f"contest_all_{METHODS[method]}"]).iloc[0]
    model = LinearMixedModel(at_reference(case.name))
    test = model.contrast_test(np.eye(len(model.fixef))[1:], ddf=method)
    assert test.num_df == expected["NumDF"]
    np.testing.assert_allclose(test.den_df, expected["DenDF"], rtol=DF_RTOL[method])
    np.testing.assert_allclose(test.F, expected["F value"], rtol=1e-8)
    log_p_close(test.p, expected["Pr(>F)"], DF_RTOL[method])


def _with(field: str) -> list[Case]:
    return [c for c in lmer_cases() if field in (c.reference().get("lmerTest") or {})]


@pytest.mark.parametrize("case", _with("kr_vcovAdj"), ids=str)
def test_kenward_roger_covariances(case: Case) -> None:
    fit = at_reference(case.name)
    blocks = case.reference()["lmerTest"]
    bound = ddf_method("kenward-roger").bind(fit)
    assert isinstance(bound, KenwardRogerDdf)
    for actual, expected in (
        (bound.vcov, matrix(blocks["kr_vcovAdj"]).to_numpy()),
        (covariance_of_variances(fit, bound), array(blocks["kr_varpar_cov_W"])),
    ):
        sd = np.sqrt(np.diagonal(expected))
        np.testing.assert_allclose(actual / np.outer(sd, sd), expected / np.outer(sd, sd), atol=1e-9)


# In singular fits theta is no smooth function of our parameters; df and F are compared above for all.
REGULAR = [case for case in _with("vcov_varpar") if not case.reference()["isSingular"]]


@pytest.mark.parametrize("case", REGULAR, ids=str)
def test_covariance_of_theta_and_sigma(case: Case) -> None:
    fit = at_reference(case.name)
    expected = array(case.reference()["lmerTest"]["vcov_varpar"])
    parameters = VarianceParameters.of(fit, Marginal.of(fit))
    J = _to_theta(fit, parameters)
    actual = J @ parameters.covariance @ J.T
    sd = np.sqrt(np.diagonal(expected))
    np.testing.assert_allclose(actual / np.outer(sd, sd), expected / np.outer(sd, sd), atol=2e-5)


def _to_theta(fit: Fit, parameters: VarianceParameters) -> np.ndarray:
    """Derivatives of (theta, sigma) in (par, log sigma), by central differences."""

    def theta(par: np.ndarray) -> np.ndarray:
        return parameters.criterion.solution(par).theta

    m = len(parameters.par)
    J = np.zeros((m + 1, m + 1))
    for j, step in enumerate(1e-5 * np.eye(m)):
        J[:m, j] = (theta(parameters.par + step) - theta(parameters.par - step)) / 2e-5
    J[m, m] = fit.sigma
    return J


def test_weights_are_not_ignored_by_kenward_roger() -> None:
    """pbkrtest 0.5.2 leaves prior weights out of V (24.5 df for 17): no reference to be had there.

    Weights of 2 are every row twice, to all but the number of rows: the check is that weights matter to V as
    the residual variances they stand for (see test_dense.py for the numbers).
    """
    data = pd.DataFrame(interlace.datasets.load("sleepstudy"))
    data["w"] = np.tile([0.5, 2.0], 90)
    plain = interlace.lmer("Reaction ~ Days + (1 | Subject)", data).coef_table(ddf="kenward-roger")
    weighted = interlace.lmer("Reaction ~ Days + (1 | Subject)", data, weights="w")
    scaled = interlace.lmer("Reaction ~ Days + (1 | Subject)", data.assign(w=7 * data["w"]), weights="w")
    table = weighted.coef_table(ddf="kenward-roger")
    pd.testing.assert_frame_equal(table, scaled.coef_table(ddf="kenward-roger"), rtol=1e-6)
    assert abs(table["df"]["Days"] - 161) < 1e-6  # within-subject, as in the plain model
    assert not np.allclose(table["se"], plain["se"], rtol=1e-3)
