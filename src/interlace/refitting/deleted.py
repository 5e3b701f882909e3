"""The model without some rows: theta held, one step in theta, or fitted again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import log, pi

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array, Index
from interlace.design.design import Design
from interlace.design.gathered import some_rows
from interlace.design.rows import Rows
from interlace.errors import ModelError
from interlace.estimation.descent import FEW_FLOPS, work
from interlace.estimation.fit import Fit
from interlace.estimation.one_step import OneStep
from interlace.estimation.optimize import minimise_again
from interlace.estimation.penalized import EXACT_FIT, Solution
from interlace.estimation.rank import joined_triangles, triangle
from interlace.frozen import dataclass
from interlace.kernel import NotPositiveDefiniteError
from interlace.refitting.deletion import Piece, products_without
from interlace.refitting.small_slopes import SmallSlopes
from interlace.refitting.small_solves import SmallSolves

METHODS = ("fixed", "onestep", "refit")
# If less than one row in so many leaves, and less than one level in so many, or with more parameters than the
# last number, the curvature of all rows stands for that of the others: (rows, levels) where an evaluation
# costs many flops, and where it costs few.
COSTLY, CHEAP, MANY = (100, 200), (1000, 1000), 10
# The share of a column beyond rounding error.
LACKS = 1e-6


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
    factors : tuple of ndarray, (k, k)
        Relative covariance factors.
    solution : Solution or None
        None where small solves were enough.
    whole : Solution or None
        That of all rows with these factors, where it is known.
    converged : bool
    """

    kept: tuple[int, ...]
    beta: Array
    vcov: Array
    scale: float
    factors: tuple[Array, ...]
    solution: Solution | None
    whole: Solution | None
    converged: bool


Without = Callable[[Index], Deleted]
Method = Callable[[Piece], Without]  # of some of the rows of a fit, all of a set among them


def method_of(fit: Fit, method: str) -> Method:
    """What answers for a set of rows, by their places among those of a piece."""
    return {"fixed": _held, "onestep": _stepped, "refit": _refitted}[method](fit)


def solved(fit: Fit, method: str) -> Method:
    """The same with the random effects: `Deleted.solution` is known."""
    if method == "fixed":
        return partial(resolved, fit)
    by_method = method_of(fit, method)

    def of(piece: Piece) -> Without:
        without = by_method(piece)

        def known(rows: Index) -> Deleted:
            found = without(rows)
            if found.solution is not None:
                return found
            A, _ = products_without(fit.A, piece, rows)
            return replace(found, solution=Solution.at(fit.criterion.system.with_products(A), found.factors))

        return known

    return of


def resolved(fit: Fit, piece: Piece) -> Without:
    """Theta held, by a factorisation for each set of rows: with the random effects."""
    factors = fit.solution.factors

    def without(rows: Index) -> Deleted:
        A, kept = products_without(fit.A, piece, rows)
        solution = Solution.at(fit.criterion.system.with_products(A), factors)
        vcov = fit.scale * solution.unscaled_vcov
        return Deleted(kept, solution.beta, vcov, fit.scale, factors, solution, fit.solution, True)

    return without


def _held(fit: Fit) -> Method:
    return partial(_held_of, fit)


def _held_of(fit: Fit, piece: Piece) -> Without:
    small, whole = SmallSolves.of(fit, piece.design), resolved(fit, piece)

    def without(rows: Index) -> Deleted:
        found = small.without(rows) if small.is_cheaper(rows) else None
        if found is None:
            try:
                return whole(rows)
            except ModelError:  # the others are fitted exactly: nothing is asked of their residuals
                found = small.without(rows)
                if found is None:
                    raise
        beta, C, _ = found
        all_of_it = tuple(range(len(fit.kept)))
        return Deleted(
            all_of_it, beta, fit.scale * C, fit.scale, fit.solution.factors, None, fit.solution, True
        )

    return without


def _stepped(fit: Fit) -> Method:
    """By the curvature of all rows where few leave, else by that of the others."""
    steps = OneStep(fit.criterion, fit.optimum.par, _lacking(fit))
    return partial(_stepped_of, fit, steps, rows_of_levels(fit.rows))


def _stepped_of(fit: Fit, steps: OneStep, levels: Sequence[Index], piece: Piece) -> Without:
    design = piece.design
    small = _stepped_small(fit, steps, design)
    limits = CHEAP if work(fit.criterion) < FEW_FLOPS else COSTLY

    def without(rows: Index) -> Deleted:
        few = fit.criterion.n_par > MANY or _few_leave(fit, levels, some_rows(design, rows), limits)
        found = small(rows) if few else None
        if found is not None:
            return found
        A, kept = products_without(fit.A, piece, rows)
        criterion = replace(fit.criterion, system=fit.criterion.system.with_products(A))
        with _said():
            par = steps.end(criterion.gradient(steps.par)) if few else steps.end_of(criterion)
            solution = criterion.solution(par)
        return _at(fit, kept, solution, True)

    return without


