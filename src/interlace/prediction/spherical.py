"""The rows of a model in terms of its spherical random effects, as sparse matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from interlace.arrays import Index
from interlace.estimation.fit import Fit
from interlace.estimation.priors import precision_matrix


@dataclass(frozen=True, slots=True)
class Spherical:
    """``W^(1/2) Z Lambda`` and the inverse of the covariance of u: ``W^(1/2) V W^(1/2) = I + S Q^-1 S'``.

    Attributes
    ----------
    S : sparse, (n, q)
        Terms in the order of `Encoding.random`, levels within terms, effects within levels.
    Q : sparse, (q, q)
        The identity, save where the covariance of levels is known.
    begins : tuple of int
        The first column of each term, and q.
    plain : bool
        Q is the identity.
    """

    S: Any
    Q: Any
    begins: tuple[int, ...]
    plain: bool

    @classmethod
    def of(cls, fit: Fit) -> Spherical:
        """At the fitted theta."""
        import scipy.sparse as sp  # not in every model

        design, n = fit.design, fit.design.nrows
        root = np.ones(n) if design.weights is None else np.sqrt(design.weights)
        parts, priors, begins = [], [], [0]
        for block, rows, T in zip(fit.encoding.random, design.random, fit.solution.factors, strict=True):
            k, levels = len(T), len(block.levels)
            values = root[:, None] * (rows.z @ T)
            columns = rows.codes.astype(np.int64)[:, None] * k + np.arange(k)
            ptr = np.arange(n + 1, dtype=np.int64) * k
            parts.append(sp.csr_array((values.ravel(), columns.ravel(), ptr), shape=(n, levels * k)))
            K = sp.eye_array(levels) if block.known is None else precision_matrix(block.known)
            priors.append(sp.kron(K, sp.eye_array(k), format="csr"))
            begins.append(begins[-1] + levels * k)
        plain = all(block.known is None for block in fit.encoding.random)
        return cls(sp.hstack(parts, format="csr"), sp.block_diag(priors, format="csr"), tuple(begins), plain)

    def taken(self, rows: Index) -> Spherical:
        """The same for these rows, in this order."""
        return Spherical(self.S[rows], self.Q, self.begins, self.plain)

    def components(self) -> Index:
        """Per row, the number of its component: rows of different ones share no random effects, (n,)."""
        import scipy.sparse as sp
        from scipy.sparse.csgraph import connected_components

        n, q = self.S.shape
        S, Q = self.S.tocoo(), self.Q.tocoo()
        ends = np.concatenate([S.row, n + Q.row]), n + np.concatenate([S.col, Q.col])
        links = sp.csr_array((np.ones(len(ends[0])), ends), shape=(n + q, n + q))
        return np.unique(connected_components(links, directed=False)[1][:n], return_inverse=True)[1]
