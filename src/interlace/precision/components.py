"""Z'Z in its connected pieces: the blocks in which Z'V^-1Z is dense, whatever the grouping factors are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array
from interlace.estimation.crossproducts import CrossProducts
from interlace.frozen import dataclass

Index = NDArray[np.integer]

CHUNK = 2**22  # numbers of Z'Z worked on at a time, where there are many pieces


@dataclass(frozen=True, slots=True)
class Pieces:
    """Connected pieces of equal shape.

    Attributes
    ----------
    levels : tuple of ndarray, (pieces, levels in a piece)
        Per grouping factor of the kernel, the levels of each piece.
    """

    levels: tuple[Index, ...]

    def __len__(self) -> int:
        return len(self.levels[0])

    def slices(self, k: tuple[int, ...]) -> list[slice]:
        """Where the effects of each grouping factor lie within a piece."""
        ends = np.cumsum([0, *(levels.shape[1] * size for levels, size in zip(self.levels, k, strict=True))])
        return [slice(start, end) for start, end in pairwise(ends)]

    def size(self, k: tuple[int, ...]) -> int:
        """Number of random effects in a piece."""
        return sum(levels.shape[1] * size for levels, size in zip(self.levels, k, strict=True))


def pieces(A: CrossProducts) -> list[Pieces]:
    """All levels, in batches of pieces of the same shape."""
    levels = A.layout.levels
    if len(levels) == 1:
        return [Pieces((np.arange(levels[0])[:, None],))]
    label = _components(A)
    count = np.array([np.bincount(found, minlength=label.n) for found in label.of_factor]).T
    order = [np.argsort(found, kind="stable") for found in label.of_factor]
    first = np.cumsum(np.vstack([np.zeros((1, len(levels)), dtype=np.int64), count]), axis=0)
    shapes, shape_of = np.unique(count, axis=0, return_inverse=True)
    shape_of = shape_of.reshape(-1)
    out = []
    for s, shape in enumerate(shapes):
        members = np.flatnonzero(shape_of == s)
        out.append(
            Pieces(
                tuple(order[f][first[members, f][:, None] + np.arange(size)] for f, size in enumerate(shape))
            )
        )
    return out


def chunks(batch: Pieces, size: int) -> Iterator[Pieces]:
    """The batch cut so that `size` numbers per piece stay within `CHUNK`, one piece at least."""
    step = max(1, CHUNK // max(1, size))
    for start in range(0, len(batch), step):
        yield Pieces(tuple(levels[start : start + step] for levels in batch.levels))


class Gram:
    """Dense ``B'Z'ZB`` of pieces, for a basis B of the columns of each grouping factor of the kernel."""

    def __init__(self, A: CrossProducts, bases: Sequence[Array]) -> None:
        n = len(A.layout.levels)
        self._k = A.layout.k
        self._diagonal = [B.T @ np.asarray(A.products.zz_diagonal(f)) @ B for f, B in enumerate(bases)]
        self._pairs = {}
        for f in range(n):
            for g in range(f + 1, n):
                ptr, col, value = A.products.zz_pair(f, g)
                self._pairs[f, g] = ptr, col, bases[f].T @ np.asarray(value) @ bases[g]
        self._n_levels = A.layout.levels

    def of(self, batch: Pieces) -> Array:
        """(pieces, size, size)."""
        k, at = self._k, batch.slices(self._k)
        out = np.zeros((len(batch), batch.size(k), batch.size(k)))
        for f, levels in enumerate(batch.levels):
            b, m = levels.shape
            block = np.zeros((b, m, k[f], m, k[f]))
            block[:, np.arange(m), :, np.arange(m), :] = self._diagonal[f][levels].transpose(1, 0, 2, 3)
            out[:, at[f], at[f]] = block.reshape(b, m * k[f], m * k[f])
        for (f, g), pair in self._pairs.items():
            between = self._between(pair, batch.levels[f], batch.levels[g], self._n_levels[g])
            out[:, at[f], at[g]] = between
            out[:, at[g], at[f]] = between.transpose(0, 2, 1)
        return out

    @staticmethod
    def _between(pair: tuple[Index, Index, Array], rows: Index, cols: Index, n_cols: int) -> Array:
        ptr, col, value = pair
        (b, m), width, (_, k, kk) = rows.shape, cols.shape[1], value.shape
        out = np.zeros((b, m, width, k, kk))
        if not out.size:
            return out.reshape(b, m * k, width * kk)
        # 1) the entries of these rows
        start, count = ptr[rows.ravel()], np.diff(ptr)[rows.ravel()]
        entry = np.repeat(start - np.cumsum(count) + count, count) + np.arange(count.sum())
        row = np.repeat(np.arange(b * m), count)
        # 2) the place of each column within its piece: all columns of a row are of the row's piece
        place = np.zeros(n_cols, dtype=np.int64)
        place[cols] = np.arange(width)[None, :]
        out[row // m, row % m, place[col[entry]]] = value[entry]
        return out.transpose(0, 1, 3, 2, 4).reshape(b, m * k, width * kk)


@dataclass(frozen=True, slots=True)
class _Labels:
    n: int
    of_factor: list[Index]


def _components(A: CrossProducts) -> _Labels:
    from scipy import sparse  # slow to import, and most models have no need of it
    from scipy.sparse import csgraph

    levels = A.layout.levels
    start = np.cumsum([0, *levels])
    rows, cols = [], []
    for f in range(len(levels)):
        for g in range(f + 1, len(levels)):
            ptr, col, _ = A.products.zz_pair(f, g)
            rows.append(start[f] + np.repeat(np.arange(levels[f]), np.diff(ptr)))
            cols.append(start[g] + np.asarray(col))
    i, j = np.concatenate(rows), np.concatenate(cols)
    graph = sparse.coo_matrix((np.ones(len(i)), (i, j)), shape=(start[-1], start[-1]))
    n, label = csgraph.connected_components(graph, directed=False)
    return _Labels(n, [label[a:b] for a, b in pairwise(start)])
