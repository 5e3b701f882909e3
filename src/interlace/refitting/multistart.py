"""Is it the optimum? The criterion and the estimates that searches from other starts end at."""

from __future__ import annotations

from dataclasses import field, replace

import numpy as np

from interlace.arrays import Array
from interlace.errors import ModelError
from interlace.estimation.descent import SAME_VALUE, Search
from interlace.estimation.first_search import evaluations
from interlace.estimation.fit import Fit
from interlace.estimation.penalized import EXACT_FIT
from interlace.frozen import dataclass
from interlace.kernel import NotPositiveDefiniteError
from interlace.refitting.parallel import Generators, check_draws, in_blocks, root_of, stopped
from interlace.tables.table import Table
from interlace.variances.natural import parameter_names, parameter_values

# Decades over which the sizes of random effects are drawn, relative to the residuals.
SMALLEST, LARGEST = -2.0, 2.0
# Values that differ by less than this share are equal.
ROUNDING = 1e-12
NO_START = "the criterion cannot be computed there"
FITTED = "the response is fitted exactly"


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a search ended.

    Attributes
    ----------
    value : float
        Of the criterion; NaN where there is none.
    status : str
    evaluations : int
    parameters : ndarray, (m,)
    """

    value: float
    status: str
    evaluations: int
    parameters: Array


@dataclass(frozen=True)
class Multistart:
    """Searches from random starts, as lme4's `allFit` compares optimisers; made by
    `LinearMixedModel.multistart`.

    Attributes
    ----------
    table : Table
        A row for the fit and one for each start: `criterion`, `above` (the lowest of all), `status`,
        `evaluations`, and every parameter.
    agree, higher, lower, failed : int
        How many starts ended at the minimum of the fit (to 1e-4), at another one above it, below it, and at
        no minimum.
    """

    table: Table
    agree: int
    higher: int
    lower: int
    failed: int
    spread: float = field(default=np.nan)

    @property
    def is_optimum(self) -> bool:
        """Did no start end below the fit, and at least one at it?"""
        return not self.lower and self.agree > 0

    @property
    def verdict(self) -> str:
        """In a sentence."""
        n = self.agree + self.higher + self.lower + self.failed
        others = [f"{self.higher} ended at another minimum, above it"] * (self.higher > 0)
        others += [f"{self.failed} at none"] * (self.failed > 0)
        rest = f"; {' and '.join(others)}" * bool(others)
        if self.lower:
            least = float(self.table["criterion"].iloc[0] - self.table["criterion"].min())
            return (
                f"the fit is not the optimum: {self.lower} of {n} starts ended below it, by up to {least:.4g}"
                f"{rest}"
            )
        if not self.agree:
            return f"no start came to the minimum of the fit{rest}: whether it is the optimum is open"
        return (
            f"{self.agree} of {n} starts ended at the minimum of the fit, with parameters within "
            f"{self.spread:.1g} of their size{rest}"
        )

    def __repr__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def multistart(
    fit: Fit, n: int = 20, *, seed: int | None = None, n_jobs: int | None = None, progress: bool | None = None
) -> Multistart:
    """See `LinearMixedModel.multistart`."""
    check_draws(n)
    if not fit.criterion.n_par:
        raise ModelError("the model has no covariance parameter that is searched for")

    def search(generators: Generators) -> list[Ending]:
        return [_search(fit, rng) for rng in generators]

    found = in_blocks(
        search, 0, n, root=root_of(seed), n_jobs=n_jobs, progress=progress, label="multistart", size=40_000
    )
    here = Ending(fit.optimum.value, fit.optimum.status, fit.optimum.evaluations, parameter_values(fit))
    return _judged(fit, here, found, stopped(len(found), n, "starts"))


def _start(fit: Fit, rng: np.random.Generator) -> Array:
    """Sizes over four decades; other parameters about their start."""
    parameters = fit.criterion.parameters
    par = parameters.start + rng.standard_normal(parameters.n_par)
    for effects in parameters.effects:
        for row, diagonal in effects:
            size = 10.0 ** rng.uniform(SMALLEST, LARGEST)
            par[row] = size * rng.standard_normal(len(row))
            par[diagonal] = size
    return np.where(parameters.even, np.abs(par), par)


def _search(fit: Fit, rng: np.random.Generator) -> Ending:
    criterion = fit.criterion
    unknown = np.full(len(parameter_names(fit)), np.nan)
    found = Search(criterion, criterion.kernel(), _start(fit, rng), evaluations(criterion))
    try:
        with criterion.system.threads():
            found.run()
            found.polish()
    except (NotPositiveDefiniteError, ValueError):
        return Ending(np.nan, NO_START, found.evaluations, unknown)
    if found.leaves_at_most(EXACT_FIT):
        return Ending(np.nan, FITTED, found.evaluations, unknown)
    solution = found.criterion.solution(found.par)
    df = fit.criterion.df
    end = replace(fit, solution=solution, sigma=float(np.sqrt(solution.pwrss / df)))
    return Ending(float(found.value), found.status, found.evaluations, parameter_values(end))


def _judged(fit: Fit, here: Ending, found: list[Ending], ended: str = "") -> Multistart:
    every = [here, *found]
    values = np.array([one.value for one in every])
    minimum = np.array([one.status == "converged" for one in every])
    above = values - here.value
    agree = minimum & (np.abs(above) <= SAME_VALUE)
    lower, higher = minimum & (above < -SAME_VALUE), minimum & (above > SAME_VALUE)
    parameters = np.array([one.parameters for one in every])
    size = np.maximum(np.abs(here.parameters), 1e-3 * fit.sigma)
    distances = np.abs(parameters[1:][agree[1:]] - here.parameters) / size
    spread = float(np.nanmax(distances, initial=0.0))
    lowest = np.nanmin(values)
    columns = {
        "criterion": values,
        "above": np.where(values - lowest > ROUNDING * abs(lowest), values - lowest, 0.0 * values),
        "status": [one.status for one in every],
        "evaluations": np.array([one.evaluations for one in every]),
    }
    columns |= dict(zip(parameter_names(fit), parameters.T, strict=True))
    a, b, c = (int(which[1:].sum()) for which in (agree, higher, lower))
    result = Multistart(Table.of(columns), a, b, c, len(found) - a - b - c, spread)
    heading = (
        f"Searches of the {'REML criterion' if fit.reml else 'deviance'} from {len(found)} random starts"
    )
    labels = ["fit", *(f"start {i + 1}" for i in range(len(found)))]
    return replace(result, table=Table.of(columns, labels, heading=heading, note=[result.verdict, ended]))
