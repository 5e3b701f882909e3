"""Learning from rows that come in chunks: by the usual steps, on a few rows that show everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from interlace.design import checks
from interlace.design.chunked import Chunked
from interlace.design.evaluation import Evaluator, Memory
from interlace.design.extras import Extra, read_extra
from interlace.design.frame import Frame
from interlace.design.functions import FUNCTIONS
from interlace.design.functions.constants import CONSTANT_FUNCTIONS
from interlace.design.functions.elementwise import ELEMENTWISE
from interlace.design.joining import joined, showing
from interlace.design.learning import Learner
from interlace.design.learnt import Covariate, Learnt
from interlace.design.scope import Scope
from interlace.errors import DataError
from interlace.formula.formula import Sum
from interlace.formula.names import parts_of, used_names
from interlace.formula.tree import Call, Node, children

Room = Callable[[float, str], None]  # refuses work that needs more bytes than can be had

_WHOLE = (
    "{call} learns from all its rows at once, which takes {{}}; compute the column in the data beforehand"
)
_COPIES = 8.0  # of a column, while a function learns from it
_FORGETFUL = frozenset(function.name for function in (*ELEMENTWISE, *CONSTANT_FUNCTIONS))


@dataclass(slots=True)
class Counted:
    """What was counted on the way.

    Attributes
    ----------
    n, n_read : int
        Rows used, rows read.
    missing : dict of str to int
        Missing values by column.
    covariates : dict of str to Covariate
        Of the columns of numbers.
    """

    n: int = 0
    n_read: int = 0
    missing: dict[str, int] = field(default_factory=dict)
    covariates: dict[str, Covariate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChunkLearner:
    """Learns a formula from chunks.

    Attributes
    ----------
    source : Chunked
    scope : Scope
    memory : Memory
    weights, offset : str or None
        Columns that hold them.
    na_action : str
    room : Room
    """

    source: Chunked
    scope: Scope
    memory: Memory
    weights: str | None
    offset: str | None
    na_action: str
    room: Room

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        options = [name for name in (self.weights, self.offset) if name is not None]
        return list(dict.fromkeys([*self.scope.columns, *options]))

    def run(self, contrasts: Mapping[str, Any]) -> tuple[Learnt, Counted]:
        """What the chunks teach, and what was counted."""
        self._functions()
        shown, numbers, counted = self._shown()
        checks.check_not_empty(counted.n_read, counted.n_read, {})
        if shown is None:
            by_column = ", ".join(f"'{name}' {count}" for name, count in counted.missing.items())
            raise DataError(
                f"every one of the {counted.n_read} rows has a missing value (missing by column: {by_column})"
            )
        learner = Learner(self.scope.formula, shown, numbers, self.memory)
        learnt, _ = learner.run(*self._extras(shown), dict(contrasts), {}, counted.n_read)
        return learnt, counted

    def frames(self) -> Iterator[tuple[Frame, Frame, np.ndarray]]:
        """Chunks as read, their rows without missing values, and the numbers of these among all rows."""
        before = 0
        for table in self.source.tables(self.columns):
            read = Frame.read(table, self.columns)
            if read.missing and self.na_action != "drop":
                checks.refuse_missing(read.missing)
            kept = np.arange(read.nrows)
            frame = read
            if read.missing:
                kept = np.flatnonzero(~np.logical_or.reduce(list(read.missing.values())))
                frame = read.take(kept)
            yield read, frame, before + kept
            before += read.nrows

    def _extras(self, frame: Frame) -> tuple[Extra, Extra]:
        return read_extra("weights", self.weights, frame, None), read_extra(
            "offset", self.offset, frame, None
        )

    # ---- functions that learn ---

    def _functions(self) -> None:
        """What functions of the formula learn, each from its own columns whole: exactly what it is of a table
        in memory."""
        calls = list(
            dict.fromkeys(call for part in parts_of(self.scope.formula) for call in learning_calls(part))
        )
        if not calls:
            return
        n = sum(len(rows) for _, _, rows in self.frames())
        for call in calls:
            names = sorted(used_names(call) & self.memory.columns)
            self.room(8.0 * n * _COPIES * (len(names) + 1), _WHOLE.format(call=call))
            if n:
                frames = [frame.select(names) for _, frame, _ in self.frames() if frame.nrows]
                whole = joined(frames, self.source.given_order)
                Evaluator(whole.columns, n, self.memory).value(call)

    # ---- the rows that show everything ---

    def _shown(self) -> tuple[Frame | None, np.ndarray, Counted]:
        """The rows that show all there is to be learnt, their numbers, and what was counted of all rows."""
        counted, shown, numbers = Counted(), None, np.zeros(0, dtype=np.int64)
        limit = 0
        for read, frame, rows in self.frames():
            counted.n_read += read.nrows
            counted.n += frame.nrows
            for name, mask in read.missing.items():
                counted.missing[name] = counted.missing.get(name, 0) + int(mask.sum())
            if not frame.nrows:
                continue
            _add_covariates(counted.covariates, frame)
            some = self._showing(frame)
            shown, numbers = self._with(shown, numbers, frame.take(some), rows[some])
            if len(numbers) > limit:
                some = self._showing(shown)
                shown, numbers = shown.take(some), numbers[some]
                limit = 2 * len(numbers) + 1024
        return shown, numbers, counted

    def _showing(self, frame: Frame) -> np.ndarray:
        return showing(self.scope.formula, frame, self.memory, self._extras(frame))

    def _with(
        self, shown: Frame | None, numbers: np.ndarray, more: Frame, rows: np.ndarray
    ) -> tuple[Frame, np.ndarray]:
        if shown is None:
            return more, rows
        return joined([shown, more], self.source.given_order), np.concatenate([numbers, rows])


def _add_covariates(known: dict[str, Covariate], frame: Frame) -> None:
    for name, found in Covariate.of_columns(frame, frame.columns).items():
        known[name] = known[name] + found if name in known else found


def learning_calls(part: Node | Sum) -> Iterator[Call]:
    """The outermost calls of functions that look at all rows."""
    waiting: list[Node] = [node for _, node in part.items] if isinstance(part, Sum) else [part]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, Call) and _learns(node.function):
            yield node
            continue
        waiting.extend(children(node))


def _learns(name: str) -> bool:
    return name in FUNCTIONS and FUNCTIONS[name].name not in _FORGETFUL
