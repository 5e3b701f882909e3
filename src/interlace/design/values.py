"""One column: numbers, or a factor. Everything a data frame can hold becomes one of the two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from interlace import kernel
from interlace.design.once import Once
from interlace.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Factor:
    """A categorical column: ``levels[codes]``, code -1 where missing.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
    levels : ndarray, shape (L,)
        In order; strings are sorted, categories keep the order they were given.
    ordered : bool
        Whether R would call it an ordered factor (polynomial contrasts by default).
    """

    codes: np.ndarray
    levels: np.ndarray
    ordered: bool = False

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: np.ndarray) -> Factor:
        """The factor at these rows, all levels kept."""
        return Factor(self.codes[rows], self.levels, self.ordered)

    def drop_unused(self) -> Factor:
        """Without the levels that do not occur."""
        n_levels = len(self.levels)
        if kernel.all_occur(np.ascontiguousarray(self.codes, dtype=np.int32), n_levels):
            return self
        present = np.zeros(n_levels + 1, dtype=bool)
        present[self.codes] = True  # code -1 marks the spare last place
        present = present[:n_levels]
        lookup = np.full(n_levels + 1, -1, dtype=np.int32)
        lookup[:n_levels][present] = np.arange(present.sum(), dtype=np.int32)
        return Factor(lookup[self.codes], self.levels[present], self.ordered)

    def recode(self, levels: np.ndarray) -> Factor:
        """The same values with codes into `levels`, matched by value; -1 for those not among them."""
        if self.levels is levels:
            return self
        positions = match(self.levels, levels)
        return Factor(np.append(positions, -1)[self.codes], levels, self.ordered)

    def to_series(self) -> pd.Series:
        """As a categorical series, for functions in formulas."""
        return pd.Series(pd.Categorical.from_codes(self.codes, categories=self.levels, ordered=self.ordered))


@dataclass(frozen=True, slots=True)
class CodedFactor(Factor):
    """A factor made by a function of a formula: its levels are meant, and it may bring its contrast along.

    Attributes
    ----------
    contrast : object or None
        A contrast of `interlace.design.contrasts`; None is the default of the factor.
    """

    contrast: Any = None


@dataclass(frozen=True, slots=True)
class Matrix:
    """Several columns that one expression gives, such as a polynomial or a spline.

    Attributes
    ----------
    values : ndarray of float64, shape (n, k)
    labels : tuple of str
        The k labels; column j of ``poly(x, 2)`` is named ``poly(x, 2)[labels[j]]``.
    """

    values: np.ndarray
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)


Column = np.ndarray | Factor
Constant = float | bool | str | None  # None is R's NULL
Value = np.ndarray | Factor | Matrix | tuple[Constant, ...] | Constant  # what an expression can be


LARGEST_COUNTED = 2**62  # differences of smaller integers are integers of 64 bits


def match(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Positions of `values` among `levels` (which are distinct), -1 where there is none; int32."""
    if len(values) == len(levels) and values.dtype == levels.dtype and np.array_equal(values, levels):
        return np.arange(len(levels), dtype=np.int32)
    return np.asarray(_index(levels).get_indexer(pd.Index(_indexed(values))).astype(np.int32))


def _index_of(levels: np.ndarray) -> pd.Index[Any]:
    """It looks values up in a table, which it makes when it is first asked."""
    return pd.Index(_indexed(levels))


_index: Once[np.ndarray, pd.Index[Any]] = Once(_index_of)


class _Places(NamedTuple):
    """Where each of `size` integers from `low` on stands among some levels, -1 where it is none of them; None
    where all of them are levels."""

    low: int
    size: int
    table: np.ndarray | None


def _places_of(levels: np.ndarray) -> _Places | None:
    """A table, where the levels are integers that lie densely enough for one."""
    if not _countable(levels) or not len(levels):
        return None
    low, high = int(levels.min()), int(levels.max())
    if high - low > 4 * len(levels) + 1024 or not -LARGEST_COUNTED < low <= high < LARGEST_COUNTED:
        return None
    size, order = high - low + 1, np.arange(len(levels), dtype=np.int32)
    at = levels.astype(np.int64) - low
    if len(levels) == size and np.array_equal(at, order):
        return _Places(low, size, None)
    table = np.full(size, -1, dtype=np.int32)
    table[at] = order
    return _Places(low, size, table)


