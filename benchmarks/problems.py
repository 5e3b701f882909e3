"""The benchmark problems: formula, data, and where they come from. Simulated ones have a fixed seed.

    python problems.py NAME FOLDER [SHRINK]

writes NAME.parquet (for Python) and NAME.csv (for R) with the same rows, in a process of its own so that
the memory it needs is not counted against any engine. SHRINK divides rows and groups, for a trial run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng

Columns = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """One model and how its data are made.

    `random` holds (columns, grouping factor) pairs; `make(rng, shrink)` returns the columns of the data.
    `plain_formula` says the same without products, whose columns are in the data: for engines that cannot
    read them in a random term. `means` are factors whose marginal means take the place of the coefficients.
    `methods` are the questions that a benchmark asks of this model, where they are not those it asks of all.
    """

    name: str
    title: str
    fixed: str
    random: tuple[tuple[str, str], ...]
    make: Callable[[Generator, int], Columns]
    factors: tuple[str, ...] = ()
    quick: bool = False
    products: tuple[str, str] | None = None
    means: str = ""
    methods: tuple[str, ...] = ()

    @property
    def formula(self) -> str:
        terms = [f"({columns} | {group})" for columns, group in self.random]
        return " + ".join([self.fixed, *terms])

    @property
    def plain_formula(self) -> str:
        return self.formula.replace(*self.products) if self.products else self.formula

    @property
    def single(self) -> tuple[str, str] | None:
        """(columns, factor) if there is one term on one plain factor, else None."""
        if len(self.random) == 1 and self.random[0][1].isidentifier():
            return self.random[0]
        return None


def shipped(name: str, *columns: str) -> Callable[[Generator, int], Columns]:
    def make(rng: Generator, shrink: int) -> Columns:
        from interlace import datasets

        data = datasets.load(name)
        return {column: data[column] for column in columns}

    return make


def intercepts(n: int, groups: int) -> Callable[[Generator, int], Columns]:
    def make(rng: Generator, shrink: int) -> Columns:
        rows, levels = n // shrink, max(groups // shrink, 5)
        g = rng.integers(levels, size=rows)
        x = rng.normal(size=rows)
        y = 1.0 + 0.5 * x + rng.normal(scale=0.7, size=levels)[g] + rng.normal(size=rows)
        return {"y": y, "x": x, "g": g}

    return make


def slopes(n: int, groups: int) -> Callable[[Generator, int], Columns]:
    def make(rng: Generator, shrink: int) -> Columns:
        rows, levels = n // shrink, max(groups // shrink, 5)
        g = rng.integers(levels, size=rows)
        x = rng.normal(size=rows)
        b = rng.normal(size=(levels, 2)) @ np.array([[0.7, 0.2], [0.0, 0.4]])
        y = 1.0 + 0.5 * x + b[g, 0] + b[g, 1] * x + rng.normal(size=rows)
        return {"y": y, "x": x, "g": g}

    return make


def nested(n: int, outer: int, inner: int) -> Callable[[Generator, int], Columns]:
    def make(rng: Generator, shrink: int) -> Columns:
        rows, levels = n // shrink, max(outer // shrink, 5)
        a, b = rng.integers(levels, size=rows), rng.integers(inner, size=rows)
        x = rng.normal(size=rows)
        effect = rng.normal(scale=0.8, size=levels)[a] + rng.normal(scale=0.5, size=(levels, inner))[a, b]
        return {"y": 1.0 + 0.5 * x + effect + rng.normal(size=rows), "x": x, "a": a, "b": b}

    return make


def crossed(n: int, first: int, second: int) -> Callable[[Generator, int], Columns]:
    def make(rng: Generator, shrink: int) -> Columns:
        rows, levels = n // shrink, (max(first // shrink, 5), max(second // shrink, 5))
        a, b = rng.integers(levels[0], size=rows), rng.integers(levels[1], size=rows)
        x = rng.normal(size=rows)
        effect = rng.normal(scale=0.8, size=levels[0])[a] + rng.normal(scale=0.5, size=levels[1])[b]
        return {"y": 1.0 + 0.5 * x + effect + rng.normal(size=rows), "x": x, "a": a, "b": b}

    return make


def ratings(n: int, users: int, movies: int) -> Callable[[Generator, int], Columns]:
    """Heavy tails on both sides, as MovieLens 1M has them: a few users rate much, a few movies are rated by
    nearly everybody, nobody rates a movie twice."""

    def make(rng: Generator, shrink: int) -> Columns:
        levels = max(users // shrink, 5), max(movies // shrink, 5)
        rows = min(n // shrink, levels[0] * levels[1] // 2)
        popularity = -0.9 * np.log(np.arange(1, levels[1] + 1))
        counts = _activity(rng, rows, *levels)
        # The largest of popularity + Gumbel noise: draws without replacement, in proportion to popularity.
        chosen = [
            np.argpartition(popularity + rng.gumbel(size=levels[1]), -count)[-count:] for count in counts
        ]
        user, movie = (
            np.repeat(np.arange(levels[0]), counts),
            rng.permutation(levels[1])[np.concatenate(chosen)],
        )
        order = rng.permutation(rows)
        user, movie = user[order], movie[order]
        effect = rng.normal(scale=0.4, size=levels[0])[user] + rng.normal(scale=0.6, size=levels[1])[movie]
        return {"y": 3.5 + effect + rng.normal(scale=0.9, size=rows), "user": user, "movie": movie}

    return make


def _activity(rng: Generator, rows: int, users: int, movies: int) -> np.ndarray:
    """How many movies each user rates, at least 20: lognormal with mean 165 and standard deviation 190."""
    variance = np.log1p((190 / 165) ** 2)
    drawn = rng.lognormal(np.log(165) - variance / 2, np.sqrt(variance), size=users)
    least, most = min(20, movies // 2), int(0.8 * movies)
    counts = np.clip(np.rint(drawn * rows / drawn.sum()), least, most).astype(int)
    while (missing := rows - int(counts.sum())) != 0:
        room = np.flatnonzero(counts < most if missing > 0 else counts > least)
        counts[rng.permutation(room)[: abs(missing)]] += np.sign(missing)
    return counts


def maximal(rng: Generator, shrink: int) -> Columns:
    """Every subject sees every item once, in one of eight conditions turned like a Latin square."""
    subjects, items = 56, 32
    s, i = (part.ravel() for part in np.divmod(np.arange(subjects * items), items))
    condition = (s + i) % 8
    a, b, c = (((condition >> bit) & 1) - 0.5 for bit in range(3))
    x = np.column_stack([np.ones(s.size), a, b, c, a * b, a * c, b * c, a * b * c])
    factor = np.tril(rng.normal(scale=0.15, size=(8, 8)))
    np.fill_diagonal(factor, [0.8, 0.4, 0.3, 0.3, 0.2, 0.2, 0.1, 0.1])
    by_subject = rng.normal(size=(subjects, 8)) @ factor.T
    by_item = 0.7 * rng.normal(size=(items, 8)) @ factor.T
    beta = np.array([2.0, 0.5, -0.3, 0.2, 0.1, 0.0, 0.1, 0.0])
    y = x @ beta + np.sum(x * (by_subject[s] + by_item[i]), axis=1) + rng.normal(size=s.size)
    products = {"ab": a * b, "ac": a * c, "bc": b * c, "abc": a * b * c}
    return {"y": y, "a": a, "b": b, "c": c, "S": s, "I": i} | products


def five_crossed(rng: Generator, shrink: int) -> Columns:
    """Five crossed factors and two interactions: much fill, where blocks alone are a poor scheme."""
    rows = 50_000 // shrink
    levels = [max(size // shrink, 5) for size in (800, 400, 200, 50, 20)]
    codes = [rng.integers(size, size=rows) for size in levels]
    effect = sum(rng.normal(scale=0.5, size=size)[code] for size, code in zip(levels, codes, strict=True))
    x = rng.normal(size=rows)
    columns = {"y": 1.0 + 0.5 * x + effect + rng.normal(size=rows), "x": x}
    return columns | dict(zip("abcde", codes, strict=True))


PROBLEMS = [
    Problem(
        "sleepstudy",
        "sleepstudy",
        "Reaction ~ Days",
        (("Days", "Subject"),),
        shipped("sleepstudy", "Reaction", "Days", "Subject"),
        factors=("Subject",),
        quick=True,
    ),
    Problem(
        "exam",
        "Exam, random slope",
        "normexam ~ standLRT",
        (("standLRT", "school"),),
        shipped("exam", "normexam", "standLRT", "school"),
        factors=("school",),
        quick=True,
    ),
    Problem(
        "insteval",
        "InstEval",
        "y ~ service",
        (("1", "s"), ("1", "d"), ("1", "dept:service")),
        shipped("insteval", "y", "service", "s", "d", "dept"),
        factors=("service", "s", "d", "dept"),
    ),
    Problem(
        "intercept_100k",
        "random intercept, 5,000 groups",
        "y ~ x",
        (("1", "g"),),
        intercepts(100_000, 5_000),
        quick=True,
    ),
    Problem(
        "slope_100k", "random slope, 2,000 groups", "y ~ x", (("x", "g"),), slopes(100_000, 2_000), quick=True
    ),
    Problem(
        "intercept_1m",
        "random intercept, 50,000 groups",
        "y ~ x",
        (("1", "g"),),
        intercepts(1_000_000, 50_000),
    ),
    Problem("nested_200k", "nested, 1,000 x 10", "y ~ x", (("1", "a/b"),), nested(200_000, 1_000, 10)),
    Problem(
        "crossed_200k",
        "crossed 5,000 x 2,000",
        "y ~ x",
        (("1", "a"), ("1", "b")),
        crossed(200_000, 5_000, 2_000),
    ),
    Problem(
        "crossed_1m",
        "crossed 50,000 x 5,000",
        "y ~ x",
        (("1", "a"), ("1", "b")),
        crossed(1_000_000, 50_000, 5_000),
    ),
    Problem(
        "ratings_1m",
        "heavy tails, 6,040 users x 3,706 movies",
        "y ~ 1",
        (("1", "user"), ("1", "movie")),
        ratings(1_000_209, 6_040, 3_706),
    ),
    Problem(
        "maximal",
        "maximal, 56 subjects x 32 items, 72 parameters",
        "y ~ a * b * c",
        (("1 + a * b * c", "S"), ("1 + a * b * c", "I")),
        maximal,
        products=("a * b * c", "a + b + c + ab + ac + bc + abc"),
    ),
    Problem(
        "five_crossed",
        "five crossed factors and two interactions",
        "y ~ x",
        (("1", "a"), ("1", "b"), ("1", "c"), ("1", "d"), ("1", "e"), ("1", "c:d"), ("1", "d:e")),
        five_crossed,
    ),
]

BY_NAME = {problem.name: problem for problem in PROBLEMS}


def made(problem: Problem, shrink: int = 1) -> Any:
    """The data of `problem`, as a table of pandas."""
    import pandas as pd

    # The seed belongs to the name, so that a new problem does not change the data of the others.
    seed = int.from_bytes(problem.name.encode(), "little") % 2**32
    return pd.DataFrame(problem.make(default_rng(seed), shrink))


def write(problem: Problem, folder: Path, shrink: int = 1) -> None:
    """Write the data of `problem` as NAME.parquet and NAME.csv into `folder`."""
    data = made(problem, shrink)
    data.to_parquet(folder / f"{problem.name}.parquet")
    data.to_csv(folder / f"{problem.name}.csv", index=False)


if __name__ == "__main__":
    write(BY_NAME[sys.argv[1]], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
