"""Rows to cross-products: the one value that everything after it is computed from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.design.columns import CellCoding, Coded, Columns, Plain
from interlace.design.design import Design, Repeats
from interlace.design.encoding import Encoding
from interlace.design.rows import ChunkedRows, FrameRows, Rows, as_rows
from interlace.estimation.answering import Responses
from interlace.estimation.layout import Layout
from interlace.estimation.origin import Origin, near, response_origin, shifted_response
from interlace.frozen import dataclass

Array = NDArray[np.floating]

# Share of y'y that the fixed effects may explain before their fit is taken from y.
NEARLY_ALL = 0.999


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
    by_cell : ByCell or None
        What they were folded from, where columns of X are held as codes.
    """

    products: kernel.CrossProducts
    layout: Layout
    origin: Origin
    by_cell: ByCell | None = None

    @classmethod
    def of(cls, encoding: Encoding, rows: Design | Rows, *, origin: Origin | None = None) -> CrossProducts:
        """One pass over the rows; none where they were added up while the encoding was learnt from them.
        Products to be added must have the same origin."""
        rows = as_rows(encoding, rows).for_sums()
        if origin is None and isinstance(rows, ChunkedRows) and rows.summed is not None:
            assert isinstance(rows.summed, CrossProducts)
            return rows.summed
        layout = Layout.of(encoding)
        origin = Origin.of(encoding, rows) if origin is None else origin
        return cls._summed(layout, rows, origin)

    @classmethod
    def _summed(cls, layout: Layout, rows: Rows, origin: Origin) -> CrossProducts:
        """Chunk by chunk, in the order of the rows."""
        if isinstance(rows, FrameRows):
            (design,) = rows.cells()
            return cls._of_chunk(layout, design, origin)
        sums = Sums(layout, origin)
        for design in rows.cells():
            sums.add(design)
        return sums.found()

    @classmethod
    def _of_chunk(cls, layout: Layout, design: Design, origin: Origin) -> CrossProducts:
        if isinstance(design.fixed, Coded):
            found = ByCell.of(layout, design, origin)
            return cls(found.folded(), layout, origin, found)
        return cls(_accumulated(_rows(layout, design, origin), design.repeats), layout, origin)

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.products.n)

    def of_rows(self, design: Design) -> CrossProducts:
        """The products of some of the rows of these, on the same pattern and about the same origin.

        `design` has all columns of the design of these products.
        """
        if isinstance(design.fixed, Coded):
            return self._of_chunk(self.layout, design, self.origin)
        rows = _rows(self.layout, design, self.origin)
        return replace(self, products=kernel.accumulate_on(self.products.pattern, **rows))

    def __add__(self, other: CrossProducts) -> CrossProducts:
        return self._plus(other, 1)

    def __sub__(self, other: CrossProducts) -> CrossProducts:
        return self._plus(other, -1)

    def _plus(self, other: CrossProducts, sign: int) -> CrossProducts:
        a, b = self.products, other.products
        total = kernel.combine([a, b], [1.0, sign], a.n + sign * b.n, a.sum_log_w + sign * b.sum_log_w)
        return replace(self, products=total, by_cell=None)

    @staticmethod
    def weighted(parts: Sequence[CrossProducts], weights: Sequence[float]) -> CrossProducts:
        """``sum_s w_s A_s``: the products of all rows, weights of part s times ``w_s > 0``."""
        products = [part.products for part in parts]
        logs = sum(a.sum_log_w + a.n * math.log(w) for a, w in zip(products, weights, strict=True))
        total = kernel.combine(products, list(weights), sum(a.n for a in products), logs)
        return replace(parts[0], products=total, by_cell=None)

    def with_response(self, encoding: Encoding, rows: Design | Rows) -> CrossProducts:
        """The same rows with the response of `rows`: everything but the products with y is shared."""
        o, rows = self.origin, as_rows(encoding, rows)
        origin = Origin(response_origin(encoding, rows), o.x, o.z, np.zeros(len(o.x)))
        return self._with_origin(origin, rows)

    def with_responses(self, encoding: Encoding, responses: Responses, rows: Rows) -> list[CrossProducts]:
        """`with_response` for each of the responses, in one pass over the rows."""
        r, o = len(responses), self.origin
        means = near(responses.middle(encoding, rows)) if encoding.spans_constant else np.zeros(r)
        origins = [Origin(float(mean), o.x, o.z, np.zeros(len(o.x))) for mean in means]
        sums = kernel.ResponseSums()
        for design, Y in responses.over(rows):
            if isinstance(design.fixed, Coded):
                every = [responses.rows(j, rows) for j in range(r)]
                return [self._with_origin(*one) for one in zip(origins, every, strict=True)]
            Y = np.ascontiguousarray(Y if design.offset is None else Y - design.offset)
            sums.add(Y, means, **_rows(self.layout, design, replace(o, beta=np.zeros(len(o.x)))))
        products = sums.take(self.products)
        return [CrossProducts(A, self.layout, origin) for A, origin in zip(products, origins, strict=True)]

    def with_small_response(self, rows: Rows) -> CrossProducts:
        """The same model with the least-squares fit taken from y, where it explains nearly all of y.

        The sum of squares of y would else drown that of the residuals in its rounding error. The rows are
        looked at again: the difference of large products would not do. Columns of X must be independent.
        """
        A = self
        for _ in range(3):
            if kernel.explained(A.products) <= NEARLY_ALL * A.products.yy:
                break
            beta = np.linalg.solve(A.products.xx, A.products.xy)
            A = A._with_origin(replace(A.origin, beta=A.origin.beta + beta), rows)
        return A

    def rows(self, design: Design) -> dict[str, Any]:
        """The rows of a design as the kernel takes them; X has the columns of these products.

        `y` has lost the offset and what the origin says of the fixed effects: "y_origin", "x_origin" and
        "z_origin" are still to be taken from y and the columns.
        """
        return _rows(self.layout, design, self.origin)

    def _with_origin(self, origin: Origin, rows: Rows) -> CrossProducts:
        """The response of `rows` about another origin of y; those of X and Z are the same."""
        sums = kernel.ResponseSums()
        for design in rows.designs():
            if isinstance(design.fixed, Coded):
                return self._with_origin_by_cell(origin, rows)
            chunk = _rows(self.layout, design, origin)
            sums.add(chunk["y"][None], np.array([origin.y]), **chunk)
        (products,) = sums.take(self.products)
        return CrossProducts(products, self.layout, origin)

    def _with_origin_by_cell(self, origin: Origin, rows: Rows) -> CrossProducts:
        if isinstance(rows, FrameRows):
            found = ByCell.of(self.layout, rows.design, origin, self.by_cell)
            return CrossProducts(found.folded(), self.layout, origin, found)
        parts = [self.products, CrossProducts._summed(self.layout, rows, origin).products]
        on_this_pattern = kernel.combine(parts, [0.0, 1.0], self.n, self.products.sum_log_w)
        return CrossProducts(on_this_pattern, self.layout, origin)

    def triangle(self, encoding: Encoding) -> Array:
        """R with ``R'R = X'WX``, for independent columns of X and not about the origin, (p, p)."""
        R = np.linalg.cholesky(self.products.xx).T
        if encoding.intercept is not None:  # X = (X - 1 origin') T for a unit triangular T
            R = R + np.outer(R[:, 0], self.origin.x)
        return np.asarray(R)

    def select_fixed(self, keep: tuple[int, ...]) -> CrossProducts:
        """The products for some columns of X, in the order given."""
        columns = list(keep)
        origin = replace(self.origin, x=self.origin.x[columns], beta=self.origin.beta[columns])
        return replace(
            self, products=kernel.select_fixed(self.products, columns), origin=origin, by_cell=None
        )

    def select_random(self, encoding: Encoding, chosen: Sequence[tuple[int, Sequence[int]]]) -> CrossProducts:
        """The products of a model with fewer random effects.

        Parameters
        ----------
        encoding : Encoding
            Of that model.
        chosen : sequence of (int, sequence of int)
            For each of its covariance blocks the block of this model, and the columns of it that it has.
        """
        layout, o = Layout.of(encoding), self.origin
        places = [self.layout.places[i] for i, _ in chosen]
        factors = [places[blocks[0]].group for blocks in layout.blocks]
        columns = [[places[b].start + c for b in blocks for c in chosen[b][1]] for blocks in layout.blocks]
        z = tuple(o.z[i][list(kept)] for i, kept in chosen)
        products = kernel.select_random(self.products, factors, columns)
        return CrossProducts(products, layout, replace(o, z=z))


