"""Estimates along a variable, a line for each trace, panels side by side: an interaction plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.frozen import dataclass
from interlace.pictures.canvas import COLOURS, INK, MARKERS, SOFT, STYLES, caption, panels, tidy

DODGE = 0.5  # of the distance of two levels, for all traces together
ONE_COLUMN = 12  # traces in a column of the legend


@dataclass(frozen=True, slots=True)
class Trace:
    """A line.

    Attributes
    ----------
    label : str
    place : int
        Among all traces: colour, marker and style.
    x, estimate, lower, upper : ndarray, (m,)
        x are places of levels, or values of a covariate.
    """

    label: str
    place: int
    x: Array
    estimate: Array
    lower: Array
    upper: Array


@dataclass(frozen=True, slots=True)
class Traces:
    """What is drawn.

    Attributes
    ----------
    panels : sequence of (str, sequence of Trace)
        Each with its title, "" for the only one.
    n : int
        Number of all traces.
    levels : sequence of str or None
        Names of the places along x; None for a covariate.
    x, y, legend : str
        What stands at the axes, and above the legend.
    words : str
        Above the picture.
    """

    panels: Sequence[tuple[str, Sequence[Trace]]]
    n: int
    levels: Sequence[str] | None
    x: str
    y: str
    legend: str
    words: str


def trace_plot(traces: Traces, ax: Any) -> Any:
    """Draw them; the axes come back, an array of them where there are several panels."""
    wide = 3.2 + 0.16 * max(len(traces.levels or ()) - 6, 0)
    every = panels(ax, len(traces.panels), wide, 3.8)
    for place, (one, (title, lines)) in enumerate(zip(every, traces.panels, strict=True)):
        for line in lines:
            _line(one, line, traces)
        tidy(one, "y")
        _levels(one, traces.levels)
        one.set_xlabel(traces.x)
        if not place or not one.get_subplotspec() or one.get_subplotspec().is_first_col():
            one.set_ylabel(traces.y)
        if title:
            one.set_title(title, fontsize=10, color=INK)
    if len(every) == 1 and not traces.panels[0][0]:
        caption(every[0], traces.words)
    elif ax is None:
        every[0].figure.suptitle(traces.words, fontsize=8.5, color=SOFT, x=0.01, ha="left")
    if traces.legend:
        _legend(every, traces, new=ax is None)
    return every[0] if len(every) == 1 else np.array(every, dtype=object)


def _line(ax: Any, line: Trace, traces: Traces) -> None:
    colour = COLOURS[line.place % len(COLOURS)]
    x = line.x
    if traces.n > 1 and len(x) > 1:
        room = float(np.diff(np.unique(x)).min(initial=np.inf)) if traces.levels is None else 1.0
        x = x + DODGE * room * (line.place / (traces.n - 1) - 0.5) * min(1.0, 0.12 * traces.n)
    known = np.isfinite(line.estimate)
    ax.vlines(x[known], line.lower[known], line.upper[known], color=colour, alpha=0.4, linewidth=3.5)
    style, marker = STYLES[line.place // len(COLOURS) % len(STYLES)], MARKERS[line.place % len(MARKERS)]
    ax.plot(
        x, line.estimate, color=colour, linestyle=style, linewidth=1.4, marker=marker, markersize=5,
        label=line.label,
    )  # fmt: skip


def _levels(ax: Any, levels: Sequence[str] | None) -> None:
    if levels is None:
        return
    long = sum(len(level) + 2 for level in levels) > 34
    turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if long else {}
    ax.set_xticks(range(len(levels)), list(levels), fontsize=7.5 if len(levels) > 20 else 9, **turned)
    ax.set_xlim(-0.6, len(levels) - 0.4)


def _legend(every: Sequence[Any], traces: Traces, *, new: bool) -> None:
    """Beside the picture, where it hides nothing."""
    handles: dict[str, Any] = {}
    for one in every:
        handles |= dict(zip(*reversed(one.get_legend_handles_labels()), strict=True))
    columns = -(-len(handles) // ONE_COLUMN)
    look = {"title": traces.legend, "frameon": False, "fontsize": 8.5, "title_fontsize": 9, "ncols": columns}
    if new:
        every[0].figure.legend(handles.values(), handles, loc="outside right upper", **look)
    else:
        every[-1].legend(handles.values(), handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), **look)
