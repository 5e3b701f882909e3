"""Values of expressions, and what functions may ask of their arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from interlace.design.functions.call import Call
from interlace.design.reading import from_anything
from interlace.design.values import CodedFactor, Factor, Matrix, factorize
from interlace.errors import DataError, FormulaError
from interlace.text import to_days

#: What an expression of a formula can be: columns (arrays of numbers, logicals or dates, factors, matrices)
#: and constants (numbers, logicals, text, None for NULL, tuples of constants); objects of the caller and
#: functions are handed on as they are.
Value = Any


def as_value(function: str, value: Any, nrows: int) -> Value:
    """An argument as one of the values that functions know; float64 for all numbers."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int) and not isinstance(value, bool):
        return _as_float(function, value)
    if isinstance(value, list | range):
        value = tuple(value)
    if isinstance(value, tuple):
        return tuple(as_value(function, part, nrows) for part in value)
    if isinstance(value, pd.Series | pd.Categorical | pd.Index):
        value = from_anything(f"an argument of {function}()", value)
    if isinstance(value, np.ndarray):
        value = _as_array(function, value)
    matrix = isinstance(value, np.ndarray) and value.ndim != 1
    if is_column(value) and not matrix and len(value) != nrows:
        raise DataError(
            f"an argument of {function}() has {len(value)} values where the data have {nrows} rows"
        )
    return value


