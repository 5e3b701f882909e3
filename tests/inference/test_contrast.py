"""Linear hypotheses: how they are said, what is tested, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import interlace
from interlace.inference.estimates import fixed_effects
from interlace.precision.df import ddf_method

FORMULA = "angle ~ recipe + temp + (1 | recipe:replicate)"


@pytest.fixture(scope="module")
def model() -> interlace.LinearMixedModel:
    return interlace.lmer(FORMULA, interlace.datasets.load("cake"))


@pytest.fixture(scope="module")
def names(model: interlace.LinearMixedModel) -> list[str]:
    return list(model.fixef.index)


def test_the_ways_to_say_it_agree(model: interlace.LinearMixedModel, names: list[str]) -> None:
    b, c = names[1:3]
    rows = np.zeros((2, len(names)))
    rows[0, 1:3], rows[1, -1] = [1, -1], 2
    ways: list[Any] = [
        rows,
        rows.tolist(),
        pd.DataFrame(rows, columns=names),
        pd.DataFrame({b: [1, 0], c: [-1, 0], names[-1]: [0, 2]}),  # coefficients not named weigh 0
        {"b - c": {b: 1, c: -1}, "slope": pd.Series({names[-1]: 2.0})},
    ]
    tests = [model.contrast_test(L) for L in ways]
    for test in tests[1:]:
        pd.testing.assert_frame_equal(test.rows.reset_index(drop=True), tests[0].rows.reset_index(drop=True))
        assert (test.F, test.den_df, test.p) == (tests[0].F, tests[0].den_df, tests[0].p)
    assert list(tests[0].rows.index) == [f"{b} - {c}", f"2 {names[-1]}"]
    assert list(tests[4].rows.index) == ["b - c", "slope"]
    single = model.contrast_test({b: 1, c: -1})
    pd.testing.assert_frame_equal(single.rows, tests[0].rows.iloc[:1])
    pd.testing.assert_frame_equal(model.contrast_test(rows[0]).rows, single.rows)


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger", "asymptotic"])
def test_one_row_is_a_t_test(model: interlace.LinearMixedModel, names: list[str], ddf: str) -> None:
    test = model.contrast_test({names[-1]: 1}, rhs=0.1, ddf=ddf, level=0.9)
    row, coefficient = test.rows.iloc[0], model.coef_table(ddf=ddf).iloc[-1]
    assert row["estimate"] == pytest.approx(coefficient["estimate"])
    assert row["t"] == pytest.approx((coefficient["estimate"] - 0.1) / coefficient["se"])
    np.testing.assert_allclose([test.F, test.num_df, test.den_df], [row["t"] ** 2, 1, row["df"]], rtol=1e-9)
    assert test.p == pytest.approx(row["p"])
    # the interval holds just those values that the test does not reject
    for end in (row["lower"], row["upper"]):
        assert model.contrast_test({names[-1]: 1}, rhs=end, ddf=ddf).p == pytest.approx(0.1)


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_a_hypothesis_that_is_true_of_the_estimates(model: interlace.LinearMixedModel, ddf: str) -> None:
    test = model.contrast_test(np.eye(4)[1:], rhs=model.fixef.to_numpy()[1:], ddf=ddf)
    assert abs(test.F) < 1e-20 and test.p == pytest.approx(1.0)
    assert "F = " in str(test) and "df" in test._repr_html_()
    assert repr(test) == str(test)


def test_rows_that_follow_from_others(model: interlace.LinearMixedModel) -> None:
    rows = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [0, 1, -1, 0.0]])
    test = model.contrast_test(rows, rhs=[1, 2, -1])
    assert test.num_df == 2 and len(test.rows) == 3
    np.testing.assert_allclose(test.F, model.contrast_test(rows[:2], rhs=[1, 2]).F)
    with pytest.raises(interlace.DataError, match="contradicts"):
        model.contrast_test(rows, rhs=[1, 2, 0])


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_estimates_are_closed_under_rows(model: interlace.LinearMixedModel, ddf: str) -> None:
    estimates = fixed_effects(model.fit, ddf_method(ddf).bind(model.fit))
    C, D = np.array([[0, 1, -1, 0], [1, 0, 0, 60.0]]), np.array([[1.0, 2.0]])
    found = estimates.contrast(C, ["b - c", "at 60"]).contrast(D, ["both"])
    expected = model.contrast_test(D @ C, ddf=ddf).rows
    np.testing.assert_allclose(found.table(), expected[["estimate", "se", "df", "t", "p"]], rtol=1e-10)
    np.testing.assert_allclose(found.vcov, expected[["se"]] ** 2)
    np.testing.assert_allclose(np.ravel(found.interval(0.95)), expected[["lower", "upper"]].iloc[0])
    with pytest.raises(interlace.DataError, match="shape"):
        estimates.contrast(C, ["one"])


@pytest.mark.parametrize(
    ("L", "message"),
    [
        ({"recipe": 1}, "there is no coefficient 'recipe' .*; the model has Intercept"),
        ({"temp": "a"}, "weight of coefficient 'temp' must be a finite number"),
        ({"temp": np.nan}, "finite"),
        (np.eye(3), r"each of the 4 coefficients .*not shape \(3, 3\)"),
        (np.full(4, np.nan), "missing or infinite"),
        (object(), "L cannot be understood; give weights by name such as"),
        ({}, "weighs every coefficient 0, so that nothing is tested"),
        (np.zeros(4), "'row 1' of L weighs every coefficient 0"),
        ({"temp": 0}, "weighs every coefficient 0"),
        ({"a": {"temp": 1}, "b": {"temp": 0}}, "'b' of L weighs every coefficient 0"),
        ("temp - temp", "weighs every coefficient 0"),
        (pd.DataFrame({"temp": []}), "L has no rows"),
        ({"recipeB": 1}, r"no coefficient 'recipeB' \(did you mean 'recipe\[T.B\]'\?\)"),
        ({"(Intercept)": 1}, r"did you mean 'Intercept'\?"),
        ({"tmep": 1}, r"did you mean 'temp'\?"),
        ("tmep = 1", r"no coefficient 'tmep' \(did you mean 'temp'\?\)"),
        ("temp = 1 = 2", "more than one '='"),
        ("temp -", "something is missing in 'temp -'"),
        ("temp =", "something is missing"),
        ("temp / 2", "there is no coefficient 'temp / 2'"),
        ("", "something is missing"),
    ],
)
def test_what_is_refused(model: interlace.LinearMixedModel, L: Any, message: str) -> None:
    with pytest.raises(interlace.DataError, match=message):
        model.contrast_test(L)


def test_other_refusals(model: interlace.LinearMixedModel) -> None:
    with pytest.raises(interlace.DataError, match="one for each of the 4 rows"):
        model.contrast_test(np.eye(4), rhs=[1, 2])
    with pytest.raises(interlace.DataError, match="missing or infinite"):
        model.contrast_test(np.eye(4), rhs=np.inf)
    with pytest.raises(interlace.DataError, match="level"):
        model.contrast_test(np.eye(4), level=95)


def test_columns_left_out_cannot_be_contrasted() -> None:
    data = pd.DataFrame(interlace.datasets.load("sleepstudy"))
    data["Days2"] = 2 * data["Days"] + 1
    with pytest.warns(interlace.RankDeficiencyWarning):
        model = interlace.lmer("Reaction ~ Days + Days2 + (1 | Subject)", data)
    with pytest.raises(interlace.DataError, match="cannot be estimated"):
        model.contrast_test({"Days2": 1})
    assert model.contrast_test({"Days": 1, "Days2": 0}).p < 1e-10


def test_tables_of_other_libraries(model: interlace.LinearMixedModel, names: list[str]) -> None:
    weights = {names[1]: [1, 0], names[2]: [-1, 0], names[3]: [0.0, 2.5]}
    expected = model.contrast_test(pd.DataFrame(weights))
    for table in (pl.DataFrame(weights), pa.table(weights)):
        found = model.contrast_test(table)
        pd.testing.assert_frame_equal(found.rows, expected.rows)
        assert (found.F, found.p) == (expected.F, expected.p)
    with pytest.raises(interlace.DataError, match="weights of coefficient 'temp' are missing"):
        model.contrast_test(pl.DataFrame({"temp": [1, None]}))


@pytest.mark.parametrize(
    ("text", "weights", "rhs", "label"),
    [
        ("temp", {"temp": 1}, 0, "temp"),
        ("temp = 0.2", {"temp": 1}, 0.2, "temp = 0.2"),
        ("recipe[T.B] - recipe[T.C]", {"recipe[T.B]": 1, "recipe[T.C]": -1}, 0, "recipe[T.B] - recipe[T.C]"),
        ("recipe[T.B]==recipe[T.C]", {"recipe[T.B]": 1, "recipe[T.C]": -1}, 0, "recipe[T.B]==recipe[T.C]"),
        ("-2 temp + 1.5 * Intercept - 1 = 3", {"temp": -2, "Intercept": 1.5}, 4, None),
        ("0.5 = - -temp", {"temp": -1}, -0.5, None),
    ],
)
def test_text(
    model: interlace.LinearMixedModel, text: str, weights: dict[str, float], rhs: float, label: str | None
) -> None:
    found, expected = model.contrast_test(text), model.contrast_test(weights, rhs=rhs)
    pd.testing.assert_frame_equal(found.rows.reset_index(drop=True), expected.rows.reset_index(drop=True))
    assert label is None or list(found.rows.index) == [label]


def test_texts_together(model: interlace.LinearMixedModel) -> None:
    found = model.contrast_test(["temp = 0.1", "recipe[T.B]"])
    expected = model.contrast_test([[0, 0, 0, 1], [0, 1, 0, 0]], rhs=[0.1, 0])
    assert (found.F, found.den_df, found.num_df) == (expected.F, expected.den_df, 2)
    assert model.contrast_test("temp", rhs=0.1).p == model.contrast_test("temp = 0.1").p
    with pytest.raises(interlace.DataError, match="leave rhs out"):
        model.contrast_test("temp = 0.1", rhs=0.2)


def test_names_as_they_were_typed() -> None:
    data = interlace.datasets.load("cake")
    m = interlace.lmer("angle ~ recipe * poly(temp,2) + I(temp^3) + (1 | replicate)", data, reml=False)
    for typed, ours in (
        ("I(temp^3)", "I(temp ** 3)"),
        ("poly(temp,2)[1]", "poly(temp, 2)[1]"),
        ("poly(temp,2)[1]:recipe[T.B]", "recipe[T.B]:poly(temp, 2)[1]"),
        (" recipe[T.B] : poly( temp, 2)[1] ", "recipe[T.B]:poly(temp, 2)[1]"),
    ):
        assert list(m.contrast_test({typed: 1}).rows.index) == [ours]
        assert list(m.contrast_test(typed).rows.index) == [ours]
    table = m.anova(type=2, terms=["poly(temp,2)", "poly(temp,2):recipe"])
    assert list(table.index) == ["poly(temp, 2)", "recipe:poly(temp, 2)"]
    with pytest.raises(interlace.DataError, match=r"'recpie' is not a term .* \(did you mean 'recipe'\?\)"):
        m.anova(terms=["recpie"])
    for typed in ("(Intercept)", "Intercept"):
        with pytest.raises(interlace.DataError, match=r"did you mean '1'\?"):
            m.anova(terms=[typed])


def test_the_joint_test_is_of_the_rows_as_they_are_given() -> None:
    """Satterthwaite's df of several rows depend on their sizes beside each other, as in lmerTest."""
    m = interlace.lmer("Reaction ~ Days + (Days || Subject)", interlace.datasets.load("sleepstudy"))
    L, method = np.array([[1.0, 2.0], [0.0, 50.0]]), interlace.Satterthwaite()
    joint = m.contrast_test(L, rhs=[250.0, 400.0])
    expected = method.bind(m.fit).f_test(L, np.array([250.0, 400.0]))
    assert (joint.F, joint.den_df) == pytest.approx((expected.F, expected.den_df), rel=1e-10)
    assert m.contrast_test(L / np.abs(L).max(axis=1, keepdims=True)).den_df != pytest.approx(joint.den_df)


def test_a_hypothesis_that_is_far_beyond_the_estimate_has_an_infinite_statistic() -> None:
    """The distance over the standard error is beyond the largest number."""
    rows = np.arange(30)
    data = {"y": 1e-8 * np.sin(1.0 * rows), "f": np.array(list("ab"))[rows % 2], "g": rows % 5}
    m = interlace.lmer("y ~ f + (1 | g)", data)
    test = m.contrast_test([1, 0], rhs=1e308)
    assert test.rows["t"].iloc[0] == -np.inf and test.rows["p"].iloc[0] == 0
    table = m.emmeans("f").test(null=1e308)
    assert (table["t"] == -np.inf).all()
