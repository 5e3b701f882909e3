"""Problems for the benchmark of resampling and diagnostics: formula, data, and what is asked. Fixed seeds.

    python resampling_problems.py NAME FOLDER [SHRINK]

writes NAME.parquet and NAME.csv with the same rows. SHRINK divides rows and groups, for a trial run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from inference_problems import BY_NAME as TESTED
from inference_problems import insteval, reading
from numpy.random import Generator
from problems import BY_NAME as FITS
from problems import Columns, Problem, shipped, write
from resampling_tasks import TASKS, divided

RESPONSES = max(peer.size for name in ("refit", "tests") for peer in TASKS[name].peers.values())


def balanced(groups: int, rows: int) -> Callable[[Generator, int], Columns]:
    def make(rng: Generator, shrink: int) -> Columns:
        levels = divided(groups, shrink)
        g = np.repeat(np.arange(levels), rows)
        x = rng.normal(size=g.size)
        y = 1.0 + 0.5 * x + rng.normal(scale=0.7, size=levels)[g] + rng.normal(size=g.size)
        return {"y": y, "x": x, "g": g}

    return make


def many_responses(rng: Generator, shrink: int) -> Columns:
    """200 rows of 20 groups, three covariates, and responses r1, r2, ... for the engines that loop."""
    g = np.repeat(np.arange(20), 10)
    X = rng.normal(size=(200, 3))
    effects = rng.normal(size=(20, RESPONSES + 1))[g] + rng.normal(size=(200, RESPONSES + 1))
    Y = (X @ np.array([0.5, 0.0, -0.2]))[:, None] + effects
    columns = {"y": Y[:, 0], "g": g} | {f"x{j + 1}": X[:, j] for j in range(3)}
    return columns | {f"r{j}": Y[:, j] for j in range(1, RESPONSES + 1)}


_SLEEP = replace(FITS["sleepstudy"], title="sleepstudy, random slope")
_EXAM = replace(FITS["exam"], title="Exam, 65 schools", methods=("influence-refit",))

PROBLEMS = [
    replace(_SLEEP, methods=("profile", "bootstrap-10000", "power")),
    Problem(
        "penicillin",
        "penicillin, crossed",
        "diameter ~ 1",
        (("1", "plate"), ("1", "sample")),
        shipped("penicillin", "diameter", "plate", "sample"),
        factors=("plate", "sample"),
        quick=True,
        methods=("profile",),
    ),
    Problem(
        "reading_4k",
        "crossed, 80 x 50, 4,000 rows",
        "y ~ c + length",
        (("1", "S"), ("1", "I")),
        reading(80, 50),
        factors=("S", "I"),
        methods=("profile",),
    ),
    replace(
        TESTED["reading_5k"], title="crossed with slopes, 100 x 50, 5,000 rows", methods=("bootstrap-1000",)
    ),
    Problem(
        "many_responses",
        "200 rows, 20 groups, 4 coefficients",
        "y ~ x1 + x2 + x3",
        (("1", "g"),),
        many_responses,
        factors=("g",),
        quick=True,
        methods=("refit", "tests"),
    ),
    replace(FITS["slope_100k"], quick=False, methods=("predict",)),
    Problem(
        "groups_10k",
        "500 groups of 20 rows",
        "y ~ x",
        (("1", "g"),),
        balanced(500, 20),
        factors=("g",),
        quick=True,
        methods=("folds",),
    ),
    _EXAM,
    Problem(
        "groups_100k",
        "2,000 groups, 100,000 rows",
        "y ~ x",
        (("1", "g"),),
        balanced(2_000, 50),
        factors=("g",),
        methods=("influence-fixed", "influence-onestep", "influence-refit", "influence-row"),
    ),
    Problem(
        "insteval",
        "InstEval, 1,128 lecturers",
        "y ~ service",
        (("1", "d"), ("1", "s")),
        insteval,
        factors=("d", "s", "service", "dept"),
        methods=("influence-fixed", "influence-onestep"),
    ),
    replace(FITS["intercept_100k"], methods=("leverage",)),
    replace(FITS["intercept_1m"], methods=("leverage",)),
]

BY_NAME = {problem.name: problem for problem in PROBLEMS}

if __name__ == "__main__":
    write(BY_NAME[sys.argv[1]], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
