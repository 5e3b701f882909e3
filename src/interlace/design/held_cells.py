"""Cells of all rows of a source: where they are few, they are held, and the rows need not be read again."""

from __future__ import annotations

import numpy as np

from interlace import log
from interlace.design.checks import LARGEST_RESPONSE, plain_sizes
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.equal_rows import EqualRows, key_columns, of_cells, repeats
from interlace.design.evaluation import Evaluator
from interlace.design.frame import Frame
from interlace.design.joining import joined
from interlace.design.merging import Task
from interlace.design.scan import scanned
from interlace.frozen import dataclass

FEWER = 2  # times as many rows in the first chunk as cells, or none are held


@dataclass(frozen=True)
class HeldCells:
    """Cells of the rows of chunks.

    Attributes
    ----------
    keys : tuple of str
        The columns in which the rows of a cell agree.
    frame : Frame
        A row for each, with the columns of the response of one of its rows.
    cells : EqualRows
        Numbers of rows, means and squares of the response.
    """

    keys: tuple[str, ...]
    frame: Frame
    cells: EqualRows

    @classmethod
    def of(cls, keys: tuple[str, ...], frame: Frame, y: np.ndarray | None, most: int) -> HeldCells | None:
        """Of rows; None where there are more than `most`, or no response."""
        if y is None:
            return None
        found = EqualRows.of([frame.columns[name] for name in keys], y, most=most)
        return None if found is None else cls(keys, frame.take(found.first), found)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.cells.n.sum())

    def joined(self, other: HeldCells, given_order: frozenset[str], most: int) -> HeldCells | None:
        """Of the rows of both."""
        a, b = self.cells, other.cells
        frame = joined([self.frame, other.frame], given_order)
        n, mean, within = (
            np.concatenate(pair) for pair in ((a.n, b.n), (a.mean, b.mean), (a.within, b.within))
        )
        found = EqualRows.of([frame.columns[name] for name in self.keys], mean, n, within, most)
        return None if found is None else HeldCells(self.keys, frame.take(found.first), found)

    def design(self, encoding: Encoding) -> Design:
        """The cells as numbers."""
        return of_cells(encoding.design(self.frame, response="required"), self.cells)


class Gathering:
    """Cells of the chunks of a source, as long as all of them fit into the memory of one chunk.

    Parameters
    ----------
    task : Task
        What the rows are for.
    most : int
        The cells that are held; with more, nothing is.
    given_order : frozenset of str
        Columns whose levels have an order of their own.
    """

    def __init__(self, task: Task, most: int, given_order: frozenset[str]) -> None:
        self._task, self._most, self._given_order = task, most, given_order
        self._keys = keys_of(task)
        self._goes_on = bool(self._keys)
        self._found: list[HeldCells] = []

    @property
    def goes_on(self) -> bool:
        """Have the rows so far had few cells?"""
        return self._goes_on and bool(self._found)

    def add(self, frame: Frame) -> None:
        """The rows of a chunk, none of them with a missing value."""
        if not self._goes_on or not frame.nrows:
            return
        if not self._found and not repeats([frame.columns[name] for name in self._keys], frame.nrows, FEWER):
            self._goes_on = False
            return
        new = HeldCells.of(self._keys, frame, response(self._task, frame), self._most)
        self._goes_on = new is not None
        if new is not None:
            self._found.append(new)
            if sum(len(one.cells.n) for one in self._found[1:]) > self._most:
                self._settle()

    def _settle(self) -> None:
        """Those of all chunks so far become one."""
        first, *rest = self._found
        total: HeldCells | None = first
        for one in rest:
            total = None if total is None else total.joined(one, self._given_order, self._most)
        self._goes_on = total is not None
        self._found = [] if total is None else [total]

    def found(self) -> HeldCells | None:
        """Those of all rows; None where they are too many, or as many as the rows."""
        if self._goes_on and self._found:
            self._settle()
        if not self._goes_on or not self._found:
            return None
        (cells,) = self._found
        log.info("%d rows are %d cells of equal rows, which are kept", cells.rows, len(cells.cells.n))
        return cells


def keys_of(task: Task) -> tuple[str, ...]:
    """As `key_columns`."""
    return key_columns(task.scope.formula, task.columns, task.memory.context, (task.weights, task.offset))


def response(task: Task, frame: Frame) -> np.ndarray | None:
    """Of these rows; None where it is none that a model can have, which others say in their words."""
    y = Evaluator(frame.columns, frame.nrows, task.memory).column(task.scope.formula.response)
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "iufb" or y.ndim != 1:
        return None
    y = np.ascontiguousarray(y, dtype=np.float64)
    return y if plain_sizes([scanned(y).squares], len(y), LARGEST_RESPONSE) else None
