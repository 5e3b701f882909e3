"""Arrays and series of every kind into columns: numbers, or a factor, and the mask of what is missing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from interlace.design.objects import as_labels, from_objects, text_column, text_series
from interlace.design.once import Once
from interlace.design.scan import Scan, scanned
from interlace.design.values import Column, Factor
from interlace.errors import DataError

Scans = dict[str, Scan]


def from_numpy(name: str, values: np.ndarray, scans: Scans | None = None) -> tuple[Column, np.ndarray | None]:
    """A column and the mask of its missing values (None if nothing is missing) from any NumPy array.

    A look at all numbers of a column is put into `scans`.
    """
    if values.ndim != 1:
        raise DataError(f"column '{name}' has {values.ndim} dimensions; give one array of numbers per column")
    if isinstance(values, np.ma.MaskedArray):
        return _from_masked(name, values)
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    kind = values.dtype.kind
    if kind == "f":
        return _floats(name, values, scans)
    if kind in "iub":
        return values, None
    if kind in "Mm":
        missing = np.isnat(values)
        return values, missing if missing.any() else None
    if kind in "US":
        return text_column(name, values.astype(object))
    if kind == "O":
        return from_objects(name, values)
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


def _floats(
    name: str, values: np.ndarray, scans: Scans | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    # A finite sum has no NaN in it: one pass and no mask in the usual case.
    if len(values) and values.itemsize <= 8:
        found = scanned(values)
        if math.isfinite(found.sum):
            if scans is not None:
                scans[name] = found
            return values, None
    missing = np.isnan(values)
    return values, missing if missing.any() else None


def from_categorical(name: str, values: Any) -> tuple[Factor, np.ndarray | None]:
    """From a `pandas.Categorical`."""
    codes, dtype = np.asarray(values.codes), values.dtype  # whose properties are those of the values, sooner
    levels, checked = _levels(dtype.categories)
    if not checked:
        levels = as_labels(name, levels)
    complete = not len(codes) or np.minimum.reduce(codes) >= 0
    return Factor(codes, levels, bool(dtype.ordered)), None if complete else codes < 0


def _as_levels(categories: pd.Index) -> tuple[np.ndarray, bool]:
    """Categories as an array that nobody writes to, and whether nothing is to be said of them as labels."""
    plain = categories.dtype.kind in "iufbM"
    levels = np.array(categories.to_numpy() if plain else categories.to_numpy(dtype=object))
    levels.flags.writeable = False
    try:
        return levels, plain or as_labels("", levels) is levels
    except DataError:
        return levels, False


_levels: Once[pd.Index, tuple[np.ndarray, bool]] = Once(_as_levels)


def from_series(name: str, series: pd.Series, scans: Scans | None = None) -> tuple[Column, np.ndarray | None]:
    """From a pandas series of any dtype, nullable and Arrow-backed ones included."""
    if isinstance(series.dtype, np.dtype):
        return from_numpy(name, series.to_numpy(), scans)
    return from_array(name, series.array, scans)


def from_array(name: str, values: Any, scans: Scans | None = None) -> tuple[Column, np.ndarray | None]:
    """From an array as pandas holds it: of NumPy, or an extension array."""
    if isinstance(values, np.ndarray):
        return from_numpy(name, values, scans)
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return from_categorical(name, values)
    if isinstance(dtype, np.dtype):  # dates without a time zone
        return from_series(name, pd.Series(values, copy=False), scans)
    if isinstance(dtype, pd.StringDtype) or (isinstance(dtype, pd.ArrowDtype) and dtype.type is str):
        return text_series(name, values)
    return from_nullable(name, pd.Series(values, copy=False))


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
        # NaN need not be marked missing
        return _floats(name, series.to_numpy(dtype=np.float64, na_value=np.nan))
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return series.to_numpy(dtype="datetime64[ns]", na_value=np.datetime64("NaT")), mask
    values = series.to_numpy(dtype=object, na_value=None)
    return from_objects(name, values)


def from_anything(name: str, values: Any) -> Column:
    """The column that an expression gave; missing values stay in it (NaN, code -1)."""
    if isinstance(values, Factor):
        return values
    if isinstance(values, pd.Series):
        return from_series(name, values)[0]
    if isinstance(values, pd.Categorical):
        return from_categorical(name, values)[0]
    if isinstance(values, (pd.Index, pd.api.extensions.ExtensionArray)):
        return from_series(name, pd.Series(values))[0]
    array = np.asarray(values)
    return array if array.ndim != 1 else from_numpy(name, array)[0]
