"""Rows that belong together, from chunks over which they may be spread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from interlace.design.design import Design
from interlace.design.rows import FrameRows, Rows
from interlace.design.stacking import stacked
from interlace.design.streaming import Room

_APART = (
    "the rows of '{name}' lie apart in the data, so that {{}} of rows would wait for others of their level: "
    "sort the data by '{name}', or fit the table in memory"
)


def some_rows(design: Design, rows: np.ndarray) -> Design:
    """Some rows, with all columns and levels."""
    return replace(
        design,
        y=None if design.y is None else design.y[rows],
        fixed=design.fixed.take(rows),
        random=tuple(replace(r, codes=r.codes[rows], z=r.z[rows]) for r in design.random),
        weights=None if design.weights is None else design.weights[rows],
        offset=None if design.offset is None else design.offset[rows],
    )


def gathered(
    rows: Rows, codes: np.ndarray, size: int, name: str, room: Room
) -> Iterator[tuple[np.ndarray, Design]]:
    """All rows of some levels at a time, until each row was there once: their places, and the rows.

    A table is one piece. Of rows in chunks, levels come when their last row was read, and others wait.

    Parameters
    ----------
    rows : Rows
    codes : ndarray of int, (n,)
        The level of each row; rows of level -1 are left out.
    size : int
        Number of levels.
    name : str
        What the levels are of, for the message.
    room : callable
        Refuses more rows that wait than fit in memory.
    """
    if isinstance(rows, FrameRows):
        yield np.arange(rows.n), rows.design
        return
    missing = np.bincount(codes[codes >= 0], minlength=size)  # rows of each level that were not read yet
    waiting: list[tuple[np.ndarray, Design]] = []
    start = 0
    for design in rows.designs():
        places = np.arange(start, start + design.nrows)
        start += design.nrows
        wanted = np.flatnonzero(codes[places] >= 0)
        if not wanted.size:
            continue
        if len(wanted) < len(places):
            places, design = places[wanted], some_rows(design, wanted)
        here, count = np.unique(codes[places], return_counts=True)
        missing[here] -= count
        waiting.append((places, design))
        complete = here[missing[here] == 0]
        if not complete.size:
            _check_room(waiting, name, room)
            continue
        done = np.zeros(size, dtype=bool)
        done[complete] = True
        every, all_of_them = _stacked(waiting)
        ready = done[codes[every]]
        yield every[ready], some_rows(all_of_them, np.flatnonzero(ready))
        left = np.flatnonzero(~ready)
        waiting = [(every[left], some_rows(all_of_them, left))] if left.size else []
        _check_room(waiting, name, room)


def _check_room(waiting: Sequence[tuple[np.ndarray, Design]], name: str, room: Room) -> None:
    numbers = sum(
        d.nrows * (d.fixed.shape[1] + sum(r.z.shape[1] + 1 for r in d.random) + 4) for _, d in waiting
    )
    room(3 * 8.0 * numbers, _APART.format(name=name))


def _stacked(parts: Sequence[tuple[np.ndarray, Design]]) -> tuple[np.ndarray, Design]:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([places for places, _ in parts]), stacked([design for _, design in parts])
