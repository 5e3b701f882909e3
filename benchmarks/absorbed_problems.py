"""Problems for the benchmark of absorbed factors: formula, data and where they come from. Fixed seeds.

    python absorbed_problems.py NAME FOLDER [SHRINK]

writes NAME.parquet, and NAME.csv with the same rows where R has fixest. SHRINK divides rows and levels, for a
trial run.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from problems import Columns, Problem, made
from process import has_r_packages

YEARS, PERSONS_PER_FIRM = 10, 23
# linearmodels and statsmodels take part up to so many rows: they show the scale.
ROWS_FOR_SCALE, ROWS_FOR_DUMMIES = 100_000, 10_000


@dataclass(frozen=True, slots=True)
class Panel(Problem):
    """A model with absorbed factors.

    Attributes
    ----------
    rows : int
    absorbed : tuple of str
    """

    rows: int = 0
    absorbed: tuple[str, ...] = ()

    @property
    def formula(self) -> str:
        terms = " + ".join([self.fixed, *(f"({columns} | {group})" for columns, group in self.random)])
        return f"{terms} | {' + '.join(self.absorbed)}"

    @property
    def numbers(self) -> list[str]:
        """Response and covariates."""
        response, covariates = self.fixed.split(" ~ ")
        return [response, *covariates.split(" + ")]


def _response(rng: Generator, levels: dict[str, np.ndarray], **effects: np.ndarray) -> Columns:
    """Two covariates with coefficients 1 and 0.05, and what the levels add."""
    n = len(levels["person"])
    x1 = rng.normal(size=n)
    x2 = x1**2
    y = x1 + 0.05 * x2 + rng.normal(size=n)
    for name, values in effects.items():
        y += values[levels[name]]
    return {"y": y, "x1": x1, "x2": x2} | levels


def _with_effects(rng: Generator, levels: dict[str, np.ndarray]) -> Columns:
    sizes = {name: int(codes.max()) + 1 for name, codes in levels.items()}
    return _response(rng, levels, **{name: rng.normal(size=size) for name, size in sizes.items()})


def simple(n: int):
    """Persons in ten years, each year in a firm that is drawn anew: all is well connected."""

    def make(rng: Generator, shrink: int) -> Columns:
        person, year = np.divmod(np.arange(n // shrink), YEARS)
        firms = max((person[-1] + 1) // PERSONS_PER_FIRM, 2)
        return _with_effects(
            rng, {"person": person, "firm": rng.integers(firms, size=len(person)), "year": year}
        )

    return make


def difficult(n: int):
    """Numbers of firms run on from row to row: each person meets ten neighbouring firms, and these make a
    long chain."""

    def make(rng: Generator, shrink: int) -> Columns:
        rows = np.arange(n // shrink)
        person, year = np.divmod(rows, YEARS)
        firms = max((person[-1] + 1) // PERSONS_PER_FIRM, 2)
        return _with_effects(rng, {"person": person, "firm": rows % firms, "year": year})

    return make


def careers(n: int, firms: int, mobility: float, sorting: float = 0.0):
    """Workers in ten years who change their firm with a probability; a new firm is one that suits the
    worker's own effect, as far as `sorting` says."""

    def make(rng: Generator, shrink: int) -> Columns:
        workers, count = n // shrink // YEARS, max(firms // shrink, 5)
        own, pays = rng.normal(size=workers), np.sort(rng.normal(size=count))
        place = (np.argsort(np.argsort(own)) / workers)[:, None] + 0.1 * rng.normal(size=(workers, YEARS))
        anywhere = rng.random((workers, YEARS))
        drawn = ((sorting * place + (1 - sorting) * anywhere) * count).astype(int).clip(0, count - 1)
        moves = rng.random((workers, YEARS)) < mobility
        moves[:, 0] = True
        last = np.maximum.accumulate(np.where(moves, np.arange(YEARS), 0), axis=1)
        firm = np.take_along_axis(drawn, last, axis=1).ravel()
        person, year = np.divmod(np.arange(workers * YEARS), YEARS)
        levels = {"person": person, "firm": firm, "year": year}
        return _response(rng, levels, person=own, firm=pays, year=rng.normal(size=YEARS))

    return make


FACTORS = ("person", "firm", "year")
SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000, "10m": 10_000_000}
LINEAR = ("lm", "demean")


def _problem(kind: str, many: int, size: str, make) -> Panel:
    n = SIZES[size]
    factors = FACTORS[:many]
    return Panel(
        f"{kind}_{many}_{size}",
        f"{kind}, {' + '.join(factors)}, {n:,} rows",
        "y ~ x1 + x2",
        (),
        make(n),
        factors=factors,
        quick=size in ("10k", "100k"),
        methods=LINEAR,
        rows=n,
        absorbed=factors,
    )


def _career(mobility: float, sorting: float = 0.0) -> Panel:
    n, firms = 1_000_000, 5_000
    words = f"workers, {mobility:.0%} move a year" + (", sorted" if sorting else "")
    return Panel(
        f"move_{round(100 * mobility)}" + ("_sorted" if sorting else ""),
        f"{words}, {n:,} rows",
        "y ~ x1 + x2",
        (),
        careers(n, firms, mobility, sorting),
        factors=FACTORS,
        methods=LINEAR,
        rows=n,
        absorbed=FACTORS,
    )


def _mixed(mobility: float) -> Panel:
    n, firms = 200_000, 5_000
    return Panel(
        f"mixed_{round(100 * mobility)}",
        f"20,000 random workers, 5,000 absorbed firms, {mobility:.0%} move a year",
        "y ~ x1",
        (("1", "person"),),
        careers(n, firms, mobility),
        factors=FACTORS,
        methods=("lmer",),
        rows=n,
        absorbed=("firm",),
    )


PROBLEMS = [
    _problem("simple", 3, "10k", simple),
    *(_problem("simple", many, size, simple) for size in ("100k", "1m", "10m") for many in (1, 2, 3)),
    *(_problem("difficult", many, size, difficult) for size in ("100k", "1m", "10m") for many in (2, 3)),
    *(_career(mobility) for mobility in (0.02, 0.1, 0.3)),
    *(_career(mobility, 0.9) for mobility in (0.02, 0.3)),
    *(_mixed(mobility) for mobility in (0.05, 0.1, 0.3)),
]

BY_NAME = {problem.name: problem for problem in PROBLEMS}


def main(name: str, folder: str, shrink: str = "1") -> None:
    data = made(BY_NAME[name], int(shrink))
    data.to_parquet(Path(folder) / f"{name}.parquet")
    if has_r_packages("fixest"):
        data.to_csv(Path(folder) / f"{name}.csv", index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
