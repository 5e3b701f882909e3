"""Penalized least squares at given relative covariance factors: beta, u and everything that follows without
a search."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.design.encoding import Encoding
from interlace.errors import ModelError
from interlace.estimation.capacity import analyze
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.parameters import Parameters, structures_of, theta_of
from interlace.estimation.priors import precisions
from interlace.frozen import dataclass

Array = NDArray[np.floating]

# A residual sum of squares below this share of that of y is rounding error: the model fits the response
# exactly.
EXACT_FIT = 1e-13
# The same where correlated random effects can be the residuals: the criterion has a limit there.
GONE = 1e-5


class _Costed:
    """A place beside the fields, of which no file and no pickle knows."""

    __slots__ = ("_flops",)

    _flops: float

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name != "_flops":
                raise AttributeError(name)
            layout, columns = self.A.layout, self.A.products.p + 1
            found = self.symbolic.flops + layout.effects * columns * (columns + max(layout.k))
            object.__setattr__(self, "_flops", found)
            return found

    @property
    def flops(self) -> float:
        """Rough cost of one factorisation, the fixed effects included."""
        return self._flops


@dataclass(frozen=True, slots=True)
class System(_Costed):
    """A model in the kernel's terms: products, the pattern of its factor, and the encoding that names
    things."""

    encoding: Encoding
    A: CrossProducts
    symbolic: kernel.Symbolic
    precisions: tuple[kernel.Precision | None, ...]  # per grouping factor: of levels with a known covariance
    n_jobs: int | None = None  # threads at most; None: as many as BLAS was given

    @classmethod
    def of(cls, encoding: Encoding, A: CrossProducts, n_jobs: int | None = None) -> System:
        """Analyse the pattern of the factor.

        Raises
        ------
        DataError
            A known covariance is not positive definite.
        ModelError
            The factor does not fit in memory.
        """
        known = precisions(encoding, A.layout)
        held = None
        if encoding.absorbed:
            held = [None if at is None else encoding.absorbed[at].held for at in A.layout.absorbed]
        symbolic = analyze(A, lambda: A.layout.names(encoding), precisions=known, held=held)
        return cls(encoding, A, symbolic, known, n_jobs)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).of, (
            self.encoding,
            self.A,
            self.n_jobs,
        )  # the pattern is cheap to find

    def with_products(self, A: CrossProducts) -> System:
        """The same model for other numbers on the same pattern."""
        return replace(self, A=A)

    def covariance(self, f: int, v: Array) -> Array:
        """``K v`` for the covariance K of the levels of grouping factor f of the kernel; v (levels, ...)."""
        Q = self.precisions[f]
        return v if Q is None else np.asarray(Q.covariance(_columns(v))).reshape(v.shape)

    def draw(self, f: int, z: Array) -> Array:
        """Standard normal z, (levels, k), turned into draws of covariance K of the levels."""
        Q = self.precisions[f]
        return z if Q is None else np.asarray(Q.spread(_columns(z)))

    def variance(self, f: int) -> Array | None:
        """The variances of the levels, the diagonal of K; None where they are all 1."""
        Q = self.precisions[f]
        return None if Q is None else np.asarray(Q.variance)

    def scale(self, f: int) -> float:
        """The mean variance of the levels, of the diagonal of K; 1 where they are independent."""
        Q = self.precisions[f]
        return 1.0 if Q is None else float(Q.scale)

    def linked(self, f: int) -> bool:
        """Is the covariance between the levels of grouping factor f known?"""
        return self.precisions[f] is not None

    @property
    def fixed_effects(self) -> int:
        """Columns of X and coefficients of absorbed levels that are not held."""
        return int(self.A.products.p + sum([one.rank for one in self.encoding.absorbed]))

    @property
    def origin(self) -> tuple[float, Array, Array, int]:
        """What takes the fixed effects back from the origin, where the intercept takes what the means of the
        other columns stand for: that of y, X and beta, and the place of the intercept, -1 without one."""
        origin, intercept = self.A.origin, self.encoding.intercept
        return origin.y, origin.x, origin.beta, -1 if intercept is None else intercept

    @property
    def constant(self) -> int | None:
        """A grouping factor of the kernel whose levels are absorbed and sum up to one in each row."""
        for f, at in enumerate(self.A.layout.absorbed):
            one = None if at is None else self.encoding.absorbed[at]
            if one is not None and one.term.intercept and not one.held[:, 0].any():
                return f
        return None

    def threads(self) -> AbstractContextManager[None]:
        """Inside, the core has the threads that a factorisation is worth, `n_jobs` at most, and BLAS one."""
        return kernel.core_threads(self.flops, self.n_jobs)

    def blas_threads(self, flops: float) -> AbstractContextManager[None]:
        """Inside, BLAS has the threads that so many flops are worth, `n_jobs` at most."""
        return kernel.blas_threads(flops, self.n_jobs)

    def internal_factors(self, factors: tuple[Array, ...]) -> list[Array]:
        """Factors per covariance block to factors per grouping factor of the kernel, about the origin; those
        of absorbed factors are I."""
        A = self.A
        return A.layout.assembled(
            [
                kernel.about_origin(A.origin.shift(self.encoding, i), np.ascontiguousarray(T))
                for i, T in enumerate(factors)
            ]
        )

    def factorize(
        self, factors: tuple[Array, ...], cholesky: kernel.Cholesky | None = None
    ) -> kernel.Cholesky:
        """The numeric factor at these relative covariance factors; one of the same system that nobody needs
        becomes it, and may be it already."""
        if cholesky is None:
            cholesky = kernel.Cholesky(self.A.products, self.symbolic)
        try:
            cholesky.factorize(self.internal_factors(factors))
        except kernel.NotPositiveDefiniteError as error:
            raise ModelError(_NO_SOLUTION) from error
        return cholesky


_NO_SOLUTION = (
    "the penalized least-squares problem has no unique solution at these covariance parameters: "
    "the response is fitted exactly, or values are too large for double precision"
)


def _columns(v: Array) -> Array:
    return np.ascontiguousarray(v.reshape(len(v), -1), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Solution:
    """The penalized least-squares solution at one theta (notation of Bates et al. 2015).

    Attributes
    ----------
    theta : ndarray
        Entries of the relative covariance factor Lambda, in lme4's order.
    factors : tuple of ndarray, (k, k)
        Lower triangular relative covariance factor T of each covariance block, aligned with
        `Encoding.random`.
    beta : ndarray, (p,)
        Coefficients of the columns of X that are in the model.
    u, b : tuple of ndarray, (L, k)
        Spherical random effects and ``b = T u``, aligned with `Encoding.random`. Where the covariance K of
        the levels is known, u has it: ``u ~ N(0, sigma^2 K)``.
    unscaled_vcov : ndarray, (p, p)
        ``(RX'RX)^-1``; times sigma^2 it is the covariance of beta.
    ldL2, ldRX2 : float
        Log determinants of ``Lambda'Z'Z Lambda + I`` and of ``RX'RX``.
    pwrss, wrss, ussq : float
        Penalized weighted residual sum of squares, and its parts: ``pwrss = wrss + ussq``.
    factor : kernel.Cholesky
        The factor it was solved with; computed again when unpickled.
    """

    theta: Array
    factors: tuple[Array, ...]
    beta: Array
    u: tuple[Array, ...]
    b: tuple[Array, ...]
    unscaled_vcov: Array
    ldL2: float
    ldRX2: float
    pwrss: float
    wrss: float
    ussq: float
    system: System = field(repr=False, compare=False)
    factor: kernel.Cholesky = field(repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, tuple(getattr(self, f.name) for f in fields(self) if f.name != "factor")

    @classmethod
    def at(
        cls, system: System, factors: tuple[Array, ...], cholesky: kernel.Cholesky | None = None
    ) -> Solution:
        """Solve at relative covariance factors T, one per covariance block; see `System.factorize`."""
        with system.threads():
            return cls.from_factor(system, factors, system.factorize(factors, cholesky))

    @classmethod
    def finished(
        cls, system: System, parameters: Parameters, par: Array, compiled: kernel.ProfiledDeviance
    ) -> Solution:
        """Solve at parameters of a criterion whose blocks are any covariances; it gives its factor away."""
        with system.threads():
            try:
                found = compiled.finish(par, system.A.layout.corners, parameters.shift, *system.origin)
            except kernel.NotPositiveDefiniteError as error:
                raise ModelError(_NO_SOLUTION) from error
        factors, effects, *sizes, factor = found
        return cls._of(system, parameters.theta(factors), factors, effects, sizes, factor)

    @classmethod
    def from_factor(cls, system: System, factors: tuple[Array, ...], cholesky: kernel.Cholesky) -> Solution:
        """Solve by a factor at these relative covariance factors."""
        effects = cholesky.effects(system.A.layout.corners, factors, *system.origin)
        theta = theta_of(structures_of(system.encoding), system.A.layout, factors)
        sizes = cholesky.ld_l2, cholesky.ld_rx2, cholesky.pwrss
        return cls._of(system, theta, factors, effects, sizes, cholesky)

    @classmethod
    def _of(
        cls,
        system: System,
        theta: Array,
        factors: tuple[Array, ...],
        effects: tuple[Any, ...],
        sizes: Sequence[float],
        factor: kernel.Cholesky,
    ) -> Solution:
        beta, vcov, u, b, ussq = effects
        ld_l2, ld_rx2, pwrss = sizes
        return cls(theta, factors, beta, u, b, vcov, ld_l2, ld_rx2, pwrss, pwrss - ussq, ussq, system, factor)

    def conditional_covariance(self, i: int) -> Array:
        """Diagonal blocks of ``Lambda M^-1 Lambda'`` for covariance block i, (L, k, k).

        Times sigma^2 it is the covariance of the random effects given y, theta and beta (lme4's condVar).
        """
        return self.conditional_covariances()[i]

    def conditional_covariances(self) -> tuple[Array, ...]:
        """`conditional_covariance` of every covariance block, from one selected inverse."""
        joint = self.joint_covariances()
        places = self.system.A.layout.places
        return tuple(joint[place.group][:, place.columns, place.columns] for place in places)

    def joint_covariances(self) -> tuple[Array, ...]:
        """The same for all random effects of a level at once: one (L, k, k) per grouping factor of the
        layout.

        The effects of a level stand side by side, block after block, in the order of `Layout.blocks`.
        """
        with self.system.threads():
            diagonal = self.factor.inverse_diagonal()
        layout = self.system.A.layout
        T = layout.assembled(self.factors)
        return tuple(F @ np.asarray(D) @ F.T for F, D in zip(T, diagonal, strict=True))


def _restored(*values: Any) -> Solution:
    names = [f.name for f in fields(Solution) if f.name != "factor"]
    known = dict(zip(names, values, strict=True))
    system = known["system"]
    with system.threads():
        return Solution(**known, factor=system.factorize(known["factors"]))
