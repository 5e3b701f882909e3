"""Variances that the data cannot tell are not printed, nor tests that rest on them; all else is right.

And models that are refused by counting elsewhere, though the data tell them. R's numbers: r/identification.R.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.precision import information as moments
from interlace.precision import rotated, unidentified
from interlace.precision.unidentified import Resting
from reference_data import load_data

R = json.loads((Path(__file__).parent / "r" / "identification.json").read_text())
DDF = ("satterthwaite", "kenward-roger", "asymptotic")


def data(name: str) -> pd.DataFrame:
    return pd.DataFrame(R["data"][name])


def warned(formula: str, table: Any, **options: Any) -> interlace.LinearMixedModel:
    """The fit of a model that is not identified: it says so once, where it was called."""
    with pytest.warns(interlace.IdentificationWarning, match="the data cannot tell") as said:
        model = interlace.lmer(formula, table, **options)
    assert [Path(w.filename).name for w in said] == [Path(__file__).name]
    return model


def like_lme4(model: interlace.LinearMixedModel, r: dict[str, Any], *, beta: bool = True) -> None:
    assert model.sigma == pytest.approx(r["sigma"], rel=1e-6)
    assert model.loglik == pytest.approx(r["loglik"], abs=1e-6)
    if beta:
        np.testing.assert_allclose(model.fixef, r["fixef"], rtol=1e-6)


def text(shown: Any) -> str:
    return " ".join(str(shown).split())


# ---- a grouping factor that is in the fixed part ---


def test_one_cage_per_treatment() -> None:
    """nlme gives 0 degrees of freedom and no p for the treatment."""
    assert R["two_lme"] == {"df": [22, 0], "p": ["number", "NaN"]}
    model = warned("y ~ treat + (1 | cage)", data("two"))
    like_lme4(model, R["two"])
    words = "the data cannot tell the variance of (1 | cage)"
    for ddf in DDF:
        row = model.coef_table(ddf=ddf).loc["treat[T.b]"]
        assert row.drop("estimate").isna().all()
        test = model.contrast_test({"treat[T.b]": 1.0}, ddf=ddf)
        assert np.isnan([test.F, test.den_df, test.p]).all() and test.num_df == 1
        for table in (model.anova(ddf=ddf), model.drop1(ddf=ddf), model.anova(test="wald", ddf=ddf)):
            assert table.loc["treat"].drop("num_df").isna().all()
            assert words in text(table)
        assert words in text(model.summary(ddf=ddf)) and words in text(test)
    for table, statistic in ((model.anova(test="chisq"), "chisq"), (model.drop1(test="lrt"), "lrt")):
        assert table.loc["treat", [statistic, "p"]].isna().all()
        assert words in text(table)
    assert model.se.isna().all() and model.vcov().isna().all(axis=None)
    assert words in str(model) and words in str(model.convergence)
    assert not model.is_singular


@pytest.mark.parametrize("reml", [True, False])
def test_within_cages_all_is_right(reml: bool) -> None:
    model = warned("y ~ treat + x + (1 | cage)", data("cages"), reml=reml)
    if reml:
        like_lme4(model, R["cages"])
    estimate, se, t, p = R["cages_lm"]
    for ddf in ("satterthwaite", "kenward-roger") if reml else ("satterthwaite",):
        table = model.coef_table(ddf=ddf)
        expected = [estimate, se, 26, t, p] if reml else [estimate, se * np.sqrt(26 / 30), 30]
        np.testing.assert_allclose(table.loc["x"].to_numpy()[: len(expected)], expected, rtol=1e-6)
        assert table.drop(index="x").drop(columns="estimate").isna().all(axis=None)
    vcov = model.vcov()
    assert vcov.loc["x"].notna().all() and vcov.drop(index="x", columns="x").isna().all(axis=None)
    # a difference of two treatments rests on the cages, a combination with x too
    assert np.isnan(model.contrast_test("treat[T.b] - treat[T.c]").p)
    assert np.isnan(model.contrast_test("treat[T.b] + x").p)
    assert model.contrast_test("2 * x = 1").p > 0
    joint = model.contrast_test(["treat[T.b]", "x"])
    assert np.isnan(joint.p) and joint.num_df == 2 and joint.rows["p"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("formula", "key", "unknown", "beta"),
    [
        ("Reaction ~ Days * Subject + (Days | Subject)", "both", [True, True, True], True),
        ("Reaction ~ Days + Subject + (Days | Subject)", "intercept", [True, False, True], False),
        ("Reaction ~ Days:Subject + (Days | Subject)", "slope", [False, True, True], False),
    ],
)
def test_covariance_matrices_that_are_told_in_part(
    formula: str, key: str, unknown: list[bool], beta: bool
) -> None:
    """Where one of two correlated effects is told, fixed effects rest on the correlation, in lme4 too."""
    model = warned(formula, load_data("sleepstudy"))
    like_lme4(model, R[key], beta=beta)
    table = model.varcorr(se=True)
    assert table["variance"].isna().tolist() == [*unknown, False]
    assert table["variance_se"].isna().tolist() == [*unknown, False]
    assert table["sd_se"].isna().tolist() == [unknown[0], unknown[1], True, False]
    assert table["corr"].isna().all() and table["corr_se"].isna().all()
    np.testing.assert_allclose(table["sd"].iloc[-1], R[key]["sigma"], rtol=1e-6)


@pytest.mark.parametrize("origin", [0.0, 1990.0])
def test_the_slope_beside_fixed_intercepts(origin: float) -> None:
    """Of a balanced design all that is about the slope is as in the model with random intercepts."""
    table = load_data("sleepstudy")
    table["Days"] += origin
    model = warned("Reaction ~ Days + Subject + (Days | Subject)", table)
    estimate, se, df, t, p = R["intercept_days"]
    for ddf in ("satterthwaite", "kenward-roger"):
        row = model.coef_table(ddf=ddf).loc["Days", "estimate":"p"]
        np.testing.assert_allclose(row.to_numpy(), [estimate, se, df, t, p], rtol=2e-5)
        assert np.isnan(model.anova(ddf=ddf).loc["Subject", "p"])
    vcov = model.vcov()
    # the covariance of a random intercept and a slope is not told either
    assert np.isnan(vcov.loc["Intercept", "Days"]) and vcov.loc["Days", "Days"] == pytest.approx(se**2)


@pytest.mark.parametrize("small", [0.0, rotated.SMALL])
@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger", interlace.KenwardRoger("observed")])
def test_directions_that_are_no_parameters(ddf: Any, small: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the groups are fixed, an intercept in the random term changes no test of slopes: its variance and
    covariances are left out of the parameters, by rows and by sums over pieces."""
    monkeypatch.setattr(rotated, "SMALL", small)
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(8), 8)
    x, z = rng.normal(size=(2, 64)) + 3
    y = 2 * rng.normal(size=8)[g] + (rng.normal(size=8)[g] + 1) * x + rng.normal(size=8)[g] * z
    data = {"g": g.astype(str), "x": x, "z": z, "y": y + rng.normal(size=64)}
    with pytest.warns(interlace.errors.IdentificationWarning):
        whole = interlace.lmer("y ~ g + x + z + (x + z | g)", data)
    least = interlace.lmer("y ~ g + x + z + (0 + x + z | g)", data)
    assert len(moments.parameters(whole.fit)) == len(moments.parameters(least.fit)) == 3
    tables = [m.coef_table(ddf=ddf).loc[["x", "z"], ["se", "df"]] for m in (whole, least)]
    np.testing.assert_allclose(*tables, rtol=1e-5)
    joint = [m.contrast_test(["x", "z"], ddf=ddf) for m in (whole, least)]
    np.testing.assert_allclose(*[(one.F, one.den_df) for one in joint], rtol=1e-4)


