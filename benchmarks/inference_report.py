"""Cells of the benchmark of inference, their agreement, and the page made of them."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from problems import Problem

from report import machine, seconds, shown, table

ENGINES = ("interlace", "R")
METHODS = {"satterthwaite": "Satterthwaite", "kenward-roger": "Kenward-Roger"}
INTERVALS = {"profile": "profile intervals", "bootstrap": "1,000 bootstrap draws"}
INTERVALS |= {
    "influence-fixed": "without each level, theta held",
    "influence-onestep": "without each level, Newton steps",
    "influence-refit": "without each level, fitted again",
}
R_PACKAGE = {"satterthwaite": "lmerTest", "kenward-roger": "pbkrtest", "profile": "lme4", "bootstrap": "lme4"}
R_PACKAGE |= dict.fromkeys(INTERVALS, "lme4")

# Two answers agree when all degrees of freedom and standard errors are as close as the ends of two searches.
DF_TOLERANCE = 1e-3
SE_TOLERANCE = 1e-3
# Standard errors from 1,000 draws are known to 2 %; ends of profiles to the error of splines.
OWN_TOLERANCE = {"profile": 5e-3, "bootstrap": 0.15, "influence-refit": 1e-2}


_SCALARS = ("status", "version", "fit", "cold", "peak", "growth")


@dataclass(frozen=True, slots=True)
class Cell:
    """One table by one method and engine. `status` is "ok", or why there is no time."""

    problem: str
    method: str
    engine: str
    status: str = "ok"
    version: str = ""
    fit: float = math.nan
    cold: float = math.nan
    warm: float = math.nan
    peak: float = math.nan
    growth: float = math.nan
    df: tuple[float, ...] = ()
    se: tuple[float, ...] = ()
    agreement: str = ""

    @classmethod
    def read(cls, problem: str, method: str, engine: str, found: dict[str, Any]) -> Cell:
        known = {name: found[name] for name in _SCALARS if name in found}
        if found["status"] == "ok":
            known["warm"] = statistics.median(found["warm"] or [found["cold"]])
            known |= {name: tuple(math.nan if v is None else v for v in found[name]) for name in ("df", "se")}
        return cls(problem, method, engine, **known)

    @property
    def name(self) -> str:
        """The engine as it is called."""
        return R_PACKAGE[self.method] if self.engine == "R" else self.engine

    @property
    def time(self) -> str:
        return seconds(self.warm) if self.status == "ok" else self.status.partition(":")[0]

    @property
    def line(self) -> str:
        return f"{self.time:>10}  {shown(self.growth, '{:.0f} MB'):>8}  {self.agreement or self.status}"


def judge(cells: Sequence[Cell]) -> list[Cell]:
    """The cells of one problem and method, with their agreement; where they differ, no time counts."""
    answered = [cell for cell in cells if cell.status == "ok"]
    if len(answered) < 2:
        alone = {"agreement": "no other answer"}
        return [dataclasses.replace(cell, **alone) if cell in answered else cell for cell in cells]
    apart_df, apart_se = (_apart(*(getattr(cell, what) for cell in answered[:2])) for what in ("df", "se"))
    words = f"df {apart_df:.0e}, se {apart_se:.0e}"
    own = OWN_TOLERANCE.get(cells[0].method)
    agree = apart_df <= (own or DF_TOLERANCE) and apart_se <= (own or SE_TOLERANCE)
    changes = {"agreement": words} if agree else {"agreement": words, "status": "differs"}
    return [dataclasses.replace(cell, **changes) if cell in answered else cell for cell in cells]


def _apart(one: Sequence[float], two: Sequence[float]) -> float:
    """The largest relative difference, once both are in order: engines name and order columns differently."""
    if len(one) != len(two):
        return math.inf
    pairs = zip(sorted(one), sorted(two), strict=True)
    found = [abs(a / b - 1) for a, b in pairs]
    return math.inf if any(math.isnan(value) for value in found) else max(found)


def document(
    cells: Sequence[Cell], problems: Sequence[Problem], methods: Sequence[str], *, limit: float, memory: float
) -> str:
    """The page with all tables, as markdown."""
    bounds = {"limit": f"{limit:g}", "memory": f"{memory:g}", "df": DF_TOLERANCE, "se": SE_TOLERANCE}
    introduction = _INTRODUCTION.format(**bounds)
    versions = {cell.name: cell.version for cell in cells if cell.version}
    parts = [
        introduction,
        machine(),
        "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        "## Time",
        _times(cells, [problem for problem in problems if not problem.intervals], methods),
        *_intervals(cells, [problem for problem in problems if problem.intervals]),
        "## Every table",
    ]
    parts += [_details(cells, problem) for problem in problems]
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


def _intervals(cells: Sequence[Cell], problems: Sequence[Problem]) -> list[str]:
    found = {(cell.problem, cell.method, cell.engine): cell for cell in cells}
    rows = [["problem", "intervals", "interlace", "lme4"]]
    for problem in problems:
        for method in problem.intervals:
            mine = [found.get((problem.name, method, engine)) for engine in ENGINES]
            rows.append([problem.title, INTERVALS[method], *(cell.time if cell else "" for cell in mine)])
    return ["## Time of intervals", _ABOUT_INTERVALS, table(rows)] if problems else []


_ABOUT_INTERVALS = """Profile-likelihood intervals of all parameters beside lme4's
`confint(method = "profile")`, and 1,000 draws of a parametric bootstrap beside `bootMer`. Upper ends and
widths of profiles agree within 0.005, relative (lme4's are of splines), standard errors of the draws within
0.15."""


def _details(cells: Sequence[Cell], problem: Problem) -> str:
    header = ["table", "engine", "time", "first call", "memory", "peak", "time of the fit", "agreement"]
    rows = [header, *(_detail(cell) for cell in cells if cell.problem == problem.name)]
    return f"### {problem.title}\n\n`{problem.formula}`\n\n{table(rows)}"


def _detail(cell: Cell) -> list[str]:
    ok = cell.status == "ok"
    first = seconds(cell.cold) if ok else ""
    memory = [shown(cell.growth, "{:.0f} MB"), shown(cell.peak, "{:.0f} MB")]
    fit = "" if math.isnan(cell.fit) else seconds(cell.fit)
    remark = cell.agreement or cell.status.partition(": ")[2]
    return [(METHODS | INTERVALS)[cell.method], cell.name, cell.time, first, *memory, fit, remark]
