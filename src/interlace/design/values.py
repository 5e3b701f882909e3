"""One column: numbers, or a factor. Everything a data frame can hold becomes one of the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from interlace.errors import DataError


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
        present = np.zeros(n_levels + 1, dtype=bool)
        present[self.codes] = True  # code -1 marks the spare last place
        present = present[:n_levels]
        if present.all():
            return self
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


def match(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Positions of `values` among `levels` (which are distinct), -1 where there is none; int32."""
    if len(values) == len(levels) and values.dtype == levels.dtype and np.array_equal(values, levels):
        return np.arange(len(levels), dtype=np.int32)
    index = pd.Index(levels)
    return index.get_indexer(pd.Index(values)).astype(np.int32)


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


def factorize(values: np.ndarray) -> Factor:
    """A factor with sorted levels from an array without missing values (or with codes -1 for None/NaN)."""
    if values.dtype.kind in "iu" and len(values):
        counted = _factorize_integers(values)
        if counted is not None:
            return counted
    codes, levels = pd.factorize(values)
    levels = np.asarray(levels)
    order = np.argsort(levels, kind="stable")
    rank = np.full(len(levels) + 1, -1, dtype=np.int32)
    rank[order] = np.arange(len(levels), dtype=np.int32)
    return Factor(rank[codes], levels[order])


def _factorize_integers(values: np.ndarray) -> Factor | None:
    """By counting, if the integers lie densely enough; no sorting, no hashing."""
    low, high = int(values.min()), int(values.max())
    if high - low > 4 * len(values) + 1024 or high > np.iinfo(np.int64).max:
        return None
    shifted = values - values.dtype.type(low) if low else values
    present = np.zeros(high - low + 1, dtype=bool)
    present[shifted] = True
    found = np.flatnonzero(present)
    lookup = np.empty(high - low + 1, dtype=np.int32)
    lookup[found] = np.arange(len(found), dtype=np.int32)
    return Factor(lookup[shifted], (found + low).astype(values.dtype))


def from_numpy(name: str, values: np.ndarray) -> tuple[Column, np.ndarray | None]:
    """A column and the mask of its missing values (None if nothing is missing) from any NumPy array."""
    if values.ndim != 1:
        raise DataError(f"column '{name}' has {values.ndim} dimensions; give one array of numbers per column")
    if isinstance(values, np.ma.MaskedArray):
        return _from_masked(name, values)
    kind = values.dtype.kind
    if kind == "f":
        return _floats(values)
    if kind in "iub":
        return values, None
    if kind in "Mm":
        missing = np.isnat(values)
        return values, missing if missing.any() else None
    if kind in "US":
        return factorize(values.astype(object)), None
    if kind == "O":
        return _from_objects(name, values)
    raise DataError(
        f"column '{name}' has values of type {values.dtype}, which a model cannot use; convert it"
    )


def _from_masked(name: str, values: np.ma.MaskedArray) -> tuple[Column, np.ndarray | None]:
    """Masked values are missing, and so are those that would be without a mask."""
    mask = np.ma.getmaskarray(values)
    bare = np.asarray(values.data)
    if not mask.any():
        return from_numpy(name, bare)
    if bare.dtype.kind in "USO":
        bare = bare.astype(object)
        bare[mask] = None
    elif bare.dtype.kind in "fMm":
        bare = np.where(mask, np.nan if bare.dtype.kind == "f" else bare.dtype.type("NaT"), bare)
    column, missing = from_numpy(name, bare)
    return column, mask if missing is None else mask | missing


def _floats(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    # A finite sum has no NaN in it: one pass and no mask in the usual case.
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(values.sum()):
            return values, None
    missing = np.isnan(values)
    return values, missing if missing.any() else None


def _from_objects(name: str, values: np.ndarray) -> tuple[Column, np.ndarray | None]:
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in ("string", "empty", "categorical"):
        factor = factorize(values)
        missing = factor.codes < 0
        if len(factor.levels) == 0:
            return np.full(len(values), np.nan), np.ones(len(values), dtype=bool)
        return factor, missing if missing.any() else None
    missing = pd.isna(values)
    mask = missing if missing.any() else None
    if kind == "boolean":
        return np.where(missing, False, values).astype(bool), mask
    if kind == "integer":
        try:
            return np.where(missing, 0, values).astype(np.int64), mask
        except OverflowError:
            return np.where(missing, np.nan, values).astype(np.float64), mask
    if kind in ("floating", "mixed-integer-float", "decimal"):
        return np.where(missing, np.nan, values).astype(np.float64), mask
    if kind in ("datetime", "datetime64", "date"):
        return pd.to_datetime(pd.Series(values)).to_numpy(dtype="datetime64[ns]"), mask
    kinds = sorted({type(value).__name__ for value, gone in zip(values, missing, strict=True) if not gone})
    raise DataError(
        f"column '{name}' mixes values of the types {', '.join(kinds)}; convert it to numbers or to strings"
    )


def from_categorical(values: Any) -> tuple[Factor, np.ndarray | None]:
    """From a `pandas.Categorical`."""
    codes = np.asarray(values.codes)
    missing = codes < 0
    categories = values.categories
    levels = np.array(categories, dtype=None if categories.dtype.kind in "iufbM" else object)
    return Factor(codes, levels, bool(values.ordered)), missing if missing.any() else None


def from_series(name: str, series: pd.Series) -> tuple[Column, np.ndarray | None]:
    """From a pandas series of any dtype, nullable and Arrow-backed ones included."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return from_numpy(name, series.to_numpy())
    if isinstance(dtype, pd.CategoricalDtype):
        return from_categorical(series.array)
    return from_nullable(name, series)


def from_nullable(name: str, series: pd.Series) -> tuple[Column, np.ndarray | None]:
    """From an extension array that has its own missing value."""
    missing = series.isna().to_numpy(dtype=bool)
    mask = missing if missing.any() else None
    if pd.api.types.is_bool_dtype(series.dtype):
        return series.to_numpy(dtype=bool, na_value=False), mask
    if pd.api.types.is_unsigned_integer_dtype(series.dtype):
        return series.to_numpy(dtype=np.uint64, na_value=0), mask
    if pd.api.types.is_integer_dtype(series.dtype):
        return series.to_numpy(dtype=np.int64, na_value=0), mask
    if pd.api.types.is_float_dtype(series.dtype):
        return _floats(series.to_numpy(dtype=np.float64, na_value=np.nan))  # NaN need not be marked missing
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return series.to_numpy(dtype="datetime64[ns]", na_value=np.datetime64("NaT")), mask
    values = series.to_numpy(dtype=object, na_value=None)
    return _from_objects(name, values)


def from_anything(name: str, values: Any) -> Column:
    """The column that an expression gave; missing values stay in it (NaN, code -1)."""
    if isinstance(values, Factor):
        return values
    if isinstance(values, pd.Series):
        return from_series(name, values)[0]
    if isinstance(values, pd.Categorical):
        return from_categorical(values)[0]
    if isinstance(values, (pd.Index, pd.api.extensions.ExtensionArray)):
        return from_series(name, pd.Series(values))[0]
    array = np.asarray(values)
    return array if array.ndim != 1 else from_numpy(name, array)[0]
