"""Estimates as dots with their intervals, a row for each, in groups below each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.pictures.canvas import COLOURS, INK, SOFT, axes, caption, height_of, rows_of, tidy

BAND, ARROW = COLOURS[0], COLOURS[1]


@dataclass(frozen=True, slots=True)
class Block:
    """A group of rows.

    Attributes
    ----------
    heading : str
        "" for the only group.
    rows : ndarray of int
        Places among all rows.
    """

    heading: str
    rows: np.ndarray


@dataclass(frozen=True, slots=True)
class Dots:
    """What is drawn.

    Attributes
    ----------
    labels : sequence of str, (m,)
    blocks : sequence of Block
    estimate, lower, upper : ndarray, (m,)
    arrows : tuple of ndarray or None
        Where arrows to the left and to the right end, (m,) each; NaN for none.
    x, y : str
        What stands at the axes.
    words : str
        Above the picture.
    """

    labels: Sequence[str]
    blocks: Sequence[Block]
    estimate: Array
    lower: Array
    upper: Array
    arrows: tuple[Array, Array] | None
    x: str
    y: str
    words: str


def dot_plot(dots: Dots, ax: Any) -> Any:
    """Draw them; the axes come back."""
    places, labels, headings, at = stacked(dots.labels, dots.blocks)
    ax = axes(ax, 6.4, height_of(len(places)))
    known = np.isfinite(dots.estimate)
    ax.hlines(
        at[known], dots.lower[known], dots.upper[known], color=BAND, alpha=0.35, linewidth=7, label="interval"
    )
    ax.plot(dots.estimate[known], at[known], "o", color=INK, markersize=5, label="estimate", zorder=3)
    if dots.arrows is not None:
        _arrows(ax, dots, at)
    for row in np.flatnonzero(~known):
        ax.text(0.5, at[row], "not estimable", transform=ax.get_yaxis_transform(), color=SOFT, fontsize=8,
                ha="center", va="center", style="italic")  # fmt: skip
    tidy(ax, "x")
    rows_of(ax, labels, headings, places)
    ax.set_xlabel(dots.x)
    ax.set_ylabel(dots.y)
    caption(ax, dots.words)
    return ax


def _arrows(ax: Any, dots: Dots, at: Array) -> None:
    """Each from its dot; they stand in the way of no limit."""
    assert dots.arrows is not None
    for ends in dots.arrows:
        for row in np.flatnonzero(np.isfinite(ends)):
            ax.annotate("", xy=(ends[row], at[row]), xytext=(dots.estimate[row], at[row]), zorder=2.5,
                        arrowprops={"arrowstyle": "-|>", "color": ARROW, "linewidth": 1.6, "shrinkA": 0,
                                    "shrinkB": 0, "mutation_scale": 10})  # fmt: skip
        there = np.isfinite(ends)
        ax.update_datalim(np.column_stack([ends[there], at[there]]))
    ax.autoscale_view()


def stacked(
    labels: Sequence[str], blocks: Sequence[Block]
) -> tuple[list[float], list[str], list[bool], Array]:
    """Places of all lines from the top, their texts, which are headings; and the place of each row."""
    at, place = np.zeros(len(labels)), 0.0
    places: list[float] = []
    texts: list[str] = []
    headings: list[bool] = []
    for block in blocks:
        if block.heading:
            place += 0.4 if places else 0.0
            places.append(place)
            texts.append(block.heading)
            headings.append(True)
            place += 1.0
        for row in block.rows.tolist():
            at[row] = place
            places.append(place)
            texts.append(labels[row])
            headings.append(False)
            place += 1.0
    return places, texts, headings, at
