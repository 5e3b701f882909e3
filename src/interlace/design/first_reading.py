"""Numbers made of the rows while they are learnt from, so that they need not be read a second time.

A source may say how many rows it has and between which whole numbers its levels lie. Then the first rows show
what columns there will be, every whole number of the range stands for a level, and what is added up over the
rows of a level can be added up at once; numbers that turn out to be no level are left out in the end. Where a
later row shows that the columns are others, nothing of it is used.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from interlace.design.chunked import Chunked
from interlace.design.columns import Plain
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.encoding_rows import RowEncoder
from interlace.design.frame import Frame
from interlace.design.grouping import Grouping
from interlace.design.joining import joined
from interlace.design.learning import Learner
from interlace.design.learnt import Learnt, RandomEncoding
from interlace.design.merging import Chunk, Task
from interlace.design.values import LARGEST_COUNTED
from interlace.errors import DataError, FormulaError, ModelError
from interlace.formula.formula import plain_name
from interlace.frozen import dataclass

FIRST = 1 << 16  # rows that show the columns, whatever the size of the chunks
MANY = 1 << 20  # rows; fewer are read twice in no time
ROWS_OF_A_LEVEL = 16  # at least, on average: room is taken for each whole number of the range


class Summing(Protocol):
    """What adds up numbers of rows, whatever they are for."""

    def begin(self, encoding: Encoding, first: Design) -> None:
        """For a model, of which these are the first rows; they will be added as well.

        Raises
        ------
        DataError, ModelError
            There are no sums of such a model.
        """

    def add(self, design: Design) -> None:
        """The next rows."""

    def end(self, encoding: Encoding, levels: Mapping[int, np.ndarray]) -> object | None:
        """The sums over all rows, for the encoding that was learnt from them; None where they are not exact.

        `levels` has the places of its levels among those of the encoding that it began with, by block.
        """


@dataclass(frozen=True, slots=True)
class _Begun:
    """What the first rows have shown.

    Attributes
    ----------
    encoding : Encoding
        With a level for every whole number of a range.
    starts : dict of int to int
        The first of them, by covariance block.
    """

    encoding: Encoding
    starts: Mapping[int, int]

    def design(self, task: Task, chunk: Chunk) -> Design | None:
        """The rows of a chunk as numbers; None where a level is out of its range."""
        frame = chunk.frame
        made = RowEncoder(self.encoding, None, "required").of_frame(
            frame, None, chunk.read.nrows, (), *task.extras(frame)
        )
        inside = all(np.minimum.reduce(part.codes) >= 0 for part in made.random)
        return made if inside and isinstance(made.fixed, Plain) else None

    def places(self, learnt: Learnt) -> dict[int, np.ndarray] | None:
        """Those of the levels that were learnt from all rows, by covariance block; None where other columns
        were learnt."""
        mine = self.encoding
        if learnt.fixed_names != mine.fixed_names or len(learnt.random) != len(mine.random):
            return None
        found = {}
        for i, (now, then) in enumerate(zip(learnt.random, mine.random, strict=True)):
            if (now.group, now.columns) != (then.group, then.columns):
                return None
            found[i] = now.levels.astype(np.int64) - self.starts[i]
        return found


class FirstReading:
    """Sums of rows while they are learnt from.

    Parameters
    ----------
    task : Task
    ranges : mapping of str to (int, int)
        Of the columns of the grouping factors.
    contrasts : mapping
    given_order : frozenset of str
        Columns whose levels have an order of their own.
    summing : Summing or None
        None where the rows are read again.
    """

    def __init__(
        self,
        task: Task,
        ranges: Mapping[str, tuple[int, int]],
        contrasts: Mapping[str, Any],
        given_order: frozenset[str],
        summing: Summing | None,
    ) -> None:
        self._task, self._ranges, self._contrasts, self._given_order = task, ranges, contrasts, given_order
        self._summing = summing
        self._waiting: list[Chunk] = []
        self._begun: _Begun | None = None

    @classmethod
    def of(
        cls, task: Task, source: Chunked, contrasts: Mapping[str, Any], summing: Summing | None
    ) -> FirstReading:
        """Of the rows of a source, as far as it says enough of them."""
        ranges = None if summing is None else _ranges(task, source)
        order = source.given_order
        return cls(task, ranges or {}, contrasts, order, None if ranges is None else summing)

    def over(self, chunks: Generator[Chunk, None, None]) -> Generator[Chunk, None, None]:
        """The same chunks, with their numbers where these are known to be wanted: they are made in the thread
        that reads."""
        for chunk in chunks:
            yield replace(chunk, design=self._made(chunk)) if self._begun is not None else chunk

    def give_up(self) -> None:
        """What was added up is not wanted."""
        self._summing, self._begun, self._waiting = None, None, []

    def add(self, chunk: Chunk) -> None:
        """The next rows."""
        summing = self._summing  # the thread that reads may give up at any time
        if summing is None or not chunk.frame.nrows:
            return
        if self._begun is None:
            self._waiting.append(chunk)
            if sum(one.frame.nrows for one in self._waiting) >= FIRST:
                self._begin(summing)
            return
        design = self._made(chunk) if chunk.design is None else chunk.design
        if design is None:
            self.give_up()
        else:
            summing.add(design)

    def _begin(self, summing: Summing) -> None:
        waiting, self._waiting = self._waiting, []
        rows = joined([chunk.frame for chunk in waiting], self._given_order)
        frame = rows.take(np.arange(FIRST))
        with self._in_doubt():
            begun = self._learnt(frame)
            first = begun.design(self._task, Chunk(frame, frame, None))
            if first is None:
                return self.give_up()
            summing.begin(begun.encoding, first)
            self._begun = begun
        for chunk in waiting:
            self.add(chunk)

    def _learnt(self, frame: Frame) -> _Begun:
        task = self._task.remembering()
        learner = Learner(task.scope.formula, frame, None, task.memory)
        encoding, _ = learner.run(Encoding, *task.extras(frame), dict(self._contrasts), {}, frame.nrows)
        starts, blocks = {}, list[RandomEncoding]()
        for i, block in enumerate(encoding.random):
            name = plain_name(task.scope.formula.random[block.term].grouping[0])
            assert name is not None
            low, high = self._ranges[name]
            starts[i] = low
            blocks.append(replace(block, grouping=_whole(block.grouping, low, high, blocks)))
        return _Begun(replace(encoding, random=tuple(blocks)), starts)

    def _made(self, chunk: Chunk) -> Design | None:
        """None where the rows are not what the first ones were: what is wrong with them is said elsewhere."""
        begun = self._begun
        if begun is None or not chunk.frame.nrows:
            return None
        with self._in_doubt():
            return begun.design(self._task, chunk)
        return None

    @contextmanager
    def _in_doubt(self) -> Generator[None, None, None]:
        """What cannot be done at once is done, or refused, where the rows are read again."""
        try:
            yield
        except (DataError, FormulaError, ModelError):
            self.give_up()

    def found(self, encoding: Encoding) -> object | None:
        """The sums, for what was learnt from all rows."""
        if self._begun is None or self._summing is None:
            return None
        places = self._begun.places(encoding)
        return None if places is None else self._summing.end(encoding, places)


def _ranges(task: Task, source: Chunked) -> dict[str, tuple[int, int]] | None:
    """Of the columns of all grouping factors; None where a factor is no column of whole numbers that lie
    densely, and where the rows are weighted, or few."""
    terms = task.scope.formula.random
    names = {plain_name(node) for term in terms for node in term.grouping}
    columns = {name for name in names if name is not None}
    if not columns or columns != names or task.weights is not None:
        return None
    if any(len(term.grouping) > 1 for term in terms):
        return None
    extents = source.extents(columns)
    if extents is None or extents.rows < MANY:
        return None
    found = extents.integers
    dense = all(
        (high - low) * ROWS_OF_A_LEVEL < extents.rows and -LARGEST_COUNTED < low <= high < LARGEST_COUNTED
        for low, high in found.values()
    )
    return found if dense and found.keys() == columns else None


def _whole(grouping: Grouping, low: int, high: int, before: Sequence[RandomEncoding]) -> Grouping:
    """With every whole number of the range as a level; the same object for blocks of the same factor."""
    for block in before:
        if block.grouping.factors == grouping.factors:
            return block.grouping
    return replace(grouping, parts=(np.arange(low, high + 1),))
