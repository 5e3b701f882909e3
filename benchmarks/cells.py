"""Cells of a benchmark: what one engine makes of one question to a fitted model, in a process of its own."""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from problems import Problem
from process import address_space, failure, has_r_packages, run
from run import SETUP_SECONDS, peer_python, some_of

from report import seconds, shown, table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
GIGABYTE = 2**30

# What R says when an allocation fails, and what Python says.
OUT_OF_MEMORY = (
    "cannot allocate",
    "MemoryError",
    "Cholmod error 'out of memory'",
    "bad_alloc",
    "problem too large",
)

_SCALARS = ("status", "version", "fit", "cold", "peak", "growth", "share")


@dataclass(frozen=True, slots=True)
class Cell:
    """What one engine answered. `status` is "ok", or why there is no time.

    `answer` holds named rows of numbers, and `share` says how much of the work was done: the time of the
    whole is that of the share divided by it.
    """

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
    share: float = 1.0
    answer: dict[str, tuple[float, ...]] = field(default_factory=dict)
    agreement: str = ""

    @classmethod
    def read(cls, problem: str, method: str, engine: str, found: dict[str, Any]) -> Cell:
        known = {name: found[name] for name in _SCALARS if found.get(name) is not None}
        if found["status"] == "ok":
            known["warm"] = statistics.median(found["warm"] or [found["cold"]])
            known["answer"] = {
                name: tuple(math.nan if v is None else v for v in values)
                for name, values in found["answer"].items()
            }
        return cls(problem, method, engine, **known)

    @property
    def time(self) -> str:
        if self.status != "ok":
            return self.status.partition(":")[0]
        about = "≈ " if self.share < 1 else ""
        return about + seconds(self.warm / self.share)

    @property
    def line(self) -> str:
        return f"{self.time:>10}  {shown(self.growth, '{:.0f} MB'):>8}  {self.agreement or self.status}"


def apart(one: Sequence[float], two: Sequence[float]) -> float:
    """The largest relative difference of numbers that stand in the same order."""
    if len(one) != len(two):
        return math.inf
    found = [0.0 if a == b else abs(a / b - 1) if b else math.inf for a, b in zip(one, two, strict=True)]
    return math.inf if any(math.isnan(value) for value in found) else max(found)


