"""The caller's rows with columns beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from interlace.design.design import Design
from interlace.design.frame import Frame, open_table
from interlace.design.source import changed
from interlace.design.values import Factor
from interlace.errors import DataError


def with_columns(design: Design, columns: Mapping[str, np.ndarray]) -> Any:
    """The rows used, all columns of the caller's table, and these; in the caller's library.

    Where the table is not here (a pickled model leaves it behind) or has changed since, the columns are those
    that the model uses.

    Raises
    ------
    DataError
        The data have a column of the same name.
    """
    data = _native(design)
    names = list(design.frame.columns) if data is None else open_table(data).names
    if taken := [name for name in columns if name in names]:
        raise DataError(f"the data have a column '{taken[0]}' of their own: rename it")
    if data is None:
        values = {name: _plain(column) for name, column in design.frame.columns.items()}
        return design.frame.row_table({**values, **columns})
    if isinstance(data, pd.DataFrame):
        rows = data if design.kept is None else data.iloc[design.kept]
        return pd.concat([rows, pd.DataFrame(dict(columns), index=rows.index)], axis=1)
    import narwhals as nw

    frame = nw.from_native(data, eager_only=True)
    if design.kept is not None:
        frame = frame[design.kept.tolist()]
    beside = nw.from_dict(dict(columns), backend=frame.implementation)
    return nw.concat([frame, beside], how="horizontal").to_native()


def _native(design: Design) -> Any:
    """The caller's table, if it is here, as it was, and of a kind that takes columns."""
    source = design.source
    if source is None or source.data is None:
        return None
    data = source.then
    if not isinstance(data, pd.DataFrame):
        if isinstance(data, Mapping | np.ndarray | Frame | str):
            return None
        import narwhals as nw

        try:
            nw.from_native(data, eager_only=True)
        except (TypeError, nw.exceptions.DuplicateError):
            return None
    return None if changed(design, open_table(data)) else data


def _plain(column: Any) -> Any:
    return column.levels[column.codes] if isinstance(column, Factor) else column
