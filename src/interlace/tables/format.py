"""Numbers and small tables as text, by R's rules: a column of numbers shares its digits."""

from __future__ import annotations

import math
import shutil
import sys
from collections import Counter
from collections.abc import Sequence

import numpy as np

LINE_WIDTH = 80
SMALLEST_P = 2.220446049250313e-16  # R's .Machine$double.eps: smaller p-values are "< 2e-16"
STARS = {0.001: "***", 0.01: "**", 0.05: "*", 0.1: "."}
STARS_LEGEND = "Stars: *** p < 0.001, ** p < 0.01, * p < 0.05, . p < 0.1"


def significant_decimals(x: float, digits: int) -> int:
    """Decimals that `x` needs at `digits` significant digits, trailing zeros dropped; may be negative."""
    if x == 0 or not math.isfinite(x):
        return 0
    mantissa, exponent = f"{abs(x):.{digits - 1}e}".split("e")
    return len(mantissa.rstrip("0").replace(".", "")) - 1 - int(exponent)


def format_common(values: Sequence[float] | np.ndarray, digits: int) -> list[str]:
    """All values with the same number of decimals: enough that each shows `digits` significant digits.

    Scientific notation is used where it is shorter, as by R's `format`.

    >>> format_common([612.0999, 35.0717, 654.941], 4)
    ['612.10', '35.07', '654.94']
    >>> format_common([1.5e-09, 2e-09], 4)
    ['1.5e-09', '2.0e-09']
    """
    numbers = [float(v) for v in values]
    finite = [v for v in numbers if math.isfinite(v)]
    decimals = max([0, *(significant_decimals(v, digits) for v in finite)])
    fixed = [f"{v:.{decimals}f}" for v in finite]
    mantissa = max([0, *(significant_decimals(v, digits) + _exponent(v) for v in finite if v)])
    scientific = [f"{v:.{mantissa}e}" for v in finite]
    chosen = scientific if _longest(scientific) < _longest(fixed) else fixed
    texts = iter(chosen)
    return [without_minus_zero(next(texts)) if math.isfinite(v) else _special(v) for v in numbers]


def format_p(values: Sequence[float] | np.ndarray, digits: int) -> list[str]:
    """P-values as by R's `format.pval`: small ones in scientific notation, tiny ones as a bound.

    >>> format_p([1.1e-17, 3.2638e-06, 0.04782], 3)
    ['< 2e-16', '3.26e-06', '0.0478']
    """
    p = np.asarray(values, dtype=np.float64)
    tiny, known = p < SMALLEST_P, ~np.isnan(p)
    small = known & ~tiny & (p < (1e-4 if digits > 1 else 1e-3))
    out = np.full(p.shape, "NaN", dtype=object)
    for group in (small, known & ~tiny & ~small):
        out[group] = format_common(p[group], digits)
    out[tiny] = "< 2e-16" if np.any(known & ~tiny) else "<2e-16"
    return list(out)


def significance_stars(p: float) -> str:
    """R's stars of a p-value.

    >>> [significance_stars(p) for p in (0.0001, 0.04, 0.5)]
    ['***', '*', '']
    """
    return next((stars for bound, stars in STARS.items() if p < bound), "")


def zap_small(values: Sequence[float] | np.ndarray, digits: int) -> np.ndarray:
    """Rounded relative to the largest, so that rounding error shows as zero (R's `zapsmall`)."""
    x = np.asarray(values, dtype=np.float64)
    largest = np.max(np.abs(x[np.isfinite(x)]), initial=0.0)
    decimals = digits if largest == 0 else max(0, digits - math.ceil(math.log10(largest)))
    return np.round(x, decimals)


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> list[str]:
    """Lines of a table; `align` holds "l", "r" or "n" for each column.

    "n" is for numbers that share their decimals: right-justified among themselves, left under the heading.
    """
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in header]
    padded = [_padded(column) if side == "n" else column for column, side in zip(columns, align, strict=True)]
    everything = [list(header), *(list(row) for row in zip(*padded, strict=True))]
    widths = [max(len(row[j]) for row in everything) for j in range(len(header))]
    return [
        " ".join(
            _justified(cell, width, side) for cell, width, side in zip(row, widths, align, strict=True)
        ).rstrip()
        for row in everything
    ]


