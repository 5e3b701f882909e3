"""Cross-products made while the rows are learnt from, about an origin that the first of them have shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from interlace import kernel
from interlace.arrays import Array
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.estimation.capacity import check_room
from interlace.estimation.crossproducts import CrossProducts, Sums
from interlace.estimation.layout import Layout, Place
from interlace.estimation.origin import Origin, near

COPIES = 3  # of the sums, while they are put together
FARTHEST = 4.0  # standard deviations of a column between the first origin and the mean: a digit or two


class FirstSums:
    """Sums of `design.first_reading.FirstReading`: the `CrossProducts` of all rows, about their means."""

    def __init__(self) -> None:
        self._sums: Sums | None = None

    def begin(self, encoding: Encoding, first: Design) -> None:
        """About the means of the first rows.

        Raises
        ------
        ModelError
            There is no room for each of the levels.
        """
        layout, p = Layout.of(encoding), len(encoding.fixed_names)
        needed = p * p + sum(n * k * (k + p + 1) for n, k in zip(layout.levels, layout.k, strict=True))
        check_room(8.0 * COPIES * needed, "sums of all levels that there can be would need {}")
        self._sums = Sums(layout, Origin.of(encoding, first))

    def add(self, design: Design) -> None:
        """The next rows."""
        assert self._sums is not None
        self._sums.add(design)

    def end(self, encoding: Encoding, levels: Mapping[int, np.ndarray]) -> CrossProducts | None:
        """Of the levels that there are; None where the first rows were too far from the others."""
        assert self._sums is not None
        A = about_means(self._sums.found(), encoding)
        return None if A is None else _of_levels(A, Layout.of(encoding), levels)


def about_means(A: CrossProducts, encoding: Encoding) -> CrossProducts | None:
    """The same products about the means of their rows: of ``X H``, ``y - X v`` and ``Z G``, in which another
    multiple of the intercept is taken from the other columns.

    None where a mean is more than four standard deviations from the present origin: too many digits of the
    squares of that column are those of the distance. Rows have no weights, and X is held as numbers.
    """
    old, products = A.origin, A.products
    n, i = products.n, encoding.intercept
    y, x, z = old.y, old.x, list[Array]()
    distances = list[tuple[Array, Array]]()
    if i is not None:
        y = near(old.y + products.xy[i] / n)
        x = _means(old.x, products.xx, i, n)
        distances += [(np.array([y - old.y]), np.array([products.yy])), (x - old.x, np.diagonal(products.xx))]
    for block, place, origin in zip(encoding.random, A.layout.places, old.z, strict=True):
        squares = _squares(A, place)
        z.append(origin if block.intercept is None else _means(origin, squares, block.intercept, n))
        distances.append((z[-1] - origin, np.diagonal(squares)))
    if any(np.any(d**2 * (1 + 1 / FARTHEST**2) > squares / n) for d, squares in distances):
        return None
    H, v = np.identity(products.p), np.zeros(products.p)
    if i is not None:
        H[i] -= x - old.x
        v[i] = y - old.y
    moved = kernel.with_random(kernel.with_fixed(products, H, v), _changes(A, encoding, z))
    return replace(A, products=moved, origin=Origin(y, x, tuple(z), np.zeros(products.p)))


def _means(origin: Array, squares: Array, intercept: int, n: int) -> Array:
    """Of columns about an origin, from their products with an intercept; zero for that itself."""
    means = near(origin + np.asarray(squares[intercept]) / n)
    means[intercept] = 0.0
    return means


def _squares(A: CrossProducts, place: Place) -> Array:
    """Z'Z of a covariance block, summed over the levels, (k, k)."""
    whole = np.asarray(A.products.zz_diagonal(place.group)).sum(axis=0)
    return np.asarray(whole[place.columns, place.columns])


def _changes(A: CrossProducts, encoding: Encoding, z: list[Array]) -> list[Array | None]:
    """G of each grouping factor of the kernel; None where nothing changes."""
    out: list[Array | None] = []
    for blocks, k in zip(A.layout.blocks, A.layout.k, strict=True):
        G = np.identity(k)
        for b in blocks:
            place, intercept = A.layout.places[b], encoding.random[b].intercept
            if intercept is not None:
                G[place.start + intercept, place.columns] -= z[b] - A.origin.z[b]
        out.append(None if np.array_equal(G, np.identity(k)) else G)
    return out


def _of_levels(A: CrossProducts, layout: Layout, levels: Mapping[int, np.ndarray]) -> CrossProducts:
    """With some of the levels, in the layout of these, in which their factors may have another order."""
    was = A.layout
    kept = [np.ascontiguousarray(levels[blocks[0]], dtype=np.int64) for blocks in was.blocks]
    products = A.products
    if any(len(one) < n for one, n in zip(kept, was.levels, strict=True)):
        products = kernel.select_levels(products, kept)
    factors = [was.blocks.index(blocks) for blocks in layout.blocks]
    if factors != sorted(factors):
        products = kernel.select_random(products, factors, [list(range(was.k[f])) for f in factors])
    return replace(A, products=products, layout=layout)
