"""Least squares of the fixed part alone, beside absorbed factors: a fit without random effects."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import field, replace
from functools import cached_property
from math import inf

import numpy as np

from interlace import kernel
from interlace.arrays import Array
from interlace.design.chunked import ROWS
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.rows import FrameRows, Rows, as_rows
from interlace.errors import ModelError
from interlace.estimation.beside_levels import Left, absorbed_of
from interlace.estimation.capacity import check_room
from interlace.estimation.ols_fit import LeastSquares, LeastSquaresFit
from interlace.estimation.rank import check_rows, independent, triangle, triangle_of, warn_of_dropped
from interlace.frozen import dataclass

# Of the sum of squares of what the absorbed factors leave of the response, less than this is rounding error.
EXACT = 1e-20
# Products that a model without absorbed factors may take: a minute of one processor.
_MOST_PRODUCTS = 5e10


@dataclass(frozen=True, slots=True)
class OfRows:
    """What a fit knows of each row.

    Attributes
    ----------
    left : ndarray of float64, (n, p)
        What the absorbed factors leave of the columns of X.
    response : ndarray, (n,)
        What they leave of the response.
    residuals : ndarray, (n,)
    """

    left: Array
    response: Array
    residuals: Array


@dataclass(frozen=True)
class LeastSquaresOfFrame(LeastSquaresFit):
    """A fit of rows that are in memory.

    Attributes
    ----------
    of_rows : OfRows
    """

    of_rows: OfRows = field(repr=False)

    @property
    def left(self) -> Array:
        """What the absorbed factors leave of the columns of X, (n, p)."""
        return self.of_rows.left

    @property
    def response(self) -> Array:
        """What they leave of the response, (n,)."""
        return self.of_rows.response

    @property
    def residuals(self) -> Array:
        """Of the rows used, (n,)."""
        return self.of_rows.residuals

    @property
    def fitted(self) -> Array:
        """Fitted values of the rows used, the offset and the effects of absorbed levels included, (n,)."""
        assert self.design.y is not None
        return self.design.y - self.residuals

    @property
    def rss(self) -> float:
        """Weighted sum of squares of the residuals."""
        w = self.design.weights
        with kernel.one_thread():  # the others would wait in a loop for a while
            return float(np.dot(self.residuals, self.residuals if w is None else w * self.residuals))

    @property
    def tss(self) -> float:
        """Weighted sum of squares of the response, about its mean where the model has an intercept."""
        w, y = self.weights, response_of(self.design)
        centre = float(w @ y / w.sum()) if self.encoding.spans_constant else 0.0
        return float(w @ (y - centre) ** 2)

    @property
    def log_weights(self) -> float:
        """The sum of the logarithms of the weights."""
        return float(np.log(self.weights).sum())

    @property
    def n_missing(self) -> int:
        """Rows left out because of missing values."""
        return self.design.n_dropped - self.design.singletons

    @property
    def n_singletons(self) -> int:
        """Rows left out as the only ones of a level of an absorbed factor."""
        return self.design.singletons

    def of_model(self, encoding: Encoding, rows: Design | Rows) -> LeastSquaresFit:
        """The fit of another model of these rows."""
        return least_squares(encoding, as_rows(encoding, rows), self.n_jobs)

    def refit(self, y: Array) -> LeastSquaresFit:
        """The same model of another response of the rows used, (n,)."""
        rows = self.rows.changed(self.encoding, lambda design: replace(design, y=y))
        response = whole = response_of(rows.design)
        if self.absorbed is not None:
            response = np.ascontiguousarray(self.absorbed.residuals(whole[:, None]).values[:, 0])
        R = triangle(np.column_stack([self.left, response]), self.design.weights)
        beta, residuals = _solved(self.left, response, self.design.weights, R)
        _check_exact(whole, residuals)
        own = OfRows(self.left, response, residuals)
        return replace(self, rows=rows, solution=LeastSquares(beta), of_rows=own)

    @cached_property
    def leverages(self) -> Array:
        """The diagonal of the matrix that makes fitted values of y, absorbed levels included, (n,).

        Raises
        ------
        ModelError
            As for `level_system`.
        """
        own: Array = self.weights * ((self.left @ self.root) ** 2).sum(axis=1)
        absorbed = self.absorbed
        if absorbed is None:
            return own
        first, *others = absorbed.factors
        if others or first.columns is not None:
            return np.asarray(own + self.level_system.leverages())
        total = np.bincount(first.codes, weights=self.weights, minlength=first.n_levels)
        return np.asarray(own + self.weights / total[first.codes])


def least_squares(encoding: Encoding, rows: Rows, n_jobs: int | None = None) -> LeastSquaresOfFrame:
    """Least squares with the prior weights of the rows, which are in memory.

    Raises
    ------
    ModelError
        No more rows than coefficients, a response that is fitted exactly, or nothing to estimate.

    Warns
    -----
    RankDeficiencyWarning
        Columns of X were dropped: they depend on others, or the absorbed factors explain them.
    """
    # threads of a BLAS that wait in a loop take the processors from those of the core
    with kernel.core_threads(inf, n_jobs) if encoding.absorbed else nullcontext():
        return _least_squares(encoding, rows, n_jobs)


def _least_squares(encoding: Encoding, rows: Rows, n_jobs: int | None) -> LeastSquaresOfFrame:
    absorbed, design = absorbed_of(encoding, rows, n_jobs), rows.design
    y = response_of(design)
    left = None if absorbed is None else Left.of(absorbed, rows, y)
    kept = independent(triangle_of(rows)) if left is None else left.kept(encoding.fixed_names)
    dropped = told_dropped(encoding, kept)
    check_rows(encoding, rows.n, len(kept))
    if left is None:
        columns = np.column_stack([design.selected(kept).X, y])
        R = triangle(columns, design.weights)
    else:
        columns, R = left.selected(kept)
    beta, residuals = _solved(columns[:, :-1], columns[:, -1], design.weights, R)
    _check_exact(y, residuals)
    own, upper = OfRows(columns[:, :-1], columns[:, -1], residuals), np.triu(R[:-1, :-1][: len(kept)])
    found = LeastSquaresOfFrame(encoding, rows, kept, dropped, LeastSquares(beta), upper, n_jobs, own)
    found.__dict__["absorbed"] = absorbed  # what is learnt of the levels is used again
    return found


def told_dropped(encoding: Encoding, kept: tuple[int, ...]) -> tuple[str, ...]:
    """Names of the columns that are not kept, of which a warning tells."""
    names = encoding.fixed_names
    dropped = tuple(name for j, name in enumerate(names) if j not in kept and not _replaced(encoding, name))
    warn_of_dropped(dropped, encoding)
    return dropped


def check_columns_room(encoding: Encoding, rows: Rows) -> None:
    """Refuse columns of X that do not fit in memory, such as those of an ordinary factor of many levels.

    Raises
    ------
    ModelError
        With the advice to absorb the factor.
    """
    p = len(encoding.fixed_names)
    factor = max(
        encoding.fixed_factors, key=lambda name: len(encoding.fixed_factors[name].levels), default=""
    )
    advice = f"; absorb factors of many levels: 'y ~ x | {factor}'" if factor else ""
    if float(rows.n) * p**2 > _MOST_PRODUCTS and factor:
        raise ModelError(
            f"the factor '{factor}' makes most of {p} columns of X, and least squares of {rows.n} rows on "
            f"them would take minutes: absorb it, 'y ~ x | {factor}'"
        )
    at_once = rows.n if isinstance(rows, FrameRows) else min(rows.n, ROWS)
    check_room(4 * 8.0 * at_once * p + 8.0 * p**2, "the " + str(p) + " columns of X need {}" + advice)


def _replaced(encoding: Encoding, name: str) -> bool:
    return encoding.absorbs_constant and name == "Intercept"


def response_of(design: Design) -> Array:
    """The response less the offset, (n,)."""
    assert design.y is not None
    return design.y if design.offset is None else design.y - design.offset


def _solved(X: Array, y: Array, weights: Array | None, R: Array) -> tuple[Array, Array]:
    """Least squares by the triangle R of [X y], corrected once by its residuals; and the residuals."""
    p = X.shape[1]
    beta = np.linalg.solve(R[:p, :p], R[:p, p])
    residuals = y - X @ beta
    again = X.T @ (residuals if weights is None else weights * residuals)
    beta = beta + np.linalg.solve(R[:p, :p], np.linalg.solve(R[:p, :p].T, again))
    return beta, y - X @ beta


def _check_exact(y: Array, residuals: Array) -> None:
    check_not_exact(float(residuals @ residuals), float(y @ y))


def check_not_exact(rss: float, total: float) -> None:
    """The residuals must be more than rounding error.

    Raises
    ------
    ModelError
    """
    if rss <= EXACT * total:
        raise ModelError(
            "the model fits the response exactly, and leaves no residuals from which a variance could be "
            "estimated: absorb fewer factors, or use fewer terms"
        )
