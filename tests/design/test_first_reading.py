"""Cross-products that are made while the rows are learnt from: those of a second reading."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import interlace
from interlace import kernel
from interlace.design import equal_rows, first_reading
from interlace.design.chunked import Extents
from interlace.design.design import Design
from interlace.design.files import DataFiles
from interlace.design.first_reading import FirstReading
from interlace.design.learning_rows import learn
from interlace.design.merging import Chunk
from interlace.errors import DataError, InterlaceWarning
from interlace.estimation import first_sums
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.first_sums import FirstSums

N = 4_000
MODELS = (
    "y ~ x + (x | g)",
    "y ~ 1 + (1 | g)",
    "y ~ x + t + (x || g)",
    "y ~ x * t + z + (x + z | g)",
    "y ~ log(x + 20) + offset(z) + (1 | g) + (0 + z | g)",
    "y ~ 0 + x + (0 + x | g)",
    "y ~ 0 + x + (1 + x | g)",
    "y ~ x + cs(0 + t | g)",
    "y ~ scale(x) + poly(z, 2) + (scale(x) | g)",
)
CROSSED = ("y ~ x + (1 | h) + (x | g)", "y ~ x + (1 | h) + (0 + z | g)", "y ~ t + (t | h) + (1 | g)")


@pytest.fixture(autouse=True)
def _few_rows_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_reading, "MANY", 1)
    monkeypatch.setattr(first_reading, "FIRST", 512)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Groups of g with numbers between which there are others; h has no gaps."""
    rng = np.random.default_rng(20)
    g, h = rng.integers(0, 60, N), rng.integers(0, 45, N)
    x, z = rng.normal(5, 2, N), rng.exponential(size=N)
    t = rng.choice(["a", "b", "c"], N)
    b = rng.normal(size=(2, 60))
    y = 100 + 0.4 * x + b[0][g] + 0.3 * b[1][g] * x + rng.normal(size=45)[h] + rng.normal(size=N)
    return pd.DataFrame({"y": y, "x": x, "z": z, "t": t, "g": 3 * g - 7, "h": (7 * h % 45).astype(np.int32)})


