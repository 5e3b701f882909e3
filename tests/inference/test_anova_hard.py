"""Designs that are hard to get right, against R (`r/anova_hard.R`), and what must hold of any design.

Where R and this library differ is listed in `OTHER_THAN_R`, each with its reason.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.design.encoding import Encoding
from interlace.errors import DataError
from interlace.estimation.fit import Fit, at_theta
from interlace.formula.parser import parse
from interlace.inference.anova import hypotheses
from interlace.model import LinearMixedModel
from reference_data import array, frame

R = json.loads((Path(__file__).parent / "r" / "anova_hard.json").read_text())
CASES = {case["name"]: case for case in R["cases"]}
METHODS = {"satt": "satterthwaite", "kr": "kenward-roger"}
F_COLUMNS = {"sum_sq": "Sum Sq", "mean_sq": "Mean Sq", "num_df": "NumDF", "F": "F value"}

# lmerTest 3.1-3 overlooks containment where a factor of an interaction has no main effect: the entries of R's
# attr(terms, "factors") are then 2, and term_contain() looks for 1. Its answer depends on the order of levels
# (`test_the_rows_where_lmertest_depends_on_the_order_of_levels`).
_BUG = "lmerTest overlooks that the term is contained in another"
OTHER_THAN_R = {
    ("two_covariates", "anova_II", "w"): _BUG,
    ("two_covariates", "anova_III", "w"): _BUG,
    ("only_slopes", "anova_II", "a:x"): "lmerTest takes a:x as contained in b",
    ("nested", "anova_II", "a"): _BUG,
    ("nested", "anova_III", "a"): _BUG,
    ("nested_slopes", "anova_II", "a"): _BUG,
    ("nested_slopes", "anova_III", "a"): _BUG,
    ("one_main_effect", "anova_II", "b"): _BUG,
    ("one_main_effect", "anova_III", "b"): _BUG,
    (
        "no_intercept_two",
        "drop1_satt",
        "a",
    ): "without a, b is coded anew; lme4 does so too",
    ("no_main_effects", "car_3", "1"): "the intercept is another cell: R drops the last column of a:b",
}


def anova(fit: Fit, **options: Any) -> pd.DataFrame:
    return LinearMixedModel(fit).anova(**options)


def drop1(fit: Fit, **options: Any) -> pd.DataFrame:
    return LinearMixedModel(fit).drop1(**options)


@cache
def data() -> pd.DataFrame:
    table = pd.DataFrame(R["data"])
    table["o"] = pd.Categorical(table["o"], ["lo", "mid", "hi", "top"], ordered=True)
    return table


@cache
def fit_of(name: str) -> Fit:
    case = CASES[name]
    rows = data() if case["data"] == "all" else data()[data()["miss"]]
    contrasts = {k: v.removeprefix("contr.") for k, v in (case.get("contrasts") or {}).items()}
    encoding, design = Encoding.learn(parse(case["formula"]), rows, contrasts=contrasts)
    return at_theta(encoding, design, array(case["theta"]), reml=True)


def _key(label: str) -> str:
    """A label whatever the order of its members: R's I(x^2) and b:a are I(x ** 2) and a:b here."""
    return ":".join(sorted(label.replace("^", "**").replace(" ", "").replace("(Intercept)", "1").split(":")))


def _rows_of_r(name: str, block: str, kind: str) -> pd.DataFrame:
    expected = frame(CASES[name][block])
    expected.index = [_key(label) for label in expected.index]
    skipped = [_key(row) for (case, of, row) in OTHER_THAN_R if (case, of) == (name, kind)]
    assert set(skipped) <= set(expected.index)
    return expected.drop(index=skipped)


