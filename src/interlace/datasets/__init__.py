"""Small published data sets, as files inside the package.

>>> from interlace import datasets
>>> datasets.load("sleepstudy").shape
(180, 3)
>>> print(datasets.describe("rail"))  # doctest: +ELLIPSIS
rail: Travel time of ultrasonic waves in rails
...
"""

from __future__ import annotations

import textwrap
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from interlace.errors import DataError, shown
from interlace.text import did_you_mean

__all__ = ["describe", "load", "names"]

_FOLDER = files(__name__) / "data"
_SUFFIX = ".toml"
_ORDERS: dict[str, Any] = {"numeric order": int, "alphabetic order": str}
_FACTORS = ("factor", "ordered")


@cache
def names() -> tuple[str, ...]:
    """Names of all data sets, sorted; every one can be given to `load` and `describe`."""
    entries = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted(entry.removesuffix(_SUFFIX) for entry in entries if entry.endswith(_SUFFIX)))


def load(name: str) -> pd.DataFrame:
    """The data set `name` as a new pandas data frame.

    Parameters
    ----------
    name
        One of `names()`, in any mixture of upper and lower case.

    Returns
    -------
    DataFrame
        Factors are categoricals of strings with their levels in the published order; integers are int64
        (float64 where values are missing), all other numbers float64.

    Raises
    ------
    DataError
        There is no data set of this name; the message names the closest ones.
    """
    about = _catalogue_entry(name)
    columns = about["columns"]
    # Numbers come as text, converted by NumPy, which rounds correctly; pandas' own parser did not always.
    with (_FOLDER / about["file"]).open("rb") as file:
        raw = pd.read_csv(
            file,
            compression="gzip" if about["file"].endswith(".gz") else None,
            dtype={column: _read_as(entry["type"]) for column, entry in columns.items()},
            keep_default_na=False,
            na_values=[""],
        )
    return pd.DataFrame({column: _typed(raw[column], entry) for column, entry in columns.items()})


def describe(name: str) -> str:
    """What the data set `name` is: title, size, columns, original publication, R package it comes with.

    Raises
    ------
    DataError
        There is no data set of this name; the message names the closest ones.
    """
    about = _catalogue_entry(name)
    columns = about["columns"]
    width = max(map(len, columns))
    return "\n".join(
        [
            f"{name.lower()}: {about['title']}",
            *textwrap.wrap(about["about"], 100),
            "",
            f"{about['rows']} rows, {len(columns)} columns:",
            *(
                f"  {column:<{width}}  {entry['type']:<7}  {entry['about']}"
                for column, entry in columns.items()
            ),
            "",
            *textwrap.wrap(f"Source: {about['source']}", 100),
            f"Distributed with the R package {about['package']}.",
        ]
    )


def _catalogue_entry(name: str) -> dict[str, Any]:
    known = names()
    if not isinstance(name, str):
        raise DataError(f"a data set is named by text such as 'sleepstudy', not {shown(name)}")
    if name.lower() not in known:
        hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
        raise DataError(f"there is no data set {shown(name)}; {hint}")
    return _read_entry(name.lower())


@cache
def _read_entry(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}{_SUFFIX}").read_text(encoding="utf-8"))


def _read_as(kind: str) -> str | type:
    return {"factor": "category", "ordered": "category", "integer": "float64"}.get(kind, str)


def _typed(column: pd.Series[Any], entry: dict[str, Any]) -> Any:
    kind = entry["type"]
    if kind in _FACTORS:
        labels = column.cat.rename_categories(column.cat.categories.astype(str))
        levels = entry["levels"]
        if isinstance(levels, str):
            levels = sorted(labels.cat.categories, key=_ORDERS[levels])
        return labels.cat.reorder_categories(levels, ordered=kind == "ordered")
    numbers = np.asarray(column, dtype=np.float64)
    if kind == "integer" and not np.isnan(numbers).any():
        return numbers.astype(np.int64)
    return numbers
