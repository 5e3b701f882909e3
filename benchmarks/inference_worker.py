"""One table of coefficients, means or intervals by interlace in this process: its cost and numbers, as JSON.

    python inference_worker.py PROBLEM METHOD FOLDER OUT SECONDS

OUT is written after the fit, after the first table and at the end, so that a process killed in between has
told what it knew. SECONDS bounds the time spent on repetitions.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from worker import MAX_WARM_CALLS, forget_peak, memory, version_of

DRAWS = 1000  # of a bootstrap


def main(problem_name: str, method: str, folder: str, out: str, seconds: str) -> None:
    import pandas as pd
    from inference_problems import BY_NAME

    import interlace

    found: dict[str, Any] = {"version": version_of("interlace")}
    data = pd.read_parquet(f"{folder}/{problem_name}.parquet")
    start = time.perf_counter()
    problem = BY_NAME[problem_name]
    fit = interlace.lmer(problem.formula, data).fit
    found["fit"] = time.perf_counter() - start
    _report(out, found)

    def table() -> pd.DataFrame:
        # A model of its own each time, as a model remembers what it has computed.
        model = interlace.LinearMixedModel(fit)
        if method in problem.intervals:
            return intervals(model, method, problem.factors[0])
        return (
            model.emmeans(problem.means, ddf=method).frame if problem.means else model.coef_table(ddf=method)
        )

    forget_peak()
    before = memory("VmRSS")
    start = time.perf_counter()
    answer = table()
    found["cold"] = time.perf_counter() - start
    found |= {"peak": memory("VmHWM"), "growth": memory("VmHWM") - before, "warm": []}
    found |= {"df": list(answer["df"]), "se": list(answer["se"])}
    _report(out, found)
    deadline = time.perf_counter() + float(seconds)
    while len(found["warm"]) < MAX_WARM_CALLS:
        if time.perf_counter() + min(found["warm"], default=found["cold"]) > deadline:
            break
        start = time.perf_counter()
        table()
        found["warm"].append(time.perf_counter() - start)
    _report(out, found)


def intervals(model: Any, method: str, level: str) -> Any:
    """What stands for an answer, twice: ends of profiles, standard errors of draws, or Cook's distances."""
    kind, _, how = method.partition("-")
    if kind == "influence":
        found = model.influence(level, method=how, n_jobs=-1, progress=False)
        return found.assign(df=found["cooksd"], se=found["cooksd"])
    if method == "profile":
        found = model.confint(method="profile")
        return found.assign(df=found["upper"], se=found["upper"] - found["lower"])
    found = model.bootstrap(DRAWS, seed=1).summary()
    return found.assign(df=found["se"])


def _report(out: str, found: dict[str, Any]) -> None:
    """Written beside and moved, so that nobody reads half of it."""
    beside = Path(out + ".new")
    beside.write_text(json.dumps(found, default=float))
    beside.replace(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
