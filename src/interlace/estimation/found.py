"""The search for the minimum of a model's criterion, and what is said of its end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from interlace.errors import ConvergenceError, ConvergenceWarning, ModelError, warn
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.ended import Ended
from interlace.estimation.estimated import EstimatedDeviance, minimise_estimated
from interlace.estimation.iterative import UNSETTLED
from interlace.estimation.optimize import UNBOUNDED, minimise_again
from interlace.estimation.optimum import Optimum
from interlace.estimation.penalized import EXACT_FIT, GONE, Solution
from interlace.estimation.prepare import EXACT
from interlace.kernel import NotFiniteError, NotPositiveDefiniteError, NotSettledError


def search_again(criterion: ProfiledDeviance) -> tuple[Optimum, Solution]:
    """The minimum of a criterion like one that was searched before, and what follows there.

    Raises
    ------
    ModelError
        The response is fitted exactly.
    """
    ended = search(criterion, minimise_again)
    return ended.optimum, solved(ended)


def search(
    criterion: ProfiledDeviance, exactly: Callable[[ProfiledDeviance], Ended[ProfiledDeviance]]
) -> Ended[ProfiledDeviance]:
    """The minimum, by the engine of the criterion.

    Raises
    ------
    ModelError
        The response is fitted exactly, or numbers are too large or too small.
    ConvergenceError
        The iterative engine did not settle.
    """
    try:
        return (
            minimise_estimated(criterion) if isinstance(criterion, EstimatedDeviance) else exactly(criterion)
        )
    except NotSettledError as error:
        raise ConvergenceError(UNSETTLED) from error
    except NotPositiveDefiniteError as error:
        raise ModelError(EXACT) from error
    except (NotFiniteError, np.linalg.LinAlgError) as error:
        raise ModelError(
            "the criterion is not a number: the response, a predictor or the weights are too large or too "
            "small for floating-point arithmetic; rescale them"
        ) from error


def tell(optimum: Optimum) -> None:
    """Warn of an end that is no minimum."""
    if optimum.status == UNBOUNDED:
        warn(_UNBOUNDED, ConvergenceWarning)
    elif not optimum.converged:
        warn(
            f"the search ended after {optimum.evaluations} evaluations without a proof of a minimum "
            f"({optimum.status}); {_left_to_fall(optimum)}. Look for random effects that the data cannot "
            "tell apart",
            ConvergenceWarning,
        )


def _left_to_fall(optimum: Optimum) -> str:
    if optimum.decrement > 0:
        return f"the criterion could still fall by {optimum.decrement:.2g}"
    return "its second derivatives there are not those of a minimum"


def solved(ended: Ended[ProfiledDeviance]) -> Solution:
    """What follows at the optimum.

    Raises
    ------
    ModelError
        Nothing is left for the residuals.
    """
    criterion = ended.criterion
    try:
        solution = criterion.solution(ended.optimum.par, ended.compiled)
    except ModelError as error:
        if isinstance(error.__cause__, NotPositiveDefiniteError):  # the search had a number here, to rounding
            raise ModelError(EXACT) from error
        raise
    if _residuals_gone(criterion, solution):
        raise ModelError(_GONE)
    if solution.pwrss <= EXACT_FIT * criterion.system.A.products.yy:
        raise ModelError(EXACT)
    return solution


def _residuals_gone(criterion: ProfiledDeviance, solution: Solution) -> bool:
    """Have correlated random effects, one for each row or more, taken the place of the residuals?"""
    if not criterion.parameters.scouted:
        return False
    A, p = criterion.system.A, criterion.system.fixed_effects
    effects = sum(A.layout.levels[f] * A.layout.k[f] for f in A.layout.varying)
    if effects < A.n - p:
        return False
    return bool(solution.pwrss <= GONE * A.products.yy)


_GONE = (
    "the residual variance is zero: with an effect for each row, the correlated random effects describe the "
    "response without residuals. A model has residuals of its own here: observe each level more than once, "
    "or use a structure with fewer effects"
)
_UNBOUNDED = (
    "the likelihood has no maximum: for some covariances the random effects reproduce the response exactly, "
    "and the criterion falls without end. The fit is a local maximum elsewhere; the data are too few for "
    "this random part, use a simpler one"
)
