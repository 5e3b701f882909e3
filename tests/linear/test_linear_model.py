"""`lm`: laws beside models with dummy variables, tests, tables, and what is refused."""

from __future__ import annotations

import pickle
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError, InterlaceError, ModelError
from interlace.estimation import level_system, ols
from interlace.precision import ols_jackknife


def made(n: int = 240, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    f, g = rng.integers(0, 8, n), rng.integers(0, 5, n)
    x, w, a = rng.normal(size=n), rng.integers(1, 4, n), rng.choice(list("abc"), n)
    y = x + f * 0.5 - g * 0.3 + (a == "b") + rng.normal(size=n)
    names = {"f": [f"f{i}" for i in f], "g": [f"g{i}" for i in g], "c": rng.integers(0, 12, n)}
    return pd.DataFrame({"y": y, "x": x, "w": w, "a": a, **names})


@pytest.mark.parametrize(
    "options", [{}, {"weights": "w"}, {"vcov": "HC0"}, {"vcov": "HC2"}, {"vcov": "HC3"}, {"cluster": "c"}]
)
def test_absorbing_is_the_model_with_dummies(options: dict[str, Any]) -> None:
    rows = made()
    one = interlace.lm("y ~ x + a | f + g", rows, **options)
    other = interlace.lm("y ~ x + a + f + g", rows, **options)
    names = list(one.fixef.index)
    np.testing.assert_allclose(one.fixef, other.fixef[names], rtol=1e-9)
    np.testing.assert_allclose(one.vcov(), other.vcov().loc[names, names], rtol=1e-9)
    np.testing.assert_allclose(one.fitted, other.fitted, rtol=1e-9)
    assert (one.df_resid, one.loglik) == (other.df_resid, pytest.approx(other.loglik))
    pd.testing.assert_frame_equal(one.anova(type=2), other.anova(type=2).loc[["x", "a"]], rtol=1e-8)
    pairs = [m.emmeans("a").pairs().frame[["estimate", "se", "df"]] for m in (one, other)]
    pd.testing.assert_frame_equal(*pairs, rtol=1e-8)


@pytest.mark.parametrize("options", [{}, {"weights": "w"}])
@pytest.mark.parametrize(
    ("absorbing", "dummies"),
    [
        ("y ~ x * a | f + g", "y ~ x * a + f + g"),
        ("y ~ a + offset(x) | f", "y ~ a + offset(x) + f"),
        ("y ~ a | f[x] + g", "y ~ a + f * x + g"),
    ],
)
def test_means_average_over_the_absorbed_levels(
    absorbing: str, dummies: str, options: dict[str, Any]
) -> None:
    rows = made()
    one, other = (interlace.lm(formula, rows, **options) for formula in (absorbing, dummies))
    means = [m.emmeans("a").frame.select_dtypes("number") for m in (one, other)]
    assert np.isfinite(means[0].to_numpy()).all()
    pd.testing.assert_frame_equal(*means, rtol=1e-9)


def test_means_that_are_not_told_are_missing_and_said() -> None:
    rows = made()
    # one component has five levels of g, and the other has two
    sign = pd.Series(np.where(rows["c"] < 6, "+", ""))
    apart = rows.assign(f=rows["f"] + sign, g=rows["g"] + sign)
    apart = apart[(rows["c"] >= 6) | rows["g"].isin(["g0", "g1"])]
    for means, words in (
        (interlace.lm("y ~ a | f", rows, vcov="CR3", cluster="f").emmeans("a"), "ask for vcov='CR1'"),
        (interlace.lm("y ~ a | f", rows).emmeans("a", weights="cells"), "equal weights alone"),
        (interlace.lm("y ~ a | f^c", rows).emmeans("a"), "not all combinations of f:c"),
        (interlace.lm("y ~ x | f + g", apart).emmeans("1"), "no chain of rows joins"),
    ):
        assert means.frame["estimate"].isna().all()
        text = str(means).replace("\n", " ")
        assert "cannot be estimated" in text and "averages over their levels" in text and words in text
        if len(means.frame) > 1:
            pairs = means.pairs()
            assert pairs.frame["estimate"].notna().all() and "averages over" not in str(pairs)


def test_the_jackknife_is_that_of_the_model_with_dummies() -> None:
    rows = made()
    one = interlace.lm("y ~ x | f + g", rows, vcov="CR3", cluster="c")
    other = interlace.lm("y ~ x + f + g", rows, vcov="CR3", cluster="c")
    assert one.se["x"] == pytest.approx(other.se["x"], rel=1e-9)


def test_order_of_rows_and_factors_and_levels_is_irrelevant() -> None:
    rows = made()
    one = interlace.lm("y ~ x | f + g", rows, cluster="c")
    shuffled = rows.sample(frac=1, random_state=1)
    shuffled["f"] = shuffled["f"].map(lambda name: f"z{9 - int(name[1:])}")
    other = interlace.lm("y ~ x | g + f", shuffled, cluster="c")
    np.testing.assert_allclose(one.coef_table(), other.coef_table(), rtol=1e-9)


def test_weights_are_rows_that_are_repeated() -> None:
    rows = made()
    repeated = rows.loc[rows.index.repeat(rows["w"])]
    one, other = (
        interlace.lm("y ~ x | f + g", rows, weights="w"),
        interlace.lm("y ~ x | f + g", repeated),
    )
    np.testing.assert_allclose(one.fixef, other.fixef, rtol=1e-9)
    assert one.fit.rss == pytest.approx(other.fit.rss)


def test_a_constant_moves_the_effects_alone() -> None:
    rows = made()
    one, other = (interlace.lm("y ~ x | f + g", rows.assign(y=rows["y"] + c)) for c in (0.0, 7.0))
    np.testing.assert_allclose(one.coef_table(), other.coef_table(), rtol=1e-9)
    moved = other.absorbed()["estimate"] - one.absorbed()["estimate"]
    np.testing.assert_allclose(moved, np.where(one.absorbed()["factor"] == "f", 7.0, 0.0), atol=1e-9)


def test_predictions_of_known_levels_and_a_pickle() -> None:
    rows = made()
    model = interlace.lm("y ~ x | f + g", rows)
    np.testing.assert_allclose(model.predict(rows), model.fitted, rtol=1e-9)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.coef_table(), model.coef_table())
    with pytest.raises(DataError, match="absorbed factor 'f' has levels"):
        model.predict(rows.assign(f="new"))


