"""The covariance parameters of a model: which there are, where they stand, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from interlace.design.encoding import Encoding
from interlace.design.learnt import RandomEncoding
from interlace.errors import ModelError
from interlace.estimation.blocks import BlockFacts
from interlace.estimation.covariance import Covariance, Unstructured
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.layout import Layout
from interlace.estimation.scaled import structure
from interlace.estimation.separate import Separate, parts, together
from interlace.frozen import dataclass

Array = NDArray[np.floating]
Index = NDArray[np.intp]

# Factors with fewer levels than this can have a likelihood with more than one maximum.
FEW_LEVELS = 12


class _Remembering:
    """A place beside the fields, of which no file and no pickle knows."""

    __slots__ = ("_form",)

    _form: _Form

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name != "_form":
                raise AttributeError(name)
            found = _form(self.structures, self.layout)
            object.__setattr__(self, "_form", found)
            return found


@dataclass(frozen=True, slots=True)
class Parameters(_Remembering):
    """The structures of all covariance blocks, and what stands before their factors.

    There are three orders of blocks: that of the formula, in which everything here is held; that of the
    kernel, `Layout.places`; and that of lme4's theta, `Layout.theta_order`.

    Parameters of the search are not theta. Those of block i are of the factor T~ where
    ``Lambda = basis T~`` for effects about the origin of the cross-products, block after block. There every
    parameter has the scale of a shrinkage factor, whatever the units of y and x.

    Attributes
    ----------
    structures : tuple of Covariance
    natural : tuple of ndarray, (k, k)
        Per block: takes the units of the columns of Z away (`Covariance.basis`).
    basis : tuple of ndarray, (k, k)
        The same, or one that suits the present point of a search better: see `pivoted`.
    orthonormal : tuple of ndarray, (k, k)
        ``S^-1`` for upper triangular S with ``S'S`` the mean of Z'Z over the levels: makes the columns of Z
        orthonormal.
    shift : tuple of ndarray, (k, k)
        Effects of the columns as they are to those of columns about the origin.
    layout : Layout
    """

    structures: tuple[Covariance, ...]
    natural: tuple[Array, ...]
    basis: tuple[Array, ...]
    orthonormal: tuple[Array, ...]
    shift: tuple[Array, ...]
    layout: Layout

    @classmethod
    def of(cls, encoding: Encoding, A: CrossProducts, facts: Sequence[BlockFacts]) -> Parameters:
        """Of a model, from what its design says of each block.

        Raises
        ------
        ModelError
            The columns of a random term depend on each other.
        """
        structures = structures_of(encoding)
        shift = tuple([A.origin.shift(encoding, i) for i in range(len(structures))])
        white = tuple([_orthonormal(block, one) for block, one in zip(encoding.random, facts, strict=True)])
        natural = tuple([s.basis(S, R) for s, S, R in zip(structures, white, shift, strict=True)])
        return cls(structures, natural, natural, white, shift, A.layout)

    # ---- what there is ---

    @property
    def n_par(self) -> int:
        """Number of parameters of the search."""
        return self._form.n_par

    @property
    def counted(self) -> int:
        """Number of covariance parameters of the model, sigma not counted: what AIC and tests count."""
        return self._form.counted

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where those of each block stand."""
        return self._form.slices

    @property
    def start(self) -> Array:
        """A start that needs nothing but the design: every random effect shrunk by half."""
        return self._form.start

    @property
    def even(self) -> NDArray[np.bool_]:
        """Parameters whose sign does not matter, and whose lowest value is zero."""
        return self._form.even

    @property
    def plain(self) -> bool:
        """Are all parameters entries of the factors?"""
        return self._form.plain

    @property
    def effects(self) -> tuple[tuple[tuple[Index, int], ...], ...]:
        """Per block, what can be large or small by itself: its parameters, and which of them is even."""
        return self._form.effects

    @property
    def sizes(self) -> NDArray[np.bool_]:
        """Parameters that are in proportion to the size of an effect."""
        return self._form.sizes

    @property
    def places(self) -> list[tuple[int, int, int]]:
        """(grouping factor of the kernel, row, column) of the entries of the factors that are not always
        zero, block after block."""
        return self._form.places

    @property
    def unstructured(self) -> bool:
        """Are the blocks covariances of any kind, or of several parts of any kind?"""
        return self._form.unstructured

    @property
    def scouted(self) -> bool:
        """Are there correlations with a structure, and other minima looked for because of them?"""
        return self._form.scouted

    @property
    def nothing(self) -> tuple[Array, ...]:
        """Per block no combination of its effects, (k, 0)."""
        return self._form.nothing

    def few_levels(self) -> list[Index]:
        """Parameters of the sizes of effects, for each block whose grouping factor has few levels."""
        return self._form.few_levels

    # ---- what they mean ---

    def small(self, par: Array) -> list[Array]:
        """The factors T~ of the blocks, (k, k) each."""
        return [s.factor(par[at]) for s, at in zip(self.structures, self.slices, strict=True)]

    def factors(self, par: Array) -> tuple[Array, ...]:
        """Lower triangular relative covariance factors of the blocks, in the units of the data."""
        blocks = zip(self.structures, self.shift, self.basis, self.small(par), strict=True)
        return tuple([s.as_they_are(R, B, T) for s, R, B, T in blocks])

    def par(self, factors: tuple[Array, ...]) -> Array:
        """Parameters of these factors."""
        blocks = zip(self.structures, self.basis, self.shift, factors, strict=True)
        return np.concatenate([s.par(s.triangular(np.linalg.solve(B, R @ T))) for s, B, R, T in blocks])

    def theta(self, factors: tuple[Array, ...]) -> Array:
        """lme4's theta of these factors."""
        return theta_of(self.structures, self.layout, factors)

    @property
    def n_theta(self) -> int:
        """The length of theta."""
        return sum(s.n_theta for s in self.structures)

    def of_theta(self, theta: Array) -> tuple[Array, ...]:
        """The factors of a theta of this length.

        Raises
        ------
        ModelError
            They have not the structure that the model asks for.
        """
        blocks, at = dict[int, Array](), 0
        for i in self.layout.theta_order:
            s = self.structures[i]
            try:
                blocks[i] = s.of_theta(theta[at : at + s.n_theta])
            except ValueError as error:
                raise ModelError(
                    f"entries {at} to {at + s.n_theta - 1} of theta are no factor of the covariance "
                    "structure of their term"
                ) from error
            at += s.n_theta
        return tuple(blocks[i] for i in range(len(blocks)))

    def directions(self, factors: tuple[Array, ...]) -> list[tuple[int, Array, float]]:
        """The directions in which the covariance can change (`Covariance.directions`), in the natural basis,
        each with its block; blocks in the order of theta."""
        out = []
        for i in self.layout.theta_order:
            T = np.linalg.solve(self.natural[i], self.shift[i] @ factors[i])
            out += [(i, D, gamma) for D, gamma in self.structures[i].directions(T)]
        return out

    # ---- other bases ---

    def in_natural_basis(self) -> Parameters:
        """The same in the basis that the design suggests."""
        return self if self.basis is self.natural else replace(self, basis=self.natural)

    def natural_par(self, par: Array) -> Array:
        """These parameters in that basis."""
        return par if self.basis is self.natural else self.in_natural_basis().expressing(self, par)

    def expressing(self, others: Parameters, par: Array) -> Array:
        """The parameters here with the covariances that others have at this point."""
        return np.concatenate(
            [
                s.par(s.triangular(np.linalg.solve(N, B @ T)))
                for s, N, B, T in zip(
                    self.structures, self.basis, others.basis, others.small(par), strict=True
                )
            ]
        )

    def pivoted(self, par: Array) -> tuple[Parameters, Array]:
        """The same in a basis that suits these parameters, and the parameters there."""
        par = self.natural_par(par)
        found = [
            s.pivoted(N, par[at]) for s, N, at in zip(self.structures, self.natural, self.slices, strict=True)
        ]
        return replace(self, basis=tuple(B for B, _ in found)), np.concatenate([p for _, p in found])

    def without(self, lost: tuple[Array, ...]) -> Parameters:
        """The parameters where some combinations of the effects of each block, (k, c), are zero."""
        turned, structures = [], []
        for s, B, U in zip(self.structures, self.natural, lost, strict=True):
            k, c = U.shape
            if not c:
                turned.append(B)
                structures.append(s)
                continue
            Q = np.linalg.qr(np.linalg.solve(B, U), mode="complete")[0]
            turned.append(B @ np.hstack([Q[:, c:], Q[:, :c]]))
            structures.append(Unstructured(k, c))
        basis = tuple(turned)
        return replace(self, structures=tuple(structures), natural=basis, basis=basis)

    def separated(self, A: CrossProducts) -> Parameters:
        """The parameters without covariances that no level can tell (see `separate`), in a natural basis."""
        natural, structures, changed = list(self.natural), list(self.structures), False
        for i, (s, B, place) in enumerate(
            zip(self.structures, self.natural, self.layout.places, strict=True)
        ):
            if not isinstance(s, Unstructured) or s.free < 2:
                continue
            own, free = place.columns, np.ascontiguousarray(B[:, : s.free])
            if together(A, place, free):
                continue
            found = parts(free.T @ np.asarray(A.products.zz_diagonal(place.group))[:, own, own] @ free)
            if len(found) > 1:
                natural[i] = np.hstack([free @ np.hstack(found), B[:, s.free :]])
                structures[i], changed = Separate(s.k, s.fixed, tuple(P.shape[1] for P in found)), True
        if not changed:
            return self.in_natural_basis()
        return replace(self, structures=tuple(structures), natural=tuple(natural), basis=tuple(natural))

    # ---- about a point ---

    def at_limit(self, par: Array, near: float) -> Array:
        """The parameters, those so near to their limits moved there."""
        if not self.scouted and not (self.even & (np.abs(par) < near)).any():
            return par
        return np.concatenate(
            [s.at_limit(par[at], near) for s, at in zip(self.structures, self.slices, strict=True)]
        )

    def elsewhere(self, par: Array) -> list[list[Array]]:
        """Per block and correlation that has a structure: parameters with this correlation in it."""
        return [
            [np.concatenate([par[: at.start], p, par[at.stop :]]) for p in others]
            for s, at in zip(self.structures, self.slices, strict=True)
            for others in s.elsewhere(par[at])
        ]


