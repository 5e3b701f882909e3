"""The model without some of its rows: what is left of its cross-products, on the same pattern."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import numpy as np

from interlace.arrays import Array, Index
from interlace.design.answered import OtherRows
from interlace.design.design import Design
from interlace.design.gathered import some_rows
from interlace.design.rows import Rows, selected
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.fit import Fit
from interlace.estimation.origin import Origin
from interlace.estimation.rank import independent_columns
from interlace.frozen import dataclass

# Of the sums of squares per row: below this share of those of all rows, the difference may have lost digits,
# and the rows that are left are added up instead.
LEFT = 1e-3
# Of the square of a column: below this share, what is left of it beside those before may be rounding error.
DIGITS = 1e-8


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of a model that are in memory, with the columns of X that it has.

    Attributes
    ----------
    rows : Rows
        All rows of the model.
    design : Design
        Some of them, or all.
    places : ndarray of int or None
        Where those stand among all; None where they are all.
    """

    rows: Rows
    design: Design
    places: Index | None = None

    @classmethod
    def of(cls, fit: Fit, design: Design | None = None, places: Index | None = None) -> Piece:
        """Of a fit: all rows, or those of a design and their places."""
        design = fit.design if design is None else design
        return cls(selected(fit.rows, fit.kept), design.selected(fit.kept), places)

    def others(self, gone: Index) -> Rows:
        """All rows without some of these."""
        return OtherRows(self.rows.encoding, self.rows, gone if self.places is None else self.places[gone])


def products_without(A: CrossProducts, piece: Piece, gone: Index) -> tuple[CrossProducts, tuple[int, ...]]:
    """The cross-products of the other rows, and the coefficients that they tell.

    They are a difference. Where most of the rows go, or of a sum of squares, the others are added up, and
    where their products do not show which columns depend on earlier ones, the rows do.

    Parameters
    ----------
    A : CrossProducts
        Of all rows.
    piece : Piece
    gone : ndarray of int
        Rows of the piece.
    """
    if 2 * len(gone) <= A.n:
        left = A - A.of_rows(some_rows(piece.design, gone))
        if _well_known(A, left):
            return left, tuple(range(left.products.p))
    here = piece.others(gone)
    origin = replace(Origin.of(here.encoding, here), z=A.origin.z)  # parameters are about that of Z
    about = replace(A, origin=origin)
    A = reduce(CrossProducts.__add__, (about.of_rows(design) for design in here.designs()))
    kept = independent_columns(A, here)
    A = A if len(kept) == A.products.p else A.select_fixed(kept)
    return A.with_small_response(selected(here, kept)), kept


def _well_known(A: CrossProducts, left: CrossProducts) -> bool:
    """Is as much left of each column of [X y] beside those before it as there are rows left, roughly, and
    of those of X more than rounding error?"""
    before, after = _pivots(A), _pivots(left)
    if after is None or before is None:
        return False
    enough = LEFT * left.n / A.n * before
    enough[:-1] = np.maximum(enough[:-1], DIGITS * np.diagonal(A.products.xx))
    return bool((after >= enough).all())


def _pivots(A: CrossProducts) -> Array | None:
    """What is left of the square of each column of [X y]; None where nothing is left of one."""
    xx, xy = A.products.xx, A.products.xy[:, None]
    M = np.block([[xx, xy], [xy.T, np.array([[A.products.yy]])]])
    try:
        return np.asarray(np.diagonal(np.linalg.cholesky(M)) ** 2)
    except np.linalg.LinAlgError:
        return None
