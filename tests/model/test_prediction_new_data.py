"""Predictions ask only for what they use, and tables without rows get answers without rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import interlace
from interlace.errors import DataError
from reference_data import load_data

NEEDED = ["Subject"]


@pytest.mark.parametrize(
    "random",
    [
        "(Days | Subject)",
        "(Days || Subject)",
        "(1 | Subject) + (0 + Days | Subject)",
        "(off + Days | Subject)",
    ],
)
def test_a_term_asks_for_its_own_columns(random: str) -> None:
    data = load_data("sleepstudy")
    m = interlace.lmer(f"Reaction ~ 1 + {random}", data)
    b = m.ranef()["Subject"]["Intercept"]
    expected = m.fixef.iloc[0] + b.loc[data["Subject"]].to_numpy()
    np.testing.assert_allclose(m.predict(data[NEEDED], random=["(1 | Subject)"]), expected, rtol=1e-12)
    np.testing.assert_allclose(m.predict(data, random=["(1 | Subject)"]), expected, rtol=1e-12)
    for asked in ("all", ["Subject"], ["(Days | Subject)"]):
        with pytest.raises(DataError, match="Days"):
            m.predict(data[NEEDED], random=asked)


def test_slopes_alone() -> None:
    data = load_data("sleepstudy")
    m = interlace.lmer("Reaction ~ 1 + (1 | Subject) + (0 + Days | Subject) + (0 + off | Subject)", data)
    slope = m.ranef()["Subject"]["Days"].loc[data["Subject"]].to_numpy() * data["Days"]
    got = m.predict(data[["Subject", "Days"]], random=["(0 + Days | Subject)"])
    np.testing.assert_allclose(got, m.fixef.iloc[0] + slope, rtol=1e-12)
    with pytest.raises(DataError, match="Subject"):
        m.predict(data[["Days"]], random=["(0 + Days | Subject)"])


EMPTY: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda d: d.iloc[:0],
    "pandas without types": lambda d: pd.DataFrame(columns=list(d.columns)),
    "pandas of floats": lambda d: pd.DataFrame({name: [] for name in d}),
    "polars": lambda d: pl.from_pandas(d).head(0),
    "polars of nulls": lambda d: pl.DataFrame({name: [] for name in d}),
    "pyarrow": lambda d: pa.Table.from_pandas(d).slice(0, 0),
    "mapping": lambda d: {name: np.array([]) for name in d},
    "mapping of lists": lambda d: {name: [] for name in d},
}


@pytest.mark.filterwarnings("ignore::interlace.IdentificationWarning")  # grp is fixed and random
@pytest.mark.parametrize("library", EMPTY)
@pytest.mark.parametrize(
    "formula",
    [
        "Reaction ~ Days + (Days | Subject)",
        "log(Reaction) ~ poly(Days, 2) * grp + offset(off) + (0 + Days | Subject) + (1 | grp)",
        "Reaction ~ factor(Days) + (1 | grp/Subject)",
    ],
)
def test_no_rows(library: str, formula: str) -> None:
    data = load_data("sleepstudy")
    m = interlace.lmer(formula, data)
    new = EMPTY[library](data)
    for options in ({}, {"random": "none"}, {"new_levels": "population"}, {"random": ["Subject"]}):
        if "Subject" in options.get("random", []) and "grp/Subject" in formula:
            continue
        predicted = m.predict(new, **options)
        assert len(predicted) == 0
        assert type(predicted) is type(m.predict(_same_library(library, data), **options))


def _same_library(library: str, data: pd.DataFrame) -> Any:
    if library.startswith("pandas"):
        return data
    if library.startswith("polars"):
        return pl.from_pandas(data)
    return pa.Table.from_pandas(data) if library == "pyarrow" else {name: data[name] for name in data}


def test_no_rows_still_need_their_columns() -> None:
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", load_data("sleepstudy"))
    with pytest.raises(DataError, match="no column 'Days'"):
        m.predict({"Subject": []})


def test_no_complete_row() -> None:
    data = load_data("sleepstudy")
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", data)
    predicted = m.predict(data.assign(Days=np.nan))
    assert len(predicted) == 180 and np.isnan(predicted).all()
    assert np.isnan(m.predict(data.assign(Subject=np.nan))).all()


@pytest.mark.parametrize("options", [{}, {"se": True}, {"interval": "prediction"}])
def test_predictions_beyond_the_largest_number_are_refused(options: dict[str, Any]) -> None:
    data = interlace.datasets.load("sleepstudy")
    m = interlace.lmer("I(Reaction * 1e15) ~ Days + (1 | Subject)", data)
    new = data.head(4).assign(Days=[1.0, 2.0, np.nan, 1e300])
    words = r"(prediction|'se'|'lower') of row 3 \(counted from 0\) is too large a number"
    with pytest.raises(DataError, match=words):
        m.predict(new, **options)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
def test_groups_as_floats_of_any_width(dtype: type) -> None:
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"g": np.repeat(np.arange(6), 5), "x": rng.normal(size=30)})
    data["y"] = data["x"] + rng.normal(size=6)[data["g"]] + rng.normal(size=30)
    narrow = {name: data[name].to_numpy() for name in data} | {"g": data["g"].to_numpy().astype(dtype)}
    m = interlace.lmer("y ~ x + (1 | g)", data)
    np.testing.assert_allclose(m.predict(narrow), m.predict(data))
    again = interlace.lmer("y ~ x + (1 | g)", narrow)
    assert again.loglik == pytest.approx(m.loglik)
    np.testing.assert_allclose(again.predict(narrow), m.predict())
