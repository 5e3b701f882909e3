"""One search for a minimum of a criterion: Newton steps, changes of basis, the boundary, proof of the end."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.estimation.criterion import Compiled, Criterion
from interlace.estimation.penalized import EXACT_FIT

Array = NDArray[np.floating]
C = TypeVar("C", bound=Criterion)

TOLERANCE = 1e-10
# Parameters beyond this in the start: some random effects may be far larger than the residuals.
LARGE = 25.0
# A search that says it has ended although the criterion could fall by this has not.
NO_MINIMUM = 1e-4
# Minima whose values differ by less than this are one.
SAME_VALUE = 1e-4
# The status of an end whose value, or its curvature, is not known well enough.
LOST = "lost in rounding error"
# Evaluations between two changes of basis.
PIVOT_EVERY = 8
# A search that has not ended after so many evaluations takes steps with the exact Hessian, where it costs so
# few flops: the other is far too large along a curved valley.
SLOW, SLOW_FLOPS = 60, 2e7
# A search stands still that has brought less than this share of the criterion before the basis changes. If
# its Hessian promises no more than the second number, that is rounding error, and it has ended.
STANDS, NO_PROMISE = 1e-13, 1e-8
# Diagonal entries below this are tried at exactly zero.
NEARLY_ZERO = 1e-2
# An end is polished where the criterion could fall by more than this, and its Hessian tells how: parameters
# are known to the root of it. Where an evaluation costs so few flops, that takes no time.
FINISHED, ILL_CONDITIONED = 1e-14, 1e-6
FINISHED_CHEAPLY, STEPS, FEW_FLOPS = 1e-18, 3, 1e6
# Where it costs so many, one more is a large share of the whole search: parameters known to a few hundred
# thousandths of their standard errors are enough.
FINISHED_DEARLY, MANY_FLOPS = 1e-9, 2e9
# The exact Hessian costs two gradients, each about three factorisations, for each parameter: as much as so
# many evaluations with derivatives. It is computed at the end when that is below so many flops.
EXACT, CHEAP_FLOPS = 6, 2e9
# Flops for each random effect that an evaluation costs beside the factorisation.
OVERHEAD = 2e3
# With more parameters than this, what an evaluation costs beside the factorisation is counted.
MANY = 10
# Kinds of Hessians at the end.
AVERAGE, EXACT_HESSIAN, OF_VALUES = "average information", "exact", "values of the criterion"
# More parameters than this, and than observations, are not told apart by the data.
HOPELESS = 50


def decrement(gradient: Array, hessian: Array) -> float:
    """``g'H^-1 g / 2`` without the directions that do not matter."""
    if not gradient.size:
        return 0.0
    scale, vectors = np.linalg.eigh(hessian)
    share = vectors.T @ gradient
    seen = np.abs(scale) > 1e-8 * np.abs(scale).max()
    return float(0.5 * np.sum(share[seen] ** 2 / scale[seen]))


def hopeless(criterion: Criterion) -> bool:
    """Are there very many parameters, and more of them than observations?"""
    return criterion.n_par > max(HOPELESS, criterion.system.A.n)


def work(criterion: Criterion) -> float:
    """What an evaluation with derivatives costs: about a factorisation for each parameter."""
    n_par = criterion.n_par
    return n_par * criterion.system.flops if n_par <= MANY else whole_work(criterion)


def whole_work(criterion: Criterion) -> float:
    """The same with what it costs beside the factorisation."""
    system = criterion.system
    return criterion.n_par * (system.flops + OVERHEAD * system.A.layout.effects)


def finished(cost: float) -> float:
    """How far the criterion may fall from an end that is not polished, by what an evaluation costs."""
    if cost < FEW_FLOPS:
        return FINISHED_CHEAPLY
    return FINISHED if cost < MANY_FLOPS else FINISHED_DEARLY


def exact_hessian_costs_below(flops: float, criterion: Criterion, cost: float | None = None) -> bool:
    """Does it, and do the data tell the parameters apart? `cost` of an evaluation, if it is known."""
    return EXACT * (work(criterion) if cost is None else cost) < flops and not hopeless(criterion)


def kind_of_hessian(found: dict[str, Any]) -> str:
    """Of the one at the end of a search that did not prove it."""
    return AVERAGE if found["gradients"] or not found["par"].size else OF_VALUES


