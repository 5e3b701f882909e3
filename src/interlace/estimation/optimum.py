"""A minimum of a criterion, and what there is to say about it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from interlace.estimation.descent import decrement
from interlace.frozen import dataclass

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Valley:
    """A minimum of the criterion that is not the lowest.

    Attributes
    ----------
    value : float
    theta : ndarray
        The relative covariance factors there, in lme4's order.
    """

    value: float
    theta: Array


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
        "exact", or "average information" where an exact one would cost more than the fit, or where it is
        `hopeless`; "values of the criterion" where derivatives cost more than these.
    status : str
        "converged", or what ended the search.
    evaluations, gradients : int
        Of the criterion, and of its gradient, in all searches together.
    searches : int
        How many there were.
    at_zero : tuple of str
        Names of the components that are zero: diagonal entries of Lambda on the boundary.
    other : Valley or None
        The lowest of the other minima that were found.
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
    searches: int = 1
    other: Valley | None = None

    @property
    def converged(self) -> bool:
        """Did the search end at a minimum?"""
        return self.status == "converged"

    @property
    def decrement(self) -> float:
        """``g'H^-1 g / 2``: how much lower the criterion could still be, whatever the units of the data."""
        return decrement(self.gradient, self.hessian)

    @property
    def smallest_eigenvalue(self) -> float:
        """Of the Hessian: positive at a minimum (zero where a direction does not matter)."""
        return float(np.linalg.eigvalsh(self.hessian)[0]) if self.par.size else 0.0
