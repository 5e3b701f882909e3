"""What chunks of rows teach, as values that add: learnt apart, on any machine, and put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from interlace.design import checks
from interlace.design.design import Design
from interlace.design.encoding import NA_ACTIONS
from interlace.design.evaluation import Evaluator, Memory
from interlace.design.extras import Extra, read_extra
from interlace.design.frame import Frame
from interlace.design.functions import FUNCTIONS
from interlace.design.functions.constants import CONSTANT_FUNCTIONS
from interlace.design.functions.elementwise import ELEMENTWISE
from interlace.design.joining import Known, joined, showing
from interlace.design.learning import Learner
from interlace.design.learnt import Covariate, Learnt
from interlace.design.scope import Scope, check_columns, settle
from interlace.errors import DataError, shown
from interlace.formula.formula import Formula, Sum
from interlace.formula.names import computed_with, parts_of, used_names
from interlace.formula.tree import Call, Node, children
from interlace.frozen import dataclass

_FORGETFUL = frozenset(function.name for function in (*ELEMENTWISE, *CONSTANT_FUNCTIONS))
_LEAST = 1024  # rows that are kept whatever they show


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be learnt, settled before any row is looked at.

    Attributes
    ----------
    scope : Scope
    memory : Memory
    weights, offset : str or None
        Columns that hold them.
    na_action : str
    """

    scope: Scope
    memory: Memory
    weights: str | None
    offset: str | None
    na_action: str

    @classmethod
    def of(
        cls,
        formula: Formula,
        names: list[str],
        *,
        weights: Any,
        offset: Any,
        na_action: str,
        context: Mapping[str, Any] | None,
    ) -> Task:
        """Of a formula and the names of the columns.

        Raises
        ------
        FormulaError, DataError
            A name is nowhere, or an option is no name of a column.
        """
        for role, given in {"weights": weights, "offset": offset}.items():
            if given is not None and not isinstance(given, str):
                raise DataError(
                    f"{role} of rows that are read in chunks must be the name of a column, not values"
                )
        if na_action not in NA_ACTIONS:
            raise DataError(f"na_action {shown(na_action)} is not known; use 'drop' or 'raise'")
        used = [name for name in (weights, offset) if name is not None]
        check_columns(names, used)
        scope = settle(formula, names, context, used)
        memory = Memory(scope.context, {}, scope.formula.text, frozenset(scope.columns))
        return cls(scope, memory, weights, offset, na_action)

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        options = [name for name in (self.weights, self.offset) if name is not None]
        return list(dict.fromkeys([*self.scope.columns, *options]))

    @property
    def calls(self) -> list[Call]:
        """The calls of functions that look at all rows."""
        parts = parts_of(self.scope.formula)
        return list(dict.fromkeys(call for part in parts for call in learning_calls(part)))

    def columns_of(self, call: Call) -> list[str]:
        """The columns that a call is about."""
        return sorted(used_names(call) & self.memory.columns)

    def complete(self, read: Frame) -> tuple[Frame, np.ndarray | None]:
        """The rows without missing values, and their numbers among those read; None if these are all."""
        if read.missing and self.na_action != "drop":
            checks.refuse_missing(read.missing)
        if not read.missing:
            return read, None
        kept = np.flatnonzero(~np.logical_or.reduce(list(read.missing.values())))
        return read.take(kept), kept

    def extras(self, frame: Frame) -> tuple[Extra, Extra]:
        """Weights and offset of rows."""
        return read_extra("weights", self.weights, frame, None), read_extra(
            "offset", self.offset, frame, None
        )

    def teach(self, call: Call, whole: Frame) -> None:
        """A function of the formula learns from its columns, which are there whole."""
        Evaluator(whole.columns, whole.nrows, self.memory).value(call)

    def remembering(self) -> Task:
        """The same with a memory of its own, so that what is learnt does not change this one."""
        memory = self.memory
        return replace(self, memory=Memory(memory.context, dict(memory.state), memory.text, memory.columns))

    def learn(self, seen: Seen, contrasts: Mapping[str, Any]) -> Learnt:
        """By the usual steps, on the rows that show everything.

        Raises
        ------
        FormulaError, DataError, ModelError
        """
        counted = seen.counted
        checks.check_not_empty(counted.n_read, counted.n_read, {})
        if seen.shown is None:
            by_column = ", ".join(f"'{name}' {count}" for name, count in counted.missing.items())
            raise DataError(
                f"every one of the {counted.n_read} rows has a missing value (missing by column: {by_column})"
            )
        learner = Learner(self.scope.formula, seen.shown, seen.numbers, self.memory)
        learnt, _ = learner.run(Learnt, *self.extras(seen.shown), dict(contrasts), {}, counted.n_read)
        return replace(learnt, covariates={name: counted.covariates[name] for name in learnt.covariates})


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows as they were read, and those of them that have no missing values.

    Attributes
    ----------
    read, frame : Frame
    kept : ndarray of int or None
        Which of those read the others are; None if they are all.
    before : int
        Rows that were read before these.
    design : Design or None
        The rows without missing values as numbers, if they were made already.
    """

    read: Frame
    frame: Frame
    kept: np.ndarray | None
    before: int = 0
    design: Design | None = None

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """The numbers of some of the rows without missing values, among all that were read."""
        return self.before + (rows if self.kept is None else self.kept[rows])


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted on the way.

    Attributes
    ----------
    n, n_read : int
        Rows used, rows read.
    missing : dict of str to int
        Missing values by column.
    covariates : dict of str to Covariate
        Of the columns of numbers that are more than the labels of groups.
    """

    n: int
    n_read: int
    missing: dict[str, int]
    covariates: dict[str, Covariate]

    @classmethod
    def of(cls, task: Task, read: Frame, frame: Frame) -> Counted:
        """Of rows as read, and those of them without missing values."""
        missing = {name: int(mask.sum()) for name, mask in read.missing.items()}
        names = frame.columns.keys() & computed_with(task.scope.formula)
        covariates = Covariate.of_columns(frame, sorted(names)) if frame.nrows else {}
        return cls(frame.nrows, read.nrows, missing, covariates)

    def __add__(self, other: Counted) -> Counted:
        missing, covariates = dict(self.missing), dict(self.covariates)
        for name, count in other.missing.items():
            missing[name] = missing.get(name, 0) + count
        for name, found in other.covariates.items():
            covariates[name] = covariates[name] + found if name in covariates else found
        return Counted(self.n + other.n, self.n_read + other.n_read, missing, covariates)


