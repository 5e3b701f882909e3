"""What the core is asked under a sanitizer: its engines, with threads of its own and of the caller."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# The core takes no more threads than BLAS was given, so this stands before NumPy is imported.
os.environ.update(OPENBLAS_NUM_THREADS="4", OMP_NUM_THREADS="4")

import numpy as np
import pandas as pd
import pyarrow

import interlace
from accumulating.passes import cut, fitted

THREADS = 4
MANY_LEVELS = 9_000  # of one grouping factor: more than threads take at a time, so that they share them


def crossed(rows: int = 6_000, first: int = 900, second: int = 800, seed: int = 1) -> pd.DataFrame:
    """Levels that meet at random: large fronts, which the threads share in tiles."""
    rng = np.random.default_rng(seed)
    a, b, c = (rng.integers(0, levels, rows) for levels in (first, second, 12))
    x = rng.normal(size=rows)
    y = x + rng.normal(size=first)[a] + rng.normal(size=second)[b] + rng.normal(size=rows)
    return pd.DataFrame({"a": a, "b": b, "c": c, "x": x, "y": y, "w": rng.uniform(0.5, 2, rows)})


def large_fronts() -> None:
    m = interlace.lmer("y ~ x + (1 | a) + (1 | b)", crossed(), n_jobs=THREADS)
    m.leverage(), m.predict(se=True), m.ranef(condvar=True)


def slopes_and_structures() -> None:
    data = crossed(2_000, 60, 40)
    for term in ("(x | a) + (1 | b)", "(x || a)", "diag(x | a)", "cs(0 + factor(c) | a)", "(1 | a/c)"):
        interlace.lmer(f"y ~ x + {term}", data, weights="w").summary()


def absorbed() -> None:
    data = crossed()
    for vcov in ("HC1", "HC3"):
        interlace.lm("y ~ x | a + b", data, vcov=vcov, singletons="drop").absorbed()
    interlace.lm("y ~ x | a + b + c", data, cluster=["a", "b"])
    interlace.lm("y ~ 1 | a[x] + b", data)
    interlace.lmer("y ~ x + (1 | a) | b", data, n_jobs=THREADS)


def refits() -> None:
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
    m.refit(m.simulate(60, seed=1), n_jobs=THREADS)
    m.bootstrap(40, seed=1, n_jobs=THREADS)
    m.multistart(8, seed=1, n_jobs=THREADS)
    m.profile(n_jobs=THREADS)
    m.influence("Subject", method="refit", n_jobs=THREADS)
    m.cross_validate("Subject", n_jobs=THREADS)
    m.coef_table(vcov="CR2"), m.anova(ddf="kenward-roger"), m.check()


def one_factor(rows: int = 30_000, levels: int = MANY_LEVELS, seed: int = 2) -> pd.DataFrame:
    """One grouping factor, whose levels come in no order; all numbers lie side by side in one array."""
    rng = np.random.default_rng(seed)
    g, x = rng.integers(0, levels, rows), rng.normal(size=(rows, 5))
    effects = rng.normal(size=(levels, 3))[g]
    y = 1 + x @ [1, 0, 0.5, 0, 0] + effects[:, 0] + effects[:, 1] * x[:, 0] + effects[:, 2] * x[:, 1]
    data = pd.DataFrame(np.column_stack([x, y + rng.normal(size=rows)]), columns=[*"abcde", "y"])
    return data.assign(g=g, w=rng.uniform(0.5, 2, rows), few=rng.integers(0, 7, rows))


# As many columns of Z and X as the core has loops for, and more; those of Z are those of X, or others.
LEVEL_BY_LEVEL = (
    "y ~ 0 + (1 | g)",
    "y ~ 1 + (1 | g)",
    "y ~ a + (1 | g)",
    "y ~ a + (a | g)",
    "y ~ a + (0 + a | g)",
    "y ~ a + b + (a || g)",
    "y ~ a + b + (a + b || g)",
    "y ~ a + b + c + (a | g)",
    "y ~ a + b + c + d + e + (a | g)",
)


def level_by_level() -> None:
    data = one_factor()
    for formula in LEVEL_BY_LEVEL:
        for reml, weights in ((True, None), (False, "w")):
            m = interlace.lmer(formula, data, reml=reml, weights=weights, n_jobs=THREADS)
            m.ranef(), m.convergence
    m.refit(data["y"][::-1].to_numpy(), n_jobs=THREADS)
    m.ranef(condvar=True), m.leverage(), m.predict(se=True)


def small_fits() -> None:
    """The first search in one call of the core, and its end in another."""
    data = one_factor(300, 12)
    for formula in (*LEVEL_BY_LEVEL, "y ~ a + (a + b | g)", "y ~ a * factor(few) + (a + b + c + d | g)"):
        m = interlace.lmer(formula, data)
        m.summary(), m.predict(data.iloc[:5]), m.coef_table(vcov="CR2")
    for slopes in ("(1 | g)", "(a | g)"):
        m = interlace.lmer(f"y ~ a + {slopes} + (1 | few)", data)
        m.profile(n_jobs=1), m.influence("g", method="refit", n_jobs=1)


def columns_as_they_are_held() -> None:
    """Arrays of every kind that columns come in, looked at where they are."""
    data = one_factor(2_000, 100)
    numbers = data[[*"aby"]].to_numpy()
    numbers.flags.writeable = False
    kinds: dict[str, Any] = {
        "strided": {"a": numbers[::-1, 0], "b": numbers[::-1, 1], "y": numbers[::-1, 2], "g": data["g"]},
        "single": data.astype({"a": "float32", "b": "float16"}),
        "integers": data.assign(a=(10 * data["a"]).astype("int8"), g=data["g"].astype("uint16")),
        "logicals": data.assign(a=data["a"] > 0, g=data["g"].astype("category")),
        "nullable": data.convert_dtypes(),
        "arrow": pyarrow.Table.from_pandas(data),
        "texts": data.assign(g=data["g"].astype(str)),
        "other bytes": data.assign(a=data["a"].to_numpy().astype(">f8")),
        "cells": data.round({"a": 0, "b": 0}),
    }
    for held in kinds.values():
        interlace.lmer("y ~ a + b + (a | g)", held).ranef()
        interlace.lm("y ~ a + b | g", held)


def chunks() -> None:
    """Sums over chunks of any size, from files, from an Arrow stream, and from parts that are merged."""
    data = one_factor(8_000, 5_000)
    table = pyarrow.Table.from_pandas(data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        data.to_parquet(path, row_group_size=1_500)
        for formula in LEVEL_BY_LEVEL:
            interlace.lmer(formula, interlace.chunks(str(path), rows=1_000), n_jobs=THREADS).ranef()
        m = interlace.lmer("y ~ a + (a | g) + (1 | few)", interlace.chunks(str(path), rows=777), weights="w")
        m.fitted, m.leverage(), m.refit(m.simulate(5, seed=1))
        interlace.lm("y ~ a * factor(few)", interlace.chunks(str(path), rows=999)).summary()
    interlace.lmer("y ~ a + (1 | g)", interlace.chunks(lambda: table.to_reader(max_chunksize=500)))
    fitted("y ~ a + b + (a | g)", cut(data, 900)).ranef()


def at_once() -> None:
    """Threads of the caller, each with a fit whose core has threads of its own."""
    calls: list[Callable[[], Any]] = [
        large_fronts, absorbed, slopes_and_structures, level_by_level, chunks, small_fits, large_fronts,
    ]  # fmt: skip
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(call) for call in calls]:
            done.result()


def main() -> None:
    for work in (
        slopes_and_structures, absorbed, large_fronts, refits, level_by_level, small_fits,
        columns_as_they_are_held, chunks, at_once,
    ):  # fmt: skip
        work()
        print(work.__name__, flush=True)


if __name__ == "__main__":
    main()
