"""Time and memory of intervals, resampling and diagnostics, beside lme4 and fits of the rows.

    python benchmarks/resampling.py [--problems a,b] [--methods m] [--engines x,y] [--quick] [--limit SECONDS]
                                    [--memory GB] [--shrink N] [--resume] [--output FILE]

A cell is one question (profile, bootstrap, many responses, predictions, folds, power, influence, leverage)
to one fitted model by one engine, in a process of its own with bounds of time and memory. Cells are printed
and kept as they come; `--resume` goes on where a run was ended. A run over everything writes
`docs/benchmarks-resampling.md`; any other prints its tables.
"""

from __future__ import annotations

import sys

from cells import Bench
from problems import Problem
from resampling_problems import BY_NAME
from resampling_report import document, judge
from resampling_tasks import ENGINES, TASKS


def sizes(problem: Problem, task: str, engine: str, shrink: int) -> list[str]:
    """What is done and the whole; and by whom, for the worker."""
    numbers = [str(size) for size in TASKS[task].sizes(engine, shrink)]
    return numbers if engine == "R" else [*numbers, engine]


BENCH = Bench(
    "resampling",
    __doc__.splitlines()[0],
    BY_NAME,
    list(TASKS),
    list(ENGINES),
    ("lme4", "lmerTest"),
    limit=60.0,
    fit_limit=60.0,
    has=lambda problem, task, engine: engine == "interlace" or engine in TASKS[task].peers,
    extra=sizes,
    judge=judge,
    document=document,
)

if __name__ == "__main__":
    sys.exit(BENCH.main())
