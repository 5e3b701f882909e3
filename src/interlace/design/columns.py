"""The columns of X as values: numbers, or codes of levels that become numbers where somebody asks for them.

A factor of 300 levels has 299 columns, nearly all of whose entries are zero. Such a factor stays what it is,
a code per row beside a small matrix of codings; its cross-products are counted by level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from interlace import kernel
from interlace.frozen import dataclass

ROWS_AT_ONCE = 1 << 14
FEW = 8  # columns


class Columns(Protocol):
    """The n rows and p columns of X."""

    @property
    def shape(self) -> tuple[int, int]:
        """(n, p)."""

    def array(self) -> np.ndarray:
        """All of it, float64 (n, p), C-contiguous."""

    def rows(self, part: slice | np.ndarray) -> np.ndarray:
        """Some rows, (m, p)."""

    def take(self, rows: np.ndarray) -> Columns:
        """Some rows, as columns again."""

    def times(self, v: np.ndarray) -> np.ndarray:
        """``X v``, (n,)."""

    def sums(self, times: np.ndarray | None = None) -> np.ndarray:
        """The sum of each column, every row as often as `times` says, (p,)."""

    def select(self, kept: Sequence[int]) -> Columns:
        """Some columns, in this order."""

    def number(self, j: int) -> np.ndarray | None:
        """Column j if it is held as numbers, a view."""

    def arrays(self) -> tuple[np.ndarray, ...]:
        """The arrays that are held."""

    def with_arrays(self, arrays: Sequence[np.ndarray]) -> Columns:
        """The same columns with other arrays of equal values, in the order of `arrays`."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Columns that are held as numbers.

    Attributes
    ----------
    values : ndarray of float64, shape (n, p), C-contiguous
    """

    values: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """(n, p)."""
        return self.values.shape[0], self.values.shape[1]

    def array(self) -> np.ndarray:
        """The values."""
        return self.values

    def rows(self, part: slice | np.ndarray) -> np.ndarray:
        """Some rows."""
        return self.values[part]

    def take(self, rows: np.ndarray) -> Plain:
        """Some rows, as columns again."""
        return Plain(self.values[rows])

    def times(self, v: np.ndarray) -> np.ndarray:
        """``X v``."""
        return np.asarray(self.values @ v)

    def sums(self, times: np.ndarray | None = None) -> np.ndarray:
        """The sum of each column."""
        if times is not None:
            return np.asarray(times @ self.values)
        # a long thin array is added up fastest column by column, a wide one by einsum; sum(axis=0) is slow
        if self.values.shape[1] < FEW and len(self.values):
            return np.array([kernel.scan(x)[0] for x in self.values.T])
        return np.asarray(np.einsum("ij->j", self.values))

    def select(self, kept: Sequence[int]) -> Plain:
        """Some columns."""
        return Plain(np.ascontiguousarray(self.values[:, list(kept)]))

    def number(self, j: int) -> np.ndarray | None:
        """Column j."""
        return self.values[:, j]

    def arrays(self) -> tuple[np.ndarray, ...]:
        """The values."""
        return (self.values,)

    def with_arrays(self, arrays: Sequence[np.ndarray]) -> Plain:
        """Other values."""
        return Plain(arrays[0])


@dataclass(frozen=True, slots=True)
class CellCoding:
    """How cells become columns: a sparse matrix with a row for each cell and column of z.

    Attributes
    ----------
    ptr : ndarray of int64, shape (L m + 1,)
        The entries of row r are ``ptr[r]`` to ``ptr[r + 1]``.
    col : ndarray of int64, shape (entries,)
        Columns of X.
    val : ndarray of float64, shape (entries,)
    """

    ptr: np.ndarray
    col: np.ndarray
    val: np.ndarray

    @classmethod
    def of(cls, row: np.ndarray, col: np.ndarray, val: np.ndarray, n_rows: int) -> CellCoding:
        """From its entries in any order."""
        order = np.argsort(row, kind="stable")
        return cls(_pointers(row, n_rows), col[order].astype(np.int64), val[order])

    @property
    def owner(self) -> np.ndarray:
        """The row of each entry."""
        return np.repeat(np.arange(len(self.ptr) - 1), np.diff(self.ptr))

    def times(self, v: np.ndarray) -> np.ndarray:
        """The coding times a vector over the columns of X, (L m,)."""
        return np.bincount(self.owner, self.val * v[self.col], minlength=len(self.ptr) - 1)

    def added(self, sums: np.ndarray, p: int) -> np.ndarray:
        """Sums by row, (L m,), to sums by column of X, (p,)."""
        return np.bincount(self.col, self.val * sums[self.owner], minlength=p)

    def select(self, place: np.ndarray) -> CellCoding:
        """With column c of X at `place[c]`; -1 takes it away."""
        stays = place[self.col] >= 0
        ptr = _pointers(self.owner[stays], len(self.ptr) - 1)
        return CellCoding(ptr, place[self.col[stays]], self.val[stays])


def _pointers(row: np.ndarray, n_rows: int) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n_rows))]).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Cells:
    """Columns that are products of one set of factors, and of numbers: ``z_i`` times a row per cell.

    Attributes
    ----------
    codes : ndarray of int32, shape (n,)
        The cell of each row: the combination of the levels of the factors.
    z : ndarray of float64, shape (n, m), C-contiguous
        Products of the numeric members; a column of ones where there are none.
    n_cells : int
        L.
    coding : CellCoding
        Row ``cell * m + a`` is what column a of z is multiplied by.
    """

    codes: np.ndarray
    z: np.ndarray
    n_cells: int
    coding: CellCoding

    def add_to(self, X: np.ndarray) -> None:
        """Add the columns of these rows."""
        m = self.z.shape[1]
        for a in range(m):
            row = self.codes.astype(np.int64) * m + a
            start, count = self.coding.ptr[row], self.coding.ptr[row + 1] - self.coding.ptr[row]
            at = np.repeat(np.arange(len(row)), count)
            entry = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count) + start[at]
            X[at, self.coding.col[entry]] += self.z[at, a] * self.coding.val[entry]

    def times(self, v: np.ndarray) -> np.ndarray:
        """The columns times a vector over the columns of X, (n,)."""
        by_cell = self.coding.times(v).reshape(self.n_cells, -1)
        return np.asarray(np.einsum("ij,ij->i", self.z, by_cell[self.codes]))

    def sums(self, p: int, times: np.ndarray | None) -> np.ndarray:
        """The sum of each column of X, every row as often as `times` says, (p,)."""
        z = self.z if times is None else self.z * times[:, None]
        by_cell = [np.bincount(self.codes, column, minlength=self.n_cells) for column in z.T]
        return self.coding.added(np.column_stack(by_cell).ravel(), p)

    def take(self, rows: slice | np.ndarray) -> Cells:
        """Some rows."""
        return replace(self, codes=self.codes[rows], z=self.z[rows])


@dataclass(frozen=True, slots=True)
class Coded:
    """Columns some of which are held as codes.

    Attributes
    ----------
    values : ndarray of float64, shape (n, m), C-contiguous
        The columns that are held as numbers.
    places : tuple of int
        Which columns of X these are.
    cells : tuple of Cells
        The others.
    width : int
        p.
    """

    values: np.ndarray
    places: tuple[int, ...]
    cells: tuple[Cells, ...]
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """(n, p)."""
        return len(self.values), self.width

    def array(self) -> np.ndarray:
        """All columns as numbers; made anew, as nobody should hold them for long."""
        X = np.zeros(self.shape)
        X[:, list(self.places)] = self.values
        for start in range(0, len(X), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            for cells in self.cells:
                cells.take(part).add_to(X[part])
        return X

    def rows(self, part: slice | np.ndarray) -> np.ndarray:
        """Some rows."""
        return self.take(part).array()

    def take(self, rows: slice | np.ndarray) -> Coded:
        """Some rows, as columns again."""
        return replace(self, values=self.values[rows], cells=tuple(c.take(rows) for c in self.cells))

    def times(self, v: np.ndarray) -> np.ndarray:
        """``X v``."""
        total: np.ndarray = self.values @ v[list(self.places)]
        for cells in self.cells:
            total += cells.times(v)
        return total

    def sums(self, times: np.ndarray | None = None) -> np.ndarray:
        """The sum of each column."""
        total = sum((cells.sums(self.width, times) for cells in self.cells), np.zeros(self.width))
        total[list(self.places)] += np.einsum("ij->j", self.values) if times is None else times @ self.values
        return total

    def select(self, kept: Sequence[int]) -> Coded:
        """Some columns."""
        place = np.full(self.width, -1)
        place[list(kept)] = np.arange(len(kept))
        stays = [j for j, c in enumerate(self.places) if place[c] >= 0]
        cells = tuple(replace(c, coding=c.coding.select(place)) for c in self.cells)
        places = tuple(int(place[self.places[j]]) for j in stays)
        return Coded(np.ascontiguousarray(self.values[:, stays]), places, cells, len(kept))

    def number(self, j: int) -> np.ndarray | None:
        """Column j if it is held as numbers."""
        return self.values[:, self.places.index(j)] if j in self.places else None

    def arrays(self) -> tuple[np.ndarray, ...]:
        """The numbers, then codes and z of each set of cells."""
        return (self.values, *(array for c in self.cells for array in (c.codes, c.z)))

    def with_arrays(self, arrays: Sequence[np.ndarray]) -> Coded:
        """The same columns in other memory."""
        values, *rest = arrays
        cells = [replace(c, codes=rest[2 * i], z=rest[2 * i + 1]) for i, c in enumerate(self.cells)]
        return replace(self, values=values, cells=tuple(cells))
