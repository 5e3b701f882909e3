"""The profile of one quantity: its points, and how to find more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from typing import Any, Protocol

import numpy as np

from interlace.arrays import Array
from interlace.errors import ModelError
from interlace.estimation.fit import Fit
from interlace.estimation.held import Held, Joint, Line, Quantity
from interlace.frozen import dataclass
from interlace.variances.natural import parameter_values

# How exactly the root of a rise is met, and the rise below zero that says that the fit was no minimum.
EXACT, LOWER = 1e-8, 1e-5
# Points that are tried to meet one.
TRIES = 60
# A step away from the estimate is at most so many times what was walked so far.
GROWTH = 4.0


class Hold(Protocol):
    """The model with a quantity held at a value."""

    @property
    def fit(self) -> Fit:
        """The model."""

    def __call__(self, value: float, near: Array) -> Held:
        """The lowest deviance, searched from the coordinates of a point nearby."""

    def parameters(self, point: Held) -> Array:
        """All parameters of the model at a point, in the order of `parameter_names`."""


class HeldQuantity:
    """A standard deviation, a correlation or sigma is held."""

    def __init__(self, fit: Fit, quantity: Quantity) -> None:
        self.fit, self.quantity = fit, quantity
        self._joint: Joint | None = None

    def __call__(self, value: float, near: Array) -> Held:
        if self._joint is None:  # a workspace of one thread
            self._joint = Joint(self.fit.criterion, self.quantity.parameters)
        with self.fit.criterion.system.threads():
            return self._joint.hold(self.quantity, value, near)

    def parameters(self, point: Held) -> Array:
        """All parameters of the model at a point."""
        q = self.quantity
        x = q.chart.at(point.y, point.value)
        solution = self.fit.criterion.with_parameters(q.parameters).solution(x[:-1])
        return parameter_values(replace(self.fit, solution=solution, sigma=float(np.exp(x[-1]))))

    def __getstate__(self) -> dict[str, Any]:
        return {"fit": self.fit, "quantity": self.quantity, "_joint": None}


class HeldLine:
    """A linear function of the coefficients is held."""

    def __init__(self, fit: Fit, line: Array) -> None:
        self.fit, self.line = fit, line
        self._criterion = fit.criterion.with_parameters(fit.criterion.parameters.in_natural_basis())
        self._held = Line(self._criterion, line)

    def __call__(self, value: float, near: Array) -> Held:
        with self.fit.criterion.system.threads():
            return self._held.hold(value, near)

    def parameters(self, point: Held) -> Array:
        """All parameters of the model at a point: beta is the nearest to the free one that has the value."""
        free = self._criterion.solution(point.y)
        covariances = free.unscaled_vcov @ self.line  # of beta with the function
        variance = self.line @ covariances
        distance = point.value - self.line @ free.beta
        beta = free.beta + covariances * (distance / variance)
        pwrss = free.pwrss + distance**2 / variance
        solution = replace(free, beta=beta)
        sigma = float(np.sqrt(pwrss / self.fit.criterion.system.A.n))
        return parameter_values(replace(self.fit, solution=solution, sigma=sigma))


@dataclass(slots=True)
class Track:
    """The profile of one quantity: its points, and how to find more.

    Attributes
    ----------
    name : str
    estimate : float
    lower, upper : float
        The range of the quantity.
    step : float
        How far to go first.
    hold : callable
        Of a value and the coordinates of a point near it.
    points : list of Held
        In order of their values.
    deviance : float
        Of the fit.
    words : list of str
        What went wrong on the way: a likelihood that is flat, an end that was not met.
    grid : list of Held
        The points that a table shows, in order: those at some values of zeta.
    """

    def walk(self, zetas: Sequence[float]) -> None:
        """Fill the grid, to both sides as far as the range goes."""
        values = {self.estimate}
        for side in (-1.0, 1.0):
            for z in zetas:
                value = self.find(side * z)
                if np.isinf(value):
                    break
                values.add(self._new(value).value)
        self.grid = [p for p in self.points if p.value in values]
        self.words.clear()  # of the grid: what is asked of the profile has words of its own

    name: str
    estimate: float
    lower: float
    upper: float
    step: float
    hold: Hold = field(repr=False)
    points: list[Held] = field(repr=False)
    deviance: float
    words: list[str] = field(default_factory=list)
    grid: list[Held] = field(default_factory=list, repr=False)

    def zeta(self, point: Held) -> float:
        """The signed root of the rise of the deviance."""
        rise = point.deviance - self.deviance
        if rise < -LOWER - 1e-10 * abs(self.deviance):
            raise ModelError(
                f"the profile of {self.name} has a deviance that is {-rise:.4g} below that of the fit, at "
                f"{point.value:.6g}: the search of the fit ended in another minimum"
            )
        return float(np.copysign(np.sqrt(max(rise, 0.0)), point.value - self.estimate))

    def _new(self, value: float) -> Held:
        near = min(self.points, key=lambda p: abs(p.value - value))
        if near.value == value:
            return near
        point = self.hold(value, self._guess(value, near))
        self.points.append(point)
        self.points.sort(key=lambda p: p.value)
        return point

    def _guess(self, value: float, near: Held) -> Array:
        """Along the line through the two nearest points, where that is not far."""
        others = [p for p in self.points if p is not near and p.value != near.value]
        if not others:
            return near.y
        other = min(others, key=lambda p: abs(p.value - near.value))
        times = (value - near.value) / (near.value - other.value)
        return near.y + times * (near.y - other.y) if abs(times) < GROWTH else near.y

    def find(self, z: float) -> float:
        """The value where zeta is z; the limit of the range where it does not get so far."""
        side = np.sign(z)
        limit = self.upper if side > 0 else self.lower
        inner, outer = self._bracket(z)
        value = self._first(z, inner, limit) if outer is None else self._between(z, inner, outer)
        for _ in range(TRIES):
            point = self._new(value)
            found = self.zeta(point)
            if abs(found - z) < EXACT * max(1.0, abs(z)):
                self._doubt(point)
                return point.value
            if side * found < side * z:
                if point.value == limit:
                    return limit
                inner = point
            else:
                outer = point
            value = self._next(z, point, inner, outer, limit)
            if outer is not None and abs(outer.value - inner.value) <= 1e-12 * max(1.0, abs(inner.value)):
                return self._jump(value, z, inner, outer)
        if outer is None and np.isinf(limit):
            self._say(
                f"the likelihood of {self.name} is flat: zeta is {self.zeta(inner):.3g} at "
                f"{inner.value:.4g} and hardly changes beyond, so that the interval has no end there"
            )
            return float(limit)
        self._say(
            f"an end of {self.name} was not met after {TRIES} searches: it is known to about {value:.4g}"
        )
        return float(value)

    def _jump(self, value: float, z: float, inner: Held, outer: Held) -> float:
        """Where zeta leaps over z, the deviance has another minimum for the other parameters."""
        if abs(self.zeta(outer) - self.zeta(inner)) > 1e-3:
            self._say(
                f"the profile of {self.name} leaps from zeta = {self.zeta(inner):.3g} to "
                f"{self.zeta(outer):.3g} at {value:.6g}: the deviance has more than one minimum there"
            )
        return value

    def _doubt(self, point: Held) -> None:
        if not point.converged:
            self._say(
                f"the search for the end of {self.name} at {point.value:.6g} stopped without a proof of a "
                "minimum, so that the true end may lie further out"
            )

    def _say(self, words: str) -> None:
        if words not in self.words:
            self.words.append(words)

    def _bracket(self, z: float) -> tuple[Held, Held | None]:
        side = np.sign(z)
        own = [p for p in self.points if side * (p.value - self.estimate) >= 0]
        before = [p for p in own if side * self.zeta(p) <= side * z]
        after = [p for p in own if side * self.zeta(p) > side * z]

        def along(point: Held) -> float:
            return float(side * point.value)

        return max(before, key=along), min(after, key=along, default=None)

    def _first(self, z: float, inner: Held, limit: float) -> float:
        here = self.zeta(inner)
        if not here:
            return self._within(self.estimate + z * self.step, inner.value, limit)
        return self._next(z, inner, inner, None, limit)

    def _between(self, z: float, inner: Held, outer: Held) -> float:
        a, b = self.zeta(inner), self.zeta(outer)
        return inner.value + (z - a) / (b - a) * (outer.value - inner.value)

    def _next(self, z: float, point: Held, inner: Held, outer: Held | None, limit: float) -> float:
        """A Newton step where it stays between the points that enclose the value."""
        found = self.zeta(point)
        slope = point.slope / (2 * found) if found else np.nan
        value = point.value + (z - found) / slope if slope > 0 else np.nan
        if outer is None:
            walked = abs(point.value - self.estimate) or self.step
            furthest = point.value + np.sign(z) * GROWTH * walked
            if not np.isfinite(value) or abs(value - point.value) > GROWTH * walked:
                value = furthest
            return self._within(value, point.value, limit)
        low, high = sorted((inner.value, outer.value))
        return value if low < value < high else (low + high) / 2

    def _within(self, value: float, inner: float, limit: float) -> float:
        """Not beyond the limit; sigma is never zero."""
        if (limit - value) * (limit - inner) > 0 or np.isinf(limit):
            return float(value)
        return inner / GROWTH if self.name == "sigma" else float(limit)
