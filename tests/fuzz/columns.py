"""Columns that a careless or hostile caller may hand over, each under a name that says what is odd about it.

A maker takes a generator and ordinary values (numbers, or codes of levels), and gives the odd column.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

Rng = np.random.Generator
Maker = Callable[[Rng, np.ndarray], Any]


def objects(n: int, make: Callable[[int], Any]) -> np.ndarray:
    """An array of n objects, also where they are sequences."""
    out = np.empty(n, dtype=object)
    for i in range(n):
        out[i] = make(i)
    return out


def some(values: np.ndarray, rng: Rng, what: Any) -> np.ndarray:
    """`values` with about a sixth of the entries replaced by `what`."""
    numbers = isinstance(what, float) and values.dtype.kind != "O"
    out = values.astype(float if numbers else object)
    if len(out):
        for i in rng.integers(0, len(out), size=max(1, len(out) // 6)):
            out[i] = what
    return out


def _narrowed(values: np.ndarray, kind: type) -> np.ndarray:
    """In fewer bits; infinite where they do not suffice."""
    with np.errstate(over="ignore"):
        return values.astype(kind)


def _cycle(values: list[Any]) -> Maker:
    return lambda _, v: objects(len(v), lambda i: values[i % len(values)])


def _by_code(values: list[Any]) -> Maker:
    return lambda _, codes: objects(len(codes), lambda i: values[int(codes[i]) % len(values)])


def _each(make: Callable[[Any], Any]) -> Maker:
    return lambda _, v: objects(len(v), lambda i: make(v[i]))


def _categories(codes: np.ndarray, more: int = 0, **options: Any) -> pd.Categorical:
    levels = [f"k{i}" for i in range(int(codes.max(initial=0)) + 1 + more)]
    return pd.Categorical.from_codes(codes, levels, **options)


NUMBERS: dict[str, Maker] = {
    # missing and not finite
    "nan": lambda r, v: some(v, r, np.nan),
    "all nan": lambda _, v: np.full(len(v), np.nan),
    "inf": lambda r, v: some(v, r, np.inf),
    "-inf": lambda r, v: some(v, r, -np.inf),
    "none": lambda r, v: some(v, r, None),
    # sizes
    "1e300": lambda _, v: v * 1e300,
    "1e150": lambda _, v: v * 1e150,
    "1e60": lambda _, v: v * 1e60,
    "1e-60": lambda _, v: v * 1e-60,
    "1e-300": lambda _, v: v * 1e-300,
    "subnormal": lambda _, v: np.full(len(v), 5e-324) * (np.arange(len(v)) % 3),
    "1e15 away": lambda _, v: v + 1e15,
    "1e8 away": lambda _, v: v + 1e8,
    "one huge": lambda r, v: some(v, r, 1e12),
    # few values
    "constant": lambda _, v: np.ones(len(v)),
    "zero": lambda _, v: np.zeros(len(v)),
    "minus zero": lambda _, v: np.where(np.arange(len(v)) % 2, -0.0, 0.0),
    "rounded": lambda _, v: np.round(v),
    "two values": lambda _, v: (v > 0) * 1.0,
    # types of numbers
    "giant integers": lambda _, v: objects(len(v), lambda i: 2**70 + i * 2**60),
    "int64 ends": lambda _, v: np.where(np.arange(len(v)) % 2, 2**63 - 1, -(2**63)).astype(np.int64),
    "uint64": lambda _, v: np.full(len(v), 2**64 - 1, np.uint64) - np.arange(len(v), dtype=np.uint64),
    "int8": lambda _, v: np.clip(np.nan_to_num(v) * 50, -128, 127).astype(np.int8),
    "uint8": lambda _, v: np.clip(np.abs(np.nan_to_num(v)) * 50, 0, 255).astype(np.uint8),
    "float16": lambda _, v: _narrowed(v, np.float16),
    "float32": lambda _, v: _narrowed(v, np.float32),
    "longdouble": lambda _, v: v.astype(np.longdouble),
    "complex": lambda _, v: v + 1j,
    "bool": lambda _, v: v > 0,
    "bool objects": lambda _, v: (v > 0).astype(object),
    "bool and none": lambda r, v: some(v > 0, r, None),
    "decimal": _each(lambda a: Decimal(repr(float(a)))),
    "fraction": lambda _, v: objects(len(v), lambda i: Fraction(i * i % 11, 7)),
    "Float64": lambda _, v: pd.Series(v, dtype="Float64"),
    "Int64 with NA": lambda r, v: pd.Series(some(np.arange(len(v)), r, pd.NA), dtype="Int64"),
    "boolean with NA": lambda r, v: pd.Series(some(v > 0, r, pd.NA), dtype="boolean"),
    # how they lie in memory
    "big endian": lambda _, v: v.astype(">f8"),
    "strided": lambda _, v: np.repeat(v, 3)[::3],
    "reversed": lambda _, v: v[::-1],
    "sparse": lambda _, v: pd.Series(pd.arrays.SparseArray(np.round(v))),
    "masked": lambda _, v: np.ma.masked_array(v, mask=v > 1),
    # no numbers
    "numbers as text": _each(lambda a: repr(float(a))),
    "mixed": _cycle([1, "a", 2.5, None, True, (1,)]),
    "lists": _cycle([[1.0, [2.0]]]),
    "dicts": _cycle([{"a": 1}]),
    "arrays": lambda _, v: objects(len(v), lambda i: np.arange(3)),
    "bytes": _cycle([b"a", b"ab", b"\0"]),
    "datetime": lambda _, v: pd.date_range("2020", periods=len(v)).to_numpy(),
    "datetime with zone": lambda _, v: pd.Series(pd.date_range("2020", periods=len(v), tz="UTC")),
    "timedelta": lambda _, v: (np.arange(len(v)) * 10**9).astype("timedelta64[ns]"),
    "dates": lambda _, v: objects(len(v), lambda i: date(2020, 1, 1 + i % 28)),
    "timedeltas": lambda _, v: objects(len(v), lambda i: timedelta(i)),
    "period": lambda _, v: pd.Series(pd.period_range("2020-01", periods=len(v), freq="M")),
    # no columns
    "two columns": lambda _, v: np.column_stack([v, v]),
    "scalar": lambda _, v: 3.0,
    "too short": lambda _, v: v[: len(v) // 2],
}

FACTORS: dict[str, Maker] = {
    # numbers
    "integers": lambda _, c: c,
    "negative": lambda _, c: c - 3,
    "giant": lambda _, c: c.astype(np.int64) * 2**58,
    "giant objects": _each(lambda a: 2**80 + int(a)),
    "uint64": lambda _, c: np.uint64(2**63) + c.astype(np.uint64),
    "floats": lambda _, c: c * 1.5,
    "whole floats, a gap": lambda r, c: some(c * 1.0, r, np.nan),
    "bool": lambda _, c: c % 2 == 0,
    # how many
    "one level": lambda _, c: np.zeros(len(c), dtype=int),
    "a level a row": lambda _, c: np.arange(len(c)),
    "empty levels": lambda _, c: pd.Categorical.from_codes(c * 0, ["a", "b", "c"]),
    # missing
    "none": lambda r, c: some(np.array([f"l{i}" for i in c], dtype=object), r, None),
    "nan": lambda r, c: some(np.array([f"l{i}" for i in c], dtype=object), r, np.nan),
    "all none": _cycle([None]),
    # text
    "text": _each(lambda a: f"l{a}"),
    "empty text": _by_code(["", "a", "b"]),
    "NUL": _by_code(["l\0a", "l\0b", "l"]),
    "surrogates": _by_code(["\ud800", "\ud801", "a"]),
    "numpy text with NUL": lambda _, c: np.array([f"l{i}\0\0" for i in c], dtype="U8"),
    "colons": _by_code(["a:b", "a", "b", "a:", ":a", ":"]),
    "brackets": _by_code(["[T.b]", "x]", "(1|g)", "`q`", "a'b", 'c"d']),
    "confusable": _by_code(["a", "\u0430", "\uff41", "e\u0301", "\u00e9"]),
    "long text": _by_code(["z" * 5000, "z" * 4999, "y"]),
    "string dtype": lambda _, c: pd.Series([f"l{i}" for i in c], dtype="string"),
    "arrow strings": lambda _, c: pd.Series([f"l{i}" for i in c], dtype="string[pyarrow]"),
    # objects
    "mixed": _by_code([1, "1", 2.0, "b", (1, 2), None]),
    "tuples": _each(lambda a: (int(a), "a")),
    "lists": _each(lambda a: [int(a)]),
    "bytes": _each(lambda a: b"x%d" % a),
    "uuids": _each(lambda a: UUID(int=int(a))),
    # categories and dates
    "categorical": lambda _, c: _categories(c, 2),
    "categorical with NaN": lambda r, c: _categories(np.where(r.random(len(c)) < 0.2, -1, c), 30),
    "categorical, all NaN": lambda _, c: pd.Categorical.from_codes(np.full(len(c), -1), ["a", "b"]),
    "categorical floats": lambda _, c: pd.Categorical(c * 0.5),
    "categorical mixed": lambda _, c: pd.Categorical(_by_code([1, "1", "a"])(_, c)),
    "categorical intervals": lambda _, c: pd.cut(c.astype(float), 3) if len(c) > 3 else c,
    "categorical dates": lambda _, c: pd.Categorical(pd.to_datetime("2020") + pd.to_timedelta(c, unit="D")),
    "ordered": lambda _, c: _categories(c, ordered=True),
    "datetime": lambda _, c: (np.datetime64("2020") + c.astype("timedelta64[D]")).astype("datetime64[ns]"),
    "datetimes": _each(lambda a: datetime(2020, 1, 1 + int(a) % 28)),
    "period": lambda _, c: pd.Series(pd.period_range("2000", periods=400, freq="Y")[c]),
}
