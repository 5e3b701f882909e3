"""Products ``X'V^-1 V_j V^-1 V_k V^-1X`` of all pairs of covariance parameters, of which only sums are asked.

There are m^2 products, of p x p numbers each. They are kept as they are where they are few; where they are
more than what they are made of, their parts are kept, and nothing is multiplied before it is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array
from interlace.frozen import dataclass


class Products(Protocol):
    """The m x m products Q_jk, (p, p) each."""

    @property
    def trace(self) -> Array:
        """The trace of each, (m, m)."""

    def weighted(self, W: Array) -> Array:
        """``sum over j, k of W_jk Q_jk``, (p, p), for symmetric W, (m, m)."""


class AnyPart(Protocol):
    """Products with ``S = Z'V^-1Z`` of some pieces of Z'Z."""

    @property
    def DE(self) -> Sequence[Array]:
        """``D_j Z'V^-1X`` of each grouping factor, (pieces, its effects, its parameters, p)."""

    def times(self, g: int, f: int, columns: Array) -> Array:
        """``S_gf`` times columns of the effects of f, (pieces, effects of g, ...)."""


def between(part: AnyPart) -> list[tuple[int, int]]:
    """Pairs of grouping factors that have parameters, each once."""
    n = [f for f, one in enumerate(part.DE) if one.shape[2]]
    return [(g, f) for f in n for g in n if g <= f]


@dataclass(frozen=True, slots=True)
class Part:
    """Some pieces of Z'Z, with b for the piece.

    Attributes
    ----------
    S : ndarray, (b, size, size)
        Z'V^-1Z.
    at : sequence of slice
        Where the effects of each grouping factor lie.
    DE : sequence of ndarray, (b, size of the grouping factor, its parameters, p)
        ``D_j Z'V^-1X``.
    """

    S: Array
    at: Sequence[slice]
    DE: Sequence[Array]

    def times(self, g: int, f: int, columns: Array) -> Array:
        """``S_gf`` times columns of the effects of f, (b, size of f, ...)."""
        b, size = columns.shape[:2]
        out = self.S[:, self.at[g], self.at[f]] @ columns.reshape(b, size, math.prod(columns.shape[2:]))
        return out.reshape(b, self.DE[g].shape[1], *columns.shape[2:])


@dataclass(slots=True)
class Multiplied:
    """The products themselves, summed over the parts that are added.

    Attributes
    ----------
    own : list of slice
        The parameters of each grouping factor of the kernel, which are in the order of the kernel here.
    """

    own: list[slice]
    Q: Array

    def add(self, part: AnyPart) -> None:
        for g, f in between(part):
            both = np.tensordot(part.DE[g], part.times(g, f, part.DE[f]), ([0, 1], [0, 1]))
            square = both.transpose(0, 2, 1, 3)
            self.Q[self.own[g], self.own[f]] += square
            if f != g:
                self.Q[self.own[f], self.own[g]] += square.transpose(1, 0, 3, 2)

    @property
    def trace(self) -> Array:
        out: Array = np.trace(self.Q, axis1=2, axis2=3)
        return out

    def weighted(self, W: Array) -> Array:
        m, p = self.Q.shape[1:3]
        out: Array = (W.reshape(m * m) @ self.Q.reshape(m * m, p * p)).reshape(p, p)
        return out


@dataclass(slots=True)
class Kept:
    """The parts that were added, to be multiplied when sums are asked for."""

    own: list[slice]
    m: int
    p: int
    parts: list[AnyPart] = field(default_factory=list)

    def add(self, part: AnyPart) -> None:
        self.parts.append(part)

    @property
    def trace(self) -> Array:
        out = np.zeros((self.m, self.m))
        for part in self.parts:
            for g, f in between(part):
                block = np.tensordot(part.DE[g], part.times(g, f, part.DE[f]), ([0, 1, 3], [0, 1, 3]))
                out[self.own[g], self.own[f]] += block
                if f != g:
                    out[self.own[f], self.own[g]] += block.T
        return out

    def weighted(self, W: Array) -> Array:
        out = np.zeros((self.p, self.p))
        for part in self.parts:
            for g, f in between(part):
                # per parameter of g, the weighted sum over those of f
                mixed = np.einsum("jk,bskp->bsjp", W[self.own[g], self.own[f]], part.DE[f], optimize=True)
                block = np.tensordot(part.DE[g], part.times(g, f, mixed), ([0, 1, 2], [0, 1, 2]))
                out += block if f == g else block + block.T
        return out


