"""`Accumulator`: the model of the whole table from its parts, and what is refused."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest

import interlace
from interlace import Accumulator
from interlace.errors import DataError, FormulaError, ModelError, RankDeficiencyWarning
from interlace.estimation import gathering

from .passes import away, by_halves, cut, fitted, from_the_end, in_turn, passed

FORMULA = "y ~ x * f + log(z) + (x | g) + (1 | h)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    n = 900
    found = pd.DataFrame(
        {
            "x": rng.normal(3, 1, n),
            "z": rng.gamma(2, size=n),
            "f": rng.choice(["red", "green", "blue"], n),
            "q": pd.Categorical(rng.choice(["lo", "mid", "hi"], n), ["lo", "mid", "hi"]),
            "g": rng.integers(0, 40, n),
            "h": rng.choice(list("abcdefgh"), n),
            "w": rng.uniform(0.5, 2, n),
        }
    )
    effects = rng.normal(size=(40, 2))[found["g"]]
    found["y"] = 5 + effects[:, 0] + (found["x"] - 3) * effects[:, 1] + rng.normal(size=n)
    found.loc[rng.choice(n, 30), "x"] = np.nan
    found.loc[rng.choice(n, 10), "f"] = None
    return found


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        (FORMULA, {}),
        ("y ~ q * f + offset(z) + (1 | g)", {"weights": "w", "contrasts": {"f": "sum"}}),
        ("y ~ scale(x) + ns(z, 3) + factor(h) + (1 | g)", {"reml": False}),
        ("y ~ 0 + f + (1 + z || g)", {}),
    ],
)
def test_the_parts_are_the_whole(formula: str, options: dict[str, Any], data: pd.DataFrame) -> None:
    whole = interlace.lmer(formula, data, **options)
    parts = cut(data, 97)
    parts.insert(3, data.iloc[:0])
    for tree in (in_turn, by_halves, from_the_end):
        m = fitted(formula, parts, tree, **options)
        assert list(m.fixef.index) == list(whole.fixef.index) and m.nobs == whole.nobs
        for ask in (lambda m: m.fixef, lambda m: m.theta, lambda m: m.loglik, lambda m: m.vcov()):
            assert away(ask(m), ask(whole)) < 1e-12
        assert away(m.coef_table()["df"], whole.coef_table()["df"]) < 1e-9
        if not options.get("weights"):
            for kind in (1, 2):
                assert away(m.anova(type=kind)["F"], whole.anova(type=kind)["F"]) < 1e-9
        group = next(iter(m.ngroups))
        assert away(m.ranef()[group], whole.ranef()[group]) < 1e-11
        assert str(m.summary()).splitlines() == _without_rows(str(whole.summary()))


@pytest.mark.parametrize("seed", range(3))
def test_any_tree_of_parts_in_any_order(
    seed: int, data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every pass by a tree of its own; no row waits, so that sums are merged."""
    monkeypatch.setattr(gathering, "_ROOM", 0)
    monkeypatch.setattr(gathering, "_numbers", lambda encoding: 0)
    rng = np.random.default_rng(seed)

    def by_chance(found: Sequence[Accumulator]) -> Accumulator:
        left = list(found)
        while len(left) > 1:
            a, b = (left.pop(rng.integers(len(left))) for _ in range(2))
            left.append(a.merge(b))
        return left[0]

    formula = "y ~ x * f + q + (x | g) + (1 | h)"
    whole, m = interlace.lmer(formula, data), fitted(formula, cut(data, 61), by_chance)
    assert m.nobs == whole.nobs and list(m.fixef.index) == list(whole.fixef.index)
    for ask in (lambda m: m.fixef, lambda m: m.theta, lambda m: m.loglik, lambda m: m.vcov()):
        assert away(ask(m), ask(whole)) < 1e-12
    for group, modes in whole.ranef().items():
        assert list(m.ranef()[group].index) == list(modes.index)
        assert away(m.ranef()[group], modes) < 1e-11


def _without_rows(text: str) -> list[str]:
    """A summary without the name of the data and the quantiles of the residuals."""
    parts = [part for part in text.split("\n\n") if not part.startswith("Scaled residuals")]
    return [line for line in "\n\n".join(parts).splitlines() if not line.startswith("   Data")]


def test_of_tables_of_every_library(data: pd.DataFrame, tmp_path: Path) -> None:
    whole = interlace.lmer(FORMULA, data)
    some = cut(data, 300)
    some[1].to_parquet(tmp_path / "1.parquet")
    arrow = pyarrow.Table.from_pandas(some[2])
    parts: list[Any] = [polars.from_pandas(some[0]), tmp_path / "1.parquet", *arrow.to_batches(70)]
    assert away(fitted(FORMULA, parts).fixef, whole.fixef) < 1e-12


