"""The agreement of cells of the benchmark of resampling, and the page made of them."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
from cells import Cell, apart, details, versions
from problems import Problem
from resampling_tasks import ENGINES, TASKS

from report import machine, table

ERRORS = 4.0  # of Monte Carlo, by which two simulations may differ

Rule = Callable[[Cell, Cell], tuple[float, float]]


def called(cell: Cell) -> str:
    """The engine as it is called."""
    return ENGINES[cell.engine]


def judge(cells: Sequence[Cell]) -> list[Cell]:
    """The cells of one question, each compared with the call of interlace; where they differ, no time counts.

    An engine that does a part of the work answers for that part.
    """
    ours = next((cell for cell in cells if cell.engine == "interlace" and cell.status == "ok"), None)
    others = [cell for cell in cells if cell.status == "ok" and cell is not ours]
    if ours is None or not others:
        alone = {"agreement": "no other answer"}
        return [dataclasses.replace(cell, **alone) if cell.status == "ok" else cell for cell in cells]
    found = {cell.engine: _compared(ours, cell) for cell in others}
    words = "; ".join(f"{ENGINES[engine]}: {text}" for engine, (text, _) in found.items())
    found["interlace"] = words, all(agree for _, agree in found.values())
    return [_said(cell, *found[cell.engine]) if cell.engine in found else cell for cell in cells]


def _said(cell: Cell, words: str, agree: bool) -> Cell:
    if cell.status != "ok":
        return cell
    return dataclasses.replace(cell, agreement=words, status="ok" if agree else "differs")


def _compared(ours: Cell, other: Cell) -> tuple[str, bool]:
    """The difference in words, and whether it is small enough."""
    task = TASKS[ours.method]
    difference, scale = RULES[task.rule](ours, other)
    if task.rule in ("spread", "share"):
        within = difference <= ERRORS * scale
        return f"{difference / scale:.1f} Monte Carlo errors of {scale:.2g}", within
    return f"{difference:.0e}", difference <= task.peers[other.engine].tolerance


def ends(ours: Cell, other: Cell) -> tuple[float, float]:
    """Of intervals: the largest difference of an end, in widths."""
    one, two = (np.array([cell.answer["lower"], cell.answer["upper"]]) for cell in (ours, other))
    if one.shape != two.shape:
        return math.inf, 1.0
    return _known(np.abs(one - two) / (two[1] - two[0])), 1.0


def spread(ours: Cell, other: Cell) -> tuple[float, float]:
    """Of standard deviations of draws: the largest relative difference, and its standard error."""
    n, m = ours.answer["n"][0], other.answer["n"][0]
    return apart(ours.answer["se"], other.answer["se"]), math.sqrt(1 / (2 * n) + 1 / (2 * m))


def share(ours: Cell, other: Cell) -> tuple[float, float]:
    """Of shares of simulations: the largest difference in standard errors."""
    one, two = np.array(ours.answer["power"]), np.array(other.answer["power"])
    if one.shape != two.shape:
        return math.inf, 1.0
    n, m = ours.answer["n"][0], other.answer["n"][0]
    both = (n * one + m * two) / (n + m)
    error = np.sqrt(np.maximum(both * (1 - both), 1 / (n + m)) * (1 / n + 1 / m))
    worst = int(np.argmax(np.abs(one - two) / error))
    return float(np.abs(one - two)[worst]), float(error[worst])


def estimates(ours: Cell, other: Cell) -> tuple[float, float]:
    """Of coefficients: the largest difference in standard errors, or relative of these and of df."""
    found = {name: _beginning(ours, other, name) for name in other.answer}
    one, two, se = (np.array(values) for values in (*found.pop("estimate"), found["se"][1]))
    if one.shape != two.shape:
        return math.inf, 1.0
    return max(_known(np.abs(one - two) / se), *(apart(*pair) for pair in found.values())), 1.0


def largest(ours: Cell, other: Cell) -> tuple[float, float]:
    """The largest difference, as a share of the largest number."""
    pairs = [tuple(map(np.array, _beginning(ours, other, name))) for name in other.answer]
    return max(_known(np.abs(a - b)) / float(np.abs(b).max()) for a, b in pairs), 1.0


def _beginning(ours: Cell, other: Cell, name: str) -> tuple[Sequence[float], Sequence[float]]:
    """What both did: who does a part begins where all begin."""
    one, two = ours.answer[name], other.answer[name]
    return (one[: len(two)], two) if other.share < ours.share else (one, two)


def _known(values: np.ndarray) -> float:
    return math.inf if np.isnan(values).any() else float(values.max())


RULES: dict[str, Rule] = {rule.__name__: rule for rule in (ends, spread, share, estimates, largest)}


def document(cells: Sequence[Cell], options: argparse.Namespace) -> str:
    """The page with all tables, as markdown."""
    words = _INTRODUCTION.format(limit=f"{options.limit:g}", memory=f"{options.memory:g}", errors=ERRORS)
    trial = f"Data divided by {options.shrink}: a trial run, no measurement." if options.shrink > 1 else ""
    titles = {name: task.title for name, task in TASKS.items()}
    parts = [words, trial, machine(), versions(cells, called), "## Time", _times(cells, options.problems)]
    parts += ["## Every answer", *(details(cells, problem, titles, called) for problem in options.problems)]
    return "\n\n".join(part for part in parts if part) + "\n"


_INTRODUCTION = """# Benchmarks of resampling and diagnostics

Written by `make bench-resampling`; not edited by hand. Time is that of one question to a model that is fitted
already: the median of repeated calls, beside the first one. What the fit took is in a column of its own (the
first fit of its process). Each answer has a process of its own, which may take {limit} s and {memory} GB of
address space. interlace may use all processors (`n_jobs=-1`); R, and fits made one after the other, use one.

"≈" stands before times that are scaled: the engine drew fewer samples, or fitted fewer responses or groups,
and the share that it did is in brackets behind its first call. "lme4" is `confint(method = "profile")`,
`bootMer`, a loop of `refit` by maximum likelihood (of a REML fit it takes the criterion of a model with one
coefficient), a loop of lmerTest's `lmer` where there are p-values (it does not know what `refit` changed),
after `simulate` for power, a loop of `lmer` over folds, `influence` and `hatvalues`. "Fits of the rows" are
interlace's own: `lmer` without the rows of each group in turn. An empty cell is a question for which the
engine has no function.

A time counts only if answers agree: ends of profile intervals within 0.001 of their width (lme4's are of
splines), standard deviations of draws and shares of simulations within {errors:g} Monte Carlo errors of their
difference, estimates of many responses within 0.001 of a standard error, those and degrees of freedom within
0.001, relative; predictions of folds within 1e-8 of fits of the rows and 1e-4 of lme4's, Cook's distances
within 1e-6 and 1e-3, and leverages within 1e-4, all of the largest number. "No other answer" says that there
was nothing to compare with (the tests hold the same code against dense matrices and R at smaller sizes).
Problems, seeds and sizes are in `benchmarks/resampling_problems.py` and `benchmarks/resampling_tasks.py`."""


def _times(cells: Sequence[Cell], problems: Sequence[Problem]) -> str:
    found = {(cell.problem, cell.method, cell.engine): cell for cell in cells}
    rows = [["problem", "question", *ENGINES.values()]]
    for problem in problems:
        for method in problem.methods:
            mine = [found.get((problem.name, method, engine)) for engine in ENGINES]
            rows.append([problem.title, TASKS[method].title, *(cell.time if cell else "" for cell in mine)])
    return table(rows)
