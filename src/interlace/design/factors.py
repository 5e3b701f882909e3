"""Functions of formulas that make factors, or numbers of them; spelled as in R.

What depends on the data (levels, breaks) is learnt once and kept in `_state` for new data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from formulaic.materializers.types import FactorValues
from formulaic.transforms.contrasts import Contrasts
from formulaic.utils.stateful_transforms import stateful_transform

from interlace.design.formulaic_contrasts import reference_level, resolve
from interlace.design.values import Factor, factorize, from_anything
from interlace.errors import DataError


@dataclass(frozen=True, slots=True)
class CodedFactor(Factor):
    """A factor that brings its contrasts along."""

    contrast: Contrasts | None = None


def _column(values: Any) -> Any:
    """The column that an expression gave, numbers or a factor."""
    return from_anything("factor()", getattr(values, "__wrapped__", values))


def _name(values: Any, otherwise: str) -> str:
    """The column's name, for messages."""
    return str(getattr(values, "name", None) or otherwise)


def _categorical(values: Factor) -> FactorValues:
    return FactorValues(values, kind="categorical", spans_intercept=True)


def to_factor(values: Any, levels: Any = None, ordered: bool | None = None) -> Factor:
    """Anything as a factor: levels sorted, or those given in the order given."""
    column = _column(values)
    if not isinstance(column, Factor):
        column = factorize(column)
    if levels is not None:
        column = column.recode(np.asarray(levels, dtype=object))
    return Factor(column.codes, column.levels, column.ordered if ordered is None else ordered)


def factor(x: Any, levels: Any = None, labels: Any = None, ordered: bool | None = None) -> FactorValues:
    """R's `factor()`: `factor(x)`, `factor(x, levels=["lo", "hi"])`, and new names by `labels`."""
    found = to_factor(x, levels, ordered)
    if labels is None:
        return _categorical(found)
    name = _name(x, "factor()")
    if levels is None:
        raise DataError(f"labels for '{name}' need the levels they are for; give levels= as well")
    _check_labels(name, labels, len(found.levels))
    renamed = factorize(np.asarray(labels, dtype=object))
    distinct = np.array(list(dict.fromkeys(labels)), dtype=object)
    codes = np.append(renamed.recode(distinct).codes, -1)[found.codes]
    return _categorical(Factor(codes, distinct, found.ordered))


def _check_labels(name: str, labels: Sequence[Any], count: int) -> None:
    if len(labels) != count:
        raise DataError(f"'{name}' has {count} levels and {len(labels)} labels; give a label for each")


def ordered(x: Any, levels: Any = None, labels: Any = None) -> FactorValues:
    """R's `ordered()`: a factor with polynomial contrasts."""
    return factor(x, levels, labels, True)


def C(x: Any, contrasts: Any = None, *, levels: Any = None) -> FactorValues:
    """R's and formulaic's `C()`: a factor, with a coding of its own if one is given."""
    values = to_factor(x, levels)
    if contrasts is not None:
        values = CodedFactor(values.codes, values.levels, values.ordered, resolve(_name(x, "C()"), contrasts))
    return _categorical(values)


@stateful_transform
def relevel(x: Any, ref: Any, _state: dict[str, Any] | None = None) -> FactorValues:
    """R's `relevel()`: the level `ref` comes first."""
    state = {} if _state is None else _state
    found = to_factor(x)
    if "first" not in state:
        if found.ordered:
            raise DataError(
                f"relevel() would break the order of '{_name(x, 'relevel()')}'; "
                "give the levels in another order: factor(..., levels=[...], ordered=False)"
            )
        state["first"] = reference_level(_name(x, "relevel()"), ref, found.levels.tolist())
    order = np.argsort([level != state["first"] for level in found.levels.tolist()], kind="stable")
    return _categorical(found.recode(found.levels[order]))


@stateful_transform
def as_numeric(x: Any, _state: dict[str, Any] | None = None) -> np.ndarray:
    """R's `as.numeric()`: numbers and logicals as they are, a factor made or ordered by the user as the
    numbers of its levels, counted from 1.

    Text and unordered categories are refused: R takes the text of the one and the place of the other.
    """
    state = {} if _state is None else _state
    column = _column(x)
    if not isinstance(column, Factor):
        return np.asarray(column, dtype=np.float64)
    if not (column.ordered or isinstance(x, FactorValues)):
        name = _name(x, "x")
        raise DataError(
            f"as.numeric() of '{name}', which holds categories, could mean their numbers or their text: "
            f"write as.numeric(factor({name})) to number them from 1, or convert text in the data with "
            "astype(float)"
        )
    levels = state.setdefault("levels", column.levels)
    return _numbers(column.recode(levels))


def _numbers(values: Factor) -> np.ndarray:
    """Places of the levels, counted from 1; NaN where there is none."""
    return np.where(values.codes < 0, np.nan, values.codes + 1.0)


@stateful_transform
def cut(
    x: Any,
    breaks: Any,
    labels: Any = None,
    include_lowest: bool = False,
    right: bool = True,
    dig_lab: int = 3,
    _state: dict[str, Any] | None = None,
) -> Any:
    """R's `cut()`: the interval of each value, between the breaks given or in equal intervals.

    Parameters
    ----------
    x : array of shape (n,)
    breaks : int or sequence of float
        The number of intervals over the range of `x` in the fit, or the borders.
    labels : sequence or False, optional
        Names for the intervals; False: their numbers.
    include_lowest : bool
        The outermost border belongs to its interval.
    right : bool
        Intervals hold their right border, not their left one.
    dig_lab : int
        Digits of the borders in the names.
    """
    state = {} if _state is None else _state
    values = _column(x)
    if isinstance(values, Factor):
        raise DataError(f"cut() needs numbers, and '{_name(x, 'x')}' holds categories")
    values = np.asarray(values, dtype=np.float64)
    borders = state.setdefault("breaks", _borders(values, breaks))
    codes = np.searchsorted(borders, values, side="left" if right else "right") - 1
    if include_lowest:
        codes[values == (borders[0] if right else borders[-1])] = 0 if right else len(borders) - 2
    codes[(codes >= len(borders) - 1) | np.isnan(values)] = -1
    if labels is False:
        return np.where(codes < 0, np.nan, codes + 1.0)
    if labels is None:
        labels = _intervals(borders, include_lowest, right, dig_lab)
    _check_labels(_name(x, "cut()"), labels, len(borders) - 1)
    return _categorical(Factor(codes, np.array(list(labels), dtype=object)))


def _borders(values: np.ndarray, breaks: Any) -> np.ndarray:
    if np.ndim(breaks):
        borders = np.unique(np.asarray(breaks, dtype=np.float64))
        if len(borders) < 2 or len(borders) < len(breaks):
            raise DataError(f"cut() needs two or more different breaks, not {list(breaks)}")
        return borders
    if breaks != int(breaks) or breaks < 2:
        raise DataError(
            f"cut() needs a whole number of intervals, 2 or more, or their borders; not {breaks!r}"
        )
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    margin = (high - low or abs(low)) / 1000
    if high == low:
        return np.linspace(low - margin, high + margin, int(breaks) + 1)
    borders = np.linspace(low, high, int(breaks) + 1)
    borders[[0, -1]] = low - margin, high + margin
    return borders


def _intervals(borders: np.ndarray, include_lowest: bool, right: bool, digits: int) -> list[str]:
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
    return names
