"""Rows that repeat: cells of equal rows, each with its number of rows, its mean of y and squares about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import exp, inf, log2
from typing import Any

import numpy as np
import pandas as pd

from interlace import kernel, log
from interlace.design.columns import Coded
from interlace.design.design import Design, RandomRows, Repeats
from interlace.design.values import Column, Factor
from interlace.formula.formula import Formula
from interlace.formula.names import explaining
from interlace.frozen import dataclass

SAMPLE = 4096  # rows whose repeats tell those of all
FEWEST = 1 << 16  # rows that are read; fewer are done sooner than looked at
FEWEST_HERE = 1 << 18  # the same of rows in memory, which take half as long
FEWER = 8  # times as many rows as cells, or rows in memory are left as they are
WIDE = (
    24  # columns of X and Z; products of fewer, of one grouping factor, are sooner taken than rows compared
)
_LARGEST_KEY = 62  # bits


@dataclass(frozen=True, slots=True)
class EqualRows:
    """Cells of rows.

    Attributes
    ----------
    first : ndarray of int32, shape (cells,)
        A row of each, in the order in which they first occur.
    n : ndarray of int64, shape (cells,)
        Their numbers of rows.
    mean, within : ndarray of float64, shape (cells,)
        Of y, and the sum of squares about it.
    """

    first: np.ndarray
    n: np.ndarray
    mean: np.ndarray
    within: np.ndarray

    @classmethod
    def of(
        cls,
        columns: Sequence[Column],
        y: np.ndarray,
        n: np.ndarray | None = None,
        within: np.ndarray | None = None,
        most: int | None = None,
    ) -> EqualRows | None:
        """Of rows that agree in all columns; of cells again, where these have `n` rows and squares `within`.

        None where there are more than `most`, or more combinations than can be numbered. Numbers agree where
        their bits do.
        """
        coded = [_coded(column) for column in columns]
        if sum(log2(max(levels, 1)) for _, levels in coded) > _LARGEST_KEY:
            return None
        codes, levels = [codes for codes, _ in coded], [levels for _, levels in coded]
        about = float(np.add.reduce(y[:SAMPLE])) / len(y[:SAMPLE])
        most = len(y) if most is None else most
        found = cls(*kernel.cells(codes, levels, y, n, within, about, most))
        return found if len(found.n) else None


def _coded(column: Column) -> tuple[np.ndarray, int]:
    """Codes of distinct values, and how many codes there are."""
    if isinstance(column, Factor):
        return np.ascontiguousarray(column.codes, dtype=np.int32), len(column.levels)
    if column.dtype.kind in "iub" and not (column.dtype.kind == "u" and column.itemsize == 8):
        found = kernel.counted(np.ascontiguousarray(column, dtype=np.int64))
        if found is not None:
            return found[0], len(found[1])
    bits = np.ascontiguousarray(column).view(f"u{column.itemsize}")
    codes, levels = pd.factorize(bits)
    return codes.astype(np.int32), len(levels)


def repeats(columns: Sequence[Column], n: int, fewer: int) -> bool:
    """Are there so many times fewer cells than rows, by a look at some of the n rows?"""
    return n >= FEWEST and _expected(columns, n) * fewer <= n


def _expected(columns: Sequence[Column], n: int) -> float:
    """About how many cells n rows have, from a few of them; infinite where none of these repeats."""
    rows = np.sort(np.random.default_rng(0).integers(0, n, SAMPLE))
    rows = rows[np.append(True, np.diff(rows) > 0)]
    some = [c.take(rows) if isinstance(c, Factor) else c[rows] for c in columns]
    found = EqualRows.of(some, np.zeros(len(rows)))
    m, distinct = len(rows), inf if found is None else len(found.n)
    if distinct >= m:
        return inf
    low, high = float(distinct), float(m) ** 2
    for _ in range(60):  # of so many equally frequent cells, m rows show `distinct`
        middle = (low * high) ** 0.5
        low, high = (middle, high) if middle * (1 - exp(-m / middle)) < distinct else (low, middle)
    return high * (1 - exp(-n / high))


def key_columns(
    formula: Formula, columns: Iterable[str], context: Mapping[str, Any], extras: Iterable[str | None]
) -> tuple[str, ...]:
    """The columns in which equal rows agree: those of all terms, of offsets and weights.

    Empty where an array of the caller's could give equal rows different numbers.
    """
    if formula.absorbed or (context and any(np.size(value) >= SAMPLE for value in context.values())):
        return ()
    used = explaining(formula).union(extras)
    return tuple([name for name in columns if name in used])


def collapsed(design: Design, keys: tuple[str, ...]) -> Design:
    """The cells of a design where sums over them take less time than sums over its rows; else the design.

    Parameters
    ----------
    design : Design
    keys : tuple of str
        Columns of its frame, as of `key_columns`.
    """
    if not keys or design.fixed.shape[0] < FEWEST_HERE:
        return design
    return _collapsed(design, [design.frame.columns[name] for name in keys])


def by_columns(design: Design) -> Design:
    """As `collapsed`, of rows that agree in all their numbers but y; columns of the data are not needed."""
    fixed = design.fixed
    columns = [x for j in range(fixed.shape[1]) if (x := fixed.number(j)) is not None]
    if isinstance(fixed, Coded):
        columns += [array for cells in fixed.cells for array in (cells.codes, *cells.z.T)]
    return _collapsed(design, [*columns, *(a for part in design.random for a in (part.codes, *part.z.T))])


def _collapsed(design: Design, keys: Sequence[Column]) -> Design:
    if design.y is None or design.nrows < FEWEST_HERE or not _costly(design):
        return design
    columns = [*keys, *(values for values in (design.weights, design.offset) if values is not None)]
    if not repeats(columns, design.nrows, FEWER):
        return design
    found = EqualRows.of(columns, design.y, most=design.nrows // 2)
    if found is None:
        return design
    log.info("%d rows are summed as %d cells of equal rows", design.nrows, len(found.n))
    return of_cells(_at(design, found.first), found)


def _costly(design: Design) -> bool:
    """Do products of a row take longer than a comparison? So with two grouping factors and wide models."""
    if len({id(part.codes) for part in design.random}) > 1 or isinstance(design.fixed, Coded):
        return True
    return bool(design.fixed.shape[1] + sum([part.z.shape[1] for part in design.random]) >= WIDE)


def _at(design: Design, rows: np.ndarray) -> Design:
    random = tuple(RandomRows(part.codes[rows], part.z[rows]) for part in design.random)
    weights, offset = (None if x is None else x[rows] for x in (design.weights, design.offset))
    return replace(
        design, fixed=design.fixed.take(rows), random=random, weights=weights, offset=offset,
        frame=design.frame.take(rows), kept=None,
    )  # fmt: skip


def of_cells(design: Design, cells: EqualRows) -> Design:
    """A design with a row for each cell, standing for all rows of the cell."""
    n = cells.n.astype(np.float64)
    w = design.weights
    within = cells.within if w is None else w * cells.within
    logs = 0.0 if w is None else float(n @ np.log(w))
    repeats = Repeats(cells.n, float(np.add.reduce(within)), logs)
    return replace(design, y=cells.mean, weights=n if w is None else n * w, repeats=repeats)
