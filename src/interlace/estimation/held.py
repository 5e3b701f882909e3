"""The deviance with one quantity of the model held at a value: what a likelihood profile is made of.

The coordinates x are the covariance parameters and log sigma. A chart writes them as functions of fewer
numbers y, for which the quantity has its value whatever they are, so that every search is without
constraints.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.estimation.charts import SMALLEST_START, Angle, Chart, Coordinate, Deviation, Pair
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.parameters import Parameters
from interlace.estimation.scaled import Scaled
from interlace.frozen import dataclass

Array = NDArray[np.floating]

TOLERANCE = 1e-11
EVALUATIONS = 500


@dataclass(frozen=True, slots=True)
class Held:
    """A point of a profile.

    Attributes
    ----------
    value, deviance : float
        The quantity, and the lowest criterion with it.
    slope : float
        Derivative of the deviance in the value; NaN at a limit.
    y : ndarray
        The other coordinates, from which to start the next search.
    converged : bool
    """

    value: float
    deviance: float
    slope: float
    y: Array
    converged: bool


class Joint:
    """The criterion before sigma is profiled out, a function of x:
    ``ldL2 (+ ldRX2) + df log(2 pi sigma^2) + pwrss / sigma^2``.

    Parameters
    ----------
    criterion : ProfiledDeviance
    parameters : Parameters
        Of the criterion, in the basis that a chart asks for.
    """

    def __init__(self, criterion: ProfiledDeviance, parameters: Parameters) -> None:
        A = criterion.system.A
        self._mapped = criterion.with_parameters(parameters).mapped()
        self._df = criterion.df
        self._logs = A.products.sum_log_w
        self._reml = criterion.reml

    def value(self, x: Array) -> float:
        """The criterion; infinite where it cannot be computed."""
        if not np.isfinite(x).all():
            return np.inf
        try:
            self._mapped.value(x[:-1])
        except kernel.NotPositiveDefiniteError:
            return np.inf
        ldL2, ldRX2 = self._mapped.log_determinants
        with np.errstate(over="ignore"):
            squares = self._mapped.pwrss * np.exp(-2 * x[-1])
        logs = self._df * (np.log(2 * np.pi) + 2 * x[-1]) - self._logs
        return float(ldL2 + self._reml * ldRX2 + logs + squares)

    def derivatives(self, x: Array) -> tuple[Array, Array]:
        """Gradient and a Hessian that is good near a minimum; `value` was asked last at x."""
        scale = np.exp(2 * x[-1])
        slopes, average, misfit = self._mapped.at_scale(x[:-1], scale)
        squares, m = self._mapped.pwrss / scale, len(x) - 1
        H = np.empty((m + 1, m + 1))
        H[:m, :m], H[m, :m], H[m, m] = average, 4 * misfit / scale, 4 * squares
        H[:m, m] = H[m, :m]
        return np.append(slopes, 2 * (self._df - squares)), H

    def hold(self, quantity: Quantity, value: float, y: Array) -> Held:
        """The lowest criterion where the quantity has this value, searched from y."""
        chart = quantity.chart

        def derivatives(y: Array) -> tuple[Array, Array]:
            gradient, H = self.derivatives(chart.at(y, value))
            J = chart.jacobian(y, value)
            return J.T @ gradient, J.T @ H @ J + chart.bend(y, value, gradient)

        def criterion(y: Array) -> float:
            return self.value(chart.at(y, value))

        start = np.where(quantity.sizes & (np.abs(y) < SMALLEST_START), SMALLEST_START, y)
        found = kernel.minimise(
            criterion, derivatives, start, TOLERANCE, EVALUATIONS, lambda: self._mapped.rounding
        )
        best = np.asarray(found["par"])
        deviance = criterion(best)
        slope = self.derivatives(chart.at(best, value))[0] @ chart.moves(best, value)
        return Held(value, deviance, float(slope), best, found["status"] == "converged")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A standard deviation, a correlation or sigma: how it is held, and its range.

    Attributes
    ----------
    name : str
    chart : Chart
    parameters : Parameters
        In the basis of the chart.
    lower, upper : float
    """

    name: str
    chart: Chart
    parameters: Parameters
    lower: float
    upper: float

    @property
    def sizes(self) -> NDArray[np.bool_]:
        """Which coordinates y are sizes: where one is zero the criterion has no slope in it."""
        return np.delete(np.append(self.parameters.even, False), self.chart.removed)

    def x(self, others: Parameters, par: Array, sigma: float) -> Array:
        """The coordinates of a fit whose parameters are in the basis of `others`."""
        return np.append(self.parameters.expressing(others, par), np.log(sigma))


def residual(parameters: Parameters) -> Quantity:
    """sigma."""
    n = parameters.n_par
    return Quantity("sigma", Coordinate(n, n + 1), parameters, 0.0, np.inf)


