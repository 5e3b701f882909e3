"""Products of factors with many levels, kept as codes: which they are, and how their cells are coded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from interlace.design.columns import CellCoding, Cells
from interlace.design.products import FactorColumns, MemberColumns, NumberColumns, Product, multiplied
from interlace.frozen import dataclass

# From so many columns of a product, and so many numbers in them, counting by level is quicker than numbers.
MANY_COLUMNS, MANY_NUMBERS = 16, 1 << 18
MOST_CELLS = 1 << 26


def by_cell(product: Product, nrows: int) -> bool:
    """Whether the columns of a product are better held as codes."""
    width = product.columns.stop - product.columns.start
    if width < MANY_COLUMNS or width * nrows < MANY_NUMBERS:
        return False
    factors = [part for part in product.parts if isinstance(part, FactorColumns)]
    return bool(factors) and prod(len(part.levels) for part in factors) <= MOST_CELLS


def cells_of(products: Sequence[Product], ready: Mapping[str, np.ndarray], nrows: int) -> tuple[Cells, ...]:
    """The columns of products, those of the same factors together.

    Parameters
    ----------
    products : sequence of Product
    ready : mapping of str to ndarray
        Codes (n,) of each factor, columns (n, k) of each numeric member.
    nrows : int
        n.
    """
    together: dict[tuple[str, ...], list[_Piece]] = {}
    for product in products:
        piece = _Piece.of(product)
        together.setdefault(tuple(part.name for part in piece.factors), []).append(piece)
    return tuple(_cells(pieces, ready, nrows) for pieces in together.values())


@dataclass(frozen=True, slots=True)
class _Piece:
    """A product with its factors and its numbers apart.

    Attributes
    ----------
    factors, numbers : tuple of FactorColumns, tuple of NumberColumns
    steps : dict of str to int
        How far apart neighbouring columns of a member lie among the columns of the product.
    start : int
        Its first column of X.
    """

    factors: tuple[FactorColumns, ...]
    numbers: tuple[NumberColumns, ...]
    steps: dict[str, int]
    start: int

    @classmethod
    def of(cls, product: Product) -> _Piece:
        steps, step = {}, 1
        for part in product.parts:
            steps[part.name] = step
            step *= part.width
        factors = tuple(part for part in product.parts if isinstance(part, FactorColumns))
        numbers = tuple(part for part in product.parts if isinstance(part, NumberColumns))
        return cls(factors, numbers, steps, product.columns.start)

    @property
    def offsets(self) -> np.ndarray:
        """What each column of z, (m,), adds to the place of a column."""
        found = np.zeros(1, dtype=np.int64)
        for part in self.numbers:
            own = self.steps[part.name] * np.arange(part.width)
            found = (own[:, None] + found[None, :]).ravel()
        return found

    def z(self, ready: Mapping[str, np.ndarray], nrows: int) -> np.ndarray:
        """Products of the numbers, (n, m); ones where there are none."""
        return multiplied([ready[part.name] for part in self.numbers], nrows)

    def entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cell, column of X, and value of the entries of the coding that are not zero."""
        cell, col, val = np.zeros(1, np.int64), np.full(1, self.start, np.int64), np.ones(1)
        n_cells = 1
        for part in self.factors:
            level, field = np.nonzero(part.matrix)
            cell = (n_cells * level[:, None] + cell[None, :]).ravel()
            col = (self.steps[part.name] * field[:, None] + col[None, :]).ravel()
            val = (part.matrix[level, field][:, None] * val[None, :]).ravel()
            n_cells *= len(part.levels)
        return cell, col, val


def _cells(pieces: Sequence[_Piece], ready: Mapping[str, np.ndarray], nrows: int) -> Cells:
    z = [piece.z(ready, nrows) for piece in pieces]
    m, at = sum(columns.shape[1] for columns in z), 0
    n_cells = prod(len(part.levels) for part in pieces[0].factors)
    rows, cols, vals = [], [], []
    for piece in pieces:
        cell, col, val = piece.entries()
        offsets = piece.offsets
        rows.append((cell[:, None] * m + at + np.arange(len(offsets))).ravel())
        cols.append((col[:, None] + offsets).ravel())
        vals.append(np.repeat(val, len(offsets)))
        at += len(offsets)
    coding = CellCoding.of(np.concatenate(rows), np.concatenate(cols), np.concatenate(vals), n_cells * m)
    values = z[0] if len(z) == 1 else np.hstack(z)
    return Cells(_codes(pieces[0].factors, ready), np.ascontiguousarray(values), n_cells, coding)


def _codes(factors: Sequence[MemberColumns], ready: Mapping[str, np.ndarray]) -> np.ndarray:
    """The cell of each row, int32 (n,): combinations of levels, those of the first factor varying fastest."""
    cell, n_cells = np.zeros(1, dtype=np.int32), 1
    for part in factors:
        assert isinstance(part, FactorColumns)
        cell = cell + n_cells * ready[part.name].astype(np.int32)
        n_cells *= len(part.levels)
    return np.ascontiguousarray(cell, dtype=np.int32)
