"""Likelihood profiles: how fast the deviance rises where one quantity is held away from its estimate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from typing import TYPE_CHECKING, Any

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError, ModelError, shown
from interlace.estimation import held
from interlace.estimation.descent import work
from interlace.estimation.fit import Fit
from interlace.estimation.held import Held, Quantity
from interlace.frozen import dataclass
from interlace.hints import methods_answer_options
from interlace.options import number, switch, word
from interlace.precision.unidentified import unidentified_line
from interlace.refitting.parallel import in_threads, one_job
from interlace.refitting.profile_pictures import curve_picture, pair_picture
from interlace.refitting.track import HeldLine, HeldQuantity, Track
from interlace.tables.table import Table
from interlace.text import did_you_mean
from interlace.variances.natural import parameter_names
from interlace.variances.varcorr import groups_of_blocks

if TYPE_CHECKING:
    from interlace.pictures.axes import OneOrMoreAxes

CRITERIA = ("ml", "reml")
KINDS = ("all", "random", "fixed")
PICTURES = ("zeta", "density", "pairs")
# Roots of the rise of the deviance at which a profile is computed, to either side.
GRID = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
# Where an evaluation takes fewer flops than this, threads wait longer for each other than they work.
THREADS_PAY = 1e5
# Levels at which lines are drawn, as in lme4's pictures.
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)


@methods_answer_options
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
    tracks : tuple of Track
        A profile each; what they have not found yet is searched for when it is asked for.

    References
    ----------
    Bates, D. M., and Watts, D. G. (1988). Nonlinear Regression Analysis and its Applications, chapter 6.
    """

    criterion: str
    tracks: tuple[Track, ...] = field(repr=False)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(track.name for track in self.tracks)

    @property
    def table(self) -> Table:
        """The points: `parameter, value, zeta, deviance`, and a column for every parameter of the model, with
        the estimates where the one that is profiled has its value (lme4's profile as a data frame)."""
        rows = [(track.name, p.value, track.zeta(p), p.deviance) for track in self.tracks for p in track.grid]
        names, values, zetas, deviances = zip(*rows, strict=True)
        columns = {"parameter": list(names), "value": values, "zeta": zetas, "deviance": deviances}
        others = np.array([self._others(track, p) for track in self.tracks for p in track.grid])
        columns |= dict(zip(self._names, others.T, strict=True))
        return Table.of(columns, heading=f"Profiles of {_SAID[self.criterion]}")

    @property
    def _names(self) -> list[str]:
        return parameter_names(self.tracks[0].hold.fit)

    @property
    def _words(self) -> list[str]:
        return [words for track in self.tracks for words in track.words]

    def _others(self, track: Track, point: Held) -> Array:
        """All parameters at a point; the one that is held has its value."""
        found = track.hold.parameters(point)
        if track.name in self._names:
            found[self._names.index(track.name)] = point.value
        return found

    def plot(
        self, kind: str = "zeta", *, which: str | Iterable[str] | None = None, ax: Any = None
    ) -> OneOrMoreAxes:
        """A picture; its axes come back.

        Parameters
        ----------
        kind : {"zeta", "density", "pairs"}
            "zeta": zeta against the parameter, a straight line where Wald intervals are right, with lines at
            the 50, 80, 90, 95 and 99 % levels and the 95 % interval (lme4's `xyplot`). "density": the density
            of a normal distribution of zeta, as a function of the parameter (`densityplot`). "pairs": for
            each pair of parameters the contours of the likelihood at these levels, joined from the traces of
            both profiles (Bates and Watts 1988, appendix A6): of the parameters below the diagonal, of zeta
            above it (`splom`).
        which : str, or several, optional
            Names of parameters.
        ax : matplotlib axes, or as many as there are panels, optional

        Raises
        ------
        DataError
            A parameter that was not profiled; fewer than two for "pairs".
        """
        kind = word("kind", kind, PICTURES)
        tracks = self._some(which)
        if kind == "pairs":
            return pair_picture(self, tracks, LEVELS, ax)
        return curve_picture(kind, tracks, LEVELS, _SAID[self.criterion], ax)

    def _some(self, which: str | Iterable[str] | None) -> list[Track]:
        if which is None:
            return list(self.tracks)
        asked = [which] if isinstance(which, str) else list(which)
        for name in asked:
            if name not in self.parameters:
                near = did_you_mean(name, self.parameters) if isinstance(name, str) else ""
                raise DataError(
                    f"there is no profile of {shown(name)}: {near}{' ' * bool(near)}there are those of "
                    f"{', '.join(self.parameters)}"
                )
        return [self.tracks[self.parameters.index(name)] for name in asked]

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
            note=[f"{level:.12g} profile-likelihood intervals, by {_SAID[self.criterion]}", *self._words],
        )

    def __repr__(self) -> str:
        return str(self.confint())

    def _repr_html_(self) -> str:
        return self.confint()._repr_html_()


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
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> Profile:
    """Profiles with points on a grid of zeta; see `LinearMixedModel.profile`."""
    found = tracks(fit, refitted, which, criterion=criterion)
    shown = None if progress is None else switch("progress", progress)
    jobs = n_jobs if work(fit.criterion) > THREADS_PAY else one_job(n_jobs)
    found = in_threads(walked, found, len(found), n_jobs=jobs, shown=shown, label="profile")
    return Profile(word("criterion", criterion, CRITERIA), tuple(found))


def walked(track: Track) -> Track:
    """The same with points on the grid."""
    track.walk(GRID)
    return track


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
        A name that none of them has, or no name.
    ModelError
        Fixed effects, of which the REML criterion has no profile.
    """
    known = {"all": random + ([] if reml else fixed), "random": random, "fixed": fixed}
    if which is None:
        return set(known["all"])
    asked = [which] if isinstance(which, str) or not isinstance(which, Iterable) else list(which)
    if not asked:
        raise DataError(
            f"no parameter is asked for: leave it out for all, or choose from {', '.join(random + fixed)}"
        )
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
    x = q.x(fit.criterion.parameters, fit.optimum.par, fit.sigma)
    y = q.chart.start(x)
    estimate = q.chart.of(x)
    step = 0.2 * estimate if np.isinf(q.upper) else 0.1 * (q.upper - q.lower)
    here = Held(estimate, fit.optimum.value, 0.0, y, True)

    hold = HeldQuantity(fit, q)
    return Track(q.name, estimate, q.lower, q.upper, step or 0.2 * fit.sigma, hold, [here], fit.optimum.value)


def of_line(fit: Fit, name: str, line: Array) -> Track:
    """The profile of a linear function of the fixed effects, by maximum likelihood."""
    par = fit.criterion.parameters.natural_par(fit.optimum.par)
    estimate, se = float(line @ fit.solution.beta), float(np.sqrt(line @ fit.vcov @ line))
    here = Held(estimate, fit.optimum.value, 0.0, par, True)
    return Track(name, estimate, -np.inf, np.inf, se, HeldLine(fit, line), [here], fit.optimum.value)
