"""Least squares of rows that are never in memory at once: one triangle is all that stays of them."""

from __future__ import annotations

from dataclasses import field, replace

import numpy as np

from interlace.arrays import Array
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.rows import FrameRows, Rows, as_rows, left_out, per_row
from interlace.errors import DataError, ModelError
from interlace.estimation.answering import Given
from interlace.estimation.ols import (
    check_not_exact,
    least_squares,
    response_of,
    told_dropped,
)
from interlace.estimation.ols_fit import LeastSquares, LeastSquaresFit
from interlace.estimation.rank import check_rows, independent, joined_triangles, triangle
from interlace.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Sums:
    """What a fit knows of all rows; see `LeastSquaresFit`."""

    rss: float
    tss: float
    log_weights: float


@dataclass(frozen=True)
class LeastSquaresOfChunks(LeastSquaresFit):
    """A fit without absorbed factors of rows that are read in chunks, if they are read again at all.

    What the rooms above want of all rows at once, as `left`, is refused by the rows.

    Attributes
    ----------
    sums : Sums
    """

    sums: Sums = field(repr=False)

    @property
    def rss(self) -> float:
        """Weighted sum of squares of the residuals."""
        return self.sums.rss

    @property
    def tss(self) -> float:
        """Weighted sum of squares of the response, about its mean where the model has an intercept."""
        return self.sums.tss

    @property
    def log_weights(self) -> float:
        """The sum of the logarithms of the weights."""
        return self.sums.log_weights

    @property
    def left(self) -> Array:
        """The columns of X; refused."""
        return self.X

    @property
    def response(self) -> Array:
        """The response; refused."""
        return response_of(self.design)

    @property
    def residuals(self) -> Array:
        """Of the rows used, read again, (n,)."""
        return per_row(self.rows, self._residuals)

    @property
    def fitted(self) -> Array:
        """Fitted values of the rows, read again, the offset included, (n,)."""
        return per_row(self.rows, self._fitted)

    @property
    def weights(self) -> Array:
        """Prior weights of the rows, read again, (n,)."""
        return per_row(self.rows, _weights)

    @property
    def leverages(self) -> Array:
        """The diagonal of the matrix that makes fitted values of y, of the rows read again, (n,)."""
        return per_row(self.rows, self.leverages_of)

    @property
    def n_missing(self) -> int:
        """Rows left out because of missing values."""
        return self.rows.n_read - self.rows.n

    @property
    def n_singletons(self) -> int:
        """None: nothing is absorbed."""
        return 0

    def of_model(self, encoding: Encoding, rows: Design | Rows) -> LeastSquaresFit:
        """The fit of another model of these rows."""
        return least_squares_of(encoding, as_rows(encoding, rows), self.n_jobs)

    def refit(self, y: Array) -> LeastSquaresFit:
        """The fit of another response of the same rows, which are read once more."""
        return self.of_model(self.encoding, Given(y[None]).rows(0, self.rows))

    def leverages_of(self, design: Design) -> Array:
        """Of the rows of a chunk."""
        inner = design.selected(self.kept).X @ self.root
        return np.asarray(_weights(design) * (inner**2).sum(axis=1))

    def _fitted(self, design: Design) -> Array:
        explained = self._explained(design)
        return explained if design.offset is None else explained + design.offset

    def _residuals(self, design: Design) -> Array:
        return response_of(design) - self._explained(design)


def _weights(design: Design) -> Array:
    return np.ones(design.nrows) if design.weights is None else design.weights


@dataclass(frozen=True, slots=True)
class Squares:
    """What least squares need of the rows so far.

    Attributes
    ----------
    encoding : Encoding
        Without absorbed factors.
    triangle : ndarray, (at most p + 1, p + 1)
        R with ``R'R = [X y]'W[X y]``.
    log_weights : float
    n, n_read : int
        Rows used, rows looked at.
    """

    encoding: Encoding
    triangle: Array
    log_weights: float = 0.0
    n: int = 0
    n_read: int = 0

    @classmethod
    def begin(cls, encoding: Encoding) -> Squares:
        """Of no rows."""
        return cls(encoding, np.zeros((0, len(encoding.fixed_names) + 1)))

    def plus(self, design: Design) -> Squares:
        """With the rows of a design."""
        counted = replace(self, n_read=self.n_read + design.n_rows_read)
        if not design.nrows:
            return counted
        w = design.weights
        found = triangle(np.column_stack([design.X, response_of(design)]), w)
        n, logs = design.nrows, 0.0 if w is None else float(np.log(w).sum())
        if (repeats := design.repeats) is not None:
            rest = np.append(np.zeros(found.shape[1] - 1), np.sqrt(repeats.within))
            found, n, logs = joined_triangles(found, rest[None, :]), repeats.rows, repeats.log_weights
        return replace(
            counted,
            triangle=joined_triangles(self.triangle, found),
            log_weights=self.log_weights + logs,
            n=self.n + n,
        )

    def merged(self, other: Squares) -> Squares:
        """With the rows of another."""
        return replace(
            self,
            triangle=joined_triangles(self.triangle, other.triangle),
            log_weights=self.log_weights + other.log_weights,
            n=self.n + other.n,
            n_read=self.n_read + other.n_read,
        )

    def fitted(self, rows: Rows, n_jobs: int | None) -> LeastSquaresOfChunks:
        """The fit.

        Raises
        ------
        DataError, ModelError
            No rows, no more rows than coefficients, or a response that is fitted exactly.

        Warns
        -----
        RankDeficiencyWarning
        """
        if not self.n:
            raise DataError("there is no row without missing values")
        encoding, whole = self.encoding, self.triangle
        kept = independent(whole[:, :-1])
        dropped = told_dropped(encoding, kept)
        p = len(kept)
        check_rows(encoding, self.n, p)
        R = np.asarray(np.linalg.qr(whole[:, [*kept, -1]], mode="r"))
        beta = np.linalg.solve(R[:p, :p], R[:p, p])
        squares = R[:, p] ** 2
        rss = float(squares[p])
        check_not_exact(rss, float(squares.sum()))
        tss = float(squares[int(encoding.spans_constant) :].sum())
        sums, upper = Sums(rss, tss, self.log_weights), np.triu(R[:p, :p])
        return LeastSquaresOfChunks(encoding, rows, kept, dropped, LeastSquares(beta), upper, n_jobs, sums)


def least_squares_of(encoding: Encoding, rows: Rows, n_jobs: int | None = None) -> LeastSquaresFit:
    """Least squares with the prior weights of the rows, in memory or in chunks.

    Raises
    ------
    ModelError
        As for `least_squares`.
    """
    if isinstance(rows, FrameRows):
        return least_squares(encoding, rows, n_jobs)
    found = Squares.begin(encoding)
    for design in rows.cells():
        found = found.plus(design)
    return found.fitted(rows, n_jobs)


def without_rows(fit: LeastSquaresFit) -> LeastSquaresOfChunks:
    """The same fit without its rows.

    Raises
    ------
    ModelError
        Factors are absorbed.
    """
    if fit.encoding.absorbed:
        names = ", ".join(str(one) for one in fit.encoding.formula.absorbed)
        raise ModelError(
            f"the effects of the levels of {names} are found from the rows, and predictions need them: save "
            "the model with its rows, or write the factors as terms"
        )
    sums = Sums(fit.rss, fit.tss, fit.log_weights)
    parts = (fit.kept, fit.dropped, fit.solution, fit.triangle, fit.n_jobs)
    return LeastSquaresOfChunks(fit.encoding, left_out(fit.rows), *parts, sums)
