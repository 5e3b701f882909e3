"""Likelihood profiles: how fast the deviance rises where one quantity is held away from its estimate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError, ModelError
from interlace.estimation import held
from interlace.estimation.fit import Fit
from interlace.estimation.held import Held, Joint, Line, Quantity
from interlace.options import number, word
from interlace.precision.unidentified import unidentified_line
from interlace.progress import watched
from interlace.tables.table import Table
from interlace.text import did_you_mean
from interlace.variances.varcorr import groups_of_blocks

CRITERIA = ("ml", "reml")
KINDS = ("all", "random", "fixed")
# Roots of the rise of the deviance at which a profile is computed, to either side.
GRID = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
# How exactly the root of a rise is met, and the rise below zero that says that the fit was no minimum.
EXACT, LOWER = 1e-8, 1e-5
# Points that are tried to meet one.
TRIES = 60
# A step away from the estimate is at most so many times what was walked so far.
GROWTH = 4.0


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
    """

    name: str
    estimate: float
    lower: float
    upper: float
    step: float
    hold: Callable[[float, Array], Held] = field(repr=False)
    points: list[Held] = field(repr=False)
    deviance: float

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
                return point.value
            if side * found < side * z:
                if point.value == limit:
                    return limit
                inner = point
            else:
                outer = point
            value = self._next(z, point, inner, outer, limit)
            if outer is not None and abs(outer.value - inner.value) <= 1e-12 * max(1.0, abs(inner.value)):
                return value
        return float(limit if np.isinf(limit) and outer is None else value)

    def _bracket(self, z: float) -> tuple[Held, Held | None]:
        side = np.sign(z)
        own = [p for p in self.points if side * (p.value - self.estimate) >= 0]
        before = [p for p in own if side * self.zeta(p) <= side * z]
        after = [p for p in own if side * self.zeta(p) > side * z]
        key = lambda p: side * p.value  # noqa: E731
        return max(before, key=key), min(after, key=key, default=None)

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


@dataclass(frozen=True, slots=True)
class Profile:
    """Likelihood profiles of the parameters of a model.

    Made by `LinearMixedModel.profile`. With ``d(v)`` the lowest deviance (or REML criterion) where a quantity
    has the value v, and d its minimum, ``zeta(v) = sign(v - estimate) sqrt(d(v) - d)``: a line where the
    deviance is a parabola, so that a Wald interval is right. The interval of a level has the values where
    ``zeta^2`` is at most the quantile of a chi-square with one degree of freedom.

    Attributes
    ----------
    criterion : str
        "ml" or "reml".
    """

    criterion: str
    tracks: tuple[Track, ...] = field(repr=False)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(track.name for track in self.tracks)

    @property
    def table(self) -> Table:
        """The points: `parameter, value, zeta, deviance`."""
        rows = [
            (track.name, p.value, track.zeta(p), p.deviance) for track in self.tracks for p in track.points
        ]
        names, values, zetas, deviances = zip(*rows, strict=True)
        columns = {"parameter": list(names), "value": values, "zeta": zetas, "deviance": deviances}
        return Table.of(columns, heading=f"Profiles of {_SAID[self.criterion]}")

    def confint(self, level: float = 0.95) -> Table:
        """`lower` and `upper` of each parameter; where a range ends before the deviance has risen so far, its
        limit: zero for a standard deviation, -1 or 1 for a correlation.

        Parameters
        ----------
        level : float
            Between 0 and 1.
        """
        from scipy import special  # slow to import

        z = float(np.sqrt(special.chdtri(1, 1 - check_level(level))))
        rows = [(_end(track, -z), _end(track, z)) for track in self.tracks]
        return Table.of_rows(
            rows,
            ["lower", "upper"],
            self.parameters,
            note=f"{level:.12g} profile-likelihood intervals, by {_SAID[self.criterion]}",
        )


_SAID = {"ml": "the deviance (maximum likelihood)", "reml": "the REML criterion"}


def check_level(level: object) -> float:
    """A confidence level.

    Raises
    ------
    DataError
        It is not between 0 and 1.
    """
    value = number("level", level)
    if not 0 < value < 1:
        raise DataError(f"level must be between 0 and 1, such as 0.95, not {value:.12g}")
    return value


def _end(track: Track, z: float) -> float:
    return track.find(z)


def profile(
    fit: Fit,
    refitted: Callable[[bool], Fit],
    which: str | Iterable[str] | None = None,
    *,
    criterion: str = "ml",
    progress: bool | None = None,
) -> Profile:
    """Profiles with points on a grid of zeta; see `LinearMixedModel.profile`."""
    found = tracks(fit, refitted, which, criterion=criterion)
    for track in watched(found, len(found), progress, "profile"):
        for side in (-1, 1):
            for z in GRID:
                track.find(side * z)
    return Profile(word("criterion", criterion, CRITERIA), tuple(found))


