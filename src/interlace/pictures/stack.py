"""Rows below each other, in groups: what pictures of them have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.frozen import dataclass
from interlace.pictures.canvas import axes, caption, height_of, rows_of, tidy

WIDTH = 6.4  # inches


@dataclass(frozen=True, slots=True)
class Block:
    """A group of rows.

    Attributes
    ----------
    heading : str
        "" for the only group.
    rows : ndarray of int
        Places among all rows, in their order from the top.
    """

    heading: str
    rows: np.ndarray


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the picture.

    Attributes
    ----------
    place : float
        From the top.
    text : str
    row : int or None
        The place among all rows; None for a heading.
    """

    place: float
    text: str
    row: int | None


@dataclass(frozen=True, slots=True)
class Stack:
    """The rows.

    Attributes
    ----------
    labels : sequence of str, (m,)
    blocks : sequence of Block
    x, y : str
        What stands at the axes.
    words : str
        Above the picture.
    """

    labels: Sequence[str]
    blocks: Sequence[Block]
    x: str
    y: str
    words: str

    def lines(self) -> Iterator[Line]:
        """From the top."""
        place = 0.0
        for i, block in enumerate(self.blocks):
            if block.heading:
                place += 0.4 if i else 0.0
                yield Line(place, block.heading, None)
                place += 1.0
            for row in block.rows.tolist():
                yield Line(place, self.labels[row], row)
                place += 1.0

    @property
    def at(self) -> Array:
        """The place of each row, (m,)."""
        at = np.zeros(len(self.labels))
        for line in self.lines():
            if line.row is not None:
                at[line.row] = line.place
        return at

    def axes(self, ax: Any) -> Any:
        """Those that were given, or new ones with room for all lines."""
        return axes(ax, WIDTH, height_of(len(list(self.lines()))))

    def finished(self, ax: Any, *, grid: str) -> Any:
        """The axes with all labels, and grid lines along one axis."""
        lines = list(self.lines())
        tidy(ax, grid)
        rows_of(
            ax,
            [line.text for line in lines],
            [line.row is None for line in lines],
            [line.place for line in lines],
        )
        ax.set_xlabel(self.x)
        ax.set_ylabel(self.y)
        caption(ax, self.words)
        return ax
