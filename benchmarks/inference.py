"""Time and memory of tests of the fixed effects, beside lmerTest and pbkrtest.

    python benchmarks/inference.py [--problems a,b] [--methods m] [--engines x,y] [--quick] [--limit SECONDS]
                                   [--memory GB] [--resume] [--output FILE]

A cell is one table of coefficients or of marginal means (standard errors and degrees of freedom) by one
method and engine, in a process of its own with bounds of time and memory. Cells are printed and kept as they
come; `--resume` goes on where a run was ended. A run over everything writes `docs/benchmarks-inference.md`;
any other prints its tables.
"""

from __future__ import annotations

import sys

from cells import Bench
from inference_problems import BY_NAME
from inference_report import ENGINES, METHODS, document, judge

BENCH = Bench(
    "inference",
    __doc__.splitlines()[0],
    BY_NAME,
    list(METHODS),
    ENGINES,
    ("lme4", "lmerTest", "pbkrtest", "emmeans"),
    limit=120.0,
    fit_limit=300.0,
    has=lambda problem, method, engine: True,
    extra=lambda problem, method, engine, shrink: [problem.means] if engine == "R" else [],
    judge=judge,
    document=document,
)

if __name__ == "__main__":
    sys.exit(BENCH.main())