def test_singletons_leave_in_turn_and_are_counted() -> None:
    rows = pd.concat([made(), made(3).assign(f=["s1", "s2", "s2"], g=["g1", "t1", "g1"])])
    kept, left = (interlace.lm("y ~ x | f + g", rows, singletons=s) for s in ("keep", "drop"))
    assert kept.nobs - left.nobs == 3
    assert "3 rows left out as singletons" in str(left.summary())
    np.testing.assert_allclose(kept.fixef, left.fixef, rtol=1e-9)


def test_models_are_compared() -> None:
    rows = made()
    table = interlace.compare(interlace.lm("y ~ x", rows), interlace.lmer("y ~ x + (1 | f)", rows))
    assert table["npar"].tolist() == [3, 4] and table["chisq"].iloc[1] > 10
    nested = interlace.compare(interlace.lm("y ~ x | f", rows), interlace.lm("y ~ x | f + g", rows))
    assert nested["df"].iloc[1] == 4


@pytest.mark.parametrize(
    ("formula", "options", "words"),
    [
        ("y ~ x | f + f2", {}, "says nothing beside"),
        ("y ~ x | f + half", {}, "says nothing beside"),
        ("y ~ x", {"cluster": "one"}, "two clusters or more; one has 1"),
        ("y ~ x", {"cluster": "nope"}, "cluster 'nope' is no column"),
        ("y ~ x", {"vcov": "CR1"}, "give cluster='firm'"),
        ("y ~ x", {"vcov": "hetero"}, "did you mean 'HC1'"),
        ("y ~ x", {"vcov": "HC1", "cluster": "c"}, "has no clusters"),
        ("y ~ x", {"vcov": {"CRV1": "c"}}, "clusters are given by cluster="),
        ("y ~ x", {"ssc": {"adj": True}}, "ssc has no option 'adj'"),
        ("y ~ x", {"singletons": "remove"}, "singletons"),
        ("y ~ x | x", {}, "not whole"),
        ("code ~ x | f", {}, "exactly"),
        ("y ~ x | nope", {}, "no column 'nope'"),
        ("y ~ 1 | row", {}, "cannot tell 0 coefficients, 240 effects"),
    ],
)
def test_what_is_refused(formula: str, options: dict[str, Any], words: str) -> None:
    rows = made()
    level = rows["f"].str[1:].astype(int)
    rows = rows.assign(f2=level * 2, half=level // 2, one=1, code=level, row=np.arange(len(rows)))
    with pytest.raises(InterlaceError, match=words):
        interlace.lm(formula, rows, **options)


@pytest.mark.parametrize(("rows", "refused"), [(50_000, False), (50_001, True)])
def test_a_factor_whose_columns_would_take_minutes(
    monkeypatch: pytest.MonkeyPatch, rows: int, refused: bool
) -> None:
    """With 1,000 columns; the room in memory has a check of its own."""
    monkeypatch.setattr(ols, "check_room", lambda *_: None)
    factors = {"f": SimpleNamespace(levels=range(999))}
    encoding = SimpleNamespace(fixed_names=range(1000), fixed_factors=factors)
    with pytest.raises(ModelError, match=r"absorb it, 'y ~ x \| f'") if refused else nullcontext():
        ols.check_columns_room(encoding, SimpleNamespace(n=rows))  # type: ignore[arg-type]


def crossed(n: int = 6000) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    f, g = rng.integers(0, 300, n), rng.integers(0, 200, n)
    x, z, h = rng.normal(size=n) + g, rng.normal(size=n), rng.integers(0, 7, n)
    return pd.DataFrame({"y": rng.normal(size=n), "x": x, "z": z, "f": f, "g": g, "h": h})


def test_leverages_of_many_rows_are_those_of_projections() -> None:
    rows = crossed()
    m = interlace.lm("y ~ x | f[z] + g + h", rows)
    some = np.arange(0, 6000, 311)
    unit = np.zeros((6000, len(some)))
    unit[some, np.arange(len(some))] = 1.0
    absorbed = m.fit.absorbed
    assert absorbed is not None
    explained = 1 - absorbed.residuals(unit).values[some, np.arange(len(some))]
    np.testing.assert_allclose(
        m.leverage()[some], explained + m.fit.left[some, 0] ** 2 / (m.fit.left**2).sum()
    )
    assert m.leverage().sum() == pytest.approx(m.fit.rank, rel=1e-10)


@pytest.mark.parametrize(("share", "refused"), [(1.01, False), (0.99, True)])
def test_leverages_that_would_take_hours(
    monkeypatch: pytest.MonkeyPatch, share: float, refused: bool
) -> None:
    m = interlace.lm("y ~ x | f + g", made())
    monkeypatch.setattr(level_system, "MOST_FLOPS", m.fit.level_system.system.flops * share)
    fresh = pickle.loads(pickle.dumps(m))
    with pytest.raises(ModelError, match=r"too many\. Use vcov='HC1'") if refused else nullcontext():
        fresh.vcov("HC3")


def test_leverages_that_do_not_fit_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise ModelError("no room")

    monkeypatch.setattr(level_system.System, "of", full)
    with pytest.raises(ModelError, match=r"does not fit in memory\. Use vcov='HC1'"):
        interlace.lm("y ~ x | f + g", made(), vcov="HC2")


@pytest.mark.parametrize(
    ("formula", "limit", "value", "ways"),
    [
        ("y ~ x | f + g", "MOST_COLUMNS", 13, "columns"),
        ("y ~ x | f + g", "MOST_COLUMNS", 12, "again"),
        ("y ~ x | f + g", "MOST_NUMBERS", 13 * 240, "columns"),
        ("y ~ x | f + g", "MOST_NUMBERS", 13 * 240 - 1, "again"),
        ("y ~ x | f[x] + g", "MOST_COLUMNS", 21, "columns"),
        ("y ~ x | f[x] + g", "MOST_COLUMNS", 20, "again"),
        ("y ~ x | c^f", "MOST_COLUMNS", 0, "columns"),
    ],
)
def test_how_the_jackknife_is_found(
    monkeypatch: pytest.MonkeyPatch, formula: str, limit: str, value: float, ways: str
) -> None:
    """Factors that are nested in the clusters are no columns."""
    asked = []
    again = ols_jackknife._again
    monkeypatch.setattr(ols_jackknife, limit, value)
    monkeypatch.setattr(ols_jackknife, "_again", lambda *a: asked.append("again") or again(*a))
    interlace.lm(formula.replace("[x]", "[z]"), made().assign(z=made(seed=4)["x"]), vcov="CR3", cluster="c")
    assert asked == ([] if ways == "columns" else ["again"])


@pytest.mark.parametrize(("most", "refused"), [(12 * 240, False), (12 * 240 - 1, True)])
def test_rows_that_are_absorbed_again_too_often(
    monkeypatch: pytest.MonkeyPatch, most: int, refused: bool
) -> None:
    monkeypatch.setattr(ols_jackknife, "MOST_COLUMNS", 0)
    monkeypatch.setattr(ols_jackknife, "MOST_ROWS", most)
    with pytest.raises(ModelError, match="for 12 clusters; use 'CR1'") if refused else nullcontext():
        interlace.lm("y ~ x | f + g", made(), vcov="CR3", cluster="c")


def test_a_cluster_that_alone_has_a_level_of_a_crossed_factor() -> None:
    """The level leaves with it, and the coefficient is told all the same; not so one that it alone tells."""
    rows = made()
    rows.loc[rows["c"].eq(3) & rows["g"].eq("g1"), "g"] = "own"
    one = interlace.lm("y ~ x | f + g", rows, vcov="CR3", cluster="c")
    rest = [
        interlace.lm("y ~ x | f + g", rows[rows["c"] != c]).fixef["x"] - one.fixef["x"] for c in range(12)
    ]
    assert one.se["x"] == pytest.approx(np.linalg.norm(rest), rel=1e-9)
    with pytest.raises(ModelError, match="CR3 does not exist"):
        interlace.lm("y ~ d | f + g", rows.assign(d=rows["c"].eq(3) * rows["x"]), vcov="CR3", cluster="c")


def test_clusters_of_many_and_of_few_rows_for_the_jackknife() -> None:
    """Fewer rows than coefficients, and more."""
    rows = made()
    names = [f"z{j}" for j in range(6)]
    rows[names] = np.random.default_rng(2).normal(size=(240, 6))
    rows["c"] = np.minimum(np.arange(240) // 3, 40)
    m = interlace.lm(f"y ~ {' + '.join(names)}", rows, vcov="CR3", cluster="c")
    rest = [interlace.lm(f"y ~ {' + '.join(names)}", rows[rows["c"] != c]).fixef - m.fixef for c in range(41)]
    np.testing.assert_allclose(m.vcov(), np.array(rest).T @ np.array(rest), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(
    ("K_exact", "K_fixef", "K"),
    [(True, "full", 11), (False, "full", 12), (True, "nonnested", 7), (False, "nonnested", 8)],
)
def test_how_absorbed_effects_are_counted(K_exact: bool, K_fixef: str, K: int) -> None:
    """Two factors of four levels each in two components, and one of five levels, the clusters."""
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"f": np.arange(64) % 4, "h": rng.integers(0, 5, 64), "x": rng.normal(size=64)})
    rows = rows.assign(g=2 * (rows["f"] // 2) + rng.integers(0, 2, 64), y=rng.normal(size=64))
    ssc = {"K_exact": K_exact, "K_fixef": K_fixef, "t_df": "conventional"}
    m = interlace.lm("y ~ x | f + g + h", rows, cluster="h", ssc=ssc)
    assert set(m.coef_table()["df"]) == {64 - K}
