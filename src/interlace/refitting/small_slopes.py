"""The gradient of the criterion without some rows, from the factor of all: solves with what leaves."""

from __future__ import annotations

import numpy as np

from interlace import kernel
from interlace.arrays import Array, Index
from interlace.design.design import Design
from interlace.estimation.fit import Fit
from interlace.estimation.mapped import MappedDeviance
from interlace.frozen import dataclass
from interlace.precision.marginal import Marginal
from interlace.refitting.small_solves import SmallSolves, lower

REGULAR = 1e6  # condition of a relative covariance factor that is inverted


@dataclass(frozen=True, slots=True)
class SmallSlopes:
    """Slopes of the criterion of all rows at one theta, and how they change as rows leave.

    ``P_(a) = P - P[,a] P_aa^-1 P[a,]`` of the rows that are left, so that with ``G = Z'P[,a] L^-T`` for
    ``P_aa = L L'`` the matrix ``Z'PZ`` of the slopes in the factors loses ``G G'``.

    Attributes
    ----------
    small : SmallSolves
        Its solution has this theta.
    marginal : Marginal
        At this theta.
    par : ndarray, (m,)
    mapped : MappedDeviance
    logs : list of ndarray, (k, k)
        Slopes of ldL2 (+ ldRX2) of all rows, per grouping factor of the kernel.
    """

    small: SmallSolves
    marginal: Marginal
    par: Array
    mapped: MappedDeviance
    logs: list[Array]

    @classmethod
    def of(cls, fit: Fit, par: Array, design: Design) -> SmallSlopes:
        """At the theta of the solution of a fit, whose parameters are these, of the rows of a design."""
        mapped = fit.criterion.mapped()
        with fit.criterion.system.threads():
            logs, _ = mapped.apart(par)
        return cls(SmallSolves.of(fit, design), Marginal.of(fit), par, mapped, logs)

    def is_cheaper(self, rows: Index) -> bool:
        """Than the gradient from a factorisation without these rows? Not where levels are linked."""
        linked = any(Q is not None for Q in self.small.fit.criterion.system.precisions)
        return not linked and self.small.is_cheaper(rows)

    def without(self, rows: Index) -> Array | None:
        """The gradient of the profiled criterion of the others, (m,); None where they hardly tell beta."""
        small, fit = self.small, self.small.fit
        factors = fit.criterion.system.internal_factors(fit.solution.factors)
        x = small.x[rows]
        V, E = self._of_rows(rows, factors)
        L = lower(V - x @ x.T)
        if L is None:
            return None
        t = np.linalg.solve(L, small.e[rows])
        scale = (fit.solution.pwrss - float(t @ t)) / (fit.criterion.df - len(rows))
        inverse = np.linalg.inv(L).T
        of_logs = inverse if fit.reml else np.linalg.inv(np.linalg.cholesky(V)).T
        slopes = []
        own, there = self.marginal, self.mapped.factors(self.par)
        for F, e, mean, whole, logs in zip(there, E, own.zvx, own.zvr, self.logs, strict=True):
            G = (e - mean @ x.T) @ inverse
            lost, left = G if fit.reml else e @ of_logs, whole - G @ t
            S = np.tensordot(lost, lost, ((0, 2), (0, 2))) + left.T @ left / scale
            slopes.append(logs - 2 * S @ F)
        return self.mapped.pulled_back(self.par, slopes)

    def _of_rows(self, rows: Index, factors: list[Array]) -> tuple[Array, list[Array]]:
        """``(V^-1)_aa`` and ``Z'V^-1[,a]``, the latter (levels, k, a) per grouping factor of the kernel.

        ``Lambda'Z'V^-1 = M^-1 Lambda'Z'``, so that the factors give Z'V^-1 where they have an inverse.
        """
        small, cholesky = self.small, self.small.fit.solution.factor
        columns = small.columns(rows)
        with kernel.one_thread():
            u = [np.asarray(one) for one in cholesky.solve(columns)]
        V = np.eye(len(rows))
        for f, (z, one, F) in enumerate(zip(columns, u, factors, strict=True)):
            codes = small.rows["codes"][f][rows]
            V = V - np.einsum("ik,ika->ia", z[codes, :, np.arange(len(rows))] @ F, one[codes])
        if all(np.linalg.cond(F) < REGULAR for F in factors):
            return V, [np.linalg.inv(F).T @ one for F, one in zip(factors, u, strict=True)]
        with kernel.one_thread():
            ztz = cholesky.apply_ztz(
                [np.ascontiguousarray(F @ one) for F, one in zip(factors, u, strict=True)]
            )
        return V, [z - np.asarray(one) for z, one in zip(columns, ztz, strict=True)]
