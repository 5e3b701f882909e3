"""The reference numbers of R in `tests/reference/`: data sets, cases, and the encodings of the JSON files."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parent / "reference"

_SPECIAL = {"NA": np.nan, "NaN": np.nan, "Inf": np.inf, "-Inf": -np.inf}


def load_data(name: str) -> pd.DataFrame:
    """The data set `name` with R's column types: a fresh copy, free to change.

    Factors are categoricals whose levels keep R's order ("ordered" kept), R's character columns are
    strings (object), integers are int64 (float64 where a value is missing), all else is float64.
    """
    return _read_data(name).copy()


@cache
def _read_data(name: str) -> pd.DataFrame:
    meta = json.loads((ROOT / "data" / f"{name}.meta.json").read_text())
    # Read as text and converted here: pandas' own number parser was an ulp off for many years.
    raw = pd.read_csv(ROOT / "data" / meta["file"], dtype=str, keep_default_na=False, na_values=[""])
    columns = {c: _typed(raw[c], about) for c, about in meta["columns"].items()}
    return pd.DataFrame(columns)


def _typed(column: pd.Series, about: dict[str, Any]) -> Any:
    kind = about["type"]
    if kind in ("factor", "ordered"):
        return pd.Categorical(column, categories=about["levels"], ordered=kind == "ordered")
    text = column.to_numpy(dtype=object)
    if kind == "character":
        return text
    numbers = text.astype(np.float64)
    if kind == "integer" and not np.isnan(numbers).any():
        return numbers.astype(np.int64)
    return numbers


def load_case(room: str, name: str) -> dict[str, Any]:
    """The parsed JSON of `tests/reference/ROOM/NAME.json`; a fresh object each time."""
    return json.loads((ROOT / room / f"{name}.json").read_text())


def case_names(room: str) -> list[str]:
    """Names of all cases of a room ("lmer", "hlmdiag", "extras", "fixest"), sorted."""
    return sorted(path.stem for path in (ROOT / room).glob("*.json"))


def lmer_cases() -> list[str]:
    """Names of all lmer cases, sorted."""
    return case_names("lmer")


def parse_number(value: Any) -> float:
    """A number of the JSON files, where R's NA, NaN, Inf and -Inf are strings and NULL is null."""
    if value is None:
        return float("nan")
    return float(_SPECIAL[value]) if isinstance(value, str) else float(value)


def array(values: Any) -> np.ndarray:
    """Nested lists of numbers as a float64 array of the same shape; a bare number becomes shape ()."""
    if isinstance(values, list):
        return np.array([array(v) for v in values], dtype=np.float64)
    return np.array(parse_number(values))


def matrix(d: dict[str, Any]) -> pd.DataFrame:
    """A `{rows, cols, data}` object as a table of float64; missing dimnames become 0, 1, 2, ..."""
    return pd.DataFrame(array(d["data"]), index=d["rows"], columns=d["cols"])


def named(d: dict[str, Any]) -> pd.Series:
    """A `{names, values}` object as a series of float64."""
    return pd.Series(array(d["values"]), index=d["names"], dtype=np.float64)


def frame(d: dict[str, Any]) -> pd.DataFrame:
    """A data frame object (one array per column, `.rownames` if R had them); numeric columns are float64."""
    columns = {k: v for k, v in d.items() if k != ".rownames"}
    return pd.DataFrame({k: _column(v) for k, v in columns.items()}, index=d.get(".rownames"))


def _column(values: list[Any]) -> Any:
    if all(v is None or v in _SPECIAL or not isinstance(v, str) for v in values):
        return array(values)
    return values
