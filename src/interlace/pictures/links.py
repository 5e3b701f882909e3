"""P-values of all differences: a line at each p-value that links the two means it is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interlace.pictures.canvas import COLOURS, SOFT, axes, caption, height_of, rows_of, tidy
from interlace.pictures.dots import Block, stacked

POWER = 0.25  # of p along the axis: small ones have room, and zero has a place
FEW = 60  # differences, up to which lines are thick
FEW_LOOK = {"linewidth": 1.6, "alpha": 0.9, "markersize": 4.0}
MANY_LOOK = {"linewidth": 0.8, "alpha": 0.6, "markersize": 2.2}
TICKS = (0.001, 0.01, 0.05, 0.1, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Link:
    """A difference of two rows.

    Attributes
    ----------
    one, other : int
        Places among all rows.
    p : float
    """

    one: int
    other: int
    p: float


@dataclass(frozen=True, slots=True)
class Links:
    """What is drawn.

    Attributes
    ----------
    labels : sequence of str, (m,)
    blocks : sequence of Block
        The rows of each group, in their order from the top.
    links : sequence of Link
    alpha : float
        Where a line is drawn.
    x, y, words : str
        What stands at the axes, and above the picture.
    """

    labels: Sequence[str]
    blocks: Sequence[Block]
    links: Sequence[Link]
    alpha: float
    x: str
    y: str
    words: str


def link_plot(links: Links, ax: Any) -> Any:
    """Draw them; the axes come back."""
    places, labels, headings, at = stacked(links.labels, links.blocks)
    ax = axes(ax, 6.4, height_of(len(places)))
    look = FEW_LOOK if len(links.links) <= FEW else MANY_LOOK
    order = {row: i for block in links.blocks for i, row in enumerate(block.rows.tolist())}
    for link in links.links:
        colour = COLOURS[order[min(link.one, link.other, key=order.__getitem__)] % len(COLOURS)]
        ends = sorted((at[link.one], at[link.other]))
        ax.plot([link.p, link.p], ends, color=colour, marker="o", **look)
    ax.axvline(links.alpha, color=SOFT, linestyle="--", linewidth=1, zorder=0)
    ax.set_xscale("function", functions=(_forward, _backward))
    ax.set_xlim(-1e-7, 1.0)
    ax.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    ax.minorticks_off()
    tidy(ax, "y")
    rows_of(ax, labels, headings, places)
    ax.set_xlabel(links.x)
    ax.set_ylabel(links.y)
    caption(ax, links.words)
    return ax


def _forward(p: Any) -> Any:
    return np.sign(p) * np.abs(p) ** POWER


def _backward(x: Any) -> Any:
    return np.sign(x) * np.abs(x) ** (1 / POWER)
