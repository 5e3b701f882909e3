"""Columns of a pandas table are read from the arrays that it holds: they say what its series say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.design.frame import Frame
from interlace.design.reading import from_series
from interlace.design.values import Factor

COLUMNS: dict[str, Any] = {
    "float": [1.5, np.nan, 3.0],
    "float32": np.array([1.5, 2.5, 3.0], dtype=np.float32),
    "int": [1, 2, 3],
    "bool": [True, False, True],
    "objects": pd.Series(["b", None, "a"], dtype=object),
    "text": pd.Series(["b", "a", "b"], dtype="string"),
    "categories": pd.Categorical(["b", None, "a"], categories=["b", "a"], ordered=True),
    "dates": pd.to_datetime(["2024-01-02", None, "2024-01-01"]),
    "zoned": pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-01"]).tz_localize("UTC"),
    "spans": pd.to_timedelta([1, 2, 3], unit="D"),
    "nullable": pd.array([1, None, 3], dtype="Int64"),
    "nullable_float": pd.array([1.5, None, 3.0], dtype="Float64"),
    "nullable_bool": pd.array([True, None, False], dtype="boolean"),
    "intervals": pd.interval_range(0, 3),
    "sparse": pd.arrays.SparseArray([0.0, 0.0, 1.0]),
}


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Factor):
        return (
            isinstance(b, Factor)
            and a.ordered == b.ordered
            and same(a.codes, b.codes)
            and same(a.levels, b.levels)
        )
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fMm"))


class Own(pd.DataFrame):
    """A kind of table of somebody else's."""

    @property
    def _constructor(self) -> type[Own]:
        return Own


@pytest.mark.parametrize("kind", [pd.DataFrame, Own])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_what_its_series_is(name: str, kind: type[pd.DataFrame]) -> None:
    table = kind({"before": [0.0, 1.0, 2.0], name: COLUMNS[name], "after": [0.0, 1.0, 2.0]})
    read = Frame.read(table, [name])
    column, missing = from_series(name, table[name])
    assert same(read.columns[name], column) and same(read.missing.get(name), missing)


def test_columns_are_read_only_and_those_of_the_table_are_not() -> None:
    table = pd.DataFrame({"x": [1.0, 2.0, 3.0], "n": [1, 2, 3], "y": [1.0, 2.0, 3.0]})
    read = Frame.read(table)
    assert not any(column.flags.writeable for column in read.columns.values())
    table.loc[0, "x"] = 7.0
    assert table["x"].tolist() == [7.0, 2.0, 3.0]


def test_a_changed_table_gives_changed_numbers() -> None:
    formula, table = "Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy")
    first = interlace.lmer(formula, table)
    before = first.fixef.copy()
    table.loc[:, "Reaction"] = 2 * table["Reaction"].to_numpy()
    assert np.allclose(interlace.lmer(formula, table).fixef, 2 * before, rtol=1e-8)
    assert np.array_equal(first.fixef, before)
    table["Days"] = table["Days"] * 10.0
    assert np.allclose(interlace.lmer(formula, table).fixef, 2 * before / np.array([1.0, 10.0]), rtol=1e-6)