@pytest.mark.parametrize("options", [{}, {"weights": "w"}])
def test_least_squares(options: dict[str, Any], data: pd.DataFrame) -> None:
    formula = "y ~ x * f + q"
    whole = interlace.lm(formula, data, **options)
    m = fitted(formula, cut(data, 97), **options)
    for ask in (
        lambda m: m.fixef, lambda m: m.se, lambda m: m.loglik, lambda m: m.sigma, lambda m: m.df_resid,
        lambda m: list(m.r2().values()), lambda m: m.anova(type=2)["F"],
    ):  # fmt: skip
        assert away(ask(m), ask(whole)) < 1e-12
    for ask in (lambda: m.coef_table(vcov="HC1"), m.residuals):
        with pytest.raises(DataError, match=r"accumulator\.fit\(rows=interlace\.chunks"):
            ask()


def test_rows_are_read_again_where_they_are_told(data: pd.DataFrame, tmp_path: Path) -> None:
    for i, part in enumerate(cut(data, 400)):
        part.to_parquet(tmp_path / f"{i}.parquet")
    whole = interlace.lmer(FORMULA, data)
    found = passed(Accumulator(FORMULA, data), cut(data, 400))
    with pytest.raises(DataError, match=r"are not here.*accumulator\.fit\(rows="):
        _ = found.fit().fitted
    m = found.fit(rows=interlace.chunks(tmp_path, rows=300))
    assert away(m.fitted, whole.fitted) < 1e-12
    assert away(m.anova(type=3)["F"], whole.anova(type=3)["F"]) < 1e-10
    assert away(m.emmeans("f").frame["estimate"], whole.emmeans("f").frame["estimate"]) < 1e-12
    with pytest.raises(DataError, match="rows= says where the rows are read"):
        found.fit(rows=3)


def test_columns_that_depend_on_others(data: pd.DataFrame) -> None:
    twice = data.assign(x2=2 * data["x"] + 1)
    with pytest.warns(RankDeficiencyWarning, match="dropped 1 column"):
        m = fitted("y ~ x + x2 + (1 | g)", cut(twice, 200))
    assert away(m.fixef, interlace.lmer("y ~ x + (1 | g)", data).fixef) < 1e-12


def test_fixed_effects_that_explain_nearly_all(data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_ROOM", 0)
    exact = data.assign(y=1e5 * data["z"] + data["y"])
    parts = cut(exact, 200)
    found = passed(Accumulator("y ~ z + (1 | g)", exact), parts)
    with pytest.raises(ModelError, match=r"explain 100.*accumulator\.next\(\)"):
        found.fit()
    m = passed(found.next(), parts).fit()
    whole = interlace.lmer("y ~ z + (1 | g)", exact)
    assert away(m.fixef, whole.fixef) < 1e-12 and away(m.sigma, whole.sigma) < 1e-12


def test_nothing_changes_and_it_pickles(data: pd.DataFrame) -> None:
    first = Accumulator("y ~ x + (1 | g)", data)
    second = first.update(data.iloc[:100])
    assert "of 0 rows" in repr(first) and first.stage == "levels" and not first.ready
    again = pickle.loads(pickle.dumps(second))
    with pytest.raises(DataError, match="batch 3: column 'x'"):
        second.update({"y": [1.0], "x": ["a"], "g": [1]}, name="batch 3")
    assert again.update(data.iloc[100:]).next().stage == "products"
    assert repr(again) == repr(second)
    assert second.columns == ["y", "x", "g"]


def _batch(**changes: Any) -> dict[str, Any]:
    return {"y": [1.0, 2.0], "x": [1.0, 2.5], "g": ["a", "b"], "w": [1.0, 2.0], **changes}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": ["one", "two"]}, "part 7: column 'x' has text or categories, where part 6 has numbers"),
        ({"x": [True, False]}, "part 7: column 'x' has logical values, where part 6 has numbers"),
        ({"g": [1, 2]}, "part 7: column 'g' has numbers, where part 6 has text or categories"),
        ({"x": [1.0, np.inf]}, r"part 7: 'x' is inf at row 1 \(1 such row"),
        ({"y": [np.inf, 1.0]}, "part 7: 'y' is inf at row 0"),
        ({"w": [1.0, 0.0]}, "part 7: weights 'w' must be positive and finite; row 1"),
        ({"y": ["a", "b"]}, "part 7: column 'y' has text"),
    ],
)
def test_a_bad_part_is_named(changes: dict[str, Any], words: str) -> None:
    good = Accumulator("y ~ x + (1 | g)", list("yxgw"), weights="w").update(_batch(), name="part 6")
    with pytest.raises(DataError, match=words):
        good.update(_batch(**changes), name="part 7")


