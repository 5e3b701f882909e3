"""Many values: points or bins with a smooth, quantiles, sorted intervals, boxes, small panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from interlace.arrays import Array, Index
from interlace.pictures.canvas import COLOURS, GRID, INK, SOFT, axes, caption, tidy

POINTS = 5_000  # more are shown as bins
LABELS = 60  # more rows have no labels
SMALLEST_LETTERS = 5.5  # points
FEW, MANY_DOTS = 300, 1_000
BLUE, ORANGE = COLOURS[0], COLOURS[1]


def cloud(ax: Any, x: Array, y: Array, *, smooth: tuple[Array, Array] | None, zero: bool) -> str:
    """Points, or hexagons where they are many; what is said of them."""
    said = ""
    if len(x) > POINTS:
        ax.hexbin(x, y, gridsize=55, bins="log", mincnt=1, cmap="Greys", linewidths=0.1, zorder=1)
        said = f"{len(x):,} rows in hexagons, darker where there are more"
    else:
        alpha = 0.75 if len(x) <= FEW else 0.45 if len(x) <= MANY_DOTS else 0.25
        size = 22 if len(x) <= FEW else 12 if len(x) <= MANY_DOTS else 7
        ax.scatter(x, y, s=size, color=BLUE, alpha=alpha, linewidths=0, zorder=2)
    if zero:
        ax.axhline(0.0, color=SOFT, linewidth=0.9, linestyle="--", zorder=1.5)
    if smooth is not None:
        ax.plot(*smooth, color=ORANGE, linewidth=2.0, zorder=3)
    return said


def cloud_plot(
    ax: Any,
    x: Array,
    y: Array,
    *,
    smooth: tuple[Array, Array] | None,
    labels: tuple[str, str],
    zero: bool,
    words: str,
) -> Any:
    """One picture of it."""
    ax = axes(ax, 6.0, 4.2)
    said = cloud(ax, x, y, smooth=smooth, zero=zero)
    _finish(ax, labels, "both", "; ".join(one for one in (words, said) if one))
    return ax


def quantile_plot(
    ax: Any, theory: Array, values: Array, lower: Array, upper: Array, *, labels: tuple[str, str], words: str
) -> Any:
    """Sorted values against quantiles, in an envelope."""
    ax = axes(ax, 4.8, 4.4)
    ax.fill_between(theory, lower, upper, color=BLUE, alpha=0.15, linewidth=0)
    ax.plot(theory, theory, color=SOFT, linewidth=0.9, linestyle="--")
    outside = (values < lower) | (values > upper)
    size = 4.0 if len(values) <= FEW else 2.5
    ax.plot(theory[~outside], values[~outside], "o", color=BLUE, markersize=size, markeredgewidth=0)
    ax.plot(theory[outside], values[outside], "o", color=ORANGE, markersize=size, markeredgewidth=0)
    _finish(ax, labels, "both", words)
    return ax


def sorted_plot(
    ax: Any,
    values: Array,
    lower: Array | None,
    upper: Array | None,
    names: Sequence[str],
    *,
    x: str,
    y: str,
    words: str,
) -> Any:
    """Sorted values with their intervals, a row for each; those that leave zero out stand out."""
    n = len(values)
    ax = axes(ax, 5.6, min(9.0, 1.2 + 0.24 * n) if n <= LABELS else 6.0)
    order = np.argsort(values, kind="stable")
    at = np.arange(n)
    away = np.zeros(n, dtype=bool)
    if lower is not None and upper is not None:
        away = ((lower > 0) | (upper < 0))[order]
        wide = 2.2 if n <= LABELS else max(0.3, 2.2 * LABELS / n)
        for some, colour, alpha in ((~away, SOFT, 0.55), (away, BLUE, 0.75)):
            ax.hlines(
                at[some], lower[order][some], upper[order][some], color=colour, linewidth=wide, alpha=alpha
            )
    size = 5.0 if n <= LABELS else max(1.2, 4.0 * LABELS / n)
    ax.plot(values[order][~away], at[~away], "o", color=INK, markersize=size, markeredgewidth=0, zorder=3)
    ax.plot(values[order][away], at[away], "o", color=BLUE, markersize=size, markeredgewidth=0, zorder=3)
    ax.axvline(0.0, color=SOFT, linewidth=0.9, linestyle="--")
    _rows(ax, [names[i] for i in order])
    _finish(ax, (x, f"{y} ({n:,} levels, sorted)" if n > LABELS else y), "x", words)
    return ax


def outlier_plot(
    ax: Any, values: Array, names: Sequence[str], cut: float, *, x: str, y: str, words: str, most: int = 8
) -> Any:
    """Sorted values with a cut-off; labels of all where they are few, else of the largest beyond it."""
    n = len(values)
    ax = axes(ax, 6.2, max(3.0, 1.2 + 0.2 * n) if n <= LABELS else 4.4)
    order = np.argsort(values, kind="stable")
    at, shown = np.arange(n), values[order]
    beyond = shown > cut
    size = 6.0 if n <= LABELS else 4.0 if n <= MANY_DOTS else 2.2
    ax.plot(shown[~beyond], at[~beyond], "o", color=BLUE, markersize=size, markeredgewidth=0, alpha=0.8)
    ax.plot(shown[beyond], at[beyond], "D", color=ORANGE, markersize=size, markeredgewidth=0)
    ax.axvline(cut, color=SOFT, linewidth=1.0, linestyle="--")
    if n <= LABELS:
        _rows(ax, [names[i] for i in order])
        _finish(ax, (x, f"{y} (sorted)"), "x", words)
        return ax
    _marked(ax, shown, np.flatnonzero(beyond)[-most:], [str(names[i]) for i in order])
    ax.set_yticks([])
    ax.set_ylim(-0.03 * n - 0.5, 1.04 * n)
    more = f"; {int(beyond.sum()) - most} more beyond it" if beyond.sum() > most else ""
    _finish(ax, (x, f"{y} ({n:,}, sorted)"), "x", f"{words}{more}")
    return ax


def _marked(ax: Any, shown: Array, marked: Index, names: Sequence[str]) -> None:
    """Names of the points that are marked, in a column to the right of all points, with room between them."""
    n, place, largest = len(shown), np.inf, float(shown[-1]) or 1.0
    for i in marked[::-1]:
        place = min(float(i), place - max(n / 20, 1.0))
        ax.annotate(
            names[i],
            (shown[i], i),
            xytext=(1.08 * largest, place),
            ha="left",
            va="center",
            fontsize=8.5,
            color=INK,
            arrowprops={
                "arrowstyle": "-",
                "color": SOFT,
                "linewidth": 0.5,
                "shrinkA": 2,
                "shrinkB": 3,
                "relpos": (0.0, 0.5),
            },
        )
    if marked.size:
        longest = max(len(names[i]) for i in marked)
        ax.set_xlim(right=largest * (1.1 + 0.02 * min(longest, 40)))


def box_plot(ax: Any, groups: Sequence[Array], names: Sequence[str], *, x: str, y: str, words: str) -> Any:
    """A box for each group, sorted by the median; lines where there are many."""
    n = len(groups)
    few = n <= LABELS
    ax = axes(ax, 5.6, min(9.0, 1.2 + 0.24 * n) if few else 6.0)
    order = np.argsort([np.median(one) for one in groups], kind="stable")
    if few:
        _boxes(ax, [groups[i] for i in order])
    else:
        five = np.array([np.quantile(groups[i], [0.05, 0.25, 0.5, 0.75, 0.95]) for i in order])
        at = np.arange(n)
        ax.hlines(at, five[:, 0], five[:, 4], color=GRID, linewidth=0.5)
        ax.hlines(at, five[:, 1], five[:, 3], color=BLUE, linewidth=0.6, alpha=0.6)
        ax.plot(five[:, 2], at, ".", color=INK, markersize=2)
        words = "; ".join(one for one in (words, "median, middle half and middle 90 %") if one)
    ax.axvline(0.0, color=SOFT, linewidth=0.9, linestyle="--")
    _rows(ax, [names[i] for i in order])
    _finish(ax, (x, y if few else f"{y} ({n:,} levels, sorted by the median)"), "x", words)
    return ax


def _boxes(ax: Any, groups: Sequence[Array]) -> None:
    """Tukey's: the middle half, whiskers within one and a half of its width, points beyond."""
    for at, values in enumerate(groups):
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        reach = 1.5 * (high - low)
        inside = (values >= low - reach) & (values <= high + reach)
        ax.hlines(at, values[inside].min(), values[inside].max(), color=BLUE, linewidth=0.9, zorder=1)
        ax.barh(at, high - low, 0.62, left=low, color="#d5e5f1", edgecolor=BLUE, linewidth=0.9, zorder=2)
        ax.vlines(middle, at - 0.31, at + 0.31, color=INK, linewidth=1.4, zorder=3)
        beyond = values[~inside]
        ax.plot(beyond, np.full(len(beyond), at), "o", color=ORANGE, markersize=3, markeredgewidth=0)


