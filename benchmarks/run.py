"""Time, memory and agreement of `interlace`, lme4 and Python peers on the problems of `problems.py`.

    python benchmarks/run.py [--problems a,b] [--engines x,y] [--quick] [--limit SECONDS] [--resume]
                             [--output FILE]

Every fit runs in a process of its own: an engine that crashes, runs out of memory or takes too long gives a
cell of the table, not an end of the run. Peers are installed into `.bench-venv`; lme4 takes part when Rscript
finds it. A run over all problems and engines writes `docs/benchmarks.md`; any other prints its tables. Cells
are kept as they come: `--resume` goes on where a run was ended.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from problems import BY_NAME, PROBLEMS, Problem
from process import failure, has_r_packages, most_of_the_machine, run

from report import Cell, document, judge

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SCRATCH = ROOT / "build" / "bench"
PEERS_HOME = ROOT / ".bench-venv"

# Engine (a file of engines/) -> distribution on PyPI.
PEERS = {
    "glmm": "glmm",
    "mixedlm": "mixedlm",
    "mixedlm_rs": "mixedlm-rs",
    "lme_python": "lme-python",
    "statsmodels": "statsmodels",
}
ENGINES = ("interlace", "lme4", *PEERS)

# Reading the data and importing the engine happen before the clock of a fit starts.
SETUP_SECONDS = 15


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    problems, engines = options.problems, options.engines
    python = peer_python([PEERS[engine] for engine in engines if engine in PEERS])
    (SCRATCH / "cells").mkdir(parents=True, exist_ok=True)
    cells: list[Cell] = []
    for problem in problems:
        if _write_data(problem, options.shrink):
            found = [_cell(engine, problem, python, options) for engine in engines]
        else:
            found = [Cell(problem.name, engine, status="fails: no data") for engine in engines]
        cells += judge(found)
        for cell in cells[-len(found) :]:
            print(f"{problem.name:16} {cell.engine:12} {cell.time_text:>12}  {cell.remark}", flush=True)
    text = document(cells, problems, engines, note=_note(options))
    complete = engines == list(ENGINES) and problems == PROBLEMS and options.shrink == 1
    target = options.output or (ROOT / "docs" / "benchmarks.md" if complete else None)
    if target is None:
        print("\n" + text)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        print(f"\nwritten: {target}")
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=some_of(BY_NAME), metavar="A,B")
    parser.add_argument("--engines", type=some_of(ENGINES), default=list(ENGINES), metavar="X,Y")
    parser.add_argument(
        "--quick", action="store_true", help="few warm calls; the small problems, if none are named"
    )
    parser.add_argument("--limit", type=float, default=240.0, metavar="SECONDS", help="for one fit (240)")
    parser.add_argument(
        "--shrink", type=int, default=1, metavar="N", help="divide simulated data by N: a trial run"
    )
    parser.add_argument("--resume", action="store_true", help="keep the cells that are there already")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the tables to FILE")
    options = parser.parse_args(argv)
    chosen = options.problems or [p.name for p in PROBLEMS if p.quick or not options.quick]
    options.problems = [BY_NAME[name] for name in chosen]
    options.warm_seconds = 3.0 if options.quick else 20.0
    return options


def some_of(known: Sequence[str] | dict[str, Any]) -> Callable[[str], list[str]]:
    """A reader of names divided by commas, each of which must be known."""

    def names(text: str) -> list[str]:
        unknown = set(text.split(",")) - set(known)
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not one of {', '.join(known)}")
        return [name for name in known if name in text.split(",")]

    return names


def _note(options: argparse.Namespace) -> str:
    return f"Data divided by {options.shrink}: a trial run, no measurement." if options.shrink > 1 else ""


def peer_python(wanted: Sequence[str]) -> Path:
    """The interpreter of the peers' environment, which is made when one of them is asked for."""
    python = PEERS_HOME / "bin" / "python"
    if not wanted:
        return python
    if not python.exists():
        venv.create(PEERS_HOME, with_pip=True)
    # One by one: a peer that cannot be installed is missing in the table and takes no other with it.
    for requirement in ["pandas", "pyarrow", "polars", *wanted]:
        name, _, version = requirement.replace("-", "_").partition("==")
        probe = f"from importlib.metadata import version as v; assert v({name!r}).startswith({version!r})"
        if subprocess.run([python, "-c", probe], capture_output=True).returncode:
            subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "-q", "install", requirement])
    return python


def _write_data(problem: Problem, shrink: int) -> bool:
    command = [sys.executable, HERE / "problems.py", problem.name, SCRATCH, str(shrink)]
    return subprocess.run(command).returncode == 0


def _cell(engine: str, problem: Problem, python: Path, options: argparse.Namespace) -> Cell:
    """What there is already, or what a process finds."""
    kept = SCRATCH / "cells" / f"{problem.name}.{engine}.cell"
    if not (options.resume and kept.exists()):
        kept.unlink(missing_ok=True)
        kept.write_text(json.dumps(dataclasses.asdict(_fit(engine, problem, python, options))))
    return Cell(**json.loads(kept.read_text()))


def _fit(engine: str, problem: Problem, python: Path, options: argparse.Namespace) -> Cell:
    """Run one engine on one problem in a process of its own, and read what it left behind."""
    out = SCRATCH / "cells" / f"{problem.name}.{engine}.json"
    out.unlink(missing_ok=True)
    command = _command(engine, problem, python, out, options.warm_seconds)
    if command is None:
        return Cell(problem.name, engine, status="not installed")
    log = out.with_suffix(".log")
    seconds = options.limit + options.warm_seconds + SETUP_SECONDS
    finished = run(command, log, seconds=seconds, bound=most_of_the_machine)
    if not out.exists():
        words = failure(log.read_text(errors="replace")) if finished else f"> {options.limit:.0f} s"
        return Cell(problem.name, engine, status=words)
    found = json.loads(out.read_text())
    if found.get("cold", 0.0) > options.limit:
        return Cell(problem.name, engine, status=f"> {options.limit:.0f} s", version=found["version"])
    return Cell.read(problem.name, engine, found)


def _command(engine: str, problem: Problem, python: Path, out: Path, warm: float) -> list[str] | None:
    if engine == "lme4":
        if not has_r_packages("lme4"):
            return None
        factors = ",".join(problem.factors)
        csv = SCRATCH / f"{problem.name}.csv"
        return ["Rscript", str(HERE / "lme4.R"), problem.formula, str(csv), factors, str(out), str(warm)]
    interpreter = Path(sys.executable) if engine == "interlace" else python
    return [
        str(interpreter),
        str(HERE / "worker.py"),
        engine,
        problem.name,
        str(SCRATCH),
        str(out),
        str(warm),
    ]


if __name__ == "__main__":
    sys.exit(main())