# Models are fitted by the thousand, and their structures are few: what there is of each is found once.


class _Form(NamedTuple):
    """What `Parameters` says of structures in a layout, whatever the data."""

    n_par: int
    counted: int
    slices: tuple[slice, ...]
    start: Array
    even: NDArray[np.bool_]
    effects: tuple[tuple[tuple[Index, int], ...], ...]
    sizes: NDArray[np.bool_]
    places: list[tuple[int, int, int]]
    few_levels: list[Index]
    nothing: tuple[Array, ...]
    plain: bool
    scouted: bool
    unstructured: bool


@lru_cache(maxsize=512)
def _form(structures: tuple[Covariance, ...], layout: Layout) -> _Form:
    ends = list(accumulate((s.n_par for s in structures), initial=0))
    slices = tuple(slice(start, end) for start, end in pairwise(ends))
    sizes = _sizes(structures, slices)
    few_of = [(at, layout.levels[p.group] < FEW_LEVELS) for at, p in zip(slices, layout.places, strict=True)]
    blocks = list(zip(layout.places, structures, strict=True))
    return _Form(
        n_par=ends[-1],
        counted=sum(s.counted for s in structures),
        slices=slices,
        start=_kept(np.concatenate([np.zeros(0), *(s.start for s in structures)])),
        even=_kept(np.concatenate([np.zeros(0, dtype=np.bool_), *(s.even for s in structures)])),
        effects=tuple(
            tuple((_kept(at.start + row), at.start + diagonal) for row, diagonal in s.effects)
            for s, at in zip(structures, slices, strict=True)
        ),
        sizes=sizes,
        places=[(p.group, p.start + row, p.start + col) for p, s in blocks for row, col in s.entries],
        few_levels=[_kept(at.start + np.flatnonzero(sizes[at])) for at, few in few_of if few],
        nothing=tuple(_kept(np.zeros((s.k, 0))) for s in structures),
        plain=all(s.plain for s in structures),
        scouted=any(s.scouted for s in structures),
        unstructured=all(isinstance(s, Unstructured) for s in structures),
    )


