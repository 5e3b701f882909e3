"""Functions that learn numbers from a column: means, scales, means by group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from interlace.design.functions.call import Call
from interlace.design.functions.function import Function
from interlace.design.functions.values import (
    Value,
    column,
    factor_of,
    finite_column,
    flag,
    is_column,
    level_text,
    number,
    numbers,
    several,
    whole,
)
from interlace.design.values import Matrix
from interlace.errors import DataError, FormulaError


def _summary(name: str, of: Callable[[np.ndarray], float], least: int = 1) -> Function:
    def pooled(call: Call, *x: Value, na_rm: Value = False) -> Value:
        return learnt(call, x, na_rm)

    def single(call: Call, x: Value, na_rm: Value = False) -> Value:
        return learnt(call, (x,), na_rm)

    def learnt(call: Call, x: tuple[Value, ...], na_rm: Value) -> Value:
        if "value" not in call.state:
            values = _pooled(call, x, flag(call, "na.rm", na_rm))
            if len(values) < least:
                raise DataError(
                    f"{name}() needs at least {least} values, and '{call.text}' has {len(values)}"
                )
            call.state["value"] = float(of(values))
        return call.state["value"]

    return Function(name, pooled if name in _OF_SEVERAL else single)


_OF_SEVERAL = ("max", "min", "prod", "sum")


def _pooled(call: Call, x: tuple[Value, ...], na_rm: bool) -> np.ndarray:
    parts = [(i, p) for i, value in enumerate(x) for p in (value if isinstance(value, tuple) else (value,))]
    if not parts:
        raise FormulaError(f"{call.name}() needs a column of the data; write {call.name}(x)")
    read = numbers if na_rm else _finite
    values = np.concatenate([np.atleast_1d(read(call, part, i)) for i, part in parts])
    return values[~np.isnan(values)] if na_rm else values


def _finite(call: Call, value: Value, place: int) -> np.ndarray | float:
    return finite_column(call, value, place) if is_column(value) else numbers(call, value, place)


_SUMMARIES: dict[str, tuple[Callable[[np.ndarray], float], int]] = {
    "max": (np.max, 1),
    "mean": (np.mean, 1),
    "median": (np.median, 1),
    "min": (np.min, 1),
    "prod": (np.prod, 0),
    "sd": (lambda x: np.std(x, ddof=1), 2),
    "sum": (np.sum, 0),
    "var": (lambda x: np.var(x, ddof=1), 2),
}


def length(call: Call, x: Value) -> Value:
    """`length(x)`: the number of rows of the fit, or of constants."""
    if isinstance(x, tuple):
        return float(len(x))
    return call.state.setdefault("value", float(call.nrows) if is_column(x) else 1.0)


def quantile(
    call: Call,
    x: Value,
    probs: Value = (0.0, 0.25, 0.5, 0.75, 1.0),
    na_rm: Value = False,
    names: Value = True,
    type: Value = 7.0,
) -> Value:
    """`quantile(x, probs)`: R's default (type 7), as constants."""
    at = several(call, "probs", probs)
    if min(at) < 0 or max(at) > 1:
        raise DataError(f"quantile() needs probabilities between 0 and 1, not {list(at)}")
    if number(call, "type", type) != 7:
        raise FormulaError("quantile() knows R's default, type = 7, only; compute other ones in the data")
    if "value" not in call.state:
        values = _pooled(call, (x,), flag(call, "na.rm", na_rm))
        if not len(values):
            raise DataError(f"'{call.text}' has no values to learn from")
        call.state["value"] = tuple(np.quantile(values, at).tolist())
    found = call.state["value"]
    return found if len(found) > 1 else found[0]


def range_(call: Call, x: Value, na_rm: Value = False) -> Value:
    """`range(x)`: the smallest and the largest value, as constants."""
    if "value" not in call.state:
        values = _pooled(call, (x,), flag(call, "na.rm", na_rm))
        if not len(values):
            raise DataError(f"'{call.text}' has no values to learn from")
        call.state["value"] = (float(values.min()), float(values.max()))
    return call.state["value"]


# Centred and scaled


def scale(call: Call, x: Value, center: Value = True, scale: Value = True, ddof: Value = 1.0) -> Value:
    """R's `scale()`: less the mean, divided by the standard deviation; or by numbers that are given.

    Without centring, TRUE for `scale` is the root mean square (divisor n - 1), as in R.
    """
    return _scaled(call, x, center, scale, whole(call, "ddof", ddof, 0))


def center(call: Call, x: Value) -> Value:
    """`center(x)`: less the mean."""
    return _scaled(call, x, True, False, 1)


def standardize(
    call: Call, x: Value, center: Value = True, rescale: Value = True, ddof: Value = 0.0
) -> Value:
    """patsy's `standardize()`: `scale()` with the divisor n."""
    return _scaled(call, x, center, rescale, whole(call, "ddof", ddof, 0))


