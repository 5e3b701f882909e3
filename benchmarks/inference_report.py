"""The agreement of cells of the benchmark of inference, and the page made of them."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

from cells import Cell, apart, details, versions
from problems import Problem

from report import machine, table

ENGINES = ("interlace", "R")
METHODS = {"satterthwaite": "Satterthwaite", "kenward-roger": "Kenward-Roger"}
R_PACKAGE = {"satterthwaite": "lmerTest", "kenward-roger": "pbkrtest"}

# Two answers agree when all degrees of freedom and standard errors are as close as the ends of two searches.
DF_TOLERANCE = 1e-3
SE_TOLERANCE = 1e-3


def called(cell: Cell) -> str:
    """The engine as it is called."""
    return R_PACKAGE[cell.method] if cell.engine == "R" else cell.engine


def judge(cells: Sequence[Cell]) -> list[Cell]:
    """The cells of one problem and method, with their agreement; where they differ, no time counts."""
    answered = [cell for cell in cells if cell.status == "ok"]
    if len(answered) < 2:
        alone = {"agreement": "no other answer"}
        return [dataclasses.replace(cell, **alone) if cell in answered else cell for cell in cells]
    # Sorted: engines name and order columns differently.
    df, se = (apart(*(sorted(cell.answer[what]) for cell in answered[:2])) for what in ("df", "se"))
    words = f"df {df:.0e}, se {se:.0e}"
    agree = df <= DF_TOLERANCE and se <= SE_TOLERANCE
    changes = {"agreement": words} if agree else {"agreement": words, "status": "differs"}
    return [dataclasses.replace(cell, **changes) if cell in answered else cell for cell in cells]


def document(cells: Sequence[Cell], options: argparse.Namespace) -> str:
    """The page with all tables, as markdown."""
    bounds = {"limit": f"{options.limit:g}", "memory": f"{options.memory:g}"}
    parts = [
        _INTRODUCTION.format(**bounds, df=DF_TOLERANCE, se=SE_TOLERANCE),
        machine(),
        versions(cells, called),
        "## Time",
        _times(cells, options.problems, options.methods),
        "## Every table",
        *(details(cells, problem, METHODS, called) for problem in options.problems),
    ]
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = """# Benchmarks of inference

Written by `make bench-inference`; not edited by hand. Time is that of a table of coefficients (standard
errors, degrees of freedom, t and p) of a model that is fitted already: the median of repeated calls,
beside the first one. What the fit took is in a column of its own (the first fit of its process). Each
table has a process of its own, which may take {limit} s and {memory} GB of address space. Memory is what
the process grew by during the first table, and its peak with interpreter, data and fit. A time counts
only if all degrees of freedom agree within {df:g} and all standard errors within {se:g}, relative (R's
derivatives are numerical and both engines search for theta on their own); "no other answer" says that
there was nothing to compare with (the tests hold the same code against dense matrices and R at smaller
sizes). lmerTest's Hessian, which it computes when it fits, counts as part of its table; pbkrtest is
called without lmerTest. The last problems have a table of marginal means in place of coefficients, beside
R's emmeans, which calls these packages and has its bounds on rows and on the size of the grid taken off.
Problems and seeds are in `benchmarks/inference_problems.py`."""


def _times(cells: Sequence[Cell], problems: Sequence[Problem], methods: Sequence[str]) -> str:
    found = {(cell.problem, cell.method, cell.engine): cell for cell in cells}
    heads = [f"{METHODS[m]}, {R_PACKAGE[m] if e == 'R' else e}" for m in methods for e in ENGINES]
    rows = [["problem", *heads]]
    for problem in problems:
        mine = [found.get((problem.name, m, e)) for m in methods for e in ENGINES]
        rows.append([problem.title, *(cell.time if cell else "" for cell in mine)])
    return table(rows)
