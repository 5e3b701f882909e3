"""Time and memory of regressions and demeaned columns with absorbed factors, beside R and Python peers.

    python benchmarks/absorbed.py [--problems a,b] [--methods m] [--engines x,y] [--quick] [--limit SECONDS]
                                  [--memory GB] [--shrink N] [--resume] [--output FILE]

A cell is one fit or one set of demeaned columns by one engine, in a process of its own with bounds of time
and memory. Peers are installed into `.bench-venv`; fixest takes part where R has it. Cells are printed and
kept as they come; `--resume` goes on where a run was ended. A run over everything writes
`docs/benchmarks-absorbed.md`; any other prints its tables.
"""

from __future__ import annotations

import sys

from absorbed_problems import BY_NAME, ROWS_FOR_DUMMIES, ROWS_FOR_SCALE, Panel
from absorbed_report import ENGINES, METHODS, PEERS, document, judge
from cells import Bench

KNOWS = {
    "lm": ("interlace", "pyfixest", "fereg", "R", "linearmodels", "statsmodels"),
    "demean": ("interlace", "within"),
    "lmer": ("interlace",),
}
LARGEST = {"linearmodels": ROWS_FOR_SCALE, "statsmodels": ROWS_FOR_DUMMIES}


def answers(problem: Panel, method: str, engine: str) -> bool:
    """Does the engine have the function, and is the problem not beyond it?"""
    return engine in KNOWS[method] and problem.rows <= LARGEST.get(engine, problem.rows)


BENCH = Bench(
    "absorbed",
    __doc__.splitlines()[0],
    BY_NAME,
    list(METHODS),
    list(ENGINES),
    ("fixest",),
    limit=60.0,
    fit_limit=60.0,
    has=answers,
    extra=lambda problem, method, engine, shrink: [] if engine == "R" else [engine],
    judge=judge,
    document=document,
    peers=PEERS,
    memory=16.0,
    warm_seconds=2.0,
)

if __name__ == "__main__":
    sys.exit(BENCH.main())
