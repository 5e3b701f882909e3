"""The agreement of cells of the benchmark of absorbed factors, and the page made of them."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from cells import Cell, apart, details, versions
from problems import Problem

from report import machine, shown, table

# Engine -> its name, and the call that is timed.
ENGINES = {
    "interlace": ("interlace", "interlace.lm(formula, data); interlace.demean(data, columns, factors)"),
    "pyfixest": ("pyfixest", "pyfixest.feols(formula, data)"),
    "fereg": ("fereg", "fereg.feols(formula, data)"),
    "within": ("within-py", "within.solve_batch(codes, columns)"),
    "R": ("fixest", "fixest::feols(formula, data)"),
    "linearmodels": ("linearmodels", "AbsorbingLS(y, X, absorb=levels).fit(cov_type='unadjusted')"),
    "statsmodels": ("statsmodels", "statsmodels.formula.api.ols(formula with C(level), data).fit()"),
}
METHODS = {"lm": "regression", "demean": "demeaned columns", "lmer": "mixed model"}
PEERS = {
    "pyfixest": "pyfixest",
    "fereg": "fereg==0.4.1",
    "within": "within-py==0.4.0",
    "linearmodels": "linearmodels",
    "statsmodels": "statsmodels",
}
# Relative, between two answers; and how far the residuals of interlace may be from the levels.
TOLERANCE, DEFECT = 1e-6, 1e-9


def called(cell: Cell) -> str:
    """The engine as it is called."""
    return ENGINES[cell.engine][0]


def judge(cells: Sequence[Cell]) -> list[Cell]:
    """The cells of one problem and method; a time counts where the answer is that of the reference.

    The reference is interlace's answer: its residuals must be orthogonal to all levels, and some other engine
    must have the same answer, if there is one that answers.
    """
    ours = next((cell for cell in cells if cell.engine == "interlace" and cell.status == "ok"), None)
    others = [cell for cell in cells if cell.status == "ok" and cell is not ours]
    if ours is None:
        alone = {"agreement": "no reference"}
        return [dataclasses.replace(cell, **alone) if cell.status == "ok" else cell for cell in cells]
    found = {cell.engine: difference(ours, cell) for cell in others}
    left = ours.answer.get("defect", (0.0,))[0]
    words = [f"residuals {left:.0e}"] if "defect" in ours.answer else []
    words += [f"{ENGINES[engine][0]} {apart:.0e}" for engine, apart in found.items()] or ["no other answer"]
    agreed = not found or min(found.values()) <= TOLERANCE
    status = "ok" if left <= DEFECT and agreed else "differs"
    judged = {ours.engine: dataclasses.replace(ours, status=status, agreement=", ".join(words))}
    judged |= {cell.engine: _against(cell, found[cell.engine]) for cell in others}
    return [judged.get(cell.engine, cell) for cell in cells]


def _against(cell: Cell, apart: float) -> Cell:
    words = f"{apart:.0e}"
    status = "ok" if apart <= TOLERANCE else f"wrong by {words}"
    return dataclasses.replace(cell, status=status, agreement=words)


def difference(ours: Cell, other: Cell) -> float:
    """The largest relative difference of a coefficient, or of demeaned numbers as a share of the largest."""
    one, two = np.array(ours.answer["numbers"]), np.array(other.answer["numbers"])
    if ours.method != "demean":
        return apart(one, two)
    if one.shape != two.shape:
        return math.inf
    return float(np.abs(one - two).max() / np.abs(one).max())


def document(cells: Sequence[Cell], options: argparse.Namespace) -> str:
    """The page with all tables, as markdown."""
    words = _INTRODUCTION.format(
        limit=f"{options.limit:g}", memory=f"{options.memory:g}", tolerance=TOLERANCE
    )
    trial = f"Data divided by {options.shrink}: a trial run, no measurement." if options.shrink > 1 else ""
    parts = [words, trial, machine(), versions(cells, called), _calls(cells)]
    for method, title in METHODS.items():
        mine = [cell for cell in cells if cell.method == method]
        if mine:
            parts += [f"## Time: {title}", _times(mine, options.problems)]
    parts += ["## Every answer", *(details(cells, problem, METHODS, called) for problem in options.problems)]
    return "\n\n".join(part for part in parts if part) + "\n"


_INTRODUCTION = """# Benchmarks of absorbed factors

Written by `make bench-absorbed`; not edited by hand. Time is that of the whole call, from the table to the
fitted model or the demeaned columns: the median of repeated calls in one process, beside the first one. Each
answer has a process of its own, which may take {limit} s and {memory} GB of address space; every engine uses
as many threads as it takes by itself. Formulas are read by all engines that know them as they stand; within
is given codes and columns as arrays that are ready. pyfixest has its own choice of a demeaner.

A time counts only if the answer is right. The reference is interlace's answer, which must leave residuals
that are orthogonal to every level (worked out from the residuals by NumPy, relative to their length) and on
which another engine must agree. Coefficients may differ by {tolerance:g}, relative, and demeaned numbers by
as much of the largest; what differs by more is called wrong, with its error. An empty cell is a problem for
which the engine has no function, or which is too large for it: linearmodels and statsmodels show the scale
on small ones. Before the clock starts there is a call for the first 50,000 rows, so that what an engine
loads or compiles is done.

"simple" are persons in ten years who draw one of the firms each year. In "difficult" the numbers of the firms
run on from row to row, so that each person meets ten neighbouring firms and the firms make a long chain.
"workers" change their firm with a probability each year; sorted ones find firms that pay as they earn. There
are 23 persons to a firm, and 5,000 firms of workers. Seeds are in `benchmarks/absorbed_problems.py`."""


def _calls(cells: Sequence[Cell]) -> str:
    there = {cell.engine for cell in cells}
    rows = [["engine", "call"], *([name, f"`{call}`"] for e, (name, call) in ENGINES.items() if e in there)]
    return table(rows)


def _times(cells: Sequence[Cell], problems: Sequence[Problem]) -> str:
    found = {(cell.problem, cell.engine): cell for cell in cells}
    engines = [engine for engine in ENGINES if any(cell.engine == engine for cell in cells)]
    ratio = ["interlace / best other"] if len(engines) > 1 else []
    rows = [["problem", *(ENGINES[engine][0] for engine in engines), *ratio]]
    for problem in problems:
        mine = [found.get((problem.name, engine)) for engine in engines]
        if any(mine):
            words = [cell.time if cell else "" for cell in mine]
            rows.append([problem.title, *words, *([_ratio(mine)] if ratio else [])])
    return table(rows)


def _ratio(cells: Sequence[Cell | None]) -> str:
    times = {cell.engine: cell.warm for cell in cells if cell and cell.status == "ok"}
    others = [time for engine, time in times.items() if engine != "interlace"]
    return shown(times.get("interlace", math.nan) / min(others, default=math.nan), "{:.2g}")
