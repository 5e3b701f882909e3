"""Cross-products of rows that come batch by batch, from anywhere: values that add, and their fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

import numpy as np

from interlace import kernel
from interlace.arrays import Array
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.equal_rows import by_columns
from interlace.design.halves import Halves
from interlace.design.learnt import Covariate
from interlace.design.rows import FrameRows, Rows
from interlace.design.stacking import nbytes, stacked
from interlace.errors import DataError, ModelError
from interlace.estimation.crossproducts import NEARLY_ALL, CrossProducts
from interlace.estimation.fit import Fit, fit_prepared
from interlace.estimation.origin import Origin, near
from interlace.estimation.prepare import check_products_room, prepare, prepare_products
from interlace.estimation.rank import CERTAIN, independent, independent_columns, joined_triangles, triangle
from interlace.frozen import dataclass

_ONE_MORE = (
    "the fixed effects explain {:.3%} of the sum of squares of the response, and what they leave would drown "
    "in its rounding error: one more pass is needed, about their fit. accumulator = accumulator.next(), "
    "update it with all rows again, and fit that"
)
_NO_ROWS = "the accumulator was not updated with any row that has no missing value"


_ROOM = 1 << 21  # bytes of rows that wait; more where the products are larger


@dataclass(frozen=True, slots=True)
class Gathered:
    """The cross-products of the rows so far.

    The last rows wait, and join the products when they take as much memory as these: so a row costs what it
    is, and not what all levels are, however few come at a time. A table that waits as a whole is fitted as
    any table is, to the last bit.

    Attributes
    ----------
    encoding : Encoding
    origin : Origin
        The same for all that are added.
    products : CrossProducts or None
        None before the first row.
    triangle : ndarray, (p, p), or None
        R with ``R'R = X'WX``, where cross-products may not tell which columns of X depend on others.
    waiting : Halves of Design
        Rows that are not among the products yet.
    n, n_read : int
        Rows used, rows looked at.
    """

    encoding: Encoding
    origin: Origin
    products: CrossProducts | None
    triangle: Array | None
    waiting: Halves[Design] = field(default_factory=Halves)
    n: int = 0
    n_read: int = 0

    @classmethod
    def begin(cls, encoding: Encoding, shown: Design, covariates: Mapping[str, Covariate]) -> Gathered:
        """Nothing yet, about means that are known roughly, and for columns of the data exactly.

        Parameters
        ----------
        encoding : Encoding
        shown : Design
            Some of the rows: if X has full rank there, it has so among all rows.
        covariates : mapping of str to Covariate
            Of the columns of the data.
        """
        check_products_room(encoding)
        origin = _origin(encoding, shown, covariates)
        p = len(encoding.fixed_names)
        some = CrossProducts.of(encoding, shown, origin=origin)
        sure = kernel.independent(some.products, origin.x, CERTAIN)
        return cls(encoding, origin, None, None if sure else np.zeros((0, p)))

    def plus(self, design: Design) -> Gathered:
        """With the rows of a design.

        Raises
        ------
        DataError
            A grouping factor has a level that was not learnt.
        """
        counted = replace(self, n_read=self.n_read + design.n_rows_read)
        if not design.nrows:
            return counted
        self._refuse_unseen(design)
        found = replace(counted, n=self.n + design.nrows, waiting=self._waiting_with(design))
        return found._settled() if found._is_full() else found

    def merged(self, other: Gathered) -> Gathered:
        """With the rows of another."""
        R, S = self.triangle, other.triangle
        found = replace(
            self,
            n=self.n + other.n,
            n_read=self.n_read + other.n_read,
            products=_sum(self.products, other.products),
            triangle=None if R is None or S is None else joined_triangles(R, S),
            waiting=self.waiting.joined(other.waiting, _stack),
        )
        return found._settled() if found._is_full() else found

    def _waiting_with(self, design: Design) -> Halves[Design]:
        return self.waiting.plus(stacked([design]), design.nrows, _stack)

    def _is_full(self) -> bool:
        waiting = sum(nbytes(design) for design in self.waiting.parts)
        return waiting >= max(_ROOM, 8 * _numbers(self.encoding))

    def _settled(self) -> Gathered:
        """With no rows that wait."""
        if not self.waiting.parts:
            return self
        design, R = self._here(), self.triangle
        cells = by_columns(design)
        return replace(
            self,
            waiting=Halves(),
            products=_sum(self.products, CrossProducts.of(self.encoding, cells, origin=self.origin)),
            triangle=None if R is None else joined_triangles(R, triangle(design.fixed, design.weights)),
        )

    def _here(self) -> Design:
        """The rows that wait."""
        return self.waiting.whole(_stack)

    def closer(self, rows: Rows) -> Gathered:
        """Nothing yet, about the fit of the fixed effects to these rows."""
        settled = self._settled()
        A, origin = settled._all(), self.origin
        kept = list(settled._kept(A, rows))
        some = A.select_fixed(tuple(kept))
        beta = origin.beta.copy()
        beta[kept] += np.linalg.solve(some.products.xx, some.products.xy)
        R = self.triangle
        return Gathered(
            self.encoding, replace(origin, beta=beta), None, None if R is None else np.zeros((0, len(beta)))
        )

    def fitted(self, rows: Rows, *, reml: bool, n_jobs: int | None) -> Fit:
        """The fit, by the usual steps from here.

        Raises
        ------
        ModelError
            As for `fit`, or the rows must be looked at once more.
        """
        if self.products is None and self.waiting.parts:
            here = FrameRows(self.encoding, self._here())
            return fit_prepared(*prepare(self.encoding, here, reml=reml, n_jobs=n_jobs), rows)
        return self._settled()._fit_of_products(rows, reml, n_jobs)

    def _fit_of_products(self, rows: Rows, reml: bool, n_jobs: int | None) -> Fit:
        A = self._all()
        kept = self._kept(A, rows)
        some = A.select_fixed(kept)
        share = kernel.explained(some.products) / some.products.yy if some.products.yy else 0.0
        if share > NEARLY_ALL and not self.origin.beta.any():
            raise ModelError(_ONE_MORE.format(share))
        return fit_prepared(*prepare_products(A, kept, self.encoding, rows, reml=reml, n_jobs=n_jobs), rows)

    def _all(self) -> CrossProducts:
        if self.products is None:
            raise DataError(_NO_ROWS)
        return self.products

    def _kept(self, A: CrossProducts, rows: Rows) -> tuple[int, ...]:
        """As `independent_columns`."""
        return independent_columns(A, rows) if self.triangle is None else independent(self.triangle)

    def _refuse_unseen(self, design: Design) -> None:
        for block, rows in zip(self.encoding.random, design.random, strict=True):
            unseen = np.flatnonzero(rows.codes < 0)
            if unseen.size:
                row = int(unseen[0] if design.kept is None else design.kept[unseen[0]])
                raise DataError(
                    f"row {row} (counted from 0) has a level of '{block.group}' that the pass for the levels "
                    "did not see: update the accumulator with the same rows in every pass"
                )


def _stack(a: Design, b: Design) -> Design:
    return stacked([a, b])


def _numbers(encoding: Encoding) -> int:
    """That the cross-products have, but for those of levels that meet."""
    p = len(encoding.fixed_names)
    widths = [(block.grouping.n_levels, len(block.columns)) for block in encoding.random]
    return p * p + sum(levels * k * (k + p + 1) for levels, k in widths)


def _sum(a: CrossProducts | None, b: CrossProducts | None) -> CrossProducts | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _origin(encoding: Encoding, shown: Design, covariates: Mapping[str, Covariate]) -> Origin:
    """Means of some rows; those of columns of the data are known of all rows."""
    found = Origin.of(encoding, shown)
    names = (encoding.fixed_names, *(block.columns for block in encoding.random))
    x, *z = (
        np.array([_mean(covariates, *one) for one in zip(columns, means, strict=True)])
        for columns, means in zip(names, (found.x, *found.z), strict=True)
    )
    y = _mean(covariates, str(encoding.formula.response), found.y)
    return replace(found, y=y, x=x, z=tuple(z))


def _mean(covariates: Mapping[str, Covariate], name: str, found: float) -> float:
    """Where nothing is to be taken from a column, `found` is zero."""
    return near(covariates[name].mean) if found and name in covariates else float(found)
