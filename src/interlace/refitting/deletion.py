"""The model without some of its rows: what is left of its cross-products, on the same pattern."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce

import numpy as np

from interlace.arrays import Array, Index
from interlace.design.design import Design
from interlace.design.gathered import some_rows
from interlace.design.rows import Rows, selected
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.origin import Origin
from interlace.estimation.rank import TOLERANCE, independent

# Of the sums of squares per row: below this share of those of all rows, the difference may have lost digits,
# and the rows that are left are added up instead.
LEFT = 1e-3


def products_without(A: CrossProducts, design: Design, rows: Index) -> tuple[CrossProducts, tuple[int, ...]]:
    """The cross-products of the other rows, and the coefficients that they tell.

    `design` has the rows of A and its columns.
    """
    return told(A - A.of_rows(some_rows(design, rows)))


def products_left(
    A: CrossProducts, gone: Design, others: Callable[[], Rows]
) -> tuple[CrossProducts, tuple[int, ...]]:
    """`products_without`; where most of the rows go, or of a sum of squares, the others are added up."""
    if 2 * gone.nrows <= A.n:
        left = A - A.of_rows(gone)
        if _well_known(A, left):
            return told(left)
    here = others()
    origin = replace(Origin.of(here.encoding, here), z=A.origin.z)  # parameters are about that of Z
    about = replace(A, origin=origin)
    A, kept = told(reduce(CrossProducts.__add__, (about.of_rows(design) for design in here.designs())))
    return A.with_small_response(selected(here, kept)), kept


def _well_known(A: CrossProducts, left: CrossProducts) -> bool:
    """Is as much left of each column of [X y] beside those before it as there are rows left, roughly?"""
    before, after = _pivots(A), _pivots(left)
    return after is not None and before is not None and bool((after >= LEFT * left.n / A.n * before).all())


def _pivots(A: CrossProducts) -> Array | None:
    """What is left of the square of each column of [X y]; None where nothing is left of one."""
    xx, xy = A.products.xx, A.products.xy[:, None]
    M = np.block([[xx, xy], [xy.T, np.array([[A.products.yy]])]])
    try:
        return np.asarray(np.diagonal(np.linalg.cholesky(M)) ** 2)
    except np.linalg.LinAlgError:
        return None


def told(A: CrossProducts) -> tuple[CrossProducts, tuple[int, ...]]:
    """The products of the columns of X that do not depend on earlier ones, and which these are."""
    xx = A.products.xx
    size = np.diagonal(xx)
    there = size > TOLERANCE**2 * (size + A.n * A.origin.x**2)  # else it is zero, or what the intercept is
    length = np.where(there, np.sqrt(np.maximum(size, np.finfo(float).tiny)), np.inf)
    values, vectors = np.linalg.eigh(xx / np.outer(length, length))
    root = (vectors * np.sqrt(np.maximum(values, 0.0))).T
    kept = independent(np.where(there, root, 0.0))
    return (A if len(kept) == len(xx) else A.select_fixed(kept)), kept
