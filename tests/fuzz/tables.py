"""An ordinary table of a mixed model, its columns spoilt, in tables of several libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fuzz.columns import FACTORS, NUMBERS, Rng

LARGEST = 120
NUMERIC = ("y", "x", "z", "t", "w")
GROUPS = ("g", "k", "f", "h")

ODD_NAMES = [
    "my col",
    "a.b",
    "class",
    "é",
    "ﬁ",
    "\u0445",
    "x\0",
    "`",
    "1st",
    "",
    "Intercept",
    "Residual",
    "T",
    "log",
    "a:b",
    "x[1]",
    "x\n",
    "_",
    "__tilde__",
    "None",
    "lambda",
    "𝐱",
    "np",
    "C",
    "I",
    "-",
    "a'b",
    "0",
    "pi",
    "TRUE",
    "%in%",
]


def ordinary(seed: int, number: int, rows: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Columns y, x, z, t, w, f, h, g, k, and the codes of the last four.

    The first rows of a longer table, so that a case keeps its values when it is made smaller.
    """
    rng = np.random.default_rng([seed, number, 1])
    levels = int(rng.choice([2, 3, 4, 6, 10, 20]))
    scattered, random_k = rng.random() < 0.5, rng.integers(0, levels, LARGEST)
    codes = {
        "g": rng.integers(0, levels, LARGEST) if scattered else np.arange(LARGEST) % levels,
        "k": random_k,
        "f": rng.integers(0, 3, LARGEST),
        "h": np.arange(LARGEST) % 2,
    }
    effects = rng.normal(size=(2, 20)) * rng.choice([0.0, 0.1, 1.0, 30.0], size=(2, 1))
    x, z = rng.normal(size=(2, LARGEST))
    noise = rng.normal(size=LARGEST) * rng.choice([1e-8, 0.01, 1.0, 1.0, 1.0])
    numbers = {
        "y": 1 + x + effects[0, codes["g"]] + effects[1, codes["k"]] + noise,
        "x": x,
        "z": z,
        "t": np.arange(LARGEST) % 4 * 1.0,
        "w": rng.uniform(0.5, 2, LARGEST),
    }
    texts = {name: np.array([f"{name}{c}" for c in codes[name]], dtype=object) for name in ("f", "h", "g")}
    columns: dict[str, Any] = {**numbers, **texts, "k": codes["k"]}
    return {name: v[:rows] for name, v in columns.items()}, {name: c[:rows] for name, c in codes.items()}


def spoil(rng: Rng, columns: dict[str, Any], codes: Mapping[str, np.ndarray], name: str, kind: str) -> None:
    """Put the odd column `kind` in place of `name`; kinds of numbers and of factors go to either."""
    rows = len(columns["w"]) if "w" in columns and np.ndim(columns["w"]) == 1 else 0
    if kind in TWISTS:
        TWISTS[kind](columns)
    elif kind.startswith("is called "):
        new = ODD_NAMES[int(kind.removeprefix("is called "))]
        if name in columns:
            columns[new] = columns.pop(name)
    elif kind.startswith("factor: "):
        columns[name] = FACTORS[kind.removeprefix("factor: ")](rng, codes.get(name, np.arange(rows) % 3))
    else:
        values = columns.get(name)
        plain = isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "fiub"
        given = np.asarray(values, dtype=float) if plain and name not in codes else rng.normal(size=rows)
        columns[name] = NUMBERS[kind](rng, given)


TWISTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "z is x": lambda c: c.update(z=c["x"]),
    "h is g": lambda c: c.update(h=c["g"]),
    "y is x": lambda c: c.update(y=c["x"]),
}


def random_spoiling(rng: Rng) -> tuple[tuple[str, str], ...]:
    """Which columns are spoilt, and how."""
    done = []
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.35, 0.4, 0.2, 0.05]))):
        name = str(rng.choice([*NUMERIC, *GROUPS]))
        if name in GROUPS and rng.random() < 0.85:
            done.append((name, f"factor: {rng.choice(list(FACTORS))}"))
        else:
            done.append((name, str(rng.choice(list(NUMBERS)))))
    if rng.random() < 0.07:
        done.append(("", str(rng.choice(list(TWISTS)))))
    elif rng.random() < 0.07:
        done.append((str(rng.choice([*NUMERIC, *GROUPS])), f"is called {int(rng.integers(len(ODD_NAMES)))}"))
    return tuple(done)


def _polars(columns: dict[str, Any]) -> Any:
    import polars

    return polars.DataFrame({n: polars.Series(n, np.asarray(v)) for n, v in columns.items()}, strict=False)


def _pyarrow(columns: dict[str, Any]) -> Any:
    import pyarrow

    return pyarrow.table({name: pyarrow.array(values) for name, values in columns.items()})


TABLES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "pandas": pd.DataFrame,
    "mapping": dict,
    "lists": lambda c: {name: list(values) for name, values in c.items()},
    "polars": _polars,
    "pyarrow": _pyarrow,
    "records": lambda c: pd.DataFrame(c).to_records(index=False),
    "x twice": lambda c: pd.concat([pd.DataFrame(c), pd.DataFrame({"x": c["x"]})], axis=1),
    "index all zero": lambda c: pd.DataFrame(c).set_index(pd.Index(np.zeros(len(c["w"]), dtype=int))),
    "index of two": lambda c: pd.DataFrame(c).set_index(["g", "k"], drop=False),
    "g in the index": lambda c: pd.DataFrame(c).set_index("g"),
    "a column called 5": lambda c: pd.DataFrame(c).rename(columns={"z": 5}),
    "columns of two": lambda c: pd.concat({"a": pd.DataFrame(c)}, axis=1),
    "reversed": lambda c: pd.DataFrame(c).iloc[::-1],
    "no rows": lambda c: pd.DataFrame(c).iloc[:0],
    "None": lambda c: None,
    "a list": lambda c: list(c.values()),
    "text": lambda c: "y",
    "an array": lambda c: np.zeros((3, 3)),
    "a series": lambda c: pd.Series([1.0]),
    "empty": lambda c: {},
    "an object": lambda c: object(),
}
COMMON = {"pandas": 0.5, "mapping": 0.15, "lists": 0.06, "polars": 0.08, "pyarrow": 0.08}


def random_table(rng: Rng, *, sound: bool = False) -> str:
    """The name of a kind of table; the usual ones mostly, or only."""
    rare = [name for name in TABLES if name not in COMMON]
    odd = 0.0 if sound else 1 - sum(COMMON.values())
    shares = np.array([*COMMON.values(), *[odd / len(rare)] * len(rare)])
    return str(rng.choice([*COMMON, *rare], p=shares / shares.sum()))


def table(columns: dict[str, Any], kind: str) -> Any:
    """The columns as a table of that kind; as a mapping where the library refuses these values."""
    try:
        return TABLES[kind](columns)
    except Exception:
        return dict(columns)
