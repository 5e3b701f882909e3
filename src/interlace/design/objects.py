"""Columns of Python objects: text, numbers, dates, and labels of any type that can be told apart."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from interlace.design.values import Column, Factor, factorize, in_order
from interlace.errors import DataError, InterlaceWarning, warn
from interlace.text import to_numbers

# Texts that stand for a missing value in tables of numbers.
_GAPS = ("", "NA", "N/A", "n/a", "na", "#N/A", "NaN", "nan", "NULL", "null", "?", ".")


def from_objects(name: str, values: np.ndarray) -> tuple[Column, np.ndarray | None]:
    """A column and the mask of its missing values from an array of Python objects.

    Raises
    ------
    DataError
        The values are of several types that do not go together, or cannot be told apart by their text.
    """
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind == "empty":
        return np.full(len(values), np.nan), np.ones(len(values), dtype=bool)
    if kind in ("string", "bytes", "categorical"):
        return text_column(name, values)
    missing = _missing(values)
    mask = missing if missing.any() else None
    if kind == "boolean":
        return np.where(missing, False, values).astype(bool), mask
    if kind == "integer":
        try:
            return np.where(missing, 0, values).astype(np.int64), mask
        except OverflowError:
            return _floats(name, np.where(missing, np.nan, values)), mask
    if kind in ("floating", "mixed-integer-float", "decimal"):
        return _floats(name, np.where(missing, np.nan, values)), mask
    if kind in ("datetime", "datetime64", "date"):
        return pd.to_datetime(pd.Series(values)).to_numpy(dtype="datetime64[ns]"), mask
    if kind == "complex":
        raise DataError(f"column '{name}' holds complex numbers, which a model cannot use")
    return _labels(name, values, missing), mask


def _floats(name: str, values: np.ndarray) -> np.ndarray:
    try:
        return values.astype(np.float64)
    except OverflowError:
        raise DataError(
            f"'{name}' holds whole numbers that are too large for floating-point arithmetic (1.8e308 is the "
            "largest); make them text if they are labels, rescale them if they are measurements"
        ) from None


def text_column(name: str, values: np.ndarray) -> tuple[Column, np.ndarray | None]:
    """A factor of text; bytes are taken as UTF-8."""
    return _text(name, factorize(values))


def text_series(name: str, values: Any) -> tuple[Column, np.ndarray | None]:
    """The same from an extension array of text, whose values are no Python objects yet."""
    codes, levels = values.factorize()
    return _text(name, in_order(codes, levels.to_numpy(dtype=object)))


def _text(name: str, factor: Factor) -> tuple[Column, np.ndarray | None]:
    if len(factor.levels) == 0:
        return np.full(len(factor), np.nan), np.ones(len(factor), dtype=bool)
    if isinstance(factor.levels[0], bytes):
        factor = Factor(factor.codes, _decoded(name, factor.levels))
    check_text(name, factor.levels)
    _check_numbers(name, factor.levels)
    missing = factor.codes < 0
    return factor, missing if missing.any() else None


def as_labels(name: str, levels: np.ndarray) -> np.ndarray:
    """Categories as labels: tuples by their text, the others as they are."""
    check_text(name, [level for level in levels if isinstance(level, str)])
    if not any(isinstance(level, tuple) for level in levels):
        return levels
    return np.array([str(level) for level in levels], dtype=object)


def _missing(values: np.ndarray) -> np.ndarray:
    return np.asarray(pd.isna(pd.Series(values, dtype=object)), dtype=bool)


def _decoded(name: str, levels: np.ndarray) -> np.ndarray:
    try:
        return np.array([level.decode() for level in levels], dtype=object)
    except UnicodeDecodeError as error:
        raise DataError(f"column '{name}' holds bytes that are no UTF-8 text; decode them") from error


def check_text(name: str, levels: Iterable[str]) -> None:
    """Text must be whole characters, or no table of results could hold it."""
    try:
        "".join(levels).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"column '{name}' holds text with half a character ({error.object[error.start]!a}), which "
            "cannot be printed or stored; read the data with the right encoding"
        ) from error


def _check_numbers(name: str, levels: np.ndarray) -> None:
    """Text that is numbers but for one that stands for a gap is a column of numbers read as text."""
    gaps = [gap for gap in _GAPS if gap in levels]
    rest = [level for level in levels if level not in gaps] if gaps else []
    if rest and all(map(is_number, rest)):
        raise DataError(
            f"column '{name}' holds numbers as text, and {gaps[0]!r} among them: leave that cell empty, or "
            f"make them numbers, for example by {to_numbers(name)}; if they are "
            f"labels and {gaps[0]!r} is one, make the column a categorical"
        )
    if "nan" in gaps:  # what astype(str) makes of a gap
        column = f"data[{name!r}]"
        warn(
            f"column '{name}' holds the text 'nan', which is taken for a level and not for a missing value. "
            f"Where it is one, as after .astype(str), write {column}.where({column} != 'nan'); a categorical "
            "with the level 'nan' says that it is a label",
            InterlaceWarning,
        )


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _labels(name: str, values: np.ndarray, missing: np.ndarray) -> Factor:
    """Values of one type, such as tuples or UUIDs, as labels: their text, in the order of the values."""
    present = values[~missing]
    kinds = sorted({type(value).__name__ for value in present})
    if len(kinds) > 1:
        odd = next((str(value) for value in present if isinstance(value, str)), None)
        such = "" if odd is None else f" (such as {odd!r})"
        raise DataError(
            f"column '{name}' mixes values of the types {', '.join(kinds)}{such}; convert it to numbers, for "
            f"example by {to_numbers(name)}, or to strings"
        )
    levels = _distinct(present)
    texts = [str(level) for level in levels] if levels is not None and _has_text(present[0]) else None
    if texts is None or len(set(texts)) < len(texts):
        raise DataError(
            f"column '{name}' holds objects of type {kinds[0]}, which a model can use neither as numbers nor "
            "as labels; convert it to numbers or to strings"
        )
    place = {level: code for code, level in enumerate(levels or ())}
    codes = np.full(len(values), -1, dtype=np.int32)
    codes[~missing] = [place[value] for value in present]
    return Factor(codes, np.array(texts, dtype=object))


def _has_text(value: Any) -> bool:
    """Whether the text of a value tells what it is, and not only where in memory it lies."""
    kind: Any = type(value)
    return kind.__str__ is not object.__str__ or kind.__repr__ is not object.__repr__


def _distinct(values: np.ndarray) -> list[Any] | None:
    """Distinct values in order, or in order of their text; None if they cannot be told apart."""
    if not all(isinstance(value, Hashable) for value in values):
        return None
    try:
        found = set(values)
    except TypeError:  # a tuple with a list in it
        return None
    try:
        return sorted(found, key=str if isinstance(values[0], frozenset) else None)
    except TypeError:  # of no order
        return sorted(found, key=str)
