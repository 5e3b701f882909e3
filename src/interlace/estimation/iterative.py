"""The model without a factor: solves by conjugate gradients, log determinants from probes."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from interlace import kernel
from interlace.arrays import Array
from interlace.design.encoding import Encoding
from interlace.errors import ConvergenceError, ModelError
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.penalized import System
from interlace.estimation.solver import DEFAULT, Solver
from interlace.frozen import dataclass

# Passes over the blocks that a solve takes, more or less.
PASSES = 40.0
NO_FACTOR = (
    "it rests on the factor of the random effects, which the iterative engine does not have: its solves are "
    "by conjugate gradients, and its log determinants from probes. Fit with solver='exact' where that fits "
    "in memory"
)


class NoFactor:
    """Stands where the analysis or the factor of the exact engine would: whatever needs it is refused."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ModelError(f"this is not there after solver='iterative': {NO_FACTOR}")


class IterativeFactor(NoFactor):
    """What a solution asks of a factor, by conjugate gradients; the rest is refused.

    Parameters
    ----------
    solved : kernel.Iterative
    """

    def __init__(self, solved: kernel.Iterative) -> None:
        self._solved = solved
        self.beta: Array = solved.beta
        self.pwrss: float = solved.pwrss
        self.ld_l2: float = solved.ld_l2
        self.ld_rx2: float = solved.ld_rx2

    def spherical(self) -> list[Array]:
        """u per grouping factor of the kernel, (levels, k)."""
        return list(self._solved.spherical())

    def effects(self, *given: Any) -> Any:
        """As `kernel.Cholesky.effects`."""
        return self._solved.effects(*given)

    def unscaled_covariance(self) -> Array:
        """``(RX'RX)^-1``, (p, p)."""
        return np.asarray(self._solved.unscaled_covariance())


@dataclass(frozen=True, slots=True)
class IterativeSystem(System):
    """A model in the kernel's terms, without an analysis of a factor.

    Attributes
    ----------
    solver : Solver
        Probes and their seed.
    """

    solver: Solver = DEFAULT

    @classmethod
    def by(cls, solver: Solver, encoding: Encoding, A: CrossProducts, n_jobs: int | None) -> IterativeSystem:
        """The system of a model.

        Raises
        ------
        ModelError
            The iterative engine is not for this model.
        """
        why = unsuitable(encoding)
        if why:
            raise ModelError(f"solver='iterative' {why}")
        levels = tuple(None for _ in A.layout.k)
        return cls(encoding, A, NoFactor(), levels, n_jobs, solver)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).by, (self.solver, self.encoding, self.A, self.n_jobs)

    @property
    def flops(self) -> float:
        """Rough cost of one evaluation: passes over the blocks of levels that meet, for all columns."""
        products, pairs = self.A.products, len(self.A.layout.k)
        blocks = sum(len(products.zz_pair(g, f)[1]) for f in range(pairs) for g in range(f))
        return float(PASSES * blocks * max(self.A.layout.k) ** 2 * (self.solver.probes + products.p + 1))

    def factorize(self, factors: tuple[Array, ...], cholesky: kernel.Cholesky | None = None) -> Any:
        """The solution at these relative covariance factors, with an estimate of log det M."""
        return self.solved(factors, log_det=True)

    def solved(self, factors: tuple[Array, ...], *, log_det: bool) -> IterativeFactor:
        """The same; without `log_det` that is not estimated, which takes most of the time.

        Raises
        ------
        ModelError
            The response is fitted exactly.
        ConvergenceError
            The conjugate gradients do not converge.
        """
        solver = kernel.Iterative(self.A.products, self.solver.probes, self.solver.seed)
        try:
            solver.solve(self.internal_factors(factors), log_det)
        except kernel.NotSettledError as error:
            raise ConvergenceError(UNSETTLED) from error
        except kernel.NotPositiveDefiniteError as error:
            raise ModelError(
                "the penalized least-squares problem has no unique solution at these covariance parameters: "
                "the response is fitted exactly, or values are too large for double precision"
            ) from error
        return IterativeFactor(solver)


UNSETTLED = (
    "the conjugate gradients of the iterative engine did not converge: the random effects are so large "
    "beside the residuals, or their levels so thinly linked, that the system is ill-conditioned; use "
    "solver='exact'"
)


def unsuitable(encoding: Encoding) -> str:
    """Why the iterative engine is not for a model, as the end of a sentence; "" if it is."""
    if encoding.absorbed:
        return "is not for models with absorbed factors: leave it out, or make the factors random terms"
    if any(block.known is not None for block in encoding.random):
        return "is not for known covariances between levels (known=): leave one of the two out"
    if any(block.covariance not in PLAIN for block in encoding.random):
        return "is for terms (x | g) and (x || g), not for covariances with a structure (cs, ar1)"
    if len({block.group for block in encoding.random}) < 2:
        return (
            "is for crossed grouping factors. With one grouping factor the factorisation costs no more than "
            "a pass over its levels: leave it out"
        )
    return ""


PLAIN = ("unstructured", "diag")
