"""Where pictures are drawn: axes that were given, or new ones, and the look that all pictures share."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from interlace.errors import DataError, MissingPackageError, shown

#: Colours that people with any colour vision tell apart (Okabe and Ito 2008), the darkest first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
STYLES = ("-", "--", "-.", ":")
INK, SOFT, GRID = "#222222", "#6b6b6b", "#e4e4e4"
LINE = 84  # letters in a line above a picture
MANY = 24  # rows from which on labels are smaller


def pyplot() -> Any:
    """The module.

    Raises
    ------
    MissingPackageError
        It is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingPackageError(
            "pictures need matplotlib, which is not installed: pip install 'interlace[plot]'"
        ) from error
    return plt


def axes(ax: Any, width: float, height: float) -> Any:
    """The axes that were given, or those of a new figure of this size in inches.

    Raises
    ------
    DataError
        `ax` is no axes.
    """
    plt = pyplot()
    if ax is None:
        return plt.subplots(figsize=(width, height), layout="constrained")[1]
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise DataError(f"ax must be axes of matplotlib, such as plt.gca(), not {shown(ax)}")
    return ax


def panels(ax: Any, n: int, width: float, height: float, *, sharey: bool = True) -> list[Any]:
    """The n axes that were given, or new ones side by side, which share their vertical scale if they may.

    Raises
    ------
    DataError
        `ax` has another number of axes.
    """
    if ax is None and n > 1:
        columns = min(n, 4)
        rows = -(-n // columns)
        size = (width * columns, height * rows)
        figure, found = pyplot().subplots(
            rows, columns, figsize=size, layout="constrained", sharey=sharey, squeeze=False
        )
        every = list(found.ravel())
        for spare in every[n:]:
            figure.delaxes(spare)
        return every[:n]
    given = [ax] if ax is None or not isinstance(ax, list | tuple | np.ndarray) else list(np.ravel(ax))
    if len(given) != n:
        raise DataError(f"this picture has {n} panels, and ax has {len(given)}: give as many axes")
    return [axes(one, width + 1.2, height) for one in given]


def tidy(ax: Any, grid: str) -> None:
    """The look of all pictures: no box, thin grid lines along one axis."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(SOFT)
    ax.tick_params(colors=INK, which="both", length=3, color=SOFT)
    ax.set_axisbelow(True)
    ax.grid(True, axis=grid, color=GRID, linewidth=0.8)


def caption(ax: Any, text: str) -> None:
    """What a reader must know, above the picture in small letters."""
    if text:
        ax.set_title(textwrap.fill(text, LINE), loc="left", fontsize=8.5, color=SOFT)


def rows_of(ax: Any, labels: Sequence[str], headings: Sequence[bool], places: Sequence[float]) -> None:
    """Labels of rows from the top to the bottom; headings stand in bold type."""
    many = sum(not one for one in headings) >= MANY
    ax.set_yticks(list(places), list(labels), fontsize=7.5 if many else 9.5)
    for tick, label, heading in zip(ax.yaxis.get_major_ticks(), ax.get_yticklabels(), headings, strict=True):
        if heading:
            label.set_fontweight("bold")
            tick.tick1line.set_visible(False)
            tick.gridline.set_visible(False)
    ax.set_ylim(max(places, default=0.0) + 0.6, min(places, default=0.0) - 0.6)


def height_of(rows: int) -> float:
    """Inches for so many rows."""
    return 0.9 + (0.34 if rows < MANY else 0.22) * max(rows, 2)


def png(axes: Any) -> bytes:
    """The figure of some axes as a file, which is then closed."""
    one = axes.flat[0] if hasattr(axes, "flat") else axes[0] if isinstance(axes, list | tuple) else axes
    figure = one.figure if hasattr(one, "figure") and one.figure is not None else one
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=110, bbox_inches="tight")
    pyplot().close(figure)
    return held.getvalue()
