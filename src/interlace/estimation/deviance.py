"""The profiled deviance (ML) and the REML criterion as functions of covariance parameters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.errors import ModelError
from interlace.estimation.covariance import Unstructured, lower_factor
from interlace.estimation.penalized import Solution, System
from interlace.estimation.valleys import Doubt, Term

Array = NDArray[np.floating]

# Factors with fewer levels than this can have a likelihood with more than one maximum.
FEW_LEVELS = 12
# Smallest eigenvalue of the correlations of the columns of a random term, pooled over its levels.
DEPENDENT = 1e-12


class Criterion(Protocol):
    """What `minimise` needs to know: pure functions of the parameters."""

    @property
    def n_par(self) -> int: ...

    @property
    def start(self) -> Array: ...

    @property
    def bounds(self) -> Array: ...

    def value(self, par: Array) -> float: ...

    def gradient(self, par: Array) -> Array: ...

    def solution(self, par: Array) -> Solution: ...


@dataclass(frozen=True, slots=True)
class ProfiledDeviance:
    """``ldL2 + n (1 + log(2 pi pwrss / n))`` (ML) or, with ldRX2 added and n - p for n, the REML criterion.

    Prior weights w mean Var = sigma^2 / w, and -sum log w enters. Values equal lme4's ``deviance`` and
    ``REMLcrit``.

    The parameters are not theta: they are the entries of T~ where the columns of Z are first made
    orthonormal on average over the levels, ``Lambda = basis T~``, column by column of the lower triangle,
    covariance block by covariance block. There every parameter has the scale of a shrinkage factor,
    whatever the units of y and x. `theta` and `par` translate.

    Attributes
    ----------
    system : System
    reml : bool
    natural : tuple of ndarray, (k, k)
        Per covariance block: what makes the columns of Z orthonormal.
    basis : tuple of ndarray, (k, k)
        The same, or with its columns in another order and in other units: see `pivoted`.
    structures : tuple of Unstructured
    doubt : Doubt
        Whether the design allows of a second minimum, and where to look for it.
    """

    system: System
    reml: bool
    natural: tuple[Array, ...]
    basis: tuple[Array, ...]
    structures: tuple[Unstructured, ...] = field(repr=False)
    doubt: Doubt = field(repr=False)

    @classmethod
    def of(cls, system: System, *, reml: bool) -> ProfiledDeviance:
        """The criterion of a model.

        Raises
        ------
        ModelError
            The columns of a random term depend on each other.
        """
        A = system.A
        basis = tuple(orthonormal_basis(system, i) for i in range(len(system.encoding.random)))
        terms = []
        for place, B in zip(A.layout.places, basis, strict=True):
            zz = system.levels_products(place.factor)[:, place.columns, place.columns]
            zx = np.asarray(A.products.zx_total(place.factor))[place.columns]
            terms.append(Term.of(zz, zx, np.asarray(A.products.xx), B * np.sqrt(system.scale(place.factor))))
        structures = tuple(Unstructured(len(B)) for B in basis)
        return cls(system, reml, basis, basis, structures, Doubt.of(structures, terms))

    def without(self, lost: tuple[Array, ...]) -> ProfiledDeviance:
        """The criterion where some combinations of the effects of each block, (k, c), are zero."""
        if not any(U.size for U in lost):
            return self
        turned, structures = [], []
        for B, U in zip(self.natural, lost, strict=True):
            k, c = U.shape
            Q = np.linalg.qr(np.linalg.solve(B, U), mode="complete")[0]
            turned.append(B @ np.hstack([Q[:, c:], Q[:, :c]]))
            structures.append(Unstructured(k, c))
        basis, doubt = tuple(turned), Doubt.of(structures, self.doubt.terms)
        return replace(self, natural=basis, basis=basis, structures=tuple(structures), doubt=doubt)

    @property
    def n_par(self) -> int:
        """Number of parameters."""
        return sum(s.n_par for s in self.structures)

    @property
    def start(self) -> Array:
        """A start that needs nothing but the design: every random effect shrunk by half (`minimise` knows a
        better one)."""
        return np.concatenate([s.start for s in self.structures])

    @property
    def bounds(self) -> Array:
        """(n_par, 2). The criterion is even in diagonal entries, so they bind nothing while it is
        minimised."""
        return np.concatenate([s.bounds for s in self.structures])

    @property
    def diagonal(self) -> NDArray[np.bool_]:
        """Which parameters are diagonal entries."""
        return np.concatenate([s.diagonal for s in self.structures])

    def value(self, par: Array) -> float:
        """The criterion."""
        with self.system.threads():
            return self.kernel().value(np.asarray(par, dtype=np.float64))

    def gradient(self, par: Array) -> Array:
        """Its exact gradient, (n_par,)."""
        with self.system.threads():
            return self.kernel().gradient(np.asarray(par, dtype=np.float64))

    def hessian(self, par: Array) -> Array:
        """Its Hessian, (n_par, n_par), by central differences of the exact gradient."""
        with self.system.threads():
            return self.kernel().hessian(np.asarray(par, dtype=np.float64))

    def factors(self, par: Array) -> tuple[Array, ...]:
        """Lower triangular relative covariance factors of the covariance blocks."""
        origin, out, at = self.system.A.origin, [], 0
        for i, (s, basis) in enumerate(zip(self.structures, self.basis, strict=True)):
            F = basis @ s.factor(par[at : at + s.n_par])
            out.append(lower_factor(origin.unshift(self.system.encoding, i) @ F))
            at += s.n_par
        return tuple(out)

    def theta(self, par: Array) -> Array:
        """Entries of Lambda at these parameters, in lme4's order."""
        factors = self.factors(par)
        order = self.system.A.layout.theta_order
        return np.concatenate([Unstructured(len(factors[i])).par(factors[i]) for i in order])

    def par(self, factors: tuple[Array, ...]) -> Array:
        """Parameters of these factors."""
        origin, out = self.system.A.origin, []
        for i, (s, basis, T) in enumerate(zip(self.structures, self.basis, factors, strict=True)):
            out.append(s.par(lower_factor(np.linalg.solve(basis, origin.shift(self.system.encoding, i) @ T))))
        return np.concatenate(out)

    def zero_components(self, par: Array) -> tuple[str, ...]:
        """Names ``group.column`` of the diagonal entries of Lambda that are zero."""
        if par.all() or not np.any(par[self.diagonal] == 0.0):
            return ()
        out = []
        for block, T in zip(self.system.encoding.random, self.factors(par), strict=True):
            out += [f"{block.group}.{block.columns[j]}" for j in np.flatnonzero(np.diagonal(T) == 0.0)]
        return tuple(out)

    def weak_blocks(self) -> list[slice]:
        """Parameters of the covariance blocks whose grouping factor has few levels."""
        out, at = [], 0
        for place, s in zip(self.system.A.layout.places, self.structures, strict=True):
            if self.system.A.layout.levels[place.factor] < FEW_LEVELS:
                out.append(slice(at, at + s.n_par))
            at += s.n_par
        return out

    def in_natural_basis(self) -> ProfiledDeviance:
        """The same criterion in the basis where the columns of Z are orthonormal."""
        return self if self.basis is self.natural else replace(self, basis=self.natural)

    def natural_par(self, par: Array) -> Array:
        """These parameters in that basis."""
        if self.basis is self.natural:
            return par
        out, at = [], 0
        for s, N, B in zip(self.structures, self.natural, self.basis, strict=True):
            T = s.factor(par[at : at + s.n_par])
            out.append(s.par(lower_factor(np.linalg.solve(N, B @ T))))
            at += s.n_par
        return np.concatenate(out)

    def pivoted(self, par: Array) -> tuple[ProfiledDeviance, Array]:
        """The same criterion in a basis that suits these parameters, and the parameters there.

        Its columns are in order of (conditional) variance, so that the directions in which a covariance is
        (nearly) singular come last. Those in which the random effects are larger than the residuals are in
        units of the effects: a step of one would else be a millionth of one parameter and far too much for
        another.
        """
        basis, out, at = [], [], 0
        par = self.natural_par(par)
        for s, N in zip(self.structures, self.natural, strict=True):
            T = s.factor(par[at : at + s.n_par])
            B, T = kernel.pivoted(np.ascontiguousarray(N), T, s.free)
            basis.append(B)
            out.append(s.par(T))
            at += s.n_par
        return replace(self, basis=tuple(basis)), np.concatenate(out)

    def solution(self, par: Array) -> Solution:
        """beta, u and the rest at these parameters."""
        return Solution.at(self.system, self.factors(par))

    def kernel(self) -> kernel.ProfiledDeviance:
        """The compiled criterion with a workspace of its own: one for each thread."""
        layout = self.system.A.layout
        basis = [np.zeros((k, k)) for k in layout.k]
        entries = []
        for place, s, B in zip(layout.places, self.structures, self.basis, strict=True):
            basis[place.factor][place.columns, place.columns] = B
            entries += [(place.factor, place.start + row, place.start + col) for row, col in s.entries]
        kind = "reml" if self.reml else "ml"
        return kernel.ProfiledDeviance(self.system.A.products, self.system.symbolic, entries, basis, kind)


def orthonormal_basis(system: System, i: int) -> Array:
    """``S^-1`` for upper triangular S with ``S'S`` the mean of Z'Z over the levels of block i.

    Where the covariance of the levels is known, its mean variance multiplies it, so that its unit does not
    matter.

    Raises
    ------
    ModelError
        The columns depend on each other.
    """
    place, block = system.A.layout.places[i], system.encoding.random[i]
    columns, group, own = block.columns, block.group, place.columns
    pooled = system.levels_products(place.factor)[:, own, own].mean(axis=0) * system.scale(place.factor)
    scale = np.sqrt(np.diagonal(pooled))
    if not scale.all():
        zero = ", ".join(name for name, s in zip(columns, scale, strict=True) if s == 0.0)
        raise ModelError(
            f"the random effect '{zero}' of '{group}' multiplies a column of zeros: leave it out"
        )
    correlation = pooled / np.outer(scale, scale)
    if np.linalg.eigvalsh(correlation)[0] < DEPENDENT:
        raise ModelError(
            f"the columns {', '.join(columns)} of a random term of '{group}' depend on each other, so "
            "the data cannot tell their variances and covariances apart: leave one of them out"
        )
    return np.linalg.inv(np.linalg.cholesky(correlation).T * scale)
