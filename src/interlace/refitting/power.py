"""Power by simulation: how often a test finds an effect, for designs of several sizes."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from interlace.arrays import Array
from interlace.callers import called
from interlace.errors import DataError, InterlaceError, InterlaceWarning, ModelError, shown
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.hints import methods_answer_options
from interlace.inference.contrast import Hypothesis
from interlace.inference.estimates import f_p_value
from interlace.inference.terms import Terms
from interlace.options import count, number
from interlace.pictures.traces import Trace, Traces, trace_plot
from interlace.precision.df import DdfMethod
from interlace.prediction.simulate import drawn
from interlace.refitting.along import read_along
from interlace.refitting.cases import Factors, fit_rows
from interlace.refitting.extend import Size, extended
from interlace.refitting.parallel import Generators, check_draws, each, in_blocks, root_of, stopped
from interlace.tables.table import Table
from interlace.text import did_you_mean

if TYPE_CHECKING:
    from interlace.pictures.axes import Axes

SIZES = {"groups": "levels", "values": "values", "per_group": "rows in each group"}  # columns, and words
PValue = Callable[[Fit], float]
OF_TESTS = (
    "it gets a fitted model, and must give a p-value, or NaN where there is none: try it on the model itself"
)
AtSize = tuple[int, int, int, Counter[str]]
OBSERVED = (
    "the effects are those of the fit: power at an estimate says no more than its p-value (Hoenig and Heisey "
    "2001); give effect={...} the smallest effect that matters"
)


@methods_answer_options
@dataclass(frozen=True)
class Power:
    """Power of a test at several sizes of a design; made by `interlace.power`.

    Attributes
    ----------
    table : Table
        A row for each size: `groups`, `values` and `per_group` (those that were asked for), `rows`, `power`,
        the ends of its interval `lower` and `upper`, `significant`, `n` and `failed`.
    test : str
        What was tested.
    alpha, level : float
        Of the test, and of the intervals.
    """

    table: Table
    test: str
    alpha: float
    level: float

    def plot(self, ax: Any = None) -> Axes:
        """The curve: power against the number of levels, or of rows in each, with intervals; axes come back.

        Parameters
        ----------
        ax : matplotlib axes, optional
        """
        sizes = [name for name in SIZES if name in self.table]
        x, by = (sizes[0], sizes[1:]) if sizes else ("rows", [])
        lines = []
        for place, value in enumerate(
            self.table[by].drop_duplicates().sort_values(by).to_numpy() if by else [()]
        ):
            rows = self.table[(self.table[by] == value).all(axis=1)] if by else self.table
            rows = rows.sort_values(x)
            arrays = (rows[name].to_numpy(dtype=np.float64) for name in (x, "power", "lower", "upper"))
            lines.append(Trace(", ".join(f"{one:g}" for one in value), place, *arrays))
        words = f"power of {self.test} at {self.alpha:g}, with {self.level:g} intervals"
        legend = ", ".join(SIZES[name] for name in by)
        axes: Axes = trace_plot(
            Traces([("", lines)], len(lines), None, SIZES.get(x, x), "power", legend, words), ax
        )
        axes.set_ylim(-0.02, 1.02)
        return axes

    def __repr__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


@dataclass(frozen=True, slots=True)
class Asked:
    """What is simulated and tested.

    Attributes
    ----------
    effect : dict of str to float
        New values of coefficients.
    sizes : tuple of Size
    p_value : callable
        Of a refitted model.
    said : str
        The test in words.
    alpha, level : float
    n, root : int
    n_jobs : int or None
    progress : bool or None
    """

    effect: dict[str, float]
    sizes: tuple[Size, ...]
    p_value: PValue
    said: str
    alpha: float
    level: float
    n: int
    root: int
    n_jobs: int | None
    progress: bool | None


def power(fit: Fit, asked: Asked) -> Power:
    """See `interlace.power`."""
    found, ended = _at_sizes(fit, asked)
    sizes = asked.sizes[: len(found)]
    columns: dict[str, Any] = {}
    if any(size.groups for size in sizes):
        columns["groups"] = [size.groups[1] if size.groups else 0 for size in sizes]
    if any(size.along for size in sizes):
        columns["values"] = [len(size.along.values) if size.along else 0 for size in sizes]
    if any(size.rows for size in sizes):
        columns["per_group"] = [size.rows[1] if size.rows else 0 for size in sizes]
    counts = np.array([(rows, hits, n, sum(lost.values())) for rows, hits, n, lost in found])
    rows, hits, n, failed = counts.T
    lower, upper = wilson(hits, n, asked.level)
    columns |= {"rows": rows, "power": hits / n, "lower": lower, "upper": upper, "significant": hits, "n": n}
    reasons = Counter[str]()
    for _, _, _, lost in found:
        reasons.update(lost)
    effects = ", ".join(f"{name} = {value:.6g}" for name, value in asked.effect.items())
    note = [
        ended,
        f"{asked.level:.12g} Wilson intervals",
        *([f"effect: {effects}"] if effects else [OBSERVED]),
        *_said_of_values(sizes),
        *(f"{times} simulations count as not significant: {reason}" for reason, times in reasons.items()),
    ]
    heading = f"Power of {asked.said} at {asked.alpha:.12g}"
    table = Table.of(columns | {"failed": failed}, heading=heading, note=note)
    return Power(table, asked.said, asked.alpha, asked.level)


def _at_sizes(fit: Fit, asked: Asked) -> tuple[list[AtSize], str]:
    """What was found at each size until somebody stopped it (Ctrl-C), and that in words."""
    found: list[AtSize] = []
    try:
        for size in asked.sizes:
            found.append(_at(fit, asked, size))
            if found[-1][2] < asked.n:
                break
    except KeyboardInterrupt:
        if not found:
            raise
    if len(found) == len(asked.sizes) and found[-1][2] == asked.n:
        return found, ""
    done, whole = sum(n for _, _, n, _ in found), asked.n * len(asked.sizes)
    return found, stopped(done, whole, "simulations") + f", at {len(found)} of {len(asked.sizes)} sizes"


def _said_of_values(sizes: Sequence[Size]) -> list[str]:
    """The values of the covariate at the largest size."""
    along = max((size.along for size in sizes if size.along), key=lambda one: len(one.values), default=None)
    return [f"values of {along.name}: {along.words}"] if along else []


def wilson(hits: Array, n: Array, level: float) -> tuple[Array, Array]:
    """Wilson's interval of a share: the values that a score test does not reject.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA, 22,
    209-212.
    """
    from scipy import special  # slow to import

    z = special.ndtri((1 + level) / 2)
    share, weight = hits / n, z**2 / n
    middle = (share + weight / 2) / (1 + weight)
    half = z * np.sqrt(share * (1 - share) / n + weight / (4 * n)) / (1 + weight)
    return np.where(hits == 0, 0.0, middle - half), np.where(hits == n, 1.0, middle + half)


def _at(fit: Fit, asked: Asked, size: Size) -> AtSize:
    """At one size: rows, significant, simulations that were done, and how many failed by reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterlaceWarning)
        base = _base(fit, size)
    truth = _truth(fit, base, asked.effect)

    def simulate(generators: Generators) -> list[tuple[float, str]]:
        Y = np.array([drawn(truth, rng) for rng in generators])
        try:
            fits = base.refit_many(Y)
        except InterlaceError:  # of one of them: which?
            return each(lambda y: _alone(base, y, asked.p_value), Y)
        return each(lambda one: _p(one, asked.p_value), fits)

    found = in_blocks(
        simulate, 0, asked.n, root=asked.root, n_jobs=asked.n_jobs, progress=asked.progress,
        label=f"power, {base.rows.n} rows", size=base.rows.n,
    )  # fmt: skip
    hits = sum(p < asked.alpha for p, reason in found if not reason)
    return base.rows.n, hits, len(found), Counter(reason for _, reason in found if reason)