def quantities(parameters: Parameters, i: int, label: str, columns: tuple[str, ...]) -> list[Quantity]:
    """Those of covariance block i, in the order of lme4's theta: each column of the lower triangle."""
    s = parameters.structures[i]
    if isinstance(s, Scaled):
        return _scaled(parameters, i, s, label, columns)
    out = []
    for col in range(s.k):
        out.append(_deviation(parameters, i, f"sd_{columns[col]}|{label}", col))
        for row in range(col + 1, s.k):
            out.append(_pair(parameters, i, f"cor_{columns[row]}.{columns[col]}|{label}", col, row))
    return out


def _scaled(
    parameters: Parameters, i: int, s: Scaled, label: str, columns: tuple[str, ...]
) -> list[Quantity]:
    at, n = parameters.slices[i], parameters.n_par + 1
    length = np.diagonal(_to_effects(parameters, i))
    names = [f"sd_{c}|{label}" for c in columns] if s.variances == s.k else [f"sd|{label}"]
    out = [
        Quantity(name, Deviation(at.start + j, n, float(length[j]), s.power), parameters, 0.0, np.inf)
        for j, name in enumerate(names)
    ]
    if s.correlation.n_par:
        low, high = s.correlation.limits(s.k)
        chart = Angle(at.stop - 1, n, s)
        out.append(Quantity(f"rho|{label}", chart, parameters, float(low), float(high)))
    return out


def _to_effects(parameters: Parameters, i: int) -> Array:
    """Effects in the units of the data from those of the basis, (k, k)."""
    B, R = parameters.basis[i], parameters.shift[i]
    return np.asarray((2.0 * np.identity(len(R)) - R) @ B)


def _deviation(parameters: Parameters, i: int, name: str, effect: int) -> Quantity:
    turned, rows = _turned(parameters, i, [effect])
    chart = Deviation(parameters.slices[i].start, parameters.n_par + 1, float(rows[0, 0]), 1)
    return Quantity(name, chart, turned, 0.0, np.inf)


def _pair(parameters: Parameters, i: int, name: str, col: int, row: int) -> Quantity:
    turned, rows = _turned(parameters, i, [col, row])
    first = parameters.slices[i].start
    k = parameters.structures[i].k
    b = (float(rows[1, 0]), float(rows[1, 1]))
    chart = Pair(first, first + 1, first + k, parameters.n_par + 1, b)
    return Quantity(name, chart, turned, -1.0, 1.0)


def _turned(parameters: Parameters, i: int, effects: list[int]) -> tuple[Parameters, Array]:
    """A basis whose first directions are those of these effects, and the effects in it: lower triangular with
    a diagonal that is positive."""
    rows = _to_effects(parameters, i)[effects]
    Q, R = np.linalg.qr(rows.T, mode="complete")
    Q[:, : len(effects)] *= np.where(np.diagonal(R) < 0, -1.0, 1.0)
    basis = list(parameters.basis)
    basis[i] = basis[i] @ Q
    return replace(parameters, basis=tuple(basis)), rows @ Q


class Line:
    """A linear function of the fixed effects is held: ``l'beta``, by maximum likelihood.

    One coefficient is written as a function of the others, so that columns of X and the response change and
    the covariance parameters are searched as ever.
    """

    def __init__(self, criterion: ProfiledDeviance, line: Array) -> None:
        system = criterion.system
        origin, p = system.A.origin, len(line)
        J, moved = np.identity(p), origin.beta.copy()
        if system.encoding.intercept is not None:
            at = system.encoding.intercept
            J[at] -= origin.x
            moved[at] += origin.y / J[at, at]
        self._criterion, self._line = criterion, line
        centred, self._shift = J.T @ line, float(line @ (J @ moved))
        length = np.sqrt(np.diagonal(system.A.products.xx))
        j = int(np.argmax(np.abs(centred) / length))
        self._v = np.identity(p)[j] / centred[j]
        self._H = np.delete(np.identity(p) - np.outer(self._v, centred), j, axis=1)

    def _at(self, value: float) -> ProfiledDeviance:
        system = self._criterion.system
        moved = (value - self._shift) * self._v
        products = kernel.with_fixed(system.A.products, np.ascontiguousarray(self._H), moved)
        A = replace(system.A, products=products, by_cell=None)
        return replace(self._criterion, system=system.with_products(A))

    def hold(self, value: float, par: Array) -> Held:
        """The lowest deviance where the function has this value, searched from these parameters."""
        criterion = self._at(value)
        compiled = criterion.kernel()
        found = compiled.minimise(par, TOLERANCE, EVALUATIONS)
        best = np.asarray(found["par"])
        # the function at these parameters where nothing is held tells the slope
        free = self._criterion.solution(best)
        distance, variance = value - self._line @ free.beta, self._line @ free.unscaled_vcov @ self._line
        left = free.pwrss + distance**2 / variance
        slope = 2 * self._criterion.system.A.n * distance / variance / left
        return Held(value, float(found["value"]), float(slope), best, found["status"] == "converged")
