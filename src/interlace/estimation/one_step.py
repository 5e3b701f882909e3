"""One step from the optimum of all data towards that of data which are nearly the same.

It is Newton's, taken in the variances and covariances psi, in which the covariance of y is linear:
``V = sum_j psi_j V_j`` with ``V_0 = W^-1``. There the expected Hessian of the criterion is
``E_ij = tr(P V_i P V_j)`` and its expected third derivative ``2 dE_ij / dpsi_k``. With gradient g and
Hessian H of the other data the optimum is at ``delta = -(H + dE[delta])^-1 g`` up to terms of third order,
and for balanced data exactly, as far away as it may be. The curvature of the step is ``H + dE[delta]`` at a
first guess of delta. The gradient at the end tells what is left, and is followed twice with the same
curvature and what was seen of it on the way (BFGS).

Where the fixed part lacks the column of a random effect, the criterion has a valley that is curved in psi
and straight in regressions of the effects on each other (`RegressionChart`): there a step in these is tried
too, and the lower end counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.parameters import Parameters
from interlace.estimation.regression_chart import RegressionChart
from interlace.estimation.variance_chart import VarianceChart
from interlace.frozen import dataclass
from interlace.kernel import NotPositiveDefiniteError

# Directions with less curvature than this share of the largest are not stepped along; where a curvature is in
# some direction less than the second of what is expected, a simpler one is taken.
FLAT, LEAST = 1e-7, 0.2
# Along a valley there is less curvature than is expected; rounding error is less than this share of it.
VALLEY = 1e-5
# A size at zero is moved here first, a correlation at a limit as far: there the criterion has no slope in it.
NEARLY_ZERO = 0.01
# Where a step ends, a size below this is one of zero.
ZERO = 1e-4
# Of central differences of the expected Hessian, in proportion to a parameter.
SHIFT = 0.01
# How often the gradient at the end is followed with the same curvature.
CORRECTIONS = 2


@dataclass(frozen=True, slots=True)
class Informations:
    """Gradient, Hessian and expected Hessian of a criterion in the variances, (m + 1,) and (m + 1, m + 1)."""

    gradient: Array
    observed: Array
    expected: Array


class OneStep:
    """Steps from one point towards the optimum of other data.

    Parameters
    ----------
    criterion : ProfiledDeviance
        Of all data.
    par : ndarray, (m,)
        Its optimum.
    lacking : sequence of ndarray of bool, (k,)
        Per block, the columns that the fixed part lacks.
    """

    def __init__(self, criterion: ProfiledDeviance, par: Array, lacking: Sequence[NDArray[np.bool_]]) -> None:
        self._criterion, self.par = criterion, off_limits(criterion.parameters, par)
        self._chart = VarianceChart(criterion.parameters)
        moved = (self.par != par).any()  # a variance of zero has no logarithm
        first = [one & ~moved for one in lacking]
        none = [np.zeros_like(one) for one in lacking]
        self._variances = RegressionChart(criterion.parameters, none)
        self._regressions = RegressionChart(criterion.parameters, first)

    @cached_property
    def whole(self) -> Informations:
        """Those of all data."""
        return _informations(self._criterion, self._chart, self.par)

    @cached_property
    def third(self) -> Array:
        """The derivatives ``dE / dpsi_k`` of all data, (m + 1, m + 1, m + 1), k first."""
        m, in_x = len(self.par), []
        for i in range(m):
            shift = np.zeros(m)
            shift[i] = SHIFT * max(abs(self.par[i]), NEARLY_ZERO)
            after, before = (
                _informations(self._criterion, self._chart, self.par + s) for s in (shift, -shift)
            )
            in_x.append((after.expected - before.expected) / (2 * shift[i]))
        in_x.append(-2 * self.whole.expected)  # E is of degree -2
        slope = self._chart.slope(np.append(self.par, 0.0))
        return np.tensordot(np.linalg.inv(slope).T, np.array(in_x), 1)

    def end(self, gradient: Array) -> Array:
        """The parameters after a step by this gradient of other data and the curvature of all, (m,)."""
        x = np.append(self.par, 0.0)
        g = np.linalg.solve(self._chart.slope(x).T, np.append(gradient, 0.0))
        curvature = _upward(self.whole.observed, self.whole.expected)
        return self._limited(self._chart.nearest(x, _step(g, curvature), curvature))

    def end_of(self, criterion: ProfiledDeviance) -> Array:
        """The parameters after a step for the data of another criterion, by its own Hessian."""
        here, start = _informations(criterion, self._chart, self.par), np.append(self.par, 0.0)
        moves, walk = self._moves(here), _Walk(self._chart, criterion, self.par)
        with criterion.system.threads():
            ends = [walk.after(one, start, here.gradient) for one in moves]
            best = 0 if len(ends) == 1 else int(np.argmin([walk.value(x) for x in ends]))
            move, x, seen = moves[best], ends[best], (self._chart.at(start), here.gradient)
            for _ in range(CORRECTIONS):
                x, left = walk.gradient(x)
                now = self._chart.at(x), left
                move, seen = move.having_seen(seen, now), now
                x = walk.after(move, x, left)
        return self._limited(x)

    def _moves(self, here: Informations) -> list[_Moves]:
        """Steps in the variances, and in regressions where these differ."""
        straight, psi = self._straight(here), self._chart.at(np.append(self.par, 0.0))
        out = [_Moves(self._variances, straight, straight)]
        if self._regressions.differs:
            slope = self._regressions.slope(psi)
            observed = slope.T @ here.observed @ slope + self._regressions.bend(psi, here.gradient)
            inside = _upward(observed, slope.T @ here.expected @ slope, VALLEY)
            out.append(_Moves(self._regressions, inside, straight))
        return out

    def _straight(self, here: Informations) -> Array:
        """The curvature in the variances for the data that were looked at here."""
        all_data = self.whole
        # 1) what all data see beyond what is expected, and what the others expect
        expected = here.expected
        simple = _upward(all_data.observed - all_data.expected + expected, expected)
        # 2) what the others see, with what their own step changes of it
        R = _taking(all_data.expected, expected)
        third = R.T @ np.tensordot(_step(here.gradient, simple), self.third, 1) @ R
        curvature: Array = here.observed + third
        return curvature if _least(curvature, expected) >= LEAST else simple

    def _limited(self, x: Array) -> Array:
        return self._criterion.parameters.at_limit(x[:-1], ZERO)


@dataclass(frozen=True, slots=True)
class _Moves:
    """Steps in a chart, by a curvature there.

    Attributes
    ----------
    chart : RegressionChart
    curvature : ndarray, (m + 1, m + 1)
        In the coordinates of the chart.
    metric : ndarray, (m + 1, m + 1)
        In the variances: what tells which are near. That of the chart, if it is that of the variances.
    """

    chart: RegressionChart
    curvature: Array
    metric: Array

    def change(self, psi: Array, gradient: Array) -> Array:
        """What a step by this gradient in the variances changes of them."""
        return self.chart.moved(psi, _step(self.chart.slope(psi).T @ gradient, self.curvature)) - psi

    def having_seen(self, before: tuple[Array, Array], now: tuple[Array, Array]) -> _Moves:
        """With the curvature between two points (BFGS), given psi and the gradient at each."""
        (psi, g), (psi_now, g_now) = before, now
        s = self.chart.at(psi_now) - self.chart.at(psi)
        y = self.chart.slope(psi_now).T @ g_now - self.chart.slope(psi).T @ g
        Cs = self.curvature @ s
        expected, seen = float(s @ Cs), float(s @ y)
        if not seen > LEAST * expected > 0:
            return self
        curvature = self.curvature - np.outer(Cs, Cs) / expected + np.outer(y, y) / seen
        return replace(self, curvature=curvature, metric=self.metric if self.chart.differs else curvature)


class _Walk:
    """From point to point x = (par, log sigma^2) of a criterion; sigma^2 is one at the first."""

    def __init__(self, chart: VarianceChart, criterion: ProfiledDeviance, par: Array) -> None:
        self._chart, self._parameters = chart, criterion.parameters
        self._compiled = criterion.kernel()
        self._compiled.value(par)
        self._first = self._compiled.pwrss

    def after(self, move: _Moves, x: Array, gradient: Array) -> Array:
        """The point after a step by this gradient in the variances."""
        x = self._chart.nearest(x, move.change(self._chart.at(x), gradient), move.metric)
        x[:-1] = off_limits(self._parameters, x[:-1])
        return x

    def value(self, x: Array) -> float:
        """The criterion; infinite where it has no value."""
        try:
            return float(self._compiled.value(x[:-1]))
        except NotPositiveDefiniteError:
            return np.inf

    def gradient(self, x: Array) -> tuple[Array, Array]:
        """The point with the best sigma^2, and the gradient in the variances there."""
        left = np.append(self._compiled.gradient(x[:-1]), 0.0)
        x = np.append(x[:-1], np.log(self._compiled.pwrss / self._first))
        return x, np.linalg.solve(self._chart.slope(x).T, left)


def off_limits(parameters: Parameters, par: Array) -> Array:
    """The parameters, sizes at zero and correlations at a limit moved away from it."""
    out = np.where(parameters.even & (np.abs(par) < ZERO), NEARLY_ZERO, par)
    if not parameters.scouted:
        return out
    beside = out + ZERO / 2  # what is at a limit goes back there
    at = ~parameters.even & (parameters.at_limit(beside, ZERO) != beside)
    return np.where(at, out - NEARLY_ZERO, out)


def _units(expected: Array) -> Array:
    return 1 / np.sqrt(np.maximum(np.diagonal(expected), np.finfo(float).tiny))


def _taking(a: Array, b: Array) -> Array:
    """R with ``R' a R = b``, nearest to the identity in the metric of a; both positive definite."""
    unit = _units(a)
    value, vectors = np.linalg.eigh(a * np.outer(unit, unit))
    value = np.maximum(value, FLAT * value[-1])
    root = (np.sqrt(value) * vectors) @ vectors.T / unit
    inverse = unit[:, None] * (vectors / np.sqrt(value)) @ vectors.T
    value, vectors = np.linalg.eigh(inverse.T @ b @ inverse)
    return np.asarray(inverse @ (np.sqrt(np.maximum(value, 0.0)) * vectors) @ vectors.T @ root)


