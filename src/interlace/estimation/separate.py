"""Random effects that no level has together: the data say nothing of their covariances.

Where a factor is constant within the groups, as in ``(f | g:f)``, a level sees one combination of the k
random effects only, and the covariance of y depends on k variances of such combinations and not on the
``k (k + 1) / 2`` parameters of their covariance matrix. In general the space of the effects is cut into the
smallest parts such that what a level sees lies in one of them. For every covariance matrix there is one with
zeros between the parts, with the same criterion: a search among those has fewer parameters, and no valley of
equivalent points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.estimation.covariance import Triangle, Unstructured, triangles
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.layout import Place
from interlace.frozen import dataclass

Array = NDArray[np.floating]

# Share of the largest eigenvalue of Z'Z of a level below which it sees nothing of a direction, and share of a
# combination of effects below which it has nothing of one.
UNSEEN, ABSENT = 1e-11, 1e-6
# Of the squares of a column, what may be left between parts.
BETWEEN = 1e-9
# Levels that are looked at before all others.
FIRST = 64


@dataclass(frozen=True, slots=True)
class Separate(Unstructured):
    """Any covariance within parts, and none between them.

    Attributes
    ----------
    parts : tuple of int
        Numbers of effects, ``k - fixed`` together.
    """

    parts: tuple[int, ...] = ()

    @property
    def triangle(self) -> Triangle:
        """One triangle for each part."""
        return triangles(*self.parts)

    def pivoted(self, basis: Array, par: Array) -> tuple[Array, Array]:
        """As `Unstructured`, part by part."""
        T, out, at = self.factor(par), basis.copy(), 0
        for size in self.parts:
            own = slice(at, at + size)
            turned, T[own, own] = kernel.pivoted(np.identity(size), np.ascontiguousarray(T[own, own]), size)
            out[:, own] = basis[:, own] @ turned
            at += size
        return out, self.par(T)


def together(A: CrossProducts, place: Place, basis: Array) -> bool:
    """Does one of the first levels see all effects of a block in a basis (k, r)? Then nothing is separate."""
    return bool(kernel.together(A.products, place.group, place.start, basis, FIRST, UNSEEN))


def parts(zz: Array) -> list[Array]:
    """Bases of the parts, (r, size) each; one part where nothing is separate.

    Parameters
    ----------
    zz : ndarray, (L, r, r)
        Z'Z per level, where its mean is the identity. In the bases of the parts it is the identity again.
    """
    r = zz.shape[1]
    whole: list[Array] = [np.identity(r)]
    if r < 2:
        return whole
    vectors, seen = _seen(zz)
    if seen.all(axis=1).any():
        return whole
    rows = vectors.transpose(0, 2, 1)[seen]  # what the levels see, one direction after another
    D = rows[_independent(rows)]
    involved = np.abs(np.linalg.solve(D.T, rows.T).T) > ABSENT
    of_level = np.zeros((len(zz), r))
    np.maximum.at(of_level, np.nonzero(seen)[0], involved)
    part = _connected(of_level.T @ of_level > 0)
    if not part.any():
        return whole
    dual = np.linalg.inv(D)
    found: list[Array] = [_orthonormal(zz, dual[:, part == i]) for i in np.unique(part)]
    turned, part = np.concatenate(found, axis=1), np.sort(part)
    between = np.abs(turned.T @ zz @ turned)[:, part[:, None] != part]
    return found if between.max(initial=0.0) < BETWEEN * len(zz) else whole


def _seen(zz: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Eigenvectors of Z'Z of the levels, and which of them a level sees."""
    values, vectors = np.linalg.eigh(zz)
    return vectors, values > UNSEEN * values[:, -1:]


def _independent(rows: Array) -> list[int]:
    """As many rows as there are columns, none near the span of those before it."""
    left, out = rows.copy(), list[int]()
    for _ in range(rows.shape[1]):
        out.append(int(np.einsum("ij,ij->i", left, left).argmax()))
        unit = left[out[-1]] / np.linalg.norm(left[out[-1]])
        left -= np.outer(left @ unit, unit)
    return out


def _connected(together: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Per effect, the first one that it is connected with."""
    for _ in range(len(together).bit_length()):
        together = together @ together
    return np.asarray(together.argmax(axis=1))


def _orthonormal(zz: Array, part: Array) -> Array:
    pooled = part.T @ zz.mean(axis=0) @ part
    return np.asarray(part @ np.linalg.inv(np.linalg.cholesky(pooled).T))
