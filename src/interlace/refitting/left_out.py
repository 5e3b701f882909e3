"""Which rows leave: each row, the levels of a factor or of any column, or a set that is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from interlace.arrays import Index
from interlace.design.extras import check_index
from interlace.design.frame import read_array
from interlace.design.gathered import gathered
from interlace.design.rows import FrameRows, kept_of, per_row
from interlace.design.values import Column, Factor, factorize
from interlace.errors import DataError, shown
from interlace.estimation.capacity import check_room
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.options import switch
from interlace.prediction.leverage import find_block
from interlace.refitting.deletion import Piece
from interlace.refitting.parallel import in_threads
from interlace.text import listed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cases:
    """Sets of rows, each of which leaves by itself.

    Attributes
    ----------
    name : str or None
        What the labels are levels of; None for rows.
    labels : list
        One for each set.
    rows : list of ndarray of int
        Numbers among the rows used.
    every : bool
        Is there a set for each row, in their order?
    """

    name: str | None
    labels: list[Any]
    rows: list[Index]
    every: bool = False

    @property
    def words(self) -> str:
        """What a label is, for messages."""
        return "the rows" if self.name is None else f"'{self.name}'"


def cases(fit: Fit, level: object, delete: object) -> Cases:
    """The sets that `level` and `delete` ask for.

    Parameters
    ----------
    level : str, array-like or None
        A grouping factor, a column of the data, or a value per row: a set for each level. None: a set for
        each row.
    delete : optional
        Labels of levels, or of rows (the index of a pandas table, else the number of a row from 0), which
        leave together as one set.

    Raises
    ------
    DataError
        There is no such factor or column, no such label, or no row is left.
    """
    found = _rows(fit) if level is None else _levels(fit, level)
    if delete is not None:
        found = _together(found, delete)
    n = fit.rows.n
    for label, rows in zip(found.labels, found.rows, strict=True):
        if len(rows) == n:
            raise DataError(
                f"without {shown(label)} of {found.words} no rows are left: choose a level with other levels "
                "beside it, or fewer rows"
            )
    return found


def without_each(
    fit: Fit,
    chosen: Cases,
    work: Callable[[Piece], Callable[[Index], T]],
    *,
    n_jobs: int,
    progress: bool | None,
    label: str,
) -> list[T]:
    """What is made of each set of rows, in threads.

    Parameters
    ----------
    work : callable
        Of a piece that has all rows of some sets: what answers for a set, by its places there.
    """
    shown = None if progress is None else switch("progress", progress)
    if isinstance(fit.rows, FrameRows):
        answer = work(Piece.of(fit))
        return in_threads(answer, chosen.rows, len(chosen.rows), n_jobs=n_jobs, shown=shown, label=label)
    codes = np.full(fit.rows.n, -1, dtype=np.int32)
    for number, rows in enumerate(chosen.rows):
        codes[rows] = number
    found: dict[int, T] = {}
    for places, design in gathered(fit.rows, codes, len(chosen.rows), chosen.name or "a set", check_room):
        order = np.argsort(codes[places], kind="stable")
        numbers, begins = np.unique(codes[places][order], return_index=True)
        sets = np.split(order, begins[1:])
        done = in_threads(
            work(Piece.of(fit, design, places)), sets, len(sets), n_jobs=n_jobs, shown=shown, label=label
        )
        found |= dict(zip(numbers.tolist(), done, strict=True))
    return [found[number] for number in range(len(chosen.rows))]


def row_labels(fit: Fit) -> pd.Index:
    """Labels of the rows used: the caller's index, or the numbers of the rows."""
    labels = fit.rows.frame.labels
    if labels is not None:
        return labels
    kept = kept_of(fit.rows)
    return pd.Index(np.arange(fit.rows.n) if kept is None else kept)


def _rows(fit: Fit) -> Cases:
    n = fit.rows.n
    return Cases(None, list(row_labels(fit)), list(np.arange(n)[:, None]), every=True)


def _levels(fit: Fit, level: object) -> Cases:
    i = find_block(fit, level)
    if i is not None:
        block = fit.encoding.random[i]
        codes = per_row(fit.rows, lambda design: design.random[i].codes)
        name, labels = block.group, list(block.levels)
    else:
        name, factor = level if isinstance(level, str) else "level", _column(fit, level)
        codes, labels = factor.codes, list(factor.levels)
    order = np.argsort(codes, kind="stable")
    there, begins = np.unique(codes[order], return_index=True)
    if len(there) < 2:
        raise DataError(f"'{name}' has one level: without it no rows are left")
    return Cases(name, [labels[code] for code in there], np.split(order, begins[1:]))


def _column(fit: Fit, level: object, option: str = "level") -> Factor:
    """A column of the data that is no grouping factor, or values; its levels those of the rows used."""
    rows, kept = fit.rows, kept_of(fit.rows)
    missing = None
    column: Column
    if not isinstance(level, str):
        check_index(option, level, rows.frame.index, kept)
        column, missing = read_array(option, level)
    else:
        try:
            column, missing = rows.column(option, level)
        except DataError as error:
            if option != "level":
                raise
            groups = listed(list(dict.fromkeys(block.group for block in fit.encoding.random)))
            raise DataError(
                f"'{level}' is not a grouping factor of the model ({groups}), and {error}"
            ) from error
    if len(column) not in (rows.n, rows.n_read):
        raise DataError(f"{option} has {len(column)} values, and the model {rows.n} rows")
    if kept is not None and len(column) != rows.n:
        column = column.take(kept) if isinstance(column, Factor) else column[kept]
        missing = None if missing is None else missing[kept]
    factor = (column if isinstance(column, Factor) else factorize(column)).drop_unused()
    lost = int((factor.codes < 0).sum()) if missing is None else int(missing.sum())
    if lost:
        raise DataError(f"{option} is missing in {lost} of the rows used: fill it in, or leave them out")
    return factor


def level_of_rows(fit: Fit, column: object, option: str) -> Index:
    """The place of each row used in the order of a column, or of values per row."""
    return _column(fit, column, option).codes


def _together(found: Cases, delete: object) -> Cases:
    """One set of those whose labels are given."""
    given = _labels(delete)
    places: dict[Any, list[int]] = {}
    for place, label in enumerate(found.labels):
        places.setdefault(label, []).append(place)
    by_text = {str(label): label for label in places} if found.name is not None else {}
    chosen: list[int] = []
    for one in given:
        label = one if one in places else by_text.get(str(one))
        if label is None:
            raise DataError(
                f"delete names {shown(one)}, which is not a label of {found.words}"
                f" ({listed([str(label) for label in places], 5)})"
            )
        chosen += [place for place in places[label] if place not in chosen]
    rows = np.sort(np.concatenate([found.rows[place] for place in chosen]))
    return Cases(found.name, [listed([str(one) for one in given], 5)], [rows])


def _labels(delete: object) -> list[Any]:
    """One label, or several.

    Raises
    ------
    DataError
        None, or what cannot be a label.
    """
    if isinstance(delete, str | bytes | tuple) or not isinstance(delete, Iterable):
        given = [delete]
    else:
        given = [one.item() if isinstance(one, np.generic) else one for one in delete]
    if not given:
        raise DataError("delete is empty: give labels of rows or levels, or leave it out")
    for one in given:
        try:
            hash(one)
        except TypeError as error:
            raise DataError(f"delete takes labels of rows or levels, not {shown(one)}") from error
    return list(dict.fromkeys(given))
