"""Kenward-Roger and Satterthwaite by their published formulas, with every n x n matrix written out.

The covariance of y is ``Sigma = sum gamma_j V_j``: variances and covariances of each term, column by column
of the lower triangle, and last the residual variance with ``V = W^-1``. None of this is the library's
algebra.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from dense_oracle import dense_z
from interlace.estimation.fit import Fit
from interlace.precision.kenward_roger import KenwardRogerDdf

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class DenseInference:
    """Moments of the model in the units of the data; parameters in the order of the terms of the formula."""

    X: Array
    y: Array
    V: list[Array]
    Sigma: Array

    @classmethod
    def of(cls, fit: Fit) -> DenseInference:
        """At the fitted parameters."""
        design, n = fit.design, len(fit.design.X)
        assert design.y is not None
        w = np.ones(n) if design.weights is None else design.weights
        V, gamma = [], []
        for i, (block, T) in enumerate(zip(fit.encoding.random, fit.solution.factors, strict=True)):
            levels = len(block.levels)
            Z, G = dense_z(design, i, levels), fit.sigma**2 * T @ T.T
            for col in range(len(T)):
                for row in range(col, len(T)):
                    E = np.zeros(T.shape)
                    E[row, col] = E[col, row] = 1.0
                    V.append(Z @ np.kron(np.eye(levels), E) @ Z.T)
                    gamma.append(G[row, col])
        V.append(np.diag(1 / w))
        gamma.append(fit.sigma**2)
        Sigma = sum(g * v for g, v in zip(gamma, V, strict=True))
        y = design.y - (0.0 if design.offset is None else design.offset)
        return cls(design.X[:, list(fit.kept)], y, V, np.asarray(Sigma))

    @property
    def inverse(self) -> Array:
        return np.linalg.inv(self.Sigma)

    @property
    def Phi(self) -> Array:
        return np.linalg.inv(self.X.T @ self.inverse @ self.X)

    @property
    def projection(self) -> Array:
        """``Sigma^-1 - Sigma^-1 X Phi X' Sigma^-1``."""
        SX = self.inverse @ self.X
        return self.inverse - SX @ self.Phi @ SX.T

    def P(self) -> list[Array]:
        S = self.inverse
        return [-self.X.T @ S @ V @ S @ self.X for V in self.V]

    def twice_information(self, kind: str, *, reml: bool = True) -> Array:
        """Twice the information of (restricted) log-likelihood about gamma."""
        M = self.projection if reml else self.inverse
        R, m = self.projection, len(self.V)
        MV, VRy = [M @ V for V in self.V], [V @ R @ self.y for V in self.V]
        expected = np.array([[np.sum(MV[i] * MV[j].T) for j in range(m)] for i in range(m)])
        if kind == "expected":
            return expected
        return 2 * np.array([[VRy[i] @ R @ VRy[j] for j in range(m)] for i in range(m)]) - expected

    def W(self, kind: str, *, reml: bool = True) -> Array:
        """Covariance matrix of gamma."""
        return 2 * np.linalg.inv(self.twice_information(kind, reml=reml))

    def adjusted_vcov(self, kind: str) -> Array:
        """Kenward and Roger (1997), equation 5 with second derivatives zero: Phi + 2 Lambda."""
        S, W, P, Phi = self.inverse, self.W(kind), self.P(), self.Phi
        U = np.zeros_like(Phi)
        for i, Vi in enumerate(self.V):
            for j, Vj in enumerate(self.V):
                Q = self.X.T @ S @ Vi @ S @ Vj @ S @ self.X
                U += W[i, j] * (Q - P[i] @ Phi @ P[j])
        return Phi + 2 * Phi @ U @ Phi

    def kenward_roger(self, L: Array, beta: Array, kind: str) -> tuple[float, float]:
        """Scaled F and its denominator df."""
        Phi, P, W, q = self.Phi, self.P(), self.W(kind), len(L)
        Theta = L.T @ np.linalg.inv(L @ Phi @ L.T) @ L
        A1 = A2 = 0.0
        for i in range(len(P)):
            for j in range(len(P)):
                a, b = Theta @ Phi @ P[i] @ Phi, Theta @ Phi @ P[j] @ Phi
                A1 += W[i, j] * np.trace(a) * np.trace(b)
                A2 += W[i, j] * np.trace(a @ b)
        B = (A1 + 6 * A2) / (2 * q)
        g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
        c1, c2, c3 = (c / (3 * q + 2 * (1 - g)) for c in (g, q - g, q + 2 - g))
        mean = 1 / (1 - A2 / q)
        variance = 2 / q * (1 + c1 * B) / ((1 - c2 * B) ** 2 * (1 - c3 * B))
        rho = variance / (2 * mean**2)
        m = 4 + (q + 2) / (q * rho - 1)
        wald = (L @ beta) @ np.linalg.solve(L @ self.adjusted_vcov(kind) @ L.T, L @ beta) / q
        return m / (mean * (m - 2)) * wald, m

    def satterthwaite(self, row: Array, *, reml: bool) -> float:
        """Df of one contrast: gamma are as good parameters as theta and sigma at an interior optimum."""
        Phi, W = self.Phi, self.W("observed", reml=reml)
        gradient = np.array([-row @ Phi @ P @ Phi @ row for P in self.P()])
        return float(2 * (row @ Phi @ row) ** 2 / (gradient @ W @ gradient))


def covariance_of_variances(fit: Fit, bound: KenwardRogerDdf) -> Array:
    """W of the variances and covariances as they are reported, terms in the order of theta, sigma^2 last."""
    A, blocks = fit.criterion.system.A, []
    for i in A.layout.theta_order:
        C = np.linalg.solve(A.origin.shift(fit.encoding, i), fit.criterion.parameters.natural[i])
        k, columns = len(C), []
        entries = [(row, col) for col in range(k) for row in range(col, k)]
        for row, col in entries:
            E = np.zeros((k, k))
            E[row, col] = E[col, row] = 1.0
            D = C @ E @ C.T
            columns.append([D[place] for place in entries])
        blocks.append(np.array(columns).T)
    J = block_diag(*blocks, np.ones((1, 1)))
    return np.asarray(fit.sigma**4 * J @ bound.W @ J.T)
