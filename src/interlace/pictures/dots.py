"""Estimates as dots with their intervals, a row for each, in groups below each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.frozen import dataclass
from interlace.pictures.canvas import COLOURS, INK, SOFT
from interlace.pictures.stack import Stack

BAND, ARROW = COLOURS[0], COLOURS[1]


@dataclass(frozen=True, slots=True)
class Dots:
    """What is drawn.

    Attributes
    ----------
    stack : Stack
        The m rows.
    estimate, lower, upper : ndarray, (m,)
    arrows : tuple of ndarray or None
        Where arrows to the left and to the right end, (m,) each; NaN for none.
    """

    stack: Stack
    estimate: Array
    lower: Array
    upper: Array
    arrows: tuple[Array, Array] | None


def dot_plot(dots: Dots, ax: Any) -> Any:
    """Draw them; the axes come back."""
    ax, at = dots.stack.axes(ax), dots.stack.at
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
    return dots.stack.finished(ax, grid="x")


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