def test_groups_in_groups_that_are_fixed() -> None:
    table = load_data("Oats")
    model = warned("yield ~ nitro + Block + (1 | Block / Variety)", table)
    variances = model.varcorr().set_index("group")["variance"]
    assert np.isnan(variances["Block"]) and variances["Block:Variety"] > 0
    plain = interlace.lmer("yield ~ nitro + Block + (1 | Block:Variety)", table)
    assert model.sigma == pytest.approx(plain.sigma)
    assert variances["Block:Variety"] == pytest.approx(plain.varcorr()["variance"][0])
    for ddf in DDF:
        ours, theirs = model.coef_table(ddf=ddf), plain.coef_table(ddf=ddf)
        pd.testing.assert_series_equal(ours.loc["nitro"], theirs.loc["nitro"], rtol=1e-6)
        assert ours.drop(index="nitro")["p"].isna().all()


def test_a_slope_that_is_constant_within_groups() -> None:
    """Of two values: the data tell two numbers of the covariance matrix, and nothing rests on the third."""
    table = load_data("sleepstudy")
    table["old"] = (table["Subject"].astype(int) % 2) * 1.0
    model = warned("Reaction ~ Days + (old | Subject)", table)
    assert model.varcorr()["variance"].isna().tolist() == [False, True, True, False]
    assert "the variances and covariances of (old | Subject) apart" in str(model)
    for ddf in DDF:
        assert model.coef_table(ddf=ddf).notna().all(axis=None)
    assert not re.search("hypotheses", text(model.anova()))


