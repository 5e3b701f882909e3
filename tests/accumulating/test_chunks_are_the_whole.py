"""Chunks = whole: every model of the reference cases, from parts of any size, in any tree, from every source.

Everything agrees to 1e-12 of the largest number of its kind.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest

import interlace
from interlace.design.learning_rows import learn
from interlace.errors import InterlaceWarning
from interlace.estimation import gathering
from interlace.estimation.crossproducts import CrossProducts
from reference_cases import Case, case, lmer_cases

from .passes import away, by_halves, cut, fitted, from_the_end, in_turn

QUICK = ("sleepstudy_scale_reml", "pastes_nested_reml")
#: The same table with its rows in another order is 4e-12 and 2e-13 away from itself.
BADLY_CONDITIONED = ("sleepstudy_noint_reml", "egsingle_nested_reml")
SIZES = (7, 1000)


def same(m: Any, whole: Any) -> None:
    """Two fits of one model."""
    assert list(m.fixef.index) == list(whole.fixef.index)
    assert (m.nobs, m.ngroups) == (whole.nobs, whole.ngroups)
    for ask in (
        lambda m: m.fixef, lambda m: m.se, lambda m: m.vcov(), lambda m: m.theta, lambda m: m.sigma,
        lambda m: m.loglik, lambda m: m.varcorr()["sd"], lambda m: m.coef_table()["df"],
    ):  # fmt: skip
        assert away(ask(m), ask(whole)) < 1e-12
    for group, modes in whole.ranef().items():
        assert away(m.ranef()[group], modes) < 1e-12


def _whole(of: Case) -> tuple[pd.DataFrame, dict[str, Any], Any]:
    data = of.frame()
    return data, of.options, interlace.lmer(of.formula, data, **of.options)


def _check(of: Case, rows: int, tree: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterlaceWarning)  # of the model, and as many of the parts
        data, options, whole = _whole(of)
        same(fitted(of.formula, cut(data, rows), tree, **options), whole)


@pytest.mark.parametrize("name", QUICK)
def test_parts_are_the_whole(name: str) -> None:
    _check(case("lmer", name), 7, by_halves)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize("tree", [in_turn, by_halves, from_the_end])
def test_parts_of_a_small_table_are_the_whole_to_the_last_bit(tree: Any) -> None:
    of = case("lmer", "sleepstudy_noint_reml")
    data, options, whole = _whole(of)
    found = fitted(of.formula, cut(data, 7), tree, **options)
    for ask in (lambda m: m.fixef, lambda m: m.se, lambda m: m.theta, lambda m: m.sigma, lambda m: m.loglik):
        np.testing.assert_array_equal(ask(found), ask(whole))


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize("tree", [in_turn, by_halves, from_the_end])
@pytest.mark.parametrize("name", BADLY_CONDITIONED)
def test_sums_that_are_merged(name: str, tree: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no row waits, the sums differ by rounding error."""
    monkeypatch.setattr(gathering, "_ROOM", 0)
    monkeypatch.setattr(gathering, "_numbers", lambda encoding: 0)
    of = case("lmer", name)
    data, options, whole = _whole(of)
    found = fitted(of.formula, cut(data, -(-len(data) // 30)), tree, **options)
    A = found.fit.A
    B = CrossProducts.of(whole.fit.encoding, whole.fit.rows, origin=A.origin)
    for ask in (lambda A: A.xx, lambda A: A.xy, lambda A: A.yy):
        assert away(ask(A.products), ask(B.products)) < 5e-15
    for f in range(len(A.products.levels)):
        for what in ("zz_diagonal", "zx", "zy"):
            assert away(methodcaller(what, f)(A.products), methodcaller(what, f)(B.products)) < 1e-14


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        *(
            (name, rows)
            for name in ("sleepstudy_weights_ml", "sleepstudy_noint_reml")
            for rows in (1, 7, 1000)
        ),
        *(("exam_slope_reml", rows) for rows in (100, 1000)),
        *(pytest.param("exam_slope_reml", rows, marks=pytest.mark.slow) for rows in (1, 7)),
    ],
)
def test_chunks_of_a_file_have_the_same_bits(name: str, rows: int, tmp_path: Path) -> None:
    of = case("lmer", name)
    data, options, _ = _whole(of)
    data.to_parquet(tmp_path / "all.parquet", index=False)
    source = interlace.chunks(tmp_path, rows=rows)
    encoding, chunks = learn(of.formula, source, **{k: v for k, v in options.items() if k != "reml"})
    A = CrossProducts.of(encoding, chunks)
    B = CrossProducts.of(encoding, encoding.design(data, response="required"), origin=A.origin)
    for ask in (lambda A: A.xx, lambda A: A.xy, lambda A: A.yy, lambda A: A.n, lambda A: A.sum_log_w):
        np.testing.assert_array_equal(ask(A.products), ask(B.products))
    for f in range(len(A.products.levels)):
        for what in ("zz_diagonal", "zx", "zy"):
            np.testing.assert_array_equal(
                methodcaller(what, f)(A.products), methodcaller(what, f)(B.products)
            )


@pytest.mark.slow
@pytest.mark.parametrize("of", lmer_cases(), ids=str)
@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("tree", [in_turn, by_halves, from_the_end])
def test_every_model_in_every_tree(of: Case, rows: int, tree: Any) -> None:
    _check(of, rows, tree)


@pytest.mark.slow
@pytest.mark.parametrize("of", lmer_cases(), ids=str)
def test_every_model_row_by_row(of: Case) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterlaceWarning)
        data, options, whole = _whole(of)
        reml = options.pop("reml", True)
        found = interlace.Accumulator(of.formula, data, **options)
        while True:
            for part in cut(data, 1):
                found = found.update(part)
            if found.ready:
                break
            found = found.next()
        same(found.fit(reml=reml), whole)


def _parquet(data: pd.DataFrame, folder: Path) -> Any:
    for i, part in enumerate(cut(data, -(-len(data) // 3))):
        part.to_parquet(folder / f"{i}.parquet", index=False)
    return interlace.chunks(folder, rows=256)


SOURCES: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "polars": lambda data, folder: polars.from_pandas(data),
    "Arrow": lambda data, folder: pyarrow.Table.from_pandas(data, preserve_index=False),
    "Parquet": _parquet,
    "DuckDB": lambda data, folder: interlace.chunks(duckdb.from_df(data), rows=256),
    "lazy polars": lambda data, folder: interlace.chunks(polars.from_pandas(data).lazy(), rows=256),
    "dask": lambda data, folder: pytest.importorskip("dask.dataframe").from_pandas(data, npartitions=3),
}


#: polars' categories have no order of their own, and DuckDB's are text: there the same labels as text.
TEXT = ("polars", "DuckDB", "lazy polars", "dask")


def _of_text(data: pd.DataFrame) -> pd.DataFrame:
    categories = data.select_dtypes("category").columns
    return data.assign(
        **{name: data[name].astype(str).where(data[name].notna(), None) for name in categories}
    )


@pytest.mark.slow
@pytest.mark.parametrize("of", lmer_cases(), ids=str)
@pytest.mark.parametrize("kind", SOURCES)
def test_every_model_from_every_source(of: Case, kind: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterlaceWarning)
        data = _of_text(of.frame()) if kind in TEXT else of.frame()
        options, whole = of.options, interlace.lmer(of.formula, data, **of.options)
        m = interlace.lmer(of.formula, SOURCES[kind](data, tmp_path), **options)
        same(m, whole)
        assert away(np.asarray(m.fitted), np.asarray(whole.fitted)) < 1e-12
