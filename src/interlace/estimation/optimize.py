"""The search for the minimum of a criterion, and the proof that it was found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.estimation.criterion import Compiled, Criterion
from interlace.estimation.penalized import EXACT_FIT, GONE

Array = NDArray[np.floating]
C = TypeVar("C", bound=Criterion)

TOLERANCE = 1e-10
MAX_EVALUATIONS = 2000
# Parameters beyond this in the start: some random effects may be far larger than the residuals.
LARGE = 25.0
# A search that says it has ended although the criterion could fall by this has not.
NO_MINIMUM = 1e-4
# Minima whose values differ by less than this are one.
SAME_VALUE = 1e-4
# Searches about an optimum that was not the last one.
ROUNDS = 4
# Evaluations of a search for another minimum.
MAX_ELSEWHERE = 300
# Evaluations of all searches together before the last one begins. With more parameters than the first number
# they are as many as cost so many flops, within limits.
MANY, WORK_ELSEWHERE, LEAST_ELSEWHERE, ALL_ELSEWHERE = 10, 1.5e9, 200, 3000
# Flops for each random effect that an evaluation costs beside the factorisation.
OVERHEAD = 2e3
# Of the starts with other correlations, those with the lowest values are searched from.
LOWEST = 4
# The status of an end whose value, or its curvature, is not known well enough.
LOST = "lost in rounding error"
# The status of a minimum beside which the criterion falls without end.
UNBOUNDED = "a minimum beside which the criterion has no lower bound"
# Evaluations between two changes of basis.
PIVOT_EVERY = 8
# More parameters than this, and than observations, are not told apart by the data: the search creeps along a
# valley there, and ends, unproved, after so many evaluations; fewer with more parameters than the last one.
HOPELESS, HOPELESS_EVALUATIONS, HOPELESS_MANY = 50, 80, 200
# Diagonal entries below this are tried at exactly zero.
NEARLY_ZERO = 1e-2
# An end is polished where the criterion could fall by more than this, and its Hessian tells how: parameters
# are known to the root of it. Where an evaluation costs so few flops, that takes no time.
FINISHED, ILL_CONDITIONED = 1e-14, 1e-6
FINISHED_CHEAPLY, STEPS, FEW_FLOPS = 1e-18, 3, 1e6
# The exact Hessian costs two gradients, each about three factorisations, for each parameter: it is computed
# when that is below this many flops.
CHEAP_FLOPS = 2e9


@dataclass(frozen=True, slots=True)
class Valley:
    """A minimum of the criterion that is not the lowest.

    Attributes
    ----------
    value : float
    theta : ndarray
        The relative covariance factors there, in lme4's order.
    """

    value: float
    theta: Array


@dataclass(frozen=True, slots=True)
class Optimum:
    """A minimum and what there is to say about it.

    Attributes
    ----------
    par : ndarray, (m,)
        Parameters of the criterion (not theta).
    value : float
    gradient : ndarray, (m,)
    hessian : ndarray, (m, m)
    hessian_kind : str
        "exact", or "average information" where an exact one would cost more than the fit, or where it is
        `hopeless`.
    status : str
        "converged", or what ended the search.
    evaluations, gradients : int
        Of the criterion, and of its gradient, in all searches together.
    searches : int
        How many there were.
    at_zero : tuple of str
        Names of the components that are zero: diagonal entries of Lambda on the boundary.
    other : Valley or None
        The lowest of the other minima that were found.
    """

    par: Array
    value: float
    gradient: Array
    hessian: Array
    hessian_kind: str
    status: str
    evaluations: int
    gradients: int
    at_zero: tuple[str, ...]
    searches: int = 1
    other: Valley | None = None

    @property
    def converged(self) -> bool:
        """Did the search end at a minimum?"""
        return self.status == "converged"

    @property
    def decrement(self) -> float:
        """``g'H^-1 g / 2``: how much lower the criterion could still be, whatever the units of the data."""
        return _decrement(self.gradient, self.hessian)

    @property
    def smallest_eigenvalue(self) -> float:
        """Of the Hessian: positive at a minimum (zero where a direction does not matter)."""
        return float(np.linalg.eigvalsh(self.hessian)[0]) if self.par.size else 0.0


def _decrement(gradient: Array, hessian: Array) -> float:
    """``g'H^-1 g / 2`` without the directions that do not matter."""
    if not gradient.size:
        return 0.0
    scale, vectors = np.linalg.eigh(hessian)
    share = vectors.T @ gradient
    seen = np.abs(scale) > 1e-8 * np.abs(scale).max()
    return float(0.5 * np.sum(share[seen] ** 2 / scale[seen]))


