"""Whatever a function of formulas is given, it answers with a value or with words, and writes to nothing."""

from __future__ import annotations

import pickle
import random
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.design.functions import FUNCTIONS
from interlace.design.values import CodedFactor, Factor, Matrix, factorize
from interlace.errors import InterlaceError

N = 12
RNG = np.random.default_rng(5)


@cache
def columns(places: tuple[int, ...]) -> tuple[dict[str, Any], bytes]:
    """Columns of every kind at some rows of one table, and their bytes."""
    rows = np.array(places, dtype=int)
    x = np.random.default_rng(5).normal(size=N)
    text = factorize(np.array(["b", "a", "c"] * 4, dtype=object))
    missing = Factor(np.array([0, 1, -1] * 4, dtype=np.int8), np.array([False, True]))
    whole: dict[str, Any] = {
        "x": x,
        "positive": np.exp(x),
        "huge": x * 1e300,
        "tiny": x * 1e-300,
        "holes": np.where(np.arange(N) % 4 == 1, np.nan, x),
        "infinite": np.where(np.arange(N) == 3, np.inf, x),
        "same": np.full(N, 2.5),
        "zeros": np.zeros(N),
        "counts": np.arange(N) % 4.0,
        "flag": np.arange(N) % 2 == 0,
        "dates": np.array(["2020-01-01", "2021-03-04"] * 6, dtype="datetime64[ns]"),
        "text": text,
        "ordered": Factor(text.codes, text.levels, True),
        "made": CodedFactor(text.codes, text.levels),
        "gaps": Factor(np.where(np.arange(N) == 2, -1, text.codes).astype(np.int32), text.levels),
        "one": Factor(np.zeros(N, dtype=np.int32), np.array(["only"], dtype=object)),
        "logical with gaps": missing,
        "no level": Factor(np.full(N, -1, dtype=np.int32), np.array([], dtype=object)),
        "matrix": Matrix(np.column_stack([x, x**2]), ("1", "2")),
        "square": np.eye(3),
        "integers": np.arange(N) - 5,
        "series": pd.Series(x),
        "short": np.arange(3.0),
    }
    fixed = ("square", "short")
    taken = {k: v if k in fixed else _take(v, rows) for k, v in whole.items()}
    return taken, pickle.dumps(list(taken.values()))


def _take(value: Any, rows: np.ndarray) -> Any:
    if isinstance(value, CodedFactor):
        return CodedFactor(value.codes[rows], value.levels)
    if isinstance(value, Factor):
        return value.take(rows)
    if isinstance(value, Matrix):
        return Matrix(value.values[rows], value.labels)
    return value.iloc[rows] if isinstance(value, pd.Series) else value[rows]


NUMBERS = (
    0.0,
    1.0,
    2.0,
    3.0,
    -1.0,
    2.5,
    1e9,
    1e308,
    np.nan,
    np.inf,
    10**400,
    7,
    np.float32(2),
    np.int64(3),
    1j,
)
WORDS: tuple[Any, ...] = (
    True,
    False,
    None,
    "a",
    "",
    "contr.sum",
    "zz",
    b"raw",
    FUNCTIONS["mean"],
    FUNCTIONS["contr.sum"],
    print,
)
SEVERAL = (
    (1.0, 2.0),
    ("a", "b", "c"),
    ("a", "a"),
    (),
    (1.0, "a"),
    (None,),
    (0.0, 1e9),
    (True, False),
    [1, 2],
)
MATRICES = (
    (-1.0, 0.0, 1.0),
    (np.nan, 1.0),
    ((1.0, 2.0), (3.0, 4.0), (0.0, 1.0)),
    {"u": [1, 0, 0]},
    object(),
)
CONSTANTS: list[Any] = [*NUMBERS, *WORDS, *SEVERAL, *MATRICES]


OF_CONSTANTS = ("cbind", "matrix", "rbind", "seq")


def arguments(draw: random.Random, name: str) -> tuple[list[Any], dict[str, Any]]:
    """Names of columns (in a list of one) and constants: mostly a column first, often an option by name."""
    table = list(columns(tuple(range(N)))[0])
    often = 0.1 if name in OF_CONSTANTS else 0.9
    args: list[Any] = [[draw.choice(table)] if draw.random() < often else draw.choice(CONSTANTS)]
    args += [
        [draw.choice(table)] if draw.random() < 0.35 else draw.choice(CONSTANTS)
        for _ in range(draw.randint(0, 2))
    ]
    names = [p for p in FUNCTIONS[name].parameters if p != "x"]
    named = {p: draw.choice(CONSTANTS) for p in names if draw.random() < 0.25}
    return args[draw.random() < 0.02 :], named


def run(name: str, args: list[Any], named: dict[str, Any], state: dict[str, Any], rows: np.ndarray) -> Any:
    table, before = columns(tuple(rows))
    given = [table[a[0]] if isinstance(a, list) and a and isinstance(a[0], str) else a for a in args]
    value = FUNCTIONS[name].call(given, named, state, f"{name}(x)", len(rows))
    assert pickle.dumps(list(table.values())) == before
    return value


def as_rows(value: Any) -> Any:
    """One array for comparing; labels for codes."""
    if isinstance(value, Factor):
        return np.array([*map(str, value.levels.tolist()), None], dtype=object)[value.codes]
    if isinstance(value, np.ndarray) and value.dtype.kind == "b":
        return value.astype(str).astype(object)
    return value.values if isinstance(value, Matrix) else value


def check_kind(value: Any, nrows: int) -> None:
    if isinstance(value, Matrix):
        assert value.values.dtype == np.float64 and value.values.shape == (nrows, len(value.labels))
        assert len(set(value.labels)) == len(value.labels)
    elif isinstance(value, Factor):
        assert len(value) == nrows and value.codes.max(initial=-1) < len(value.levels)
        assert len(set(value.levels.tolist())) == len(value.levels)
    elif isinstance(value, np.ndarray):
        assert value.dtype.kind in "fbM" and (value.ndim == 2 or len(value) == nrows)


def check(name: str, seed: int, cases: int) -> int:
    """How many of the cases gave a value; the same on new data, row by row."""
    draw = random.Random(f"{name} {seed}")
    answered = 0
    for _ in range(cases):
        args, named = arguments(draw, name)
        state: dict[str, Any] = {}
        try:
            whole = run(name, args, named, state, np.arange(N))
        except InterlaceError as error:
            assert len(str(error)) > 20 and " at 0x" not in str(error)
            continue
        answered += 1
        check_kind(whole, N)
        state = pickle.loads(pickle.dumps(state))
        for rows in (np.arange(N), np.array([4]), np.array([], dtype=int), np.array([7, 7, 0])):
            part = run(name, args, named, state, rows)
            check_kind(part, len(rows))
            if isinstance(whole, np.ndarray | Factor | Matrix) and len(whole) == N:
                np.testing.assert_array_equal(as_rows(part), as_rows(whole)[rows])
    return answered


NAMES = sorted({f.name for f in FUNCTIONS.values()})


@pytest.mark.parametrize("name", NAMES)
def test_any_arguments_give_a_value_or_words(name: str) -> None:
    check(name, 1, 12)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_many_arguments_give_a_value_or_words(name: str) -> None:
    answered = check(name, 2, 300)
    assert answered or name == "is.na"
