"""Rows that repeat: sums over cells of equal rows are the sums over the rows, and nothing else changes."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow
import pytest

import interlace
from interlace.design import equal_rows, queries
from interlace.design.equal_rows import EqualRows, key_columns
from interlace.design.values import factorize
from interlace.errors import DataError
from interlace.formula.parser import parse

FORMULAS: list[tuple[str, dict[str, Any]]] = [
    ("y ~ a * x + (1 + x | g)", {}),
    ("y ~ a + x + (1 | g) + (1 | h)", {"reml": False}),
    ("log(y + 20) ~ a * factor(x) + (1 | g) + (1 | h)", {"weights": "w"}),
    ("y ~ scale(x) + offset(x / 7) + (1 | h) + (1 | g)", {"weights": "w", "offset": "w"}),
    ("y ~ a * x + I(1000 * x) + (1 | g) + (1 | h)", {}),
]

BASE = 2.0


@pytest.fixture(autouse=True)
def _few_rows_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equal_rows, "FEWEST", 1)
    monkeypatch.setattr(equal_rows, "FEWEST_HERE", 1)


def made(n: int = 4000) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"a": rng.choice(["no", "yes"], n), "x": rng.integers(0, 4, n) / 3})
    data["g"], data["h"] = rng.integers(0, 9, n), rng.integers(0, 5, n)
    data["w"] = np.where(data["x"] > 0.5, 0.7, 2.0)
    data["y"] = 3 + data["x"] + rng.normal(size=9)[data["g"]] + rng.normal(size=5)[data["h"]]
    data["y"] += rng.normal(size=n) / np.sqrt(data["w"])
    data.loc[rng.choice(n, 50), "x"] = np.nan
    data.loc[rng.choice(n, 50), "y"] = np.nan
    data.loc[rng.choice(n, 50), "a"] = None
    return data


def both(fit: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """From cells, and from rows."""
    from_cells = fit()
    with monkeypatch.context() as changed:
        changed.setattr(equal_rows, "repeats", lambda *_: False)
        changed.setattr("interlace.design.held_cells.repeats", lambda *_: False)
        changed.setattr("interlace.design.streaming.repeats", lambda *_: False)
        return from_cells, fit()


def cells(m: Any) -> int:
    return sum(design.nrows for design in m.fit.rows.cells())


def same_products(m: Any, whole: Any) -> None:
    a, b = (fit.criterion.system.A.products for fit in (m.fit, whole.fit))
    assert a.n == b.n
    np.testing.assert_allclose(a.sum_log_w, b.sum_log_w, rtol=1e-13)
    numbers: list[Callable[[Any], Any]] = [lambda a: a.xx, lambda a: a.xy, lambda a: a.yy]
    for f in range(len(a.levels)):
        numbers += [methodcaller(name, f) for name in ("zz_diagonal", "zx", "zy")]
    for ask in numbers:
        found, expected = np.asarray(ask(a)), np.asarray(ask(b))
        assert np.abs(found - expected).max() < 1e-13 * np.abs(expected).max()


def same(m: Any, whole: Any, rtol: float = 1e-12) -> None:
    assert (m.nobs, m.df_resid, m.formula) == (whole.nobs, whole.df_resid, whole.formula)
    for ask in (
        lambda m: m.fixef, lambda m: m.vcov(), lambda m: m.sigma, lambda m: m.loglik, lambda m: m.aic,
        lambda m: m.bic,
    ):  # fmt: skip
        np.testing.assert_allclose(ask(m), ask(whole), rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(m.coef_table()["df"], whole.coef_table()["df"], rtol=1e-8)


@pytest.mark.filterwarnings("ignore::interlace.errors.RankDeficiencyWarning")
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("formula", "options"), FORMULAS)
def test_cells_are_the_rows(
    formula: str, options: dict[str, Any], chunked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = made()
    table = pyarrow.Table.from_pandas(data)
    rows = interlace.chunks(lambda: table.to_reader(), rows=900) if chunked else data
    m, whole = both(lambda: interlace.lmer(formula, rows, **options), monkeypatch)
    assert cells(m) <= 360 if chunked or "(1 | h)" in formula else cells(m) == m.nobs
    assert not chunked or cells(whole) == m.nobs
    same_products(m, whole)
    same(m, whole, rtol=1e-9)  # the search ends where the gradient is lost in rounding
    np.testing.assert_allclose(m.theta, whole.theta, rtol=1e-8)
    np.testing.assert_allclose(m.fitted, whole.fitted, rtol=1e-10)
    assert len(m.residuals()) == m.nobs or not chunked
    assert "cells" not in str(m.summary())


@pytest.mark.parametrize("weights", [None, "w"])
def test_least_squares(weights: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pyarrow.Table.from_pandas(made())
    rows = interlace.chunks(lambda: table.to_reader(), rows=900)
    m, whole = both(lambda: interlace.lm("y ~ a * x", rows, weights=weights), monkeypatch)
    assert cells(m) == 8 < cells(whole)
    same(m, whole)
    np.testing.assert_allclose(m.se, interlace.lm("y ~ a * x", made(), weights=weights).se, rtol=1e-12)


def test_fixed_effects_that_explain_nearly_all(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made().assign(y=lambda d: 1e6 * d["x"] + d["y"])
    table = pyarrow.Table.from_pandas(data)
    rows = interlace.chunks(lambda: table.to_reader(), rows=900)
    m, whole = both(lambda: interlace.lmer("y ~ x + (1 | g) + (1 | h)", rows), monkeypatch)
    np.testing.assert_allclose(m.sigma, whole.sigma, rtol=1e-11)
    np.testing.assert_allclose(m.theta, whole.theta, rtol=1e-8)


def test_a_source_is_read_once_for_the_fit() -> None:
    table, opened = pyarrow.Table.from_pandas(made()), []

    def open_rows() -> Any:
        opened.append(1)
        return table.to_reader()

    rows = interlace.chunks(open_rows, rows=900)
    opened.clear()
    m = interlace.lmer("y ~ a * x + (1 | g)", rows)
    reads = sum(opened)
    assert cells(m) == 72
    assert m.fit.rows.held is not None
    opened.clear()
    many = interlace.chunks(open_rows, rows=256)
    m = interlace.lmer("y ~ a * x + (1 | g:h)", many)  # 360 cells: more than the rows of a chunk
    assert m.fit.rows.held is None
    assert sum(opened) > reads


def test_no_cells_are_kept_in_files(tmp_path: Path) -> None:
    made().to_parquet(tmp_path / "rows.parquet")
    m = interlace.lmer("y ~ a * x + (1 | g)", interlace.chunks(tmp_path / "rows.parquet", rows=900))
    assert m.fit.rows.held is not None
    m.save(tmp_path / "model.interlace")
    for again in (pickle.loads(pickle.dumps(m)), interlace.load(tmp_path / "model.interlace")):
        assert again.fit.rows.held is None
        pd.testing.assert_series_equal(again.fixef, m.fixef)
        np.testing.assert_allclose(again.fitted, m.fitted, rtol=1e-14)


def test_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="interlace"):
        interlace.lmer("y ~ a + (1 | g) + (1 | h)", made())
    assert "rows are summed as 90 cells of equal rows" in caplog.text


def test_rows_are_left_as_they_are_where_they_do_not_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made().assign(x=lambda d: np.random.default_rng(1).normal(size=len(d)))
    m = interlace.lmer("y ~ x + (1 | g) + (1 | h)", data)
    assert cells(m) == m.nobs
    rows = interlace.chunks(lambda: pyarrow.Table.from_pandas(data).to_reader(), rows=900)
    assert interlace.lmer("y ~ x + (1 | g)", rows).fit.rows.held is None


def test_arrays_of_the_caller_may_give_equal_rows_other_numbers() -> None:
    data = made(5000)
    beside = np.arange(5000) % 2
    assert cells(interlace.lmer("y ~ I(x * BASE) + np.sqrt(x) + (1 | g) + (1 | h)", data)) < 500
    assert key_columns(parse("y ~ x + (1 | g)"), ["y", "x", "g"], {"beside": beside}, ()) == ()


def test_a_bad_value_is_found_in_its_row() -> None:
    data = made()
    data.loc[3000, "y"] = np.inf
    rows = interlace.chunks(lambda: pyarrow.Table.from_pandas(data).to_reader(), rows=900)
    with pytest.raises(DataError, match="'y' is inf at row 3000"):
        interlace.lmer("y ~ a * x + (1 | g)", rows)


def test_cells_of_columns_and_of_cells() -> None:
    data = made().dropna()
    data["far"] = data["y"] + 1e8
    data["wide"] = (data["g"] * 10**15).astype(np.int64)
    keys = ["a", "x", "g", "wide"]
    columns = [factorize(data["a"].to_numpy(dtype=object)), *(data[name].to_numpy() for name in keys[1:])]
    for name in ("y", "far"):
        y = data[name].to_numpy()
        found = EqualRows.of(columns, y)
        assert found is not None
        expected = data.groupby(keys, sort=False)[name]
        np.testing.assert_array_equal(found.n, expected.size())
        np.testing.assert_allclose(found.mean, expected.mean(), rtol=1e-14)
        np.testing.assert_allclose(found.within, expected.var(ddof=0) * expected.size(), rtol=1e-7)
        rows = [c.take(found.first) if not isinstance(c, np.ndarray) else c[found.first] for c in columns]
        again = EqualRows.of(rows[:2], found.mean, found.n, found.within)
        assert again is not None
        at_once = EqualRows.of(columns[:2], y)
        assert at_once is not None
        np.testing.assert_array_equal(again.n, at_once.n)
        np.testing.assert_allclose(again.mean, at_once.mean, rtol=1e-14)
        np.testing.assert_allclose(again.within, at_once.within, rtol=1e-11 if name == "y" else 1e-7)
    assert EqualRows.of(columns, data["y"].to_numpy(), most=50) is None
    assert EqualRows.of(columns * 12, data["y"].to_numpy()) is None  # more combinations than numbers


def test_files(tmp_path: Path) -> None:
    data = made()
    data[:2000].to_parquet(tmp_path / "0.parquet")
    data[2000:].to_csv(tmp_path / "1.csv")
    data[2000:].to_parquet(tmp_path / "1.parquet")
    m = interlace.lmer("y ~ a * x + (1 | g)", str(tmp_path / "*.parquet"))
    whole = interlace.lmer("y ~ a * x + (1 | g)", data)
    assert cells(m) == 72
    same(m, whole)
    assert abs(m.residuals() - whole.residuals()).max() < 1e-11


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("y ~ a * x + (1 | g)", {}),
        ('count ~ a + factor(x) + offset(x / 7) + (1 | g) + (1 | `the "h"`)', {"weights": "w"}),
        ("y ~ scale(x) + (1 + x | g)", {"reml": False}),
    ],
)
def test_a_database_counts_equal_rows(
    formula: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = made().rename(columns={"h": 'the "h"'})
    data["count"] = (10 * data["y"].fillna(1)).round().astype(int)
    data.loc[3, 'the "h"'] = 4
    asked: list[str] = []
    query = queries.group_by

    def counted(relation: Any, *rest: Any) -> Any:
        asked.append("GROUP BY")
        return query(relation, *rest)

    monkeypatch.setattr(queries, "group_by", counted)
    rows = interlace.chunks(duckdb.from_df(data), rows=900)
    m, whole = both(lambda: interlace.lmer(formula, rows, **options), monkeypatch)
    assert asked == ["GROUP BY"] and cells(m) <= 360
    same_products(m, whole)
    same(m, whole, rtol=1e-9)
    assert m.fit.rows.missing == whole.fit.rows.missing and m.fit.rows.n_read == 4000
    for name, found in whole.fit.encoding.covariates.items():
        mine = m.fit.encoding.covariates[name]
        assert (mine.n, mine.low, mine.high) == (found.n, found.low, found.high)
        np.testing.assert_allclose(mine.mean, found.mean, rtol=1e-14)
    for block, other in zip(m.fit.encoding.random, whole.fit.encoding.random, strict=True):
        np.testing.assert_array_equal(block.levels, other.levels)
    np.testing.assert_allclose(m.fitted, whole.fitted, rtol=1e-10)


def test_a_database_does_not_count_what_rows_must_say() -> None:
    data = made()
    data.loc[3000, "y"] = np.inf
    with pytest.raises(DataError, match="'y' is inf at row 3000"):
        interlace.lmer("y ~ a * x + (1 | g)", interlace.chunks(duckdb.from_df(data), rows=900))
    for formula in ("log(y + 20) ~ a * x + (1 | g)", "x ~ a + log(x + 1) + (1 | g)"):
        rows = interlace.chunks(duckdb.from_df(made()), rows=900)
        assert abs(interlace.lmer(formula, rows).fixef - interlace.lmer(formula, made()).fixef).max() < 1e-9
    many = interlace.chunks(duckdb.from_df(made()), rows=256)
    m = interlace.lmer("y ~ a * x + (1 | g:h)", many)
    assert m.fit.rows.held is None and m.nobs == interlace.lmer("y ~ a * x + (1 | g:h)", made()).nobs
    with pytest.raises(DataError, match="missing"):
        interlace.lmer("y ~ a * x + (1 | g)", interlace.chunks(duckdb.from_df(made())), na_action="error")


def test_a_response_far_from_zero_keeps_its_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made().assign(y=lambda d: d["y"] + 1e7)
    rows = interlace.chunks(duckdb.from_df(data), rows=900)
    m, whole = both(lambda: interlace.lmer("y ~ a * x + (1 | g)", rows), monkeypatch)
    np.testing.assert_allclose(m.sigma, whole.sigma, rtol=1e-10)
    np.testing.assert_allclose(m.loglik, whole.loglik, rtol=1e-10)
