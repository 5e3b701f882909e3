"""Covariances of random effects as regressions of the effects on each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array, Index
from interlace.estimation.covariance import Unstructured
from interlace.estimation.parameters import Parameters
from interlace.frozen import dataclass

# A logarithm of a variance is not moved further.
FARTHEST = 10.0


@dataclass(frozen=True, slots=True)
class _Block:
    """``A S A' = L D L'`` for the covariance S of a block.

    Attributes
    ----------
    own : slice
        Its entries of psi.
    rows, cols : ndarray of int
        Their places in S.
    out : ndarray, (k, k)
        A, from effects in the basis of the parameters to those of the formula, in another order.
    back : ndarray, (k, k)
        Its inverse.
    """

    own: slice
    rows: Index
    cols: Index
    out: Array
    back: Array

    def whole(self, psi: Array) -> Array:
        """``A S A'``."""
        S = np.zeros_like(self.out)
        S[self.rows, self.cols] = S[self.cols, self.rows] = psi[self.own]
        return np.asarray(self.out @ S @ self.out.T)

    def entries(self, M: Array) -> Array:
        """Of S, for ``A S A'``, (..., k, k)."""
        return np.asarray((self.back @ M @ self.back.T)[..., self.rows, self.cols])


class RegressionChart:
    """Logarithms of D and entries of L, ``L D L'`` the covariance of some blocks; psi for all others.

    A random effect whose column the fixed part lacks has a mean that no coefficient takes up. What the
    others, given it, have of it is then nearly what the coefficients of their columns say: the criterion
    hardly tells the one from the other. Along that valley the entries of L change, and the covariances in
    proportion to their squares.

    Parameters
    ----------
    parameters : Parameters
    lacking : sequence of ndarray of bool, (k,)
        Per block, the columns that the fixed part lacks: their effects come first.
    """

    def __init__(self, parameters: Parameters, lacking: Sequence[NDArray[np.bool_]]) -> None:
        self._blocks, at = list[_Block](), 1
        for i, (s, first) in enumerate(zip(parameters.structures, lacking, strict=True)):
            own = slice(at, at + s.n_par)
            at = own.stop
            if s.k < 2 or not first.any() or not isinstance(s, Unstructured) or s.fixed:
                continue
            order = np.argsort(~first, kind="stable")
            shift, basis = parameters.shift[i], parameters.basis[i]
            out = ((2.0 * np.eye(s.k) - shift) @ basis)[order]
            rows, cols = np.array(s.entries, dtype=np.intp).T
            self._blocks.append(_Block(own, rows, cols, out, np.linalg.inv(out)))

    @property
    def differs(self) -> bool:
        """Is it another chart than psi?"""
        return bool(self._blocks)

    def at(self, psi: Array) -> Array:
        """The coordinates q of these variances and covariances."""
        out = psi.copy()
        for block in self._blocks:
            L, D = _regressions(block.whole(psi))
            out[block.own] = np.append(np.log(D), L[np.tril_indices(len(D), -1)])
        return out

    def slope(self, psi: Array) -> Array:
        """``d psi / dq`` at these variances and covariances."""
        out = np.eye(len(psi))
        for block in self._blocks:
            L, D = _regressions(block.whole(psi))
            out[block.own, block.own] = block.entries(_first(L, D)).T
        return out

    def bend(self, psi: Array, weights: Array) -> Array:
        """Second derivatives in q of the sum of psi times weights."""
        out = np.zeros((len(psi), len(psi)))
        for block in self._blocks:
            W = np.zeros_like(block.out)
            W[block.rows, block.cols] = weights[block.own]
            L, D = _regressions(block.whole(psi))
            out[block.own, block.own] = _second(L, D, block.back.T @ W @ block.back)
        return out

    def moved(self, psi: Array, step: Array) -> Array:
        """psi after a step in q."""
        out = psi + step
        for block in self._blocks:
            L, D = _regressions(block.whole(psi))
            k, change = len(D), step[block.own]
            L[np.tril_indices(k, -1)] += change[k:]
            D = D * np.exp(np.clip(change[:k], -FARTHEST, FARTHEST))
            out[block.own] = block.entries((L * D) @ L.T)
        return out


def _regressions(S: Array) -> tuple[Array, Array]:
    """L and the diagonal of D, ``S = L D L'``."""
    T = np.linalg.cholesky(S)
    size = np.diagonal(T)
    return T / size, size**2


def _first(L: Array, D: Array) -> Array:
    """Derivatives of ``L D L'`` in log D and the entries of L below the diagonal, k^2 of (k, k) at most."""
    k = len(D)
    logs = [np.outer(L[:, j], L[:, j]) * D[j] for j in range(k)]
    below = []
    for i, j in zip(*np.tril_indices(k, -1), strict=True):
        M = np.zeros((k, k))
        M[i] = D[j] * L[:, j]
        below.append(M + M.T)
    return np.array(logs + below)


def _second(L: Array, D: Array, W: Array) -> Array:
    """``<W, d^2 (L D L')>`` in these coordinates."""
    k = len(D)
    V = W + W.T
    rows, cols = np.tril_indices(k, -1)
    along = (V @ L) * D  # <W, dM> of each entry of L
    out = np.zeros((k + len(rows), k + len(rows)))
    out[:k, :k] = np.diag(np.einsum("ij,ij->j", L, along) / 2)
    cross = np.where(cols == np.arange(k)[:, None], along[rows, cols], 0.0)
    out[:k, k:], out[k:, :k] = cross, cross.T
    out[k:, k:] = np.where(cols[:, None] == cols, V[np.ix_(rows, rows)] * D[cols], 0.0)
    return out
