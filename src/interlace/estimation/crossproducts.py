"""Rows to cross-products: the one value that everything after it is computed from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.estimation.layout import Layout

Array = NDArray[np.floating]

# Share of y'y that the fixed effects may explain before their fit is taken from y.
NEARLY_ALL = 0.999
FEW = 8  # columns


@dataclass(frozen=True, slots=True)
class Origin:
    """Numbers subtracted from y and from columns of X and Z before products are taken.

    Large means would cost digits. A column is moved only where the model has an intercept to take the
    difference, so the model stays the same: `beta` and `b` change by a triangular transform with unit
    diagonal.

    Attributes
    ----------
    y : float
    x : ndarray, shape (p,)
        Zero for the intercept itself, and everywhere when there is none.
    z : tuple of ndarray, shape (k,)
        One per covariance block.
    beta : ndarray, shape (p,)
        Coefficients of the (moved) columns of X whose product is taken from y as well; mostly zero.
    """

    y: float
    x: Array
    z: tuple[Array, ...]
    beta: Array

    @classmethod
    def of(cls, encoding: Encoding, design: Design) -> Origin:
        """Means of these rows."""
        z = []
        for block, rows in zip(encoding.random, design.random, strict=True):
            z.append(_column_origin(rows.z, block.intercept))
        x = _column_origin(design.X, encoding.intercept)
        return cls(_response_origin(encoding, design), x, tuple(z), np.zeros(len(x)))

    def shift(self, encoding: Encoding, i: int) -> Array:
        """(k, k) matrix R of block i with ``Z = (Z - origin) R``, so that the effects about the origin are
        ``R b``."""
        return _moved(self.z[i], encoding.random[i].intercept)

    def unshift(self, encoding: Encoding, i: int) -> Array:
        """The inverse of `shift`."""
        return _moved(-self.z[i], encoding.random[i].intercept)


def _moved(z: Array, intercept: int | None) -> Array:
    R = np.identity(len(z))
    if intercept is not None:
        R[intercept] += z
    return R


def _column_origin(columns: Array, intercept: int | None) -> Array:
    if intercept is None or columns.shape[1] == 1:
        return np.zeros(columns.shape[1])
    # a long thin array is added up fastest column by column, a wide one by einsum; mean(axis=0) is slow
    few = columns.shape[1] < FEW
    sums = np.array([np.add.reduce(x) for x in columns.T]) if few else np.einsum("ij->j", columns)
    means = sums / len(columns)
    means[intercept] = 0.0
    return means


def _response_origin(encoding: Encoding, design: Design) -> float:
    if encoding.intercept is None:
        return 0.0
    y = _response(design)
    return float(np.add.reduce(y)) / len(y)


def _response(design: Design) -> Array:
    assert design.y is not None
    return design.y if design.offset is None else design.y - design.offset


@dataclass(frozen=True, slots=True)
class CrossProducts:
    """``[Z X y]'W[Z X y]`` in blocks, about an origin; y is the response less the offset.

    They are numbers on a pattern (which levels meet): ``a + b`` are the products of both sets of rows,
    ``(a + b) - b`` those of a, to rounding, and ``A - A.of_rows(rows)`` those of the rows that are left, on
    the pattern of A, so that one analysis of the pattern serves all of them.

    Attributes
    ----------
    products : kernel.CrossProducts
    layout : Layout
    origin : Origin
    """

    products: kernel.CrossProducts
    layout: Layout
    origin: Origin

    @classmethod
    def of(cls, encoding: Encoding, design: Design, *, origin: Origin | None = None) -> CrossProducts:
        """One pass over the rows of a design. Products to be added must have the same origin."""
        layout = Layout.of(encoding)
        origin = Origin.of(encoding, design) if origin is None else origin
        products = kernel.accumulate(**_rows(layout, design, origin))
        return cls(products, layout, origin)

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.products.n

    def of_rows(self, design: Design) -> CrossProducts:
        """The products of some of the rows of these, on the same pattern and about the same origin.

        `design` has all columns of the design of these products.
        """
        rows = _rows(self.layout, design, self.origin)
        return replace(self, products=kernel.accumulate_on(self.products.pattern, **rows))

    def __add__(self, other: CrossProducts) -> CrossProducts:
        return self._plus(other, 1)

    def __sub__(self, other: CrossProducts) -> CrossProducts:
        return self._plus(other, -1)

    def _plus(self, other: CrossProducts, sign: int) -> CrossProducts:
        a, b = self.products, other.products
        total = kernel.combine([a, b], [1.0, sign], a.n + sign * b.n, a.sum_log_w + sign * b.sum_log_w)
        return replace(self, products=total)

    @staticmethod
    def weighted(parts: Sequence[CrossProducts], weights: Sequence[float]) -> CrossProducts:
        """``sum_s w_s A_s``: the products of all rows, weights of part s times ``w_s > 0``."""
        products = [part.products for part in parts]
        logs = sum(a.sum_log_w + a.n * math.log(w) for a, w in zip(products, weights, strict=True))
        total = kernel.combine(products, list(weights), sum(a.n for a in products), logs)
        return replace(parts[0], products=total)

    def with_response(self, encoding: Encoding, design: Design) -> CrossProducts:
        """The same rows with the response of `design`: everything but the products with y is shared."""
        o = self.origin
        origin = Origin(_response_origin(encoding, design), o.x, o.z, np.zeros(len(o.x)))
        return self._with_origin(origin, design)

    def with_responses(self, encoding: Encoding, design: Design, Y: Array) -> list[CrossProducts]:
        """`with_response` for each row of Y, (r, n), in one pass over the rows."""
        Y = np.ascontiguousarray(Y if design.offset is None else Y - design.offset)
        means = np.zeros(len(Y)) if encoding.intercept is None else np.add.reduce(Y, axis=1) / Y.shape[1]
        o = self.origin
        origins = [Origin(float(mean), o.x, o.z, np.zeros(len(o.x))) for mean in means]
        rows = _rows(self.layout, design, replace(o, beta=np.zeros(len(o.x))))
        products = kernel.with_responses(self.products, Y, means, **rows)
        return [CrossProducts(A, self.layout, origin) for A, origin in zip(products, origins, strict=True)]

    def with_small_response(self, design: Design) -> CrossProducts:
        """The same model with the least-squares fit taken from y, where it explains nearly all of y.

        The sum of squares of y would else drown that of the residuals in its rounding error. The rows are
        looked at again: the difference of large products would not do. Columns of X must be independent.
        """
        A = self
        for _ in range(3):
            if kernel.explained(A.products) <= NEARLY_ALL * A.products.yy:
                break
            beta = np.linalg.solve(A.products.xx, A.products.xy)
            A = A._with_origin(replace(A.origin, beta=A.origin.beta + beta), design)
        return A

    def rows(self, design: Design) -> dict[str, Any]:
        """The rows of a design as the kernel takes them; X has the columns of these products.

        `y` has lost the offset and what the origin says of the fixed effects: "y_origin", "x_origin" and
        "z_origin" are still to be taken from y and the columns.
        """
        return _rows(self.layout, design, self.origin)

    def _with_origin(self, origin: Origin, design: Design) -> CrossProducts:
        """The response of `design` about another origin of y; those of X and Z are the same."""
        products = kernel.with_response(self.products, **_rows(self.layout, design, origin))
        return CrossProducts(products, self.layout, origin)

    def select_fixed(self, keep: tuple[int, ...]) -> CrossProducts:
        """The products for some columns of X, in the order given."""
        columns = list(keep)
        origin = replace(self.origin, x=self.origin.x[columns], beta=self.origin.beta[columns])
        return replace(self, products=kernel.select_fixed(self.products, columns), origin=origin)


def _rows(layout: Layout, design: Design, origin: Origin) -> dict[str, Any]:
    codes, z, z_origin = [], [], []
    for blocks in layout.blocks:
        columns = [design.random[i].z for i in blocks]
        codes.append(design.random[blocks[0]].codes)
        z.append(columns[0] if len(columns) == 1 else np.ascontiguousarray(np.hstack(columns)))
        z_origin.append(np.concatenate([origin.z[i] for i in blocks]))
    y = _response(design)
    if origin.beta.any():
        y = y - (design.X - origin.x) @ origin.beta
    return {
        "y": np.ascontiguousarray(y),
        "x": design.X,
        "codes": codes,
        "z": z,
        "levels": list(layout.levels),
        "w": design.weights,
        "y_origin": origin.y,
        "x_origin": origin.x,
        "z_origin": z_origin,
    }
