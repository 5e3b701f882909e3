"""Fit one problem by one engine in this process, and write what was measured as JSON.

    python worker.py ENGINE PROBLEM FOLDER OUT SECONDS

The file OUT is written after the first fit and again at the end, so that a process killed in the middle has
told what it knew. SECONDS bounds the time spent on warm calls.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAX_WARM_CALLS = 30

Report = Callable[[dict[str, Any]], None]


def memory(field: str) -> float:
    """Resident memory in MB now ("VmRSS") or at its peak ("VmHWM")."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith(field))
        return float(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def forget_peak() -> None:
    """Let the peak start from here: reading the data is not the engine's doing."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")


def measure(engine: Any, problem: Any, data: Any, seconds: float, report: Report) -> None:
    timed(engine.prepare(problem, data), engine.answer, seconds, report)


def timed(
    call: Callable[[], Any], answer: Callable[[Any], dict[str, Any]], seconds: float, report: Report
) -> None:
    """Cost and answer of a first call, reported; then times of more calls, in `seconds`, reported again."""
    forget_peak()
    before = memory("VmRSS")
    start = time.perf_counter()
    result = call()
    found: dict[str, Any] = {"cold": time.perf_counter() - start, "warm": []}
    # The peak is that of the first call; later ones may keep an earlier result alive.
    found |= {"peak": memory("VmHWM"), "growth": memory("VmHWM") - before, "answer": answer(result)}
    report(found)
    deadline = time.perf_counter() + seconds
    while len(found["warm"]) < MAX_WARM_CALLS:
        # No call is begun that would end after the deadline.
        if time.perf_counter() + min(found["warm"], default=found["cold"]) > deadline:
            break
        start = time.perf_counter()
        result = call()
        found["warm"].append(time.perf_counter() - start)
    report(found)


def keep(out: str, found: dict[str, Any]) -> None:
    """Written beside and moved, so that nobody reads half of it."""
    beside = Path(out + ".new")
    beside.write_text(json.dumps(found, default=float))
    beside.replace(out)


def version_of(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed, from its source"


def main(engine_name: str, problem_name: str, folder: str, out: str, seconds: str) -> None:
    def report(found: dict[str, Any]) -> None:
        keep(out, versions | found)

    versions: dict[str, Any] = {}
    try:
        import pandas as pd
        from problems import BY_NAME

        engine = importlib.import_module(f"engines.{engine_name}")
        versions["version"] = version_of(engine.DISTRIBUTION)
        problem = BY_NAME[problem_name]
        reason = engine.cannot_express(problem)
        if reason:
            report({"cannot": reason})
            return
        measure(engine, problem, pd.read_parquet(f"{folder}/{problem_name}.parquet"), float(seconds), report)
    except BaseException as error:  # also a panic of a Rust peer, which is no Exception
        traceback.print_exc()
        if not Path(out).exists():
            report({"error": f"{type(error).__name__}: {error}".splitlines()[0][:120]})


if __name__ == "__main__":
    main(*sys.argv[1:])
