"""`ranova` against lmerTest: the reference cases, and models made to be awkward (refitting.R)."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import interlace
from interlace.errors import DataError
from interlace.estimation.fit import Fit, at_theta, fit
from interlace.estimation.prepare import prepare_products
from interlace.refitting.ranova import mixture_p_value
from reference_cases import Case, lmer_cases
from reference_data import array, load_data

AWKWARD = json.loads((Path(__file__).parent / "refitting.json").read_text())["ranova"]
CASES = [case for case in lmer_cases() if "ranova" in case.reference().get("lmerTest", {})]


def test_there_are_cases() -> None:
    assert len(CASES) == 11


@pytest.mark.parametrize("case", CASES, ids=str)
def test_reference_cases(case: Case) -> None:
    r = case.reference()["lmerTest"]["ranova"]
    names = dict(zip(("npar", "loglik", "aic", "lrt", "df", "p"), list(r)[1:], strict=True))
    expected = {mine: array(r[theirs]) for mine, theirs in names.items()}
    check(interlace.lmer(case.formula, case.frame(), **case.options).ranova(), r[".rownames"], expected)


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_models(name: str) -> None:
    r = AWKWARD[name]
    data = load_data(r["data"])
    if r["data"] == "sleepstudy":
        data["half"] = pd.Categorical(data["Days"].astype(int) % 2)
        data["Day"] = pd.Categorical(data["Days"].astype(int))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.IdentificationWarning)
        m = interlace.lmer(r["formula"], data, reml=r["REML"], weights="w" if r["weights"] else None)
    table = m.ranova(drop="terms" if r["whole"] else "slopes")
    expected = {c: array(r[c]) for c in ("npar", "loglik", "aic", "lrt", "df", "p")}
    if name == "factors_no_intercept":  # half is one thing in a day: lmerTest counts what no data could tell
        half = list(r["rows"]).index("half in (0 + grp + half | Day)")
        expected["df"][half] -= 1
        expected["p"][half] = stats.chi2.sf(expected["lrt"][half], expected["df"][half])
    if name == "slope_only":  # lmerTest shows 2 (l - l') of models that are not nested, on 0 df
        expected["lrt"][1] = expected["df"][1] = np.nan
        table = table.iloc[:2]
    check(table, r["rows"], expected)


def check(table: pd.DataFrame, rows: list[str], expected: dict[str, np.ndarray]) -> None:
    assert {same_name(row) for row in table.index} == {same_name(row) for row in rows}
    mine = table.set_axis([same_name(row) for row in table.index]).loc[[same_name(row) for row in rows]]
    for column in ("npar", "df"):
        np.testing.assert_array_equal(mine[column], expected[column])
    for column in ("loglik", "aic"):
        np.testing.assert_allclose(mine[column], expected[column], rtol=1e-9)
    np.testing.assert_allclose(mine["lrt"], expected["lrt"], rtol=1e-6, atol=1e-6)
    assert (mine["p"].isna() == np.isnan(expected["p"])).all()
    with np.errstate(divide="ignore"):
        log_p = np.log(mine["p"].to_numpy()), np.log(expected["p"])
    np.testing.assert_allclose(*log_p, atol=1e-5)


def same_name(row: str) -> str:
    """R writes nested factors the other way round, and products as they stand in the formula."""
    row = row.replace("(Days * off |", "(Days + off + Days:off |")
    head, bar, group = row.partition(" | ")
    return f"{head}{bar}{':'.join(sorted(group.rstrip(')').split(':')))}"


NOT_NESTED = {
    "(0 + poly(Days, 2) | Subject)": (1, "poly(Days, 2)"),
    "(0 + off:half | Subject)": (1, "off:half"),
    "(0 + Days | Subject)": (1, "Days"),
    "(0 + far | Subject)": (1, "far"),  # the constant is a column of it to nine digits
    "(0 + Days | Subject) + (1 | half)": (1, "Days"),
}
NESTED = {
    "(Days | Subject)": "Days in (Days | Subject)",
    "(0 + half | Subject)": "half in (0 + half | Subject)",
    "(0 + half:grp | half)": "half:grp in (0 + half:grp | half)",
    "(0 + Days | Subject) + (1 | Subject)": "Days in (0 + Days | Subject)",
    "(0 + Days | Subject) + (0 + half | Subject)": "Days in (0 + Days | Subject)",
    "(0 + moved | Subject)": "moved in (0 + moved | Subject)",  # the constant, to all digits there are
}


def hard_data() -> pd.DataFrame:
    data = load_data("sleepstudy")
    data["half"] = pd.Categorical(data["Days"].astype(int) % 2)
    data["far"], data["moved"] = data["Days"] + 1e9, 1e13 + data["Days"]
    return data


@pytest.mark.parametrize("random", NOT_NESTED)
def test_models_that_are_not_nested_have_no_likelihood_ratio(random: str) -> None:
    """An intercept stays where there was none: 2 (l - l') may have either sign, and no p-value."""
    row, term = NOT_NESTED[random]
    m = interlace.lmer(f"Reaction ~ poly(Days, 2) + {random}", hard_data())
    table = m.ranova()  # warnings are errors: none about a fit that is no maximum
    label = next(r for r in table.index if r.startswith(f"{term} in "))
    assert table.loc[label, ["lrt", "df", "p", "p_mixture"]].isna().all()
    one = interlace.lmer(f"Reaction ~ poly(Days, 2) + {random.replace(f'0 + {term}', '1')}", hard_data())
    assert table.loc[label, "loglik"] == pytest.approx(one.loglik, rel=1e-9)
    assert f"{label}: (1 | Subject), which is left, is no part of the larger term" in table.attrs["note"]
    whole = m.ranova(drop="terms")
    pd.testing.assert_series_equal(table.iloc[row + 1], whole.iloc[row])
    assert whole.iloc[row]["lrt"] > 0


def test_the_whole_term_is_tested_instead() -> None:
    m = interlace.lmer("Reaction ~ poly(Days, 2) + (0 + poly(Days, 2) | Subject)", load_data("sleepstudy"))
    row = m.ranova().loc["(0 + poly(Days, 2) | Subject)"]
    r = AWKWARD["polynomial_whole"]
    np.testing.assert_allclose(row[["lrt", "df", "p"]], [r["lrt"][1], r["df"][1], r["p"][1]], rtol=1e-6)


@pytest.mark.filterwarnings("ignore::interlace.IdentificationWarning")
@pytest.mark.parametrize("random", NESTED)
def test_models_that_are_nested_have_one(random: str) -> None:
    m = interlace.lmer(f"Reaction ~ Days + {random}", hard_data())
    table = m.ranova()
    assert table.loc[NESTED[random], "df"] > 0 or random == "(0 + moved | Subject)"
    assert table["lrt"].iloc[1:].notna().all()
    assert "nested" not in table.attrs["note"]
    assert len(table) == 1 + len(m.fit.encoding.random)


def test_an_intercept_that_another_term_of_the_groups_holds_is_not_added() -> None:
    data = hard_data()
    table = interlace.lmer("Reaction ~ Days + (0 + Days | Subject) + (0 + half | Subject)", data).ranova()
    without = interlace.lmer("Reaction ~ Days + (0 + half | Subject)", data)
    row = table.loc["Days in (0 + Days | Subject)"]
    assert row["loglik"] == pytest.approx(without.loglik, rel=1e-9)
    assert row["df"] == 1


def test_what_is_kept_of_the_fit() -> None:
    """Criterion, weights, offset, contrasts and rows left out are those of the fit, in models written out."""
    data = load_data("sleepstudy")
    data.loc[[3, 40], "Reaction"] = np.nan
    options: dict[str, Any] = {
        "reml": False,
        "weights": data["w"].to_numpy(),
        "offset": "off",
        "contrasts": {"grp": "sum"},
    }
    table = interlace.lmer("Reaction ~ Days * grp + (Days | Subject)", data, **options).ranova()
    smaller = interlace.lmer("Reaction ~ Days * grp + (1 | Subject)", data, **options)
    assert table["loglik"].iloc[1] == pytest.approx(smaller.loglik, rel=1e-10)
    assert table["npar"].iloc[1] == smaller.nobs - smaller.df_resid


def test_last_term_leaves_least_squares() -> None:
    data = load_data("sleepstudy")
    table = interlace.lmer("Reaction ~ Days + (1 | Subject)", data, reml=False).ranova()
    residual = np.polyfit(data["Days"], data["Reaction"], 1, full=True)[1].item() / 180
    assert table.loc["(1 | Subject)", "loglik"] == pytest.approx(-90 * (1 + np.log(2 * np.pi * residual)))
    assert table.loc["(1 | Subject)", "npar"] == 3


def test_deficient_rank_is_said_once() -> None:
    data = load_data("sleepstudy")
    with pytest.warns(interlace.RankDeficiencyWarning):
        m = interlace.lmer("Reaction ~ Days + Days2 + (Days | Subject)", data)
    same = interlace.lmer("Reaction ~ Days + (Days | Subject)", data)
    pd.testing.assert_frame_equal(m.ranova(), same.ranova(), rtol=1e-8)  # warnings are errors


def test_mixture() -> None:
    data = load_data("sleepstudy")
    table = interlace.lmer("Reaction ~ Days + (Days | Subject)", data).ranova()
    lrt = table["lrt"].iloc[1]
    assert table["p_mixture"].iloc[1] == pytest.approx((stats.chi2.sf(lrt, 1) + stats.chi2.sf(lrt, 2)) / 2)
    one = interlace.lmer("Reaction ~ Days + (1 | Subject)", data).ranova()
    assert one["p_mixture"].iloc[1] == pytest.approx(one["p"].iloc[1] / 2)
    several = interlace.lmer("Reaction ~ Days + (Days | Subject)", data).ranova(drop="terms")
    assert np.isnan(several["p_mixture"].iloc[1])  # two variances at once


def test_mixture_on_the_boundary() -> None:
    """A variance estimated as zero: nothing speaks for it."""
    lrt, df = np.array([0.0, 1e-12, -1e-12, 0.9e-6, 2.705543]), np.array([1, 1, 2, 1, 1])
    np.testing.assert_allclose(mixture_p_value(lrt, df), [1, 1, 1, 1, 0.05], atol=1e-4)
    np.testing.assert_allclose(mixture_p_value(np.array([1.1e-6]), np.array([1])), [0.4996], atol=1e-4)
    m = interlace.lmer("Yield ~ 1 + (1 | Batch)", load_data("Dyestuff2"))
    assert m.ranova().loc["(1 | Batch)", "p_mixture"] == 1.0


def test_drop_is_checked() -> None:
    m = interlace.lmer("Yield ~ 1 + (1 | Batch)", load_data("Dyestuff"))
    with pytest.raises(DataError, match=r"drop 'all' is not known: choose from slopes, terms"):
        m.ranova(drop="all")


def test_statistics_do_not_fall_below_zero_by_rounding() -> None:
    """Without random effects in the data the smaller model is the same one, and comes out 1e-11 higher."""
    for seed in range(12):
        r = np.random.default_rng(seed)
        data = pd.DataFrame(
            {"x": r.normal(size=60), "g": np.repeat(np.arange(10), 6), "y": r.normal(size=60)}
        )
        m = interlace.lmer("y ~ x + (x | g)", data)
        for drop in ("slopes", "terms"):
            table = m.ranova(drop=drop).iloc[1:]
            assert (table["lrt"] >= 0).all()
            assert table["p"].between(0, 1).all()


@pytest.mark.parametrize("name", ["ranova", "drop1"])
def test_a_model_that_is_not_at_its_maximum_is_said(name: str) -> None:
    best = interlace.lmer("Reaction ~ Days + (1 | Subject)", load_data("sleepstudy"), reml=False).fit
    m = interlace.LinearMixedModel(at_theta(best.encoding, best.design, [1e3], reml=False))
    with pytest.warns(interlace.ConvergenceWarning, match=r"is lower than without .*search ended early"):
        table = m.ranova() if name == "ranova" else m.drop1(test="lrt")
    assert (table.iloc[1, table.columns.get_indexer(["lrt", "chisq"]).max()]) == 0.0


def test_smaller_models_use_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", load_data("sleepstudy"), n_jobs=1)
    asked: list[int | None] = []

    def counted(*model: Any, n_jobs: int | None = None, **options: Any) -> Fit:
        asked.append(n_jobs)
        return fit(*model, n_jobs=n_jobs, **options)

    def of_products(*model: Any, n_jobs: int | None = None, **options: Any) -> Any:
        asked.append(n_jobs)
        return prepare_products(*model, n_jobs=n_jobs, **options)

    monkeypatch.setattr("interlace.refitting.ranova.fit_model", counted)
    monkeypatch.setattr("interlace.estimation.fit.prepare_products", of_products)
    m.ranova()
    m.drop1(test="lrt")
    assert asked == [1, 1]
    assert m.fit.by(reml=False).n_jobs == 1
