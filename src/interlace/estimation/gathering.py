"""Cross-products of rows that come batch by batch, from anywhere: values that add, and their fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from interlace import kernel
from interlace.arrays import Array
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.learnt import Covariate
from interlace.design.rows import Rows
from interlace.errors import DataError, ModelError
from interlace.estimation.crossproducts import NEARLY_ALL, CrossProducts
from interlace.estimation.fit import Fit, fit_prepared
from interlace.estimation.origin import Origin
from interlace.estimation.prepare import check_products_room, prepare_products
from interlace.estimation.rank import CERTAIN, independent, independent_columns, joined_triangles, triangle

_ONE_MORE = (
    "the fixed effects explain {:.3%} of the sum of squares of the response, and what they leave would drown "
    "in its rounding error: one more pass is needed, about their fit. accumulator = accumulator.next(), "
    "update it with all rows again, and fit that"
)
_NO_ROWS = "the accumulator was not updated with any row that has no missing value"


@dataclass(frozen=True, slots=True)
class Gathered:
    """The cross-products of the rows so far.

    Attributes
    ----------
    encoding : Encoding
    origin : Origin
        The same for all that are added.
    products : CrossProducts or None
        None before the first row.
    triangle : ndarray, (p, p), or None
        R with ``R'R = X'WX``, where cross-products may not tell which columns of X depend on others.
    n, n_read : int
        Rows used, rows looked at.
    """

    encoding: Encoding
    origin: Origin
    products: CrossProducts | None
    triangle: Array | None
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
        R = self.triangle
        return replace(
            counted,
            n=self.n + design.nrows,
            products=_sum(self.products, CrossProducts.of(self.encoding, design, origin=self.origin)),
            triangle=None if R is None else joined_triangles(R, triangle(design.fixed, design.weights)),
        )

    def merged(self, other: Gathered) -> Gathered:
        """With the rows of another."""
        R, S = self.triangle, other.triangle
        return replace(
            self,
            n=self.n + other.n,
            n_read=self.n_read + other.n_read,
            products=_sum(self.products, other.products),
            triangle=None if R is None or S is None else joined_triangles(R, S),
        )

    def closer(self, rows: Rows) -> Gathered:
        """Nothing yet, about the fit of the fixed effects to these rows."""
        A, origin = self._all(), self.origin
        kept = list(self._kept(A, rows))
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
    return covariates[name].mean if found and name in covariates else float(found)
