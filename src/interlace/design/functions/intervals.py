"""`cut()` and `findInterval()`: numbers into intervals whose borders are learnt."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from interlace.design.functions.call import Call
from interlace.design.functions.function import Function
from interlace.design.functions.labels import labelled
from interlace.design.functions.values import Value, column, described, finite_column, flag, whole
from interlace.design.values import CodedFactor
from interlace.errors import DataError, FormulaError


def cut(
    call: Call,
    x: Value,
    breaks: Value,
    labels: Value = None,
    include_lowest: Value = False,
    right: Value = True,
    dig_lab: Value = 3.0,
    ordered_result: Value = False,
) -> Value:
    """R's `cut()`: the interval of each value, between the breaks given or in equal intervals.

    Parameters
    ----------
    breaks : whole number or numbers
        The number of intervals over the range of x in the fit, or the borders.
    labels : texts or FALSE, optional
        Names for the intervals; FALSE: their numbers.
    include_lowest : bool
        The outermost border belongs to its interval.
    right : bool
        Intervals hold their right border, not their left one.
    dig_lab : whole number
        Digits of the borders in the names.
    ordered_result : bool
        Whether the factor is ordered.
    """
    closed_right, lowest = flag(call, "right", right), flag(call, "include.lowest", include_lowest)
    values = column(call, x)
    learning = "breaks" not in call.state
    if learning:
        call.state["breaks"] = _borders(call, x, breaks)
    borders = np.array(call.state["breaks"])
    codes = np.searchsorted(borders, values, side="left" if closed_right else "right") - 1
    if lowest:
        edge, interval = (borders[0], 0) if closed_right else (borders[-1], len(borders) - 2)
        codes[values == edge] = interval
    codes[(codes >= len(borders) - 1) | np.isnan(values)] = -1
    codes = np.maximum(codes, -1)
    if learning and len(codes) and (codes < 0).all():
        raise DataError(f"no value of '{call.subject}' lies in the intervals of '{call.text}'")
    if labels is False:
        return np.where(codes < 0, np.nan, codes + 1.0)
    names = labels
    if labels is None or labels is True:
        names = _intervals(borders, lowest, closed_right, whole(call, "dig.lab", dig_lab, 1))
    found = CodedFactor(
        codes.astype(np.int32), np.arange(len(borders) - 1), flag(call, "ordered_result", ordered_result)
    )
    return labelled(call, found, names)


def cut_of_pandas(
    call: Call,
    x: Value,
    bins: Value,
    right: Value = True,
    labels: Value = None,
    precision: Value = 3.0,
    include_lowest: Value = False,
    ordered: Value = True,
) -> Value:
    """pandas' `pd.cut(x, 3)`: `cut()` with ordered intervals, counted from 0 where they are numbers."""
    found = cut(call, x, bins, labels, include_lowest, right, precision, ordered)
    return found if isinstance(found, CodedFactor) else np.asarray(found) - 1.0


def _borders(call: Call, x: Value, breaks: Value) -> tuple[float, ...]:
    if isinstance(breaks, tuple) or (isinstance(breaks, np.ndarray) and breaks.ndim == 1):
        given = list(breaks)
        if any(isinstance(b, bool) or not isinstance(b, float) or np.isnan(b) for b in given):
            raise FormulaError(f"cut() needs numbers as breaks, for example c(0, 5, 10), not {given}")
        borders = tuple(sorted(set(given)))
        if len(borders) < 2 or len(borders) < len(given):
            raise DataError(f"cut() needs two or more different breaks, not {given}")
        return borders
    if not isinstance(breaks, float):
        raise FormulaError(f"cut() needs numbers as breaks, for example c(0, 5, 10), not {described(breaks)}")
    if breaks != np.floor(breaks) or breaks < 2 or breaks > 1e5:
        raise DataError(
            f"cut() needs a whole number of intervals, 2 or more, or their borders; not {breaks:g}"
        )
    values = finite_column(call, x)
    low, high = float(values.min()), float(values.max())
    margin = (high - low or abs(low)) / 1000
    if low == high:
        if low == 0:
            raise DataError(
                f"'{call.text}' cannot be computed: all values of '{call.subject}' are zero; leave it out"
            )
        return tuple(np.linspace(low - margin, high + margin, int(breaks) + 1).tolist())
    inner = np.linspace(low, high, int(breaks) + 1)[1:-1].tolist()
    return (low - margin, *inner, high + margin)


def _intervals(borders: np.ndarray, include_lowest: bool, right: bool, digits: int) -> tuple[str, ...]:
    """Names such as "(0,2.5]", with as many digits as it takes to tell the borders apart."""
    for precision in range(digits, max(12, digits) + 1):
        shown = [f"{border:.{precision}g}".replace("inf", "Inf") for border in borders]
        if all(a != b for a, b in pairwise(shown)):
            break
    opening, closing = ("(", "]") if right else ("[", ")")
    names = [f"{opening}{low},{high}{closing}" for low, high in pairwise(shown)]
    if include_lowest and right:
        names[0] = "[" + names[0][1:]
    elif include_lowest:
        names[-1] = names[-1][:-1] + "]"
    return tuple(names)


def find_interval(
    call: Call,
    x: Value,
    vec: Value,
    rightmost_closed: Value = False,
    all_inside: Value = False,
    left_open: Value = False,
) -> np.ndarray:
    """R's `findInterval(x, vec)`: how many of the borders are at most x."""
    borders = np.array(vec if isinstance(vec, tuple) else (vec,), dtype=object)
    if not all(isinstance(b, float) for b in borders) or (np.diff(borders.astype(np.float64)) < 0).any():
        raise FormulaError("findInterval() needs numbers that do not decrease, for example c(0, 5, 10)")
    borders = borders.astype(np.float64)
    values = column(call, x)
    is_left_open = flag(call, "left.open", left_open)
    found = np.searchsorted(borders, values, side="left" if is_left_open else "right").astype(np.float64)
    if flag(call, "rightmost.closed", rightmost_closed) and len(borders) > 1:
        edge, interval = (borders[0], 1.0) if is_left_open else (borders[-1], len(borders) - 1.0)
        found[values == edge] = interval
    if flag(call, "all.inside", all_inside):
        found = np.clip(found, 1, max(len(borders) - 1, 1))
    found[np.isnan(values)] = np.nan
    return found


INTERVALS: tuple[Function, ...] = (
    Function("cut", cut),
    Function("pd.cut", cut_of_pandas),
    Function("findInterval", find_interval),
)
