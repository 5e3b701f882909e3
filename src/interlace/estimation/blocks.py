"""What the design says of one covariance block before anything is searched."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.layout import Place

Array = NDArray[np.floating]

# Smallest eigenvalue of the correlations of the columns of a random term, pooled over its levels.
DEPENDENT = 1e-12
# Share of the squares of a column, summed over the levels, that X must leave for the term to have a mean.
NOT_SPANNED = 1e-6
# What a level knows at least, as a share of the average level, and of those near the top.
LEAST = 1e-12


class BlockFacts(NamedTuple):
    """What the design says of one covariance block.

    Attributes
    ----------
    size : ndarray, (k,)
        The roots of the diagonal of the mean of Z'Z over the levels.
    white : ndarray, (k, k), or None
        ``S^-1`` for upper triangular S with ``S'S`` that mean: makes the columns of Z orthonormal. None where
        they depend on each other.
    mean : bool
        In the basis where its columns are orthonormal: those, summed over the levels, are not all in the span
        of X.
    spread : float
        There, how many times better the levels near the top know an effect than those near the bottom: the
        largest of its effects, a tenth of the levels left out at either end.
    levels : int
        That have data.
    """

    size: Array
    white: Array | None
    mean: bool
    spread: float
    levels: int

    @classmethod
    def of(cls, A: CrossProducts, place: Place, scale: float, *, linked: bool) -> BlockFacts:
        """Of columns about the origin.

        Where the covariance of the levels is known (`linked`), its mean variance `scale` multiplies Z'Z, so
        that its unit does not matter, and levels without data do not count.
        """
        limits = DEPENDENT, NOT_SPANNED, LEAST
        return cls(*kernel.block_facts(A.products, place.group, place.start, place.k, scale, linked, *limits))

    def beside_constants(self, A: CrossProducts, place: Place, absorbed: int) -> BlockFacts:
        """The same where the constants, which are no column of X, are sums of the levels of an absorbed
        factor: grouping factor `absorbed` of the kernel, its intercepts first, none of them held."""
        products = A.products
        ones = np.asarray(products.zz_diagonal(absorbed))[:, 0, 0].sum()
        x = np.asarray(products.zx(absorbed))[:, 0].sum(axis=0)
        first, second = sorted((place.group, absorbed))
        pairs = np.asarray(products.zz_pair(first, second)[2]).sum(axis=0)
        z = (pairs[:, 0] if place.group == first else pairs[0])[place.columns]
        own = np.asarray(products.zz_diagonal(place.group)).sum(axis=0)[place.columns, place.columns]
        zx = np.asarray(products.zx(place.group)).sum(axis=0)[place.columns]
        G = np.block([[np.array([[ones]]), x[None]], [x[:, None], products.xx]])
        unit = 1 / np.sqrt(np.where(np.diagonal(G) > 0, np.diagonal(G), 1.0))
        R = np.hstack([z[:, None], zx]) * unit
        left = np.diagonal(own - R @ np.linalg.pinv(G * np.outer(unit, unit), hermitian=True) @ R.T)
        return self._replace(mean=bool((left > NOT_SPANNED * np.diagonal(own)).any()))