def _explained(fixed: Columns, origin: Origin) -> Array:
    if isinstance(fixed, Plain):  # the origin first: large means would cost digits
        return (fixed.values - origin.x) @ origin.beta
    return fixed.times(origin.beta) - origin.x @ origin.beta


@dataclass(frozen=True, slots=True)
class ByCell:
    """Products of rows some of whose columns of X are held as codes.

    Attributes
    ----------
    products : kernel.CrossProducts
        X has the columns that are held as numbers; the cells are grouping factors, behind the others.
    coding : tuple of CellCoding
        How the cells become columns of X.
    places : tuple of int
        Columns of X that are held as numbers.
    origin : ndarray, (p,)
        What is taken from the columns of X that come from cells, times the intercept (the first column).
    """

    products: kernel.CrossProducts
    coding: tuple[CellCoding, ...]
    places: tuple[int, ...]
    origin: Array

    @classmethod
    def of(cls, layout: Layout, design: Design, origin: Origin, same: ByCell | None = None) -> ByCell:
        """One pass over the rows; those of `same` (if any) give all but the products with y."""
        fixed = design.fixed
        assert isinstance(fixed, Coded)
        places = list(fixed.places)
        rows = _rows(layout, design, origin, x=fixed.values, x_origin=origin.x[places])
        for cells in fixed.cells:
            rows["codes"].append(cells.codes)
            rows["z"].append(cells.z)
            rows["levels"].append(cells.n_cells)
            rows["z_origin"].append(np.zeros(cells.z.shape[1]))
        if same is None:
            found = _accumulated(rows, design.repeats)
        else:
            found = kernel.with_response(same.products, **rows)
        moved = origin.x.copy()
        moved[places] = 0.0
        return cls(found, tuple(cells.coding for cells in fixed.cells), fixed.places, moved)

    def folded(self) -> kernel.CrossProducts:
        """The products with all columns of X."""
        codings = self.coding
        return kernel.fold(
            self.products,
            first=len(self.products.levels) - len(codings),
            numbers=list(self.places),
            ptr=[coding.ptr for coding in codings],
            col=[coding.col for coding in codings],
            val=[coding.val for coding in codings],
            intercept=0 if self.origin.any() else None,
            origin=self.origin,
        )