@dataclass(frozen=True, slots=True)
class Bench:
    """A benchmark with a page of its own.

    Attributes
    ----------
    name : str
        Its scripts are NAME_problems.py, NAME_worker.py and NAME.R, its page docs/benchmarks-NAME.md.
    about : str
        Of the command line.
    problems : dict of str to Problem
    methods, engines : sequence of str
        Engine "R" is a script of R, every other one is an argument of the worker.
    r_packages : sequence of str
    limit, fit_limit : float
        Seconds for one answer, and for the fit before it.
    has : callable
        Whether for (problem, method) an engine answers.
    extra : callable
        Further arguments for (problem, method, engine, shrink).
    judge, document : callable
        Cells of one problem and method with their agreement, and the page of all.
    peers : dict of str to str
        Engines that run in the environment of the peers, and what is installed for them.
    memory, warm_seconds : float
        Gigabytes for one process, and seconds for repeated calls.
    """

    name: str
    about: str
    problems: Mapping[str, Problem]
    methods: Sequence[str]
    engines: Sequence[str]
    r_packages: Sequence[str]
    limit: float
    fit_limit: float
    has: Callable[[Any, str, str], bool]
    extra: Callable[[Problem, str, str, int], list[str]]
    judge: Callable[[Sequence[Cell]], list[Cell]]
    document: Callable[[Sequence[Cell], argparse.Namespace], str]
    peers: Mapping[str, str] = field(default_factory=dict)
    memory: float = 8.0
    warm_seconds: float = 10.0

    @property
    def scratch(self) -> Path:
        return ROOT / "build" / f"bench-{self.name}"

    @property
    def target(self) -> Path:
        return ROOT / "docs" / f"benchmarks-{self.name}.md"

    def main(self, argv: Sequence[str] | None = None) -> int:
        options = self._options(argv)
        (self.scratch / "cells").mkdir(parents=True, exist_ok=True)
        peer_python([self.peers[engine] for engine in options.engines if engine in self.peers])
        with_r = "R" not in options.engines or has_r_packages(*self.r_packages)
        cells: list[Cell] = []
        for problem in options.problems:
            methods = [m for m in problem.methods or options.methods if m in options.methods]
            if not methods or not self._has_data(problem, options):
                continue
            for method in methods:
                engines = [engine for engine in options.engines if self.has(problem, method, engine)]
                found = [self._cell(problem, method, engine, options, with_r) for engine in engines]
                cells += (found := self.judge(found))
                for cell in found:
                    print(f"{problem.name:20} {method:18} {cell.engine:10} {cell.line}", flush=True)
        self._write(self.document(cells, options), options)
        return 0

    def _write(self, text: str, options: argparse.Namespace) -> None:
        chosen = (options.problems, options.methods, options.engines, options.shrink)
        complete = chosen == (list(self.problems.values()), list(self.methods), list(self.engines), 1)
        target = options.output or (self.target if complete and not options.quick else None)
        if target is None:
            print("\n" + text)
        else:
            target.write_text(text)
            print(f"\nwritten: {target}")

    def _options(self, argv: Sequence[str] | None) -> argparse.Namespace:
        limit, fit_limit = self.limit, self.fit_limit
        parser = argparse.ArgumentParser(description=self.about)
        parser.add_argument("--problems", type=some_of(self.problems), metavar="A,B")
        parser.add_argument(
            "--methods", type=some_of(self.methods), default=list(self.methods), metavar="M,N"
        )
        parser.add_argument(
            "--engines", type=some_of(self.engines), default=list(self.engines), metavar="X,Y"
        )
        parser.add_argument(
            "--quick", action="store_true", help="few repetitions; the small problems, if none are named"
        )
        parser.add_argument(
            "--limit", type=float, default=limit, metavar="SECONDS", help=f"for one answer ({limit:g})"
        )
        parser.add_argument(
            "--fit-limit", type=float, default=fit_limit, metavar="SECONDS", help=f"for a fit ({fit_limit:g})"
        )
        parser.add_argument(
            "--memory",
            type=float,
            default=self.memory,
            metavar="GB",
            help=f"for one process ({self.memory:g})",
        )
        parser.add_argument(
            "--shrink", type=int, default=1, metavar="N", help="divide simulated data by N: a trial run"
        )
        parser.add_argument("--resume", action="store_true", help="keep the cells that are there already")
        parser.add_argument("--output", type=Path, metavar="FILE", help="write the tables to FILE")
        options = parser.parse_args(argv)
        chosen = options.problems or [n for n, p in self.problems.items() if p.quick or not options.quick]
        options.problems = [self.problems[name] for name in chosen]
        options.warm_seconds = min(2.0, self.warm_seconds) if options.quick else self.warm_seconds
        return options

    def _has_data(self, problem: Problem, options: argparse.Namespace) -> bool:
        if options.resume and (self.scratch / f"{problem.name}.parquet").exists():
            return True
        script = str(HERE / f"{self.name}_problems.py")
        command = [sys.executable, script, problem.name, str(self.scratch), str(options.shrink)]
        return subprocess.run(command).returncode == 0

    def _cell(
        self, problem: Problem, method: str, engine: str, options: argparse.Namespace, with_r: bool
    ) -> Cell:
        """What there is already, or what a process finds."""
        if engine == "R" and not with_r:
            return Cell(problem.name, method, engine, status="not installed")
        kept = self.scratch / "cells" / f"{problem.name}.{method}.{engine}.json"
        if not (options.resume and kept.exists()):
            kept.unlink(missing_ok=True)
            kept.write_text(json.dumps(self._measure(problem, method, engine, options)))
        return Cell.read(problem.name, method, engine, json.loads(kept.read_text()))

    def _measure(
        self, problem: Problem, method: str, engine: str, options: argparse.Namespace
    ) -> dict[str, Any]:
        out = self.scratch / "now.json"
        out.unlink(missing_ok=True)
        log = out.with_suffix(".log")
        finished = run(
            self._command(problem, method, engine, out, options),
            log,
            seconds=options.limit + options.warm_seconds,
            bound=address_space(int(options.memory * GIGABYTE)),
            started=out.exists,
            start_seconds=options.fit_limit + SETUP_SECONDS,
        )
        found = json.loads(out.read_text()) if out.exists() else {}
        if found.get("cold", 0.0) > options.limit or ("cold" not in found and not finished):
            what, limit = ("", options.limit) if "fit" in found else ("fit ", options.fit_limit)
            return found | {"status": f"{what}> {limit:.0f} s"}
        if "cold" not in found:
            return found | {"status": _failure_of(log.read_text(errors="replace"), options.memory)}
        return found | {"status": "ok"}

    def _command(
        self, problem: Problem, method: str, engine: str, out: Path, options: argparse.Namespace
    ) -> list[str]:
        rest = [method, str(out), str(options.warm_seconds)]
        rest += self.extra(problem, method, engine, options.shrink)
        csv = str(self.scratch / f"{problem.name}.csv")
        if engine == "R":
            script = str(HERE / f"{self.name}.R")
            return ["Rscript", script, problem.formula, csv, ",".join(problem.factors), *rest]
        script = str(HERE / f"{self.name}_worker.py")
        python = str(peer_python([])) if engine in self.peers else sys.executable
        return [python, script, problem.name, str(Path(csv).with_suffix(".parquet")), *rest]


def _failure_of(log: str, memory: float) -> str:
    return f"> {memory:g} GB" if any(words in log for words in OUT_OF_MEMORY) else failure(log)


def details(
    cells: Sequence[Cell], problem: Problem, titles: Mapping[str, str], called: Callable[[Cell], str]
) -> str:
    """All that is known of the cells of one problem; `called` names their engines."""
    header = ["table", "engine", "time", "first call", "memory", "peak", "time of the fit", "agreement"]
    mine = [cell for cell in cells if cell.problem == problem.name]
    rows = [header, *(_detail(cell, titles[cell.method], called(cell)) for cell in mine)]
    return f"### {problem.title}\n\n`{problem.formula}`\n\n{table(rows)}"


def _detail(cell: Cell, title: str, engine: str) -> list[str]:
    first = seconds(cell.cold) if cell.status == "ok" else ""
    memory = [shown(cell.growth, "{:.0f} MB"), shown(cell.peak, "{:.0f} MB")]
    fit = "" if math.isnan(cell.fit) else seconds(cell.fit)
    part = f" ({100 * cell.share:.3g} %)" if cell.share < 1 else ""
    remark = cell.agreement or cell.status.partition(": ")[2]
    return [title, engine, cell.time, first + part, *memory, fit, remark]


def versions(cells: Sequence[Cell], called: Callable[[Cell], str]) -> str:
    """What took part."""
    found = {called(cell): cell.version for cell in cells if cell.version}
    return "Versions: " + ", ".join(f"{name} {version}" for name, version in found.items()) + "."
