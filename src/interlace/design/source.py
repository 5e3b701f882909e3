"""The caller's table, remembered so that columns which the model does not use can be read later."""

from __future__ import annotations

from typing import Any

import numpy as np

from interlace.design.design import Design
from interlace.design.frame import Frame, closest, open_table
from interlace.design.values import Column, Factor
from interlace.errors import DataError


def further_column(design: Design, option: str, name: str) -> tuple[Column, np.ndarray | None]:
    """A column of the table of the fit, one value per row that was read, and its missing mask.

    The column is that of the time of the fit, or, if there was none of the name, of the table as it is now.

    Parameters
    ----------
    design : Design
        The rows of the fit.
    option, name : str
        What asks for the column, for messages; the column.

    Raises
    ------
    DataError
        The table is not here, has no such column, or is not what it was: its rows could be others.
    """
    source = design.source
    if source is None or source.data is None:
        raise DataError(
            f"{option} '{name}' is no column of the model, and the table of the fit is not here (a pickled "
            "model leaves it behind): give the values as an array"
        )
    table = open_table(source.then)
    if name not in table.names:
        table = open_table(source.data)
    if name not in table.names:
        raise DataError(f"{option} '{name}' is no column of the data; {closest(name, table.names)}")
    what = changed(design, table)
    if what:
        raise DataError(
            f"{option} '{name}' cannot be read: the table is not what it was when the model was fitted "
            f"({what}), so that its rows may be others; give the values as an array, or fit again"
        )
    read = Frame.read(table, [name])
    return read.columns[name], read.missing.get(name)


def is_column(design: Design, name: str) -> bool:
    """Has the table of the fit a column of this name, as far as it is here?"""
    if name in design.frame.columns:
        return True
    source = design.source
    if source is None or source.data is None:
        return False
    return name in open_table(source.then).names or name in open_table(source.data).names


def changed(design: Design, table: Any) -> str:
    """What is not as it was, of the columns that the model uses; "" if nothing."""
    gone = [name for name in design.frame.columns if name not in table.names]
    if gone:
        return f"column '{gone[0]}' has gone"
    now = Frame.read(table, design.frame.names)
    if now.nrows != design.n_rows_read:
        return f"{now.nrows} rows for {design.n_rows_read}"
    for name, column in design.frame.columns.items():
        if not _same(column, now.columns[name], design.kept):
            return f"column '{name}' has other values"
    return ""


def _same(before: Column, now: Column, kept: np.ndarray | None) -> bool:
    if kept is not None:
        now = now.take(kept) if isinstance(now, Factor) else now[kept]
    if isinstance(now, Factor) and now.codes.size and now.codes.min() < 0:
        return False
    return np.array_equal(_values(before), _values(now))


def _values(column: Column) -> np.ndarray:
    return column.levels[column.codes] if isinstance(column, Factor) else column
