"""`as.numeric()` and its relatives: values of one kind as those of another, by R's rules or refused."""

from __future__ import annotations

import numpy as np

from interlace.design.functions.call import Call
from interlace.design.functions.function import Function
from interlace.design.functions.labels import refuse_unseen
from interlace.design.functions.values import Value, factor_of, is_logical, level_text, numbers
from interlace.design.values import CodedFactor, Factor, Matrix
from interlace.errors import DataError, FormulaError


def as_numeric(call: Call, x: Value) -> Value:
    """R's `as.numeric()`: numbers and logicals as they are, a factor made or ordered by the user as the
    numbers of its levels, counted from 1.

    Text and unordered categories are refused: R takes the text of the one and the place of the other.
    """
    if not isinstance(x, Factor) or is_logical(x):
        return x if isinstance(x, Matrix) else numbers(call, x)
    if not (x.ordered or isinstance(x, CodedFactor)):
        name = call.subject
        raise DataError(
            f"{call.name}() of '{name}', which holds categories, could mean their numbers or their text: "
            f"write {call.name}(factor({name})) to number them from 1, or convert text in the data with "
            "astype(float)"
        )
    levels = call.state.setdefault("levels", x.levels)
    refuse_unseen(call, x, levels)
    codes = x.recode(levels).codes
    return np.where(codes < 0, np.nan, codes + 1.0)


def as_integer(call: Call, x: Value) -> Value:
    """R's `as.integer()`: `as.numeric()` without what is behind the decimal point."""
    found = as_numeric(call, x)
    if isinstance(found, Matrix):
        return Matrix(np.trunc(found.values), found.labels)
    return float(np.trunc(found)) if isinstance(found, float) else np.trunc(found)


def as_character(call: Call, x: Value) -> Value:
    """R's `as.character()`: text, so that levels are sorted as text."""
    if isinstance(x, bool | float | str):
        return level_text(x)
    found = factor_of(call, x)
    texts = np.array([level_text(v) for v in found.levels.tolist()], dtype=object)
    levels, place = np.unique(texts.astype(str), return_inverse=True)
    codes = np.append(place, -1).astype(np.int32)[found.codes]
    return Factor(codes, levels.astype(object))


_TRUE, _FALSE = ("T", "TRUE", "true", "True"), ("F", "FALSE", "false", "False")


def as_logical(call: Call, x: Value) -> Value:
    """R's `as.logical()`: numbers are TRUE where not zero, text where it is "TRUE", "T" or "true"."""
    if is_logical(x):
        return x
    if isinstance(x, Factor):
        return _read_logical(call, x)
    found = numbers(call, x)
    if isinstance(found, float):
        return found != 0
    missing = np.isnan(found)
    if missing.any():
        return Factor(np.where(missing, -1, found != 0).astype(np.int8), np.array([False, True]))
    return found != 0


def _read_logical(call: Call, x: Factor) -> Value:
    x = x.drop_unused()
    texts = [level_text(level) for level in x.levels.tolist()]
    wrong = next((text for text in texts if text not in _TRUE + _FALSE), None)
    if wrong is not None:
        raise DataError(
            f"'{call.text}' cannot read '{wrong}' as TRUE or FALSE; write {call.subject} == '{wrong}'"
        )
    codes = np.array([*(text in _TRUE for text in texts), -1], dtype=np.int8)[x.codes]
    return codes == 1 if (codes >= 0).all() else Factor(codes, np.array([False, True]))


def is_na(call: Call, x: Value) -> Value:
    """Refused: rows with missing values are left out before a formula is evaluated."""
    raise FormulaError(
        "is.na() would be FALSE everywhere, for rows with missing values are left out; compute the column in "
        "the data: data['x'].isna()"
    )


CONVERSIONS: tuple[Function, ...] = (
    Function("as.numeric", as_numeric),
    Function("as.double", as_numeric),
    Function("as.integer", as_integer),
    Function("as.character", as_character),
    Function("as.logical", as_logical),
    Function("is.na", is_na),
)
