"""The model without some rows: theta held, one Newton step in theta, or fitted again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import log, pi

import numpy as np

from interlace.arrays import Array, Index
from interlace.errors import ModelError
from interlace.estimation.fit import Fit
from interlace.estimation.one_step import one_step
from interlace.estimation.optimize import minimise_again
from interlace.estimation.penalized import EXACT_FIT, Solution
from interlace.kernel import NotPositiveDefiniteError
from interlace.refitting.deletion import products_without
from interlace.refitting.small_solves import SmallSolves

METHODS = ("fixed", "onestep", "refit")
# If less than one row in so many leaves, the Hessian of all rows stands for that of the others.
SHARE = 200


@dataclass(frozen=True, slots=True)
class Deleted:
    """The model without some rows.

    Attributes
    ----------
    kept : tuple of int
        Coefficients that the other rows still tell.
    beta, vcov : ndarray
        Of these.
    scale : float
        sigma^2: that of the model where theta is held.
    solution : Solution or None
        None where theta is held and small solves were enough.
    converged : bool
    """

    kept: tuple[int, ...]
    beta: Array
    vcov: Array
    scale: float
    solution: Solution | None
    converged: bool


Without = Callable[[Index], Deleted]


def method_of(fit: Fit, method: str) -> Without:
    """What answers for a set of rows."""
    return {"fixed": _held, "onestep": _stepped, "refit": _refitted}[method](fit)


def resolved(fit: Fit) -> Without:
    """Theta held, by a factorisation for each set of rows: with the random effects."""
    design = fit.design.selected(fit.kept)

    def without(rows: Index) -> Deleted:
        A, kept = products_without(fit.A, design, rows)
        solution = Solution.at(fit.criterion.system.with_products(A), fit.solution.factors)
        return Deleted(kept, solution.beta, fit.scale * solution.unscaled_vcov, fit.scale, solution, True)

    return without


def _held(fit: Fit) -> Without:
    small, whole = SmallSolves.of(fit), resolved(fit)

    def without(rows: Index) -> Deleted:
        found = small.without(rows) if small.is_cheaper(rows) else None
        if found is None:
            return whole(rows)
        return Deleted(tuple(range(len(fit.kept))), *found, fit.scale, None, True)

    return without


def _stepped(fit: Fit) -> Without:
    design = fit.design.selected(fit.kept)

    def without(rows: Index) -> Deleted:
        A, kept = products_without(fit.A, design, rows)
        criterion = replace(fit.criterion, system=fit.criterion.system.with_products(A))
        par = fit.optimum.par
        with _said():
            if SHARE * len(rows) > fit.A.n:
                par = one_step(criterion, one_step(criterion, par))
            else:
                par = one_step(criterion, par, fit.optimum.hessian)
        return _at(fit, kept, criterion.solution(par), True)

    return without


def _refitted(fit: Fit) -> Without:
    design = fit.design.selected(fit.kept)

    def without(rows: Index) -> Deleted:
        A, kept = products_without(fit.A, design, rows)
        criterion = replace(fit.criterion, system=fit.criterion.system.with_products(A))
        with _said():
            criterion, optimum = minimise_again(criterion)
        return _at(fit, kept, criterion.solution(optimum.par), optimum.converged)

    return without


_EXACT = (
    "without some of the rows the others are fitted exactly, so that their residual variance is zero: take "
    "method='fixed'"
)


@contextmanager
def _said() -> Iterator[None]:
    """A criterion that has no number is one of rows that are fitted exactly."""
    try:
        yield
    except ModelError:
        raise
    except (NotPositiveDefiniteError, ValueError) as error:
        raise ModelError(_EXACT) from error


def _at(fit: Fit, kept: tuple[int, ...], solution: Solution, converged: bool) -> Deleted:
    A = solution.system.A
    df = A.n - len(kept) if fit.reml else A.n
    if df < 1 or solution.pwrss <= EXACT_FIT * A.products.yy:
        raise ModelError(_EXACT)
    scale = solution.pwrss / df
    return Deleted(kept, solution.beta, scale * solution.unscaled_vcov, scale, solution, converged)


def displacement(fit: Fit, one: Deleted) -> float:
    """Twice what the log-likelihood of all rows loses at the estimates without some.

    Of a fit by REML the restricted likelihood, which does not depend on beta. NaN if not all are known.
    """
    if one.solution is None or (not fit.reml and len(one.kept) < len(fit.kept)):
        return np.nan
    whole = Solution.at(fit.criterion.system, one.solution.factors)
    n, misfit = fit.A.n, whole.pwrss
    value = whole.ldL2 - fit.A.products.sum_log_w
    if fit.reml:
        value += whole.ldRX2
        n -= len(fit.kept)
    else:
        change = one.beta - whole.beta
        misfit += float(change @ np.linalg.solve(whole.unscaled_vcov, change))
    return value + n * log(2 * pi * one.scale) + misfit / one.scale - fit.optimum.value


def variances(solution: Solution, scale: float) -> Array:
    """sigma^2, then variances and covariances of the random effects, lower triangles by column."""
    out = [scale]
    for i in solution.system.A.layout.theta_order:
        S = scale * solution.factors[i] @ solution.factors[i].T
        out += [S[row, col] for col in range(len(S)) for row in range(col, len(S))]
    return np.array(out)


def variance_names(fit: Fit) -> list[str]:
    """Their names."""
    out = ["sigma2"]
    for i in fit.layout.theta_order:
        block = fit.encoding.random[i]
        for col in range(len(block.columns)):
            out.append(f"{block.columns[col]}|{block.group}")
            out += [
                f"{block.columns[row]}.{block.columns[col]}|{block.group}"
                for row in range(col + 1, len(block.columns))
            ]
    return out
