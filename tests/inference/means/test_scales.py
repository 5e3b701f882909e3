"""Means of transformed responses on the scale of the response: beside R (scales.R), and by themselves."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

import interlace
from interlace.inference.means_view import as_ratio
from interlace.inference.response_scale import named_scale
from interlace.inference.undoing import known_names, undone
from interlace.model import LinearMixedModel
from means_beside_r import chains, compare, model_of, walked

LOGARITHMS = ["log(y / 2)", "log(2 * y)", "-log(y)", "log(y) / 2", "log(y, 2)", "3 * log(y)", "log2(y)"]
R_DIFFERENCES = 1e3  # R takes second derivatives by differences of 0.0005, too wide for 1 / y at 0.1


@pytest.mark.parametrize("one", chains("scales"))
def test_beside_r(one: dict[str, Any]) -> None:
    rough = one["model"] == "inverse" and any("bias_adjust" in step["options"] for step in one["chain"])
    compare(walked("scales", one), one["table"], precise=R_DIFFERENCES if rough else 1.0)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    some = pd.DataFrame({"A": np.repeat(["a", "b", "c"], 24), "g": np.tile(np.arange(8), 9)})
    effect = some["A"].map({"a": 0.0, "b": 0.4, "c": 0.7}) + rng.normal(0, 0.3, 8)[some["g"]]
    some["y"] = np.exp(1 + effect + rng.normal(0, 0.2, 72))
    some["share"] = special.expit(effect + rng.normal(0, 0.3, 72))
    some["either"] = effect + rng.normal(0, 1.0, 72)
    return some


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(pd.DataFrame(one), pd.DataFrame(other))


def fitted(response: str, data: pd.DataFrame) -> LinearMixedModel:
    return interlace.lmer(f"{response} ~ A + (1 | g)", data)


def fourth(y: Any) -> Any:
    return np.sqrt(np.sqrt(y))


def unheard_of(y: Any) -> Any:
    return np.sqrt(np.sqrt(y))


def logit(y: Any) -> Any:  # not what the name says
    return np.log(y)


# ---- ways back ----


@pytest.mark.parametrize("name", [*known_names(), "asin.sqrt"])
def test_known_scales_and_their_derivatives(name: str) -> None:
    scale = named_scale(name)
    there = scale.transform(np.array([0.2, 0.45, 0.7]))
    np.testing.assert_allclose(scale.inverse(there), [0.2, 0.45, 0.7], rtol=1e-12)
    step = 1e-5
    slope = (scale.inverse(there + step) - scale.inverse(there - step)) / (2 * step)
    bent = (scale.slope(there + step) - scale.slope(there - step)) / (2 * step)
    np.testing.assert_allclose(scale.slope(there), slope, rtol=1e-6)
    np.testing.assert_allclose(scale.curvature(there), bent, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "response",
    [*LOGARITHMS, "sqrt(sqrt(y))", "log(y)**3", "-1 / y", "100 - sqrt(y)", "I(y^-0.5)", "exp(-y / 10)",
     "2 ** share", "np.arcsin(np.sqrt(share))", "scale(log(y))", "np.log1p(y) * 2 - 1", "{y / 3}",
     "atanh(share)", "asinh(y)", "np.cbrt(y)", "np.reciprocal(y)", "np.square(y)"],
)  # fmt: skip
def test_chains_of_functions_lead_back(response: str, data: pd.DataFrame) -> None:
    """Also where R's emmeans takes the last function alone, or the number before it for granted."""
    means = fitted(response, data).emmeans("A")
    table = means.confint(type="response")
    column = "share" if "share" in response else "y"
    truth = data.groupby("A")[column].median()
    np.testing.assert_allclose(table["estimate"], truth, rtol=0.12)
    assert (table["lower"] < table["estimate"]).all() and (table["estimate"] < table["upper"]).all()
    np.testing.assert_allclose(means.regrid().frame["estimate"], table["estimate"], rtol=1e-12)
    np.testing.assert_allclose(means.regrid().frame["se"], table["se"], rtol=1e-12)


@pytest.mark.parametrize("response", LOGARITHMS)
def test_ratios_do_not_depend_on_the_units_of_the_logarithm(response: str, data: pd.DataFrame) -> None:
    plain = fitted("log(y)", data).emmeans("A").pairs().confint(type="response", adjust="none")
    other = fitted(response, data).emmeans("A").pairs().confint(type="response", adjust="none")
    for name in ("estimate", "se", "lower", "upper"):
        np.testing.assert_allclose(other[name], plain[name], rtol=1e-5)
    assert other["contrast"].tolist() == ["a / b", "a / c", "b / c"]


