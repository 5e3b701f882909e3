"""What a fitted model says of rows that it has not seen: their mean, how sure it is, and their density."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interlace.arrays import Array
from interlace.design.design import Design
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.penalized import Solution
from interlace.frozen import dataclass
from interlace.prediction.predict import fixed_and_random
from interlace.prediction.selection import Part

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, slots=True)
class Predictive:
    """The normal distribution of new responses, given the data and the variances.

    The random effects and the coefficients are integrated out, the latter over a flat prior: for rows
    ``w = [Z X]`` with prior weights W it is ``N(E y, sigma^2 (W^-1 + w J w'))`` with ``sigma^2 J`` the
    covariance of ``(b - b^, beta - beta^)``. Levels without data have ``b ~ N(0, sigma^2 T T')``.

    Attributes
    ----------
    solution : Solution
        Of products that know the levels of the new rows, with data or without.
    scale : float
        ``sigma^2``.
    """

    solution: Solution
    scale: float

    def mean(self, design: Design) -> Array:
        """``X beta + offset + Z b`` of rows with the columns of the solution, (n,)."""
        parts = [Part(i, tuple(range(b.shape[1]))) for i, b in enumerate(self.solution.b)]
        return fixed_and_random(self.solution, design, parts)

    def sd(self, design: Design) -> Array:
        """Standard deviation of each new response about its mean, (n,)."""
        system, factor = self.solution.system, self.solution.factor
        with system.threads():
            overall, _, _ = factor.leverage(factor.joint_inverse(), **system.A.rows(design))
        variance = 1.0 + np.asarray(overall)
        if design.weights is not None:
            variance /= design.weights
        return np.asarray(np.sqrt(self.scale * variance))

    def log_density(self, rows: Sequence[CrossProducts]) -> Array:
        """The logarithm of the joint density of the responses of some rows, for each of several products.

        The products are of those rows about the origin of the solution. With ``d(A) = ldL2 + ldRX2 +
        pwrss / sigma^2`` at theta it is that of ``p(y_new, y) / p(y)``:
        ``(d(A) - d(A + A_new) + sum log w - m log(2 pi sigma^2)) / 2`` for m rows.
        """
        system = self.solution.system
        before, out = self._energy(self.solution), np.empty(len(rows))
        for i, new in enumerate(rows):
            both = Solution.at(system.with_products(system.A + new), self.solution.factors)
            constant = new.products.sum_log_w - new.n * (LOG_2PI + np.log(self.scale))
            out[i] = (before - self._energy(both) + constant) / 2
        return out

    def _energy(self, solution: Solution) -> float:
        return solution.ldL2 + solution.ldRX2 + solution.pwrss / self.scale


def normal_log_density(y: Array, mean: Array, sd: Array) -> Array:
    """``log N(y; mean, sd^2)``."""
    return np.asarray(-0.5 * (LOG_2PI + ((y - mean) / sd) ** 2) - np.log(sd))


def normal_crps(y: Array, mean: Array, sd: Array) -> Array:
    """Continuous ranked probability score of a normal prediction: small is good, in the unit of y.

    ``sd (z (2 Phi(z) - 1) + 2 phi(z) - pi^(-1/2))`` with ``z = (y - mean) / sd``, the integral of
    ``(F(t) - 1[y <= t])^2``.

    References
    ----------
    Gneiting, T., and Raftery, A. E. (2007). Strictly proper scoring rules, prediction, and estimation.
    Journal of the American Statistical Association, 102, 359-378.

    Examples
    --------
    >>> import numpy as np
    >>> normal_crps(np.array([0.0]), np.array([0.0]), np.array([1.0])).round(4).tolist()
    [0.2337]
    """
    from scipy import special  # slow to import

    z = (y - mean) / sd
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.asarray(sd * (z * (2 * special.ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi)))