def intervals(
    fit: Fit,
    refitted: Callable[[bool], Fit],
    parm: str | Iterable[str] | None,
    *,
    level: float,
    criterion: str,
) -> Table:
    """The ends alone, with the estimates; see `LinearMixedModel.confint`."""
    found = Profile(
        word("criterion", criterion, CRITERIA), tuple(tracks(fit, refitted, parm, criterion=criterion))
    )
    ends = found.confint(level)
    estimates = [track.estimate for track in found.tracks]
    columns = {"estimate": estimates, "lower": ends["lower"].to_numpy(), "upper": ends["upper"].to_numpy()}
    return Table.of(columns, found.parameters, note=ends.note)


def tracks(
    fit: Fit, refitted: Callable[[bool], Fit], which: str | Iterable[str] | None, *, criterion: str
) -> list[Track]:
    """What is profiled, with the point of the fit in each.

    Parameters
    ----------
    fit : Fit
    refitted : callable
        The fit by REML (True) or maximum likelihood.
    which : str, or several
        Names of parameters, or "random", "fixed" or "all".
    criterion : {"ml", "reml"}
    """
    reml = word("criterion", criterion, CRITERIA) == "reml"
    best = fit if fit.reml == reml else refitted(reml)
    random = _variances(best)
    fixed = list(best.names)
    names = chosen(which, [q.name for q in random], fixed, reml=reml)
    out = [_of_quantity(best, q) for q in random if q.name in names]
    for j, name in enumerate(fixed):
        if name in names:
            out.append(of_line(best, name, np.identity(len(fixed))[j]))
    return out


def _variances(fit: Fit) -> list[Quantity]:
    parameters = fit.criterion.parameters.in_natural_basis()
    out: list[Quantity] = []
    for i, label in groups_of_blocks(fit.encoding):
        out += held.quantities(parameters, i, label, tuple(fit.encoding.random[i].columns))
    return [*out, held.residual(parameters)]


def chosen(
    which: str | Iterable[str] | None, random: list[str], fixed: list[str], *, reml: bool = False
) -> set[str]:
    """The parameters that are meant.

    Raises
    ------
    DataError
        A name that none of them has.
    ModelError
        Fixed effects, of which the REML criterion has no profile.
    """
    known = {"all": random + ([] if reml else fixed), "random": random, "fixed": fixed}
    if which is None:
        return set(known["all"])
    asked = [which] if isinstance(which, str) else list(which)
    out: set[str] = set()
    for name in asked:
        if not isinstance(name, str) or (name not in known and name not in random + fixed):
            near = did_you_mean(name, [*random, *fixed, *KINDS]) if isinstance(name, str) else ""
            raise DataError(
                f"there is no parameter {name!r}: {near}{' ' * bool(near)}the parameters are "
                f"{', '.join(random + fixed)}, and 'random', 'fixed' and 'all' stand for several"
            )
        out |= set(known.get(name, [name]))
    if reml and out & set(fixed):
        raise ModelError(
            "the REML criterion has no profile of fixed effects: it is the likelihood of what they leave, so "
            "that its values for different fixed parts are not comparable; take criterion='ml'"
        )
    return out


def _of_quantity(fit: Fit, q: Quantity) -> Track:
    if not fit.identification.complete:
        raise ModelError(
            f"{unidentified_line(fit)}, so that their likelihood is flat: take which='fixed', or leave terms "
            "out"
        )
    joint = Joint(fit.criterion, q.parameters)
    x = q.x(fit.criterion.parameters, fit.optimum.par, fit.sigma)
    y = q.chart.start(x)
    estimate = q.chart.of(x)
    step = 0.2 * estimate if np.isinf(q.upper) else 0.1 * (q.upper - q.lower)
    here = Held(estimate, fit.optimum.value, 0.0, y, True)

    def hold(value: float, near: Array) -> Held:
        with fit.criterion.system.threads():
            return joint.hold(q, value, near)

    return Track(q.name, estimate, q.lower, q.upper, step or 0.2 * fit.sigma, hold, [here], fit.optimum.value)


def of_line(fit: Fit, name: str, line: Array) -> Track:
    """The profile of a linear function of the fixed effects, by maximum likelihood."""
    criterion = fit.criterion.with_parameters(fit.criterion.parameters.in_natural_basis())
    held_line = Line(criterion, line)
    par = fit.criterion.parameters.natural_par(fit.optimum.par)
    estimate, se = float(line @ fit.solution.beta), float(np.sqrt(line @ fit.vcov @ line))
    here = Held(estimate, fit.optimum.value, 0.0, par, True)

    def hold(value: float, near: Array) -> Held:
        with fit.criterion.system.threads():
            return held_line.hold(value, near)

    return Track(name, estimate, -np.inf, np.inf, se, hold, [here], fit.optimum.value)
