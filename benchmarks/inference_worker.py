"""One table of coefficients or means by interlace in this process: its cost and numbers, as JSON.

    python inference_worker.py PROBLEM PARQUET METHOD OUT SECONDS

OUT is written after the fit, after the first table and at the end, so that a process killed in between has
told what it knew. SECONDS bounds the time spent on repetitions.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from worker import keep, timed, version_of


def main(problem_name: str, parquet: str, method: str, out: str, seconds: str) -> None:
    import pandas as pd
    from inference_problems import BY_NAME

    import interlace

    known: dict[str, Any] = {"version": version_of("interlace")}
    data = pd.read_parquet(parquet)
    problem = BY_NAME[problem_name]
    start = time.perf_counter()
    fit = interlace.lmer(problem.formula, data).fit
    known["fit"] = time.perf_counter() - start
    keep(out, known)

    def table() -> pd.DataFrame:
        # A model of its own each time, as a model remembers what it has computed.
        model = interlace.LinearMixedModel(fit)
        return (
            model.emmeans(problem.means, ddf=method).frame if problem.means else model.coef_table(ddf=method)
        )

    def answer(found: pd.DataFrame) -> dict[str, list[float]]:
        return {"df": list(found["df"]), "se": list(found["se"])}

    timed(table, answer, float(seconds), lambda found: keep(out, known | found))


if __name__ == "__main__":
    main(*sys.argv[1:])
