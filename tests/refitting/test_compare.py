"""`compare` and `aic_table` against lme4's `anova`, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError, ModelError
from interlace.model import LinearMixedModel
from reference_data import array, load_case, load_data

NAMES = {
    "npar": "npar",
    "aic": "AIC",
    "bic": "BIC",
    "loglik": "logLik",
    "deviance": "deviance",
    "chisq": "Chisq",
    "df": "Df",
    "p": "Pr(>Chisq)",
}
DATA = {"sleepstudy": "sleepstudy", "cake": "cake", "pastes": "Pastes", "penicillin": "Penicillin"}
# Whether the fixed parts are the same, so that REML fits can be compared as they are: from which model on.
SAME_FIXED = {"sleepstudy": 1, "pastes": 0, "penicillin": 0}


def models(name: str, *, reml: bool) -> list[LinearMixedModel]:
    data = load_data(DATA[name])
    return [
        interlace.lmer(formula, data, reml=reml) for formula in load_case("extras", f"lrt_{name}")["formulas"]
    ]


def check(table: pd.DataFrame, expected: dict[str, Any], first: int = 0) -> None:
    for mine, theirs in NAMES.items():
        values = array(expected[theirs])[first:]
        skip = 1 if mine in ("chisq", "df", "p") else 0
        if mine == "p":
            np.testing.assert_allclose(np.log(table[mine][skip:]), np.log(values[skip:]), atol=1e-7)
        else:
            np.testing.assert_allclose(table[mine][skip:], values[skip:], rtol=1e-8, atol=1e-8)
    assert table[["chisq", "df", "p"]].iloc[0].isna().all()


@pytest.mark.parametrize("name", DATA)
def test_fits_by_maximum_likelihood(name: str) -> None:
    table = interlace.compare(*models(name, reml=False))
    check(table, load_case("extras", f"lrt_{name}")["anova_ml"])
    assert set(table["criterion"]) == {"ML"}


@pytest.mark.parametrize("name", DATA)
def test_fits_by_reml_are_refitted(name: str) -> None:
    table = interlace.compare(*models(name, reml=True))
    check(table, load_case("extras", f"lrt_{name}")["anova_refit_default"])
    assert set(table["criterion"]) == {"ML (refitted)"}


@pytest.mark.parametrize("name", SAME_FIXED)
def test_reml_as_it_is(name: str) -> None:
    first = SAME_FIXED[name]
    table = interlace.compare(*models(name, reml=True)[first:], refit=False)
    check(table, load_case("extras", f"lrt_{name}")["anova_reml_norefit"], first)
    assert set(table["criterion"]) == {"REML"}


@pytest.fixture(scope="module")
def sleep() -> dict[str, LinearMixedModel]:
    data = load_data("sleepstudy")
    return {
        "small": interlace.lmer("Reaction ~ Days + (1 | Subject)", data),
        "middle": interlace.lmer("Reaction ~ Days + (Days || Subject)", data, reml=False),
        "large": interlace.lmer("Reaction ~ Days + (Days | Subject)", data),
        "null": interlace.lmer("Reaction ~ 1 + (1 | Subject)", data),
    }


def test_order_and_names(sleep: dict[str, LinearMixedModel]) -> None:
    given = [sleep["large"], sleep["small"], sleep["middle"]]
    table = interlace.compare(*given)
    assert table.index.tolist() == ["m2", "m3", "m1"]
    assert table["npar"].tolist() == [4, 5, 6]
    assert table["criterion"].tolist() == ["ML (refitted)", "ML", "ML (refitted)"]
    assert table["formula"].tolist() == [sleep[k].formula for k in ("small", "middle", "large")]
    named = interlace.compare(*given, names=["large", "small", "middle"])
    assert named.index.tolist() == ["small", "middle", "large"]
    pd.testing.assert_frame_equal(named.reset_index(drop=True), table.reset_index(drop=True))


def test_refits_keep_the_options() -> None:
    data = load_data("sleepstudy")
    data.loc[7, "Reaction"] = np.nan
    options: dict[str, Any] = {"weights": "w", "offset": data["off"], "contrasts": {"grp": "sum"}}
    formulas = ["Reaction ~ grp + (1 | Subject)", "Reaction ~ grp * Days + (1 | Subject)"]
    by_reml = interlace.compare(*(interlace.lmer(f, data, **options) for f in formulas))
    by_ml = interlace.compare(*(interlace.lmer(f, data, reml=False, **options) for f in formulas))
    columns = ["npar", "aic", "bic", "loglik", "chisq", "df", "p"]
    pd.testing.assert_frame_equal(by_reml[columns], by_ml[columns], rtol=1e-9)


def test_deficient_rank_is_said_once() -> None:
    data = load_data("sleepstudy")
    with pytest.warns(interlace.RankDeficiencyWarning):
        m = interlace.lmer("Reaction ~ Days + Days2 + (1 | Subject)", data)
    table = interlace.compare(m, interlace.lmer("Reaction ~ 1 + (1 | Subject)", data))
    assert table["npar"].tolist() == [3, 4]


def test_same_number_of_parameters(sleep: dict[str, LinearMixedModel]) -> None:
    table = interlace.compare(sleep["small"], sleep["small"])
    assert table["df"].iloc[1] == 0.0
    assert np.isnan(table["p"].iloc[1])
    assert "m1 and m2 have as many parameters" in " ".join(str(table).split())


def test_models_that_are_no_better_have_chisq_zero() -> None:
    """A larger model is never worse than a nested one; with others the statistic stops at zero."""
    data = load_data("sleepstudy")
    a = interlace.lmer("Reaction ~ Days + (1 | Subject)", data)
    b = interlace.lmer("Reaction ~ grp + (1 | Subject)", data)
    assert interlace.compare(a, b)["chisq"].iloc[1] == 0.0
    assert interlace.compare(a, b)["p"].iloc[1] == 1.0
    text = " ".join(str(interlace.compare(a, b)).split())
    assert "m2 has more parameters than m1 and a lower likelihood: m1 is not nested in it" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": slice(0, 170)}, r"m1 and m2 were not fitted to the same data: 180 and 170 rows"),
        (
            {"formula": "log(Reaction) ~ Days + (1 | Subject)"},
            r"responses Reaction and log\(Reaction\) differ in 180",
        ),
        ({"y": 17}, r"the responses differ in 1 of 180 rows \(first: row 17"),
        ({"weights": "w"}, r"the weights differ in \d+ of 180 rows"),
    ],
)
def test_other_data_are_refused(
    sleep: dict[str, LinearMixedModel], change: dict[str, Any], message: str
) -> None:
    data = load_data("sleepstudy").iloc[change.get("rows", slice(None))]
    if "y" in change:
        data.loc[change["y"], "Reaction"] += 1
    formula = change.get("formula", "Reaction ~ Days + (1 | Subject)")
    other = interlace.lmer(formula, data, weights=change.get("weights"))
    with pytest.raises(DataError, match=message):
        interlace.compare(sleep["large"], other)
    with pytest.raises(DataError, match="same data"):
        interlace.aic_table(sleep["large"], other)
    with pytest.raises(DataError, match="same data"):
        interlace.bootstrap_compare(sleep["large"], other, n=2)


def test_weights_of_one_are_no_weights(sleep: dict[str, LinearMixedModel]) -> None:
    weighted = interlace.lmer(
        "Reaction ~ Days + (1 | Subject)", load_data("sleepstudy"), weights=np.ones(180)
    )
    assert interlace.compare(sleep["small"], weighted)["chisq"].iloc[1] == pytest.approx(0.0, abs=1e-9)


def test_reml_that_cannot_be_compared(sleep: dict[str, LinearMixedModel]) -> None:
    with pytest.raises(ModelError, match=r"m1 by REML and m2 by ML cannot be compared; use refit=True"):
        interlace.compare(sleep["small"], sleep["middle"], refit=False)
    with pytest.raises(ModelError, match=r"m1 and m2 were fitted by REML with different fixed parts"):
        interlace.compare(sleep["null"], sleep["small"], refit=False)
    data = load_data("sleepstudy")
    recoded = interlace.lmer("Reaction ~ I(2 * Days) + (1 | Subject)", data)
    with pytest.raises(ModelError, match="different fixed parts"):
        interlace.compare(recoded, sleep["small"], refit=False)


def test_order_of_columns_does_not_matter() -> None:
    data = load_data("sleepstudy")
    a = interlace.lmer("Reaction ~ Days + off + (1 | Subject)", data)
    b = interlace.lmer("Reaction ~ off + Days + (Days | Subject)", data)
    assert interlace.compare(a, b, refit=False)["criterion"].tolist() == ["REML", "REML"]


def test_arguments_are_checked(sleep: dict[str, LinearMixedModel]) -> None:
    m = sleep["small"]
    with pytest.raises(DataError, match="two models or more"):
        interlace.compare(m)
    with pytest.raises(DataError, match="2 models need as many different names"):
        interlace.compare(m, m, names=["a", "a"])
    with pytest.raises(DataError, match="not str"):
        interlace.compare(m, "model")
    with pytest.raises(DataError, match="refit must be True or False"):
        interlace.compare(m, m, refit="no")
    with pytest.raises(DataError, match="criterion 'dic' is not known"):
        interlace.aic_table(m, by="dic")


def test_aic_table(sleep: dict[str, LinearMixedModel]) -> None:
    chosen = {k: sleep[k] for k in ("null", "small", "middle", "large")}
    table = interlace.aic_table(*chosen.values(), names=list(chosen))
    r = load_case("extras", "lrt_sleepstudy")["anova_ml"]
    aic = pd.Series(array(r["AIC"]), index=list(chosen))
    assert table.index.tolist() == ["middle", "large", "small", "null"]
    np.testing.assert_allclose(table["aic"], aic[table.index], rtol=1e-9)
    np.testing.assert_allclose(table["delta"], (aic - aic.min())[table.index], atol=1e-6)
    weight = np.exp(-(aic - aic.min()) / 2)
    np.testing.assert_allclose(table["weight"], (weight / weight.sum())[table.index], rtol=1e-6)
    k = table["npar"]
    np.testing.assert_allclose(table["aicc"], table["aic"] + 2 * k * (k + 1) / (180 - k - 1), rtol=1e-12)
    by_bic = interlace.aic_table(*chosen.values(), names=list(chosen), by="bic")
    assert by_bic["delta"].to_numpy() == pytest.approx((by_bic["bic"] - by_bic["bic"].min()).to_numpy())
    assert by_bic["bic"].is_monotonic_increasing


def test_aicc_where_there_are_too_few_rows() -> None:
    data = {"y": [1.0, 3.0, 2.5, 7.0, 6.0], "x": [1.0, 2.0, 4.0, 3.0, 5.0], "g": ["a", "a", "b", "b", "b"]}
    m = interlace.lmer("y ~ x + (1 | g)", data, reml=False)
    assert np.isnan(interlace.aic_table(m)["aicc"].iloc[0])  # n - k - 1 = 0
    assert np.isfinite(interlace.aic_table(m)["aic"].iloc[0])
