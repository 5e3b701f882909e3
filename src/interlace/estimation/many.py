"""The same model fitted to many responses of its rows: arrays of estimates, without a `Fit` for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.errors import InterlaceError
from interlace.estimation import descent, first_search, optimize
from interlace.estimation.answering import Responses, as_responses
from interlace.estimation.crossproducts import NEARLY_ALL
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.fit import Fit
from interlace.estimation.origin import Origin
from interlace.estimation.parameters import Parameters
from interlace.estimation.penalized import Solution
from interlace.frozen import dataclass

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Many:
    """Estimates for r responses.

    Attributes
    ----------
    beta : ndarray, (r, p)
        NaN where the model could not be fitted; so are the others.
    unscaled_vcov : ndarray, (r, p, p)
        Times ``sigma^2`` the covariance of beta.
    sigma, value : ndarray, (r,)
        Residual standard deviation, and the criterion.
    factors : tuple of ndarray, (r, k, k)
        Per covariance block F with ``F F'`` the relative covariance, in the units of the data; F need not be
        triangular.
    status : tuple of str
        "converged", or what ended the search.
    errors : tuple of (InterlaceError or None)
        Why the model could not be fitted.
    evaluations : ndarray of int, (r,)
    """

    beta: Array
    unscaled_vcov: Array
    sigma: Array
    value: Array
    factors: tuple[Array, ...]
    status: tuple[str, ...]
    errors: tuple[InterlaceError | None, ...]
    evaluations: NDArray[np.integer]

    @property
    def se(self) -> Array:
        """Standard errors of beta, (r, p)."""
        return np.asarray(self.sigma[:, None] * np.sqrt(np.diagonal(self.unscaled_vcov, axis1=1, axis2=2)))


def fit_many(fit: Fit, Y: Array | Responses) -> Many:
    """The model of a fit for each of r responses: what `Fit.refit_many` finds, in a fraction of the time.

    The search of each response runs in the core, and where the design allows of a second minimum, so do those
    from other starts. Where that was not enough (another minimum may be lower, the basis must change, the
    response is fitted nearly exactly), the model is fitted as ever. What a response gets does not depend on
    the others.
    """
    Y = as_responses(Y)
    r = len(Y)
    found = _Found.empty(r, len(fit.names), [len(T) for T in fit.solution.factors])
    criterion = fit.criterion.separated()
    left = np.arange(r)
    if _one_search(criterion) and r:
        A = fit.answering(Y)
        products = [one.products for one in A]
        ends = criterion.search_many(
            products, criterion.parameters.few_levels(), first_search.limits(criterion, prove=False)
        )
        easy = ends["easy"].astype(bool)
        found.take(fit, criterion.parameters, ends, easy, [one.origin for one in A])
        left = np.flatnonzero(~easy)
        if criterion.doubt.effects:
            left = _in_doubt(found, fit, criterion, products, ends, Y)
    for j in left:
        found.refit(fit, int(j), Y)
    return found.done()


def _in_doubt(
    found: _Found,
    fit: Fit,
    criterion: ProfiledDeviance,
    products: list[kernel.CrossProducts],
    ends: dict[str, Array],
    Y: Responses,
) -> NDArray[np.intp]:
    """Which responses have no end yet that is sure to be the lowest minimum; the others are found."""
    # 1) a search for each: where that of the core was too short, one that may change its basis
    par, sure = ends["par"].copy(), fit.without_doubt()
    told: NDArray[np.bool_] = np.asarray(np.isfinite(ends["start"]).all(axis=1))
    for j in np.flatnonzero(told & ~ends["easy"].astype(bool)):
        found.refit(sure, int(j), Y)
        told[j] = found.status[j] == "converged"
        par[j] = criterion.parameters.par(tuple(T[j] for T in found.many.factors)) if told[j] else 0.0
    # 2) do others end lower?
    rows = np.flatnonzero(told)
    if len(rows):
        some = [products[j] for j in rows]
        told[rows] = ~_lower_elsewhere(criterion, some, ends["start"][rows], par[rows])
    return np.flatnonzero(~told)


def fits_at(fit: Fit, Y: Array | Responses, many: Many) -> Iterator[Fit | None]:
    """The fits of these responses, solved at the variances that were found; None where there is none."""
    Y, df = as_responses(Y), fit.criterion.df
    for j, one in enumerate(fit.answering(Y)):
        if many.errors[j] is not None:
            yield None
        elif many.sigma[j] ** 2 * df <= 2 * (1 - NEARLY_ALL) * one.products.yy:
            yield from fit.refit_many(Y[j : j + 1])  # X explains nearly all: products are taken anew
        else:
            criterion = replace(fit.criterion, system=fit.criterion.system.with_products(one))
            T = tuple(np.asarray(kernel.lower_factor(np.ascontiguousarray(F[j]))) for F in many.factors)
            optimum = replace(fit.optimum, par=criterion.parameters.par(T), value=float(many.value[j]))
            solution = Solution.at(criterion.system, T)
            yield replace(
                fit, criterion=criterion, optimum=optimum, solution=solution, sigma=float(many.sigma[j])
            )


def _one_search(criterion: ProfiledDeviance) -> bool:
    """May one search be enough, or one and the proof that others end no lower?"""
    parameters = criterion.parameters
    few = criterion.n_par <= descent.MANY or not criterion.doubt.effects
    return parameters.plain and not parameters.scouted and few


def _lower_elsewhere(
    criterion: ProfiledDeviance, responses: list[kernel.CrossProducts], moments: Array, best: Array
) -> NDArray[np.bool_]:
    """Which responses may have a minimum lower than the best, by searches from the starts of `optimize`."""
    doubt = criterion.doubt
    # 1) one effect after another is larger or smaller, than the moments say and than it was found to be
    starts = [*doubt.replacing(), *doubt.starts(moments)]
    starts += [*doubt.starts_about(best), *doubt.entry_by_entry(moments)]
    points = [np.broadcast_to(one, best.shape) for one in starts]
    # 2) covariances of rank one: the lowest of many
    for trials in doubt.singular_about(best):
        block = np.stack(trials, axis=1)
        values = criterion.values_at(responses, block)
        chosen = np.full((optimize.LOWEST, *best.shape), np.nan)
        for r in range(len(responses)):
            found = optimize.lowest(block[r], values[r], optimize.SAME_DIRECTION)
            chosen[: len(found), r] = block[r, found]
        points += list(chosen)
    return criterion.lower_elsewhere(
        responses, np.stack(points, axis=1), best, first_search.limits(criterion, prove=False)
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """Arrays that are filled."""

    many: Many
    status: list[str]
    errors: list[InterlaceError | None]

    @classmethod
    def empty(cls, r: int, p: int, sizes: list[int]) -> _Found:
        """Nothing is known yet."""

        def unknown(*shape: int) -> Array:
            return np.full((r, *shape), np.nan)

        many = Many(
            unknown(p), unknown(p, p), unknown(), unknown(), tuple(unknown(k, k) for k in sizes), (), (),
            np.zeros(r, dtype=np.int64),
        )  # fmt: skip
        return cls(many, [""] * r, [None] * r)

    def take(
        self,
        fit: Fit,
        parameters: Parameters,
        ends: dict[str, Array],
        easy: NDArray[np.bool_],
        origins: Sequence[Origin],
    ) -> None:
        """The ends of searches in the core, about the origin and in the parameters of the search."""
        many, origin = self.many, fit.A.origin
        beta, V = ends["beta"][easy], ends["covariance"][easy]
        beta += np.reshape([one.beta for one in origins], (len(origins), len(fit.names)))[easy]
        intercept = fit.encoding.intercept
        if intercept is not None:
            y = np.array([one.y for one in origins])
            beta[:, intercept] += y[easy] - beta @ origin.x
            V[:, intercept] -= np.einsum("j,rjk->rk", origin.x, V)
            V[:, :, intercept] -= np.einsum("rjk,k->rj", V, origin.x)
        many.beta[easy], many.unscaled_vcov[easy] = beta, V
        df = fit.criterion.df
        many.sigma[easy], many.value[easy] = np.sqrt(ends["pwrss"][easy] / df), ends["value"][easy]
        many.evaluations[easy] = ends["evaluations"][easy]
        for F, found in zip(many.factors, factors_of(parameters, ends["par"][easy]), strict=True):
            F[easy] = found
        for j in np.flatnonzero(easy):
            self.status[j] = "converged"

    def refit(self, fit: Fit, j: int, Y: Responses) -> None:
        """One response as ever."""
        try:
            (again,) = fit.refit_many(Y[j : j + 1])
        except InterlaceError as error:
            self.errors[j] = error
            return
        many, self.errors[j] = self.many, None
        many.beta[j], many.unscaled_vcov[j] = again.solution.beta, again.solution.unscaled_vcov
        many.sigma[j], many.value[j] = again.sigma, again.optimum.value
        many.evaluations[j] = again.optimum.evaluations
        for F, T in zip(many.factors, again.solution.factors, strict=True):
            F[j] = T
        self.status[j] = again.optimum.status

    def done(self) -> Many:
        """With what became of each."""
        return replace(self.many, status=tuple(self.status), errors=tuple(self.errors))


def factors_of(parameters: Parameters, par: Array) -> list[Array]:
    """Relative covariance factors, (r, k, k) for each block, of parameters (r, m) that are entries of them;
    not triangular."""
    out: list[Array] = []
    blocks = zip(parameters.structures, parameters.shift, parameters.basis, parameters.slices, strict=True)
    for s, R, B, at in blocks:
        T = np.zeros((len(par), s.k, s.k))
        for e, (row, col) in enumerate(s.entries):
            T[:, row, col] = par[:, at.start + e]
        out.append((2.0 * np.identity(s.k) - R) @ B @ T)
    return out
