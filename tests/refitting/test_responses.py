"""Many responses in one table beside a model for each; simulated responses with some effects held."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest

import interlace
from interlace import lmer
from interlace.datasets import load
from interlace.errors import DataError
from interlace.estimation import many
from made_data import crossed

MODELS: list[tuple[str, dict[str, Any]]] = [
    ("y ~ x + (1 | a)", {}),
    ("y ~ x + f + (x | a) + (1 | b)", {"weights": "w"}),
    ("y ~ x + (1 | a) + (1 | b)", {"reml": False}),
]


def _data(n: int = 200) -> pd.DataFrame:
    return pd.DataFrame(crossed(np.random.default_rng(4), n=n)).assign(w=1.0 + np.arange(n) % 4)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize(("formula", "options"), MODELS)
@pytest.mark.parametrize("ddf", ["satterthwaite", "asymptotic"])
def test_the_table_is_that_of_a_model_for_each(formula: str, options: dict[str, Any], ddf: str) -> None:
    data = _data()
    m = lmer(formula, data, **options)
    Y = m.simulate(4, seed=2)
    Y["no variance"] = np.random.default_rng(1).normal(size=len(data)) + 1e3
    Y["nearly x"] = 1e5 * data["x"] + Y["sim_1"]
    table = m.refit(Y, ddf=ddf, adjust="none")
    for name in Y:
        one, rows = lmer(formula, data.assign(y=Y[name]), **options), table[table["response"] == name]
        fixed, theirs = rows[rows["effect"] == "fixed"], one.coef_table(ddf=ddf)
        assert fixed["term"].tolist() == list(theirs.index)
        scale = theirs["se"].to_numpy()
        np.testing.assert_allclose(fixed["estimate"], theirs["estimate"], rtol=0, atol=1e-5 * scale.max())
        np.testing.assert_allclose(fixed["se"], scale, rtol=1e-5)
        np.testing.assert_allclose(fixed["p"], theirs["p"], rtol=1e-3, atol=1e-300)
        if ddf == "satterthwaite":
            np.testing.assert_allclose(fixed["df"], theirs["df"], rtol=1e-3)
        sigma = rows.loc[rows["term"] == "sigma", "estimate"].item()
        assert sigma == pytest.approx(one.sigma, rel=1e-6)
        sd = rows.loc[rows["term"].str.startswith("sd_"), "estimate"].to_numpy()
        np.testing.assert_allclose(
            np.sort(sd), np.sort(one.varcorr().query("term2.isna()")["sd"][:-1]), rtol=1e-3, atol=1e-4
        )
        assert rows["converged"].all()


def test_p_values_are_adjusted_over_the_responses_of_a_term() -> None:
    from scipy.stats import false_discovery_control

    m = lmer("Reaction ~ Days + (1 | Subject)", load("sleepstudy"))
    Y = np.random.default_rng(1).normal(size=(180, 12))
    table, raw = m.refit(Y), m.refit(Y, adjust="none")
    for term in ("Intercept", "Days"):
        here = (table["term"] == term).to_numpy()
        np.testing.assert_allclose(table["p_adjusted"][here], false_discovery_control(table["p"][here]))
    np.testing.assert_array_equal(raw["p"], raw["p_adjusted"])
    assert "bh over the 12 responses" in table.note
    assert table["response"].unique().tolist() == list(range(12))
    pd.testing.assert_frame_equal(pd.DataFrame(table), pd.DataFrame(m.refit(Y, n_jobs=2)))


def test_by_maximum_likelihood() -> None:
    m = lmer("Reaction ~ Days + (1 | Subject)", load("sleepstudy"))
    Y = m.simulate(2, seed=1)
    pd.testing.assert_frame_equal(
        pd.DataFrame(m.refit(Y, reml=False)), pd.DataFrame(m.refit(reml=False).refit(Y))
    )


def test_a_response_that_cannot_be_fitted_is_named() -> None:
    m = lmer("Reaction ~ Days + (1 | Subject)", load("sleepstudy"))
    Y = m.simulate(2, seed=1)
    Y["exact"] = 2.0 + 3.0 * load("sleepstudy")["Days"]
    table = m.refit(Y)
    here = table["response"] == "exact"
    assert table.loc[here, ["estimate", "se", "p"]].isna().all(axis=None)
    assert not table.loc[here, "converged"].any()
    assert "1 responses were not fitted; 'exact'" in table.note.replace("\n", " ")
    assert table.loc[~here, "converged"].all()


def test_errors_of_responses() -> None:
    m = lmer("Reaction ~ Days + (1 | Subject)", load("sleepstudy"))
    Y = m.simulate(2, seed=1)
    for options, words in (
        ({"ddf": "kr"}, "ddf"),
        ({"adjust": "tukey"}, "adjust"),
        ({"n_jobs": 0}, "n_jobs"),
    ):
        with pytest.raises(DataError, match=words):
            m.refit(Y, **options)
    with pytest.raises(DataError, match="column 'sim_2'"):
        m.refit(Y.assign(sim_2=np.nan))
    with pytest.raises(DataError, match="no column"):
        m.refit(np.zeros((180, 0)))
    with pytest.raises(DataError, match="7 values"):
        m.refit(np.zeros((7, 2)))


@pytest.mark.parametrize(
    "kind", [pyarrow.Table.from_pandas, pyarrow.RecordBatch.from_pandas, polars.from_pandas]
)
def test_responses_in_the_table_of_any_library(kind: Any) -> None:
    """What `simulate` gives, `refit` takes."""
    data = load("sleepstudy").assign(Subject=lambda d: d["Subject"].astype(str))
    m = lmer("Reaction ~ Days + (1 | Subject)", data)
    own = lmer("Reaction ~ Days + (1 | Subject)", kind(data)).simulate(3, seed=1)
    found, expected = m.refit(own), m.refit(m.simulate(3, seed=1))
    assert list(found["response"]) == list(expected["response"])
    np.testing.assert_array_equal(found["estimate"], expected["estimate"])
    y = pyarrow.array(data["Reaction"])
    with pytest.raises(DataError, match="two columns of the responses are called 'y'"):
        m.refit(pyarrow.table([y, y], names=["y", "y"]))
    with pytest.raises(DataError, match="column 'y' of the responses"):
        m.refit(pyarrow.table({"y": [None, *y.to_pylist()[1:]]}))


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_simulated_with_some_effects_held() -> None:
    data = _data()
    m = lmer("y ~ x + (1 | a) + (1 | b)", data)
    fitted, sigma = m.fitted, m.sigma
    conditional = m.simulate(400, seed=1, random="conditional").sub(fitted, axis=0)
    assert np.abs(conditional.to_numpy().mean(axis=1)).max() < 6 * sigma / np.sqrt(400)
    assert conditional.to_numpy().std() == pytest.approx(sigma, rel=0.02)
    some = m.simulate(400, seed=1, random=["a"]).sub(m.predict(random=["b"]), axis=0)
    assert np.abs(some.to_numpy().mean(axis=1)).max() < 8 * some.to_numpy().std() / np.sqrt(400)
    pd.testing.assert_frame_equal(m.simulate(2, seed=1), m.simulate(2, seed=1, random=["a", "b"]))
    pd.testing.assert_frame_equal(m.simulate(2, seed=1), m.simulate(2, seed=1, random="new"))
    for wrong, words in (
        ("old", "choose from new, conditional"),
        (["c"], "not a grouping factor"),
        (3, "random"),
    ):
        with pytest.raises(DataError, match=words):
            m.simulate(1, random=wrong)
    slopes = interlace.lmer("y ~ x + (x | a)", data)
    with pytest.raises(DataError, match="vary together"):
        slopes.simulate(1, random=["(1 | a)"])


def test_a_model_without_fixed_effects() -> None:
    """Tables of variances alone, from many responses and from a bootstrap; no distance of no coefficients."""
    m = interlace.lmer("Reaction ~ 0 + (1 | Subject)", load("sleepstudy"))
    Y = m.simulate(2, seed=1)
    table = m.refit(Y)
    assert list(table["effect"]) == 4 * ["random"]
    again = m.refit(np.asarray(Y)[:, 0])
    np.testing.assert_allclose(table["estimate"][1], again.sigma, rtol=1e-8)
    draws = m.bootstrap(5, seed=1).draws
    assert list(draws.columns) == ["sd_Intercept|Subject", "sigma"] and draws.notna().all(axis=None)
    rows = m.influence()
    assert rows["cooksd"].isna().all() and (rows["covratio"] == 1.0).all()
    assert "Subject" in repr(m.case_delete("Subject"))


UNEQUAL = [("y ~ 1 + (1 | g)", [2, 2, 30, 60], 250), ("y ~ x + (x | g)", [4, 4, 5, 30, 40], 40)]


@pytest.mark.parametrize(("formula", "sizes", "n"), UNEQUAL)
@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_responses_whose_first_minimum_is_not_the_lowest(
    formula: str, sizes: list[int], n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few groups of unequal size: each response has the minimum of a model of its own, and few need that."""
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(len(sizes)), sizes)
    data = pd.DataFrame({"g": g, "x": rng.normal(size=len(g)), "y": rng.normal(size=len(g)) + g % 3})
    fit = lmer(formula, data).fit
    heavy = rng.standard_t(1, size=(n, len(sizes))) * rng.choice([0.1, 1, 5], size=(n, 1))
    Y = rng.normal(size=(n, len(g))) + heavy[:, g]
    fits, once = fit.refit_many(Y), fit.without_doubt().refit_many(Y)
    lower = sum(a.optimum.value < b.optimum.value - 1e-4 for a, b in zip(fits, once, strict=True))
    whole = []
    refit = many._Found.refit
    monkeypatch.setattr(
        many._Found,
        "refit",
        lambda self, f, j, y: whole.append(bool(f.criterion.doubt.effects)) or refit(self, f, j, y),
    )
    found = many.fit_many(fit, Y)
    for j, one in enumerate(fits):
        size = max(one.sigma, np.abs(one.solution.beta).max())
        np.testing.assert_allclose(found.value[j], one.optimum.value, rtol=0, atol=1e-8)
        np.testing.assert_allclose(found.beta[j], one.solution.beta, rtol=0, atol=1e-8 * size)
        np.testing.assert_allclose(found.sigma[j], one.sigma, rtol=1e-8)
    assert lower <= sum(whole) < n / 2 and (lower > 0 or "x" in formula)
