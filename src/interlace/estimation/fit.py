"""From a design to a fitted model: the steps of the path, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.rows import FrameRows, Rows, as_rows, left_out, selected
from interlace.errors import (
    DataError,
)
from interlace.estimation.absorbed import Effects
from interlace.estimation.answering import Responses, as_responses
from interlace.estimation.beside_levels import effects_of, unweighted_triangle
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.ended import Ended
from interlace.estimation.found import search, solved, tell
from interlace.estimation.identification import Identification
from interlace.estimation.layout import Layout
from interlace.estimation.normal_errors import Answered
from interlace.estimation.optimize import minimise, minimise_again
from interlace.estimation.optimum import Optimum
from interlace.estimation.penalized import Solution
from interlace.estimation.prepare import EXACTLY, Model, conditioned, prepare, prepare_products
from interlace.estimation.rank import warn_of_dropped
from interlace.estimation.solver import Solver
from interlace.frozen import dataclass
from interlace.hints import NotCalled
from interlace.kernel import NotPositiveDefiniteError as NotPositiveDefiniteError

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Fit(NotCalled):
    """A fitted model: what was learnt from the data, the criterion, its minimum, and the solution there.

    Attributes
    ----------
    encoding : Encoding
    rows : Rows
        The training rows: the door to all that is asked of a row.
    criterion : ProfiledDeviance
    optimum : Optimum
    solution : Solution
    sigma : float
        Residual standard deviation (of an observation with weight 1).
    kept : tuple of int
        Columns of X that are in the model; the others depend on them.
    dropped : tuple of str
        Names of the others.
    identification : Identification
        What the data cannot tell of the variances.
    """

    encoding: Encoding
    rows: Rows = field(repr=False)
    criterion: ProfiledDeviance = field(repr=False)
    optimum: Optimum
    solution: Solution = field(repr=False)
    sigma: float
    kept: tuple[int, ...]
    dropped: tuple[str, ...]
    identification: Identification = field(repr=False)
    _others: dict[bool, Fit] = field(init=False, default_factory=dict, repr=False, compare=False)
    _effects: list[Effects] = field(init=False, default_factory=list, repr=False, compare=False)

    @property
    def reml(self) -> bool:
        """Was the REML criterion minimised?"""
        return self.criterion.reml

    @property
    def A(self) -> CrossProducts:
        """The cross-products of the columns that are in the model."""
        return self.criterion.system.A

    @property
    def layout(self) -> Layout:
        """Where the blocks of random effects stand."""
        return self.A.layout

    @property
    def X(self) -> Array:
        """The columns of X that are in the model, (n, p)."""
        return self.design.selected(self.kept).X

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in the order of beta."""
        return tuple(self.encoding.fixed_names[j] for j in self.kept)

    @property
    def scale(self) -> float:
        """``sigma^2``, the residual variance of an observation of weight 1."""
        return self.sigma**2

    @property
    def vcov(self) -> Array:
        """Covariance of beta at the fitted variances, ``sigma^2 (RX'RX)^-1``, (p, p)."""
        return self.scale * self.solution.unscaled_vcov

    @property
    def loglik(self) -> float:
        """The log-likelihood, restricted for a fit by REML; with ``sum(log w) / 2``."""
        return -self.optimum.value / 2

    @property
    def absorbed_effects(self) -> Effects:
        """Estimates of the levels of absorbed factors, given beta and b: what is left of y on them.

        Raises
        ------
        ModelError
            Nothing is absorbed.
        """
        if not self._effects:
            self._effects.append(effects_of(self.encoding, self.rows, self._varying, self.n_jobs))
        return self._effects[0]

    def _varying(self, design: Design) -> Array:
        """``X beta + Z b``, (n,)."""
        total = design.selected(self.kept).fixed.times(self.solution.beta)
        for rows, b in zip(design.random, self.solution.b, strict=True):
            total = total + np.einsum("nk,nk->n", rows.z, b[rows.codes])
        return total

    @property
    def n_parameters(self) -> int:
        """Number of estimated parameters: fixed effects, those of absorbed levels included, those of the
        covariances, and sigma."""
        return self.criterion.system.fixed_effects + self.criterion.parameters.counted + 1

    @property
    def n_jobs(self) -> int | None:
        """Threads at most; None: as many as BLAS was given."""
        return self.criterion.system.n_jobs

    @property
    def design(self) -> Design:
        """All training rows at once; refused for rows that are not in memory."""
        return self.rows.design

    def kernel_rows(self) -> dict[str, Any]:
        """The rows of the model about the origin of its cross-products, as `CrossProducts.rows` has them."""
        return self.kernel_rows_of(self.design)

    def kernel_rows_of(self, design: Design) -> dict[str, Any]:
        """The same of some of the rows."""
        return self.criterion.system.A.rows(design.selected(self.kept))

    def refit(self, y: ArrayLike) -> Fit:
        """The same model for another response: same rows, same options.

        Parameters
        ----------
        y : array-like, (n,)
            One value per row used in the fit.
        """
        (found,) = self.refit_many(np.asarray(y)[None])
        return found

    def refit_many(self, Y: Array | Responses) -> list[Fit]:
        """The same for every row of Y, (r, n); the rows of the data are looked at once."""
        responses = as_responses(Y).checked(self.rows.n)
        found = []
        for j, A in enumerate(self.answering(responses)):
            rows = responses.rows(j, self.rows)
            A = conditioned(A, selected(rows, self.kept))
            criterion = replace(self.criterion, system=self.criterion.system.with_products(A))
            found.append(_checked(search(criterion, minimise_again), rows, self.model))
        return found

    def answering(self, responses: Responses) -> list[CrossProducts]:
        """The cross-products with each of the responses, from one look at the rows."""
        if isinstance(responses, Answered):
            return list(responses.parts)
        return self.A.with_responses(self.encoding, responses, selected(self.rows, self.kept))

    @property
    def triangle_of_tests(self) -> Array:
        """What sequential sums of squares are made of, without weights as in lmerTest, (p, p).

        Rows that are read in chunks need not be read again where there are no weights.
        """
        if not isinstance(self.rows, FrameRows) and self.encoding.weights is None:
            return self.A.triangle(self.encoding)
        return unweighted_triangle(self.rows, self.kept)

    def of_model(self, encoding: Encoding, rows: Design | Rows) -> Fit:
        """The fit of another model of these rows by maximum likelihood."""
        return fit(encoding, rows, reml=False, n_jobs=self.n_jobs)

    def of_columns(self, rows: Rows, columns: tuple[int, ...]) -> Fit:
        """The fit by maximum likelihood of the model that has these columns of X, of the same products.

        These will not do where columns were dropped, factors are absorbed, or y is about a fit of X.
        """
        if self.dropped or self.encoding.absorbed or self.A.origin.beta.any():
            return self.of_model(rows.encoding, rows)
        A, kept = self.A.select_fixed(columns), tuple(range(len(columns)))
        return fit_prepared(
            *prepare_products(A, kept, rows.encoding, rows, reml=False, n_jobs=self.n_jobs), rows
        )

    def of_blocks(self, rows: Rows, chosen: Sequence[tuple[int, Sequence[int]]]) -> Fit:
        """The fit, by the same criterion, of the model with fewer random effects, of the same products.

        `rows` are those of that model, and `chosen` as for `CrossProducts.select_random`. Absorbed factors
        need all rows.
        """
        A, kept = self.A.select_random(rows.encoding, chosen), tuple(range(self.A.products.p))
        return fit_prepared(
            *prepare_products(A, kept, rows.encoding, rows, reml=self.reml, n_jobs=self.n_jobs), rows
        )

    def by(self, *, reml: bool) -> Fit:
        """The same model by REML or by maximum likelihood, from the same products.

        It is searched for once and kept: several tables ask for it.
        """
        if reml == self.reml:
            return self
        if reml in self._others:
            tell(self._others[reml].optimum)
            return self._others[reml]
        criterion = type(self.criterion).of(self.criterion.system, reml=reml)
        return self._others.setdefault(reml, _found(criterion, self.rows, self.model))

    def without_rows(self) -> Fit:
        """The same fit without its rows; what absorbed factors need of them is computed before they go."""
        made = replace(self, rows=left_out(self.rows))
        if self.encoding.absorbed:
            made._effects.append(self.absorbed_effects)
        return made

    def without_doubt(self) -> Fit:
        """The same, whose refits look for no second minimum: for somebody who does that."""
        return replace(self, criterion=self.criterion.without_doubt())

    @property
    def model(self) -> Model:
        """What belongs to the model whatever the response."""
        return Model(self.kept, self.dropped, self.identification)


