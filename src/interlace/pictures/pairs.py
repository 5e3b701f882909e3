"""Contours of pairs of quantities, a panel for each pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError
from interlace.frozen import dataclass
from interlace.pictures.canvas import COLOURS, INK, SOFT, pyplot


@dataclass(frozen=True, slots=True)
class Contours:
    """Lines in the plane of a pair.

    Attributes
    ----------
    lines : sequence of ndarray, (m, 2)
        Closed ones, the innermost first.
    traces : sequence of ndarray, (m, 2)
        Where one quantity is at its best, given the other.
    """

    lines: Sequence[Array]
    traces: Sequence[Array]


@dataclass(frozen=True, slots=True)
class Pairs:
    """What is drawn.

    Attributes
    ----------
    names : sequence of str
    contours : mapping of (int, int) to Contours
        For the panel in a row and a column; the horizontal axis is that of the column.
    words : str
        Above the picture.
    """

    names: Sequence[str]
    contours: Mapping[tuple[int, int], Contours]
    words: str


def pair_plot(pairs: Pairs, ax: Any) -> Any:
    """Draw them; the axes come back, (k, k)."""
    k = len(pairs.names)
    if ax is None:
        size = 1.2 + 1.75 * k
        figure, every = pyplot().subplots(k, k, figsize=(size, size), layout="constrained", squeeze=False)
        figure.suptitle(pairs.words, fontsize=8.5, color=SOFT, x=0.01, ha="left")
    else:
        every = np.array(ax, dtype=object)
        if every.size != k * k:
            raise DataError(f"this picture has {k} x {k} panels, and ax has {every.size}: give as many axes")
        every = every.reshape(k, k)
    for (row, column), one in np.ndenumerate(every):
        if row == column:
            _name(one, pairs.names[row])
        else:
            _panel(one, pairs.contours[row, column], below=row > column)
    return every


def _name(ax: Any, name: str) -> None:
    for side in ax.spines.values():
        side.set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([])
    parts = name.replace("|", "\n| ").replace("_", "\n", 1)
    ax.text(0.5, 0.5, parts, ha="center", va="center", fontsize=9, color=INK, transform=ax.transAxes)


def _panel(ax: Any, contours: Contours, *, below: bool) -> None:
    for line in contours.lines:
        ax.plot(line[:, 0], line[:, 1], color=COLOURS[0], linewidth=1.0)
    for trace in contours.traces:
        ax.plot(trace[:, 0], trace[:, 1], color=COLOURS[1], linewidth=0.8)
    for side in ax.spines.values():
        side.set_color(SOFT)
    ax.tick_params(labelsize=7, length=2, colors=INK, color=SOFT)
    if not below:
        ax.axhline(0, color=SOFT, linewidth=0.4)
        ax.axvline(0, color=SOFT, linewidth=0.4)
    ax.locator_params(nbins=4)
