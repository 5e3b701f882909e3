"""Who is right where R differs: the formulas of the papers with every n x n matrix written out."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from dense_inference import DenseInference

LARGEST = 500


class Judge:
    """Dense degrees of freedom of a fit."""

    def __init__(self, m: Any) -> None:
        self.m = m

    @property
    def knows(self) -> bool:
        """Whether the dense formulas hold: an interior optimum, not too many rows."""
        return not self.m.is_singular and self.m.nobs <= LARGEST

    @cached_property
    def _dense(self) -> DenseInference:
        return DenseInference.of(self.m.fit)

    def satterthwaite(self, df: np.ndarray) -> bool:
        """Whether these are the df of the coefficients, or nobody knows.

        R differentiates numerically, in steps that are too small or too large for some units.
        """
        if not self.knows:
            return True
        p = len(df)
        exact = [self._dense.satterthwaite(row, reml=self.m.reml) for row in np.eye(p)]
        return bool(np.allclose(df, exact, rtol=1e-3))

    def kenward_roger(self, table: pd.DataFrame) -> bool:
        """Whether these are the standard errors and df, or nobody knows."""
        if self.m.nobs > LARGEST:
            return True
        try:
            se = np.sqrt(np.diagonal(self._dense.adjusted_vcov("expected")))
            rows = np.eye(len(table))
            df = [self._dense.kenward_roger(r[None], self.m.fit.solution.beta, "expected")[1] for r in rows]
        except np.linalg.LinAlgError:
            return True
        return bool(np.allclose(table["se"], se, rtol=1e-4) and np.allclose(table["df"], df, rtol=1e-3))
