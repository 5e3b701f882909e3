"""Prior weights and offsets: a value per row, from a column or from an array beside the data."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd

from interlace.design.frame import Frame, read_array
from interlace.design.values import Column, Factor
from interlace.errors import DataError, shown
from interlace.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Extra:
    """Weights or offset of each row.

    Attributes
    ----------
    label : str
        For messages.
    values : ndarray of float64 (n,) or None
        None if there are none.
    missing : ndarray of bool (n,) or None
        Where an array has missing values; those of a column are the frame's.
    source : str or None
        Name of the column, or `ARRAY`.
    """

    ARRAY: ClassVar[str] = "(array)"

    label: str
    values: np.ndarray | None = None
    missing: np.ndarray | None = None
    source: str | None = None

    def take(self, kept: np.ndarray | None) -> Extra:
        """At the rows used."""
        if kept is None or self.values is None:
            return self
        return Extra(self.label, self.values[kept], None, self.source)


_NONE = {role: Extra(role) for role in ("weights", "offset")}


def read_extra(role: str, given: Any, frame: Frame, data: Any) -> Extra:
    """Weights or offset as given by the caller: None, a column name, or an array.

    Raises
    ------
    DataError
        Not numeric, wrong length, or a pandas series whose index is not that of the data.
    """
    if given is None:
        return _NONE.get(role) or Extra(role)
    if isinstance(given, str):
        if given not in frame.columns:
            frame = Frame.read(data, [given])
        values = _numbers(f"{role} '{given}'", frame.columns[given])
        return Extra(f"{role} '{given}'", values, frame.missing.get(given), given)
    if np.ndim(given) == 0:
        raise DataError(f"{role} must be a column name or one value per row, not {shown(given)}")
    check_index(role, given, frame.index)
    column, missing = read_array(role, given)
    if len(column) != frame.nrows:
        raise DataError(f"{role} has {len(column)} values, the data have {frame.nrows} rows")
    return Extra(role, _numbers(role, column), missing, Extra.ARRAY)


def check_index(role: str, given: Any, index: pd.Index | None, kept: np.ndarray | None = None) -> None:
    """A pandas series beside a pandas data frame has the labels of its rows, in their order.

    Parameters
    ----------
    role : str
        For the message.
    given : Any
        Checked if it is a series with a value for each label, or for each row of which `kept` were used.
    index : Index or None
        Labels of the rows; None if the data have none.
    kept : ndarray of int, optional
        The rows used, of those that the data had.

    Raises
    ------
    DataError
    """
    if not isinstance(given, pd.Series) or index is None:
        return
    found = given.index
    if len(found) != len(index):
        if kept is None or len(kept) != len(index) or (len(kept) and len(found) <= kept[-1]):
            return  # of another length, which is an error by itself
        found = found.take(kept)
    if found is not index and not found.equals(index):
        raise DataError(
            f"the index of {role} is not the index of the data, so that its values would go to other rows; "
            "put both in the same order, for example by .reindex(data.index), or give its values alone by "
            ".to_numpy() if they are in the order of the rows"
        )


def _numbers(label: str, column: Column) -> np.ndarray:
    if isinstance(column, Factor) or column.dtype.kind not in "iufb":
        raise DataError(f"{label} must be numeric")
    return column.astype(np.float64)