class Sums:
    """Products that grow chunk by chunk, in the order of the rows.

    Parameters
    ----------
    layout : Layout
    origin : Origin
    """

    def __init__(self, layout: Layout, origin: Origin) -> None:
        self.layout, self.origin = layout, origin
        self._total: kernel.Accumulation | None = None
        self._by_cell: CrossProducts | None = None

    def add(self, design: Design) -> None:
        """The rows of a chunk."""
        if isinstance(design.fixed, Coded):
            part = CrossProducts._of_chunk(self.layout, design, self.origin)
            self._by_cell = part if self._by_cell is None else self._by_cell + part
            return
        chunk = _rows(self.layout, design, self.origin)
        if self._total is None:
            self._total = kernel.Accumulation(**chunk)
        _add(self._total, chunk, design.repeats)

    def found(self) -> CrossProducts:
        """Those of all chunks, of which there was one; to be asked once."""
        if self._total is None:
            assert self._by_cell is not None
            return self._by_cell
        found = CrossProducts(self._total.take(), self.layout, self.origin)
        return found if self._by_cell is None else self._by_cell + found


def _accumulated(rows: dict[str, Any], repeats: Repeats | None) -> kernel.CrossProducts:
    if repeats is None:
        return kernel.accumulate(**rows)
    total = kernel.Accumulation(**rows)
    _add(total, rows, repeats)
    return total.take()


def _add(total: kernel.Accumulation, rows: dict[str, Any], repeats: Repeats | None) -> None:
    if repeats is None:
        total.add(**rows)
    else:
        total.add_cells(repeats.rows, repeats.log_weights, repeats.within, **rows)


def _rows(
    layout: Layout, design: Design, origin: Origin, x: Array | None = None, x_origin: Array | None = None
) -> dict[str, Any]:
    codes, z = [], []
    z_origin: list[Array] = []
    for blocks, absorbed in zip(layout.blocks, layout.absorbed, strict=True):
        if absorbed is not None:
            rows = design.absorbed[absorbed]
            codes.append(rows.codes)
            z.append(rows.z)
            z_origin.append(np.zeros(rows.z.shape[1]))
            continue
        first = design.random[blocks[0]]
        codes.append(first.codes)
        if len(blocks) == 1:
            z.append(first.z)
            z_origin.append(origin.z[blocks[0]])
            continue
        z.append(np.ascontiguousarray(np.hstack([design.random[i].z for i in blocks])))
        z_origin.append(np.concatenate([origin.z[i] for i in blocks]))
    y = shifted_response(design)
    if any(origin.beta.tolist()):  # a few numbers: the method of arrays takes ten times as long
        y = y - _explained(design.fixed, origin)
    return {
        "y": np.ascontiguousarray(y),
        "x": design.X if x is None else x,
        "codes": codes,
        "z": z,
        "levels": list(layout.levels),
        "w": design.weights,
        "y_origin": origin.y,
        "x_origin": origin.x if x_origin is None else x_origin,
        "z_origin": z_origin,
    }
