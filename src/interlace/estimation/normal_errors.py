"""Normal errors of rows that are not here, as far as their products with the columns of a model show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from interlace import kernel
from interlace.arrays import Array
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.rows import Rows
from interlace.errors import ModelError
from interlace.estimation.capacity import analyze
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.origin import Origin
from interlace.frozen import dataclass

# Of the largest diagonal entry of each column of Z. Where columns depend on each other, pivots must be larger
# than rounding error; all variances are less by this share (over the share that a column has for itself).
SHARE = 1e-12
_NEARLY = (
    "columns of the model depend so nearly on each other that its cross-products do not tell how errors of "
    "its rows vary: say where the rows are, accumulator.fit(rows=interlace.chunks(...)), and they are read"
)


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Of the columns of Z and X, for each of r responses.

    Attributes
    ----------
    z : list of ndarray, (levels, k, r)
        One per grouping factor of the kernel.
    x : ndarray, (p, r)
    """

    z: list[Array]
    x: Array


@dataclass(frozen=True, slots=True)
class NormalErrors:
    """Errors ``e ~ N(0, W^-1)`` of n rows, of which only ``C = [Z X]'W[Z X]`` is known.

    They are ``[Z X] a + r``: ``a ~ N(0, (C + D)^-1)`` for a small diagonal D, and r is orthogonal to all
    columns, with ``r'W r ~ chi-square`` of n less the rank of C degrees of freedom. So ``[Z X]'W e = C a``
    lies in the range of C, and has the covariance ``C (C + D)^-1 C``: C, to the share that D is of it.

    Attributes
    ----------
    A : CrossProducts
    names : tuple of str
        Of the grouping factors of the kernel.
    factor : kernel.Cholesky
        Of C + D.
    free : float
        n less the rank of C.
    """

    A: CrossProducts
    names: tuple[str, ...]
    factor: kernel.Cholesky
    free: float

    @classmethod
    def of(cls, A: CrossProducts, names: tuple[str, ...]) -> NormalErrors:
        """Of the rows of these products.

        Raises
        ------
        FactorTooLargeError
            The factor does not fit in memory.
        ModelError
            Columns are so nearly dependent that rounding error hides whether they are.
        """
        products = A.products
        D = [_diagonal(products.zz_diagonal(f)) for f in range(len(products.levels))]
        some = kernel.answered(  # any response that the columns do not explain: it is not asked for
            products, 1.0, np.zeros(products.p), [np.zeros(products.zy(f).size) for f in range(len(D))]
        )
        factor = kernel.Cholesky(some, analyze(A, lambda: names))
        try:
            factor.factorize([np.diag(1.0 / np.sqrt(one)) for one in D])
        except kernel.NotPositiveDefiniteError as error:
            raise ModelError(_NEARLY) from error
        untold = _trace(factor.joint_inverse(), D)
        size = products.p + sum(levels * len(one) for levels, one in zip(products.levels, D, strict=True))
        return cls(A, names, factor, max(products.n - (size - untold), 0.0))

    def __reduce__(self) -> tuple[Any, ...]:
        return NormalErrors.of, (self.A, self.names)

    def draw(self, generators: Sequence[np.random.Generator]) -> tuple[Coefficients, Array]:
        """For each generator a, and ``r'W r``, (r,)."""
        layout = self.A.layout
        z = [np.empty((*shape, len(generators))) for shape in zip(layout.levels, layout.k, strict=True)]
        x, rest = np.empty((len(generators), self.A.products.p)), np.zeros(len(generators))
        for j, rng in enumerate(generators):
            for one in z:
                one[:, :, j] = rng.standard_normal(one.shape[:2])
            x[j] = rng.standard_normal(x.shape[1])
            if self.free > SHARE:
                rest[j] = rng.chisquare(self.free)
        found, of_x = self.factor.spread(z, x)
        return Coefficients(list(found), np.asarray(of_x).T), rest

    def answered(self, origin: Origin, w: Coefficients, rest: Array) -> list[CrossProducts]:
        """The products with the responses ``[Z X] w + r``, of r with these sums of squares."""
        products = self.A.products
        zx = [products.zx(f) for f in range(len(w.z))]
        zy = [own + of_x @ w.x for own, of_x in zip(self.factor.apply_ztz(w.z), zx, strict=True)]
        xy = products.xx @ w.x + sum(
            (np.einsum("lkp,lkr->pr", of_x, own) for of_x, own in zip(zx, w.z, strict=True)),
            np.zeros_like(w.x),
        )
        yy = rest + (w.x * xy).sum(axis=0)
        yy += sum((a * b).sum(axis=(0, 1)) for a, b in zip(w.z, zy, strict=True))
        return [
            CrossProducts(
                kernel.answered(
                    products, float(yy[j]), xy[:, j].copy(), [one[:, :, j].ravel() for one in zy]
                ),
                self.A.layout,
                origin,
            )
            for j in range(len(rest))
        ]


def _trace(inverse: kernel.JointInverse, D: Sequence[Array]) -> float:
    """Of ``D (C + D)^-1``: how many directions are no combination of the columns."""
    total = 0.0
    for f, one in enumerate(D):
        variances = np.einsum("lcc->lc", inverse.diagonal(f)) + (np.asarray(inverse.e(f)) ** 2).sum(axis=2)
        total += float(variances.sum(axis=0) @ one)
    return total


def _diagonal(blocks: Array) -> Array:
    """D, (k,), from the blocks of all levels."""
    largest = np.einsum("lcc->lc", blocks).max(axis=0)
    return np.where(largest > 0.0, SHARE * largest, 1.0)


@dataclass(frozen=True, slots=True)
class Answered:
    """Responses of rows that are not here: their products are all that is known.

    Attributes
    ----------
    parts : tuple of CrossProducts
    """

    parts: tuple[CrossProducts, ...]

    def __len__(self) -> int:
        """Their number r."""
        return len(self.parts)

    def __getitem__(self, some: slice) -> Answered:
        """Some of them."""
        return Answered(self.parts[some])

    def checked(self, n: int) -> Answered:
        """They: numbers, and of these rows."""
        return self

    def middle(self, encoding: Encoding, rows: Rows) -> Array:
        """What their products are about."""
        return np.array([one.origin.y for one in self.parts])

    def over(self, rows: Rows) -> Iterator[tuple[Design, Array]]:
        """Refused by the rows."""
        yield rows.design, np.zeros((len(self), 0))

    def rows(self, j: int, rows: Rows) -> Rows:
        """The rows, which are not here."""
        return rows
