"""Which linear functions of all columns of X the data tell, where some columns depend on others."""

from __future__ import annotations

import numpy as np

from interlace.arrays import Array
from interlace.estimation.any_fit import AnyFit
from interlace.estimation.beside_levels import absorbed_of, surely_left
from interlace.estimation.rank import triangle, triangle_of
from interlace.frozen import dataclass

TOLERANCE = 1e-8  # share of the squared length of a function that may lie outside of the rows of X


@dataclass(frozen=True, slots=True)
class Estimable:
    """The combinations of columns of X that are zero in every row.

    Attributes
    ----------
    null : ndarray, (P, d)
        Orthonormal, over columns of length 1.
    length : ndarray, (P,)
        Of the columns.
    kept : tuple of int
        The columns that are in the model.
    """

    null: Array
    length: Array
    kept: tuple[int, ...]

    @classmethod
    def of(cls, fit: AnyFit) -> Estimable:
        """Of all columns of a fit."""
        P = len(fit.encoding.fixed_names)
        dropped = [j for j in range(P) if j not in set(fit.kept)]
        if not dropped:
            return cls(np.zeros((P, 0)), np.ones(P), fit.kept)
        R = triangle_of(fit.rows) if not fit.encoding.absorbed else _beside_absorbed(fit)
        length = np.sqrt(np.einsum("ij,ij->j", R, R))
        length = np.where(length > 0, length, 1.0)
        R = R / length
        kept = list(fit.kept)
        null = np.zeros((P, len(dropped)))
        null[kept] = -np.linalg.lstsq(R[:, kept], R[:, dropped], rcond=None)[0]
        null[dropped, np.arange(len(dropped))] = 1.0
        return cls(np.linalg.qr(null)[0], length, fit.kept)

    def rows(self, L: Array) -> np.ndarray:
        """Which rows of L (m, P) are estimable, (m,); those with NaN are not."""
        known = np.asarray(np.isfinite(L).all(axis=1))
        if not self.null.shape[1]:
            return known
        scaled = np.where(known[:, None], L, 0.0) / self.length
        outside = ((scaled @ self.null) ** 2).sum(axis=1)
        return np.asarray(known & (outside <= TOLERANCE * (scaled**2).sum(axis=1)))

    def functions(self, L: Array) -> Array:
        """Independent combinations of rows of L that are estimable, (r, P)."""
        L = L[np.isfinite(L).all(axis=1)]
        if not self.null.shape[1] or not len(L):
            return L
        outside = (L / self.length) @ self.null
        outside[np.abs(outside) <= TOLERANCE] = 0.0  # rounding error has no say in the basis
        U, s, _ = np.linalg.svd(outside)
        rank = int((s > np.sqrt(TOLERANCE) * max(s.max(initial=0.0), 1.0)).sum())
        return np.asarray(U[:, rank:].T @ L)


def _beside_absorbed(fit: AnyFit) -> Array:
    """The triangle of what absorbed factors leave of the columns of X. Columns of which they leave nothing
    are zero, so that no function of them is estimable."""
    absorbed = absorbed_of(fit.encoding, fit.rows, fit.n_jobs)
    assert absorbed is not None
    R = triangle(absorbed.residuals(fit.design.X).values, absorbed.weights)
    R[:, ~surely_left(absorbed, fit.rows)] = 0.0
    return R
