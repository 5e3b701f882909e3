"""Values per row on their way in and out: in the caller's own frame library, in the caller's order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from interlace.design.design import Design
from interlace.design.frame import Frame


def row_series(frame: Frame, name: str, values: np.ndarray) -> Any:
    """One value per row of `frame`: a Series of the caller's library; an array for pyarrow and mappings."""
    if frame.library == "pandas":
        return values if frame.index is None else pd.Series(values, index=frame.labels, name=name)
    return values if frame.library == "pyarrow" else frame.row_table({name: values})[name]


def row_table(frame: Frame, columns: Mapping[str, np.ndarray]) -> Any:
    """One row per row of `frame`: a table of the caller's library."""
    return frame.row_table(columns)


def all_rows(design: Design, values: np.ndarray) -> np.ndarray:
    """Values of the rows used, spread over all rows that were read; NaN for those left out."""
    if design.kept is None:
        return values
    spread = np.full(design.n_rows_read, np.nan)
    spread[design.kept] = values
    return spread