def _scaled(call: Call, x: Value, center: Value, scale: Value, ddof: int) -> Value:
    if not isinstance(x, Matrix):
        return _scaled_column(call, x, center, scale, ddof)
    states = call.state.setdefault("columns", [{} for _ in x.labels])
    columns = [
        _scaled_column(Call(call.name, call.text, state, call.nrows), x.values[:, j], center, scale, ddof)
        for j, state in enumerate(states)
    ]
    return Matrix(np.column_stack(columns), x.labels)


def _scaled_column(call: Call, x: Value, center: Value, scale: Value, ddof: int) -> np.ndarray:
    values = finite_column(call, x)
    if "center" not in call.state:
        middle = (
            values.mean() if center is True else 0.0 if center is False else number(call, "center", center)
        )
        spread = _spread(call, values - middle, scale, ddof)
        call.state.update(center=float(middle), scale=spread)
    shifted = values - call.state["center"]
    return np.asarray(shifted if call.state["scale"] == 1.0 else shifted / call.state["scale"])


def _spread(call: Call, shifted: np.ndarray, scale: Value, ddof: int) -> float:
    if scale is False:
        return 1.0
    if scale is True:
        if len(shifted) <= ddof:
            raise DataError(f"'{call.text}' needs more than {len(shifted)} row to have a standard deviation")
        found = float(np.sqrt(np.sum(shifted**2) / (len(shifted) - ddof)))
        if found == 0:
            raise DataError(
                f"'{call.text}' cannot be computed: all values of '{call.subject}' are equal, so that their "
                "standard deviation is zero; leave it out"
            )
        return found
    found = number(call, "scale", scale)
    if found == 0:
        raise DataError(f"'{call.text}' divides by zero; give another number for 'scale'")
    return found


# By group

_BY_GROUP = {
    "mean": "mean",
    "median": "median",
    "min": "min",
    "max": "max",
    "sum": "sum",
    "sd": "std",
    "var": "var",
    "length": "size",
}


def ave(call: Call, x: Value, *groups: Value, fun: Value = "mean") -> np.ndarray:
    """R's `ave(x, g, h, FUN = mean)`: the mean of x in the group of each row, as learnt in the fit.

    Groups are combinations of the levels of g, h, ...; one that the fit has not seen is refused.
    """
    name = fun.name if isinstance(fun, Function) else fun
    if not isinstance(name, str) or name not in _BY_GROUP:
        raise FormulaError(f"ave() knows FUN = {', '.join(_BY_GROUP)}; compute others in the data")
    learning = "levels" not in call.state
    factors = [factor_of(call, group) for group in groups]
    if learning:
        call.state["levels"] = tuple(f.drop_unused().levels for f in factors)
    keys, missing = _group_keys(
        call, [f.recode(v) for f, v in zip(factors, call.state["levels"], strict=True)]
    )
    unseen = np.zeros(call.nrows, dtype=bool)
    for factor, levels in zip(factors, call.state["levels"], strict=True):
        unseen |= (factor.recode(levels).codes < 0) & (factor.codes >= 0)
    if learning:
        values = finite_column(Call(call.name, call.text, {}, call.nrows), x)
        by = pd.Series(values[~missing]).groupby(keys[~missing]).agg(_BY_GROUP[name])
        call.state.update(keys=by.index.to_numpy(np.int64), values=by.to_numpy(np.float64))
    else:
        column(call, x)
    known, table = call.state["keys"], call.state["values"]
    place = np.minimum(np.searchsorted(known, keys), max(len(known) - 1, 0))
    found = known[place] == keys if len(known) else np.zeros(call.nrows, dtype=bool)
    unseen |= ~found & ~missing
    if unseen.any():
        row = int(np.argmax(unseen))
        group = ", ".join(f"'{level_text(f.levels[f.codes[row]])}'" for f in factors)
        raise DataError(
            f"'{call.text}' has no value for the group {group} (first at row {row}), which the fit has not "
            "seen"
        )
    return np.where(missing, np.nan, table[place] if len(table) else np.nan)


def _group_keys(call: Call, factors: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """One number for each combination of levels, and where a level is missing."""
    keys = np.zeros(call.nrows, dtype=np.int64)
    missing = np.zeros(call.nrows, dtype=bool)
    if np.prod([float(len(f.levels)) for f in factors]) > 2.0**62:
        raise DataError(f"'{call.text}' has more combinations of levels than can be counted")
    for factor in factors:
        keys = keys * max(len(factor.levels), 1) + np.maximum(factor.codes, 0)
        missing |= factor.codes < 0
    return keys, missing


SUMMARIES: tuple[Function, ...] = (
    *(_summary(name, of, least) for name, (of, least) in _SUMMARIES.items()),
    Function("length", length),
    Function("quantile", quantile),
    Function("range", range_),
    Function("scale", scale),
    Function("center", center),
    Function("standardize", standardize),
    Function("ave", ave),
)
