"""A robust covariance from clusters in several ways at once (Cameron, Gelbach and Miller 2011)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from interlace.arrays import Array
from interlace.frozen import dataclass
from interlace.precision.sandwich import Hypothesis, Robust, normal_test
from interlace.precision.wald import FTest, rowwise


@dataclass(frozen=True, slots=True, repr=False)
class SeveralWays(Robust):
    """``K W K'`` with W the sum over the clusters of each way, less those of two ways at once, and so on.

    Such a W need not be positive semidefinite; where a variance is not positive there is no standard error.

    Attributes
    ----------
    middle : ndarray, (p, p)
        W.
    den_df : int
        The fewest clusters of a way, less one (Cameron and Miller 2015): df of every test.
    """

    middle: Array
    den_df: int

    @property
    def description(self) -> str:
        """In words."""
        return f"t with {self.den_df} df and a cluster-robust covariance ({self.kind})"

    def deviations(self, C: Array) -> Array:
        """The roots of ``c'W c``, zero where that is negative."""
        return np.asarray(np.sqrt(np.maximum(rowwise(C, self.middle), 0.0)))

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
