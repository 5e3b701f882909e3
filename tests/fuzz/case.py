"""A case: what `lmer` is asked and of which table, as a recipe that can be printed, sent and made smaller."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

import interlace
from fuzz import formulas, tables
from fuzz.columns import Rng

Option = Callable[[Rng, int], Any]

ROWS = {0: 0.01, 1: 0.01, 2: 0.02, 3: 0.02, 5: 0.04, 8: 0.1, 12: 0.15, 20: 0.2, 30: 0.25, 60: 0.15, 120: 0.05}

OPTIONS: dict[str, dict[str, Option]] = {
    "reml": {"False": lambda r, n: False},
    "weights": {
        "uniform": lambda r, n: r.uniform(0.1, 5, n),
        "'w'": lambda r, n: "w",
        "'nope'": lambda r, n: "nope",
        "'f'": lambda r, n: "f",
        "'y'": lambda r, n: "y",
        "0": lambda r, n: np.zeros(n),
        "-1": lambda r, n: -np.ones(n),
        "nan": lambda r, n: np.full(n, np.nan),
        "scalar": lambda r, n: 3.0,
        "one": lambda r, n: [1.0],
        "a list": lambda r, n: list(r.uniform(1, 2, n)),
        "decades": lambda r, n: 10.0 ** r.uniform(-6, 6, n),
        "1e300": lambda r, n: np.full(n, 1e300),
        "1e-300": lambda r, n: np.full(n, 1e-300),
        "1e100": lambda r, n: r.uniform(1, 2, n) * 1e100,
        "1e-100": lambda r, n: r.uniform(1, 2, n) * 1e-100,
        "two columns": lambda r, n: np.ones((n, 2)),
        "bool": lambda r, n: np.ones(n, dtype=bool),
        "series": lambda r, n: pd.Series(np.ones(n)),
        "another index": lambda r, n: pd.Series(np.ones(n), index=np.arange(n) + 1),
        "text": lambda r, n: np.full(n, "a"),
        "complex": lambda r, n: np.full(n, 1j),
        "{}": lambda r, n: {},
    },
    "offset": {
        "normal": lambda r, n: r.normal(size=n),
        "'x'": lambda r, n: "x",
        "'f'": lambda r, n: "f",
        "inf": lambda r, n: np.full(n, np.inf),
        "1e15": lambda r, n: np.full(n, 1e15),
        "scalar": lambda r, n: 2.0,
        "[]": lambda r, n: [],
        "'zz'": lambda r, n: "zz",
        "nan": lambda r, n: np.full(n, np.nan),
        "a column": lambda r, n: np.ones((n, 1)),
        "1j": lambda r, n: 1j,
    },
    "contrasts": {
        "sum": lambda r, n: {"f": "sum"},
        "helmert": lambda r, n: {"f": "helmert"},
        "poly": lambda r, n: {"f": "poly"},
        "sdif": lambda r, n: {"f": "sdif"},
        "sas": lambda r, n: {"f": "sas"},
        "'zzz'": lambda r, n: {"f": "zzz"},
        "of x": lambda r, n: {"x": "sum"},
        "a matrix": lambda r, n: {"f": np.eye(3)[:, 1:]},
        "zeros": lambda r, n: {"f": np.zeros((3, 2))},
        "too small": lambda r, n: {"f": np.eye(2)},
        "nan": lambda r, n: {"f": np.full((3, 2), np.nan)},
        "3": lambda r, n: {"f": 3},
        "text": lambda r, n: "sum",
        "{}": lambda r, n: {},
        "None": lambda r, n: {"f": None},
        "ragged": lambda r, n: {"f": [[1, 2], [3]]},
        "two": lambda r, n: {"h": "sum", "f": "sum"},
        "of 3": lambda r, n: {3: "sum"},
        "too wide": lambda r, n: {"f": np.ones((3, 5))},
        "of None": lambda r, n: {None: "sum"},
        "of a tuple": lambda r, n: {("f", "h"): "sum"},
        "a list": lambda r, n: ["sum"],
        "of a series": lambda r, n: pd.Series({"f": "sum"}),
    },
    "na_action": {
        "'error'": lambda r, n: "error",
        "'drop'": lambda r, n: "drop",
        "'raise'": lambda r, n: "raise",
        "'omit'": lambda r, n: "omit",
        "3": lambda r, n: 3,
    },
    "n_jobs": {
        "1": lambda r, n: 1,
        "2": lambda r, n: 2,
        "-1": lambda r, n: -1,
        "0": lambda r, n: 0,
        "1.5": lambda r, n: 1.5,
        "True": lambda r, n: True,
        "'2'": lambda r, n: "2",
        "None": lambda r, n: None,
        "1e9": lambda r, n: 10**9,
    },
}
SOUND = {
    "reml": ["False"],
    "weights": ["uniform", "'w'", "a list", "decades", "1e100", "1e-100", "series"],
    "offset": ["normal", "'x'", "1e15"],
    "contrasts": ["sum", "helmert", "poly", "sdif", "sas", "two", "a matrix"],
    "na_action": ["'drop'"],
    "n_jobs": ["1", "2", "-1"],
}
SHARES = {"reml": 0.3, "weights": 0.15, "offset": 0.08, "contrasts": 0.1, "na_action": 0.05, "n_jobs": 0.05}


@dataclass(frozen=True, slots=True)
class Case:
    """All of it follows from these values."""

    seed: int
    number: int
    rows: int
    response: str = "y"
    fixed: tuple[str, ...] = ("x",)
    random: tuple[str, ...] = ("(1 | g)",)
    text: str | None = None  # in place of the sum of the terms
    spoilt: tuple[tuple[str, str], ...] = ()
    table: str = "pandas"
    options: tuple[tuple[str, str], ...] = ()

    @property
    def formula(self) -> str:
        """What `lmer` is given."""
        return self.text if self.text is not None else sum_of(self.response, self.fixed, self.random)

    def rng(self, *words: str) -> Rng:
        """A generator that depends on the case and on the words only."""
        return np.random.default_rng([self.seed, self.number, *(crc32(word.encode()) for word in words)])

    def columns(self) -> dict[str, Any]:
        """The columns, spoilt."""
        columns, codes = tables.ordinary(self.seed, self.number, self.rows)
        for name, kind in self.spoilt:
            tables.spoil(self.rng(name, kind), columns, codes, name, kind)
        return columns

    def data(self) -> Any:
        """A new table, each time."""
        return tables.table(self.columns(), self.table)

    def given(self) -> dict[str, Any]:
        """The keyword arguments of `lmer`, made anew."""
        return {name: OPTIONS[name][kind](self.rng(name), self.rows) for name, kind in self.options}

    def fit(self, data: Any) -> Any:
        """The call of `lmer` itself."""
        return interlace.lmer(self.formula, data, **self.given())

    def smaller(self) -> Iterator[Case]:
        """Cases with one thing less."""
        if self.text is not None:
            yield replace(self, text=None)
        for part in ("options", "spoilt", "random", "fixed"):
            values = getattr(self, part)
            if part == "random" and len(values) < 2:
                continue
            for i in range(len(values)):
                yield replace(self, **{part: values[:i] + values[i + 1 :]})
        if self.table != "pandas":
            yield replace(self, table="pandas")
        if self.response != "y":
            yield replace(self, response="y")
        for rows in sorted(ROWS):
            if 0 < rows < self.rows:
                yield replace(self, rows=rows)


def sum_of(response: str, fixed: tuple[str, ...], random: tuple[str, ...]) -> str:
    """The formula of these terms."""
    return f"{response} ~ {' + '.join([*fixed, *random]) or '1'}"


def make(seed: int, number: int) -> Case:
    """The case of this number; in two of three the formula and the options are sound, not the table."""
    rng = np.random.default_rng([seed, number, 0])
    sound = rng.random() < 0.67
    rows = int(rng.choice(list(ROWS), p=list(ROWS.values())))
    response, fixed, random = (formulas.sound_parts if sound else formulas.wild_parts)(rng)
    text = None if sound else formulas.random_text(rng, sum_of(response, fixed, random))
    options = tuple(
        (name, str(rng.choice(SOUND[name] if sound else list(OPTIONS[name]))))
        for name, share in SHARES.items()
        if rng.random() < share
    )
    table = tables.random_table(rng, sound=sound)
    return Case(
        seed, number, rows, response, fixed, random, text, tables.random_spoiling(rng), table, options
    )


def quietly(call: Callable[[], Any]) -> Any:
    """What the call gives, its warnings unheard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()