def _sizes(structures: Sequence[Covariance], slices: Sequence[slice]) -> NDArray[np.bool_]:
    out = np.zeros(sum(s.n_par for s in structures), dtype=np.bool_)
    for s, at in zip(structures, slices, strict=True):
        for row, _ in s.effects:
            out[at.start + row] = True
    return _kept(out)


def _kept(values: NDArray[Any]) -> NDArray[Any]:
    values.flags.writeable = False
    return values


def structures_of(encoding: Encoding) -> tuple[Covariance, ...]:
    """The structures that the formula asks for, in its order."""
    return _structures(tuple([(block.covariance, len(block.basis.names)) for block in encoding.random]))


@lru_cache(maxsize=512)
def _structures(blocks: tuple[tuple[str, int], ...]) -> tuple[Covariance, ...]:
    return tuple(structure(*block) for block in blocks)


def theta_of(structures: tuple[Covariance, ...], layout: Layout, factors: tuple[Array, ...]) -> Array:
    """lme4's theta of lower triangular factors in the units of the data."""
    found = [structures[i].theta(factors[i]) for i in layout.theta_order]
    return found[0] if len(found) == 1 else np.concatenate(found)


def _orthonormal(block: RandomEncoding, facts: BlockFacts) -> Array:
    """What makes the columns of a block orthonormal, (k, k).

    Raises
    ------
    ModelError
        The columns depend on each other.
    """
    if facts.white is not None:
        return facts.white
    if not facts.size.all():
        zero = ", ".join(name for name, size in zip(block.columns, facts.size, strict=True) if size == 0.0)
        raise ModelError(
            f"the random effect '{zero}' of '{block.group}' multiplies a column of zeros: leave it out"
        )
    raise ModelError(
        f"the columns {', '.join(block.columns)} of a random term of '{block.group}' depend on each other, "
        "so the data cannot tell their variances and covariances apart: leave one of them out"
    )
