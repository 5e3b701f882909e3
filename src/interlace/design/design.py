"""Numbers for the fit: what `Encoding` makes of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from interlace.design.columns import Columns
from interlace.design.frame import Frame
from interlace.frozen import dataclass


class Source:
    """The table of the fit, for columns that the model does not use; no number is copied.

    A pickle leaves it behind.

    Attributes
    ----------
    data : table or None
        The caller's own.
    then : table or None
        A shallow copy of it: where pandas copies on write, it stays as it was.
    """

    def __init__(self, data: Any) -> None:
        self.data = data
        self.then = data.copy(deep=False) if isinstance(data, pd.DataFrame) else data

    def __reduce__(self) -> tuple[type[Source], tuple[None]]:
        return Source, (None,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Source:
        return self


@dataclass(frozen=True, slots=True)
class RandomRows:
    """Rows of one random term.

    Attributes
    ----------
    codes : ndarray of int32, shape (n,)
        Level of each row; -1 for a level that the fit has not seen.
    z : ndarray of float64, shape (n, k), C-contiguous
        Raw values of the columns of the term.
    """

    codes: np.ndarray
    z: np.ndarray


@dataclass(frozen=True, slots=True)
class Repeats:
    """What cells of equal rows say of these rows beyond the means of their responses.

    Attributes
    ----------
    n : ndarray of int64, shape (cells,)
        Rows of each cell.
    within : float
        The weighted sum of squares of y about the means.
    log_weights : float
        The sum of the logarithms of the weights of all rows.
    """

    n: np.ndarray
    within: float
    log_weights: float

    @property
    def rows(self) -> int:
        """Of all cells together."""
        return int(self.n.sum())


@dataclass(frozen=True, slots=True)
class Design:
    """Response, columns and groups of the rows used.

    Attributes
    ----------
    y : ndarray of float64, shape (n,), or None
        None for new data without a (complete) response.
    fixed : Columns
        The columns of X: numbers, or codes of factors with many levels.
    random : tuple of RandomRows
        One per covariance block, in the order of `Encoding.random`.
    weights, offset : ndarray of float64, shape (n,), or None
        Prior weights (positive); sum of all offsets.
    n_rows_read : int
        Rows of the table, used or not.
    kept : ndarray of int or None
        Indices of the rows used; None if all are.
    missing : tuple of (str, int)
        Columns with missing values and their number.
    frame : Frame
        The rows used, to hand tables back in the caller's library.
    source : Source or None
        The caller's table, for columns that the model does not use.
    absorbed : tuple of RandomRows
        One per absorbed factor, in the order of `Encoding.absorbed`.
    singletons : int
        Rows left out as the only ones of a level of an absorbed factor.
    repeats : Repeats or None
        Of a design whose rows are cells of equal rows: y is the mean of each, its weight the sum of theirs.
    """

    y: np.ndarray | None
    fixed: Columns
    random: tuple[RandomRows, ...]
    weights: np.ndarray | None
    offset: np.ndarray | None
    n_rows_read: int
    kept: np.ndarray | None
    missing: tuple[tuple[str, int], ...]
    frame: Frame
    source: Source | None = None
    absorbed: tuple[RandomRows, ...] = ()
    singletons: int = 0
    repeats: Repeats | None = None

    @property
    def X(self) -> np.ndarray:
        """float64 (n, p), C-contiguous; made anew each time where factors are held as codes."""
        return self.fixed.array()

    def designs(self) -> Iterator[Design]:
        """The design as the one chunk of its rows."""
        yield self

    def cells(self) -> Iterator[Design]:
        """The same for sums over its rows."""
        yield self

    def selected(self, kept: tuple[int, ...]) -> Design:
        """With some columns of X."""
        if kept == tuple(range(self.fixed.shape[1])):
            return self
        return replace(self, fixed=self.fixed.select(kept))

    @property
    def nrows(self) -> int:
        """Number of rows used, n."""
        return self.fixed.shape[0]

    @property
    def n_dropped(self) -> int:
        """Rows left out because a value was missing."""
        return self.n_rows_read - self.nrows