def fit(
    encoding: Encoding,
    rows: Design | Rows,
    *,
    reml: bool = True,
    n_jobs: int | None = None,
    solver: Solver = EXACTLY,
) -> Fit:
    """Fit by REML or maximum likelihood.

    Parameters
    ----------
    encoding, rows : Encoding, Rows
        From `learn`; or a design, from `Encoding.learn`.
    reml : bool
    n_jobs : int, optional
        Threads at most; by default as many as BLAS was given.
    solver : Solver
        Which engine.

    Returns
    -------
    Fit

    Raises
    ------
    ModelError
        More fixed effects than rows, a response that is fitted exactly, a factor that does not fit in memory.

    Warns
    -----
    RankDeficiencyWarning
        Columns of X were dropped.
    ConvergenceWarning
        The search ended before it found a minimum.
    """
    rows = as_rows(encoding, rows)
    return fit_prepared(*prepare(encoding, rows, reml=reml, n_jobs=n_jobs, solver=solver), rows)


def fit_prepared(criterion: ProfiledDeviance, model: Model, rows: Rows) -> Fit:
    """The fit of a criterion that was prepared; see `fit`."""
    warn_of_dropped(model.dropped, criterion.system.encoding)
    return _found(criterion, rows, model)


def _found(criterion: ProfiledDeviance, rows: Rows, model: Model) -> Fit:
    # what no data could tell: the criterion has the same minimum without it
    criterion = criterion.without(model.identification.superfluous(reml=criterion.reml))
    return _checked(search(criterion, minimise), rows, model)


