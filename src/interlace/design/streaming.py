"""Learning from rows that come in chunks: by the usual steps, on a few rows that show everything."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from interlace.design.chunked import Chunked
from interlace.design.equal_rows import repeats
from interlace.design.first_reading import FirstReading, Summing
from interlace.design.frame import Frame
from interlace.design.held_cells import FEWER, Gathering, HeldCells, keys_of
from interlace.design.joining import Known, joined
from interlace.design.learnt import Learnt
from interlace.design.merging import Chunk, Counted, Seen, Task
from interlace.errors import BadRowError, DataError, ModelError
from interlace.formula.tree import Name
from interlace.frozen import dataclass

Room = Callable[[float, str], None]  # refuses work that needs more bytes than can be had

_WHOLE = (
    "{call} learns from all its rows at once, which takes {{}}; compute the column in the data beforehand"
)
_COPIES = 8.0  # of a column, while a function learns from it


class Taught(NamedTuple):
    """What all rows have taught.

    Attributes
    ----------
    learnt : Learnt
    counted : Counted
    held : HeldCells or None
        Cells of the rows, where these are few.
    reading : FirstReading or None
        What was made of the rows meanwhile.
    """

    learnt: Learnt
    counted: Counted
    held: HeldCells | None
    reading: FirstReading | None = None


@dataclass(frozen=True, slots=True)
class ChunkLearner:
    """Learns a formula from chunks.

    Attributes
    ----------
    source : Chunked
    task : Task
    room : Room
    summing : Summing or None
        What adds up numbers of the rows meanwhile, where that can be.
    """

    source: Chunked
    task: Task
    room: Room
    summing: Summing | None = None

    def run(self, contrasts: Mapping[str, Any]) -> Taught:
        """What the chunks teach, and what was made of them meanwhile."""
        self._functions()
        reading = FirstReading.of(self.task, self.source, contrasts, self.summing)
        with closing(self._looked_at(reading)) as looked_at:
            first = next(looked_at, None)
            if first is None:
                return self._by_chunks(looked_at, reading, contrasts)
            if not self._counts(first[0].frame):
                return self._by_chunks(chain([first], looked_at), reading, contrasts)
        reading.give_up()
        found = self._by_query(first[0].frame, contrasts)
        return self._by_chunks(self._looked_at(reading), reading, contrasts) if found is None else found

    def _by_chunks(
        self, looked_at: Iterator[tuple[Chunk, Seen]], reading: FirstReading, contrasts: Mapping[str, Any]
    ) -> Taught:
        seen, given_order = Seen.nothing(), self.source.given_order
        cells = Gathering(self.task, self.source.rows, given_order)
        waiting: list[Seen] = []  # until they are as many rows as the others: these are copied seldom, then
        rows = 0
        for one, shown in looked_at:
            waiting.append(shown)
            rows += len(shown.numbers)
            cells.add(one.frame)
            if cells.goes_on:
                reading.give_up()
            reading.add(one)
            if rows >= len(seen.numbers):
                seen, waiting, rows = seen.plus(waiting, self.task, given_order), [], 0
        seen = seen.plus(waiting, self.task, given_order)
        return Taught(self._learnt(seen, contrasts), seen.counted, cells.found(), reading)

    def _learnt(self, seen: Seen, contrasts: Mapping[str, Any]) -> Learnt:
        """As `Task.learn`; an error about a row names the file or partition that has it."""
        try:
            return self.task.learn(seen, contrasts)
        except BadRowError as error:
            place = "" if error.row is None else self.source.place(error.row)
            if not place:
                raise
            raise DataError(f"{place}: {error}") from error

    def _counts(self, first: Frame) -> bool:
        """Is the source to count equal rows, by what the first chunk shows?"""
        task, keys = self.task, keys_of(self.task)
        response = task.scope.formula.response
        return (
            self.source.counts
            and 2 * first.nrows > self.source.rows
            and isinstance(response, Name)
            and response.name not in keys
            and task.na_action == "drop"
            and bool(keys)
            and repeats([first.columns[name] for name in keys], first.nrows, FEWER)
        )

    def _by_query(self, first: Frame, contrasts: Mapping[str, Any]) -> Taught | None:
        """From cells that the source counts; None where it cannot, or rows must say what is wrong."""
        task, response = self.task, str(self.task.scope.formula.response)
        y = first.columns[response]
        if not isinstance(y, np.ndarray) or y.dtype.kind not in "iuf":
            return None
        grouped = self.source.grouped(keys_of(task), response, float(y.mean()))
        try:
            found = None if grouped is None else grouped.taught(task, response)
            return (
                None if found is None else Taught(task.learn(found[0], contrasts), found[0].counted, found[1])
            )
        except (DataError, ModelError):
            return None

    def _frames(self) -> Generator[Chunk, None, None]:
        """One after another."""
        return self.source.beside(self._read())

    def _looked_at(self, reading: FirstReading) -> Generator[tuple[Chunk, Seen], None, None]:
        """One after another, with what each shows beyond those before it."""
        known = Known()
        chunks = reading.over(self._read())
        return self.source.beside((one, Seen.of(self.task, one, known)) for one in chunks)

    def _read(self) -> Generator[Chunk, None, None]:
        before, columns = 0, self.task.columns
        for table in self.source.tables(columns):
            read = Frame.read(table, columns)
            frame, kept = self.task.complete(read)
            yield Chunk(read, frame, kept, before)
            before += read.nrows

    def _functions(self) -> None:
        """What functions of the formula learn, each from its own columns whole: exactly what it is of a table
        in memory."""
        calls = self.task.calls
        if not calls:
            return
        n = sum(one.frame.nrows for one in self._frames())
        for call in calls:
            names = self.task.columns_of(call)
            check_whole(call, n, len(names), self.room)
            if n:
                frames = [one.frame.select(names) for one in self._frames() if one.frame.nrows]
                self.task.teach(call, joined(frames, self.source.given_order))


def check_whole(call: Any, n: int, columns: int, room: Room) -> None:
    """Refuse a function that learns from more rows than fit in memory.

    Raises
    ------
    ModelError
        By `room`.
    """
    room(8.0 * n * _COPIES * (columns + 1), _WHOLE.format(call=call))