def products(counts: Sequence[int], p: int, kept: float) -> Multiplied | Kept:
    """An empty sum, for so many parameters of each grouping factor and `kept` numbers in all of its parts."""
    own = [slice(start, end) for start, end in pairwise(np.cumsum([0, *counts]).tolist())]
    m = sum(counts)
    if kept < float(m * p) ** 2:
        return Kept(own, m, p)
    return Multiplied(own, np.zeros((m, m, p, p)))


@dataclass(frozen=True, slots=True)
class WithResidual:
    """The products with sigma^2 as the last parameter, and R in place of the V^-1 in the middle.

    As ``I = V - sum_j gamma_j V_j``, what has the identity in place of V_j follows from the others.

    Attributes
    ----------
    terms : Products
        Of the m - 1 variances and covariances of the terms, in an order of their own.
    order : ndarray, (m - 1,)
        The place of each parameter in that order.
    P : ndarray, (m, p, p)
        ``-X'V^-1 V_j V^-1X``.
    gamma : ndarray, (m - 1,)
    """

    terms: Products
    order: NDArray[np.intp]
    P: Array
    gamma: Array

    @property
    def whole_trace(self) -> Array:
        """The trace with V^-1 in place of R."""
        m = len(self.P)
        out = np.empty((m, m))
        out[:-1, :-1] = self.terms.trace[np.ix_(self.order, self.order)]
        single = np.trace(self.P, axis1=1, axis2=2)
        out[-1, :-1] = out[:-1, -1] = -single[:-1] - self.gamma @ out[:-1, :-1]
        out[-1, -1] = -single[-1] - self.gamma @ out[:-1, -1]
        return out

    @property
    def trace(self) -> Array:
        return self.whole_trace - trace_of_products(self.P)

    def weighted(self, W: Array) -> Array:
        gamma, last, corner = self.gamma, W[-1, :-1], W[-1, -1]
        # 1) the weights of the terms, and of each P, once the last parameter is written by the others
        mixed = np.outer(gamma, last)
        inner = W[:-1, :-1] - mixed - mixed.T + corner * np.outer(gamma, gamma)
        single = np.append(corner * gamma - 2 * last, -corner)
        back = np.empty_like(self.order)
        back[self.order] = np.arange(len(back))
        # 2) less what the fixed effects take
        taken = np.einsum("jac,jcb->ab", self.P, np.tensordot(W, self.P, 1))
        out: Array = self.terms.weighted(inner[np.ix_(back, back)]) + np.tensordot(single, self.P, 1) - taken
        return out


@dataclass(frozen=True, slots=True)
class Projected:
    """The products from what X leaves of ``V_j X``, (m, p, r), in white rows: ``Q_jk = left_j left_k'``."""

    left: Array

    @property
    def trace(self) -> Array:
        flat = self.left.reshape(len(self.left), -1)
        out: Array = flat @ flat.T
        return out

    def weighted(self, W: Array) -> Array:
        out: Array = np.tensordot(self.left, np.tensordot(W, self.left, 1), ([0, 2], [0, 2]))
        return out


def trace_of_products(P: Array) -> Array:
    """``tr(P_i P_j)``, (m, m)."""
    m = len(P)
    out: Array = P.reshape(m, -1) @ P.transpose(0, 2, 1).reshape(m, -1).T
    return out
