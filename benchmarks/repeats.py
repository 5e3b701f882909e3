"""Rows that repeat: an experiment of two arms, 30 days and 1,000 sites, with cells of equal rows and without.

    python benchmarks/repeats.py [--rows 10000000] [--folder DIR]

Data are simulated. Prints a table in Markdown: seconds of the whole call of `lmer`, the least of three. "Row
by row" is the same call without a look for equal rows.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb
import numpy as np
import pandas as pd

import interlace
from interlace.design import equal_rows

FORMULAS = (
    "y ~ arm * day + (1 + arm | site)",
    "y ~ arm + (1 | site) + (1 | day)",
    "y ~ arm * factor(day) + (1 | site)",
)
BAR = r"\|"  # in a table of Markdown
NEVER = 1 << 62
TIMES = 3


def made(rows: int) -> pd.DataFrame:
    """The experiment."""
    rng = np.random.default_rng(1)
    site = rng.integers(0, 1000, rows).astype(np.int32)
    arm = rng.choice(["a", "b"], rows)
    found = pd.DataFrame({"arm": arm, "day": rng.integers(0, 30, rows, dtype=np.int32), "site": site})
    effects = rng.normal(scale=0.5, size=(2, 1000))
    of_arm = (arm == "b") * (0.1 + effects[1][site])
    found["y"] = 2 + effects[0][site] + of_arm + rng.normal(size=rows)
    return found


def seconds(formula: str, data: Any) -> tuple[float, Any]:
    """The least of some calls, and the model."""
    least = np.inf
    for _ in range(TIMES):
        start = perf_counter()
        model = interlace.lmer(formula, data)
        least = min(least, perf_counter() - start)
    return least, model


def row_by_row(call: Callable[[], tuple[float, Any]]) -> tuple[float, Any]:
    """Without a look for equal rows."""
    before, equal_rows.FEWEST = equal_rows.FEWEST, NEVER
    try:
        return call()
    finally:
        equal_rows.FEWEST = before


def main() -> None:
    """Makes the data, fits, prints."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, default=10_000_000)
    asked.add_argument("--folder", type=Path)
    given = asked.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp())
    path = folder / "experiment.parquet"
    table = made(given.rows)
    table.to_parquet(path, index=False, row_group_size=1 << 20)
    sources = {
        "data frame": table,
        "Parquet": path,
        "DuckDB": interlace.chunks(duckdb.sql(f"from '{path}'")),
    }
    print("| data | model | row by row, s | as cells, s | difference of estimates, of their SE |")
    print("|---|---|---|---|---|")
    for name, data in sources.items():
        for formula in FORMULAS:
            slow, whole = row_by_row(lambda data=data, formula=formula: seconds(formula, data))  # type: ignore[misc]
            fast, model = seconds(formula, data)
            away = float(np.abs((model.fixef - whole.fixef) / whole.se).max())
            text = formula.replace("|", BAR)
            print(f"| {name} | `{text}` | {slow:.2f} | {fast:.2f} | {away:.0e} |", flush=True)


if __name__ == "__main__":
    main()
