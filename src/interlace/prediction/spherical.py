"""The rows of a model in terms of its spherical random effects, as sparse matrices."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array, Index
from interlace.estimation.fit import Fit
from interlace.estimation.priors import precision_matrix
from interlace.frozen import dataclass


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
    groups : tuple of str
        The grouping factor of each term.
    linked : frozenset of str
        Those whose levels have a known covariance.
    codes : tuple of ndarray, (n,)
        Per term the level of each row.
    values : tuple of ndarray, (n, k)
        Per term the entries of each row of S.
    """

    S: Any
    Q: Any
    begins: tuple[int, ...]
    plain: bool
    groups: tuple[str, ...]
    linked: frozenset[str]
    codes: tuple[Index, ...]
    values: tuple[Array, ...]

    @classmethod
    def of(cls, fit: Fit) -> Spherical:
        """At the fitted theta."""
        import scipy.sparse as sp  # not in every model

        design, n = fit.design, fit.design.nrows
        root = np.ones(n) if design.weights is None else np.sqrt(design.weights)
        parts, priors, begins, entries = [], [], [0], []
        for block, rows, T in zip(fit.encoding.random, design.random, fit.solution.factors, strict=True):
            k, levels = len(T), len(block.levels)
            values = root[:, None] * (rows.z @ T)
            columns = rows.codes.astype(np.int64)[:, None] * k + np.arange(k)
            ptr = np.arange(n + 1, dtype=np.int64) * k
            parts.append(sp.csr_array((values.ravel(), columns.ravel(), ptr), shape=(n, levels * k)))
            K = sp.eye_array(levels) if block.known is None else precision_matrix(block.known)
            priors.append(sp.kron(K, sp.eye_array(k), format="csr"))
            begins.append(begins[-1] + levels * k)
            entries.append(values)
        blocks = fit.encoding.random
        linked = frozenset(block.group for block in blocks if block.known is not None)
        return cls(
            sp.hstack(parts, format="csr"),
            sp.block_diag(priors, format="csr"),
            tuple(begins),
            not linked,
            tuple(block.group for block in blocks),
            linked,
            tuple(rows.codes for rows in design.random),
            tuple(entries),
        )

    def taken(self, rows: Index) -> Spherical:
        """The same for these rows, in this order."""
        return replace(
            self,
            S=self.S[rows],
            codes=tuple(codes[rows] for codes in self.codes),
            values=tuple(values[rows] for values in self.values),
        )

    def columns_of(self, group: str) -> NDArray[np.bool_]:
        """Which columns of S are effects of a grouping factor, (q,) of bool."""
        out = np.zeros(self.begins[-1], dtype=np.bool_)
        for name, (begin, end) in zip(self.groups, pairwise(self.begins), strict=True):
            if name == group:
                out[begin:end] = True
        return out

    def within(self, group: str, rows: Index) -> tuple[Index, Array]:
        """The level of a grouping factor in each of these rows, and their entries of its columns of S."""
        terms = [i for i, name in enumerate(self.groups) if name == group]
        return self.codes[terms[0]][rows], np.hstack([self.values[i][rows] for i in terms])

    def components(self) -> tuple[Index, Index]:
        """The number of the component of each row and of each column: rows of different ones share no random
        effects. -1 for columns that no row has; (n,) and (q,).
        """
        import scipy.sparse as sp
        from scipy.sparse.csgraph import connected_components

        n, q = self.S.shape
        S, Q = self.S.tocoo(), self.Q.tocoo()
        ends = np.concatenate([S.row, n + Q.row]), n + np.concatenate([S.col, Q.col])
        links = sp.csr_array((np.ones(len(ends[0])), ends), shape=(n + q, n + q))
        found = connected_components(links, directed=False)[1]
        labels, of_rows = np.unique(found[:n], return_inverse=True)
        place = np.minimum(np.searchsorted(labels, found[n:]), len(labels) - 1)
        return of_rows, np.where(labels[place] == found[n:], place, -1)
