"""Pictures of likelihood profiles: zeta, densities, and contours of pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError
from interlace.estimation.held import Held
from interlace.frozen import dataclass
from interlace.pictures.curves import Curves, Panel, curve_plot
from interlace.pictures.pairs import Contours, Pairs, pair_plot
from interlace.refitting.track import Track

FINE = 25  # points of a curve between two points of a profile
ROUND = 121  # of a contour


class Traced(Protocol):
    """A profile that knows all parameters at its points."""

    @property
    def _names(self) -> list[str]:
        """Names of all parameters."""

    def _others(self, track: Track, point: Held) -> Array:
        """All parameters at a point."""


@dataclass(frozen=True, slots=True)
class Curve:
    """zeta as a monotone function of a parameter, and the parameter as one of zeta.

    A cubic Hermite spline with the exact slopes of the profile, made smaller where the curve would turn back
    (Fritsch and Carlson 1980).
    """

    x: Array
    zeta: Array
    slope: Array

    @classmethod
    def of(cls, track: Track) -> Curve:
        """Through the points of a profile."""
        points = track.grid
        x, zeta = np.array([p.value for p in points]), np.array([track.zeta(p) for p in points])
        rising = np.append(True, np.diff(zeta) > 0)
        points, x, zeta = [p for p, kept in zip(points, rising, strict=True) if kept], x[rising], zeta[rising]
        if len(x) < 3:
            raise DataError(f"the profile of {track.name} has too few points for a picture")
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.array([p.slope for p in points]) / (2 * zeta)
        secant = np.diff(zeta) / np.diff(x)
        inner = np.append(np.append(secant[0], 2 / (1 / secant[:-1] + 1 / secant[1:])), secant[-1])
        slope = np.where(np.isfinite(slope) & (slope > 0), slope, inner)
        most = 3 * np.minimum(np.append(secant[0], secant), np.append(secant, secant[-1]))
        return cls(x, zeta, np.minimum(slope, most))

    @property
    def forward(self) -> Callable[[Array], Array]:
        """zeta of the parameter."""
        from scipy.interpolate import CubicHermiteSpline  # slow to import

        curve: Callable[[Array], Array] = CubicHermiteSpline(self.x, self.zeta, self.slope)
        return curve

    def steepness(self, x: Array) -> Array:
        """The derivative of zeta."""
        from scipy.interpolate import CubicHermiteSpline  # slow to import

        return np.asarray(CubicHermiteSpline(self.x, self.zeta, self.slope).derivative()(x))

    @property
    def fine(self) -> Array:
        """Places along the parameter."""
        share = np.linspace(0, 1, FINE, endpoint=False)
        return np.append((self.x[:-1, None] + np.diff(self.x)[:, None] * share).ravel(), self.x[-1])

    def back(self, zeta: Array) -> Array:
        """The parameter of zeta; a limit where it goes no further."""
        fine = self.fine
        return np.interp(zeta, self.forward(fine), fine)


def curve_picture(kind: str, tracks: Sequence[Track], levels: Sequence[float], said: str, ax: Any) -> Any:
    """zeta, or densities."""
    heights = _zetas(levels)
    panels = []
    for track in tracks:
        ends = track.find(-heights[levels.index(0.95)]), track.find(heights[levels.index(0.95)])
        curve = Curve.of(track)
        x = curve.fine
        zeta = curve.forward(x)
        points = np.column_stack([curve.x, curve.zeta])
        if kind == "zeta":
            panels.append(Panel(track.name, x, zeta, points, (track.estimate, *ends)))
        else:
            density = np.exp(-0.5 * zeta**2) / np.sqrt(2 * np.pi) * curve.steepness(x)
            panels.append(Panel(track.name, x, density, np.zeros((0, 2)), (track.estimate, *ends)))
    words = f"profiles of {said}; line: estimate, band: 0.95 interval"
    if kind == "density":
        return curve_plot(Curves(panels, "density", words), ax)
    lines = f"; dotted: {', '.join(f'{level:g}' for level in levels)}"
    both = tuple(side * height for height in heights for side in (-1.0, 1.0))
    return curve_plot(Curves(panels, "zeta", words + lines, (0.0, *both)), ax)


def _zetas(levels: Sequence[float]) -> list[float]:
    from scipy import special  # slow to import

    return [float(special.ndtri((1 + level) / 2)) for level in levels]


def pair_picture(profile: Traced, tracks: Sequence[Track], levels: Sequence[float], ax: Any) -> Any:
    """Contours of the likelihood of each pair, by the traces of both profiles."""
    if len(tracks) < 2:
        raise DataError("a picture of pairs needs the profiles of two parameters or more")
    from scipy import special  # slow to import

    radii = [float(np.sqrt(special.chdtri(2, 1 - level))) for level in levels]
    curves = [Curve.of(track) for track in tracks]
    traces = [_traces(profile, track, tracks, curves) for track in tracks]
    contours: dict[tuple[int, int], Contours] = {}
    for i in range(len(tracks)):
        for j in range(i):
            found = [contour(radius, traces[i][j], traces[j][i]) for radius in radii]
            lines = [np.column_stack([curves[j].back(t[:, 1]), curves[i].back(t[:, 0])]) for t in found]
            own = np.column_stack([curves[j].x, curves[i].back(traces[j][i](curves[j].zeta))])
            other = np.column_stack([curves[j].back(traces[i][j](curves[i].zeta)), curves[i].x])
            contours[i, j] = Contours(lines, [own, other])
            z = np.column_stack([curves[i].zeta, traces[i][j](curves[i].zeta)])
            w = np.column_stack([traces[j][i](curves[j].zeta), curves[j].zeta])
            contours[j, i] = Contours(found, [z, w])
    words = f"contours of the likelihood at {', '.join(f'{level:g}' for level in levels)}; above: of zeta"
    return pair_plot(Pairs([track.name for track in tracks], contours, words), ax)


def _traces(
    profile: Traced, track: Track, tracks: Sequence[Track], curves: Sequence[Curve]
) -> list[Callable[[Array], Array]]:
    """zeta of each of the other parameters at its best, as a function of that of one."""
    kept = track.grid
    zeta = np.array([track.zeta(p) for p in kept])
    zeta, first = np.unique(zeta, return_index=True)
    others = np.array([profile._others(track, kept[k]) for k in first])
    at = [profile._names.index(other.name) for other in tracks]
    return [
        _trace(zeta, np.asarray(curve.forward(np.clip(others[:, j], curve.x[0], curve.x[-1]))))
        for j, curve in zip(at, curves, strict=True)
    ]


def _trace(zeta: Array, other: Array) -> Callable[[Array], Array]:
    from scipy.interpolate import PchipInterpolator  # slow to import

    there = np.isfinite(other)
    line = PchipInterpolator(zeta[there], other[there], extrapolate=True)
    return lambda z: np.asarray(line(np.clip(z, zeta[there][0], zeta[there][-1])))


def contour(radius: float, along: Callable[[Array], Array], across: Callable[[Array], Array]) -> Array:
    """A contour in the plane of two zetas, (m, 2), from the points where the traces meet it.

    With ``z1 = radius cos(a + d / 2)`` and ``z2 = radius cos(a - d / 2)``, d is a smooth periodic function of
    the angle a that is known where one of the cosines is 1 or -1: there the other zeta is that of the trace
    (Bates and Watts 1988, appendix A6).

    Parameters
    ----------
    along, across : callable
        The second zeta at its best given the first, and the first given the second.
    """
    from scipy.interpolate import CubicSpline  # slow to import

    ends = radius * np.array([1.0, -1.0])
    second = np.arccos(np.clip(np.asarray(along(ends)) / radius, -1, 1))
    first = np.arccos(np.clip(np.asarray(across(ends)) / radius, -1, 1))
    pairs = [(0.0, second[0]), (first[0], 0.0), (np.pi, second[1]), (first[1], np.pi)]
    knots = []
    for one, other in pairs:
        a, d = (one + other) / 2, one - other
        knots.append((a, d) if d > 0 else (-a, -d))
    knots.sort()
    a, d = np.array(knots).T
    apart = np.append(True, np.diff(a) > 1e-9)
    a, d = a[apart], d[apart]
    turn = CubicSpline(np.append(a, a[0] + 2 * np.pi), np.append(d, d[0]), bc_type="periodic")
    at = np.linspace(a[0], a[0] + 2 * np.pi, ROUND)
    return np.asarray(radius * np.column_stack([np.cos(at + turn(at) / 2), np.cos(at - turn(at) / 2)]))