_places: Once[np.ndarray, _Places | None] = Once(_places_of)


def _countable(values: np.ndarray) -> bool:
    """Are they integers, all of which are integers of 64 bits?"""
    return values.dtype.kind == "i" or (values.dtype.kind == "u" and values.itemsize < 8)


def integer_codes(values: np.ndarray, levels: np.ndarray) -> np.ndarray | None:
    """As `match` of values that repeat, from a table; None where one of the two is not for a table."""
    places = _places(levels) if _countable(values) and values.ndim == 1 else None
    if places is None:
        return None
    codes: np.ndarray | None = kernel.looked_up(as_integers(values), *places)
    return codes


def as_integers(values: np.ndarray) -> np.ndarray:
    """Integers of any width, as the core takes them: of 32 or 64 bits, side by side."""
    kind = np.int32 if values.dtype == np.int32 else np.int64
    return np.ascontiguousarray(values, dtype=kind)


def _indexed(values: np.ndarray) -> np.ndarray:
    """Floats of 32 and 64 bits as they are, others as such of 64: pandas looks up no others."""
    odd = values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8)
    return values.astype(np.float64) if odd else values


def type_difference(factor: Factor, levels: np.ndarray) -> str | None:
    """What differs if no level of `factor` is among `levels` although their text is: 1 against "1"."""
    found = factor.drop_unused().levels
    if not len(found) or not len(levels) or (match(found, levels) >= 0).any():
        return None
    known = set(map(str, levels))
    twin = next((level for level in found if str(level) in known), None)
    if twin is None:
        return None
    theirs = next(level for level in levels if str(level) == str(twin))
    return f"'{twin}' is of type {_type_name(twin)} here and of type {_type_name(theirs)} in the fit"


def _type_name(value: Any) -> str:
    return type(value.item() if isinstance(value, np.generic) else value).__name__


def with_nan(values: Any) -> Any:
    """What is masked (`numpy.ma`), as NaN; other values as they are."""
    return values.filled(np.nan) if isinstance(values, np.ma.MaskedArray) else values


def masks(arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Of those that are masked, where."""
    return {
        name: np.ma.getmaskarray(values)
        for name, values in arrays.items()
        if isinstance(values, np.ma.MaskedArray)
    }


def without_rows(column: Column) -> Column:
    """A column of the same kind and with the same levels, of no rows."""
    none = np.zeros(0, dtype=np.intp)
    return column.take(none) if isinstance(column, Factor) else column[none]


def factorize(values: np.ndarray) -> Factor:
    """A factor with sorted levels from an array without missing values (or with codes -1 for None/NaN)."""
    if values.dtype.kind in "iu" and len(values):
        counted = _factorize_integers(values)
        if counted is not None:
            return counted
    codes, levels = pd.factorize(_indexed(values))
    return in_order(codes, np.asarray(levels))


def in_order(codes: np.ndarray, levels: np.ndarray) -> Factor:
    """The factor with sorted levels, of codes of levels that are in any order; -1 for None/NaN."""
    order = np.argsort(levels, kind="stable")
    rank = np.full(len(levels) + 1, -1, dtype=np.int32)
    rank[order] = np.arange(len(levels), dtype=np.int32)
    return Factor(rank[codes], levels[order])


def _factorize_integers(values: np.ndarray) -> Factor | None:
    """By counting, if the integers lie densely enough; no sorting, no hashing."""
    if values.dtype.kind == "u" and values.itemsize == 8 and int(values.max()) > np.iinfo(np.int64).max:
        return None
    found = kernel.counted(np.ascontiguousarray(values, dtype=np.int64))
    return None if found is None else Factor(found[0], found[1].astype(values.dtype))
