"""Learning from rows that come in chunks: by the usual steps, on a few rows that show everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from interlace.design.chunked import Chunked
from interlace.design.frame import Frame
from interlace.design.held_cells import Gathering, HeldCells
from interlace.design.joining import Known, joined
from interlace.design.learnt import Learnt
from interlace.design.merging import Counted, Seen, Task

Room = Callable[[float, str], None]  # refuses work that needs more bytes than can be had

_WHOLE = (
    "{call} learns from all its rows at once, which takes {{}}; compute the column in the data beforehand"
)
_COPIES = 8.0  # of a column, while a function learns from it


@dataclass(frozen=True, slots=True)
class ChunkLearner:
    """Learns a formula from chunks.

    Attributes
    ----------
    source : Chunked
    task : Task
    room : Room
    """

    source: Chunked
    task: Task
    room: Room

    def run(self, contrasts: Mapping[str, Any]) -> tuple[Learnt, Counted, HeldCells | None]:
        """What the chunks teach, what was counted, and the cells of their rows where these are few."""
        self._functions()
        seen, known, given_order = Seen.nothing(), Known(), self.source.given_order
        cells = Gathering(self.task, self.source.rows, given_order)
        for read, frame, numbers in self._frames():
            seen = seen.plus(Seen.of(self.task, read, frame, numbers, known), self.task, given_order)
            cells.add(frame)
        return self.task.learn(seen, contrasts), seen.counted, cells.found()

    def _frames(self) -> Iterator[tuple[Frame, Frame, np.ndarray]]:
        """Chunks as read, their rows without missing values, and the numbers of these among all rows."""
        before, columns = 0, self.task.columns
        for table in self.source.tables(columns):
            read = Frame.read(table, columns)
            frame, kept = self.task.complete(read)
            yield read, frame, before + kept
            before += read.nrows

    def _functions(self) -> None:
        """What functions of the formula learn, each from its own columns whole: exactly what it is of a table
        in memory."""
        calls = self.task.calls
        if not calls:
            return
        n = sum(len(rows) for _, _, rows in self._frames())
        for call in calls:
            names = self.task.columns_of(call)
            check_whole(call, n, len(names), self.room)
            if n:
                frames = [frame.select(names) for _, frame, _ in self._frames() if frame.nrows]
                self.task.teach(call, joined(frames, self.source.given_order))


def check_whole(call: Any, n: int, columns: int, room: Room) -> None:
    """Refuse a function that learns from more rows than fit in memory.

    Raises
    ------
    ModelError
        By `room`.
    """
    room(8.0 * n * _COPIES * (columns + 1), _WHOLE.format(call=call))
