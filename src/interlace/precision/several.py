"""A robust covariance from clusters in several ways at once (Cameron, Gelbach and Miller 2011)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from interlace.arrays import Array
from interlace.precision.sandwich import Hypothesis, normal_test
from interlace.precision.wald import FTest, rowwise, scaled_rows


@dataclass(frozen=True, slots=True)
class SeveralWays:
    """``K W K'`` with W the sum over the clusters of each way, less those of two ways at once, and so on.

    Such a W need not be positive semidefinite; where a variance is not positive there is no standard error.

    Attributes
    ----------
    kind : str
    beta, vcov : ndarray
    root, middle : ndarray, (p, p)
        K and W.
    floor : float
        Standard errors of ``c'beta`` up to this times ``|K'c|`` are rounding error.
    den_df : int
        The fewest clusters of a way, less one (Cameron and Miller 2015): df of every test.
    note : str
    """

    kind: str
    beta: Array
    vcov: Array
    root: Array
    middle: Array
    floor: float
    den_df: int
    note: str

    @property
    def name(self) -> str:
        """As printed."""
        return f"cluster-robust {self.kind}"

    @property
    def description(self) -> str:
        """In words."""
        return f"t with {self.den_df} df and a cluster-robust covariance ({self.kind})"

    def se(self, L: Array) -> Array:
        """Standard errors of the rows; NaN where the variance is negative or rounding error."""
        rows, unit = scaled_rows(np.asarray(L, dtype=np.float64))
        C, more = scaled_rows(rows @ self.root)
        variance, size = rowwise(C, self.middle), np.linalg.norm(C, axis=1)
        known = (variance > (self.floor * size) ** 2) | (size == 0)
        return np.where(known, unit * more * np.sqrt(np.maximum(variance, 0.0)), np.nan)

    def df(self, L: Array) -> Array:
        """`den_df` where there is a standard error, (m,)."""
        return np.where(self.se(L) > 0, float(self.den_df), np.nan)

    def f_test(self, L: Array, rhs: Array | float = 0.0) -> FTest:
        """``d'(A W A')^-1 d / q`` with q and `den_df` degrees of freedom."""
        test = normal_test(self, L, rhs)
        return test if np.isnan(test.F) else replace(test, den_df=float(self.den_df))

    def wald(self, tested: Hypothesis) -> float:
        """``d'(A W A')^-1 d``; NaN where a direction of it has no variance."""
        values, vectors = np.linalg.eigh(tested.rows @ self.middle @ tested.rows.T)
        if values.min(initial=np.inf) <= self.floor**2:
            return np.nan
        return float((np.square(vectors.T @ tested.distance) / values).sum())
