"""The search for the minimum of a criterion, and the proof that it was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interlace.estimation.deviance import ProfiledDeviance

Array = NDArray[np.float64]

TOLERANCE = 1e-10
MAX_EVALUATIONS = 2000
# Diagonal entries below this are tried at exactly zero.
NEARLY_ZERO = 1e-2
# The exact Hessian costs two gradients for each parameter: it is computed when that is below this many flops.
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
        Parameters to start from; `criterion.start` by default.

    Returns
    -------
    Optimum
    """
    compiled = criterion.kernel()
    found = compiled.minimise(criterion.start if start is None else start, TOLERANCE, MAX_EVALUATIONS)
    par, value = np.asarray(found["par"]), found["value"]
    evaluations, gradients = found["evaluations"], found["gradients"]
    # 1) the boundary: the search keeps diagonal entries a hair away from zero
    zero = criterion.diagonal & (np.abs(par) < NEARLY_ZERO)
    moved = False
    if zero.any():
        trial = np.where(zero, 0.0, par)
        at_zero = compiled.value(trial)
        evaluations += 1
        if at_zero <= value + TOLERANCE + 1e-14 * abs(value):
            par, value, moved = trial, at_zero, True
        else:
            zero[:] = False
    # 2) the Hessian as proof
    gradient, hessian, kind = np.asarray(found["gradient"]), np.asarray(found["hessian"]), "average information"
    if 2 * len(par) * _gradient_flops(criterion) < CHEAP_FLOPS:
        hessian, kind = np.asarray(compiled.hessian(par)), "exact"
        gradients += 2 * len(par)
    if moved:
        gradient = np.asarray(compiled.gradient(par))
        gradients += 1
    names = np.array(criterion.names, dtype=object)
    return Optimum(
        par=par,
        value=value,
        gradient=gradient,
        hessian=hessian,
        hessian_kind=kind,
        status=found["status"],
        evaluations=evaluations,
        gradients=gradients,
        at_zero=tuple(names[zero & (par == 0.0)]),
    )


def _gradient_flops(criterion: ProfiledDeviance) -> float:
    """Rough cost of one gradient: three factorisations, and the fixed effects along the random ones."""
    layout = criterion.system.A.layout
    columns = criterion.system.A.products.p + 1
    q = sum(levels * k for levels, k in zip(layout.levels, layout.k, strict=True))
    return 3.0 * criterion.system.symbolic.flops + 4.0 * q * columns * (columns + max(layout.k))
