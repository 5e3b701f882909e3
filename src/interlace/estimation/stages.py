"""What each pass over rows that lie elsewhere collects before there is a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any, Protocol, Self

from interlace.design.batches import Batch, check_batch
from interlace.design.frame import Frame
from interlace.design.halves import Halves
from interlace.design.joining import joined
from interlace.design.merging import Chunk, Seen, Task
from interlace.design.streaming import check_whole
from interlace.estimation.capacity import check_room
from interlace.frozen import dataclass


class Stage(Protocol):
    """What a pass over the rows collects."""

    @property
    def name(self) -> str:
        """What it collects."""

    @property
    def read(self) -> tuple[int, int]:
        """Rows used and rows read."""

    def plus(self, task: Task, batch: Batch, given_order: frozenset[str]) -> Self:
        """With the rows of a batch."""

    def merged(self, other: Any, task: Task, given_order: frozenset[str]) -> Self:
        """With what another one has collected."""


@dataclass(frozen=True, slots=True)
class Functions:
    """Columns of which functions of the formula learn, whole; `read` has rows used and rows read."""

    columns: tuple[str, ...]
    frames: tuple[Frame, ...] = ()
    read: tuple[int, int] = (0, 0)
    name = "functions"

    def plus(self, task: Task, batch: Batch, given_order: frozenset[str]) -> Functions:
        """With the rows of a batch."""
        frame, _ = task.complete(batch.frame)
        frames = (*self.frames, frame.select(self.columns)) if frame.nrows else self.frames
        read = self.read[0] + frame.nrows, self.read[1] + batch.frame.nrows
        return Functions(self.columns, frames, read)

    def merged(self, other: Functions, task: Task, given_order: frozenset[str]) -> Functions:
        """With what another one has collected."""
        read = self.read[0] + other.read[0], self.read[1] + other.read[1]
        return Functions(self.columns, self.frames + other.frames, read)

    def taught(self, task: Task, given_order: frozenset[str]) -> Task:
        """The task whose functions have learnt."""
        task = task.remembering()
        for call in task.calls:
            columns = task.columns_of(call)
            check_whole(call, self.read[0], len(columns), check_room)
            if self.frames:
                task.teach(call, joined([frame.select(columns) for frame in self.frames], given_order))
        return task


@dataclass(frozen=True, slots=True)
class Levels:
    """Rows that show all levels, and counts; `read` has rows used and rows read."""

    found: Halves[Seen] = field(default_factory=Halves)
    read: tuple[int, int] = (0, 0)
    name = "levels"

    def seen(self, task: Task, given_order: frozenset[str]) -> Seen:
        """What all rows have shown."""
        if not self.found.parts:
            return Seen.nothing()
        return self.found.whole(_put(task, given_order))

    def plus(self, task: Task, batch: Batch, given_order: frozenset[str]) -> Levels:
        """With the rows of a batch."""
        frame, kept = task.complete(batch.frame)
        check_batch(task, frame, kept)
        seen = Seen.of(task, Chunk(batch.frame, frame, kept))
        read = self.read[0] + frame.nrows, self.read[1] + batch.frame.nrows
        return Levels(self.found.plus(seen, len(seen.numbers), _put(task, given_order)), read)

    def merged(self, other: Levels, task: Task, given_order: frozenset[str]) -> Levels:
        """With what another one has collected."""
        read = self.read[0] + other.read[0], self.read[1] + other.read[1]
        return Levels(self.found.joined(other.found, _put(task, given_order)), read)


def _put(task: Task, given_order: frozenset[str]) -> Callable[[Seen, Seen], Seen]:
    return lambda a, b: a.plus([b], task, given_order)
