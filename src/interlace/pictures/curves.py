"""A curve for each of several quantities, in panels side by side, with an estimate and an interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.frozen import dataclass
from interlace.pictures.canvas import COLOURS, INK, SOFT, caption, panels, tidy

GRID_POINTS = 200
NEAR = 1e-9  # draws that differ by less than this share of their size are one


@dataclass(frozen=True, slots=True)
class Panel:
    """A curve.

    Attributes
    ----------
    title : str
    x, y : ndarray, (m,)
    points : ndarray, (r, 2)
        Drawn as dots on it.
    marks : tuple of float
        An estimate, and the ends of an interval (NaN for none).
    """

    title: str
    x: Array
    y: Array
    points: Array
    marks: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Curves:
    """What is drawn.

    Attributes
    ----------
    panels : sequence of Panel
    y : str
        What stands at the vertical axis.
    words : str
        Above the picture.
    levels : sequence of float
        Heights at which thin lines are drawn.
    """

    panels: Sequence[Panel]
    y: str
    words: str
    levels: Sequence[float] = ()


def curve_plot(curves: Curves, ax: Any) -> Any:
    """Draw them; the axes come back, an array of them where there are several panels."""
    every = panels(ax, len(curves.panels), 3.1, 2.6, sharey=bool(curves.levels))
    for one, panel in zip(every, curves.panels, strict=True):
        _panel(one, panel, curves.levels)
        if not one.get_subplotspec() or one.get_subplotspec().is_first_col():
            one.set_ylabel(curves.y)
    if len(every) == 1:
        caption(every[0], curves.words)
        every[0].set_xlabel(curves.panels[0].title)
        return every[0]
    for one, panel in zip(every, curves.panels, strict=True):
        one.set_title(panel.title, fontsize=9.5, color=INK)
    if ax is None:
        every[0].figure.suptitle(curves.words, fontsize=8.5, color=SOFT, x=0.01, ha="left")
    return np.array(every, dtype=object)


def _panel(ax: Any, panel: Panel, levels: Sequence[float]) -> None:
    estimate, lower, upper = panel.marks
    if np.isfinite(lower) and np.isfinite(upper):
        ax.axvspan(lower, upper, color=COLOURS[0], alpha=0.12, linewidth=0)
    for level in levels:
        ax.axhline(level, color=SOFT, linewidth=0.7, linestyle=":")
    ax.plot(panel.x, panel.y, color=COLOURS[0], linewidth=1.5)
    if len(panel.points):
        ax.plot(panel.points[:, 0], panel.points[:, 1], "o", color=COLOURS[0], markersize=3)
    if np.isfinite(estimate):
        ax.axvline(estimate, color=COLOURS[1], linewidth=1.2)
    if not levels:
        ax.set_ylim(bottom=0.0)
    tidy(ax, "y")


def density(draws: Array, least: float = -np.inf, greatest: float = np.inf) -> tuple[Array, Array]:
    """A kernel density, Gaussian with Silverman's width; a spike where all draws are one number.

    What would lie below the least number that there can be, or above the greatest, is reflected there.
    """
    low, high = float(draws.min()), float(draws.max())
    spread = min(float(draws.std()), float(np.subtract(*np.quantile(draws, [0.75, 0.25]))) / 1.349 or np.inf)
    if spread <= NEAR * max(abs(low), abs(high), 1e-300):
        return np.array([low, low]), np.array([0.0, 1.0])
    width = 0.9 * spread * len(draws) ** -0.2
    x = np.linspace(max(low - 3 * width, least), min(high + 3 * width, greatest), GRID_POINTS)
    places = [x, *(2 * limit - x for limit in (least, greatest) if np.isfinite(limit))]
    y = np.zeros(GRID_POINTS)
    for start in range(0, len(draws), 1000):  # never a large matrix
        some = draws[None, start : start + 1000]
        for place in places:
            y += np.exp(-0.5 * ((place[:, None] - some) / width) ** 2).sum(axis=1)
    return x, y / (len(draws) * width * np.sqrt(2 * np.pi))
