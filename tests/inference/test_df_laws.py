"""Laws of the degrees of freedom: units, order, coding, balance, size, and refusals."""

from __future__ import annotations

import math
import re
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.design.encoding import Encoding
from interlace.estimation.fit import at_theta
from interlace.formula.parser import parse
from interlace.precision import information as moments
from interlace.precision import rotated, varpar
from interlace.precision.df import Asymptotic, KenwardRoger, Satterthwaite, ddf_method
from made_data import banded, crossed, one, table

METHODS = [Satterthwaite(), KenwardRoger(), KenwardRoger("observed")]
SLOPES = "y ~ x + z + f + (x | a) + (1 | b)"


def _data() -> dict[str, Any]:
    return crossed(np.random.default_rng(3), 200, (14, 9))


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_units_do_not_matter(method: Any) -> None:
    data = _data()
    scaled = data | {"x": 1e4 * data["x"], "z": 1e-5 * data["z"], "y": 1e3 * data["y"]}
    plain, other = interlace.lmer(SLOPES, data), interlace.lmer(SLOPES, scaled)
    a, b = plain.coef_table(ddf=method), other.coef_table(ddf=method)
    np.testing.assert_allclose(a["df"], b["df"], rtol=1e-5)
    np.testing.assert_allclose(a["t"], b["t"], rtol=1e-5)
    # F of rows in very different units is not a test of the largest alone
    first, second = (m.contrast_test(np.eye(5)[1:], ddf=method) for m in (plain, other))
    assert first.num_df == second.num_df == 4
    np.testing.assert_allclose(first.F, second.F, rtol=1e-5)
    if isinstance(method, KenwardRoger):  # Satterthwaite's joint df depends on units, in lmerTest as well
        np.testing.assert_allclose(first.den_df, second.den_df, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_the_origin_of_a_slope_does_not_matter(method: Any) -> None:
    data = _data()
    moved = data | {"x": data["x"] + 100.0}
    a = interlace.lmer(SLOPES, data).coef_table(ddf=method).drop(index="Intercept")
    b = interlace.lmer(SLOPES, moved).coef_table(ddf=method).drop(index="Intercept")
    pd.testing.assert_frame_equal(a, b, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_the_order_of_terms_does_not_matter(method: Any) -> None:
    a = interlace.lmer(SLOPES, _data()).coef_table(ddf=method)
    b = interlace.lmer("y ~ x + z + f + (1 | b) + (x | a)", _data()).coef_table(ddf=method)
    pd.testing.assert_frame_equal(a, b, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_a_joint_test_does_not_depend_on_the_rows_that_say_it(method: Any) -> None:
    model = interlace.lmer(SLOPES, _data())
    rows = np.eye(5)[3:]
    said_otherwise = np.array([[2.0, 0.0], [1.0, -1.0], [3.0, 1.0]]) @ rows
    a, b = model.contrast_test(rows, ddf=method), model.contrast_test(said_otherwise, ddf=method)
    assert a.num_df == b.num_df == 2
    np.testing.assert_allclose(a.F, b.F, rtol=1e-9)
    if isinstance(method, KenwardRoger):  # Satterthwaite's joint df does, in lmerTest as well
        np.testing.assert_allclose(a.den_df, b.den_df, rtol=1e-9)


def test_balanced_designs_have_the_df_of_the_analysis_of_variance() -> None:
    model = interlace.lmer("yield_ ~ C(nitro) + (1 | Block / Variety)", _oats())
    for method in METHODS:  # expected and observed information agree there
        table_ = model.coef_table(ddf=method).drop(index="Intercept")
        np.testing.assert_allclose(table_["df"], 51.0, rtol=1e-6)
    plots = interlace.lmer("yield_ ~ C(nitro) * Variety + (1 | Block / Variety)", _oats())
    for method in METHODS:
        varieties = plots.anova(type=3, ddf=method).loc["Variety"]
        np.testing.assert_allclose([varieties["num_df"], varieties["den_df"]], [2, 10], rtol=1e-6)


def _oats() -> pd.DataFrame:
    return pd.DataFrame(interlace.datasets.load("oats")).rename(columns={"yield": "yield_"})


def test_expected_and_observed_information_agree_in_a_balanced_design() -> None:
    fit = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("dyestuff")).fit
    expected, observed = KenwardRoger().bind(fit), KenwardRoger("observed").bind(fit)
    np.testing.assert_allclose(expected.vcov, observed.vcov, rtol=1e-6)
    np.testing.assert_allclose([b.df(np.eye(1)) for b in (expected, observed)], 5.0, rtol=1e-6)


def test_expected_and_observed_information_differ_elsewhere() -> None:
    model = interlace.lmer(SLOPES, _data())
    a, b = (model.coef_table(ddf=KenwardRoger(kind)) for kind in ("expected", "observed"))
    assert np.abs(a["df"] / b["df"] - 1).max() > 1e-3


def test_pieces_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = banded(np.random.default_rng(4), 60)
    fit = interlace.lmer("y ~ x + (x | a) + (1 | b)", data).fit
    monkeypatch.setattr(rotated, "SMALL", 0.0)
    whole = KenwardRoger().bind(fit)
    monkeypatch.setattr("interlace.precision.components.CHUNK", 1)
    parts = KenwardRoger().bind(fit)
    np.testing.assert_allclose(whole.vcov, parts.vcov, rtol=1e-12)
    np.testing.assert_allclose(whole.W, parts.W, rtol=1e-9)


def test_many_levels_of_one_factor_need_no_dense_matrix() -> None:
    rng = np.random.default_rng(6)
    a = np.repeat(np.arange(100_000), 3)
    data = {"a": a, "x": rng.normal(size=a.size)}
    data["y"] = data["x"] + rng.normal(size=100_000)[a] + rng.normal(size=a.size)
    model = interlace.lmer("y ~ x + (1 | a)", data)
    start = time.process_time()
    table_ = model.coef_table(ddf="kenward-roger")
    assert time.process_time() - start < 30
    np.testing.assert_allclose(table_["df"], model.coef_table()["df"], rtol=1e-3)


def test_too_many_connected_effects_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = interlace.lmer("y ~ x + (1 | a) + (1 | b)", _data()).fit
    monkeypatch.setattr(rotated, "SMALL", 0.0)
    monkeypatch.setattr(moments, "COPIES", 1e6)
    monkeypatch.setattr(moments, "available_bytes", lambda: 2.0**28)
    with pytest.raises(interlace.ModelError, match=r"the 23 random effects that a, b connect.*GiB"):
        KenwardRoger().bind(fit)


def test_kenward_roger_is_for_reml() -> None:
    model = interlace.lmer("y ~ x + (1 | a)", _data(), reml=False)
    with pytest.raises(interlace.ModelError, match=r"refit\(reml=True\)"):
        model.coef_table(ddf="kenward-roger")
    refitted = model.refit(reml=True).coef_table(ddf="kenward-roger")
    assert np.isfinite(refitted["df"]).all()


def test_a_method_is_checked_at_the_door() -> None:
    assert ddf_method("Kenward_Roger") == KenwardRoger()
    with pytest.raises(interlace.DataError, match="satterthwaite, kenward-roger, asymptotic"):
        ddf_method("bw")
    with pytest.raises(interlace.DataError, match="KenwardRoger"):
        ddf_method(3)
    with pytest.raises(interlace.DataError, match="expected, observed"):
        KenwardRoger("exact")


def test_asymptotic_tests_are_normal() -> None:
    model = interlace.lmer("y ~ x + f + (1 | a)", one(np.random.default_rng(2)))
    table_ = model.coef_table(ddf=Asymptotic())
    assert np.isinf(table_["df"]).all()
    t = table_["t"].to_numpy()
    np.testing.assert_allclose(table_["p"], [_normal_tail(x) for x in t], rtol=1e-10)
    joint = model.contrast_test({"f[T.v]": 1}, ddf="asymptotic")
    np.testing.assert_allclose(joint.p, joint.rows["p"].iloc[0], rtol=1e-10)


def _normal_tail(x: float) -> float:
    return math.erfc(abs(x) / math.sqrt(2))


def test_a_model_without_fixed_effects_has_an_empty_table() -> None:
    model = interlace.lmer("y ~ 0 + (1 | a)", one(np.random.default_rng(2)))
    for method in ("satterthwaite", "kenward-roger", "asymptotic"):
        assert model.coef_table(ddf=method).shape == (0, 7)


def test_unidentified_variances_are_left_out_and_this_is_said() -> None:
    """Two grouping factors with the same groups: only the sum of their variances matters."""
    a = np.arange(60) // 4
    data = table(np.random.default_rng(8), a=a, b=a)
    alone = interlace.lmer("y ~ x + (1 | a)", data)
    encoding, design = Encoding.learn(parse("y ~ x + (1 | a) + (1 | b)"), data)
    both = at_theta(encoding, design, [0.6 * alone.theta[0], 0.8 * alone.theta[0]])
    notes = {KenwardRoger(): "1 direction of them left out", Satterthwaite(): "1 eigenvalue"}
    for method, words in notes.items():
        one_, two = method.bind(alone.fit), method.bind(both)
        assert one_.note == "" and words in two.note
        np.testing.assert_allclose(two.df(np.eye(2)), one_.df(np.eye(2)), rtol=1e-5)
        np.testing.assert_allclose(two.vcov, one_.vcov, rtol=1e-7)


@pytest.mark.parametrize("origin", [0.0, 6.5, 2000.0])
def test_what_rests_on_variances_seen_in_the_fixed_effects_only_has_no_test(origin: float) -> None:
    """A slope over six groups of a predictor constant within them, its mean free in either half of them."""
    r = np.random.default_rng(16)
    g = np.arange(36) // 6
    data = pd.DataFrame({"g": g, "half": pd.Categorical(g % 2), "x": r.integers(3, 10, 6)[g] - origin})
    data["y"] = r.normal(size=36) + r.normal(size=6)[g]
    data["y"] += 5 * r.normal(size=6)[g]
    data["t"] = r.normal(size=36)
    data["t"] -= data.groupby("g")["t"].transform("mean")
    said = r"variances and covariances of \(x \| g\) apart"
    with pytest.warns(interlace.IdentificationWarning, match=said):
        model = interlace.lmer("y ~ half * x + t + (x | g)", data)
    for ddf in ("satterthwaite", "kenward-roger", "asymptotic"):
        table = model.coef_table(ddf=ddf).drop(columns="estimate")
        assert table.drop("t").isna().all(axis=None)
        assert table.loc["t"].notna().all()
        if ddf != "asymptotic":  # as in a linear model with an intercept for each group
            assert table.loc["t", "df"] == pytest.approx(36 - 7, rel=2e-5)
        anova = model.anova(ddf=ddf)
        assert np.isnan(anova.loc["x", "p"]) and anova.loc["t", "p"] > 0
        assert re.search(said, " ".join(str(anova).split()))


def test_the_origin_of_a_predictor_does_not_matter() -> None:
    data = pd.DataFrame(interlace.datasets.load("sleepstudy"))
    tables = []
    for origin in (0.0, 2e4):
        data["day"] = data["Days"] + origin
        model = interlace.lmer("Reaction ~ day + (day | Subject)", data)
        assert "left out" not in KenwardRoger().bind(model.fit).note
        tables.append(model.coef_table(ddf="kenward-roger").loc["day"])
    pd.testing.assert_series_equal(*tables, rtol=1e-6)


@pytest.mark.parametrize("method", [*METHODS, Asymptotic()], ids=repr)
@pytest.mark.parametrize(
    ("what", "unit"),
    [("x", 1e-140), ("x", 1e-100), ("x", 1e130), ("y", 1e-45), ("y", 1e60), ("w", 1e-20), ("w", 1e130)],
)
def test_units_at_the_ends_of_floating_point(what: str, unit: float, method: Any) -> None:
    """Warnings of NumPy are errors here."""
    if (what == "y" and not 1e-50 < unit < 1e60) or (what == "w" and unit < 1e-20):
        return  # refused when the model is fitted
    data = _data()
    scaled = data | {what: unit * data[what]}
    plain, other = (interlace.lmer(SLOPES, d, weights="w") for d in (data, scaled))
    columns = ["df", "t"]
    np.testing.assert_allclose(
        plain.coef_table(ddf=method)[columns], other.coef_table(ddf=method)[columns], rtol=1e-4
    )
    for table_ in ("anova", "drop1"):
        a, b = (getattr(m, table_)(ddf=method)[["den_df", "F"]] for m in (plain, other))
        np.testing.assert_allclose(a, b, rtol=1e-4)
    tests = [m.contrast_test(np.eye(5)[1:], ddf=method).F for m in (plain, other)]
    np.testing.assert_allclose(*tests, rtol=1e-4)
    np.testing.assert_allclose(*(m.anova(test="chisq", type=2)["chisq"] for m in (plain, other)), rtol=1e-4)


@pytest.mark.parametrize("method", [*METHODS, Asymptotic()], ids=repr)
@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_the_size_of_a_contrast_does_not_matter(size: float, method: Any) -> None:
    model = interlace.lmer(SLOPES, _data())
    for L in (np.ones((1, 5)), np.eye(5)[1:4]):
        a, b = model.contrast_test(L, ddf=method), model.contrast_test(size * L, ddf=method, rhs=0.0)
        np.testing.assert_allclose([a.F, a.den_df, a.p], [b.F, b.den_df, b.p], rtol=1e-9)
        np.testing.assert_allclose(a.rows[["df", "t", "p"]], b.rows[["df", "t", "p"]], rtol=1e-9)
        np.testing.assert_allclose(size * a.rows["estimate"], b.rows["estimate"], rtol=1e-9)
        np.testing.assert_allclose(size * a.rows["se"], b.rows["se"], rtol=1e-9)


def test_contrasts_too_large_or_small_for_numbers_are_refused() -> None:
    model = interlace.lmer("y ~ x + (1 | a)", _data() | {"y": 1e20 * _data()["y"]})
    with pytest.raises(interlace.DataError, match="weights of L are too large"):
        model.contrast_test(np.array([0.0, 1e300]))
    for weight, rhs in ((1e-320, 1.0), (1e-300, 1e10)):
        with pytest.raises(interlace.DataError, match="weights of L are too small"):
            model.contrast_test(np.array([0.0, weight]), rhs=rhs)


def test_eigenvalues_that_are_known_to_be_flat() -> None:
    """Up to a thousandth of the curvature in one parameter; below a variance of zero it is curved."""
    values = np.array([-0.9e-3, 1.1e-3, 0.5, 1.2])
    np.testing.assert_array_equal(varpar._curved(values, 2), [False, True, True, True])
    np.testing.assert_array_equal(varpar._curved(values, 0), [True] * 4)
    np.testing.assert_array_equal(varpar._curved(np.array([1e-5, 2e-5]), 1), [False, True])
