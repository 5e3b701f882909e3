"""Comparisons of models with weights, an offset and missing values, against R (comparison.R); refusals."""

from __future__ import annotations

import json
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError
from interlace.estimation.fit import at_theta
from interlace.model import LinearMixedModel
from interlace.refitting.ranova import NOTE
from reference_data import array, frame

R = json.loads((Path(__file__).parent / "comparison.json").read_text())
LRT = {"npar": "npar", "loglik": "logLik", "aic": "AIC"}
MODELS = range(1, 6)


@cache
def data() -> pd.DataFrame:
    columns = {name: array(v) if name in "xowy" else v for name, v in R["data"].items()}
    return pd.DataFrame(columns)


@cache
def model(number: int, *, reml: bool = True) -> LinearMixedModel:
    return interlace.lmer(R["formulas"][number - 1], data(), weights="w", reml=reml)


def close(table: pd.DataFrame, expected: pd.DataFrame, names: dict[str, str]) -> None:
    for ours, theirs in names.items():
        if ours.startswith("p"):
            np.testing.assert_allclose(np.log(table[ours]), np.log(expected[theirs]), atol=1e-5)
        else:
            np.testing.assert_allclose(table[ours], expected[theirs], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("reml", [True, False])
def test_likelihood_ratios(reml: bool) -> None:
    names = {**LRT, "bic": "BIC", "deviance": "deviance", "chisq": "Chisq", "df": "Df", "p": "Pr(>Chisq)"}
    table = interlace.compare(*(model(i, reml=reml) for i in MODELS))
    close(table, frame(R["compare"]), names)
    as_is = interlace.compare(model(3), model(4), refit=False)
    close(as_is, frame(R["compare_reml"]), {k: names[k] for k in ("loglik", "chisq", "df", "p")})


def test_criteria_of_many_models() -> None:
    table = interlace.aic_table(*(model(i) for i in MODELS))
    np.testing.assert_allclose(table.loc[[f"m{i}" for i in MODELS], "aic"], R["aic"], rtol=1e-8)
    np.testing.assert_allclose(table.loc[[f"m{i}" for i in MODELS], "bic"], R["bic"], rtol=1e-8)
    assert table["aic"].is_monotonic_increasing
    np.testing.assert_allclose([model(i).aic for i in MODELS], R["aic_reml"], rtol=1e-8)
    np.testing.assert_allclose([model(i).bic for i in MODELS], R["bic_reml"], rtol=1e-8)


def _at(number: int, theta: list[float]) -> LinearMixedModel:
    fit = model(number).fit
    return LinearMixedModel(at_theta(fit.encoding, fit.design, theta))


def test_single_term_deletions() -> None:
    names = {"sum_sq": "Sum Sq", "mean_sq": "Mean Sq", "num_df": "NumDF", "F": "F value"}
    names |= {"den_df": "DenDF", "p": "Pr(>F)"}
    r = R["drop1"]
    for number, theta, block in ((4, "theta", "satterthwaite"), (5, "theta_5", "satterthwaite_5")):
        expected = frame(r[block])
        table = _at(number, r[theta]).drop1().loc[expected.index]
        for ours, theirs in names.items():
            np.testing.assert_allclose(table[ours], expected[theirs], rtol=1e-4)
    expected = frame(r["lrt"])
    table = model(4).drop1(test="lrt").loc[expected.index]
    close(table, expected, {"aic": "AIC", "df": "npar", "chisq": "LRT", "p": "Pr(Chi)"})


@pytest.mark.parametrize("reml", [True, False])
def test_random_terms(reml: bool) -> None:
    expected = frame(R["ranova" if reml else "ranova_ml"])
    table = model(4, reml=reml).ranova().loc[expected.index]
    close(table, expected, {**LRT, "lrt": "LRT", "df": "Df", "p": "Pr(>Chisq)"})
    if reml:
        close(table, expected, {"p_mixture": "mixture"})


# ---- what is said ---


def test_refits_are_said_in_print() -> None:
    note = "fitted by REML, and refitted by maximum likelihood for this table: m1, m2"
    table = interlace.compare(model(1), model(2), model(3, reml=False))
    assert table.attrs["note"] == note
    assert note in str(table)
    assert note in table._repr_html_()
    assert table["criterion"].tolist() == ["ML (refitted)", "ML (refitted)", "ML"]
    assert note in str(interlace.aic_table(model(1), model(2), model(3, reml=False)))
    by_ml = interlace.compare(model(1, reml=False), model(2, reml=False))
    assert str(by_ml).endswith("all fitted by maximum likelihood")
    assert str(interlace.compare(model(3), model(4), refit=False)).endswith("all fitted by REML")
    refitted = "the model was fitted by REML, and refitted by maximum likelihood"
    assert refitted in str(model(2).drop1(test="lrt"))
    assert refitted not in str(model(2, reml=False).drop1(test="lrt"))


def test_every_number_is_printed_where_columns_are_few() -> None:
    with pd.option_context("display.width", 40, "display.max_columns", 2):
        lines = str(interlace.compare(model(1), model(2))).splitlines()
        random = str(model(4).ranova())
    assert lines[1:3] == [f"m{i}: {R['formulas'][i - 1]}" for i in (1, 2)]
    assert lines[3].split() == list(interlace.compare(model(1), model(2)).columns[:-1])
    assert lines[5].split()[-5:] == ["91.231", "2", "<2e-16", "ML", "(refitted)"]
    assert "by REML" in random and "p_mixture" in random
    assert " ".join(random.split()).endswith(NOTE)


def test_what_is_made_of_a_table_is_a_plain_one() -> None:
    table = model(4).anova()
    for made in (table.round(2), table[["F", "p"]], table.loc[["x"]], table.iloc[1:], table.copy()):
        assert type(made) is not type(table) and isinstance(made, pd.DataFrame)
    assert str(table).startswith(
        "Type III Analysis of Variance Table with Satterthwaite degrees of freedom\n"
    )
    again = pickle.loads(pickle.dumps(table))
    assert str(again) == str(table)
    pd.testing.assert_frame_equal(again, table)


# ---- what is refused ---


def test_other_rows_are_refused_though_the_responses_are_equal() -> None:
    """Two columns with holes in different rows, and a response that does not tell rows apart."""
    table = pd.DataFrame({"y": [1.0, 2.0, 2.0, 3.0, 5.0, 4.0, 6.0, 3.0], "g": list("aabbccdd")})
    table["a"], table["b"] = np.arange(8.0) ** 2, np.sin(np.arange(8.0))
    table.loc[1, "a"] = table.loc[2, "b"] = np.nan
    one, two = (interlace.lmer(f"y ~ {x} + (1 | g)", table, reml=False) for x in "ab")
    assert (one.fit.design.y == two.fit.design.y).all()
    for compared in (interlace.compare, interlace.aic_table):
        with pytest.raises(DataError, match=r"1 of 7 rows are others \(first: row 2, counted from 0\)"):
            compared(one, two)


def test_other_weights_are_refused() -> None:
    other = interlace.lmer(R["formulas"][1], data())
    for compared in (interlace.compare, interlace.aic_table):
        with pytest.raises(DataError, match="the weights differ in"):
            compared(model(1), other)


def _offset(formula: str, **options: Any) -> LinearMixedModel:
    return interlace.lmer(formula, data(), reml=False, **options)


def test_other_offsets_are_refused_unless_nested() -> None:
    plain = _offset("y ~ variety + (1 | block)")
    shifted = _offset("y ~ variety + sub + (1 | block)", offset="o")
    with pytest.raises(
        DataError, match=r"m1 and m2 have different offsets, and the fixed part of m2 does not"
    ):
        interlace.compare(plain, shifted)
    with pytest.raises(DataError, match="have different offsets"):
        interlace.bootstrap_compare(shifted, plain, n=2)
    assert len(interlace.aic_table(plain, shifted)) == 2  # likelihoods of the same responses
    # a coefficient of one against any coefficient
    fixed, free = _offset("y ~ variety + offset(o) + (1 | block)"), _offset("y ~ variety + o + (1 | block)")
    table = interlace.compare(fixed, free)
    t = (free.fixef["o"] - 1) / free.se["o"]
    assert table["df"].iloc[1] == 1
    assert table["chisq"].iloc[1] == pytest.approx(t**2, rel=0.1)


def test_bootstrap_for_any_number_of_workers() -> None:
    large, small = model(3), model(2)
    draws = [
        interlace.bootstrap_compare(large, small, n=12, seed=3, n_jobs=jobs, progress=False)
        for jobs in (1, 2, 3, -1)
    ]
    for one in draws[1:]:
        np.testing.assert_array_equal(one.reference, draws[0].reference)
    assert draws[0].statistic == pytest.approx(frame(R["compare"])["Chisq"].iloc[2], rel=1e-6)