@pytest.fixture(scope="module")
def files(data: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parquet")
    data[: N // 3].to_parquet(folder / "1.parquet", index=False, row_group_size=500)
    data[N // 3 :].to_parquet(folder / "2.parquet", index=False, row_group_size=900)
    return folder


def _once(formula: str, source: Any, **options: Any) -> CrossProducts | None:
    """What was made in the first reading."""
    _, rows = learn(formula, source, summing=FirstSums(), **options)
    found = getattr(rows, "summed", None)
    assert found is None or isinstance(found, CrossProducts)
    return found


def _twice(formula: str, source: Any, **options: Any) -> CrossProducts:
    return CrossProducts.of(*learn(formula, source, **options))


def _same(a: CrossProducts, b: CrossProducts, tolerance: float) -> None:
    assert (a.layout, a.products.n, a.products.pattern) == (b.layout, b.products.n, b.products.pattern)
    assert a.origin.y == b.origin.y
    for mine, theirs in zip((a.origin.x, *a.origin.z), (b.origin.x, *b.origin.z), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=min(tolerance, 1e-15))
    # X'y may be zero: its rounding error is that of the sizes of both
    sizes = np.sqrt(np.diagonal(b.products.xx) * b.products.yy)
    numbers: list[Callable[[Any], Any]] = [lambda p: p.xx, lambda p: p.xy / sizes, lambda p: p.yy]
    for f in range(len(a.products.levels)):
        numbers += [lambda p, f=f: p.zz_diagonal(f), lambda p, f=f: p.zx(f), lambda p, f=f: p.zy(f)]
        numbers += [lambda p, f=f, j=j: p.zz_pair(f, j)[2] for j in range(f + 1, len(a.products.levels))]
    for ask in numbers:
        mine, theirs = np.asarray(ask(a.products)), np.asarray(ask(b.products))
        size = max(np.abs(theirs).max(initial=0.0), 1.0)
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=tolerance * size)


@pytest.mark.parametrize("rows", [150, 700, N])
@pytest.mark.parametrize("formula", [*MODELS, *CROSSED])
def test_products_are_those_of_a_second_reading(formula: str, rows: int, files: Path) -> None:
    source = interlace.parquet(files, rows=rows)
    found = _once(formula, source)
    assert found is not None
    _same(found, _twice(formula, source), 1e-13)


@pytest.mark.parametrize("formula", MODELS)
def test_bits_do_not_depend_on_the_chunks(formula: str, files: Path) -> None:
    a, b = (_once(formula, interlace.parquet(files, rows=rows)) for rows in (150, 700))
    assert a is not None
    assert b is not None
    _same(a, b, 0.0)


@pytest.mark.parametrize("formula", [*MODELS[:4], CROSSED[0]])
def test_fits_are_those_of_the_table(formula: str, files: Path, data: pd.DataFrame) -> None:
    m, whole = interlace.lmer(formula, files), interlace.lmer(formula, data)
    for ask in (lambda m: m.fixef, lambda m: m.se, lambda m: m.theta, lambda m: m.loglik, lambda m: m.sigma):
        np.testing.assert_allclose(ask(m), ask(whole), rtol=1e-10)
    for group, modes in whole.ranef().items():
        np.testing.assert_allclose(m.ranef()[group], modes, rtol=0, atol=1e-10)
        assert m.ranef()[group].index.tolist() == modes.index.tolist()


def test_files_are_read_once(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    batches = DataFiles.batches
    monkeypatch.setattr(DataFiles, "batches", lambda *a: (read.append(1), batches(*a))[1])
    interlace.lmer("y ~ x + (x | g)", files)
    assert len(read) == 1
    monkeypatch.setattr(first_reading, "MANY", 1 << 20)
    interlace.lmer("y ~ x + (x | g)", files)
    assert len(read) == 3


def test_rows_with_missing_values_are_left_out(data: pd.DataFrame, tmp_path: Path) -> None:
    row = np.arange(N)
    gaps = data.assign(x=data["x"].where(row % 11 != 3), g=data["g"].astype("Int64").where(row % 13 != 5))
    gaps.to_parquet(tmp_path / "a.parquet", index=False)
    m, whole = interlace.lmer("y ~ x + (x | g)", tmp_path), interlace.lmer("y ~ x + (x | g)", gaps)
    assert m.nobs == whole.nobs < N
    assert m.fit.rows.summed is not None
    np.testing.assert_allclose(m.fixef, whole.fixef, rtol=1e-11)


@pytest.mark.parametrize(
    "other",
    [
        pa.array(np.zeros(N, dtype=np.float16)),
        pa.array(np.full(N, 2**62), pa.timestamp("us")),
        pa.array(np.zeros(N, dtype=np.int64), pa.timestamp("us", "Nowhere/Town")),
        pa.array([{"g": 1_000}] * N),
    ],
    ids=["halves", "years", "place", "nested"],
)
def test_columns_that_no_one_asks_for(other: pa.Array, data: pd.DataFrame, tmp_path: Path) -> None:
    table = pa.Table.from_pandas(data, preserve_index=False).append_column("other", other)
    pq.write_table(table, tmp_path / "a.parquet")
    assert _once("y ~ x + (x | g)", interlace.parquet(tmp_path)) is not None


def test_the_first_rows_may_all_be_left_out(data: pd.DataFrame, tmp_path: Path) -> None:
    folder = _written(tmp_path, data.assign(y=data.y.where(np.arange(N) > 700)))
    source = interlace.parquet(folder, rows=150)
    found = _once("y ~ x + (x | g)", source)
    assert found is not None
    _same(found, _twice("y ~ x + (x | g)", source), 1e-13)


def test_the_thread_that_reads_may_give_up_at_any_time(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = FirstReading._made

    def giving_up(reading: FirstReading, chunk: Chunk) -> Design | None:
        design = made(reading, chunk)
        reading.give_up()
        return design

    monkeypatch.setattr(FirstReading, "_made", giving_up)
    assert _once("y ~ x + (x | g)", interlace.parquet(files, rows=150)) is None


def test_an_interrupt_leaves_no_thread(files: Path) -> None:
    class Interrupted(FirstSums):
        def add(self, design: Design) -> None:
            raise KeyboardInterrupt

    source = interlace.parquet(files, rows=150)
    with pytest.raises(KeyboardInterrupt) as kept:  # as notebooks keep the last error, and all that it saw
        learn("y ~ x + (x | g)", source, summing=Interrupted())
    assert kept.value is not None
    assert not [t for t in threading.enumerate() if t.name.startswith("interlace-ahead")]


def test_files_without_rows_say_nothing(data: pd.DataFrame, tmp_path: Path) -> None:
    data[:0].to_parquet(tmp_path / "0.parquet", index=False)
    assert _once("y ~ x + (x | g)", interlace.parquet(_written(tmp_path, data))) is not None


def test_groups_beyond_the_integers_of_the_core(data: pd.DataFrame, tmp_path: Path) -> None:
    large = data.assign(g=(data.g + 7).astype("uint64") + np.uint64(2**63))
    m, whole = (interlace.lmer("y ~ x + (x | g)", d) for d in (_written(tmp_path, large), large))
    np.testing.assert_allclose(m.fixef, whole.fixef, rtol=1e-11)
    assert m.ranef()["g"].index.tolist() == whole.ranef()["g"].index.tolist()


@pytest.mark.parametrize("kind", ["uint8", "int16", "uint64"])
def test_groups_of_any_width(kind: str, data: pd.DataFrame, tmp_path: Path) -> None:
    groups = data.assign(g=(data.g + 7).astype(kind))
    m, whole = (
        interlace.lmer("y ~ x + (x | g)", _written(tmp_path, groups)),
        interlace.lmer("y ~ x + (x | g)", groups),
    )
    assert m.fit.rows.summed is not None
    np.testing.assert_allclose(m.ranef()["g"], whole.ranef()["g"], rtol=0, atol=1e-10)
    assert m.ranef()["g"].index.tolist() == whole.ranef()["g"].index.tolist()


def _written(folder: Path, data: pd.DataFrame) -> Path:
    data.to_parquet(folder / "a.parquet", index=False)
    return folder


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("a category after the first rows", lambda d: d.assign(t=np.where(np.arange(N) < 3000, d.t, "d"))),
        ("a category that comes first", lambda d: d.assign(t=np.where(np.arange(N) < 3000, d.t, "A"))),
        ("a mean far away", lambda d: d.assign(x=d.x + 1e4 * (np.arange(N) > 580))),
        ("a response far away", lambda d: d.assign(y=d.y + 1e6 * (np.arange(N) > 580))),
        ("one group in the first rows", lambda d: d.assign(g=np.where(np.arange(N) < 520, 1, d.g))),
        ("text groups", lambda d: d.assign(g="g" + d.g.astype(str))),
        ("large numbers", lambda d: d.assign(g=d.g.astype("int64") * 100_000)),
        ("floats", lambda d: d.assign(g=d.g.astype(float))),
    ],
)
def test_where_the_first_rows_are_no_guide(
    what: str,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    data: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(first_sums, "FARTHEST", 2.0)
    folder = _written(tmp_path, change(data))
    formula = "y ~ x + t + (x | g)"
    assert _once(formula, interlace.parquet(folder)) is None, what
    m, whole = interlace.lmer(formula, folder), interlace.lmer(formula, change(data))
    np.testing.assert_allclose(m.fixef, whole.fixef, rtol=1e-9)
    assert list(m.fixef.index) == list(whole.fixef.index)


@pytest.mark.parametrize("formula", ["y ~ x + (x | g:h)", "y ~ x + (1 | g / h)", "y ~ x + (1 | factor(g))"])
def test_groups_that_are_no_columns(formula: str, files: Path) -> None:
    assert _once(formula, interlace.parquet(files)) is None


def test_weights_are_for_a_second_reading(files: Path) -> None:
    assert _once("y ~ x + (1 | g)", interlace.parquet(files), weights="z") is None


def test_rows_that_repeat_are_held_as_cells(
    data: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(equal_rows, "FEWEST", 1)
    folder = _written(tmp_path, data)
    assert _once("y ~ 1 + (1 | g)", interlace.parquet(folder)) is None
    m, whole = interlace.lmer("y ~ 1 + (1 | g)", folder), interlace.lmer("y ~ 1 + (1 | g)", data)
    np.testing.assert_allclose(m.fixef, whole.fixef, rtol=1e-11)


def test_a_file_that_says_what_is_not_so(
    files: Path, data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DataFiles, "extents", lambda self, columns: Extents(N, {"g": (-7, 20)}))
    assert _once("y ~ x + (x | g)", interlace.parquet(files)) is None
    m, whole = interlace.lmer("y ~ x + (x | g)", files), interlace.lmer("y ~ x + (x | g)", data)
    np.testing.assert_allclose(m.fixef, whole.fixef, rtol=1e-11)


def test_a_number_that_is_none_is_named(data: pd.DataFrame, tmp_path: Path) -> None:
    bad = data.assign(x=np.where(np.arange(N) == 3210, np.inf, data.x))
    with pytest.raises(DataError, match=r"a\.parquet.*row 3210|row 3210.*a\.parquet"):
        interlace.lmer("y ~ x + (x | g)", _written(tmp_path, bad))


def test_columns_that_depend_on_others(data: pd.DataFrame, tmp_path: Path) -> None:
    both = data.assign(twice=2 * data.x + 1, same=4.0)
    formula = "y ~ x + twice + same + (1 | g)"
    with pytest.warns(InterlaceWarning):
        m = interlace.lmer(formula, _written(tmp_path, both))
    assert m.fit.rows.summed is None or m.fit.kept == (0, 1)
    whole = interlace.lmer("y ~ x + (1 | g)", data)
    np.testing.assert_allclose(m.fixef.dropna(), whole.fixef, rtol=1e-10)


def test_after_the_fit_rows_are_read(files: Path, data: pd.DataFrame) -> None:
    m, whole = (interlace.lmer("y ~ x + (x | g)", d) for d in (files, data))
    np.testing.assert_allclose(m.fitted, whole.fitted, rtol=1e-9)
    np.testing.assert_allclose(m.refit(whole.resid).fixef, whole.refit(whole.resid).fixef, atol=1e-10)
    again = m.update(". ~ . + z")
    np.testing.assert_allclose(again.fixef, whole.update(". ~ . + z").fixef, rtol=1e-9)


def _products(rng: np.random.Generator, k: tuple[int, int]) -> tuple[kernel.CrossProducts, dict[str, Any]]:
    n = 300
    rows = {
        "y": rng.normal(size=n),
        "x": rng.normal(size=(n, 2)),
        "codes": [
            (2 * rng.integers(0, 7, n) + 1).astype(np.int32), (3 * rng.integers(0, 5, n)).astype(np.int32)
        ],
        "z": [rng.normal(size=(n, m)) for m in k],
        "levels": [16, 14],
        "w": None,
        "y_origin": 0.0,
        "x_origin": np.zeros(2),
        "z_origin": [np.zeros(m) for m in k],
    }  # fmt: skip
    return kernel.accumulate(**rows), rows


def _equal(a: kernel.CrossProducts, b: kernel.CrossProducts) -> None:
    assert a.pattern == b.pattern
    for f in (0, 1):
        for what in ("zz_diagonal", "zx", "zy"):
            np.testing.assert_allclose(getattr(a, what)(f), getattr(b, what)(f), atol=1e-11)
    np.testing.assert_allclose(a.zz_pair(0, 1)[2], b.zz_pair(0, 1)[2], atol=1e-11)
    np.testing.assert_array_equal([a.yy, *a.xy], [b.yy, *b.xy])
    np.testing.assert_array_equal(a.xx, b.xx)


@pytest.mark.parametrize("k", [(1, 1), (2, 3), (3, 1)])
def test_combinations_of_the_columns_of_z(k: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(k))
    a, rows = _products(rng, k)
    G = [rng.normal(size=(m, m)) for m in k]
    rows["z"] = [z @ g for z, g in zip(rows["z"], G, strict=True)]
    _equal(kernel.with_random(a, G), kernel.accumulate(**rows))
    _equal(kernel.with_random(a, [None, None]), a)
    with pytest.raises(ValueError, match="one matrix"):
        kernel.with_random(a, G[:1])


def test_some_of_the_levels() -> None:
    a, rows = _products(np.random.default_rng(4), (2, 1))
    kept = [np.unique(codes).astype(np.int64) for codes in rows["codes"]]
    rows["codes"] = [
        np.searchsorted(of, c).astype(np.int32) for of, c in zip(kept, rows["codes"], strict=True)
    ]
    rows["levels"] = [len(of) for of in kept]
    _equal(kernel.select_levels(a, kept), kernel.accumulate(**rows))
    with pytest.raises(ValueError, match="has rows"):
        kernel.select_levels(a, [kept[0][1:], kept[1]])
    with pytest.raises(ValueError, match="in their order"):
        kernel.select_levels(a, [kept[0][::-1].copy(), kept[1]])