def _aligned(table: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    table = table.set_axis([_key(label) for label in table.index])
    assert set(expected.index) <= set(table.index)
    return table.loc[expected.index]


def _assert_f(table: pd.DataFrame, expected: pd.DataFrame, *, rtol_df: float) -> None:
    table = _aligned(table, expected)
    for ours, theirs in F_COLUMNS.items():
        np.testing.assert_allclose(table[ours], expected[theirs], rtol=1e-6)
    np.testing.assert_allclose(table["den_df"], expected["DenDF"], rtol=rtol_df)
    np.testing.assert_allclose(np.log(table["p"]), np.log(expected["Pr(>F)"]), rtol=1e-5, atol=1e-6)


# ---- R ---


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("type", [1, 2, 3])
@pytest.mark.parametrize("name", CASES)
def test_f_tables(name: str, type: int, method: str) -> None:
    kind = f"anova_{'I' * type}"
    expected = _rows_of_r(name, f"{kind}_{method}", kind)
    table = anova(fit_of(name), type=type, ddf=METHODS[method])
    _assert_f(table, expected, rtol_df=1e-5 if method == "satt" else 1e-6)
    assert len(table) == len(CASES[name][f"{kind}_{method}"][".rownames"])


@pytest.mark.parametrize("type", [2, 3])
@pytest.mark.parametrize("name", CASES)
def test_chi_square_tables(name: str, type: int) -> None:
    expected = _rows_of_r(name, f"car_{type}", f"car_{type}")
    labels = [label for label, _ in fit_of(name).encoding.fixed_terms]
    table = _aligned(anova(fit_of(name), type=type, test="chisq", terms=labels), expected)
    np.testing.assert_allclose(table["chisq"], expected["Chisq"], rtol=1e-7)
    np.testing.assert_array_equal(table["df"], expected["Df"])


@pytest.mark.parametrize("name", CASES)
def test_drop1_by_f(name: str) -> None:
    expected = _rows_of_r(name, "drop1_satt", "drop1_satt")
    table = drop1(fit_of(name))
    _assert_f(table, expected, rtol_df=1e-5)
    assert len(table) == len(CASES[name]["drop1_satt"][".rownames"])


@pytest.mark.parametrize("name", CASES)
def test_drop1_by_likelihood_ratio(name: str) -> None:
    expected = _rows_of_r(name, "drop1_chisq_ml", "drop1_chisq_ml")
    table = _aligned(drop1(fit_of(name), test="lrt"), expected)
    np.testing.assert_allclose(table["aic"], expected["AIC"], rtol=1e-8)
    np.testing.assert_array_equal(table["df"], expected["npar"])
    np.testing.assert_allclose(table["lrt"], expected["LRT"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(table["p"], expected["Pr(Chi)"], rtol=1e-4)


def test_the_rows_where_lmertest_depends_on_the_order_of_levels() -> None:
    for name, term in (("one_main_effect", "b"), ("nested", "a")):
        first = frame(CASES[name]["anova_III_satt"]).loc[term, "F value"]
        again = frame(R["lmertest_bug"][name]["anova_III_satt"]).loc[term, "F value"]
        assert abs(first / again - 1) > 0.5
    # ours: R's own answers where it does not overlook anything
    crossed = frame(CASES["no_intercept_crossed"]["anova_III_satt"]).loc["b", "F value"]
    np.testing.assert_allclose(anova(fit_of("one_main_effect")).loc["b", "F"], crossed, rtol=1e-4)
    joint = frame(R["joint_tests_nested"])  # rounded to three decimals by emmeans
    np.testing.assert_allclose(anova(fit_of("nested"))["F"], joint["F.ratio"], atol=6e-4)


# ---- laws ---


def _fitted(formula: str, table: pd.DataFrame | None = None, **options: Any) -> Fit:
    encoding, design = Encoding.learn(parse(formula), data() if table is None else table, **options)
    return at_theta(encoding, design, [0.9], reml=True)


def _relevelled(table: pd.DataFrame) -> pd.DataFrame:
    levels = {name: sorted(table[name].unique(), reverse=True) for name in ("a", "b", "c", "nested")}
    return table.assign(**{name: pd.Categorical(table[name], order) for name, order in levels.items()})


@pytest.mark.parametrize(
    "formula",
    [
        "a * b * c",
        "a * b + c",
        "a * x + b",
        "a * b * x",
        "b + a:b",
        "a / nested",
        "a / b / x",
        "a * poly(x, 2)",
    ],
)
@pytest.mark.parametrize("rows", ["all", "miss"])
def test_type_3_is_the_same_whatever_the_coding(formula: str, rows: str) -> None:
    table = data() if rows == "all" else data()[data()["miss"]]
    formula = f"y ~ {formula} + (1 | g)"
    expected = anova(_fitted(formula, table))
    used = [name for name in ("a", "b", "c", "nested") if re.search(rf"\b{name}\b", formula)]
    for coding in ("sum", "helmert", "poly", "sdif"):
        again = anova(_fitted(formula, table, contrasts=dict.fromkeys(used, coding)))
        pd.testing.assert_frame_equal(again, expected, rtol=1e-6)
    again = anova(_fitted(formula, _relevelled(table)))
    pd.testing.assert_series_equal(again["F"], expected["F"], rtol=1e-7)


def test_type_3_is_the_same_whatever_the_order_of_terms() -> None:
    first, second = _fitted("y ~ a * b * x + (1 | g)"), _fitted("y ~ x * b * a + (1 | g)")
    one, two = anova(first), anova(second)
    two.index = [":".join(sorted(label.split(":"))) for label in two.index]
    np.testing.assert_allclose(two.loc[one.index, "F"], one["F"], rtol=1e-8)


@pytest.mark.parametrize("type", [1, 2, 3])
def test_the_unit_of_a_covariate_is_irrelevant(type: int) -> None:
    formula = "y ~ a * x + b + (1 | g)"
    expected = anova(_fitted(formula), type=type)
    for factor in (1e-8, 1e8):
        again = anova(_fitted(formula, data().assign(x=data()["x"] * factor)), type=type)
        np.testing.assert_allclose(again["F"], expected["F"], rtol=1e-6)


def test_types_agree_where_all_terms_are_orthogonal() -> None:
    cake = interlace.datasets.load("cake")
    model = interlace.lmer("angle ~ recipe * temperature + (1 | recipe:replicate)", cake)
    tables = [model.anova(type=type) for type in (1, 2, 3)]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0], rtol=1e-6, check_exact=False)


def test_type_1_is_about_the_terms_before() -> None:
    """The first row of type 1 with the terms in either order, and the last equal to that of type 2."""
    for formula in ("y ~ a + x + (1 | g)", "y ~ x + a + (1 | g)"):
        one, two = (anova(_fitted(formula), type=type) for type in (1, 2))
        np.testing.assert_allclose(one["F"].iloc[-1], two["F"].iloc[-1], rtol=1e-9)
        assert abs(one["F"].iloc[0] / two["F"].iloc[0] - 1) > 1e-3


def test_chunks_of_rows_are_irrelevant(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = anova(fit_of("missing_cells_sum"))
    monkeypatch.setattr("interlace.inference.terms._CHUNK", 50)
    pd.testing.assert_frame_equal(anova(fit_of("missing_cells_sum")), expected, rtol=1e-9)


def test_hypotheses_are_estimable_and_of_full_rank() -> None:
    fit = fit_of("missing_cells")
    for type in (1, 2, 3):
        for term, L in hypotheses(fit, type).items():
            assert L.shape[1] == fit.solution.beta.size
            assert np.linalg.matrix_rank(L) == len(L), term


def test_rows_on_request() -> None:
    fit = fit_of("covariate")
    table = anova(fit, terms=["a:x", "1"])
    assert list(table.index) == ["a:x", "1"]
    pd.testing.assert_series_equal(table.loc["a:x"], anova(fit).loc["a:x"])
    # the intercept of type 3 is the mean over the levels, whatever the coding
    coded = _fitted("y ~ a + b + (1 | g)", contrasts={"a": "sum", "b": "sum"})
    plain = _fitted("y ~ a + b + (1 | g)")
    intercept = coded.solution.beta[0] ** 2 / (coded.sigma**2 * coded.solution.unscaled_vcov[0, 0])
    for fit in (coded, plain):
        np.testing.assert_allclose(anova(fit, terms=["1"]).loc["1", "F"], intercept, rtol=1e-9)


def test_a_term_without_columns_has_no_numbers() -> None:
    fit = fit_of("deficient")
    assert fit.dropped == ("x2",)
    for type in (1, 2, 3):
        assert anova(fit, type=type).loc["x2"].isna().all()
    chisq = anova(fit, test="chisq").loc["x2"]
    assert chisq["df"] == 0 and np.isnan(chisq["chisq"]) and np.isnan(chisq["p"])


def test_drop1_compares_models_whatever_the_coding() -> None:
    with_intercept, without = _fitted("y ~ a + b + (1 | g)"), _fitted("y ~ 0 + a + b + (1 | g)")
    pd.testing.assert_series_equal(drop1(without)["F"], drop1(with_intercept)["F"], rtol=1e-8)
    pd.testing.assert_frame_equal(drop1(without, test="lrt"), drop1(with_intercept, test="lrt"), rtol=1e-5)


def test_wrong_options_are_refused() -> None:
    fit = fit_of("one_factor")
    wrong: list[dict[str, Any]] = [
        {"type": 4},
        {"type": True},
        {"test": "LR"},
        {"test": "chisq", "type": 1},
        {"test": "wald", "type": 1},
        {"test": "chisq", "ddf": "satterthwaite"},
        {"terms": "a"},
        {"terms": ["b"]},
        {"ddf": "containment"},
    ]
    for options in wrong:
        with pytest.raises(DataError):
            anova(fit, **options)
    for options in ({"test": "F2"}, {"test": "lrt", "ddf": "asymptotic"}):
        with pytest.raises(DataError):
            drop1(fit, **options)


def test_a_name_with_a_dot_and_functions() -> None:
    table = data().rename(columns={"a": "my factor"})
    model = interlace.lmer("y ~ `my factor` * log(w) + I(x**2) + (1 | g)", table)
    assert list(model.drop1().index) == ["I(x ** 2)", "my factor:log(w)"]
    assert list(model.drop1(test="lrt").index) == ["<none>", "I(x ** 2)", "my factor:log(w)"]
    assert model.drop1(test="lrt")["df"].tolist()[1:] == [1, 2]


def test_functions_of_the_caller_and_weights() -> None:
    def shift(v: Any) -> Any:
        return v + 2.0

    table = data().assign(wt=1.0 + data()["w"])
    model = interlace.lmer("y ~ a + shift(x) + (1 | g)", table, weights="wt")
    plain = interlace.lmer("y ~ a + x + (1 | g)", table, weights="wt")
    for ours, theirs in ((model.anova(), plain.anova()), (model.drop1(test="lrt"), plain.drop1(test="lrt"))):
        np.testing.assert_allclose(ours.iloc[1:].dropna(), theirs.iloc[1:].dropna(), rtol=1e-4)