# ---- two terms with one partition ---


@pytest.mark.parametrize("reml", [True, False])
def test_two_terms_with_one_partition(reml: bool) -> None:
    table = load_data("sleepstudy")
    table["Tutor"] = table["Subject"].astype(int) * 7
    one = interlace.lmer("Reaction ~ Days + (1 | Subject)", table, reml=reml)
    model = warned("Reaction ~ Days + (1 | Subject) + (1 | Tutor)", table, reml=reml)
    if reml:
        like_lme4(model, R["one_to_one"])
    assert model.varcorr()["variance"].isna().tolist() == [True, True, False]
    assert "the variances of (1 | Subject) and (1 | Tutor) apart" in text(model.summary())
    observed = interlace.KenwardRoger(information="observed")
    for ddf in (*DDF, observed) if reml else DDF[::2]:
        pd.testing.assert_frame_equal(model.coef_table(ddf=ddf), one.coef_table(ddf=ddf), rtol=1e-6)
    assert "cannot tell" not in text(model.anova())
    assert model.r2() == pytest.approx(one.r2())  # warnings are errors
    icc = model.icc()
    assert icc["adjusted"] == pytest.approx(one.icc()["adjusted"])
    assert np.isnan(list(icc["by_group"].values())).all()  # type: ignore[union-attr]
    deletions = model.ranova()
    assert deletions["p"].isna().all() and (deletions["df"].iloc[1:] == 0).all()
    np.testing.assert_allclose(model.predict(table), one.predict(table), rtol=1e-6)


# ---- what else is asked of such a fit ---


def test_effect_sizes_are_not_given() -> None:
    model = warned("y ~ treat + x + (1 | cage)", data("cages"))
    for asked in (model.r2, model.icc):
        with pytest.warns(interlace.InterlaceWarning, match=r"cannot tell the variance of \(1 \| cage\)"):
            found = asked()
        values = [v for v in found.values() if isinstance(v, float)]
        assert np.isnan(values).all()


def test_no_test_of_what_is_not_told() -> None:
    table = load_data("sleepstudy")
    model = warned("Reaction ~ Days + Subject + (Days | Subject)", table)
    slopes = model.ranova().loc["Days in (Days | Subject)"]
    assert slopes["df"] == 1 and slopes["p"] < 1e-7
    assert model.ranova(drop="terms").iloc[1]["df"] == 1
    cages = warned("y ~ treat + x + (1 | cage)", data("cages"))
    assert np.isnan(cages.ranova().iloc[1]["p"])
    smaller = interlace.lmer("y ~ x + (1 | cage)", data("cages"))
    between = interlace.compare(smaller, cages)
    assert np.isnan(between["p"].iloc[1]) and "on which the difference rests" in between.attrs["note"]
    without = warned("y ~ treat + (1 | cage)", data("cages"))
    assert interlace.compare(without, cages)["p"].iloc[1] < 0.01


