"""A label for each row used: a column of the data by its name, or values beside the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from interlace.design.design import Design
from interlace.design.extras import check_index
from interlace.design.frame import read_array
from interlace.design.source import further_column
from interlace.design.values import Column, Factor, factorize
from interlace.errors import DataError


def row_labels(design: Design, option: str, given: Any) -> Factor:
    """A factor with a level for each row used, as `used_labels`.

    Parameters
    ----------
    design : Design
    option : str
        What asks for it, for messages.
    given : str or array-like
        A column of the data, of the model or not; or a value per row (used, or of the data).

    Raises
    ------
    DataError
        No such column, another length or index, missing values.
    """
    if not isinstance(given, str):
        check_index(option, given, design.frame.index, design.kept)
        return used_labels(design, option, *read_array(option, given))
    if given in design.frame.columns:
        return used_labels(design, option, design.frame.columns[given], None)
    return used_labels(design, option, *further_column(design, option, given))


def used_labels(design: Design, option: str, column: Column, missing: np.ndarray | None) -> Factor:
    """A column of the rows used, or of all that were read, as a factor of the rows used; its levels occur."""
    n, n_read = design.nrows, design.n_rows_read
    if len(column) not in (n, n_read):
        wanted = f"{n}" if n == n_read else f"{n} (rows used) or {n_read} (rows of the data)"
        raise DataError(f"{option} has {len(column)} values, not {wanted}")
    if len(column) != n and design.kept is not None:
        column = column.take(design.kept) if isinstance(column, Factor) else column[design.kept]
        missing = None if missing is None else missing[design.kept]
    if missing is not None and missing.any():
        raise DataError(f"{option} is missing in {int(missing.sum())} of the rows used")
    factor = (column if isinstance(column, Factor) else factorize(column)).drop_unused()
    if len(factor) and factor.codes.min() < 0:
        raise DataError(f"{option} is missing in {int((factor.codes < 0).sum())} of the rows used")
    return factor
