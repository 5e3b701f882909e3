"""Values per row on their way in and out: in the caller's own frame library, in the caller's order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from interlace.design.design import Design
from interlace.design.frame import Frame
from interlace.design.rows import Rows, per_row
from interlace.design.values import with_nan
from interlace.frozen import dataclass


def row_series(frame: Frame, name: str, values: np.ndarray) -> Any:
    """One value per row of `frame`: a Series of the caller's library; an array for pyarrow and mappings.

    Values that are masked are missing: null, and NaN where the library has no null of floats.
    """
    if frame.library == "pandas":
        plain = with_nan(values)
        return plain if frame.index is None else pd.Series(plain, index=frame.labels, name=name)
    return with_nan(values) if frame.library == "pyarrow" else frame.row_table({name: values})[name]


def row_table(frame: Frame, columns: Mapping[str, np.ndarray]) -> Any:
    """One row per row of `frame`: a table of the caller's library."""
    return frame.row_table(columns)


@dataclass(frozen=True)
class Handed:
    """How values of the rows used are handed out.

    Attributes
    ----------
    frame : Frame
        Rows of the answer: those used, or all of the caller's.
    kept : ndarray of int or None
        Where the rows used stand among these; None where they are all.
    """

    frame: Frame
    kept: np.ndarray | None = None

    @classmethod
    def everyone(cls, rows: Rows, data: Any) -> Handed:
        """A value for each row of the caller's table, missing for those that were left out."""
        if rows.n == rows.n_read:
            return cls(rows.frame)
        kept = per_row(
            rows, lambda d: np.arange(d.nrows) if d.kept is None else np.asarray(d.kept, dtype=np.intp)
        )
        frame = rows.frame
        whole = Frame({}, {}, rows.n_read, "pyarrow") if frame.library == "pyarrow" else Frame.read(data, ())
        return cls(whole, kept)

    def series(self, name: str, values: np.ndarray) -> Any:
        """One value per row, as `row_series`."""
        return row_series(self.frame, name, self._spread(values))

    def table(self, columns: Mapping[str, np.ndarray]) -> Any:
        """One row per row, as `row_table`."""
        return row_table(self.frame, {name: self._spread(values) for name, values in columns.items()})

    def _spread(self, values: np.ndarray) -> np.ndarray:
        return _over(self.frame.nrows, self.kept, values)


def all_rows(design: Design, values: np.ndarray) -> np.ndarray:
    """Values of the rows used, spread over all rows that were read; masked for those left out."""
    return _over(design.n_rows_read, design.kept, values)


def _over(n: int, kept: np.ndarray | None, values: np.ndarray) -> np.ndarray:
    """Values at these places of n, masked elsewhere."""
    if kept is None:
        return values
    spread, gone = np.full(n, np.nan), np.ones(n, dtype=bool)
    spread[kept], gone[kept] = values, False
    return np.ma.MaskedArray(spread, gone)
