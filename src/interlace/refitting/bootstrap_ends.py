"""The ends of bootstrap intervals, by their definitions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from interlace.arrays import Array
from interlace.errors import ModelError
from interlace.frozen import dataclass
from interlace.variances.scales import NATURAL, Scale

Ends = tuple[Array, Array, list[str]]


@dataclass(frozen=True, slots=True)
class Draws:
    """Draws of several statistics.

    Attributes
    ----------
    names : tuple of str
    estimate : ndarray, (m,)
    values : ndarray, (n, m)
    se : ndarray, (m,)
        Standard errors of the estimates; NaN for none.
    errors : ndarray, (n, m)
        Those of the draws.
    scales : tuple of Scale
        On which studentized intervals are made.
    """

    names: tuple[str, ...]
    estimate: Array
    values: Array
    se: Array
    errors: Array
    scales: tuple[Scale, ...]


def ends(kind: str, draws: Draws, level: float, jackknife: Callable[[], list[Array]]) -> Ends:
    """Lower and upper ends, and words about those that there are not.

    Parameters
    ----------
    kind : {"percentile", "basic", "normal", "bca", "studentized"}
    draws : Draws
    level : float
    jackknife : callable
        Gives the statistics without each level of each independent grouping factor, (L, m).
    """
    half = (1 - level) / 2
    if kind == "normal":
        return _normal(draws, half)
    if kind == "bca":
        return _bca(draws, half, jackknife())
    if kind == "studentized":
        return _studentized(draws, half)
    lower, upper = (quantiles(draws.values, np.full(len(draws.names), p)) for p in (half, 1 - half))
    if kind == "basic":
        lower, upper = 2 * draws.estimate - upper, 2 * draws.estimate - lower
    return lower, upper, []


def _normal(draws: Draws, half: float) -> Ends:
    from scipy import special  # slow to import

    moments = [
        (there.mean(), there.std(ddof=1)) if there.size > 1 else (np.nan, np.nan)
        for there in (column[np.isfinite(column)] for column in draws.values.T)
    ]
    mean, se = np.array(moments).T
    middle, reach = 2 * draws.estimate - mean, special.ndtri(1 - half) * se
    return middle - reach, middle + reach, []


def _studentized(draws: Draws, half: float) -> Ends:
    known = np.isfinite(draws.se) & (draws.se > 0)
    if not known.any():
        raise ModelError(
            "studentized intervals need a standard error of each draw: give bootstrap(se=...) a function of "
            "a refitted model that has as many standard errors as the statistic has numbers"
        )
    ends, lost = np.full((2, len(known)), np.nan), list[str]()
    for j in np.flatnonzero(known):
        name, scale, there = draws.names[j], draws.scales[j], ~np.isnan(draws.values[:, j])
        with np.errstate(divide="ignore", invalid="ignore"):  # at the edge
            errors = draws.errors[there, j] * scale.slope(draws.values[there, j])
            t = (scale.to(draws.values[there, j]) - scale.to(draws.estimate[j])) / errors
            t = t[np.isfinite(t) & (errors > 0)]
        if t.size:
            q = np.quantile(t, [1 - half, half])
            ends[:, j] = scale.around(draws.estimate[j], -q * draws.se[j])
        left_out = int(there.sum()) - t.size
        if left_out:
            edge = "" if scale is NATURAL else ", being at the edge of what is possible,"
            lost.append(
                f"{left_out} of {there.sum()} refits have no standard error of {name}{edge} and are left out"
            )
    left = [name for name, there in zip(draws.names, known, strict=True) if not there]
    words = [f"without a standard error, and so without an interval: {', '.join(left)}"] if left else []
    return ends[0], ends[1], [*words, *lost]


def _bca(draws: Draws, half: float, without: list[Array]) -> Ends:
    from scipy import special  # slow to import

    a = acceleration(without)
    lower, upper = np.full(len(a), np.nan), np.full(len(a), np.nan)
    words = []
    for j, (name, estimate) in enumerate(zip(draws.names, draws.estimate, strict=True)):
        column = draws.values[np.isfinite(draws.values[:, j]), j]
        below = float(np.mean(column < estimate) + np.mean(column == estimate) / 2) if column.size else np.nan
        if not 0 < below < 1:
            words.append(f"{name} has no BCa interval: all draws lie on one side of the estimate")
            continue
        if not np.isfinite(a[j]):
            words.append(f"{name} has no BCa interval: without some level it has no estimate")
            continue
        z0 = special.ndtri(below)
        z = z0 + special.ndtri(np.array([half, 1 - half]))
        left = 1 - a[j] * z
        if (left <= 0).any():
            words.append(f"{name} has no BCa interval: its skewness of {a[j]:.2g} is too large")
            continue
        lower[j], upper[j] = np.quantile(column, special.ndtr(z0 + z / left))
    return lower, upper, words


def acceleration(without: list[Array]) -> Array:
    """A sixth of the skewness of the estimates, from those without each level, (m,).

    For independent grouping factors with L levels each, ``l = (L - 1)(mean - without) / L``:
    ``sum l^3 / (6 (sum l^2)^1.5)``, the sums over all (Davison and Hinkley 1997, section 5.3.2).
    """
    cubes, squares = np.zeros(without[0].shape[1]), np.zeros(without[0].shape[1])
    for found in without:
        L = len(found)
        moved = (L - 1) / L * (found.mean(axis=0) - found)
        cubes, squares = cubes + np.sum(moved**3, axis=0), squares + np.sum(moved**2, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(
            np.where(squares > 0, cubes / (6 * squares**1.5), np.where(squares == 0, 0.0, np.nan))
        )


def quantiles(values: Array, p: Array) -> Array:
    """By column, of the draws that have the statistic; linear between order statistics, R's type 7."""
    out = np.full(values.shape[1], np.nan)
    for j, column in enumerate(values.T):
        there = column[~np.isnan(column)]
        if there.size:
            out[j] = np.quantile(there, p[j])
    return out
