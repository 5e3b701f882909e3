"""A label for each row used: a column of the data by its name, or values beside the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from interlace.design.extras import check_index
from interlace.design.frame import read_array
from interlace.design.rows import Rows, kept_of
from interlace.design.values import Column, Factor, factorize
from interlace.errors import DataError


def row_labels(rows: Rows, option: str, given: Any) -> Factor:
    """A factor with a level for each row used, as `used_labels`.

    Parameters
    ----------
    rows : Rows
        Those that are read in chunks are read once for a column that is named.
    option : str
        What asks for it, for messages.
    given : str or array-like
        A column of the data, of the model or not; or a value per row (used, or of the data).

    Raises
    ------
    DataError
        No such column, another length or index, missing values.
    """
    if isinstance(given, str):
        return used_labels(rows, option, *rows.column(option, given))
    check_index(option, given, rows.frame.index, kept_of(rows))
    return used_labels(rows, option, *read_array(option, given))


def used_labels(rows: Rows, option: str, column: Column, missing: np.ndarray | None) -> Factor:
    """A column of the rows used, or of all that were read, as a factor of the rows used; its levels occur."""
    n, n_read = rows.n, rows.n_read
    if len(column) not in (n, n_read):
        wanted = f"{n}" if n == n_read else f"{n} (rows used) or {n_read} (rows of the data)"
        raise DataError(f"{option} has {len(column)} values, not {wanted}")
    kept = None if len(column) == n else kept_of(rows)
    if kept is not None:
        column = column.take(kept) if isinstance(column, Factor) else column[kept]
        missing = None if missing is None else missing[kept]
    if missing is not None and missing.any():
        raise DataError(f"{option} is missing in {int(missing.sum())} of the rows used")
    factor = (column if isinstance(column, Factor) else factorize(column)).drop_unused()
    if len(factor) and factor.codes.min() < 0:
        raise DataError(f"{option} is missing in {int((factor.codes < 0).sum())} of the rows used")
    return factor