def minimise(criterion: C) -> tuple[C, Optimum]:
    """Trust-region Newton steps on the exact gradient, then components near zero are tried at zero.

    The start is computed from the moments of the data. Where the design allows of a second minimum (see
    `valleys`), other starts follow. The Hessian at the end is exact if that is cheap.

    Parameters
    ----------
    criterion : Criterion

    Returns
    -------
    criterion : Criterion
        The same function in the basis that suited the search best: what the parameters of the optimum refer
        to.
    optimum : Optimum
    """
    with criterion.system.threads():
        found = _Searches(criterion)
        found.run()
        found.best.widen(found.whole)
        found.best.prove()
        found.best.polish()
        return found.best.criterion, found.optimum()


def minimise_again(criterion: C) -> tuple[C, Optimum]:
    """`minimise` for refits by the thousand: the Hessian at the end is the one that the search used.

    The moments of a new response are a better start than the parameters of the old one (with balanced
    data they are the REML estimates).
    """
    with criterion.system.threads():
        found = _Searches(criterion)
        found.run()
        found.best.widen(found.whole)
        found.best.polish()
        return found.best.criterion, found.optimum()


def elsewhere(criterion: Criterion) -> int:
    """Evaluations that searches for another minimum may take together: none where it is `hopeless`."""
    if hopeless(criterion):
        return 0
    if criterion.n_par <= MANY:
        return ALL_ELSEWHERE
    return int(min(max(WORK_ELSEWHERE / _work(criterion), LEAST_ELSEWHERE), ALL_ELSEWHERE))


def hopeless(criterion: Criterion) -> bool:
    """Are there very many parameters, and more of them than observations?"""
    return criterion.n_par > max(HOPELESS, criterion.system.A.n)


def evaluations(criterion: Criterion) -> int:
    """Evaluations that the first search may take; its steps cost the cube of the parameters."""
    if not hopeless(criterion):
        return MAX_EVALUATIONS
    return int(HOPELESS_EVALUATIONS / max(1.0, criterion.n_par / HOPELESS_MANY) ** 3)


def _work(criterion: Criterion) -> float:
    """What an evaluation with derivatives costs: about a factorisation for each parameter."""
    if criterion.n_par <= MANY:
        return criterion.n_par * criterion.system.flops
    layout = criterion.system.A.layout
    effects = sum(k * levels for k, levels in zip(layout.k, layout.levels, strict=True))
    return criterion.n_par * (criterion.system.flops + OVERHEAD * effects)


class _Searches(Generic[C]):
    """All searches of one criterion: the lowest end, the others, and what they cost together."""

    def __init__(self, criterion: C) -> None:
        self.whole, self.criterion = criterion, criterion.separated()
        self.compiled = self.criterion.kernel()
        self.moments: Array = self.compiled.moment_start()
        self.best = _Search(self.criterion, self.compiled, self.moments, evaluations(self.criterion))
        self.others: list[_Search[C]] = []
        self.unbounded = False
        self.most = elsewhere(self.criterion)
        self.looks = 0

    def run(self) -> None:
        """From the start by moments, and from others where there may be a second minimum."""
        self.best.run()
        if self.criterion.parameters.scouted:
            for starts in self.criterion.parameters.elsewhere(self.best.natural_par):
                self.visit_all(self.lowest(starts))
        if not self.criterion.doubt.effects:
            return
        self.visit_all(self.criterion.doubt.starts(self.moments))
        for _ in range(ROUNDS):
            before = self.best
            self.visit_all(self.criterion.doubt.starts_about(before.natural_par))
            if self.best is before:
                return

    def lowest(self, starts: list[Array]) -> list[Array]:
        """The starts with the lowest values, one after the other."""
        found: list[tuple[float, int]] = []
        for start in starts:
            try:
                found.append((self.compiled.value(start), len(found)))
            except kernel.NotPositiveDefiniteError:
                found.append((np.inf, len(found)))
        self.looks += len(starts)
        return [starts[i] for value, i in sorted(found)[:LOWEST] if np.isfinite(value)]

    def visit_all(self, starts: Iterable[Array]) -> None:
        """Search from one after the other, as long as all searches together may go on."""
        for start in starts:
            if self.evaluations > self.most:
                return
            self.visit(start)

    @property
    def evaluations(self) -> int:
        """Of all searches."""
        return self.looks + self.best.evaluations + sum(s.evaluations for s in self.others)

    def visit(self, start: Array) -> None:
        """Search from there, and keep what was found."""
        found = _Search(self.criterion, self.compiled, start, MAX_ELSEWHERE)
        try:
            found.descend()
            found.try_boundary()
        except (kernel.NotPositiveDefiniteError, ValueError):
            return  # there the model fits the response exactly
        if found.exact:
            self.unbounded |= found.value < self.best.value
            return
        if self.is_better(found):
            self.best, found = found, self.best
        self.others.append(found)

    def is_better(self, found: _Search[C]) -> bool:
        """Is its end lower, or as low and proved where that of the best is not?"""
        if found.status == "converged" and self.best.status != "converged":
            return found.value <= self.best.value
        return found.value < self.best.value - SAME_VALUE

    def optimum(self) -> Optimum:
        """What was found."""
        best = self.best
        return Optimum(
            par=best.par,
            value=best.value,
            gradient=best.gradient,
            hessian=best.hessian,
            hessian_kind=best.hessian_kind,
            status=self.status,
            evaluations=self.evaluations,
            gradients=best.gradients + sum(s.gradients for s in self.others),
            at_zero=best.criterion.zero_components(best.par),
            searches=1 + len(self.others),
            other=self.other(),
        )

    @property
    def status(self) -> str:
        """What ended the search that found the lowest minimum, or why this is none."""
        if self.best.rounding > NO_MINIMUM:
            return LOST
        return UNBOUNDED if self.unbounded and self.best.status == "converged" else self.best.status

    def other(self) -> Valley | None:
        """The lowest minimum that is not the best one."""
        ends = [s for s in self.others if s.is_minimum and s.value > self.best.value + SAME_VALUE]
        if not self.criterion.parameters.plain:  # correlated effects in place of the residuals: a plateau
            ends = [s for s in ends if not s.leaves_at_most(GONE)]
        if not ends:
            return None
        end = min(ends, key=lambda s: s.value)
        parameters = end.criterion.parameters
        return Valley(end.value, parameters.theta(parameters.factors(end.par)))


