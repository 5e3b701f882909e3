"""What a model keeps of the caller's table is its own: nothing that the caller changes later reaches it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from interlace.design.basis import Basis, NumericBasis
from interlace.design.columns import Columns, Plain
from interlace.design.design import Design, RandomRows
from interlace.design.frame import Frame
from interlace.design.learnt import Learnt
from interlace.design.values import Column, Factor
from interlace.formula.formula import Formula, Sum, plain_name
from interlace.formula.names import used_names
from interlace.formula.tree import Node


def owned(learnt: Learnt, design: Design, read: Frame) -> Design:
    """The design with memory of its own, none of it shared with the table that was read.

    Each column is copied once at most: a column of numbers that is a column of X or Z is a view of that, and
    one that only groups rows is kept as the codes of its levels. Arrays are read-only.

    Parameters
    ----------
    learnt : Learnt
    design : Design
        The rows used, as `Learner` made them from `read` or from some of its rows.
    read : Frame
        The columns as they were read; some may lie in the caller's memory.
    """
    lent = list(read.columns.values())
    y = None if design.y is None else _own(design.y, lent)
    random = tuple(RandomRows(_own(rows.codes, lent), _own(rows.z, lent)) for rows in design.random)
    absorbed = tuple(RandomRows(_own(rows.codes, lent), _own(rows.z, lent)) for rows in design.absorbed)
    fixed = design.fixed.with_arrays([_own(array, lent) for array in design.fixed.arrays()])
    design = replace(design, y=y, fixed=fixed, random=random, absorbed=absorbed)
    for values in (design.weights, design.offset):
        if values is not None:
            values.flags.writeable = False
    return replace(design, frame=design.frame.owned(_known(learnt, design), read))


def _own(values: np.ndarray, lent: list[Column]) -> np.ndarray:
    """The array, or a copy if it lies in memory that was lent; read-only."""
    for column in lent:
        if np.may_share_memory(values, _memory(column)):
            values = values.copy()
            break
    values.flags.writeable = False
    return values


def _memory(column: Column) -> np.ndarray:
    return column.codes if isinstance(column, Factor) else column


def _known(learnt: Learnt, design: Design) -> dict[str, Column]:
    """Columns of the table that the design holds already."""
    columns = design.frame.columns
    found: dict[str, Column] = {}
    parts: list[tuple[Basis, Columns]] = [(learnt.fixed, design.fixed)]
    parts += [(block.basis, Plain(rows.z)) for block, rows in zip(learnt.random, design.random, strict=True)]
    for basis, matrix in parts:
        for name, j in _bare(basis).items():
            values = matrix.number(j)
            if name not in found and values is not None and _is_number(columns.get(name)):
                found[name] = values
    response = plain_name(learnt.formula.response)
    if response is not None and response in columns and response not in found and design.y is not None:
        found[response] = design.y
    in_use = _computed_with(learnt.formula)
    for block, rows in zip(learnt.random, design.random, strict=True):
        name = block.group
        if name in columns and name not in found and name not in in_use and len(block.grouping.factors) == 1:
            found[name] = Factor(rows.codes, block.levels)
    return found


def _computed_with(formula: Formula) -> frozenset[str]:
    """Names whose values the formula uses otherwise than to group rows."""
    parts: list[Node | Sum] = [formula.response, formula.fixed, *formula.offsets]
    return frozenset().union(*map(used_names, [*parts, *(term.columns for term in formula.random)]))


def _is_number(column: Column | None) -> bool:
    """Whether a column of X can stand for it: a logical one is a factor, whatever its column of X is."""
    return isinstance(column, np.ndarray) and column.dtype.kind in "iuf"


def _bare(basis: Basis) -> dict[str, int]:
    """Columns of a basis that are columns of the table as they are."""
    if isinstance(basis, NumericBasis):
        return {
            name: j for j, name in enumerate(basis.variables, int(basis.intercept)) if name.isidentifier()
        }
    return {
        members[0]: columns.start
        for (_, columns), members in zip(basis.terms, basis.members, strict=True)
        if len(members) == 1 and members[0].isidentifier() and columns.stop - columns.start == 1
    }
