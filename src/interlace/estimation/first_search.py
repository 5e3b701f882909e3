"""The first search for the minimum of a criterion, from the moments of the data.

Nearly always it is all there is to do, and then the core does it in one call.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from numpy.typing import NDArray

from interlace import kernel
from interlace.arrays import Array
from interlace.estimation.criterion import Compiled, Criterion
from interlace.estimation.crossproducts import NEARLY_ALL
from interlace.estimation.descent import (
    CHEAP_FLOPS,
    EXACT_HESSIAN,
    FEW_FLOPS,
    ILL_CONDITIONED,
    LARGE,
    LOST,
    NEARLY_ZERO,
    NO_MINIMUM,
    PIVOT_EVERY,
    SAME_VALUE,
    STEPS,
    TOLERANCE,
    exact_hessian_costs_below,
    finished,
    hopeless,
    kind_of_hessian,
    work,
)
from interlace.estimation.ended import Ended
from interlace.estimation.optimum import Optimum
from interlace.estimation.penalized import EXACT_FIT

C = TypeVar("C", bound=Criterion)

MAX_EVALUATIONS = 2000
# Evaluations of a search for another minimum.
MAX_ELSEWHERE = 300
# One that only asks whether there is a lower one ends where the criterion could fall by less than this.
NO_LOWER = 1e-6
# Where the slopes within levels are others than those of all rows, there may be a minimum about those: where
# some effect is so many times larger or smaller, and the criterion no more than this above the present one.
APART, RIVAL = 2.0, 6.0
# A gain in log sigma^2 by them from which all effects are in doubt, where there are several.
CONFLICT = 0.05
# Evaluations of the search that asks whether a covariance that is not singular is better than one that is.
OPENED = 40
# Where the data do not tell the parameters apart, the search creeps along a valley, and ends, unproved, after
# so many evaluations; fewer with more parameters than the second number.
HOPELESS_EVALUATIONS, HOPELESS_MANY = 80, 200


def evaluations(criterion: Criterion) -> int:
    """Evaluations that the first search may take; its steps cost the cube of the parameters."""
    if not hopeless(criterion):
        return MAX_EVALUATIONS
    return int(HOPELESS_EVALUATIONS / max(1.0, criterion.n_par / HOPELESS_MANY) ** 3)


def limits(criterion: Criterion, *, prove: bool) -> kernel.Limits:
    """What a search in the core goes by; `prove`: its last Hessian is the exact one, where that is cheap."""
    pivots = any([s.k > 1 for s in criterion.parameters.structures])
    cost = work(criterion)
    return _limits(
        PIVOT_EVERY if pivots else evaluations(criterion),
        finished(cost),
        STEPS if cost < FEW_FLOPS else 1,
        prove and exact_hessian_costs_below(CHEAP_FLOPS, criterion, cost),
    )


@lru_cache(maxsize=64)
def _limits(evaluations: int, finished: float, steps: int, prove: bool) -> kernel.Limits:
    return kernel.Limits(
        tolerance=TOLERANCE, evaluations=evaluations, large=LARGE, near_zero=NEARLY_ZERO,
        no_minimum=NO_MINIMUM, finished=finished, ill_conditioned=ILL_CONDITIONED, steps=steps,
        exact=EXACT_FIT, nearly_all=NEARLY_ALL, apart=APART, rival=RIVAL, conflict=CONFLICT, prove=prove,
        opened=OPENED, elsewhere=MAX_ELSEWHERE, elsewhere_tolerance=NO_LOWER, same_value=SAME_VALUE,
    )  # fmt: skip


class First(NamedTuple, Generic[C]):
    """Where a search begins, and where the first one has led.

    Attributes
    ----------
    criterion : Criterion
        Without covariances that no level can tell.
    compiled : Compiled
    moments : ndarray, (m,)
        The start.
    found : dict or None
        Where the search has led; None where none has begun.
    ended : Ended or None
        The minimum, where nothing else has to be tried: `compiled` cannot be asked any more.
    """

    criterion: C
    compiled: Compiled
    moments: Array
    found: dict[str, Any] | None = None
    ended: Ended[C] | None = None


def begin(whole: C) -> First[C]:
    """Where a search begins."""
    criterion = whole.separated()
    compiled = criterion.kernel()
    return First(criterion, compiled, compiled.moment_start())


def first_search(whole: C, *, prove: bool) -> First[C]:
    """One search from the moments and in the core, where it may be all there is to do."""
    at = begin(whole)
    criterion = at.criterion
    if criterion.doubt.effects or (criterion is not whole and criterion.n_par < whole.n_par):
        return at
    without = [effects.tolist() for effects in criterion.parameters.few_levels()]
    known = limits(criterion, prove=prove)
    found, begun, enough = at.compiled.search(at.moments, without, known)
    if not enough:
        return at._replace(found=found) if begun else at
    optimum = _optimum(criterion, found, EXACT_HESSIAN if known.prove else kind_of_hessian(found))
    return First(criterion, at.compiled, at.moments, found, Ended(criterion, optimum, at.compiled))


def _optimum(criterion: Criterion, found: dict[str, Any], kind: str) -> Optimum:
    par: NDArray[Any] = found["par"]
    return Optimum(
        par=par,
        value=found["value"],
        gradient=found["gradient"],
        hessian=found["hessian"],
        hessian_kind=kind,
        status=LOST if found["rounding"] > NO_MINIMUM else found["status"],
        evaluations=found["evaluations"],
        gradients=found["gradients"],
        at_zero=criterion.zero_components(par),
    )