def at_theta(encoding: Encoding, rows: Design | Rows, theta: ArrayLike, *, reml: bool = True) -> Fit:
    """The model at a given theta (lme4's order and meaning), not searched for.

    Raises
    ------
    DataError
        theta has the wrong length.
    """
    rows = as_rows(encoding, rows)
    criterion, model = prepare(encoding, rows, reml=reml)
    factors = _factors(criterion, np.asarray(theta, dtype=np.float64))
    par = criterion.parameters.par(factors)
    optimum = Optimum(
        par=par,
        value=criterion.value(par),
        gradient=criterion.gradient(par),
        hessian=criterion.hessian(par),
        hessian_kind="exact",
        status="not searched",
        evaluations=1,
        gradients=1 + 2 * len(par),
        at_zero=(),
    )
    return _fit(criterion, rows, optimum, Solution.at(criterion.system, factors), model)


def deviance_at(fit: Fit, theta: ArrayLike, *, reml: bool) -> float:
    """The criterion at a given theta: REML or ML deviance."""
    criterion = type(fit.criterion).of(fit.criterion.system, reml=reml)
    return criterion.value(criterion.parameters.par(_factors(criterion, np.asarray(theta, dtype=np.float64))))


def _factors(criterion: ProfiledDeviance, theta: Array) -> tuple[Array, ...]:
    n_theta = criterion.parameters.n_theta
    if theta.shape != (n_theta,):
        raise DataError(f"theta must have {n_theta} entries, not shape {theta.shape}")
    return criterion.parameters.of_theta(theta)


def _checked(ended: Ended[ProfiledDeviance], rows: Rows, model: Model) -> Fit:
    solution = solved(ended)
    tell(ended.optimum)
    return _fit(ended.criterion, rows, ended.optimum, solution, model)


def _fit(
    criterion: ProfiledDeviance,
    rows: Rows,
    optimum: Optimum,
    solution: Solution,
    model: Model,
) -> Fit:
    df = criterion.df
    return Fit(
        encoding=criterion.system.encoding,
        rows=rows,
        criterion=criterion,
        optimum=optimum,
        solution=solution,
        sigma=float(np.sqrt(solution.pwrss / df)),
        kept=model.kept,
        dropped=model.dropped,
        identification=model.identification,
    )
