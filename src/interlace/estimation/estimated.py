"""The criterion by the iterative engine, and its minimum."""

from __future__ import annotations

from dataclasses import field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.arrays import Array
from interlace.errors import ModelError
from interlace.estimation.descent import AVERAGE, NEARLY_ZERO, decrement
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.ended import Ended
from interlace.estimation.iterative import NO_FACTOR
from interlace.estimation.optimum import Optimum
from interlace.frozen import dataclass

# The trust region goes by the estimated value; where it could fall by less than this, Newton steps on the
# estimated slopes follow, until these promise less than such a share of what their own noise does.
BY_VALUE, OF_NOISE, LEAST, STEPS = 1e-3, 1e-4, 1e-13, 20
SEEN = 1e-6  # a smaller cosine between a step and what was wrong of it teaches nothing
EVALUATIONS = 200


@dataclass(frozen=True, slots=True)
class EstimatedDeviance(ProfiledDeviance):
    """`ProfiledDeviance` with ldL2 and its slopes estimated from probes.

    With the same probes it is the same smooth function of the parameters. Its system is an `IterativeSystem`.
    """

    def kernel(self) -> Any:
        """The compiled criterion with a workspace of its own."""
        solver = self.system.solver  # type: ignore[attr-defined]
        basis, kind = self._map()
        entries = self.parameters.places
        return kernel.EstimatedDeviance(
            self.system.A.products, solver.probes, solver.seed, entries, basis, kind
        )

    def hessian(self, par: Array) -> Array:
        """Its average information, (n_par, n_par)."""
        with self.system.threads():
            return np.asarray(self.kernel().derivatives(np.asarray(par, dtype=np.float64))[1])

    def _parts(self, places: list[tuple[int, int, int]]) -> NoReturn:
        raise ModelError(f"this is not there after solver='iterative': {NO_FACTOR}")


@dataclass(frozen=True, slots=True)
class EstimatedOptimum(Optimum):
    """A minimum of an estimated criterion.

    Attributes
    ----------
    criterion_error : float
        Monte Carlo standard error of the value.
    noise : ndarray, (m, m)
        Monte Carlo covariance of the slopes there.
    iterations : int
        Of the conjugate gradients of an evaluation, at most.
    """

    criterion_error: float = 0.0
    noise: Array = field(default_factory=lambda: np.zeros((0, 0)))
    iterations: int = 0

    @property
    def par_covariance(self) -> Array:
        """Monte Carlo covariance of the parameters, ``H^-1 N H^-1``, (m, m): that of the root of slopes with
        covariance N. Those at zero have none."""
        out, free = np.zeros_like(self.noise), np.flatnonzero(self.par)
        H = np.linalg.pinv(self.hessian[np.ix_(free, free)])
        out[np.ix_(free, free)] = H @ self.noise[np.ix_(free, free)] @ H
        return out


def minimise_estimated(criterion: EstimatedDeviance) -> Ended[ProfiledDeviance]:
    """The root of the estimated slopes where the estimated criterion has its minimum.

    One search from the moments of the data by values and slopes; then, as these are estimates by themselves
    and not quite the derivatives of each other, Newton steps by the slopes alone. Entries near zero are tried
    at zero. Other minima are not looked for.
    """
    with criterion.system.threads():
        compiled = criterion.kernel()
        found = compiled.minimise(compiled.moment_start(), BY_VALUE, EVALUATIONS)
        search = _Root(criterion, compiled, found)
        search.try_boundary()
        search.descend()
        return Ended(criterion, search.optimum(), None)


class _Root:
    """Newton steps on the estimated slopes from the end of a search by values."""

    def __init__(self, criterion: EstimatedDeviance, compiled: Any, found: dict[str, Any]) -> None:
        self.criterion, self.compiled = criterion, compiled
        self.par, self.value = np.asarray(found["par"]), float(found["value"])
        self.evaluations, self.gradients = int(found["evaluations"]), int(found["gradients"])
        self.status = str(found["status"])
        self.gradient, self.hessian = np.asarray(found["gradient"]), np.asarray(found["hessian"])

    def try_boundary(self) -> None:
        """Sizes near zero at zero, if the criterion is as low there."""
        at_zero = np.where(self.criterion.parameters.even & (np.abs(self.par) < NEARLY_ZERO), 0.0, self.par)
        if np.array_equal(at_zero, self.par):
            return
        self.evaluations += 1
        if self.compiled.value(at_zero) <= self.value + BY_VALUE:
            self.par = at_zero

    def descend(self) -> None:
        """Until the slopes promise nothing more that could be told from their noise."""
        secant, before = np.zeros_like(self.hessian), None
        self.status = "too many evaluations"
        for _ in range(STEPS):
            gradient, plain = map(np.asarray, self.compiled.derivatives(self.par))
            self.gradient = np.where(self.par != 0.0, gradient, 0.0)
            self.value = self.compiled.last_value
            self.evaluations += 1
            self.gradients += 1
            # 1) the curvature, with what the last step has taught of it
            if before is not None:
                step, change = self.par - before[0], self.gradient - before[1]
                missed = change - (plain + secant) @ step
                if abs(missed @ step) > SEEN * np.linalg.norm(missed) * np.linalg.norm(step):
                    secant = secant + np.outer(missed, missed) / (missed @ step)
            self.hessian = plain + secant
            # 2) the end, or a step
            free = np.flatnonzero(self.par)
            H, g = self.hessian[np.ix_(free, free)], self.gradient[free]
            if g.size and np.linalg.eigvalsh(H)[0] <= 0:
                self.hessian, H, secant = plain, plain[np.ix_(free, free)], np.zeros_like(plain)
            if not g.size or self._is_end(g, H, free):
                self.status = "converged"
                return
            before = self.par, self.gradient
            self.par = self.par.copy()
            self.par[free] -= np.linalg.solve(H, g)

    def _is_end(self, g: Array, H: Array, free: NDArray[np.intp]) -> bool:
        noise = np.asarray(self.compiled.noise())[np.ix_(free, free)]
        return decrement(g, H) < max(OF_NOISE * float(np.trace(np.linalg.solve(H, noise))), LEAST)

    def optimum(self) -> EstimatedOptimum:
        """What was found."""
        return EstimatedOptimum(
            par=self.par,
            value=self.value,
            gradient=self.gradient,
            hessian=self.hessian,
            hessian_kind=AVERAGE,
            status=self.status,
            evaluations=self.evaluations,
            gradients=self.gradients,
            at_zero=self.criterion.zero_components(self.par),
            criterion_error=self.compiled.log_det_error,
            noise=np.asarray(self.compiled.noise()),
            iterations=self.compiled.iterations,
        )
