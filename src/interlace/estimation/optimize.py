"""The search for the minimum of a criterion, and the proof that it was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.estimation.deviance import ProfiledDeviance

Array = NDArray[np.float64]

TOLERANCE = 1e-10
MAX_EVALUATIONS = 2000
# Diagonal entries below this are tried at exactly zero.
NEARLY_ZERO = 1e-2
# The exact Hessian costs two gradients, each about three factorisations, for each parameter: it is computed when that is below
# this many flops.
CHEAP_FLOPS = 2e9


@dataclass(frozen=True, slots=True)
class Optimum:
    """A minimum and what there is to say about it.

    Attributes
    ----------
    par : ndarray, (m,)
        Parameters of the criterion (not theta).
    value : float
    gradient : ndarray, (m,)
    hessian : ndarray, (m, m)
    hessian_kind : str
        "exact", or "average information" where an exact one would cost more than the fit.
    status : str
        "converged", or what ended the search.
    evaluations, gradients : int
        Of the criterion, and of its gradient.
    at_zero : tuple of str
        Names of the components that are zero: diagonal entries of Lambda on the boundary.
    """

    par: Array
    value: float
    gradient: Array
    hessian: Array
    hessian_kind: str
    status: str
    evaluations: int
    gradients: int
    at_zero: tuple[str, ...]

    @property
    def converged(self) -> bool:
        """Did the search end at a minimum?"""
        return self.status == "converged"

    @property
    def decrement(self) -> float:
        """``g'H^-1 g / 2``: how much lower the criterion could still be, whatever the units of the data."""
        if not self.par.size:
            return 0.0
        step = np.linalg.lstsq(self.hessian, self.gradient, rcond=1e-12)[0]
        return float(0.5 * self.gradient @ step)

    @property
    def smallest_eigenvalue(self) -> float:
        """Of the Hessian: positive at a minimum (zero where a direction does not matter)."""
        return float(np.linalg.eigvalsh(self.hessian)[0]) if self.par.size else 0.0


def minimise(criterion: ProfiledDeviance, start: Array | None = None) -> Optimum:
    """Trust-region Newton steps on the exact gradient, then components near zero are tried at zero.

    Parameters
    ----------
    criterion : ProfiledDeviance
    start : ndarray, optional
        Parameters to start from; by default they are computed from the moments of the data.

    Returns
    -------
    Optimum
    """
    with kernel.blas_threads(criterion.system.flops):
        return _search(criterion, criterion.kernel(), start)


def _search(criterion: ProfiledDeviance, compiled: kernel.ProfiledDeviance, start: Array | None) -> Optimum:
    start = compiled.moment_start() if start is None else start
    found = compiled.minimise(start, TOLERANCE, MAX_EVALUATIONS)
    par, value, gradient = found["par"], found["value"], found["gradient"]
    evaluations, gradients = found["evaluations"], found["gradients"]
    # 1) the boundary: the search keeps diagonal entries a hair away from zero
    zero = criterion.diagonal & (np.abs(par) < NEARLY_ZERO)
    if zero.any():
        trial = np.where(zero, 0.0, par)
        at_zero = compiled.value(trial)
        evaluations += 1
        if at_zero <= value + TOLERANCE + 1e-14 * abs(value):
            par, value, gradient = trial, at_zero, compiled.gradient(trial)
            gradients += 1
    # 2) the Hessian as proof
    hessian, kind = found["hessian"], "average information"
    if 6 * len(par) * criterion.system.flops < CHEAP_FLOPS:
        hessian, kind = compiled.hessian(par), "exact"
        gradients += 2 * len(par)
    names = criterion.names
    return Optimum(
        par=par,
        value=value,
        gradient=gradient,
        hessian=hessian,
        hessian_kind=kind,
        status=found["status"],
        evaluations=evaluations,
        gradients=gradients,
        at_zero=tuple(names[i] for i in np.flatnonzero(criterion.diagonal & (par == 0.0))),
    )
