"""The values of the members of terms where the columns of the data have chosen values, not those of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from interlace.design.basis import TermBasis
from interlace.design.evaluation import Evaluator
from interlace.design.learnt import Learnt
from interlace.design.rows import Rows
from interlace.design.values import Column, Factor
from interlace.formula.names import used_names
from interlace.formula.tree import Call, Node
from interlace.frozen import dataclass

#: Calls that make a factor of the values of a column as they are.
_MAKE_FACTORS = (
    "factor",
    "ordered",
    "C",
    "as.factor",
    "as_factor",
    "as.ordered",
    "as.character",
    "as_character",
)


@dataclass(frozen=True, slots=True)
class Member:
    """An expression of the fixed part.

    Attributes
    ----------
    name : str
        ``x``, ``log(x)``, ``factor(x)``.
    columns : tuple of str
        The columns of the data that it uses, in their order there.
    as_levels : bool
        Whether it makes a factor of the values of one column as they are, as ``factor(x)`` does.
    """

    name: str
    columns: tuple[str, ...]
    as_levels: bool


def members_of(encoding: Learnt) -> dict[str, Member]:
    """The members of the terms of the fixed part."""
    if not isinstance(encoding.fixed, TermBasis):
        return {n: Member(n, (n,), False) for members in encoding.fixed.members for n in members}
    return {name: _member(name, node, encoding) for name, node in encoding.fixed.nodes.items()}


def _member(name: str, node: Node, encoding: Learnt) -> Member:
    columns = tuple(sorted(used_names(node) & encoding.memory.columns))
    makes = isinstance(node, Call) and node.function in _MAKE_FACTORS and len(columns) == 1
    return Member(name, columns, makes)


def member_values(encoding: Learnt, name: str, columns: Mapping[str, Column], nrows: int) -> np.ndarray:
    """What the parts of products take: codes (n,) of a factor, else numbers (n, k)."""
    if not isinstance(encoding.fixed, TermBasis):
        return np.asarray(columns[name], dtype=np.float64).reshape(-1, 1)
    value = Evaluator(columns, nrows, encoding.memory).value(encoding.fixed.nodes[name])
    return encoding.fixed.parts[name].conformed(value, nrows)


def columns_of_rows(
    rows: Rows, names: Iterable[str]
) -> Iterator[tuple[dict[str, Column], np.ndarray, np.ndarray | None]]:
    """Chunk by chunk, some columns of the rows used, their prior weights (n,) and offsets (n,) or None."""
    wanted = list(names)
    for design in rows.designs():
        weights = np.ones(design.nrows) if design.weights is None else design.weights
        yield {name: design.frame.columns[name] for name in wanted}, weights, design.offset


def chosen_values(values: Sequence[Any], like: Column) -> Column:
    """Chosen values as a column of the kind that the data have; they are among its levels if it has some."""
    if isinstance(like, Factor):
        place = {level: j for j, level in enumerate(like.levels.tolist())}
        return Factor(np.array([place[v] for v in values], dtype=np.int32), like.levels, like.ordered)
    return np.array(values, dtype=bool if like.dtype.kind == "b" else np.float64)


def levels_of(column: Column) -> list[Any]:
    """The distinct values, in the order of the levels of a factor; those of numbers sorted."""
    if isinstance(column, Factor):
        return list(column.drop_unused().levels.tolist())
    return list(np.unique(column).tolist())


def with_levels(columns: Sequence[Column]) -> Column:
    """No rows, but the kind and all levels of chunks of a column."""
    first = columns[0]
    if not isinstance(first, Factor):
        return first[:0]
    levels = list(dict.fromkeys(v for c in columns if isinstance(c, Factor) for v in c.levels.tolist()))
    if len(levels) == len(first.levels):
        return first.take(np.zeros(0, dtype=np.intp))
    found = np.empty(len(levels), dtype=object)
    found[:] = levels
    return Factor(np.zeros(0, dtype=np.int32), found, first.ordered)


def codes_among(column: Column, values: Sequence[Any]) -> np.ndarray:
    """The places of the values of a column among these, (n,); -1 for others."""
    if isinstance(column, Factor):
        place = {value: j for j, value in enumerate(values)}
        lookup = np.array([*(place.get(v, -1) for v in column.levels.tolist()), -1], dtype=np.int64)
        return np.asarray(lookup[column.codes])
    known = np.asarray(values, dtype=column.dtype if column.dtype.kind == "b" else np.float64)
    order = np.argsort(known)
    at = np.minimum(np.searchsorted(known[order], column), len(known) - 1)
    return np.where(known[order][at] == column, order[at], -1)
