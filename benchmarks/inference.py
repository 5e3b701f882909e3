"""Time and memory of tests of the fixed effects, beside lmerTest and pbkrtest.

    python benchmarks/inference.py [--problems a,b] [--methods m] [--engines x,y] [--quick] [--limit SECONDS]
                                   [--memory GB] [--resume] [--output FILE]

A cell is one table of coefficients or of marginal means (standard errors and degrees of freedom) by one
method and engine, in a process of its own with bounds of time and memory. Cells are printed and kept as they
come; `--resume` goes on where a run was ended. A run over everything writes `docs/benchmarks-inference.md`;
any other prints its tables.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inference_problems import BY_NAME, PROBLEMS
from inference_report import ENGINES, METHODS, Cell, document, judge
from problems import Problem
from process import address_space, failure, has_r_packages, run
from run import SETUP_SECONDS, some_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SCRATCH = ROOT / "build" / "bench-inference"
TARGET = ROOT / "docs" / "benchmarks-inference.md"
GIGABYTE = 2**30

# What R says when an allocation fails, and what Python says.
OUT_OF_MEMORY = (
    "cannot allocate",
    "MemoryError",
    "Cholmod error 'out of memory'",
    "bad_alloc",
    "problem too large",
)


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    (SCRATCH / "cells").mkdir(parents=True, exist_ok=True)
    with_r = "R" not in options.engines or has_r_packages("lme4", "lmerTest", "pbkrtest", "emmeans")
    cells: list[Cell] = []
    for problem in options.problems:
        if not _has_data(problem, options.resume):
            continue
        for method in _methods(problem, options.methods):
            found = [_cell(problem, method, engine, options, with_r) for engine in options.engines]
            found = judge(found)
            cells += found
            for cell in found:
                print(f"{problem.name:12} {method:14} {cell.engine:10} {cell.line}", flush=True)
    chosen = (options.problems, options.methods, options.engines)
    complete = chosen == (PROBLEMS, list(METHODS), list(ENGINES))
    text = document(cells, options.problems, options.methods, limit=options.limit, memory=options.memory)
    target = options.output or (TARGET if complete and not options.quick else None)
    if target is None:
        print("\n" + text)
    else:
        target.write_text(text)
        print(f"\nwritten: {target}")
    return 0


def _methods(problem: Problem, asked: list[str]) -> list[str]:
    """Those of coefficients, or of intervals: the latter are left out where not all are asked for."""
    if problem.intervals:
        return list(problem.intervals) if asked == list(METHODS) else []
    return asked


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=some_of(BY_NAME), metavar="A,B")
    parser.add_argument("--methods", type=some_of(METHODS), default=list(METHODS), metavar="M,N")
    parser.add_argument("--engines", type=some_of(ENGINES), default=list(ENGINES), metavar="X,Y")
    parser.add_argument(
        "--quick", action="store_true", help="few repetitions; the small problems, if none are named"
    )
    parser.add_argument("--limit", type=float, default=120.0, metavar="SECONDS", help="for one table (120)")
    parser.add_argument("--fit-limit", type=float, default=300.0, metavar="SECONDS", help="for a fit (300)")
    parser.add_argument("--memory", type=float, default=8.0, metavar="GB", help="for one process (8)")
    parser.add_argument("--resume", action="store_true", help="keep the cells that are there already")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the tables to FILE")
    options = parser.parse_args(argv)
    chosen = options.problems or [p.name for p in PROBLEMS if p.quick or not options.quick]
    options.problems = [BY_NAME[name] for name in chosen]
    options.warm_seconds = 2.0 if options.quick else 10.0
    return options


def _has_data(problem: Problem, resume: bool) -> bool:
    if resume and (SCRATCH / f"{problem.name}.csv").exists():
        return True
    command = [sys.executable, str(HERE / "inference_problems.py"), problem.name, str(SCRATCH)]
    return subprocess.run(command).returncode == 0


def _cell(problem: Problem, method: str, engine: str, options: argparse.Namespace, with_r: bool) -> Cell:
    """What there is already, or what a process finds."""
    if engine == "R" and not with_r:
        return Cell(problem.name, method, engine, status="not installed")
    kept = SCRATCH / "cells" / f"{problem.name}.{method}.{engine}.json"
    if not (options.resume and kept.exists()):
        kept.unlink(missing_ok=True)
        kept.write_text(json.dumps(_measure(problem, method, engine, options)))
    return Cell.read(problem.name, method, engine, json.loads(kept.read_text()))


def _measure(problem: Problem, method: str, engine: str, options: argparse.Namespace) -> dict[str, Any]:
    out = SCRATCH / "now.json"
    out.unlink(missing_ok=True)
    log = out.with_suffix(".log")
    finished = run(
        _command(problem, method, engine, out, options.warm_seconds),
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


def _failure_of(log: str, memory: float) -> str:
    return f"> {memory:g} GB" if any(words in log for words in OUT_OF_MEMORY) else failure(log)


def _command(problem: Problem, method: str, engine: str, out: Path, warm: float) -> list[str]:
    if engine == "R":
        csv = str(SCRATCH / f"{problem.name}.csv")
        script = str(HERE / "inference.R")
        factors = ",".join(problem.factors)
        return ["Rscript", script, problem.formula, csv, factors, method, str(out), str(warm), problem.means]
    script = str(HERE / "inference_worker.py")
    return [sys.executable, script, problem.name, method, str(SCRATCH), str(out), str(warm)]


if __name__ == "__main__":
    sys.exit(main())