def lattice_plot(
    panels: Sequence[Any],
    parts: Sequence[tuple[str, Array, Array, Array, Array]],
    *,
    labels: tuple[str, str],
    words: str,
) -> Sequence[Any]:
    """A panel for each level: its rows, its own line, and the line of all."""
    for i, (ax, (name, x, y, own, whole)) in enumerate(zip(panels, parts, strict=True)):
        order = np.argsort(x, kind="stable")
        ax.plot(
            x[order],
            whole[order],
            color=SOFT,
            linewidth=1.1,
            linestyle="--",
            label="all levels" if not i else None,
        )
        ax.plot(x[order], own[order], color=ORANGE, linewidth=1.6, label="this level" if not i else None)
        ax.plot(x, y, "o", color=BLUE, markersize=3.2, markeredgewidth=0, alpha=0.8)
        tidy(ax, "both")
        ax.set_title(name, fontsize=9, color=INK)
    panels[0].figure.supxlabel(labels[0], fontsize=10)
    panels[0].figure.supylabel(labels[1], fontsize=10)
    panels[0].legend(frameon=False, fontsize=7, loc="best")
    panels[0].figure.suptitle(words, fontsize=8.5, color=SOFT, x=0.01, ha="left")
    return panels


def ellipse_plot(
    ax: Any, x: Array, y: Array, covariance: Array, *, labels: tuple[str, str], words: str
) -> Any:
    """Points, and the ellipses that half and 95 % of a normal distribution lie in."""
    ax = axes(ax, 4.8, 4.4)
    said = cloud(ax, x, y, smooth=None, zero=False)
    angle = np.linspace(0, 2 * np.pi, 200)
    value, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(value, 0.0))
    for share, style in ((0.5, "-"), (0.95, "--")):
        ring = np.sqrt(-2 * np.log(1 - share)) * root @ np.vstack([np.cos(angle), np.sin(angle)])
        ax.plot(ring[0], ring[1], color=ORANGE, linestyle=style, linewidth=1.3)
    _finish(ax, labels, "both", "; ".join(one for one in (words, said) if one))
    return ax


def _rows(ax: Any, names: Sequence[str]) -> None:
    """Names of the rows, where there is room for letters that can be read."""
    n = len(names)
    room = 72 * ax.figure.get_figheight() * ax.get_position().height / max(n, 1)
    size = min(9.0, 0.9 * room)
    if n <= LABELS and size >= SMALLEST_LETTERS:
        ax.set_yticks(range(n), list(names), fontsize=size)
    else:
        ax.set_yticks([])
    ax.set_ylim(-0.02 * n - 0.6, 1.02 * n - 0.4)


def _finish(ax: Any, labels: tuple[str, str], grid: str, words: str) -> None:
    tidy(ax, grid)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    caption(ax, words)
