"""Chunks of rows put together, and the few rows of them that show all there is to be learnt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

import numpy as np

from interlace import kernel
from interlace.design.evaluation import Evaluator, Memory
from interlace.design.extras import Extra
from interlace.design.frame import Frame
from interlace.design.grouping import learn_grouping
from interlace.design.learnt import grouping_columns
from interlace.design.scan import Scan
from interlace.design.values import Column, Factor, Matrix, Value, as_integers
from interlace.formula.algebra import terms_of
from interlace.formula.formula import Formula, plain_name
from interlace.formula.names import computed_with
from interlace.formula.tree import Node

_WIDEST = 1 << 25  # from the least to the largest of whole numbers that are kept in a table
_END = 1 << 63  # of the integers that the core has
SPREAD = 16  # rows of a chunk that are taken besides, so that no product of columns looks constant


def joined(frames: Sequence[Frame], given_order: frozenset[str]) -> Frame:
    """The rows of all frames, one after another; levels are those of any.

    Parameters
    ----------
    frames : sequence of Frame
        With the same columns; at least one.
    given_order : frozenset of str
        Columns whose levels keep the order in which they appear; those of others are sorted.
    """
    first = frames[0]
    columns = {
        name: _column([f.columns[name] for f in frames], name in given_order) for name in first.columns
    }
    missing = {}
    for name in dict.fromkeys(name for frame in frames for name in frame.missing):
        masks = [f.missing.get(name, np.zeros(f.nrows, dtype=bool)) for f in frames]
        missing[name] = np.concatenate(masks)
    return Frame(columns, missing, sum(f.nrows for f in frames), first.library, None)


def _column(parts: list[Column], given_order: bool) -> Column:
    if len(parts) == 1:
        return parts[0]
    factors = [part for part in parts if isinstance(part, Factor)]
    if not factors:
        return np.concatenate([part for part in parts if isinstance(part, np.ndarray)])
    factors = [part if isinstance(part, Factor) else _nothing(part) for part in parts]
    levels = _united([f.levels for f in factors if len(f.levels)], given_order)
    return Factor(np.concatenate([f.recode(levels).codes for f in factors]), levels, factors[0].ordered)


def _nothing(values: np.ndarray) -> Factor:
    """A chunk of a column of text in which every value is missing is read as numbers."""
    return Factor(np.full(len(values), -1, dtype=np.int32), np.array([], dtype=object))


def _united(parts: list[np.ndarray], given_order: bool) -> np.ndarray:
    if not parts:
        return np.array([], dtype=object)
    if all(part is parts[0] or np.array_equal(part, parts[0]) for part in parts[1:]):
        return parts[0]
    everything = np.concatenate(parts)
    distinct = list(dict.fromkeys(everything.tolist()))
    levels = np.array(distinct if given_order else sorted(distinct), dtype=everything.dtype)
    return levels


class Known:
    """What the rows of earlier chunks have shown: whole numbers that are levels of grouping factors, and
    between which numbers the values of a column lie."""

    def __init__(self) -> None:
        self._tables: dict[str, tuple[int, np.ndarray]] = {}
        self._left: dict[str, int] = {}  # whole numbers of a table that did not occur yet
        self._ranges: dict[str, tuple[float, float]] = {}

    def widened(self, name: str, scan: Scan) -> bool:
        """Does a column have lower or higher values than before? From now on these are known."""
        low, high = self._ranges.get(name, (np.inf, -np.inf))
        self._ranges[name] = min(low, scan.low), max(high, scan.high)
        return scan.low < low or scan.high > high

    def new(self, group: str, values: np.ndarray) -> np.ndarray | None:
        """Rows in which others occur for the first time; from now on they are known. None where there are no
        whole numbers of 64 bits, or they lie too far apart for a table of them."""
        if values.dtype.kind not in "iu" or not len(values):
            return None
        low, high = int(values.min()), int(values.max())
        if high >= _END:
            return None
        start, table = self._tables.get(group, (low, np.zeros(0, dtype=np.int8)))
        first, last = min(low, start), max(high + 1, start + len(table))
        if last - first > _WIDEST:
            return None
        if last - first > len(table):
            wider = np.zeros(last - first, dtype=np.int8)
            wider[start - first : start - first + len(table)] = table
            self._left[group] = self._left.get(group, 0) + len(wider) - len(table)
            start, table = first, wider
            self._tables[group] = start, table
        if not self._left[group]:
            return np.zeros(0, dtype=np.int64)
        rows: np.ndarray = kernel.first_met(as_integers(values), start, table)
        self._left[group] -= len(rows)
        return rows


def showing(
    formula: Formula, frame: Frame, memory: Memory, extras: Iterable[Extra], known: Known | None = None
) -> np.ndarray:
    """Rows, increasing, in which every level, every combination of grouping factors, and the extremes of
    every number of a model occur: what is learnt from them is what is learnt from all rows. Levels that are
    known from other rows are left out."""
    rows: list[np.ndarray | list[int]] = [np.linspace(0, frame.nrows - 1, SPREAD).astype(int)]
    evaluator = Evaluator(frame.columns, frame.nrows, memory)
    for term in formula.random:
        columns = grouping_columns(term, frame, memory)
        if known is not None and len(columns) == 1 and isinstance(columns[0], np.ndarray):
            new = known.new(term.group, columns[0])
            if new is not None:
                rows.append(new)
                continue
        found, codes = learn_grouping(term.group, term.factors, columns)
        rows.append(first_of_codes(codes, found.n_levels))
    passed = {
        name for name, scan in frame.scans.items() if known is not None and not known.widened(name, scan)
    }
    rows += [_seen(value) for value in _used(formula, frame, evaluator, passed)]
    rows += [_seen(extra.values) for extra in extras if extra.values is not None]
    every = np.sort(np.concatenate([np.asarray(part, dtype=np.int64) for part in rows]))
    different: np.ndarray = every[np.append(every[1:] > every[:-1], True)]
    return different


def _used(formula: Formula, frame: Frame, evaluator: Evaluator, passed: Set[str]) -> list[Value]:
    """The values of all expressions and columns that are more than the labels of groups, each once; but for
    the columns of numbers that are passed over."""
    found = [evaluator.value(node) for node in members(formula) if plain_name(node) not in passed]
    found += [evaluator.column(node) for node in (formula.response, *formula.offsets)]
    for name, column in frame.columns.items():
        if name in computed_with(formula) and isinstance(column, np.ndarray) and column.dtype.kind in "iuf":
            found.append(column)
    values = {id(value): value for value in found}
    for name in passed:
        values.pop(id(frame.columns[name]), None)
    return list(values.values())


def members(formula: Formula) -> list[Node]:
    """The expressions of all terms, each once."""
    sums = (formula.fixed, *(term.columns for term in formula.random))
    return list(dict.fromkeys(member for rhs in sums for term in terms_of(rhs) for member in term.members))


def _seen(value: Value) -> list[int] | np.ndarray:
    if isinstance(value, Matrix):
        return [row for column in value.values.T for row in _extremes(column)]
    if isinstance(value, Factor):
        return first_of_codes(value.codes, len(value.levels))
    if not isinstance(value, np.ndarray) or not len(value):
        return []
    if value.ndim == 1 and value.dtype.kind in "iuf":
        return _extremes(value)
    return np.unique(value, return_index=True)[1] if value.ndim == 1 else []


def _extremes(values: np.ndarray) -> list[int]:
    return [int(np.argmin(values)), int(np.argmax(values))]


def first_of_codes(codes: np.ndarray, levels: int) -> np.ndarray:
    """Where each code occurs first, of codes from 0 to `levels` - 1; -1, a missing value, is one as well."""
    first = np.full(levels + 1, -1, dtype=np.int64)
    first[codes[::-1]] = np.arange(
        len(codes) - 1, -1, -1
    )  # of several, the last assignment stays; -1: at the end
    return first[first >= 0]
