"""Least squares within each level of a grouping factor: what the data say without the random effects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from interlace.arrays import Array, Index
from interlace.estimation.fit import Fit
from interlace.estimation.rank import independent
from interlace.frozen import dataclass

TOLERANCE = 1e-7  # of a direction beside the longest, R's
FITTED = 1e-10  # of 1 - h: below it a row is fitted whatever its response


@dataclass(frozen=True, slots=True)
class WithinLevels:
    """A regression in each level on an intercept and the columns of X that vary in it.

    Attributes
    ----------
    residuals, fitted : ndarray, (n,)
        The offset is part of `fitted`.
    left : ndarray, (n,)
        ``1 - h`` for the leverage h of a row in the regression of its level; 0 where the row is fitted
        whatever its response.
    sd : ndarray, (n,)
        Residual standard deviation of the level of each row (of weight 1); NaN without degrees of freedom.
    exact : ndarray of int
        Levels with no more rows than coefficients.
    """

    residuals: Array
    fitted: Array
    left: Array
    sd: Array
    exact: Index

    @classmethod
    def of(cls, fit: Fit, codes: Index) -> WithinLevels:
        """For rows in levels `codes`."""
        y, X, w = _response(fit), fit.X, fit.design.weights
        residuals, left, sd = np.empty(len(y)), np.empty(len(y)), np.empty(len(y))
        exact = []
        for level, rows in _levels(codes):
            root = np.ones(len(rows)) if w is None else np.sqrt(w[rows])
            U = _space(X[rows], root)
            found = root * y[rows]
            found = found - U @ (U.T @ found)
            free = len(rows) - U.shape[1]
            h = 1 - np.einsum("ij,ij->i", U, U)
            left[rows] = np.where(h > FITTED, h, 0.0)
            if free == 0:
                exact.append(level)
                found, left[rows] = np.zeros(len(rows)), 0.0
            residuals[rows] = found / root
            sd[rows] = np.sqrt(found @ found / free) if free else np.nan
        whole = y if fit.design.offset is None else y + fit.design.offset
        return cls(residuals, whole - residuals, left, sd, np.array(exact, dtype=np.int64))

    def semi(self, weights: Array | None) -> Array:
        """Residuals over the root of ``1 - h``, in units of an observation of weight 1; NaN where it is 0."""
        out = np.full(len(self.left), np.nan)
        there = self.left > 0
        root = 1.0 if weights is None else np.sqrt(weights[there])
        out[there] = root * self.residuals[there] / np.sqrt(self.left[there])
        return out

    def standardized(self, weights: Array | None) -> Array:
        """`semi` over the standard deviation of the level; NaN where that is zero or not known."""
        return np.asarray(
            np.divide(self.semi(weights), self.sd, out=np.full(len(self.sd), np.nan), where=self.sd > 0)
        )


def coefficients(fit: Fit, codes: Index, n_levels: int, columns: list[int]) -> Array:
    """Coefficients of these columns of X in a regression on X for each level, (levels, columns).

    NaN where the rows of a level do not tell it: the columns of X enter in their order, as in R's `lm`. A
    level in which a factor of the formula has one value tells nothing (as in `lmList`): its intercept would
    be that of this value.
    """
    y, X, w = _response(fit), fit.X, fit.design.weights
    out = np.full((n_levels, len(columns)), np.nan)
    factors = [values for values in _factors(fit) if not _constant(values, codes)]
    for level, rows in _levels(codes):
        if any((values[rows] == values[rows[0]]).all() for values in factors):
            continue
        root = np.ones(len(rows)) if w is None else np.sqrt(w[rows])
        Xw = root[:, None] * X[rows]
        kept = independent(Xw)
        beta = dict(zip(kept, np.linalg.lstsq(Xw[:, list(kept)], root * y[rows], rcond=None)[0], strict=True))
        out[level] = [beta.get(j, np.nan) for j in columns]
    return out


def _factors(fit: Fit) -> list[Index]:
    """Codes of the categorical factors of the fixed part."""
    encoding, design = fit.encoding, fit.design
    found = (
        encoding.fixed.member_columns(design.frame.columns, design.nrows) if encoding.fixed_factors else {}
    )
    return [found[name].argmax(axis=1) for name in encoding.fixed_factors]


def _constant(values: Index, codes: Index) -> bool:
    """Has every level one value?"""
    first = np.zeros(codes.max() + 1, dtype=values.dtype)
    first[codes] = values
    return bool((first[codes] == values).all())


def _response(fit: Fit) -> Array:
    y, offset = fit.design.y, fit.design.offset
    assert y is not None
    return y if offset is None else y - offset


def _levels(codes: Index) -> Iterator[tuple[int, Index]]:
    """Levels that have rows, and the rows of each."""
    order = np.argsort(codes, kind="stable")
    levels, begins = np.unique(codes[order], return_index=True)
    yield from zip(levels.tolist(), np.split(order, begins[1:]), strict=True)


def _space(X: Array, root: Array) -> Array:
    """An orthonormal basis of the weighted intercept and the columns of X about their means."""
    one = (root / np.linalg.norm(root))[:, None]
    length = np.linalg.norm(root[:, None] * X, axis=0)
    centred = X - np.average(X, axis=0, weights=root**2)
    size = np.linalg.norm(root[:, None] * centred, axis=0)
    vary = size > TOLERANCE * length
    if not vary.any():
        return one
    U, s, _ = np.linalg.svd(root[:, None] * centred[:, vary] / size[vary], full_matrices=False)
    return np.hstack([one, U[:, s > TOLERANCE * s[0]]])