@dataclass(frozen=True, slots=True)
class Seen:
    """Rows that show all there is to be learnt of those that were looked at, and what was counted of all.

    Attributes
    ----------
    counted : Counted
    shown : Frame or None
        None where no row was without missing values.
    numbers : ndarray of int
        Of the rows shown, among all.
    limit : int
        With more rows than this, those that show nothing more are left out.
    """

    counted: Counted
    shown: Frame | None
    numbers: np.ndarray
    limit: int

    @classmethod
    def nothing(cls) -> Seen:
        """Of no rows."""
        return cls(Counted(0, 0, {}, {}), None, np.zeros(0, dtype=np.int64), 0)

    @classmethod
    def of(cls, task: Task, batch: Chunk, known: Known | None = None) -> Seen:
        """Of the rows of a batch, less what is known of others already."""
        read, frame = batch.read, batch.frame
        counted = Counted.of(task, read, frame)
        if not frame.nrows:
            return replace(cls.nothing(), counted=counted)
        some = _showing(task, frame, known)
        return cls(counted, frame.take(some), batch.numbers(some), 0)

    def plus(self, others: Sequence[Seen], task: Task, given_order: frozenset[str]) -> Seen:
        """Of the rows of all, those of the others after these.

        Parameters
        ----------
        others : sequence of Seen
            In the order of their rows.
        task : Task
        given_order : frozenset of str
            Columns whose levels have an order of their own.
        """
        counted = reduce(add, (other.counted for other in others), self.counted)
        parts = [part for part in (self, *others) if part.shown is not None]
        if not parts:
            return replace(self, counted=counted)
        shown = joined([part.shown for part in parts if part.shown is not None], given_order)
        numbers = np.concatenate([part.numbers for part in parts])
        limit = max(part.limit for part in parts)
        if len(numbers) <= limit or len(parts) == 1:
            return Seen(counted, shown, numbers, limit)
        some = _showing(task, shown)
        return Seen(counted, shown.take(some), numbers[some], 2 * len(some) + _LEAST)


def _showing(task: Task, frame: Frame, known: Known | None = None) -> np.ndarray:
    return showing(task.scope.formula, frame, task.memory, task.extras(frame), known)


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