def test_logits_however_they_are_written(data: pd.DataFrame) -> None:
    first = fitted("qlogis(share)", data).emmeans("A", type="response")
    for response in ("log(share / (1 - share))", "special.logit(share)", "-log(1 / share - 1)"):
        other = fitted(response, data).emmeans("A", type="response")
        np.testing.assert_allclose(other.frame[["estimate", "se", "lower", "upper"]],
                                   first.frame[["estimate", "se", "lower", "upper"]], rtol=1e-5)  # fmt: skip
    assert "odds ratios back from the log odds ratio scale" in first.pairs().test().note


def test_limits_stay_where_the_transform_has_values(data: pd.DataFrame) -> None:
    some = data.assign(y=data["either"] ** 2)
    table = fitted("sqrt(y)", some).emmeans("A").confint(0.999999, type="response")
    assert (
        (table["lower"] >= 0).all()
        and (table["lower"] == 0).any()
        and (table["lower"] <= table["estimate"]).all()
    )
    table = fitted("1 / y", data).emmeans("A").confint(1 - 1e-15, type="response")
    assert np.isinf(table["upper"]).any() and (table["lower"] > 0).all()


def test_a_function_of_both_signs_has_no_way_back(data: pd.DataFrame) -> None:
    m = fitted("either ** 2", data)
    with pytest.raises(interlace.DataError, match="does not lead back to the values of 'either'"):
        m.emmeans("A", type="response")


def test_a_name_is_not_believed(data: pd.DataFrame) -> None:
    with pytest.raises(interlace.DataError, match="does not lead back"):
        interlace.lmer("logit(y) ~ A + (1 | g)", data).emmeans("A").regrid()


def test_functions_that_are_not_known(data: pd.DataFrame) -> None:
    m = interlace.lmer("unheard_of(y) ~ A + (1 | g)", data)
    means = m.emmeans("A")
    assert "on the unheard_of(y) scale, not that of the response" in means.frame.note
    for call in (
        lambda: m.emmeans("A", type="response"),
        lambda: means.confint(type="response"),
        lambda: means.test(type="response"),
        lambda: means.regrid(),
    ):
        with pytest.raises(interlace.DataError, match=r"'unheard_of' is undone is not known.*register_scale"):
            call()
    assert "contrasts are still on the unheard_of(y) scale" in means.pairs().test(type="response").note
    two = interlace.lmer("y + either ~ A + (1 | g)", data)
    with pytest.raises(interlace.DataError, match="no chain of functions of one column"):
        two.emmeans("A", type="response")


def test_registered_scales(data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    from interlace.inference import undoing

    monkeypatch.setattr(undoing, "_REGISTERED", {})
    known = interlace.lmer("sqrt(sqrt(y)) ~ A + (1 | g)", data).emmeans("A")
    expected = known.confint(type="response", bias_adjust=True, sigma=0.2)
    interlace.register_scale("fourth", inverse=lambda v: v**4, derivative=lambda v: 4 * v**3)
    for _ in range(2):
        found = interlace.lmer("fourth(y) ~ A + (1 | g)", data).emmeans("A")
        table = found.confint(type="response", bias_adjust=True, sigma=0.2)
        for name in ("estimate", "se", "lower", "upper"):
            np.testing.assert_allclose(table[name], expected[name], rtol=1e-5)  # three derivatives at most
        interlace.register_scale("fourth", inverse=lambda v: v**4)  # by differences
    with pytest.raises(interlace.DataError, match="was given no transform"):
        interlace.lmer("y ~ A + (1 | g)", data).emmeans("A").regrid("fourth")
    interlace.register_scale("sqrt(y) + sqrt(y + 1)", inverse=lambda v: ((v**2 - 1) / (2 * v)) ** 2)
    m = interlace.lmer("sqrt(y) + sqrt(y + 1) ~ A + (1 | g)", data)
    np.testing.assert_allclose(
        m.emmeans("A", type="response").frame["estimate"], data.groupby("A")["y"].median(), rtol=0.12
    )
    interlace.register_scale("logit", inverse=np.exp, derivative=np.exp, ratios=True)
    mine = interlace.lmer("logit(y) ~ A + (1 | g)", data).emmeans("A", type="response").pairs()
    theirs = interlace.lmer("log(y) ~ A + (1 | g)", data).emmeans("A", type="response").pairs()
    np.testing.assert_allclose(mine.frame["estimate"], theirs.frame["estimate"], rtol=1e-7)
    interlace.register_scale("fourth", inverse=lambda v: v**3)
    with pytest.raises(interlace.DataError, match="does not lead back"):
        interlace.lmer("fourth(y) ~ A + (1 | g)", data).emmeans("A", type="response")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": 3, "inverse": np.exp}, "name must be"),
        ({"name": "f", "inverse": None}, "inverse must be a function"),
        ({"name": "f", "inverse": np.exp, "derivative": 1.0}, "derivative must be a function"),
        ({"name": "f", "inverse": np.exp, "ratios": "yes"}, "ratios"),
    ],
)
def test_what_cannot_be_registered(options: dict[str, Any], said: str) -> None:
    with pytest.raises(interlace.DataError, match=said):
        interlace.register_scale(**options)


