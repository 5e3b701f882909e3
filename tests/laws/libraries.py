"""The same table in every frame library, memory order and type of number that can hold it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from drawn.columns import Column
from drawn.grouping import Rng
from drawn.model import Model
from laws.comparing import BrokenError, close, same_fit, same_rows, spread, used_rows

POLARS = {"num": pl.Float64, "int": pl.Int64, "bool": pl.Boolean, "text": pl.String}
ARROW = {"num": pa.float64(), "int": pa.int64(), "bool": pa.bool_(), "text": pa.string()}
SMALL = 100


def _strided(values: Any) -> Any:
    """A read-only view of every third entry of an array."""
    if not isinstance(values, np.ndarray):
        return values
    view = np.repeat(values, 3)[::3]
    view.flags.writeable = False
    return view


def _big_endian(values: Any) -> Any:
    plain = isinstance(values, np.ndarray) and values.dtype.kind in "fi"
    return values.astype(values.dtype.newbyteorder(">")) if plain else values


def _narrow(column: Column, kind: str) -> Any:
    """Whole numbers in so many bits, where they fit; with gaps as well."""
    values = column.pandas()
    known = [v for v in column.values if v is not None]
    if column.kind != "int" or not all(0 <= v < SMALL for v in known):
        return values
    return pd.array(
        column.values, dtype=kind.replace("i", "I").replace("u", "U") if len(known) < len(values) else kind
    )


def _polars(model: Model) -> Any:
    types = {
        name: POLARS[c.kind] if c.kind in POLARS else pl.Enum(list(c.levels))
        for name, c in model.columns.items()
    }
    return pl.DataFrame({n: pl.Series(n, list(c.values), dtype=types[n]) for n, c in model.columns.items()})


def _arrow(model: Model) -> Any:
    arrays = {
        name: pa.array(c.values, type=ARROW[c.kind]) if c.kind in ARROW else pa.array(c.pandas())
        for name, c in model.columns.items()
    }
    return pa.table(arrays)


def _in_chunks(model: Model) -> Any:
    table = _arrow(model)
    half = len(table) // 2
    return pa.concat_tables([table.slice(0, half), table.slice(half)])


def _each(change: Callable[[Any], Any]) -> Callable[[Model], Any]:
    return lambda model: {name: change(column.pandas()) for name, column in model.columns.items()}


def _whole(kind: str) -> Callable[[Model], Any]:
    return lambda model: pd.DataFrame({name: _narrow(column, kind) for name, column in model.columns.items()})


HOLDERS: dict[str, Callable[[Model], Any]] = {
    "mapping": _each(lambda v: v),
    "mapping of lists": lambda m: {
        n: c.pandas() if c.levels else list(c.values) for n, c in m.columns.items()
    },
    "read-only views": _each(_strided),
    "reversed views": _each(lambda v: v[::-1].copy()[::-1] if isinstance(v, np.ndarray) else v),
    "big-endian": _each(_big_endian),
    "objects": _each(lambda v: v.astype(object) if isinstance(v, np.ndarray) else v),
    "an odd index": lambda m: m.frame.set_axis(np.arange(len(m.frame)) % 3, axis=0),
    "an index of two": lambda m: m.frame.set_index([np.arange(len(m.frame)) % 3, np.arange(len(m.frame))]),
    "convert_dtypes": lambda m: m.frame.convert_dtypes(),
    "pandas on arrow": lambda m: m.frame.convert_dtypes(dtype_backend="pyarrow"),
    "part of a longer frame": lambda m: pd.concat([m.frame, m.frame]).iloc[: len(m.frame)],
    "columns that nobody asked for": lambda m: m.frame.assign(junk=[[1, 2]] * len(m.frame), empty=None),
    "categories": lambda m: m.frame.assign(
        **{n: m.frame[n].astype("category") for n in "gabcd" if n in m.frame}
    ),
    "int8": _whole("int8"),
    "uint8": _whole("uint8"),
    "int16": _whole("int16"),
    "polars": _polars,
    "arrow": _arrow,
    "arrow in chunks": _in_chunks,
}


def every_library(model: Model, m: Any, rng: Rng) -> None:
    """The same fit, names, levels and predictions."""
    ordered = "o" in {
        name for name, c in model.columns.items() if c.kind == "ordered" and name in model.formula
    }
    for what, make in HOLDERS.items():
        if what == "polars" and ordered:  # its categories have an order for sorting only
            continue
        data = make(model)
        other = model.fit(data)
        if list(other.fixef.index) != list(m.fixef.index):
            raise BrokenError(f"{what}: coefficients {list(other.fixef.index)}, not {list(m.fixef.index)}")
        same_fit(what, m, other, 1e-9)
        same_rows(what, m, other, 1e-9)
        predicted = np.asarray(other.predict(data, new_levels="population"), dtype=float)
        close(f"{what}: predict", predicted[used_rows(m)], m.fitted, 1e-8, spread(m))
        for group, effects in m.ranef().items():
            if [str(v) for v in effects.index] != [str(v) for v in other.ranef()[group].index]:
                raise BrokenError(f"{what}: levels of {group} are {list(other.ranef()[group].index)[:5]} ...")


def single_precision(model: Model, m: Any, rng: Rng) -> None:
    """float32 columns are the float64 columns of their values."""
    names = [name for name, c in model.columns.items() if c.kind == "num"]
    short = model.frame.astype(dict.fromkeys(names, "float32"))
    exact = model.fit(short.astype(dict.fromkeys(names, "float64")))
    same_fit("float32", exact, model.fit(short), 1e-9)
