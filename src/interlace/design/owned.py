"""What a model keeps of the caller's table is its own: nothing that the caller changes later reaches it."""

from __future__ import annotations

import numpy as np

from interlace.design.basis import Basis, NumericBasis
from interlace.design.columns import Columns, Plain
from interlace.design.design import Design, RandomRows, Source
from interlace.design.frame import Frame
from interlace.design.learnt import Learnt
from interlace.design.values import Column, Factor
from interlace.formula.formula import plain_name
from interlace.formula.names import computed_with


def owned(learnt: Learnt, design: Design, read: Frame, *, source: Source, singletons: int) -> Design:
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
    source, singletons
        As for `Design`.
    """
    lent = [c.codes if isinstance(c, Factor) else c for c in read.columns.values()]
    y = None if design.y is None else _own(design.y, lent)
    random = tuple([RandomRows(_own(rows.codes, lent), _own(rows.z, lent)) for rows in design.random])
    absorbed = design.absorbed
    if absorbed:
        absorbed = tuple([RandomRows(_own(rows.codes, lent), _own(rows.z, lent)) for rows in absorbed])
    fixed = design.fixed.with_arrays([_own(array, lent) for array in design.fixed.arrays()])
    for values in (design.weights, design.offset):
        if values is not None:
            values.flags.writeable = False
    frame = design.frame.owned(_known(learnt, design.frame.columns, y, fixed, random), read)
    return Design(
        y, fixed, random, design.weights, design.offset, design.n_rows_read, design.kept, design.missing,
        frame, source, absorbed, singletons, design.repeats,
    )  # fmt: skip


def _own(values: np.ndarray, lent: list[np.ndarray]) -> np.ndarray:
    """The array, or a copy if it lies in memory that was lent; read-only."""
    for column in lent:
        # an array that owns its memory shares it with views of itself alone
        base = column.base
        apart = values.base is None and (base is None or isinstance(base, np.ndarray))
        if column is values or base is values or (not apart and np.may_share_memory(values, column)):
            values = values.copy()
            break
    values.flags.writeable = False
    return values


def _known(
    learnt: Learnt,
    columns: dict[str, Column],
    y: np.ndarray | None,
    fixed: Columns,
    random: tuple[RandomRows, ...],
) -> dict[str, Column]:
    """Columns of the table that the design holds already."""
    found: dict[str, Column] = {}
    parts: dict[int, tuple[Basis, Columns]] = {id(learnt.fixed): (learnt.fixed, fixed)}
    for block, rows in zip(learnt.random, random, strict=True):
        if id(block.basis) not in parts:
            parts[id(block.basis)] = block.basis, Plain(rows.z)
    for basis, matrix in parts.values():
        for name, j in _bare(basis).items():
            values = matrix.number(j)
            if name not in found and values is not None and _is_number(columns.get(name)):
                found[name] = values
    response = plain_name(learnt.formula.response)
    if response is not None and response in columns and response not in found and y is not None:
        found[response] = y
    in_use = computed_with(learnt.formula)
    for block, rows in zip(learnt.random, random, strict=True):
        name = block.group
        if name in columns and name not in found and name not in in_use and len(block.grouping.factors) == 1:
            found[name] = Factor(rows.codes, block.levels)
    return found


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