# ---- views ----


def test_what_is_asked_of_means_is_kept(data: pd.DataFrame) -> None:
    m = fitted("log(y)", data)
    shown, plain = m.emmeans("A", type="response", bias_adjust=True, sigma=0.5), m.emmeans("A")
    expected = plain.confint(type="response", bias_adjust=True, sigma=0.5)
    same(shown.frame, expected)
    same(shown[0:2].frame, expected[0:2])
    assert "bias adjustment by sigma = 0.5" in shown.frame.note
    assert "that of the residuals" in m.emmeans("A", type="response", bias_adjust=True).frame.note
    both = m.emmeans("pairwise ~ A", type="response")
    assert both.contrasts.frame["contrast"].tolist() == ["a / b", "a / c", "b / c"]
    assert both.contrasts.confint(type="link")["contrast"].tolist() == ["a - b", "a - c", "b - c"]
    np.testing.assert_allclose(shown.regrid().frame["estimate"], expected["estimate"])


def test_the_bias_of_means_cancels_in_ratios(data: pd.DataFrame) -> None:
    """R multiplies ratios by the adjustment too, though it is in both means."""
    means = fitted("log(y)", data).emmeans("A", type="response", bias_adjust=True, sigma=0.7)
    ratios = means.pairs(adjust="none").frame["estimate"].to_numpy()
    a, b, c = means.frame["estimate"]
    np.testing.assert_allclose(ratios, [a / b, a / c, b / c], rtol=1e-12)
    assert "bias adjustment leaves ratios as they are" in means.pairs().frame.note


def test_the_adjusted_mean_is_that_of_simulated_observations() -> None:
    scale, rng = named_scale("sqrt"), np.random.default_rng(1)
    drawn = scale.inverse(4.0 + 0.3 * rng.normal(size=400_000)).mean()
    assert abs(16.0 + 0.3**2 - drawn) < 0.02


def test_contrasts_without_a_place_on_the_scale_of_the_response(data: pd.DataFrame) -> None:
    logs, roots = (
        fitted("log(y)", data).emmeans("A", type="response"),
        fitted("sqrt(y)", data).emmeans("A", type="response"),
    )
    for contrast, name in (
        (roots.pairs(), "sqrt"),
        (logs.contrast("identity"), "log"),
        (logs.contrast({"mean": [0.5, 0.5, 0]}), "log"),
    ):
        assert f"contrasts are still on the {name} scale" in contrast.test().note
        pd.testing.assert_frame_equal(
            pd.DataFrame(contrast.confint(type="link")), pd.DataFrame(contrast.confint())
        )
    again = logs.pairs().contrast("pairwise")
    assert again.frame["estimate"].tolist() == np.exp(again.confint(type="link")["estimate"]).tolist()


def test_rows_of_two_scales_are_those_of_the_model(data: pd.DataFrame) -> None:
    means = fitted("qlogis(share)", data).emmeans("A", type="response")
    both = means + means.pairs()
    expected = [*means.confint(type="link")["estimate"], *means.pairs().confint(type="link")["estimate"]]
    np.testing.assert_allclose(both.frame["estimate"], expected)
    assert "rows of several scales have no common way back" in both.frame.note
    same(pd.DataFrame((means + means).frame[:3]), pd.DataFrame(means.frame))
    with pytest.raises(interlace.DataError, match="prediction intervals are those of means"):
        both.confint(interval="prediction")


def test_rows_with_other_degrees_of_freedom_stay_apart(data: pd.DataFrame) -> None:
    m = fitted("y", data)
    with pytest.raises(interlace.DataError, match="by Satterthwaite and by Kenward-Roger"):
        m.emmeans("A") + m.emmeans("A", ddf="kenward-roger")
    with pytest.raises(interlace.DataError, match="two covariances"):
        m.emmeans("A") + m.emmeans("A", vcov="CR0")
    assert len(m.emmeans("A") + m.emmeans("1")) == 4


def test_tests_say_on_which_scale_they_are(data: pd.DataFrame) -> None:
    note = fitted("log(y)", data).emmeans("A", type="response").test(null=1.0).note
    assert "tests are made on the log scale" in note and "null value 1" in note