def test_results_are_strict_json() -> None:
    model = warned("y ~ treat + x + (1 | cage)", data("cages"))
    found = json.loads(json.dumps(model.to_dict(), allow_nan=False))
    assert found["convergence"]["unidentified"] and not found["is_singular"]
    assert found["coefficients"]["p"][0] is None and found["coefficients"]["p"][-1] > 0


def test_refits_do_not_warn_again() -> None:
    model = warned("y ~ treat + x + (1 | cage)", data("cages"))
    for other in (model.refit(reml=False), model.refit(data("cages")["y"] ** 2)):
        assert np.isnan(other.se["treat[T.b]"]) and other.se["x"] > 0


@pytest.mark.parametrize(("times", "rests"), [(1.1, True), (0.9, False)])
def test_a_share_below_rounding_is_nothing(times: float, rests: bool) -> None:
    model = warned("y ~ treat + x + (1 | cage)", data("cages"))
    resting = Resting.of(model.fit)
    weights, K = resting.weights[0], resting.root
    # a row with this share of the largest that a row can have
    L = np.array([0.0, 0.0, 0.0, 1.0])
    unit = np.linalg.norm(L @ K) * np.linalg.norm(weights)
    part = np.array([1.0, 0.0, 0.0, 0.0])
    size = times * unidentified.NOTHING * unit / np.linalg.norm(part @ K @ weights)
    assert resting.rows((L + size * part)[None]).tolist() == [rests]


# ---- identified, though levels are as many as rows ---


def test_a_residual_variance_per_group() -> None:
    """lme4 with its checks switched off, and nlme's varIdent: sd ratio of the later days."""
    table = load_data("sleepstudy")
    table["late"] = (table["Days"] > 4) * 1.0
    table["row"] = np.arange(len(table))
    model = interlace.lmer("Reaction ~ Days + (1 | Subject) + (0 + late | row)", table)
    like_lme4(model, R["hetero"])
    assert model.loglik == pytest.approx(R["hetero_lme"]["loglik"], abs=1e-6)
    variance = model.varcorr().set_index("group")["variance"]
    ratio = np.sqrt((variance["row"] + variance["Residual"]) / variance["Residual"])
    assert ratio == pytest.approx(R["hetero_lme"]["ratio"][1], rel=1e-5)
    assert model.varcorr(se=True)["variance_se"].notna().all()
    for ddf in DDF:
        assert model.coef_table(ddf=ddf).notna().all(axis=None)


@pytest.mark.parametrize(("reml", "key"), [(True, "singles"), (False, "singles_ml")])
def test_many_groups_of_one(reml: bool, key: str) -> None:
    model = interlace.lmer("y ~ x + (x | g)", data("singles"), reml=reml)
    like_lme4(model, R[key])
    np.testing.assert_allclose(model.theta, R[key]["theta"], rtol=1e-4)


def test_one_row_per_study_with_known_weights() -> None:
    model = interlace.lmer("y ~ 1 + (1 | study)", data("studies"), weights="w")
    like_lme4(model, R["studies"])
    np.testing.assert_allclose(model.theta, R["studies"]["theta"], rtol=1e-4)
    with pytest.raises(interlace.ModelError, match="cannot be told from the residuals"):
        interlace.lmer("y ~ 1 + (1 | study)", data("studies"))


@pytest.mark.parametrize(
    "random", ["(1 | row)", "(x | pair)", "(1 | pair) + (1 | row)", "(0 + d | row) + (0 + e | row)"]
)
def test_what_can_stand_in_for_the_residuals_is_refused(random: str) -> None:
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"y": rng.normal(size=24), "row": np.arange(24), "pair": np.arange(24) // 2})
    table["x"], table["d"] = table["row"] % 2, (table["row"] > 9) * 1.0
    table["e"] = 1 - table["d"]
    with pytest.raises(interlace.ModelError, match=r"cannot be told from the residuals: \d+ random effects"):
        interlace.lmer(f"y ~ x + {random}", table)