def _alone(base: Fit, y: Array, p_value: PValue) -> tuple[float, str]:
    try:
        (again,) = base.refit_many(y[None])
    except InterlaceError as error:
        return np.nan, str(error).partition(";")[0].partition(":")[0]
    return _p(again, p_value)


def _p(fit: Fit, p_value: PValue) -> tuple[float, str]:
    if not fit.optimum.converged:
        return np.nan, f"the search did not converge ({fit.optimum.status})"
    p = p_value(fit)
    return (p, "") if np.isfinite(p) else (np.nan, "the test has no p-value")


def _base(fit: Fit, size: Size) -> Fit:
    """The model on the extended design, fitted to some response."""
    design = extended(fit, size)
    try:
        return fit_rows(fit, *design)
    except ModelError as error:
        along = (size.along.name, len(size.along.values)) if size.along else None
        asked = (("levels", size.groups), ("values", along), ("rows in each level", size.rows))
        said = " and ".join(f"{one[1]} {what} of '{one[0]}'" for what, one in asked if one)
        raise ModelError(f"the design with {said} is too small for the model: {error}") from error


def _truth(fit: Fit, base: Fit, effect: Mapping[str, float]) -> Fit:
    """What is simulated from: the design of one fit with the parameters of another."""
    beta = fit.solution.beta.copy()
    for name, value in effect.items():
        beta[fit.names.index(name)] = value
    solution = replace(base.solution, beta=beta, factors=fit.solution.factors)
    return replace(base, solution=solution, sigma=fit.sigma)


def read_effect(fit: Fit, effect: Any) -> dict[str, float]:
    """Coefficients and their new values.

    Raises
    ------
    DataError
    """
    if effect is None:
        return {}
    if not isinstance(effect, Mapping):
        raise DataError(f"effect must be a mapping such as {{'{fit.names[-1]}': 1.5}}, not {shown(effect)}")
    for name in effect:
        if name not in fit.names:
            near = did_you_mean(name, fit.names) if isinstance(name, str) else ""
            raise DataError(
                f"effect names {shown(name)}, which is no coefficient of the model: "
                f"{near}{' ' * bool(near)}choose from {', '.join(fit.names)}"
            )
    return {name: number(f"the effect of {name}", value) for name, value in effect.items()}


