"""Cells, their agreement with the best exact fit, and the tables made of them."""

from __future__ import annotations

import dataclasses
import datetime
import math
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from problems import Problem

# An answer counts when its criterion is this close to the best one, and its estimates agree as well.
CRITERION_TOLERANCE = 0.01
SIGMA_TOLERANCE = 2e-3
BETA_TOLERANCE = 0.05  # in standard errors

# The two whose criterion is trusted; for all others it must be confirmed by them.
TRUSTED = ("interlace", "lme4")


@dataclass(frozen=True, slots=True)
class Cell:
    """What one engine did with one problem. `status` is "ok", or why there is no answer."""

    problem: str
    engine: str
    status: str = "ok"
    version: str = ""
    cold: float = math.nan
    warm: float = math.nan
    peak: float = math.nan
    growth: float = math.nan
    answer: dict[str, Any] = field(default_factory=dict)
    difference: float = math.nan

    @classmethod
    def read(cls, problem: str, engine: str, found: dict[str, Any]) -> Cell:
        version = found.get("version", "")
        if "cannot" in found:
            return cls(problem, engine, status=f"cannot express: {found['cannot']}", version=version)
        if "error" in found:
            return cls(problem, engine, status=f"fails: {found['error']}", version=version)
        return cls(
            problem,
            engine,
            version=version,
            cold=found["cold"],
            warm=statistics.median(found["warm"] or [found["cold"]]),
            peak=found["peak"],
            growth=found["growth"],
            answer=found["answer"],
        )

    @property
    def time_text(self) -> str:
        if self.status == "ok":
            return seconds(self.warm)
        return self.status.partition(":")[0]

    @property
    def remark(self) -> str:
        return self.status.partition(": ")[2]


def judge(cells: Sequence[Cell]) -> list[Cell]:
    """The cells of one problem with their criterion's difference to the best, wrong answers marked as such.

    The best is the lowest criterion of a trusted engine; without one, the median of what was answered.
    """
    answered = [cell for cell in cells if cell.status == "ok"]
    trusted = [cell for cell in answered if cell.engine in TRUSTED]
    best = min(trusted, key=lambda cell: cell.answer["criterion"]) if trusted else None
    if best is None and answered:
        best = sorted(answered, key=lambda cell: cell.answer["criterion"])[len(answered) // 2]
    return [_judged(cell, best) if best and cell.status == "ok" else cell for cell in cells]


def _judged(cell: Cell, best: Cell) -> Cell:
    difference = cell.answer["criterion"] - best.answer["criterion"]
    cell = dataclasses.replace(cell, difference=difference)
    fault = None if cell.engine in TRUSTED else _fault(cell, best)
    return dataclasses.replace(cell, status=f"wrong: {fault}") if fault else cell


def _fault(cell: Cell, best: Cell) -> str | None:
    if not abs(cell.difference) <= CRITERION_TOLERANCE:
        return f"criterion {cell.difference:+.4g}"
    sigma, beta = best.answer["sigma"], best.answer["beta"]
    if not abs(cell.answer["sigma"] / sigma - 1) <= SIGMA_TOLERANCE:
        return f"sigma {cell.answer['sigma']:.5g}, not {sigma:.5g}"
    if len(cell.answer["beta"]) != len(beta):
        return f"{len(cell.answer['beta'])} coefficients, not {len(beta)}"
    errors = best.answer["se"] or [abs(b) * 1e-2 + 1e-6 for b in beta]
    apart = [abs(b - c) / se for b, c, se in zip(beta, cell.answer["beta"], errors, strict=True)]
    return None if max(apart) <= BETA_TOLERANCE else f"a coefficient is {max(apart):.2g} standard errors off"


def document(
    cells: Sequence[Cell], problems: Sequence[Problem], engines: Sequence[str], note: str = ""
) -> str:
    """The page with all tables, as markdown."""
    parts = [
        _INTRODUCTION,
        note,
        machine(),
        _versions(cells),
        "## Whole-call time",
        _times(cells, problems, engines),
    ]
    parts += ["## Every fit", _details(cells, problems)]
    return "\n\n".join(part for part in parts if part) + "\n"


_INTRODUCTION = """# Benchmarks

Written by `make bench`; not edited by hand. Time is that of the whole call, formula and data frame to fitted
model (REML): the median of warm calls in one process, beside the first (cold) call. Each fit has a process of
its own. Memory is what the process grew by during the first fit, and its peak with interpreter and data. The
difference of the criterion is against the lowest one that interlace or lme4 found; a peer's time is shown
only if its criterion is within 0.01 of that and its sigma and coefficients agree. Problems and their seeds
are in `benchmarks/problems.py`."""


def machine() -> str:
    today = datetime.date.today().isoformat()
    return (
        f"{today}; {_cpu()}, {os.cpu_count()} cores; {platform.system()}, Python {platform.python_version()}."
    )


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    models = (
        [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return models[0].partition(":")[2].strip() if models else platform.processor() or platform.machine()


def _versions(cells: Sequence[Cell]) -> str:
    versions = {cell.engine: cell.version for cell in cells if cell.version}
    return "Versions: " + ", ".join(f"{engine} {version}" for engine, version in versions.items()) + "."


def _times(cells: Sequence[Cell], problems: Sequence[Problem], engines: Sequence[str]) -> str:
    found = {(cell.problem, cell.engine): cell for cell in cells}
    rows = [["problem", *engines]]
    for problem in problems:
        rows.append([problem.title, *(found[problem.name, engine].time_text for engine in engines)])
    return table(rows)


def _details(cells: Sequence[Cell], problems: Sequence[Problem]) -> str:
    parts = []
    for problem in problems:
        mine = [cell for cell in cells if cell.problem == problem.name]
        ours = next((cell.warm for cell in mine if cell.engine == "interlace"), math.nan)
        header = [
            "engine",
            "warm",
            "cold",
            "time / interlace",
            "criterion difference",
            "memory of the fit",
            "peak",
            "",
        ]
        rows = [header, *(_detail(cell, ours) for cell in mine)]
        parts.append(f"### {problem.title}\n\n`{problem.formula}`\n\n{table(rows)}")
    return "\n\n".join(parts)


def _detail(cell: Cell, ours: float) -> list[str]:
    if cell.status == "ok":
        ratio = shown(cell.warm / ours, "{:.3g}")
        times = [seconds(cell.warm), seconds(cell.cold), ratio]
    else:
        times = [cell.time_text, "", ""]
    memory = [shown(cell.growth, "{:.0f} MB"), shown(cell.peak, "{:.0f} MB")]
    return [cell.engine, *times, shown(cell.difference, "{:+.1e}"), *memory, cell.remark]


def shown(value: float, pattern: str) -> str:
    return "" if math.isnan(value) else pattern.format(value)


def seconds(value: float) -> str:
    return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"


WORDS = ("", "agreement", "call", "data", "engine", "model")  # columns of text, which may take several lines


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a table of Markdown, the first of them the names; numbers are put to the right."""
    lines = ["| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in rows]
    rule = "|---" + "".join("|---" if name in WORDS else "|--:" for name in rows[0][1:]) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
