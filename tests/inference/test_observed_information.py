"""Kenward-Roger with observed information against SAS and JMP, with expected information against pbkrtest.

The data and the printed results of SAS and JMP are in `sas/` (sources in its README); `sas/expected.R` made
what R says of the same models.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from dense_inference import covariance_of_variances
from interlace.design.encoding import Encoding
from interlace.estimation.fit import at_theta
from interlace.formula.parser import parse
from interlace.model import LinearMixedModel
from interlace.precision.df import KenwardRoger
from interlace.precision.kenward_roger import KenwardRogerDdf

HERE = Path(__file__).parent / "sas"
CASES = {case["name"]: case for case in json.loads((HERE / "sas.json").read_text())}
R = json.loads((HERE / "expected.json").read_text())
OBSERVED = KenwardRoger(information="observed")

# SAS stops its search where the criterion is flat to 1e-8, and variances are known to half the digits of
# the criterion: most of its fits are at the optimum to all digits, these are not. At the theta that its
# standard errors belong to, its degrees of freedom are ours (`test_where_sas_stopped_early`).
STOPPED_EARLY = {
    "battery_cell": (1e-4, 3e-4),
    "sleepstudy_square_partly": (1e-4, 3e-4),
    "sleepstudy_square_apart": (1e-5, 5e-5),
}
TOLERANCES = (2e-7, 1e-6)
REFERENCES = {"period": [4, 3, 2, 1], "formulation": ["T", "R"], "sequence": ["BABA", "ABAB"]}


@cache
def data_of(name: str) -> pd.DataFrame:
    if name == "sleepstudy":
        return interlace.datasets.load(name)
    table = pd.read_csv(HERE / f"{name}.csv")
    levels = {column: order for column, order in REFERENCES.items() if column in table}
    return table.assign(**{column: pd.Categorical(table[column], order) for column, order in levels.items()})


@cache
def model_of(name: str) -> LinearMixedModel:
    return interlace.lmer(CASES[name]["formula"], data_of(CASES[name]["data"]))


def model_at(name: str, theta: Any) -> LinearMixedModel:
    encoding, design = Encoding.learn(parse(CASES[name]["formula"]), data_of(CASES[name]["data"]))
    theta = np.atleast_1d(np.asarray(theta, dtype=np.float64))
    return LinearMixedModel(at_theta(encoding, design, theta, reml=True))


def printed(block: dict[str, list[float]]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(block, orient="index", columns=["estimate", "se", "df"])


def having(block: str) -> list[str]:
    return [name for name, case in CASES.items() if block in case]


@pytest.mark.parametrize(
    ("name", "block"), [(name, block) for block in ("sas_kr", "jmp_kr") for name in having(block)]
)
def test_coefficients(name: str, block: str) -> None:
    expected = printed(CASES[name][block])
    table = model_of(name).coef_table(ddf=OBSERVED).loc[expected.index]
    rtol_se, rtol_df = STOPPED_EARLY.get(name, TOLERANCES)
    # 1) estimates of unbalanced data follow theta, in units of their errors
    apart = (table["estimate"] - expected["estimate"]) / expected["se"]
    assert np.abs(apart).max() < rtol_se
    np.testing.assert_allclose(table["se"], expected["se"], rtol=rtol_se)
    np.testing.assert_allclose(table["df"], expected["df"], rtol=rtol_df)


@pytest.mark.parametrize("block", ["sas_f_kr", "jmp_f_kr"])
def test_f_of_several_rows(block: str) -> None:
    """The F statistic with its scaling: three rows for the periods of an unbalanced trial."""
    expected = pd.DataFrame.from_dict(
        CASES["bioequivalence"][block], orient="index", columns=["num_df", "den_df", "F"]
    )
    table = model_of("bioequivalence").anova(type=3, ddf=OBSERVED).loc[expected.index]
    np.testing.assert_array_equal(table["num_df"], expected["num_df"])
    np.testing.assert_allclose(table["den_df"], expected["den_df"], rtol=1e-7)
    np.testing.assert_allclose(table["F"], expected["F"], rtol=1e-7)


def test_satterthwaite_of_sas() -> None:
    """SAS averages the rows of an F test as lmerTest does."""
    block = CASES["bioequivalence"]["sas_f_satterthwaite"]
    expected = pd.DataFrame.from_dict(block, orient="index", columns=["num_df", "den_df", "F"])
    table = model_of("bioequivalence").anova(type=3).loc[expected.index]
    np.testing.assert_allclose(table["F"], expected["F"], rtol=1e-7)
    np.testing.assert_allclose(table["den_df"], expected["den_df"], rtol=1e-6)


@pytest.mark.parametrize("name", having("sas_asycov"))
def test_covariance_of_the_variances(name: str) -> None:
    """W itself: SAS prints it as the asymptotic covariance of the variances and covariances."""
    fit = model_of(name)._fit
    bound = OBSERVED.bind(fit)
    assert isinstance(bound, KenwardRogerDdf)
    W = covariance_of_variances(fit, bound)
    expected = np.array(CASES[name]["sas_asycov"])
    units = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    atol = 5e-4 if name in STOPPED_EARLY else 2e-6
    np.testing.assert_allclose(W / units, expected / units, atol=atol)


@pytest.mark.parametrize("name", having("sas_unadjusted_se"))
def test_the_adjustment(name: str) -> None:
    """Standard errors before the adjustment are SAS's as well, so that the adjustment is its own."""
    table = model_of(name).coef_table(ddf="satterthwaite")
    for row, se in CASES[name]["sas_unadjusted_se"].items():
        np.testing.assert_allclose(table.loc[row, "se"], se, rtol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_expected_information_is_pbkrtests(name: str) -> None:
    model = model_at(name, R[name]["theta"])
    for method, rtol in (("kenward-roger", 1e-7), ("satterthwaite", 2e-5)):
        expected = printed(R[name][method])
        table = model.coef_table(ddf=method).loc[expected.index]
        np.testing.assert_allclose(table["se"], expected["se"], rtol=1e-7)
        np.testing.assert_allclose(table["df"], expected["df"], rtol=rtol)


@pytest.mark.parametrize("method", ["kenward-roger", "satterthwaite"])
def test_f_of_several_rows_is_lmertests(method: str) -> None:
    expected = R["bioequivalence"][f"{method}_f"]
    table = model_at("bioequivalence", R["bioequivalence"]["theta"]).anova(type=3, ddf=method)
    for term, (num_df, den_df, F) in expected.items():
        np.testing.assert_allclose(table.loc[term, ["num_df", "den_df", "F"]], [num_df, den_df, F], rtol=1e-5)


def test_the_two_informations_differ_where_they_should() -> None:
    """Balanced data have one answer; the others differ by more than any tolerance here."""
    for name, differs in (("sleepstudy", False), ("pastry_dough", True), ("battery_cell", True)):
        one, two = (model_of(name).coef_table(ddf=ddf)["df"] for ddf in (OBSERVED, "kenward-roger"))
        assert (np.abs(one / two - 1).max() > 1e-2) is np.bool_(differs)


@pytest.mark.parametrize("name", ["battery_cell", "sleepstudy_square_apart"])
def test_where_sas_stopped_early(name: str) -> None:
    """At the theta that reproduces SAS's standard errors, its degrees of freedom are reproduced too."""
    from scipy.optimize import least_squares

    model = model_of(name)
    expected = printed(CASES[name]["sas_kr"]).loc[model.coef_table().index]

    def logs(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        table = model_at(name, theta).coef_table(ddf=OBSERVED)
        return np.log(table["se"] / expected["se"]), np.log(table["df"] / expected["df"])

    theta = least_squares(lambda theta: logs(theta)[0], model.theta, xtol=1e-15, ftol=1e-15).x
    se, df = logs(theta)
    assert np.abs(se).max() < 1e-6
    assert np.abs(df).max() < 2e-5
    assert model_at(name, theta).loglik <= model.loglik


def test_a_variance_at_zero_is_no_parameter() -> None:
    """As in SAS: the answers are those of the model without the term, down to a linear model."""
    dyestuff2 = interlace.datasets.load("dyestuff2")
    model = interlace.lmer("Yield ~ 1 + (1 | Batch)", dyestuff2)
    assert model.is_singular
    row = model.coef_table(ddf=OBSERVED).loc["Intercept"]
    np.testing.assert_allclose(row["df"], 29, rtol=1e-9)
    np.testing.assert_allclose(row["se"], dyestuff2["Yield"].std() / np.sqrt(30), rtol=1e-9)
    assert "known to be zero" in str(model.summary(ddf=OBSERVED))
    # beside a variance that is not zero
    table = data_of("pastry_dough")
    table = table.assign(useless=np.tile([1, 2, 3, 4], 7))
    formula = CASES["pastry_dough"]["formula"]
    more = interlace.lmer(f"{formula} + (1 | useless)", table)
    assert more.theta[1] == 0 < more.theta[0]
    expected = model_of("pastry_dough").coef_table(ddf=OBSERVED)
    pd.testing.assert_frame_equal(more.coef_table(ddf=OBSERVED), expected, rtol=1e-5)
    assert not np.allclose(more.coef_table(ddf="kenward-roger")["df"], expected["df"], rtol=1e-2)


def test_a_singular_covariance_matrix_has_no_observed_information() -> None:
    autism = interlace.datasets.load("autism")
    model = interlace.lmer("vsae ~ age2 * sicdegp + (age2 | childid)", autism)
    with pytest.raises(interlace.ModelError, match=r"\(age2 \| childid\) is singular"):
        model.coef_table(ddf=OBSERVED)