def test_a_standardised_response_in_chunks(data: pd.DataFrame, tmp_path: Any) -> None:
    pytest.importorskip("pyarrow")
    data.to_parquet(tmp_path / "rows.parquet", row_group_size=11)
    whole = fitted("scale(log(y))", data).emmeans("A", type="response")
    chunks = interlace.lmer("scale(log(y)) ~ A + (1 | g)", interlace.parquet(tmp_path / "rows.parquet"))
    found = chunks.emmeans("A", type="response")
    for name in ("estimate", "se", "lower", "upper"):
        np.testing.assert_allclose(found.frame[name], whole.frame[name], rtol=1e-5)


def test_a_response_as_it_is_needs_no_way_back(data: pd.DataFrame) -> None:
    means = fitted("y", data).emmeans("A")
    same(means.confint(type="response"), means.confint())
    np.testing.assert_allclose(means.regrid().frame["estimate"], means.frame["estimate"])
    np.testing.assert_allclose(means.regrid().frame["se"], means.frame["se"])


def test_regrid_to_another_scale(data: pd.DataFrame) -> None:
    means = fitted("y", data).emmeans("A")
    logs = means.regrid("log")
    np.testing.assert_allclose(logs.confint(type="response")["estimate"], means.frame["estimate"])
    assert "brought to the log scale by way of the response" in logs.frame.note
    ratios = fitted("log(y)", data).emmeans("A").pairs()
    with pytest.raises(interlace.DataError, match="contrasts have no log scale of their own"):
        ratios.regrid("log")
    assert ratios.regrid().frame["contrast"].tolist() == ["a / b", "a / c", "b / c"]
    with pytest.raises(interlace.DataError, match="did you mean 'logit'"):
        means.regrid("logitt")
    with pytest.raises(interlace.DataError, match="has no place on the logit scale"):
        means.regrid("logit")


def test_labels_of_ratios_of_several_factors(data: pd.DataFrame) -> None:
    some = data.assign(B=np.where(np.arange(72) % 2, "p - 1", "q"))
    means = interlace.lmer("log(y) ~ A * B + (1 | g)", some).emmeans("A * B", type="response")
    table = means.contrast(interaction=["consec", "trt.vs.ctrl"]).frame
    assert table["A_consec"].tolist() == ["b / a", "c / b"]
    assert table["B_trt.vs.ctrl"].tolist() == ["q / (p - 1)"] * 2
    assert means.pairs(by="B").frame["B"].unique().tolist() == ["p - 1", "q"]


def test_labels_of_ratios() -> None:
    assert as_ratio("a - b") == "a / b"
    assert as_ratio("(a - 2) - (b - 1)") == "(a - 2) / (b - 1)"
    assert as_ratio("a effect") == "a effect" and as_ratio("x-1 - y") == "x-1 / y"


def test_values_can_be_pickled(data: pd.DataFrame) -> None:
    means = fitted("log(y)", data).emmeans("A", type="response")
    again = pickle.loads(pickle.dumps(means))
    same(again.frame, means.frame)
    assert undone(again.scale.steps[0]) is not None


def test_missing_means_stay_missing(data: pd.DataFrame) -> None:
    some = data.assign(B=np.where(np.arange(72) % 2, "p", "q"))
    some = some[~((some["A"] == "c") & (some["B"] == "q"))]
    with pytest.warns(interlace.RankDeficiencyWarning):
        m = interlace.lmer("sqrt(y) ~ A * B + (1 | g)", some)
    table = m.emmeans("A", type="response", bias_adjust=True).frame
    assert np.isnan(table[["estimate", "se", "lower", "upper"]]).all(axis=1).tolist() == [False, False, True]


# ---- prediction intervals ----


def test_prediction_intervals(data: pd.DataFrame) -> None:
    m = fitted("y", data)
    means = m.emmeans("A")
    table = means.confint(interval="prediction", sigma=2.0)
    np.testing.assert_allclose(table["se"], np.hypot(means.se, 2.0))
    assert "prediction intervals by sigma = 2" in table.note
    np.testing.assert_allclose(means.confint(interval="prediction")["se"], np.hypot(means.se, m.sigma))
    for contrast in (means.pairs(),):
        with pytest.raises(interlace.DataError, match="prediction intervals are those of means"):
            contrast.confint(interval="prediction")
    with pytest.raises(interlace.DataError, match="sigma"):
        means.confint(interval="prediction", sigma=-1.0)
    with pytest.raises(interlace.DataError, match="interval"):
        means.confint(interval="predictive")
    with pytest.raises(interlace.DataError, match="did you mean 'response'"):
        m.emmeans("A", type="respons")


def test_models_of_the_script_are_those_of_r() -> None:
    assert model_of("scales", "log").emmeans("A").scale == named_scale("log")
