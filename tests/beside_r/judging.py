"""Who is right where R differs: the formulas of the papers with every n x n matrix written out."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from dense_inference import DenseInference
from interlace.inference.terms import Terms

LARGEST = 500


class Judge:
    """Dense degrees of freedom of a fit."""

    def __init__(self, m: Any) -> None:
        self.m = m

    @property
    def small(self) -> bool:
        """Whether there are not too many rows for dense matrices."""
        return self.m.nobs <= LARGEST

    @property
    def knows(self) -> bool:
        """Whether the dense formulas hold: an interior optimum, not too many rows."""
        return self.small and not self.m.is_singular

    @cached_property
    def _dense(self) -> DenseInference:
        return DenseInference.of(self.m.fit)

    def f(self, label: str, kind: int) -> float:
        """F of a term after those before it (type 1), or after all that do not contain it (type 2).

        lmerTest takes small entries of X'X for zero, whatever the units of the columns.
        """
        terms = Terms.of(self.m.fit)
        term = next(term for term in terms.terms if term.label == label)
        X, p = self._dense.X, self._dense.X.shape[1]
        last = [*term.columns, *(j for other in terms.containing(term) for j in other.columns)]
        order = list(range(p)) if kind == 1 else [j for j in range(p) if j not in last] + last
        unit = np.linalg.norm(X, axis=0)
        R = np.linalg.qr((X / unit)[:, order])[1]
        L = np.zeros((len(term.columns), p))
        L[:, order] = R[[order.index(j) for j in term.columns]]
        Lb = L @ (self.m.fixef.to_numpy() * unit)
        V = L @ (self.m.vcov().to_numpy() * np.outer(unit, unit)) @ L.T
        return float(Lb @ np.linalg.solve(V, Lb)) / len(L)

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
        if not self.small:
            return True
        try:
            se = np.sqrt(np.diagonal(self._dense.adjusted_vcov("expected")))
            rows = np.eye(len(table))
            df = [self._dense.kenward_roger(r[None], self.m.fit.solution.beta, "expected")[1] for r in rows]
        except np.linalg.LinAlgError:
            return True
        return bool(np.allclose(table["se"], se, rtol=1e-4) and np.allclose(table["df"], df, rtol=1e-3))
