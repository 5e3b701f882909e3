"""Deletions at a held theta from the factor of all rows: a system of the size of what leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from interlace import kernel
from interlace.arrays import Array, Index
from interlace.estimation.fit import Fit
from interlace.precision.marginal import Marginal
from interlace.prediction.residuals import residuals

# Of a pivot of P_aa (at most 1): below it the other rows hardly tell some coefficient, or do not.
SMALLEST = 1e-6
# What a flop of a small solve costs beside one of a factorisation.
SHARE = 1.2


@dataclass(frozen=True, slots=True)
class SmallSolves:
    """What each row has to do with beta, where ``V = I + S M^-1 S'`` is of weighted rows with sigma = 1.

    Attributes
    ----------
    fit : Fit
    root : ndarray, (p, p)
        K with ``Var(beta) = sigma^2 K K'``.
    x : ndarray, (n, p)
        Rows of ``V^-1 X K``.
    e : ndarray, (n,)
        Rows of ``P y``: the conditional residuals.
    rows : dict
        As the kernel takes them.
    """

    fit: Fit
    root: Array
    x: Array
    e: Array
    rows: dict[str, Any]

    @classmethod
    def of(cls, fit: Fit) -> SmallSolves:
        """At the fitted theta."""
        marginal, system = Marginal.of(fit), fit.criterion.system
        rows = fit.kernel_rows()
        x = (rows["x"] - rows["x_origin"]) @ np.linalg.inv(np.triu(fit.solution.factor.rx[:-1, :-1]))
        factors = system.internal_factors(fit.solution.factors)
        for f, (F, zvx) in enumerate(zip(factors, marginal.zvx, strict=True)):
            levels = system.covariance(f, F @ (F.T @ zvx))
            z = rows["z"][f] - rows["z_origin"][f]
            x = x - np.einsum("nk,nkp->np", z, levels[rows["codes"][f]])
        if rows["w"] is not None:
            x *= np.sqrt(rows["w"])[:, None]
        return cls(fit, marginal.root, x, residuals(fit, kind="standardized"), rows)

    def is_cheaper(self, rows: Index) -> bool:
        """Than a factorisation without these rows?"""
        system, a = self.fit.criterion.system, len(rows)
        layout = system.A.layout
        q = sum(levels * k for levels, k in zip(layout.levels, layout.k, strict=True))
        solve = 2 * a * (system.symbolic.panel_size + 4 * q)
        return bool(SHARE * (solve + a**3) < system.flops)

    def without(self, rows: Index) -> tuple[Array, Array] | None:
        """beta and its covariance without some rows; None where the others hardly tell all of beta.

        ``beta - beta_(a) = C X'V^-1[,a] P_aa^-1 (Py)_a``, and
            ``C_(a) = C + C X'V^-1[,a] P_aa^-1 V^-1[a,]X C``.
        """
        x, fit = self.x[rows], self.fit
        P = self._within(rows) - x @ x.T
        try:
            L = np.linalg.cholesky(P)
        except np.linalg.LinAlgError:
            return None
        if np.diagonal(L).min() ** 2 < SMALLEST:
            return None
        t = np.linalg.solve(L, np.column_stack([x, self.e[rows]]))
        t, s = t[:, :-1], t[:, -1]
        beta = fit.solution.beta - fit.sigma * self.root @ (t.T @ s)
        left = self.root + self.root @ (t.T @ t)
        return beta, fit.scale * left @ self.root.T

    def _within(self, rows: Index) -> Array:
        """``(V^-1)_aa = I - S_a M^-1 S_a'``, from the half solve ``L^-1 S_a'``."""
        factor, layout, a = self.fit.solution.factor, self.fit.A.layout, len(rows)
        root = None if self.rows["w"] is None else np.sqrt(self.rows["w"][rows])
        columns = []
        for f, (levels, k) in enumerate(zip(layout.levels, layout.k, strict=True)):
            z = self.rows["z"][f][rows] - self.rows["z_origin"][f]
            v = np.zeros((levels, k, a))
            v[self.rows["codes"][f][rows], :, np.arange(a)] = z if root is None else root[:, None] * z
            columns.append(v)
        with kernel.one_thread():
            lead, rest = factor.half_solve(columns)
        lead, rest = np.asarray(lead), np.asarray(rest)
        return np.eye(a) - lead.T @ lead - rest @ rest.T
