"""Inner products of the derivatives of the covariance of y, before and after the projection on X.

The covariance of the weighted rows is ``sigma^2 I + sum_j gamma_j V_j``, where ``V_j = Z D_j Z'`` for a
variance or covariance of a random term. What the data can tell of the gamma is the rank of the map from them
to ``P (...) P``, where P projects off the columns of X: the rank of the matrix of ``tr(P V_j P V_k)``.
All of it is computed from cross-products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.estimation.capacity import check_room
from interlace.estimation.covariance import Covariance, Unstructured
from interlace.estimation.crossproducts import CrossProducts
from interlace.frozen import dataclass

Array = NDArray[np.floating]
Index = NDArray[np.integer]

_COPIES = 6  # of the largest tensor that are there at a time
CHUNK = 2**21  # numbers of the pairs of levels worked on at a time


@dataclass(frozen=True)
class Gram:
    """The derivatives V_j in the coordinates of these bases, one (k, r) per covariance block.

    The parameters are those along the `tangents` of the structures, block after block; sigma^2 is last where
    it is counted.
    """

    A: CrossProducts
    bases: tuple[Array, ...]
    structures: tuple[Covariance, ...]

    def within(self, bases: tuple[Array, ...]) -> Gram:
        """The same of covariances without a structure in r directions of each block, one (k, r) each."""
        return replace(self, bases=bases, structures=tuple(Unstructured(B.shape[1]) for B in bases))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The number r of random effects per block."""
        return tuple(B.shape[1] for B in self.bases)

    @cached_property
    def block(self) -> NDArray[np.intp]:
        """That of each parameter."""
        return np.repeat(np.arange(len(self.structures)), [s.n_par for s in self.structures])

    def plain(self) -> tuple[Array, Array]:
        """``tr(V_j V_k)`` over units of the parameters, (m, m), and the units.

        See `Covariance.units`.
        """
        products = self._assembled(self._plain_tensors)
        units = self._units(np.diagonal(products))
        return products * np.outer(units, units), units

    def projected(self, units: Array) -> Array:
        """``tr(P V_j P V_k)`` over units, (m + 1, m + 1); the last is sigma^2, with unit ``1 / sqrt(n)``."""
        m = len(units)
        out = np.empty((m + 1, m + 1))
        out[:m, :m] = self._assembled(self._projected_tensors)
        left = self._by_block(self._left)
        trace = [s.folded(M.reshape(-1, 1))[:, 0] for s, M in zip(self.structures, left, strict=True)]
        out[m, :m] = out[:m, m] = np.concatenate(trace)
        out[m, m] = self.A.n - self.A.products.p
        every = np.append(units, 1 / np.sqrt(self.A.n))
        return out * np.outer(every, every)

    def left(self) -> list[Array]:
        """Per block ``sum over levels of Z'PZ`` over the number of levels, (r, r)."""
        levels = [self.A.layout.levels[place.group] for place in self.A.layout.places]
        return [found / n for found, n in zip(self._by_block(self._left), levels, strict=True)]

    @cached_property
    def largest(self) -> float:
        """The largest squared norm of a V_j over the square of its Frobenius norm, a bound."""
        out = []
        for f, M in enumerate(self._own):
            norms = np.linalg.norm(M, ord=2, axis=(1, 2)) if M.shape[1] > 1 else M[:, 0, 0]
            per_block = [np.sum(M[:, at, at] ** 2, axis=0) for at in self._offsets[f]]
            out += [float(norms.max() ** 2 / total.diagonal().min()) for total in per_block if total.size]
        return max(out, default=0.0)

    # ---- pieces ---

    @cached_property
    def _offsets(self) -> list[list[slice]]:
        """Per grouping factor of the kernel, the directions of its blocks."""
        out: list[list[slice]] = []
        for blocks in self.A.layout.blocks:
            ends = list(accumulate((self.sizes[i] for i in blocks), initial=0))
            out.append([slice(start, end) for start, end in pairwise(ends)])
        return out

    @cached_property
    def _bases(self) -> list[Array]:
        """Per grouping factor of the kernel, the bases of its blocks as one matrix."""
        out: list[Array] = []
        for f, blocks in enumerate(self.A.layout.blocks):
            B = np.zeros((self.A.layout.k[f], sum(self.sizes[i] for i in blocks)))
            for i, at in zip(blocks, self._offsets[f], strict=True):
                B[self.A.layout.places[i].columns, at] = self.bases[i]
            out.append(B)
        return out

    @cached_property
    def _own(self) -> list[Array]:
        """Z'Z within levels, (levels, r, r)."""
        return [B.T @ np.asarray(self.A.products.zz_diagonal(f)) @ B for f, B in enumerate(self._bases)]

    @cached_property
    def _pairs(self) -> dict[tuple[int, int], tuple[Index, Index, Array]]:
        """Z'Z between levels of two factors that meet: level, level, (pairs, r, r)."""
        out: dict[tuple[int, int], tuple[Index, Index, Array]] = {}
        for f in range(len(self._bases)):
            for g in range(f + 1, len(self._bases)):
                ptr, col, value = self.A.products.zz_pair(f, g)
                row = np.repeat(np.arange(len(ptr) - 1), np.diff(ptr))
                out[f, g] = row, np.asarray(col), self._bases[f].T @ np.asarray(value) @ self._bases[g]
        return out

    @cached_property
    def _fixed(self) -> list[Array]:
        """``Z'X (X'X)^-1/2``, (levels, r, p)."""
        found = kernel.white_zx(self.A.products)
        if found is None:
            white = _white(self.A.products.xx)
            found = [np.asarray(self.A.products.zx(f)) @ white for f in range(len(self._bases))]
        return [B.T @ zx for zx, B in zip(found, self._bases, strict=True)]

    @cached_property
    def _left(self) -> list[Array]:
        return [
            M.sum(axis=0) - np.einsum("lrp,lsp->rs", E, E)
            for M, E in zip(self._own, self._fixed, strict=True)
        ]

    @cached_property
    def _outer(self) -> list[Array]:
        """``sum over levels of e_r e_s'`` for the rows e of `_fixed`, (r r, p p)."""
        out: list[Array] = []
        for E in self._fixed:
            levels, r, p = E.shape
            rows = E.reshape(levels, r * p)
            out.append((rows.T @ rows).reshape(r, p, r, p).transpose(0, 2, 1, 3).reshape(r * r, p * p))
        return out

    # ---- sums over pairs of levels, (r r', r r') ---

    def _check_room(self) -> None:
        r = max(B.shape[1] for B in self._bases)
        needed = 8.0 * _COPIES * r**4
        what = (
            f"to see what the data tell of the {r} random effects of one level takes {{}} of memory; use "
            "fewer columns in the random terms"
        )
        check_room(needed, what)

    @cached_property
    def _plain_tensors(self) -> dict[tuple[int, int], Array]:
        self._check_room()
        out = {(f, f): _square(M) for f, M in enumerate(self._own)}
        return out | {key: _square(value) for key, (_, _, value) in self._pairs.items()}

    @cached_property
    def _projected_tensors(self) -> dict[tuple[int, int], Array]:
        out: dict[tuple[int, int], Array] = {}
        for (f, g), plain in self._plain_tensors.items():
            if f == g:
                every = np.arange(len(self._own[f]))
                cross = self._cross(f, g, every, every, self._own[f])
            else:
                cross = self._cross(f, g, *self._pairs[f, g])
            r, t = self._bases[f].shape[1], self._bases[g].shape[1]
            both = (self._outer[f] @ self._outer[g].T).reshape(r, r, t, t)
            out[f, g] = plain - cross - cross.T + both.transpose(0, 2, 1, 3).reshape(r * t, r * t)
        return out

    def _cross(self, f: int, g: int, row: Index, col: Index, value: Array) -> Array:
        """``sum over pairs of M_rt (e_s'e_u)``."""
        n, r, t = value.shape
        out = np.zeros((r * t, r * t))
        step = max(1, CHUNK // max(1, self.A.products.p * max(r, t)))
        for start in range(0, n, step):
            part = slice(start, start + step)
            E, F = self._fixed[f][row[part]], self._fixed[g][col[part]]
            away = E @ F.transpose(0, 2, 1)
            out += _flat(value[part]).T @ _flat(away)
        return out

    # ---- from sums to parameters ---

    def _assembled(self, tensors: dict[tuple[int, int], Array]) -> Array:
        """``sum of D_j[s, r] S[r, t, s, u] D_k[t, u]`` for all parameters."""
        blocks = self.A.layout.blocks
        start = np.cumsum([0, *(s.n_par for s in self.structures)])
        out = np.zeros((start[-1], start[-1]))
        for (f, g), tensor in tensors.items():
            r, t = self._bases[f].shape[1], self._bases[g].shape[1]
            S = tensor.reshape(r, t, r, t)
            for i, a in zip(blocks[f], self._offsets[f], strict=True):
                for j, b in zip(blocks[g], self._offsets[g], strict=True):
                    part = S[a, b, a, b].transpose(0, 2, 1, 3)
                    rows, cols = slice(start[i], start[i + 1]), slice(start[j], start[j + 1])
                    folded = self.structures[i].folded(part.reshape(self.sizes[i] ** 2, self.sizes[j] ** 2))
                    out[rows, cols] = self.structures[j].folded(folded.T).T
                    out[cols, rows] = out[rows, cols].T
        return out

    def _by_block(self, of_factor: Sequence[Array]) -> list[Array]:
        out: dict[int, Array] = {}
        for f, blocks in enumerate(self.A.layout.blocks):
            for i, at in zip(blocks, self._offsets[f], strict=True):
                out[i] = of_factor[f][at, at]
        return [out[i] for i in range(len(out))]

    def _units(self, squares: Array) -> Array:
        own = [s.units(squares[self.block == i]) for i, s in enumerate(self.structures)]
        return np.concatenate([np.zeros(0), *own])


def _square(entries: Array) -> Array:
    rows = _flat(entries)
    return rows.T @ rows


def _flat(entries: Array) -> Array:
    n, r, t = entries.shape
    return entries.reshape(n, r * t)


def _white(xx: Array) -> Array:
    """W with ``W W'`` the inverse of X'X, or of the nearest matrix that has one in double precision."""
    length = np.sqrt(np.diagonal(xx))
    values, vectors = np.linalg.eigh(xx / np.outer(length, length))
    return np.asarray(vectors / np.sqrt(np.maximum(values, 1e-15)) / length[:, None])