def _least(curvature: Array, expected: Array) -> float:
    """The least curvature in any direction over what is expected there."""
    unit = _units(expected)
    value, vectors = np.linalg.eigh(expected * np.outer(unit, unit))
    root = unit[:, None] * vectors / np.sqrt(np.maximum(value, FLAT * value[-1]))
    return float(np.linalg.eigvalsh(root.T @ curvature @ root)[0])


def _upward(curvature: Array, expected: Array, least: float = LEAST / 10) -> Array:
    """The curvature, or where it is not upward in all directions what is expected."""
    return curvature if _least(curvature, expected) > least else expected


def _step(gradient: Array, curvature: Array) -> Array:
    """``-C^-1 g`` along the directions in which something is seen."""
    unit = _units(curvature)
    value, vectors = np.linalg.eigh(curvature * np.outer(unit, unit))
    seen = value > FLAT * value[-1]
    vectors = unit[:, None] * vectors[:, seen]
    return np.asarray(-(vectors / value[seen]) @ (vectors.T @ gradient))


def _informations(criterion: ProfiledDeviance, chart: VarianceChart, par: Array) -> Informations:
    """At these parameters and the best sigma there.

    The average information is the mean of the observed and the expected one, where V is linear.
    """
    df = float(criterion.df)
    with criterion.system.threads():
        hessian = criterion.hessian(par)
        g, average, curvature, squares = criterion.mapped().pieces(par, df)
    # 1) in x = (par, log sigma^2), V about a point where it is linear: y'P V_j P y are the `squares`
    seen = hessian + np.outer(squares, squares) / df
    last = np.array([[df]])
    traces = (g + squares)[:, None]
    expected = np.block([[2 * average - seen + curvature, traces], [traces.T, last]])
    # 2) in the variances
    x = np.append(par, 0.0)
    inverse = np.linalg.inv(chart.slope(x))
    gradient = inverse.T @ np.append(g, 0.0)
    both = (squares - g)[:, None]
    observed = np.block([[seen - chart.bend(x, gradient), both], [both.T, last]])
    return Informations(gradient, inverse.T @ observed @ inverse, inverse.T @ expected @ inverse)
