"""The model that a user holds: forms of its answers, laws, errors at the door."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import interlace
from interlace.estimation.fit import at_theta
from reference_data import load_data

FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def model() -> interlace.LinearMixedModel:
    return interlace.lmer(FORMULA, load_data("sleepstudy"))


# ---- forms ---


def test_rows_come_back_with_the_index_of_the_data() -> None:
    data = load_data("sleepstudy_na")
    data.index = pd.Index([f"row{i}" for i in range(len(data))], name="id")
    model = interlace.lmer(FORMULA, data)
    complete = data.dropna().index
    for rows in (model.fitted, model.residuals(), model.predict()):
        assert isinstance(rows, pd.Series)
        pd.testing.assert_index_equal(rows.index, complete)
    pd.testing.assert_index_equal(model.simulate(2, seed=1).index, complete)


@pytest.mark.parametrize(
    ("convert", "kind"),
    [
        (pl.from_pandas, pl.Series),
        (lambda d: pa.Table.from_pandas(d, preserve_index=False), np.ndarray),
        (lambda d: {c: d[c].to_numpy() for c in d}, np.ndarray),
    ],
    ids=["polars", "pyarrow", "mapping"],
)
def test_every_library_gets_the_same_answers(
    model: interlace.LinearMixedModel, convert: Any, kind: type
) -> None:
    data = convert(load_data("sleepstudy"))
    other = interlace.lmer(FORMULA, data)
    np.testing.assert_allclose(other.fixef, model.fixef, rtol=1e-12)
    np.testing.assert_allclose(other.theta, model.theta, rtol=1e-12, atol=1e-12)
    for ours, theirs in (
        (other.fitted, model.fitted),
        (other.predict(data), model.predict(load_data("sleepstudy"))),
    ):
        assert isinstance(ours, kind)
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-12)
    pd.testing.assert_frame_equal(other.ranef()["Subject"], model.ranef()["Subject"], check_index_type=False)


def test_new_data_may_be_of_another_library(model: interlace.LinearMixedModel) -> None:
    new = pl.DataFrame({"Days": [1.0, 2.0], "Subject": ["308", "309"]})
    predicted = model.predict(new)
    assert isinstance(predicted, pl.Series) and len(predicted) == 2
    np.testing.assert_allclose(predicted.to_numpy(), model.predict(new.to_pandas()))


def test_answers_are_copies(model: interlace.LinearMixedModel) -> None:
    before = model.theta.copy(), model.fixef.copy(), model.condvar()["Subject"].copy()
    model.theta[:] = 0
    for series in (model.fixef, model.se):
        series.iloc[:] = 0
    for table in (model.ranef()["Subject"], model.vcov()):
        table.iloc[:, :] = 0
    model.condvar()["Subject"][:] = 0
    np.testing.assert_array_equal(model.theta, before[0])
    pd.testing.assert_series_equal(model.fixef, before[1])
    np.testing.assert_array_equal(model.condvar()["Subject"], before[2])
    assert np.abs(model.ranef()["Subject"].to_numpy()).sum() > 0
    assert np.diag(model.vcov()).min() > 0


def test_models_pickle(model: interlace.LinearMixedModel) -> None:
    other = pickle.loads(pickle.dumps(model))
    pd.testing.assert_series_equal(other.fixef, model.fixef)
    pd.testing.assert_series_equal(other.fitted, model.fitted)
    assert str(other.summary()) == str(model.summary())
    new = pd.DataFrame({"Days": [3.5], "Subject": ["308"]})
    pd.testing.assert_series_equal(other.predict(new), model.predict(new))
    np.testing.assert_allclose(
        other.refit(load_data("sleepstudy")["Reaction"] * 2).fixef, 2 * model.fixef, rtol=1e-5
    )


def test_models_with_user_functions_pickle() -> None:
    model = interlace.lmer("np.log(Reaction) ~ np.sqrt(Days) + (1 | Subject)", load_data("sleepstudy"))
    other = pickle.loads(pickle.dumps(model))
    new = load_data("sleepstudy").iloc[:5]
    pd.testing.assert_series_equal(other.predict(new), model.predict(new))


def test_functions_of_the_caller_can_be_used() -> None:
    def halved(x: Any) -> Any:
        return x / 2

    data = load_data("sleepstudy")
    model = interlace.lmer("Reaction ~ halved(Days) + (1 | Subject)", data)
    plain = interlace.lmer("Reaction ~ Days + (1 | Subject)", data)
    assert model.fixef["halved(Days)"] == pytest.approx(2 * plain.fixef["Days"])
    np.testing.assert_allclose(model.predict(data), plain.predict(data))


# ---- terms on one factor ---


def test_terms_on_one_factor_stand_side_by_side() -> None:
    model = interlace.lmer("Reaction ~ Days + (Days || Subject)", load_data("sleepstudy"))
    table = model.ranef()["Subject"]
    assert list(model.ranef()) == ["Subject"] and list(table) == ["Intercept", "Days"]
    assert list(model.varcorr()["group"]) == ["Subject", "Subject.1", "Residual"]
    assert model.condvar()["Subject"].shape == (18, 2, 2)


def test_effects_without_a_fixed_part_have_centre_zero() -> None:
    model = interlace.lmer("Reaction ~ 1 + (Days | Subject)", load_data("sleepstudy"))
    coef, ranef = model.coef()["Subject"], model.ranef()["Subject"]
    assert list(coef) == ["Days", "Intercept"]
    pd.testing.assert_series_equal(coef["Days"], ranef["Days"])


# ---- predictions ---


def test_parts_of_the_random_effects(model: interlace.LinearMixedModel) -> None:
    data = load_data("sleepstudy").iloc[::9]
    b = model.ranef()["Subject"].loc[data["Subject"].astype(str)]
    centre = model.predict(data, random="none")
    np.testing.assert_allclose(
        model.predict(data, random=["(1 | Subject)"]), centre + b["Intercept"].to_numpy()
    )
    np.testing.assert_allclose(
        model.predict(data, random="(0 + Days | Subject)"), centre + b["Days"].to_numpy() * data["Days"]
    )
    both = model.predict(data, random=["(1 | Subject)", "(0 + Days | Subject)"])
    np.testing.assert_allclose(both, model.predict(data))
    for same in (
        "all",
        ["Subject"],
        "Subject",
        "(Days | Subject)",
        "Days || Subject",
        "~(Days | Subject)",
        "~ (1 | Subject) + (0 + Days | Subject)",
        ["Subject", "(1|Subject)"],
    ):
        np.testing.assert_allclose(model.predict(data, random=same), model.predict(data))
    np.testing.assert_array_equal(model.predict(data, random=[]), centre)


@pytest.mark.parametrize("random", ["Days", "(1 | Days)", ["(Reaction | Subject)"], "(1 |", [3], None, 0])
def test_unknown_parts_are_refused(model: interlace.LinearMixedModel, random: Any) -> None:
    with pytest.raises(interlace.DataError, match=r"random= .*choose 'all', 'none'"):
        model.predict(random=random)


def test_nested_factors_are_named_in_either_order() -> None:
    model = interlace.lmer("strength ~ 1 + (1 | batch/cask)", load_data("Pastes"))
    for same in ("batch:cask", "cask:batch", "(1 | batch:cask)", "(1|cask:batch)"):
        np.testing.assert_array_equal(model.predict(random=same), model.predict(random=["batch:cask"]))
    np.testing.assert_allclose(model.predict(random="(1 | batch/cask)"), model.predict())


def test_new_levels_are_refused_by_name(model: interlace.LinearMixedModel) -> None:
    new = pd.DataFrame({"Days": [1.0, 2.0, 3.0], "Subject": ["308", "somebody", "308"]})
    with pytest.raises(
        interlace.DataError, match=r"'Subject' has a level.*'somebody' \(first at row 1.*population"
    ):
        model.predict(new)
    predicted = model.predict(new, new_levels="population")
    centre = model.predict(new, random="none")
    assert predicted[1] == centre[1] and predicted[0] != centre[0]
    with pytest.raises(interlace.DataError, match="error, population"):
        model.predict(new, new_levels="ignore")


@pytest.mark.parametrize("new_levels", ["error", "population"])
def test_levels_of_another_type_are_no_new_levels(new_levels: str) -> None:
    data = load_data("sleepstudy")
    text, number = data.astype({"Subject": str}), data.astype({"Subject": str}).astype({"Subject": int})
    for old, new, words in (
        (text, number, "int here and of type str"),
        (number, text, "str here and of type int"),
    ):
        model = interlace.lmer("Reaction ~ Days + (1 | Subject)", old)
        with pytest.raises(
            interlace.DataError, match=rf"'Subject' matches.*'308' is of type {words} in the fit"
        ):
            model.predict(new, new_levels=new_levels)
        model.predict(new, random="none")
    nested = interlace.lmer(
        "Reaction ~ 1 + (1 | Subject:half)", number.assign(half=(number["Days"] > 4).astype(int))
    )
    with pytest.raises(interlace.DataError, match=r"'half' matches.*'0' is of type str here"):
        nested.predict(number.assign(half="0"), new_levels=new_levels)


def test_levels_need_not_be_given_for_the_population(model: interlace.LinearMixedModel) -> None:
    predicted = model.predict(pd.DataFrame({"Days": [0.0, 1.0]}), random="none")
    np.testing.assert_allclose(
        predicted, model.fixef["Intercept"] + model.fixef["Days"] * np.array([0.0, 1.0])
    )


def test_missing_values_give_missing_predictions(model: interlace.LinearMixedModel) -> None:
    new = pd.DataFrame({"Days": [1.0, np.nan, 3.0], "Subject": ["308", "308", None]}, index=[7, 5, 3])
    predicted = model.predict(new)
    assert list(predicted.index) == [7, 5, 3]
    assert list(predicted.isna()) == [False, True, True]
    assert list(model.predict(new, random="none").isna()) == [False, True, False]
    assert model.predict(new.iloc[[1]]).isna().all()


def test_a_missing_response_of_new_data_is_no_matter(model: interlace.LinearMixedModel) -> None:
    new = load_data("sleepstudy").iloc[:5].assign(Reaction=np.nan)
    np.testing.assert_allclose(model.predict(new), model.fitted.iloc[:5])


def test_new_data_may_be_empty(model: interlace.LinearMixedModel) -> None:
    assert len(model.predict(load_data("sleepstudy").iloc[:0])) == 0


def test_a_missing_column_of_new_data_is_named(model: interlace.LinearMixedModel) -> None:
    with pytest.raises(interlace.InterlaceError, match="Days"):
        model.predict(pd.DataFrame({"Subject": ["308"]}))


def test_offsets_are_part_of_predictions() -> None:
    data = load_data("sleepstudy")
    inside = interlace.lmer("Reaction ~ Days + offset(off) + (1 | Subject)", data)
    argument = interlace.lmer("Reaction ~ Days + (1 | Subject)", data, offset="off")
    np.testing.assert_allclose(inside.fixef, argument.fixef)
    for model in (inside, argument):
        np.testing.assert_allclose(model.predict(data), model.fitted, rtol=1e-12)
        np.testing.assert_allclose(data["Reaction"] - model.fitted, model.residuals(), atol=1e-9)


def test_offsets_of_new_data() -> None:
    data = load_data("sleepstudy")
    off, new = data["off"].to_numpy(), data.drop(columns="off").iloc[:20]
    expected = interlace.lmer("Reaction ~ Days + (1 | Subject)", data, offset="off").fitted[:20]
    for offset in (off, "off"):
        model = interlace.lmer("Reaction ~ Days + (1 | Subject)", data, offset=offset)
        np.testing.assert_allclose(model.predict(new, offset=off[:20]), expected, rtol=1e-12)
        np.testing.assert_allclose(model.predict(data[:20], offset="off"), expected, rtol=1e-12)
        gone = model.predict(new, offset=np.where(np.arange(20) == 3, np.nan, off[:20]))
        assert np.flatnonzero(gone.isna()).tolist() == [3]
        with pytest.raises(interlace.DataError, match="offset has 19 values"):
            model.predict(new, offset=off[:19])
        with pytest.raises(interlace.DataError, match="go with newdata"):
            model.predict(offset=off)


# ---- residuals ---


def test_kinds_of_residuals() -> None:
    data = load_data("sleepstudy")
    model = interlace.lmer("Reaction ~ Days + (1 | Subject)", data, weights="w")
    response = data["Reaction"] - model.fitted
    np.testing.assert_allclose(model.residuals(), response, atol=1e-10)
    np.testing.assert_allclose(model.residuals("pearson"), np.sqrt(data["w"]) * response, atol=1e-10)
    np.testing.assert_allclose(model.residuals("standardized"), np.sqrt(data["w"]) * response / model.sigma)
    with pytest.raises(interlace.DataError, match="response, pearson, standardized"):
        model.residuals("deviance")


# ---- simulate and refit ---


def test_simulated_responses_have_the_variance_of_the_model(model: interlace.LinearMixedModel) -> None:
    draws = model.simulate(4000, seed=1)
    assert list(draws)[:2] == ["sim_1", "sim_2"] and draws.shape == (180, 4000)
    parts = model.varcorr().set_index(["term1", "term2"], drop=False)["variance"].to_numpy()
    x = load_data("sleepstudy")["Days"].to_numpy()
    variance = parts[0] + 2 * x * parts[2] + x**2 * parts[1] + parts[3]
    np.testing.assert_allclose(draws.var(axis=1), variance, rtol=0.15)
    np.testing.assert_allclose(
        draws.mean(axis=1), model.predict(random="none"), atol=5 * np.sqrt(variance.max() / 4000)
    )
    same_subject = np.cov(draws.iloc[0], draws.iloc[9])[0, 1]
    np.testing.assert_allclose(same_subject, parts[0] + 9 * parts[2], rtol=0.25)
    assert abs(np.corrcoef(draws.iloc[0], draws.iloc[10])[0, 1]) < 0.08  # another subject


def test_simulated_random_effects_are_correlated_as_estimated() -> None:
    machines = load_data("Machines")
    model = interlace.lmer("score ~ Machine + (Machine | Worker)", machines)
    first = machines.groupby(["Worker", "Machine"], observed=True).head(1).sort_values(["Worker", "Machine"])
    draws = (
        model.simulate(3000, seed=2).loc[first.index].to_numpy().reshape(6, 3, 3000)
    )  # worker, machine, draw
    z = np.array([[1.0, m == "B", m == "C"] for m in "ABC"])
    parts = model.varcorr()["variance"].to_numpy()
    G = np.array(
        [[parts[0], parts[3], parts[4]], [parts[3], parts[1], parts[5]], [parts[4], parts[5], parts[2]]]
    )
    found = np.mean([np.cov(worker) for worker in draws], axis=0)
    np.testing.assert_allclose(found, z @ G @ z.T + parts[6] * np.eye(3), atol=0.05 * np.abs(G).max())


def test_simulation_respects_weights() -> None:
    data = load_data("sleepstudy").assign(w=np.where(np.arange(180) < 90, 1.0, 100.0))
    model = interlace.lmer("Reaction ~ Days + (1 | Subject)", data, weights="w")
    draws = model.simulate(2000, seed=3)
    within = (draws.iloc[::10].to_numpy() - draws.iloc[1::10].to_numpy()).var(axis=1)
    np.testing.assert_allclose(within[:9], 2 * model.sigma**2, rtol=0.2)
    np.testing.assert_allclose(within[9:], 2 * model.sigma**2 / 100, rtol=0.2)


def test_simulation_is_repeatable(model: interlace.LinearMixedModel) -> None:
    pd.testing.assert_frame_equal(model.simulate(2, seed=5), model.simulate(2, seed=5))
    assert not model.simulate(1, seed=5).equals(model.simulate(1, seed=6))
    pd.testing.assert_frame_equal(model.simulate(1, seed=np.random.default_rng(5)), model.simulate(1, seed=5))
    for n in (0, 1.5, True, "2"):
        with pytest.raises(interlace.DataError, match="positive whole number"):
            model.simulate(n)


def test_refit_equals_a_new_fit(model: interlace.LinearMixedModel) -> None:
    data = load_data("sleepstudy")
    y = model.simulate(1, seed=11)["sim_1"]
    refitted = model.refit(y)
    fresh = interlace.lmer(FORMULA, data.assign(Reaction=y))
    assert refitted.loglik == pytest.approx(fresh.loglik, abs=1e-7)
    np.testing.assert_allclose(refitted.fixef, fresh.fixef, rtol=1e-6)
    np.testing.assert_allclose(refitted.residuals(), y - refitted.fitted, atol=1e-8)
    assert model.fixef["Days"] == pytest.approx(10.467286, abs=1e-4)  # the model itself is as it was


def test_refit_keeps_every_option() -> None:
    data = load_data("sleepstudy_na")
    model = interlace.lmer(
        "Reaction ~ Days + offset(off) + (1 | Subject)", load_data("sleepstudy"), weights="w", reml=False
    )
    again = model.refit(load_data("sleepstudy")["Reaction"])
    assert not again.reml
    assert again.loglik == pytest.approx(model.loglik, abs=1e-7)
    with_gaps = interlace.lmer(FORMULA, data)
    of_kept_rows = with_gaps.refit(2 * data.dropna()["Reaction"])
    of_all_rows = with_gaps.refit(2 * data["Reaction"])
    np.testing.assert_allclose(of_kept_rows.fixef, of_all_rows.fixef, rtol=1e-10)
    np.testing.assert_allclose(of_kept_rows.fixef, 2 * with_gaps.fixef, rtol=1e-5)


def test_refit_by_the_other_criterion(model: interlace.LinearMixedModel) -> None:
    ml = model.refit(reml=False)
    assert ml.loglik == pytest.approx(-875.969672, abs=1e-5)
    assert ml.refit(reml=True).loglik == pytest.approx(model.loglik, abs=1e-7)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(7), "7 values"),
        (np.full(180, np.nan), "missing|finite"),
        (["a"] * 180, "number"),
        (np.zeros((180, 2, 1)), "one"),
        (np.zeros((180, 0)), "no column"),
        (np.ones((7, 2)), "column 0 .* 7 values"),
        (pd.DataFrame({"a": range(180), "b": ["x"] * 180}), "column 'b' .* numbers"),
    ],
)
def test_unusable_responses_are_refused(model: interlace.LinearMixedModel, y: Any, message: str) -> None:
    with pytest.raises(interlace.DataError, match=message):
        model.refit(y)


# ---- criteria ---


def test_deviance_and_reml_criterion(model: interlace.LinearMixedModel) -> None:
    assert model.reml_criterion == pytest.approx(1743.6282719585, abs=1e-6)
    ml = interlace.lmer(FORMULA, load_data("sleepstudy"), reml=False)
    assert ml.deviance == pytest.approx(-2 * ml.loglik)
    with pytest.raises(interlace.ModelError, match="maximum likelihood"):
        _ = ml.reml_criterion
    assert model.deviance > ml.deviance  # at the REML estimates, so not the minimum


def test_the_deviance_of_a_weighted_reml_fit_is_that_of_maximum_likelihood_at_its_theta() -> None:
    model = interlace.lmer("Reaction ~ Days + (1 | Subject)", load_data("sleepstudy"), weights="w")
    same_theta = at_theta(model.fit.encoding, model.fit.design, model.theta, reml=False)
    assert model.deviance == pytest.approx(same_theta.optimum.value, rel=1e-12)


# ---- the door ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reml": "yes"}, "reml must be True"),
        ({"reml": 1}, "reml must be True"),
        ({"na_action": "keep"}, "drop, exclude, error"),
    ],
)
def test_options_are_checked_at_the_door(options: dict[str, Any], message: str) -> None:
    with pytest.raises(interlace.DataError, match=message):
        interlace.lmer(FORMULA, load_data("sleepstudy"), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"REML": False}, "takes reml=False, not REML="),
        ({"Weights": "w"}, "takes weights=, not Weights="),
        ({"zzz": 1}, "no option 'zzz'.* formula, data, reml"),
    ],
)
def test_unknown_options_are_answered_with_the_known(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        interlace.lmer(FORMULA, load_data("sleepstudy"), **options)


def test_the_formula_must_be_text() -> None:
    with pytest.raises(interlace.DataError, match="text"):
        interlace.lmer(3, load_data("sleepstudy"))


def test_missing_values_can_be_refused() -> None:
    with pytest.raises(interlace.DataError, match="missing"):
        interlace.lmer(FORMULA, load_data("sleepstudy_na"), na_action="error")


def test_unknown_kinds_of_vcov_are_refused(model: interlace.LinearMixedModel) -> None:
    with pytest.raises(interlace.DataError, match="choose from model"):
        model.vcov("robust")
