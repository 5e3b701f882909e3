"""P-values of all differences: a line at each p-value that links the two means it is of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from interlace.frozen import dataclass
from interlace.pictures.canvas import COLOURS, SOFT
from interlace.pictures.stack import Stack

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
    stack : Stack
        The rows.
    links : sequence of Link
    alpha : float
        Where a line is drawn.
    """

    stack: Stack
    links: Sequence[Link]
    alpha: float


def link_plot(links: Links, ax: Any) -> Any:
    """Draw them; the axes come back."""
    ax, at = links.stack.axes(ax), links.stack.at
    look = FEW_LOOK if len(links.links) <= FEW else MANY_LOOK
    order = {row: i for block in links.stack.blocks for i, row in enumerate(block.rows.tolist())}
    for link in links.links:
        colour = COLOURS[order[min(link.one, link.other, key=order.__getitem__)] % len(COLOURS)]
        ends = sorted((at[link.one], at[link.other]))
        ax.plot([link.p, link.p], ends, color=colour, marker="o", **look)
    ax.axvline(links.alpha, color=SOFT, linestyle="--", linewidth=1, zorder=0)
    ax.set_xscale("function", functions=(_forward, _backward))
    ax.set_xlim(-1e-7, 1.0)
    ax.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    ax.minorticks_off()
    return links.stack.finished(ax, grid="y")


def _forward(p: Any) -> Any:
    return np.sign(p) * np.abs(p) ** POWER


def _backward(x: Any) -> Any:
    return np.sign(x) * np.abs(x) ** (1 / POWER)
