"""Can these data carry this model? Each check says which column, which row, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from interlace.design.objects import is_number
from interlace.design.scan import Scan, scanned
from interlace.design.values import Column, Factor
from interlace.errors import BadRowError, DataError, ModelError, shown
from interlace.text import to_numbers


def row_label(position: int, kept: np.ndarray | None) -> int:
    """Row of the caller's data (counted from 0) of a row used."""
    return int(position if kept is None else kept[position])


def check_not_empty(n_rows: int, n_kept: int, missing: Mapping[str, np.ndarray]) -> None:
    """There must be rows, before and after those with missing values are dropped."""
    if n_rows == 0:
        raise DataError("the data have no rows")
    if n_kept == 0:
        counts = ", ".join(f"'{name}' {int(mask.sum())}" for name, mask in missing.items())
        raise DataError(f"every one of the {n_rows} rows has a missing value (missing by column: {counts})")


def refuse_missing(missing: Mapping[str, np.ndarray]) -> None:
    """For `na_action="raise"`."""
    if missing:
        counts = ", ".join(f"'{name}' {int(mask.sum())}" for name, mask in missing.items())
        raise DataError(f"there are missing values (by column: {counts}); fill them or use na_action='drop'")


def all_finite(values: np.ndarray) -> bool:
    """Is every number finite? So it is where their sum is, which takes no memory."""
    with np.errstate(invalid="ignore", over="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())


def check_finite(names: Sequence[str], values: np.ndarray, kept: np.ndarray | None) -> None:
    """Every entry of an (n, k) matrix must be finite; names the column and the first row."""
    if all_finite(values):
        return
    bad = ~np.isfinite(values)
    column = int(np.flatnonzero(bad.any(axis=0))[0])
    rows = np.flatnonzero(bad[:, column])
    first = row_label(rows[0], kept)
    raise BadRowError(
        f"'{names[column]}' is {values[rows[0], column]} at row {first} "
        f"({len(rows)} such row{'s' if len(rows) > 1 else ''}, counted from 0); "
        "values must be finite: drop the rows or change the expression",
        first,
    )


# Powers of these numbers, which the criterion and its derivatives need, are still numbers.
LARGEST_RESPONSE = 1e70
LARGEST_PREDICTOR = 1e140
LARGEST_WEIGHT = 1e140


def check_values(names: Sequence[str], values: np.ndarray, largest: float, kept: np.ndarray | None) -> None:
    """The entries of an (n, k) matrix must be finite, and of a size whose powers are numbers still.

    The largest absolute value of a column must lie between 1 / largest and largest, or be zero.
    """
    # A sum of squares is several times cheaper than a largest value, and nearly always says enough.
    if plain_sizes(_squares(values), len(values), largest):
        return
    check_finite(names, values, kept)
    _check_size(names, values, largest)


def plain_sizes(squares: Iterable[float], n: int, largest: float) -> bool:
    """Do the sums of squares of columns of n numbers say that no number in them is in doubt?"""
    least = n / largest
    return all([least < square < largest for square in squares])


# einsum walks through a long matrix of fewer columns than this more slowly than one column after the other.
_FEW = 8


def _squares(values: np.ndarray) -> list[float]:
    """Sum of squares of each column of an (n, k) matrix."""
    if values.shape[1] < _FEW and len(values):
        return [scanned(column).squares for column in values.T]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        squares: list[float] = np.einsum("ij,ij->j", values, values).tolist()
    return squares


def check_offset(name: str, values: np.ndarray, kept: np.ndarray | None) -> None:
    """The n values of an offset must be finite, and not larger than a response may be."""
    check_finite((name,), values[:, None], kept)
    # What is small beside the response takes nothing from it.
    _check_size((name,), np.where(np.abs(values) < 1, 0.0, values)[:, None], LARGEST_RESPONSE)


def _check_size(names: Sequence[str], values: np.ndarray, largest: float) -> None:
    sizes = np.maximum(values.max(axis=0), -values.min(axis=0))
    wrong = np.flatnonzero((sizes > largest) | ((sizes > 0) & (sizes < 1 / largest)))
    if len(wrong):
        name, size = names[wrong[0]], sizes[wrong[0]]
        raise DataError(
            f"the values of '{name}' are too {'large' if size > 1 else 'small'} for floating-point "
            f"arithmetic (up to {size:.2g} in size, and their powers are needed): rescale them, for example "
            f"divide by {size:.0e}"
        )


def numeric_response(name: str, values: Column, nrows: int) -> np.ndarray:
    """The response as float64 (n,)."""
    if isinstance(values, Factor):
        raise DataError(
            f"the response '{name}' is not numeric (it holds {_example(values)}); make it numbers in the "
            f"data, for example by {to_numbers(name)}"
        )
    if values.ndim != 1:
        raise DataError(
            f"the response '{name}' has {values.shape[-1]} columns; a linear mixed model needs one"
        )
    if values.dtype.kind not in "iufb":
        raise DataError(
            f"the response '{name}' is not numeric (type {values.dtype}); convert it with astype(float)"
        )
    if len(values) != nrows:
        raise DataError(f"the response '{name}' has {len(values)} values where the data have {nrows} rows")
    return np.ascontiguousarray(values, dtype=np.float64)


def _example(values: Factor) -> str:
    """A level that is no number, if there is one: it is the reason why the others are none."""
    levels = [str(level) for level in values.levels]
    odd = next((level for level in levels if not is_number(level)), levels[0] if levels else None)
    return "categories" if odd is None else f"text such as {odd!r}"


def check_not_constant(name: str, y: np.ndarray, found: Scan) -> None:
    """A response without variation leaves nothing to model."""
    if found.low == found.high:
        raise DataError(
            f"the response '{name}' is constant (always {y[0]:g}); there is no variation to model"
        )


def check_mapping(contrasts: object) -> None:
    """Contrasts are given by factor."""
    if contrasts is not None and not isinstance(contrasts, Mapping):
        raise DataError(
            "contrasts must be a mapping from factors to their codings, for example "
            f"contrasts={{'a': 'sum'}}, not {shown(contrasts)}"
        )


def check_coded(contrasts: Iterable[str], factors: Sequence[str]) -> None:
    """Contrasts are for categorical factors of the model, by the name they have there."""
    for name in contrasts:
        if name not in factors:
            inside = [
                factor
                for factor in factors
                if re.search(rf"(?<![\w.]){re.escape(str(name))}(?![\w.(])", factor)
            ]
            if inside:
                raise DataError(
                    f"contrasts are given for '{name}', which is in the model as {' and '.join(inside)}: "
                    f"write contrasts={{{inside[0]!r}: ...}}, or choose the coding there by C()"
                )
            known = f"its factors are {', '.join(factors)}" if factors else "there is none in it"
            raise DataError(
                f"contrasts are given for '{name}', which is not a categorical factor of the model "
                f"({known}); write factor({name}) in the formula to make it one"
            )


def check_weights(name: str, weights: np.ndarray, kept: np.ndarray | None) -> None:
    """Weights must be positive, finite, and of a size whose powers are numbers still."""
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights > 0)))
    if len(bad):
        first = row_label(bad[0], kept)
        raise BadRowError(
            f"{name} must be positive and finite; row {first} (counted from 0) has "
            f"{weights[bad[0]]:g} ({len(bad)} such in all); drop rows of weight zero from the data",
            first,
        )
    _check_size((name,), weights[:, None], LARGEST_WEIGHT)


def check_levels(group: str, n_levels: int) -> None:
    """A grouping factor needs more than one level."""
    if n_levels < 2:
        raise DataError(
            f"grouping factors must have > 1 sampled level; '{group}' has {n_levels}: leave its random term "
            "out, or use a factor with more levels"
        )


def check_varying(group: str, names: Sequence[str], z: np.ndarray) -> None:
    """Beside a random intercept no column (n, k) may be constant; columns of zeros are refused later."""
    for j, name in enumerate(names):
        first = z[0, j]
        if name != "Intercept" and first == z[-1, j] != 0.0 and (z[:, j] == first).all():
            raise ModelError(
                f"the column '{name}' of the random term for '{group}' is constant (always {first:g}) and "
                "repeats the intercept; leave it out of this term"
            )