class _Search(Generic[C]):
    """One search: the criterion in its present basis, and the best point in it."""

    def __init__(self, criterion: C, compiled: Compiled, start: Array, most: int) -> None:
        self.criterion, self.compiled = criterion, compiled
        self.par: Array = start
        self.most = most
        self.value = np.inf
        self.gradient: Array = np.zeros(0)
        self.hessian: Array = np.zeros((0, 0))
        self.hessian_kind = "average information"
        self.status = ""
        self.rounding = 0.0
        self.evaluations = self.gradients = 0

    @property
    def natural_par(self) -> Array:
        """The best point, where the columns of Z are orthonormal."""
        return self.criterion.parameters.natural_par(self.par)

    @property
    def exact(self) -> bool:
        """Is nothing left of the response?"""
        return self.leaves_at_most(EXACT_FIT)

    def leaves_at_most(self, share: float) -> bool:
        """Is so little left of the response?"""
        self.compiled.value(self.par)
        return self.compiled.pwrss <= share * self.criterion.system.A.products.yy

    @property
    def is_minimum(self) -> bool:
        """Did the search end at one, as far as its own Hessian can tell?"""
        if self.status != "converged" or not self.par.size:
            return False
        curvature = np.linalg.eigvalsh(self.hessian)
        return bool(curvature[0] > -1e-6 * max(1.0, curvature[-1]))

    def enlarge_start(self) -> None:
        """Moments say little of a residual variance that is a millionth of the others: look for the scale."""
        if not self.par.size or np.abs(self.par).max() < LARGE:
            return
        value = self.compiled.value(self.par)
        self.evaluations += 1
        while self.evaluations < 30:
            trial = 4.0 * self.par
            below = self.compiled.value(trial)
            self.evaluations += 1
            if not below < value:
                return
            self.par, value = trial, below

    def run(self) -> None:
        """Down, to the boundary, and down again where a random term is better (nearly) left out."""
        self.enlarge_start()
        self.descend()
        self.try_boundary()
        if self.status == "converged":
            for effects in self.criterion.parameters.few_levels():
                self.try_without(effects)

    def descend(self) -> None:
        """Newton steps; now and then the columns of the factors are put in order of their variances.

        Then the directions in which a covariance is (nearly) singular come last, where their zeros are
        columns of zeros and not a curved valley of equivalent factors.
        """
        pivots = max(s.k for s in self.criterion.parameters.structures) > 1
        if pivots and self.par.size and np.abs(self.par).max() > LARGE:
            self.pivot()
        budget = PIVOT_EVERY if pivots else self.most
        while True:
            before = self.natural_par if pivots else self.par
            found = self.compiled.minimise(self.par, TOLERANCE, budget)
            self.par, self.value, self.status = found["par"], found["value"], found["status"]
            self.gradient, self.hessian, self.rounding = (
                found["gradient"],
                found["hessian"],
                found["rounding"],
            )
            self.evaluations += found["evaluations"]
            self.gradients += found["gradients"]
            if self.status != "too many evaluations" or self.evaluations >= self.most:
                return
            # What was learnt of the curvature is forgotten, so the longer it takes, the longer it goes on.
            budget += budget // 2
            self.pivot()
            self.go_on(before)

    def go_on(self, before: Array) -> None:
        """A valley that the last steps followed may be long, and straight: further in that direction."""
        natural = self.criterion.with_parameters(self.criterion.parameters.in_natural_basis())
        compiled, here = natural.kernel(), self.natural_par
        for times in (4.0, 16.0, 64.0, 256.0):
            trial = here + times * (here - before)
            try:
                value = compiled.value(trial)
            except kernel.NotPositiveDefiniteError:
                return
            self.evaluations += 1
            if not value < self.value - SAME_VALUE:
                return
            parameters, self.par = natural.parameters.pivoted(trial)
            self.criterion, self.value = natural.with_parameters(parameters), value
            self.compiled = self.criterion.kernel()

    def pivot(self) -> None:
        """Go on in the basis that suits the present point."""
        parameters, self.par = self.criterion.parameters.pivoted(self.par)
        self.criterion = self.criterion.with_parameters(parameters)
        self.compiled = self.criterion.kernel()

    def try_boundary(self) -> None:
        """The search keeps diagonal entries a hair away from zero: are they better there?"""
        trial = self.criterion.parameters.at_limit(self.par, NEARLY_ZERO)
        if trial is self.par or (trial == self.par).all():
            return
        value = self.compiled.value(trial)
        self.evaluations += 1
        if value <= self.value + TOLERANCE + 1e-14 * abs(self.value):
            self.par, self.value, self.gradient = trial, value, self.compiled.gradient(trial)
            self.gradients += 1

    def try_without(self, effects: NDArray[np.intp]) -> None:
        """With few levels the criterion may have a second minimum at (or near) a variance of zero."""
        trial = self.par.copy()
        trial[effects] = 0.0
        value = self.compiled.value(trial)
        self.evaluations += 1
        if value >= self.value - TOLERANCE - 1e-14 * abs(value):
            return
        trial[effects] = NEARLY_ZERO * self.criterion.parameters.even[effects]
        self.par = trial
        self.descend()
        self.try_boundary()

    def widen(self, criterion: C) -> None:
        """Express the end in the parameters of a criterion that has more of them."""
        if criterion.n_par == self.criterion.n_par:
            return
        par = criterion.parameters.expressing(self.criterion.parameters, self.par)
        parameters, self.par = criterion.parameters.pivoted(par)
        self.criterion = criterion.with_parameters(parameters)
        self.compiled = self.criterion.kernel()
        self.compiled.value(self.par)
        self.gradient, self.hessian = self.compiled.derivatives(self.par)
        self.evaluations += 1
        self.gradients += 1

    def polish(self) -> None:
        """Newton steps more, where the search ended as soon as it might: parameters are known to the root of
        what the criterion is known to."""
        if self.status != "converged" or not self.par.size or not self.par.all():
            return
        curvature = np.linalg.eigvalsh(self.hessian)
        if curvature[0] <= ILL_CONDITIONED * curvature[-1]:
            return
        cheap = _work(self.criterion) < FEW_FLOPS
        finished = FINISHED_CHEAPLY if cheap else FINISHED
        for _ in range(STEPS if cheap else 1):
            if not finished < _decrement(self.gradient, self.hessian) < NO_MINIMUM or not self.step():
                return

    def step(self) -> bool:
        """One Newton step, taken if it comes nearer to the minimum."""
        left = _decrement(self.gradient, self.hessian)
        trial = self.par - np.linalg.solve(self.hessian, self.gradient)
        value, gradient = self.compiled.value(trial), self.compiled.gradient(trial)
        self.evaluations += 1
        self.gradients += 1
        if not (_decrement(gradient, self.hessian) < left and value < self.value + TOLERANCE):
            return False
        self.par, self.value, self.gradient = trial, value, gradient
        return True

    def prove(self) -> None:
        """Replace the Hessian of the search by the exact one, if that is cheap enough."""
        if 6 * _work(self.criterion) < CHEAP_FLOPS and not hopeless(self.criterion):
            self.hessian, self.hessian_kind = self.compiled.hessian(self.par), "exact"
            self.gradients += 2 * len(self.par)
        if self.status == "converged" and _decrement(self.gradient, self.hessian) > NO_MINIMUM:
            self.status = LOST