def read_sizes(fit: Fit, n_groups: Any, n_per_group: Any, along: Any, values: Any) -> tuple[Size, ...]:
    """All combinations of the numbers of levels, of values of a covariate, and of rows in each level.

    Raises
    ------
    DataError
    """
    factors = Factors.of(fit)
    groups = _named("n_groups", n_groups, factors.names, factors.names[factors.outermost[-1]])
    rows = _named("n_per_group", n_per_group, factors.names, factors.names[-1])
    covariate = read_along(fit, along, values)
    sizes = tuple(Size(one, other, new) for one in groups for new in covariate for other in rows)
    for size in sizes[:1]:
        extended(fit, size)  # names are looked up before anything is simulated
    return sizes


def _named(option: str, given: Any, names: Sequence[str], only: str) -> list[tuple[str, int] | None]:
    if given is None:
        return [None]
    if isinstance(given, Mapping):
        if len(given) != 1:
            raise DataError(
                f"{option} names one grouping factor, not {len(given)}: {{{names[0]!r}: [10, 20]}}"
            )
        ((name, numbers),) = given.items()
    elif option == "n_groups" and len(names) > 1:
        raise DataError(
            f"the model has several grouping factors: say which by n_groups={{{only!r}: ...}} or another of "
            f"{', '.join(names)}"
        )
    else:
        name, numbers = only, given
    several = [numbers] if np.ndim(numbers) == 0 else list(numbers)
    if not several:
        raise DataError(f"{option} is empty: give a number or several")
    return [(name, count(option, one)) for one in several]


def read_test(
    fit: Fit, test: Any, effect: Mapping[str, float], method: DdfMethod, model: Callable[[Fit], Any]
) -> tuple[PValue, str]:
    """The p-value of a refitted model, and the test in words.

    Raises
    ------
    DataError
        Nothing that can be tested.
    """
    if callable(test):
        return partial(_of_caller, test, model), getattr(test, "__name__", "a function of the model")
    if test is None and not fit.names:
        raise DataError("the model has no coefficients to test: give test=, a function of the model")
    if test is None:
        others = [name for name in fit.names if name != "Intercept"]
        test = list(effect) or others[:1] or list(fit.names[:1])
    terms = {term.label: term for term in Terms.of(fit).tested} if isinstance(test, str) else {}
    if isinstance(test, str) and test in terms and test not in fit.names:
        rows = list(terms[test].columns)
        return partial(_by_ddf, method, np.identity(len(fit.names))[rows], np.zeros(len(rows))), test
    named = [test] if isinstance(test, str) else test
    if isinstance(named, list) and all(isinstance(one, str) and one in fit.names for one in named):
        L = Hypothesis.of(fit, {one: {one: 1.0} for one in named}, rhs=0.0, level=0.95)
        return partial(_by_ddf, method, L.L, L.rhs), " and ".join(named)
    L = Hypothesis.of(fit, test, rhs=0.0, level=0.95)
    return partial(_by_ddf, method, L.L, L.rhs), " and ".join(map(str, L.labels))


def _of_caller(test: Callable[[Any], Any], model: Callable[[Fit], Any], fit: Fit) -> float:
    p = called("test=", test, model(fit), advice=OF_TESTS)
    try:
        value = float(p)
    except (TypeError, ValueError) as error:
        raise DataError(f"test must give a p-value, a number, not {shown(p)}") from error
    if not (0 <= value <= 1 or np.isnan(value)):
        raise DataError(f"test must give a p-value between 0 and 1, not {value:.6g}")
    return value


def _by_ddf(method: DdfMethod, L: Array, rhs: Array, fit: Fit) -> float:
    found = method.bind(fit).f_test(L, rhs)
    return float(f_p_value(found.F, found.num_df, found.den_df)) if found.num_df else np.nan


def read_asked(
    fit: Fit,
    model: Callable[[Fit], Any],
    method: DdfMethod,
    *,
    effect: Any,
    n_groups: Any,
    n_per_group: Any,
    along: Any,
    values: Any,
    test: Any,
    n: int,
    alpha: float,
    level: float,
    seed: int | None,
    n_jobs: int | None,
    progress: bool | None,
) -> Asked:
    """All options, checked."""
    new = read_effect(fit, effect)
    for name, value in (("alpha", alpha), ("level", level)):
        if not 0 < number(name, value) < 1:
            raise DataError(f"{name} must be between 0 and 1, not {value:.12g}")
    p_value, said = read_test(fit, test, new, method, model)
    sizes = read_sizes(fit, n_groups, n_per_group, along, values)
    return Asked(
        new, sizes, p_value, said, float(alpha), float(level), check_draws(n), root_of(seed), n_jobs, progress
    )
