"""What the core is asked under a sanitizer: its engines, with threads of its own and of the caller."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# The core takes no more threads than BLAS was given, so this stands before NumPy is imported.
os.environ.update(OPENBLAS_NUM_THREADS="4", OMP_NUM_THREADS="4")

import numpy as np
import pandas as pd

import interlace

THREADS = 4


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


def at_once() -> None:
    """Threads of the caller, each with a fit whose core has threads of its own."""
    calls: list[Callable[[], Any]] = [large_fronts, absorbed, slopes_and_structures, large_fronts]
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(call) for call in calls]:
            done.result()


def main() -> None:
    for work in (slopes_and_structures, absorbed, large_fronts, refits, at_once):
        work()
        print(work.__name__, flush=True)


if __name__ == "__main__":
    main()
