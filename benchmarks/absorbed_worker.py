"""One answer of the benchmark of absorbed factors, by one engine in this process, as JSON.

    python absorbed_worker.py PROBLEM PARQUET METHOD OUT SECONDS ENGINE

OUT is written before the first call, after it and at the end. SECONDS bounds the time spent on repetitions.
What an engine is given is ready before the clock starts: interlace, pyfixest and fereg take the table, within
takes arrays.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from worker import keep, timed, version_of

SHOWN = 1000  # numbers that stand for a demeaned column
WARM_UP = (
    50_000  # rows of a call before the clock starts, so that nothing is loaded or compiled by the first one
)

Answer = dict[str, list[float]]
Work = tuple[str, Callable[[], Any], Callable[[Any], Answer]]


def some(values: Any) -> list[float]:
    """Every k-th number of each column."""
    columns = np.asarray(values)
    return columns[:: max(len(columns) // SHOWN, 1)].ravel().tolist()


def defect(residuals: np.ndarray, data: Any, factors: Any, columns: Any = ()) -> float:
    """How far residuals, (n,), are from being orthogonal to the levels of all factors and to some columns:
    the largest length of a projection on one of them, relative to that of the residuals."""
    found = []
    for name in factors:
        codes = data[name].to_numpy()
        counts = np.maximum(np.bincount(codes), 1)
        found.append(np.linalg.norm(np.bincount(codes, residuals) / np.sqrt(counts)))
    for name in columns:
        x = data[name].to_numpy()
        found.append(abs(float(x @ residuals)) / float(np.linalg.norm(x)))
    return max(found) / float(np.linalg.norm(residuals))


def interlace_lm(problem: Any, data: Any) -> Work:
    import interlace

    def answer(model: Any) -> Answer:
        left = defect(np.asarray(model.residuals()), data, problem.absorbed, problem.numbers[1:])
        return {"numbers": list(model.fixef), "defect": [left]}

    return "interlace", lambda: interlace.lm(problem.formula, data), answer


def interlace_lmer(problem: Any, data: Any) -> Work:
    import interlace

    def answer(model: Any) -> Answer:
        return {"numbers": list(model.fixef)}

    return "interlace", lambda: interlace.lmer(problem.formula, data), answer


def interlace_demean(problem: Any, data: Any) -> Work:
    import interlace

    def answer(table: Any) -> Answer:
        left = [defect(table[name].to_numpy(), data, problem.absorbed) for name in problem.numbers]
        return {"numbers": some(table), "defect": [max(left)]}

    def call() -> Any:
        return interlace.demean(data, problem.numbers, list(problem.absorbed))

    return "interlace", call, answer


def pyfixest_lm(problem: Any, data: Any) -> Work:
    import pyfixest

    return "pyfixest", lambda: pyfixest.feols(problem.formula, data), _coefficients


def fereg_lm(problem: Any, data: Any) -> Work:
    import fereg

    return "fereg", lambda: fereg.feols(problem.formula, data), _coefficients


def _coefficients(model: Any) -> Answer:
    return {"numbers": list(model.coef())}


def within_demean(problem: Any, data: Any) -> Work:
    import within

    codes = np.asfortranarray(data[list(problem.absorbed)].to_numpy(dtype=np.uint32))
    columns = np.asfortranarray(data[problem.numbers].to_numpy())
    return "within-py", lambda: within.solve_batch(codes, columns).demeaned, lambda d: {"numbers": some(d)}


def linearmodels_lm(problem: Any, data: Any) -> Work:
    from linearmodels.iv.absorbing import AbsorbingLS

    response, *covariates = problem.numbers
    levels = data[list(problem.absorbed)].astype("category")

    def call() -> Any:
        return AbsorbingLS(data[response], data[covariates], absorb=levels).fit(cov_type="unadjusted")

    return "linearmodels", call, lambda fit: {"numbers": list(fit.params)}


def statsmodels_lm(problem: Any, data: Any) -> Work:
    import statsmodels.formula.api as smf

    covariates = problem.numbers[1:]
    formula = " + ".join([problem.fixed, *(f"C({name})" for name in problem.absorbed)])
    return (
        "statsmodels",
        lambda: smf.ols(formula, data).fit(),
        lambda fit: {"numbers": list(fit.params[covariates])},
    )


WORK: dict[tuple[str, str], Callable[[Any, Any], Work]] = {
    ("interlace", "lm"): interlace_lm,
    ("interlace", "lmer"): interlace_lmer,
    ("interlace", "demean"): interlace_demean,
    ("pyfixest", "lm"): pyfixest_lm,
    ("fereg", "lm"): fereg_lm,
    ("within", "demean"): within_demean,
    ("linearmodels", "lm"): linearmodels_lm,
    ("statsmodels", "lm"): statsmodels_lm,
}


def main(name: str, parquet: str, method: str, out: str, seconds: str, engine: str) -> None:
    import pandas as pd
    from absorbed_problems import BY_NAME

    warnings.simplefilter("ignore")
    problem, data, work = BY_NAME[name], pd.read_parquet(parquet), WORK[engine, method]
    work(problem, data.head(WARM_UP))[1]()
    distribution, call, answer = work(problem, data)
    known = {"version": version_of(distribution), "fit": math.nan}
    keep(out, known)
    timed(call, answer, float(seconds), lambda found: keep(out, known | found))


if __name__ == "__main__":
    main(*sys.argv[1:])
