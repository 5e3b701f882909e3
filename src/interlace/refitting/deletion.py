"""The model without some of its rows: what is left of its cross-products, on the same pattern."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from interlace.arrays import Index
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.estimation.crossproducts import CrossProducts, Origin
from interlace.estimation.rank import independent

# Of a sum of squares: below this share of the whole, the difference has lost too many digits, and the rows
# that are left are added up instead.
LEFT = 1e-3


def some_rows(design: Design, rows: Index) -> Design:
    """Some rows, with all columns and levels."""
    return replace(
        design,
        y=None if design.y is None else design.y[rows],
        fixed=design.fixed.take(rows),
        random=tuple(replace(r, codes=r.codes[rows], z=r.z[rows]) for r in design.random),
        weights=None if design.weights is None else design.weights[rows],
        offset=None if design.offset is None else design.offset[rows],
    )


def products_without(A: CrossProducts, design: Design, rows: Index) -> tuple[CrossProducts, tuple[int, ...]]:
    """The cross-products of the other rows, and the coefficients that they tell.

    `design` has the rows of A and its columns.
    """
    return told(A - A.of_rows(some_rows(design, rows)))


def products_of(
    encoding: Encoding, A: CrossProducts, design: Design, rows: Index
) -> tuple[CrossProducts, tuple[int, ...]]:
    """The cross-products of these rows of A, and the coefficients that they tell.

    Those of the others are taken away, unless they are the most of the rows or of a sum of squares.
    """
    gone = np.ones(design.nrows, dtype=bool)
    gone[rows] = False
    others = np.flatnonzero(gone)
    if len(others) <= len(rows):
        left = A - A.of_rows(some_rows(design, others))
        if _well_known(A, left):
            return told(left)
    here = some_rows(design, rows)
    moved = Origin.of(encoding, here)
    origin = replace(A.origin, y=moved.y) if not A.origin.beta.any() else A.origin
    return told(replace(A, origin=origin).of_rows(here))


def _well_known(A: CrossProducts, left: CrossProducts) -> bool:
    before = np.append(np.diagonal(A.products.xx), A.products.yy)
    after = np.append(np.diagonal(left.products.xx), left.products.yy)
    share = min(left.n / A.n, 1.0)
    return bool((after >= LEFT * share * before).all())


def told(A: CrossProducts) -> tuple[CrossProducts, tuple[int, ...]]:
    """The products of the columns of X that do not depend on earlier ones, and which these are."""
    xx = A.products.xx
    length = np.sqrt(np.maximum(np.diagonal(xx), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(xx / np.outer(length, length))
    kept = independent((vectors * np.sqrt(np.maximum(values, 0.0))).T)
    return (A if len(kept) == len(xx) else A.select_fixed(kept)), kept