def test_a_part_without_a_column_is_named() -> None:
    good = Accumulator("y ~ x + (1 | g)", list("yxgw"))
    with pytest.raises(DataError, match="part 7: the data have no column 'x'"):
        good.update({"y": [1.0], "g": ["a"]}, name="part 7")
    other = good.update({**_batch(), "g": [1, 2]})
    with pytest.raises(DataError, match="column 'g' has numbers, where other rows have text"):
        good.update(_batch()).merge(other)
    other = good.update({**_batch(), "g": [1, 2]}, name="part 9")
    with pytest.raises(DataError, match="part 9: column 'g' has numbers, where part 8 has text"):
        good.update(_batch(), name="part 8").merge(other)


def test_passes_over_other_rows_are_refused(data: pd.DataFrame) -> None:
    products = Accumulator("y ~ x + (1 | g)", data).update(data).next()
    with pytest.raises(DataError, match=r"this pass has 800 rows.*a partition is missing"):
        products.update(data.iloc[:800]).fit()
    with pytest.raises(DataError, match="was counted twice"):
        products.update(data).update(data.iloc[:1]).fit()
    with pytest.raises(DataError, match=r"part 2: row 1 .* has a level of 'g' that the pass for the levels"):
        products.update({"y": [1.0, 2.0], "x": [1.0, 2.0], "g": [0, 99]}, name="part 2")
    with pytest.raises(DataError, match="pass for the levels only"):
        Accumulator("y ~ x + (1 | g)", data).update(data).fit()
    with pytest.raises(DataError, match="not of the same pass of the same model"):
        products.merge(Accumulator("y ~ x + (1 | g)", data))
    with pytest.raises(DataError, match="merged with another one, not with 3"):
        products.merge(3)  # type: ignore[arg-type]


def test_what_no_accumulator_is_made_of(data: pd.DataFrame) -> None:
    with pytest.raises(ModelError, match="absorbed factors are solved for with all rows in memory"):
        Accumulator("y ~ x | f", data)
    with pytest.raises(FormulaError, match="the data have no column 'xx'"):
        Accumulator("y ~ xx + (1 | g)", data)
    with pytest.raises(DataError, match="must be the name of a column"):
        Accumulator("y ~ x + (1 | g)", data, weights=data["w"])  # type: ignore[arg-type]
    with pytest.raises(DataError, match="the data have no rows"):
        Accumulator("y ~ x + (1 | g)", data).next()
    with pytest.raises(DataError, match="the formula must be text"):
        Accumulator(3, data)  # type: ignore[arg-type]
    schema = pyarrow.Table.from_pandas(data).schema
    assert Accumulator("y ~ x + (1 | g)", schema).columns == ["y", "x", "g"]


def test_few_rows_at_a_time_are_summed_seldom(data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_ROOM", 10_000)
    summed: list[int] = []
    of = gathering.CrossProducts.of
    monkeypatch.setattr(
        gathering.CrossProducts, "of", lambda *args, **more: summed.append(args[1].nrows) or of(*args, **more)
    )
    found = Accumulator("y ~ x + (1 | g)", data).update(data).next()
    summed.clear()
    for part in cut(data, 3):
        found = found.update(part)
    assert 2 <= len(summed) <= 5 and sum(summed) <= len(data)
    monkeypatch.undo()
    whole = interlace.lmer("y ~ x + (1 | g)", data)
    assert away(found.fit().fixef, whole.fixef) < 1e-12


def test_batches_whose_rows_repeat_are_summed_as_cells(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(3)
    n = 1 << 19
    data = pd.DataFrame(
        {"x": rng.integers(0, 5, n), "g": rng.integers(0, 30, n), "h": rng.integers(0, 20, n)}
    )
    data["y"] = data["x"] + rng.normal(size=30)[data["g"]] + rng.normal(size=n)
    formula = "y ~ x + (1 | g) + (1 | h)"
    with caplog.at_level("INFO", logger="interlace"):
        found = passed(Accumulator(formula, data), [data.iloc[: n // 2], data.iloc[n // 2 :]]).fit()
    assert "262144 rows are summed as 3000 cells" in caplog.text
    whole = interlace.lmer(formula, data)
    assert away(found.fixef, whole.fixef) < 1e-12 and away(found.theta, whole.theta) < 1e-11