def _as_float(function: str, value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise FormulaError(f"a number that {function}() is given is too large for floating point") from None


def _as_array(function: str, values: np.ndarray) -> Value:
    if values.ndim == 0:
        return as_value(function, values.item(), 0)
    if values.ndim == 1 and values.dtype.kind in "OUS":
        return from_anything(f"an argument of {function}()", values)
    return values.astype(np.float64, copy=False) if values.dtype.kind in "iuf" else values


def is_column(value: Value) -> bool:
    """Whether there is a value for each row."""
    return isinstance(value, Factor | Matrix | np.ndarray)


def described(value: Value) -> str:
    """What a value is, for messages that say what is needed instead."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return f"the text '{value}'"
    if isinstance(value, float):
        return f"the number {value:g}"
    if isinstance(value, tuple):
        return f"{len(value)} constants"
    if isinstance(value, Factor):
        return "a column of categories"
    if isinstance(value, Matrix):
        return f"a matrix of {len(value.labels)} columns"
    if isinstance(value, np.ndarray):
        return "a column of dates" if value.dtype.kind in "Mm" else "a column"
    if isinstance(value, Mapping):
        return "a mapping"
    return f"an object of type {type(value).__name__}"


def is_logical(value: Value) -> bool:
    """Whether a factor is a logical column in which some values are missing."""
    plain = isinstance(value, Factor) and not isinstance(value, CodedFactor)
    return plain and len(value.levels) == 2 and value.levels.dtype.kind == "b"


def numbers(call: Call, value: Value, place: int = 0) -> np.ndarray | float:
    """A column of numbers (n,), float64, or one number; logicals count as 0 and 1.

    `place` is that of the argument, for messages.
    """
    if isinstance(value, bool | float):
        return float(value)
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "fb":
        return value.astype(np.float64, copy=False)
    if is_logical(value):
        return np.asarray(np.array([*value.levels.astype(np.float64), np.nan])[value.codes])
    if isinstance(value, Factor):
        raise DataError(f"{call.name}() needs numbers, and '{call.source(place)}' holds categories")
    if isinstance(value, np.ndarray) and value.dtype.kind in "Mm":
        raise DataError(
            f"{call.name}() needs numbers, and '{call.source(place)}' holds dates; compute the column in the "
            f"data, for example {to_days(call.source(place))}"
        )
    raise FormulaError(f"{call.name}() needs numbers, and '{call.text}' gives it {described(value)}")


def column(call: Call, value: Value, place: int = 0) -> np.ndarray:
    """A column of numbers (n,), float64; constants are refused."""
    found = numbers(call, value, place)
    if isinstance(found, float):
        raise FormulaError(
            f"{call.name}() needs a column of the data, and '{call.text}' gives it {described(value)}"
        )
    return found


def finite_column(call: Call, value: Value, place: int = 0) -> np.ndarray:
    """A column to learn from: there are rows, and none is infinite or missing.

    For new data, once something was learnt, values that are not finite pass through.
    """
    found = column(call, value, place)
    if call.state:
        return found
    if not len(found):
        raise DataError(f"'{call.text}' has no rows to learn from")
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        raise DataError(
            f"'{call.text}' cannot be computed: '{call.source(place)}' is {found[bad[0]]:g} at row {bad[0]} "
            f"of the rows used ({len(bad)} such row{'s' * (len(bad) > 1)}, counted from 0)"
        )
    return found


def number(call: Call, argument: str, value: Value) -> float:
    """One finite number."""
    if isinstance(value, float) and np.isfinite(value):
        return value
    raise FormulaError(f"{call.name}() needs a number for '{argument}', not {described(value)}")


def whole(call: Call, argument: str, value: Value, least: int) -> int:
    """One whole number that is at least `least`."""
    if isinstance(value, float) and np.isfinite(value) and value == int(value) and value >= least:
        return int(value)
    raise DataError(
        f"{call.name}() needs a whole number of at least {least} for '{argument}', not {described(value)}"
    )


def flag(call: Call, argument: str, value: Value) -> bool:
    """TRUE or FALSE."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and value in (0.0, 1.0):
        return bool(value)
    raise FormulaError(f"{call.name}() needs TRUE or FALSE for '{argument}', not {described(value)}")


def several(call: Call, argument: str, value: Value) -> tuple[float, ...]:
    """Finite numbers, one or more: `c(1, 2)`; also an array of the caller."""
    parts = value if isinstance(value, tuple) else (value,)
    if isinstance(value, np.ndarray) and value.ndim == 1:
        parts = tuple(value.tolist())
    if parts and all(isinstance(p, float) and np.isfinite(p) for p in parts):
        return tuple(parts)
    raise FormulaError(
        f"{call.name}() needs numbers for '{argument}', for example c(1, 2), not {described(value)}"
    )


def factor_of(call: Call, value: Value) -> Factor:
    """A column as a factor: levels sorted, whole numbers as integers."""
    if isinstance(value, Factor):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return _factor_of_array(value)
    raise FormulaError(
        f"{call.name}() needs a column of the data, and '{call.text}' gives it {described(value)}"
    )


def _factor_of_array(values: np.ndarray) -> Factor:
    if values.dtype.kind != "f":
        return factorize(values)
    found = factorize(np.where(values == 0, 0.0, values))
    levels = found.levels
    if np.isfinite(levels).all() and (levels == np.round(levels)).all() and (np.abs(levels) < 2**53).all():
        return Factor(found.codes, levels.astype(np.int64))
    # R tells numbers apart by 15 digits: 0.1 + 0.2 and 0.3 are one level.
    seen = np.array([float(f"{level:.15g}") for level in levels])
    distinct, place = np.unique(seen, return_inverse=True)
    if len(distinct) == len(seen):
        return Factor(found.codes, seen)
    return Factor(np.append(place, -1).astype(np.int32)[found.codes], distinct)


def level_text(level: Any) -> str:
    """A level as R writes it: TRUE, 1, 0.5, 1e+05."""
    if isinstance(level, np.generic):
        level = level.item()
    if isinstance(level, bool):
        return "TRUE" if level else "FALSE"
    if isinstance(level, int | float):
        return number_text(float(level))
    return str(level)


def number_text(value: float) -> str:
    """A number as R writes it, with up to 15 digits; whichever of fixed and scientific is shorter."""
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else "Inf" if value > 0 else "-Inf"
    digits = next(d for d in range(1, 16) if d == 15 or float(f"{value:.{d - 1}e}") == float(f"{value:.14e}"))
    scientific = f"{value:.{digits - 1}e}"
    exponent = int(scientific.partition("e")[2])
    fixed = f"{value:.{max(0, digits - 1 - exponent)}f}"
    return fixed if len(fixed) <= len(scientific) else scientific
