"""Problems for the benchmark of inference: formula, data and where they come from. Fixed seeds.

    python inference_problems.py NAME FOLDER [SHRINK]

writes NAME.parquet and NAME.csv with the same rows. SHRINK divides rows and groups, for a trial run.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from problems import BY_NAME as FITS
from problems import Columns, Problem, nested, shipped, write


def insteval(rng: Generator, shrink: int) -> Columns:
    """Levels as text, so that every engine puts them in the same order and has the same coefficients."""
    data = shipped("insteval", "y", "service", "s", "d", "dept")(rng, shrink)
    some = slice(len(data["y"]) // shrink)
    return {name: (column if name == "y" else column.astype(str))[some] for name, column in data.items()}


def oats(rng: Generator, shrink: int) -> Columns:
    """Nitrogen as text: a factor for every engine."""
    data = shipped("oats", "yield", "nitro", "Variety", "Block")(rng, shrink)
    return {name: column if name == "yield" else column.astype(str) for name, column in data.items()}


def split_plot(rng: Generator, shrink: int) -> Columns:
    """48 blocks of 3 whole plots with 5 subplots, twice over; a tenth of the plots is lost."""
    block, rest = np.divmod(np.arange(48 * 3 * 5 * 2), 30)
    a, rest = np.divmod(rest, 10)
    b = rest // 2
    kept = rng.random(block.size) > 0.1
    effect = rng.normal(scale=0.6, size=48)[block] + rng.normal(scale=0.4, size=(48, 3))[block, a]
    y = 5 + 0.2 * a + 0.1 * b + effect + rng.normal(size=block.size)
    names = {"A": np.array(["a1", "a2", "a3"])[a], "B": np.array(["b1", "b2", "b3", "b4", "b5"])[b]}
    columns = {"y": y, "block": np.char.add("k", block.astype(str))} | names
    return {name: column[kept] for name, column in columns.items()}


def reading(subjects: int, items: int):
    """Every subject reads every item, in one of two conditions; one answer in twenty is lost."""

    def make(rng: Generator, shrink: int) -> Columns:
        people, cases = max(subjects // shrink, 8), max(items // shrink, 8)
        s, i = (part.ravel() for part in np.divmod(np.arange(people * cases), cases))
        c = ((s + i) % 2) - 0.5
        length = rng.normal(size=cases)[i]
        by_subject = rng.normal(size=(people, 2)) @ np.array([[0.5, 0.1], [0.0, 0.2]])
        by_item = rng.normal(size=(cases, 2)) @ np.array([[0.3, 0.05], [0.0, 0.15]])
        effect = by_subject[s] + by_item[i]
        y = 6 + 0.2 * c + 0.1 * length + effect[:, 0] + effect[:, 1] * c + rng.normal(size=s.size)
        kept = rng.random(s.size) > 0.05
        return {k: v[kept] for k, v in {"y": y, "c": c, "length": length, "S": s, "I": i}.items()}

    return make


def ten_factors(rng: Generator, shrink: int) -> Columns:
    """Ten factors of three levels: 59,049 combinations, of which 3,000 rows have a few."""
    rows = 3000 // shrink
    codes = {f"f{j}": rng.integers(3, size=rows) for j in range(10)}
    group = rng.integers(60, size=rows)
    y = 5 + 0.3 * codes["f0"] - 0.2 * codes["f1"] * codes["f2"]
    y = y + rng.normal(scale=0.5, size=60)[group] + rng.normal(size=rows)
    names = {name: np.array(["a", "b", "c"])[code] for name, code in codes.items()}
    return {"y": y, "g": group} | names


PROBLEMS = [
    replace(FITS["sleepstudy"], title="sleepstudy, random slope"),
    Problem(
        "machines",
        "Machines, 3 x 3 covariance",
        "score ~ Machine",
        (("Machine", "Worker"),),
        shipped("machines", "score", "Machine", "Worker"),
        factors=("Machine", "Worker"),
        quick=True,
    ),
    Problem(
        "split_plot",
        "split plot, 1,300 rows",
        "y ~ A * B",
        (("1", "block/A"),),
        split_plot,
        factors=("A", "B", "block"),
        quick=True,
    ),
    Problem(
        "reading_2k",
        "crossed with slopes, 60 x 30",
        "y ~ c * length",
        (("c", "S"), ("c", "I")),
        reading(60, 30),
        factors=("S", "I"),
        quick=True,
    ),
    Problem(
        "reading_5k",
        "crossed with slopes, 100 x 50",
        "y ~ c * length",
        (("c", "S"), ("c", "I")),
        reading(100, 50),
        factors=("S", "I"),
    ),
    Problem(
        "nested_10k",
        "nested, 200 x 5, 10,000 rows",
        "y ~ x",
        (("1", "a/b"),),
        nested(10_000, 200, 5),
        factors=("a", "b"),
    ),
    Problem(
        "insteval_2",
        "InstEval, 2 coefficients",
        "y ~ service",
        (("1", "s"), ("1", "d"), ("1", "dept:service")),
        insteval,
        factors=("service", "s", "d", "dept"),
    ),
    Problem(
        "insteval_28",
        "InstEval, 28 coefficients",
        "y ~ service * dept",
        (("1", "s"), ("1", "d")),
        insteval,
        factors=("service", "s", "d", "dept"),
    ),
    Problem(
        "oats_means",
        "oats, 12 means",
        "yield ~ nitro * Variety",
        (("1", "Block/Variety"),),
        oats,
        factors=("nitro", "Variety", "Block"),
        quick=True,
        means="nitro * Variety",
    ),
    Problem(
        "insteval_means",
        "InstEval, 28 means",
        "y ~ service * dept",
        (("1", "s"), ("1", "d")),
        insteval,
        factors=("service", "s", "d", "dept"),
        means="service * dept",
    ),
    Problem(
        "ten_factors",
        "ten factors, 3 means",
        f"y ~ ({' + '.join(f'f{j}' for j in range(10))})^2",
        (("1", "g"),),
        ten_factors,
        factors=("g", *(f"f{j}" for j in range(10))),
        means="f0",
    ),
]

BY_NAME = {problem.name: problem for problem in PROBLEMS}

if __name__ == "__main__":
    write(BY_NAME[sys.argv[1]], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
