"""Grouping factors of every type that labels have: which values are one level, and what it is called."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import interlace
from interlace.errors import DataError

FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    table = interlace.datasets.load("sleepstudy")
    return table.assign(Subject=table["Subject"].astype(str).astype(int))


@pytest.fixture(scope="module")
def with_a_gap(data: pd.DataFrame) -> pd.DataFrame:
    table = data.astype({"Subject": float})
    table.loc[3, "Subject"] = np.nan
    return table


TABLES = {
    "pandas": lambda table: table,
    "float32": lambda table: table.astype({"Subject": "float32"}),
    "nullable": lambda table: table.astype({"Subject": "Int64"}),
    "objects": lambda table: table.assign(
        Subject=[None if np.isnan(v) else int(v) for v in table["Subject"]]
    ),
    "categories": lambda table: table.astype({"Subject": "category"}),
    "polars": lambda table: pl.from_pandas(table),
    "arrow": lambda table: pa.table({name: pa.array(table[name]) for name in table}),
    "arrays": lambda table: {name: table[name].to_numpy() for name in table},
}


@pytest.mark.parametrize("kind", TABLES)
def test_an_integer_with_a_gap_is_a_level(kind: str, data: pd.DataFrame, with_a_gap: pd.DataFrame) -> None:
    m = interlace.lmer(FORMULA, TABLES[kind](with_a_gap))
    whole = interlace.lmer(FORMULA, data.drop(3))
    assert (m.nobs, m.loglik) == (179, whole.loglik)
    assert m.summary().overview.n_missing == 1
    assert [str(level) for level in m.ranef()["Subject"].index][:2] == ["308", "309"]
    expected = whole.predict({"Days": [0, 9], "Subject": [308, 372]})
    for dtype in (int, float, "int16", "float32", "Int64", "Float64", "category"):
        new = pd.DataFrame({"Days": [0, 9], "Subject": pd.Series([308, 372]).astype(dtype)})
        np.testing.assert_array_equal(m.predict(new), expected)


def test_products_and_nesting_name_whole_numbers(with_a_gap: pd.DataFrame) -> None:
    table = with_a_gap.assign(site=with_a_gap["Subject"] % 3)
    m = interlace.lmer("Reaction ~ Days + (1 | site/Subject)", table)
    assert all("." not in str(level) for table in m.ranef().values() for level in table.index)


@pytest.mark.parametrize("missing", [[None, None], [np.nan, np.nan], pd.array([None, None], dtype="Int64")])
def test_new_data_without_any_group(missing: Any, data: pd.DataFrame) -> None:
    m = interlace.lmer(FORMULA, data)
    assert np.isnan(m.predict({"Days": [1.0, 2.0], "Subject": missing})).all()


def test_new_data_without_rows(data: pd.DataFrame) -> None:
    assert len(interlace.lmer(FORMULA, data).predict(data.iloc[:0])) == 0


def test_a_new_number_is_a_new_level(data: pd.DataFrame) -> None:
    m = interlace.lmer(FORMULA, data)
    for value, label in ((308.5, "308.5"), (999.0, "999"), (999, "999")):
        new = {"Days": [0.0, 0.0], "Subject": [value, 308]}
        with pytest.raises(DataError, match=f"has not seen: '{label}' "):
            m.predict(new)
        alone = m.predict(new, new_levels="population")[0]
        assert alone == pytest.approx(m.fixef["Intercept"])


def test_numbers_that_are_not_whole_are_refused_with_advice_that_works(data: pd.DataFrame) -> None:
    table = data.assign(Subject=data["Subject"] + 0.5)
    with pytest.raises(
        DataError, match=r"not whole, such as 308\.5.*write \(1 \| factor\(Subject\)\) or make"
    ):
        interlace.lmer(FORMULA, table)
    expected = interlace.lmer(FORMULA, data).loglik
    advised = [
        interlace.lmer("Reaction ~ Days + (Days | factor(Subject))", table),
        interlace.lmer(FORMULA, table.astype({"Subject": str})),
    ]
    assert [m.loglik for m in advised] == pytest.approx([expected] * 2, rel=1e-9)
    with pytest.raises(DataError, match="not whole, such as inf"):
        interlace.lmer(FORMULA, table.assign(Subject=np.inf))


def test_whole_numbers_that_floats_cannot_tell_apart(data: pd.DataFrame) -> None:
    large = [int(v) + 2**70 for v in data["Subject"]]
    for column in (pd.Series(large, dtype=object), pd.Series(large, dtype=float), np.array([2.0**53] * 180)):
        with pytest.raises(DataError, match=r"beyond 2\*\*53.*make them text"):
            interlace.lmer(FORMULA, data.assign(Subject=column))
    advised = interlace.lmer(FORMULA, data.assign(Subject=[str(v) for v in large]))
    assert advised.ngroups == {"Subject": 18}
    assert interlace.lmer(FORMULA, data.assign(Subject=data["Subject"] + 2.0**52)).ngroups == {"Subject": 18}


@pytest.mark.parametrize("dtype", [np.uint64, "UInt64"])
def test_unsigned_integers_of_64_bits(dtype: Any, data: pd.DataFrame) -> None:
    table = data.assign(Subject=pd.Series([int(v) + 2**63 for v in data["Subject"]]).astype(dtype))
    for m in (interlace.lmer(FORMULA, table), interlace.lmer(FORMULA, pl.from_pandas(table))):
        assert m.ranef()["Subject"].index[0] == 2**63 + 308


def test_half_precision_numbers_are_levels(data: pd.DataFrame) -> None:
    """They cannot be compared with large numbers as they are."""
    columns = {name: data[name].to_numpy() for name in ("Reaction", "Days")}
    m = interlace.lmer(FORMULA, columns | {"Subject": data["Subject"].to_numpy(np.float16)})
    same = interlace.lmer(FORMULA, data)
    assert m.loglik == same.loglik
    new = {name: values[:9] for name, values in columns.items()}
    found = m.predict(new | {"Subject": data["Subject"].to_numpy(np.float16)[:9]})
    np.testing.assert_allclose(found, np.asarray(same.fitted)[:9])
