"""Scales on which the estimate of a parameter is nearly symmetric about its value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from interlace.arrays import Array
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.variances.natural import parameter_names


@dataclass(frozen=True, slots=True)
class Scale:
    """A monotone function of a parameter.

    Attributes
    ----------
    to, back, slope : callable
        The function, its inverse, and its derivative; of numbers or arrays. At the edge of what is possible
        the function and the derivative are infinite.
    """

    to: Callable[[Array], Array]
    back: Callable[[Array], Array]
    slope: Callable[[Array], Array]

    def around(self, value: Array, steps: Array) -> Array:
        """What lies so many steps from a value, ``back(to(value) + slope(value) steps)``; NaN about a value
        at the edge.

        A short step is one unit of the parameter. Next to the edge the ends are those of the range.
        """
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            middle = self.to(value)
            ends = self.back(middle + self.slope(value) * steps)
        return np.asarray(np.where(np.isfinite(middle), ends, np.nan))


def _same(value: Array) -> Array:
    return value


def _one(value: Array) -> Array:
    return np.ones_like(value)


def _fisher_slope(r: Array) -> Array:
    return np.asarray(1 / (1 - np.square(r)))


NATURAL = Scale(_same, _same, _one)
LOGARITHM = Scale(np.log, np.exp, np.reciprocal)  # of standard deviations
FISHER = Scale(np.arctanh, np.tanh, _fisher_slope)  # of correlations


def scales(fit: Fit) -> tuple[Scale, ...]:
    """Of the parameters in the order of `parameter_names`: logarithms of standard deviations, Fisher's z of
    correlations, and coefficients as they are."""
    names = parameter_names(fit)
    random = len(names) - len(fit.names)
    of_random = [FISHER if name.startswith(("cor_", "rho|")) else LOGARITHM for name in names[:random]]
    return (*of_random, *[NATURAL] * len(fit.names))
