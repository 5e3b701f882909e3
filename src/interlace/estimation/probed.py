"""Inner products as `Gram` has them where levels have a known covariance: by probes, from the rows.

``V_j = Z (K x D_j) Z'`` fills whole blocks of the rows there, so that ``tr(P V_j P V_k)`` is not to be had
from cross-products. Its rank is that of ``z'V_j P V_k z`` summed over a few random z, as a combination of the
V_j that is not zero has no random vector in its null space.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from interlace.design.design import Design
from interlace.design.rows import Rows
from interlace.estimation.absorbed import Absorbed
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.gram import Gram
from interlace.estimation.penalized import System
from interlace.frozen import dataclass

Array = NDArray[np.floating]

PROBES = 4
SEED = 20_260_101  # the answer is the same whatever the probes; so are the digits


@dataclass(frozen=True)
class ProbedGram(Gram):
    """`Gram` of a model with known covariances of levels.

    Attributes
    ----------
    system : System
        Knows the covariances.
    design : Design
        The rows; X has the columns that are in the model.
    """

    system: System
    design: Design

    def plain(self) -> tuple[Array, Array]:
        """The squares of ``V_j z`` over units, and the units."""
        products = np.einsum("jns,kns->jk", self._images, self._images) / PROBES
        units = self._units(np.diagonal(products))
        return products * np.outer(units, units), units

    def projected(self, units: Array) -> Array:
        """The same of ``P V_j P z``, sigma^2 last."""
        images = [self._away(image) for image in self._of(self._away(self._probes))]
        every = np.array([*images, self._away(self._probes)])
        scale = np.append(units, 1 / np.sqrt(self.A.n))
        return np.asarray(np.einsum("jns,kns->jk", every, every) / PROBES * np.outer(scale, scale))

    @cached_property
    def largest(self) -> float:
        """No bound is known."""
        return np.inf

    @cached_property
    def _probes(self) -> Array:
        return np.random.default_rng(SEED).standard_normal((self.design.nrows, PROBES))

    @cached_property
    def _images(self) -> Array:
        return np.array(self._of(self._probes)).reshape(-1, self.design.nrows, PROBES)

    @cached_property
    def _q(self) -> Array:
        """An orthonormal basis of the weighted columns of X."""
        return np.linalg.qr(self._weighted(self.design.X - self.A.origin.x))[0]

    def _weighted(self, rows: Array) -> Array:
        w = self.design.weights
        return rows if w is None else rows * np.sqrt(w[:, None])

    def _away(self, rows: Array) -> Array:
        return rows - self._q @ (self._q.T @ rows)

    def _of(self, probes: Array) -> list[Array]:
        """``V_j z`` for every parameter j and probe z, (n, probes) each."""
        out = []
        for i, (B, place) in enumerate(zip(self.bases, self.A.layout.places, strict=True)):
            rows = self.design.random[i]
            z = self._weighted((rows.z - self.A.origin.z[i]) @ B)
            levels = self.A.layout.levels[place.group]
            sums = np.zeros((levels, z.shape[1], probes.shape[1]))
            np.add.at(sums, rows.codes, z[:, :, None] * probes[:, None, :])
            spread = self.system.covariance(place.group, sums)[rows.codes]
            out += [np.einsum("nr,nrp->np", z @ D, spread) for D in self.structures[i].tangents]
        return out


@dataclass(frozen=True)
class AbsorbedGram(ProbedGram):
    """`ProbedGram` beside absorbed factors: P projects off their levels too.

    Attributes
    ----------
    absorbed : Absorbed
        Of these rows.
    """

    absorbed: Absorbed

    @classmethod
    def of(cls, criterion: ProfiledDeviance, rows: Rows, absorbed: Absorbed) -> AbsorbedGram:
        """Of a criterion and its rows; X has the columns that are in the model."""
        system, parameters = criterion.system, criterion.parameters
        return cls(system.A, parameters.natural, parameters.structures, system, rows.design, absorbed)

    @cached_property
    def _q(self) -> Array:
        return np.linalg.qr(self.absorbed.within(self._weighted(self.design.X - self.A.origin.x)))[0]

    def _away(self, rows: Array) -> Array:
        return super()._away(self.absorbed.within(rows))

    @cached_property
    def _products(self) -> Array:
        """The inner products of ``P V_j P`` of the parameters, sigma^2 last, without units; by probes."""
        inside = self._away(self._probes)
        every = np.array([*(self._away(image) for image in self._of(inside)), inside])
        return np.asarray(np.einsum("jns,kns->jk", every, every) / PROBES)

    def projected(self, units: Array) -> Array:
        scale = np.append(units, 1 / np.sqrt(self.A.n))
        return self._products * np.outer(scale, scale)

    def variances(self) -> tuple[Array, float]:
        """Variances and covariances, and sigma^2, that have the moments of the response: ``y'P V_j P y`` is
        ``sum over k of tr(P V_j P V_k)`` times them."""
        y, offset = self.design.y, self.design.offset
        assert y is not None
        left = self._away(self._weighted((y if offset is None else y - offset)[:, None]))
        squares = [float(np.vdot(left, image)) for image in self._of(left)] + [float(np.vdot(left, left))]
        found = np.linalg.solve(self._products, np.array(squares))
        return found[:-1], float(found[-1])
