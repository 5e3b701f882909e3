"""Tables of every kind give the same numbers, and tables are handed back in the caller's kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from interlace.design.encoding import Encoding
from interlace.design.frame import Frame, closest, open_table
from interlace.design.values import Factor
from interlace.errors import DataError

N = 12
COLUMNS: dict[str, list[Any]] = {
    "y": [1.5, 2.0, 0.5, 4.0, 3.5, 2.5, 6.0, 1.0, None, 2.0, 5.5, 4.5],
    "x": [3, 1, 2, 5, 4, 9, None, 8, 7, 6, 0, 2],
    "f": ["lo", "hi", "mid", "lo", "mid", "hi", "hi", "lo", "lo", "mid", "lo", "mid"],
    "s": ["b", "a", "c", "c", "a", "b", "a", "a", "b", "c", "c", None],
    "flag": [True, False, True, True, False, False, True, False, False, True, True, False],
    "g": [30, 10, 20, 10, 30, 20, 10, 30, 20, 30, 10, 20],
}
LEVELS = ["lo", "mid", "hi"]
FORMULA = "y ~ x * f + s + flag + (1 + x | g)"


def as_pandas() -> pd.DataFrame:
    data = pd.DataFrame(COLUMNS, index=[f"row{i}" for i in range(N)])
    return data.assign(f=pd.Categorical(COLUMNS["f"], categories=LEVELS))


def as_pandas_nullable() -> pd.DataFrame:
    data = as_pandas().convert_dtypes()
    return data.assign(f=pd.Categorical(COLUMNS["f"], categories=LEVELS))


def as_pandas_arrow() -> pd.DataFrame:
    data = pd.DataFrame(COLUMNS).convert_dtypes(dtype_backend="pyarrow")
    return data.assign(f=pd.Categorical(COLUMNS["f"], categories=LEVELS))


def as_polars() -> pl.DataFrame:
    return pl.DataFrame(COLUMNS).with_columns(pl.col("f").cast(pl.Enum(LEVELS)))


def as_arrow() -> pa.Table:
    table = pa.table(COLUMNS)
    codes = pa.array([LEVELS.index(v) for v in COLUMNS["f"]], pa.int32())
    return table.set_column(2, "f", pa.DictionaryArray.from_arrays(codes, pa.array(LEVELS)))


def as_arrow_chunks() -> pa.Table:
    table = as_arrow()
    return pa.concat_tables([table.slice(0, 5), table.slice(5)])


def as_lists() -> dict[str, Any]:
    return {**COLUMNS, "f": pd.Categorical(COLUMNS["f"], categories=LEVELS)}


def as_arrays() -> dict[str, Any]:
    return {
        **{name: np.array(values, dtype=object) for name, values in COLUMNS.items()},
        "y": np.array(COLUMNS["y"], dtype=float),
        "x": np.array(COLUMNS["x"], dtype=np.float32),
        "f": pd.Series(pd.Categorical(COLUMNS["f"], categories=LEVELS)),
        "g": np.array(COLUMNS["g"], dtype=np.int16),
    }


MAKERS = [
    as_pandas,
    as_pandas_nullable,
    as_pandas_arrow,
    as_polars,
    as_arrow,
    as_arrow_chunks,
    as_lists,
    as_arrays,
]


@pytest.mark.parametrize("make", MAKERS, ids=lambda f: f.__name__)
def test_every_kind_of_table_gives_the_same_numbers(make: Callable[[], Any]) -> None:
    encoding, design = Encoding.learn(FORMULA, make())
    assert encoding.fixed_names == (
        "Intercept", "x", "f[T.mid]", "f[T.hi]", "s[T.b]", "s[T.c]", "flag[T.True]",
        "x:f[T.mid]", "x:f[T.hi]",
    )  # fmt: skip
    assert (design.n_rows_read, design.nrows, design.n_dropped) == (12, 9, 3)
    np.testing.assert_array_equal(design.kept, [0, 1, 2, 3, 4, 5, 7, 9, 10])
    assert dict(design.missing) == {"y": 1, "x": 1, "s": 1}
    np.testing.assert_array_equal(design.y, [COLUMNS["y"][i] for i in design.kept])
    x = np.array([COLUMNS["x"][i] for i in design.kept], dtype=float)
    mid, hi = (np.array([COLUMNS["f"][i] == level for i in design.kept], float) for level in LEVELS[1:])
    b, c = (np.array([COLUMNS["s"][i] == level for i in design.kept], float) for level in "bc")
    flag = np.array([COLUMNS["flag"][i] for i in design.kept], float)
    expected = np.column_stack([np.ones(9), x, mid, hi, b, c, flag, x * mid, x * hi])
    np.testing.assert_array_equal(design.X, expected)
    assert encoding.random[0].levels.tolist() == [10, 20, 30]
    np.testing.assert_array_equal(design.random[0].codes, [COLUMNS["g"][i] // 10 - 1 for i in design.kept])
    np.testing.assert_array_equal(design.random[0].z, np.column_stack([np.ones(9), x]))
    for array in (design.X, design.random[0].z):
        assert array.dtype == np.float64 and array.flags.c_contiguous
    assert design.random[0].codes.dtype == np.int32


@pytest.mark.parametrize("make", MAKERS, ids=lambda f: f.__name__)
def test_row_tables_come_back_in_the_callers_kind(make: Callable[[], Any]) -> None:
    data = make()
    _, design = Encoding.learn(FORMULA, data)
    table = design.frame.row_table({"fitted": np.arange(9.0)})
    if isinstance(data, dict):
        assert isinstance(table, pd.DataFrame)
    else:
        assert type(table) is type(data)
    if isinstance(data, pd.DataFrame):
        assert list(table.index) == [data.index[i] for i in design.kept]
    assert np.asarray(table["fitted"]).tolist() == list(range(9))


def test_ordered_categories_survive_arrow_and_pandas() -> None:
    codes = pa.array([0, 1, 2, 1])
    ordered = pa.DictionaryArray.from_arrays(codes, pa.array(["s", "m", "l"]), ordered=True)
    read = Frame.read(pa.table({"o": ordered})).columns["o"]
    assert isinstance(read, Factor) and read.ordered and read.levels.tolist() == ["s", "m", "l"]
    again = Frame.read(pd.DataFrame({"o": read.to_series()})).columns["o"]
    assert isinstance(again, Factor) and again.ordered and again.levels.tolist() == ["s", "m", "l"]


def test_polars_categoricals_are_sorted() -> None:
    data = pl.DataFrame({"c": pl.Series(["z", "a", None, "m"], dtype=pl.Categorical)})
    frame = Frame.read(data)
    column = frame.columns["c"]
    assert isinstance(column, Factor) and column.levels.tolist() == ["a", "m", "z"]
    assert column.codes.tolist() == [2, 0, -1, 1]
    assert frame.missing["c"].tolist() == [False, False, True, False]


def test_a_lazy_frame_must_be_collected() -> None:
    with pytest.raises(DataError, match=r"a lazy table of polars, without rows yet: get them by collect\(\)"):
        Frame.read(pl.LazyFrame(COLUMNS, strict=False))


@pytest.mark.parametrize("data", [None, 3, "file.csv", [1, 2], np.zeros((3, 2)), pd.Series([1.0])])
def test_what_is_no_table_is_refused(data: Any) -> None:
    with pytest.raises(DataError, match="give a pandas or polars data frame"):
        Frame.read(data)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="column 'b' has 2 values, others have 3"):
        Frame.read({"a": [1, 2, 3], "b": [1, 2]})


def test_a_mapping_needs_arrays() -> None:
    with pytest.raises(DataError, match="'b' is a single value"):
        Frame.read({"a": [1, 2, 3], "b": "text"})


def test_mixed_objects_are_refused() -> None:
    with pytest.raises(DataError, match="column 'a' mixes values of the types int, str"):
        Frame.read({"a": [1, "two", 3]})


def test_duplicate_names_matter_only_if_used() -> None:
    data = pd.DataFrame(np.arange(9.0).reshape(3, 3), columns=["a", "b", "b"])
    assert list(Frame.read(data, ["a"]).columns) == ["a"]
    with pytest.raises(DataError, match="2 columns named 'b'"):
        Frame.read(data, ["b"])


def test_structured_arrays_and_dates_are_read() -> None:
    data = np.array([(1.0, 2), (3.0, 4)], dtype=[("a", float), ("b", int)])
    assert open_table(data).names == ["a", "b"]
    days = Frame.read({"d": [dt.date(2020, 1, 2), None]})
    assert days.columns["d"].dtype.kind == "M" and days.missing["d"].tolist() == [False, True]


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.5, 2.5, np.nan, 3.5]),
        np.array([1, 2, 3, 3]),
        np.array([True, False, True, True]),
        np.array(["b", "a", "c", "b"]),
        np.array(["b", None, "c", "b"], dtype=object),
        np.array(["2020-01-01", "2020-01-02", "NaT", "2020-01-03"], dtype="datetime64[D]"),
    ],
    ids=lambda v: v.dtype.kind,
)
def test_masked_values_are_missing(values: np.ndarray) -> None:
    plain, masked = Frame.read({"a": values}), np.ma.MaskedArray(values, mask=[True, False, False, False])
    frame = Frame.read({"a": masked})
    gone = plain.missing.get("a", np.zeros(4, dtype=bool)) | [True, False, False, False]
    np.testing.assert_array_equal(frame.missing["a"], gone)
    np.testing.assert_array_equal(
        frame.take(np.flatnonzero(~gone)).to_pandas()["a"].astype(object),
        plain.take(np.flatnonzero(~gone)).to_pandas()["a"].astype(object),
    )
    assert "a" not in Frame.read({"a": np.ma.MaskedArray(values[[0, 3]])}).missing


def test_rows_with_a_masked_value_are_dropped() -> None:
    y = np.ma.masked_greater(np.arange(8.0) ** 2, 40)
    data = {"y": y, "x": np.ma.masked_equal(np.arange(8), 0), "g": [1, 1, 2, 2, 3, 3, 4, 4]}
    weights = np.ma.MaskedArray(np.ones(8), mask=np.arange(8) == 2)
    _, design = Encoding.learn("y ~ x + (1 | g)", data, weights=weights)
    assert design.kept is not None and design.kept.tolist() == [1, 3, 4, 5, 6]


def test_reading_copies_nothing_that_need_not_be_copied() -> None:
    data = pd.DataFrame({"a": np.arange(5.0), "b": np.arange(5)})
    frame = Frame.read(data, ["a", "b"])
    assert np.shares_memory(frame.columns["a"], data["a"].to_numpy())
    assert np.shares_memory(frame.columns["b"], data["b"].to_numpy())


def test_closest_names() -> None:
    assert closest("dyas", ["Days", "Subject"]) == "did you mean 'Days'?"
    assert "Days, Subject" in closest("zzz", ["Days", "Subject"])


def test_an_open_table_stays_open() -> None:
    table = open_table(pd.DataFrame({"a": [1, 2]}))
    assert open_table(table) is table
    frame = Frame.read(table)
    assert open_table(frame) is frame and frame.names == ["a"]