class Search(Generic[C]):
    """One search: the criterion in its present basis, and the best point in it."""

    def __init__(self, criterion: C, compiled: Compiled, start: Array, most: int) -> None:
        self.criterion, self.compiled = criterion, compiled
        self.par: Array = start
        self.most = most
        self.value = np.inf
        self.gradient: Array = np.zeros(0)
        self.hessian: Array = np.zeros((0, 0))
        self.hessian_kind = AVERAGE
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
        return bool(self.compiled.pwrss <= share * self.criterion.system.A.products.yy)

    @property
    def is_minimum(self) -> bool:
        """Did the search end at one, as far as its own Hessian can tell?"""
        if self.status != "converged" or not self.par.size:
            return False
        curvature = np.linalg.eigvalsh(self.hessian)
        return bool(curvature[0] > -1e-6 * max(1.0, curvature[-1]))

    @property
    def promises(self) -> float:
        """By how much the criterion could fall, as far as gradient and Hessian can tell."""
        return abs(decrement(self.gradient, self.hessian))

    def enlarge_start(self) -> None:
        """Moments say little of a residual variance that is a millionth of the others: look for the scale."""
        if not self.par.size or np.abs(self.par).max() < LARGE:
            return
        value = self.compiled.value(self.par)
        self.evaluations += 1
        while self.evaluations < 30:
            trial = 4.0 * self.par
            self.evaluations += 1
            try:
                below = self.compiled.value(trial)
            except kernel.NotPositiveDefiniteError:  # too large for the digits of the products
                return
            if not below < value:
                return
            self.par, value = trial, below

    def run(self, found: dict[str, Any] | None = None) -> None:
        """Down, to the boundary, and down again where a random term is better (nearly) left out; from the
        start, or from what a search has `found`."""
        if found is None:
            self.enlarge_start()
        self.descend(found)
        self.try_boundary()
        if self.status == "converged":
            for effects in self.criterion.parameters.few_levels():
                self.try_without(effects)

    def take(self, found: dict[str, Any]) -> None:
        """What a search in the core has found."""
        self.par, self.value, self.status = found["par"], found["value"], found["status"]
        self.gradient, self.hessian, self.rounding = found["gradient"], found["hessian"], found["rounding"]
        self.evaluations += found["evaluations"]
        self.gradients += found["gradients"]
        self.hessian_kind = kind_of_hessian(found)

    def descend(self, found: dict[str, Any] | None = None, at_once: int = PIVOT_EVERY) -> None:
        """Newton steps; now and then the columns of the factors are put in order of their variances, for the
        first time after `at_once` evaluations.

        Then the directions in which a covariance is (nearly) singular come last, where their zeros are
        columns of zeros and not a curved valley of equivalent factors. What a search has `found` from here
        is not searched again.
        """
        pivots = max(s.k for s in self.criterion.parameters.structures) > 1
        if found is None and pivots and at_once == PIVOT_EVERY and np.abs(self.par).max(initial=0.0) > LARGE:
            self.pivot()
        budget, value = at_once if pivots else self.most, np.inf
        while True:
            before = self.natural_par if pivots else self.par
            self.take(self.compiled.minimise(self.par, TOLERANCE, budget) if found is None else found)
            found = None
            if self.status != "too many evaluations" or self.evaluations >= self.most:
                return
            if value - self.value <= STANDS * abs(self.value) and self.promises < NO_PROMISE:
                self.status = "converged"
                return
            value = self.value
            # What was learnt of the curvature is forgotten, so the longer it takes, the longer it goes on.
            budget += budget // 2
            self.pivot()
            self.go_on(before)
            if self.evaluations > SLOW and exact_hessian_costs_below(SLOW_FLOPS, self.criterion):
                self.descend_exactly(budget)

    def descend_exactly(self, most: int) -> None:
        """Newton steps with the exact Hessian, so many at most."""
        compiled = self.compiled

        def value(par: Array) -> float:
            try:
                return compiled.value(par)
            except kernel.NotPositiveDefiniteError:
                return np.inf

        def derivatives(par: Array) -> tuple[Array, Array]:
            return compiled.gradient(par), compiled.hessian(par)

        try:
            found = kernel.minimise(value, derivatives, self.par, TOLERANCE, most)
        except kernel.NotFiniteError:  # nothing is left of the response, and the Hessian is no number
            return
        self.evaluations += found["evaluations"] + EXACT * found["gradients"]
        self.gradients += found["gradients"] * (1 + 2 * len(self.par))
        if found["value"] < self.value:
            self.par, self.value = found["par"], found["value"]
            self.pivot()

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
        what the criterion is known to. Those that are zero stay there."""
        if self.status != "converged" or not self.par.any():
            return
        free = np.flatnonzero(self.par)
        curvature = np.linalg.eigvalsh(self.hessian[np.ix_(free, free)])
        if curvature[0] <= ILL_CONDITIONED * curvature[-1]:
            return
        cost = work(self.criterion)
        enough = finished(cost)
        for _ in range(STEPS if cost < FEW_FLOPS else 1):
            if not enough < self.left(self.gradient, free) < NO_MINIMUM or not self.step(free):
                return

    def finish(self) -> None:
        """`polish`; where the Hessian of the search does not lead to the end, by the exact one."""
        self.polish()
        enough = finished(work(self.criterion))
        if self.status == "converged" and decrement(self.gradient, self.hessian) > enough:
            self.prove()
            self.polish()

    def left(self, gradient: Array, free: NDArray[np.intp]) -> float:
        """How much lower the criterion could be, were these parameters free and this the gradient."""
        return decrement(gradient[free], self.hessian[np.ix_(free, free)])

    def step(self, free: NDArray[np.intp]) -> bool:
        """One Newton step of these parameters, taken if it comes nearer to the minimum."""
        trial = self.par.copy()
        trial[free] -= np.linalg.solve(self.hessian[np.ix_(free, free)], self.gradient[free])
        value, gradient = self.compiled.value(trial), self.compiled.gradient(trial)
        self.evaluations += 1
        self.gradients += 1
        nearer = self.left(gradient, free) < self.left(self.gradient, free)
        if not (nearer and value < self.value + TOLERANCE):
            return False
        self.par, self.value, self.gradient = trial, value, gradient
        return True

    def prove(self) -> None:
        """Replace the Hessian of the search by the exact one, if that is cheap enough."""
        if exact_hessian_costs_below(CHEAP_FLOPS, self.criterion):
            self.hessian, self.hessian_kind = self.compiled.hessian(self.par), EXACT_HESSIAN
            self.gradients += 2 * len(self.par)
        if self.status == "converged" and decrement(self.gradient, self.hessian) > NO_MINIMUM:
            self.status = LOST
