"""Deletions at a theta from the factor of all rows: a system of the size of what leaves."""

from __future__ import annotations

from typing import Any

import numpy as np

from interlace import kernel
from interlace.arrays import Array, Index
from interlace.design.design import Design
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.precision.marginal import from_origin
from interlace.prediction.predict import fixed_and_random
from interlace.prediction.selection import select

# Of a pivot of P_aa (at most 1): below it the other rows hardly tell some coefficient, or do not.
SMALLEST = 1e-6
# What a flop of a small solve costs beside one of a factorisation.
SHARE = 1.2


@dataclass(frozen=True, slots=True)
class SmallSolves:
    """What some rows have to do with beta, where ``V = I + S S'`` is of weighted rows with sigma = 1 and
    ``S = W^(1/2) Z Lambda``.

    Attributes
    ----------
    fit : Fit
        Its solution has the theta that is meant.
    root : ndarray, (p, p)
        K with ``Var(beta) = sigma^2 K K'``.
    x : ndarray, (n, p)
        Rows of ``V^-1 X K``.
    e : ndarray, (n,)
        Rows of ``P y``: the conditional residuals, weighted.
    rows : dict
        All that may leave, as the kernel takes them.
    """

    fit: Fit
    root: Array
    x: Array
    e: Array
    rows: dict[str, Any]

    @classmethod
    def of(cls, fit: Fit, design: Design) -> SmallSolves:
        """Of the rows of a design with the columns of X of the model."""
        system, rows, cholesky = fit.criterion.system, fit.A.rows(design), fit.solution.factor
        white = np.linalg.inv(np.triu(cholesky.rx[:-1, :-1]))
        x = (rows["x"] - rows["x_origin"]) @ white
        factors = system.internal_factors(fit.solution.factors)
        with kernel.one_thread():
            u = cholesky.solve_xy()
        for f, (F, v) in enumerate(zip(factors, u, strict=True)):
            z = rows["z"][f] - rows["z_origin"][f]
            x = x - np.einsum("nk,nkp->np", z, (F @ np.asarray(v)[rows["codes"][f]][..., :-1]) @ white)
        assert design.y is not None
        e = design.y - fixed_and_random(fit.solution, design, select(fit.encoding, "all"))
        if rows["w"] is not None:
            root = np.sqrt(rows["w"])
            x, e = x * root[:, None], e * root
        return cls(fit, from_origin(fit, white), x, e, rows)

    def is_cheaper(self, rows: Index) -> bool:
        """Than a factorisation without these rows?"""
        system, a = self.fit.criterion.system, len(rows)
        layout = system.A.layout
        q = sum(levels * k for levels, k in zip(layout.levels, layout.k, strict=True))
        solve = 2 * a * (system.symbolic.panel_size + 4 * q)
        return bool(SHARE * (solve + a**3) < system.flops)

    def without(self, rows: Index) -> tuple[Array, Array, float] | None:
        """beta, its covariance over sigma^2, and pwrss without some rows; None where the others hardly tell
        all of beta.

        ``beta - beta_(a) = C X'V^-1[,a] P_aa^-1 (Py)_a``,
            ``C_(a) = C + C X'V^-1[,a] P_aa^-1 V^-1[a,]X C`` and
            ``y'P_(a)y = y'Py - (Py)_a' P_aa^-1 (Py)_a``.
        """
        x, fit = self.x[rows], self.fit
        L = lower(self._within(rows) - x @ x.T)
        if L is None:
            return None
        t = np.linalg.solve(L, np.column_stack([x, self.e[rows]]))
        t, s = t[:, :-1], t[:, -1]
        beta = fit.solution.beta - self.root @ (t.T @ s)
        left = self.root + self.root @ (t.T @ t)
        return beta, left @ self.root.T, fit.solution.pwrss - float(s @ s)

    def _within(self, rows: Index) -> Array:
        """``(V^-1)_aa = I - S_a M^-1 S_a'``, from the half solve ``L^-1 S_a'``."""
        with kernel.one_thread():
            lead, rest = self.fit.solution.factor.half_solve(self.columns(rows))
        lead, rest = np.asarray(lead), np.asarray(rest)
        return np.asarray(np.eye(len(rows)) - lead.T @ lead - rest @ rest.T)

    def columns(self, rows: Index) -> list[Array]:
        """``Z'W^(1/2)`` of some rows, (levels, k, rows) per grouping factor of the kernel."""
        layout, a = self.fit.A.layout, len(rows)
        root = None if self.rows["w"] is None else np.sqrt(self.rows["w"][rows])
        out: list[Array] = []
        for f, (levels, k) in enumerate(zip(layout.levels, layout.k, strict=True)):
            z = self.rows["z"][f][rows] - self.rows["z_origin"][f]
            v = np.zeros((levels, k, a))
            v[self.rows["codes"][f][rows], :, np.arange(a)] = z if root is None else root[:, None] * z
            out.append(v)
        return out


def lower(P: Array) -> Array | None:
    """The Cholesky factor of ``P_aa``; None where the other rows hardly tell all of beta."""
    try:
        L = np.linalg.cholesky(P)
    except np.linalg.LinAlgError:
        return None
    return None if np.diagonal(L).min() ** 2 < SMALLEST else L
