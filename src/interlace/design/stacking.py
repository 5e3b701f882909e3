"""Rows of designs of one encoding, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from interlace.design.columns import Coded, Columns, Plain
from interlace.design.design import Design, RandomRows
from interlace.design.frame import Frame


def stacked(designs: Sequence[Design]) -> Design:
    """All rows, without what sums over them do not need: the frame, and their places in the table.

    Parameters
    ----------
    designs : sequence of Design
        At least one, of the same encoding, with responses.
    """
    n = sum(design.nrows for design in designs)
    return replace(
        designs[0],
        y=_below([design.y for design in designs]),
        fixed=_fixed([design.fixed for design in designs]),
        random=_random([design.random for design in designs]),
        absorbed=_random([design.absorbed for design in designs]),
        weights=_below([design.weights for design in designs]),
        offset=_below([design.offset for design in designs]),
        n_rows_read=sum(design.n_rows_read for design in designs),
        kept=None,
        missing=(),
        frame=Frame({}, {}, n, designs[0].frame.library),
        source=None,
    )


def _fixed(parts: Sequence[Columns]) -> Columns:
    if all(_held_alike(parts[0], part) for part in parts):
        return parts[0].with_arrays(
            [np.concatenate(same) for same in zip(*(part.arrays() for part in parts), strict=True)]
        )
    return Plain(np.concatenate([part.array() for part in parts]))


def _held_alike(a: Columns, b: Columns) -> bool:
    """Whether columns are held as codes may depend on the number of rows."""
    if isinstance(a, Coded) and isinstance(b, Coded):
        return a.places == b.places
    return isinstance(a, Plain) and isinstance(b, Plain)


def _random(parts: Sequence[tuple[RandomRows, ...]]) -> tuple[RandomRows, ...]:
    return tuple(
        RandomRows(np.concatenate([r.codes for r in same]), np.concatenate([r.z for r in same]))
        for same in zip(*parts, strict=True)
    )


def _below(values: Sequence[np.ndarray | None]) -> np.ndarray | None:
    there = [value for value in values if value is not None]
    return np.concatenate(there) if there else None


def nbytes(design: Design) -> int:
    """What the numbers of these rows take in memory."""
    arrays = [design.y, design.weights, design.offset, *design.fixed.arrays()]
    arrays += [array for r in (*design.random, *design.absorbed) for array in (r.codes, r.z)]
    return sum(array.nbytes for array in arrays if array is not None)