def in_pieces(
    header: Sequence[str], rows: Sequence[Sequence[str]], align: str, width: int | None
) -> list[str]:
    """Lines of a table; where one is longer than `width`, columns stand below the others beside the labels.

    >>> print("\\n".join(in_pieces(["", "estimate", "p"], [["x", "10.5", "0.2"]], "lrr", 12)))
      estimate
    x     10.5
        p
    x 0.2
    """
    whole = text_table(header, rows, align)
    if width is None or _longest(whole) <= width:
        return whole
    labels = 1 if header and not header[0] else 0
    columns = [[cell, *(row[j] for row in rows)] for j, cell in enumerate(header)]
    widths = [_longest(column) for column in columns]
    first, pieces = list(range(labels)), [[labels]]
    for j in range(labels + 1, len(header)):
        piece = [*first, *pieces[-1], j]
        if sum(widths[i] + 1 for i in piece) - 1 <= width:
            pieces[-1].append(j)
        else:
            pieces.append([j])
    lines: list[str] = []
    for piece in pieces:
        at = [*first, *piece]
        lines += text_table(
            [header[j] for j in at], [[row[j] for j in at] for row in rows], "".join(align[j] for j in at)
        )
    return lines


def terminal_width() -> int | None:
    """Characters of a line where a person watches; None where text goes to a file or a program."""
    if not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size((LINE_WIDTH, 24)).columns


def wrapped_columns(labels: Sequence[str], columns: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Lines of a table of right-aligned columns, in pieces that fit the line width, each with its labels."""
    lines: list[str] = []
    left = max(map(len, labels), default=0)
    pending = list(columns)
    while pending:
        piece, width = [pending.pop(0)], left
        width += 1 + _column_width(piece[0])
        while pending and width + 1 + _column_width(pending[0]) <= LINE_WIDTH:
            width += 1 + _column_width(pending[0])
            piece.append(pending.pop(0))
        header = ["", *(name for name, _ in piece)]
        rows = [[label, *(cells[i] for _, cells in piece)] for i, label in enumerate(labels)]
        lines += text_table(header, rows, "l" + "r" * len(piece))
    return lines


def named_numbers(names: Sequence[str], values: Sequence[str]) -> list[str]:
    """Lines of names above their numbers, all of one width, as R prints a named vector."""
    width = _longest([*names, *values])
    per_line = max(1, (LINE_WIDTH + 1) // (width + 1))
    lines = []
    for start in range(0, len(names), per_line):
        for cells in (names, values):
            lines.append(" ".join(cell.rjust(width) for cell in cells[start : start + per_line]))
    return lines


def abbreviate(names: Sequence[str], length: int) -> list[str]:
    """Names shortened to about `length` characters and still distinct, by R's rule.

    Lower-case vowels go first, from the end, then lower-case letters.

    >>> abbreviate(["Intercept", "MachineB", "Days"], 6)
    ['Intrcp', 'MachnB', 'Days']
    """
    short = [_shortened(name, length) for name in names]
    while len(distinct := Counter(short)) < len(set(names)):
        # nothing changes below the length that is left; beyond a line R's steps of one letter say no more
        left = min(len(s) for s, times in distinct.items() if times > 1)
        length = max(length, left) + 1 if left < LINE_WIDTH else 2 * max(length, left)
        short = [
            _shortened(name, length) if distinct[s] > 1 else s for name, s in zip(names, short, strict=True)
        ]
    return short


def _shortened(name: str, length: int) -> str:
    for droppable in ("aeiou", "abcdefghijklmnopqrstuvwxyz"):
        kept, over = [], len(name) - length
        for before, letter in zip(name[-2::-1], name[:0:-1], strict=True):
            if over > 0 and letter in droppable and before != " ":
                over -= 1
            else:
                kept.append(letter)
        name = name[:1] + "".join(reversed(kept))
    return name


def _exponent(x: float) -> int:
    return math.floor(math.log10(abs(x)))


def _longest(texts: Sequence[str]) -> int:
    return max(map(len, texts), default=0)


def _special(x: float) -> str:
    return "NaN" if math.isnan(x) else ("Inf" if x > 0 else "-Inf")


def without_minus_zero(text: str) -> str:
    """The text of a number, without the sign of one that is rounded to zero."""
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def _column_width(column: tuple[str, Sequence[str]]) -> int:
    return max(len(column[0]), *(len(cell) for cell in column[1]))


def _padded(cells: Sequence[str]) -> list[str]:
    width = _longest(cells)
    return [cell.rjust(width) for cell in cells]


def _justified(cell: str, width: int, side: str) -> str:
    return cell.rjust(width) if side == "r" else cell.ljust(width)