def _lacking(fit: Fit) -> list[NDArray[np.bool_]]:
    """Per random term, the columns that are no combination of those of X."""
    R, p = None, len(fit.names)
    for design in fit.rows.designs():
        found = triangle(np.hstack([design.selected(fit.kept).X, *(part.z for part in design.random)]))
        R = found if R is None else joined_triangles(R, found)
    assert R is not None
    left, whole = np.linalg.norm(R[p:, p:], axis=0), np.linalg.norm(R[:, p:], axis=0)
    ends = np.cumsum([len(block.columns) for block in fit.encoding.random])[:-1]
    return np.split(left > LACKS * whole, ends)


def rows_of_levels(rows: Rows) -> list[Index]:
    """The number of rows of each level, for each random term."""
    counts: list[Index] = [np.zeros(len(block.levels), dtype=np.int64) for block in rows.encoding.random]
    for design in rows.designs():
        for count, part in zip(counts, design.random, strict=True):
            count += np.bincount(part.codes, minlength=len(count))
    return counts


def _few_leave(fit: Fit, levels: Sequence[Index], gone: Design, limits: tuple[int, int]) -> bool:
    """Of the rows, and of the levels of each grouping factor with all of their rows?"""
    of_rows, of_levels = limits
    for part, there in zip(gone.random, levels, strict=True):
        lost = (np.bincount(part.codes, minlength=len(there)) == there) & (there > 0)
        if of_levels * int(lost.sum()) > len(there):
            return False
    return of_rows * gone.nrows <= fit.rows.n


def _stepped_small(fit: Fit, steps: OneStep, design: Design) -> Callable[[Index], Deleted | None]:
    """Without a factorisation of the other rows; None where that is no gain, or they hardly tell beta."""
    system = fit.criterion.system
    slopes = SmallSlopes.of(replace(fit, solution=fit.criterion.solution(steps.par)), steps.par, design)

    def without(rows: Index) -> Deleted | None:
        gradient = slopes.without(rows) if slopes.is_cheaper(rows) else None
        if gradient is None:
            return None
        whole = Solution.at(system, fit.criterion.parameters.factors(steps.end(gradient)))
        own = SmallSolves.of(replace(fit, solution=whole), some_rows(design, rows))
        found = own.without(np.arange(len(rows)))
        if found is None:
            return None
        beta, C, pwrss = found
        scale, told = pwrss / (fit.criterion.df - len(rows)), tuple(range(len(fit.kept)))
        return Deleted(told, beta, scale * C, scale, whole.factors, None, whole, True)

    return without


def _refitted(fit: Fit) -> Method:
    return partial(_refitted_of, fit)


def _refitted_of(fit: Fit, piece: Piece) -> Without:
    def without(rows: Index) -> Deleted:
        A, kept = products_without(fit.A, piece, rows)
        criterion = replace(fit.criterion, system=fit.criterion.system.with_products(A))
        with _said():
            criterion, optimum, factor = minimise_again(criterion)
        return _at(fit, kept, criterion.solution(optimum.par, factor), optimum.converged)

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
    except (ModelError, NotPositiveDefiniteError, ValueError) as error:
        raise ModelError(_EXACT) from error


def _at(fit: Fit, kept: tuple[int, ...], solution: Solution, converged: bool) -> Deleted:
    A = solution.system.A
    df = A.n - len(kept) if fit.reml else A.n
    if df < 1 or solution.pwrss <= EXACT_FIT * A.products.yy:
        raise ModelError(_EXACT)
    scale = solution.pwrss / df
    vcov = scale * solution.unscaled_vcov
    return Deleted(kept, solution.beta, vcov, scale, solution.factors, solution, None, converged)


def displacement(fit: Fit, one: Deleted) -> float:
    """Twice what the log-likelihood of all rows loses at the estimates without some.

    Of a fit by REML the restricted likelihood, which does not depend on beta. NaN if not all are known.
    """
    if not fit.reml and len(one.kept) < len(fit.kept):
        return np.nan
    whole = one.whole or Solution.at(fit.criterion.system, one.factors)
    n, misfit = fit.A.n, whole.pwrss
    value = whole.ldL2 - fit.A.products.sum_log_w
    if fit.reml:
        value += whole.ldRX2
        n -= len(fit.kept)
    else:
        change = one.beta - whole.beta
        misfit += float(change @ np.linalg.solve(whole.unscaled_vcov, change))
    return float(value + n * log(2 * pi * one.scale) + misfit / one.scale - fit.optimum.value)


def variances(fit: Fit, factors: tuple[Array, ...], scale: float) -> Array:
    """sigma^2, then variances and covariances of the random effects, lower triangles by column."""
    out = [scale]
    for i in fit.layout.theta_order:
        S = scale * factors[i] @ factors[i].T
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
