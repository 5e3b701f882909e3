"""The search for the lowest minimum of a criterion, which may take several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.estimation.criterion import Criterion
from interlace.estimation.descent import (
    LOST,
    MANY,
    NO_MINIMUM,
    PIVOT_EVERY,
    SAME_VALUE,
    Search,
    hopeless,
    whole_work,
)
from interlace.estimation.ended import Ended
from interlace.estimation.first_search import (
    APART,
    CONFLICT,
    MAX_ELSEWHERE,
    RIVAL,
    First,
    begin,
    evaluations,
    first_search,
)
from interlace.estimation.optimum import Optimum, Valley
from interlace.estimation.penalized import GONE
from interlace.estimation.valleys import Doubt, one_by_one

Array = NDArray[np.floating]
C = TypeVar("C", bound=Criterion)

# Searches about an optimum that was not the last one.
ROUNDS = 4
# Evaluations of all searches together before the last one begins: as many as cost so many flops, fewer with
# many parameters, within limits.
WORK_OF_FEW, WORK_ELSEWHERE = 1e10, 1.5e9
LEAST_ELSEWHERE, ALL_ELSEWHERE = 60, 5000
# The share of them that searches from starts far away may take: the others are about what these have found.
FAR_AWAY = 0.5
# Of starts that are looked at, so many with the lowest values are searched from; those of other directions
# with a cosine below this.
LOWEST, SAME_DIRECTION = 4, 0.95
# With each of the other correlations that have a structure, so many.
PER_CORRELATION = 2
# Then all effects together are so many times larger than the residuals as well.
ALL_LARGER = (10.0, 100.0)
# From starts that differ in one entry, so many evaluations before the basis changes for the first time.
AT_ONCE = 100
# What such a look costs, of an evaluation.
LOOK = 0.2
# The status of a minimum beside which the criterion falls without end.
UNBOUNDED = "a minimum beside which the criterion has no lower bound"


def minimise(criterion: C) -> Ended[C]:
    """Trust-region Newton steps on the exact gradient, then components near zero are tried at zero.

    The start is computed from the moments of the data. Where the design allows of a second minimum (see
    `valleys`), other starts follow. The Hessian at the end is exact if that is cheap.

    """
    return _minimise(criterion, prove=True)


def minimise_again(criterion: C) -> Ended[C]:
    """`minimise` for refits by the thousand: the Hessian at the end is the one that the search used, where
    it led there.

    The moments of a new response are a better start than the parameters of the old one (with balanced
    data they are the REML estimates).
    """
    return _minimise(criterion, prove=False)


def _minimise(criterion: C, *, prove: bool) -> Ended[C]:
    """The end of all searches, with an exact Hessian or with the one that the search used."""
    with criterion.system.threads():
        first = first_search(criterion, prove=prove)
        if first.ended is not None:
            return first.ended
        found = _Searches(criterion, first)
        found.run()
        found.best.widen(criterion)
        if prove:
            found.best.prove()
            found.best.polish()
        else:
            found.best.finish()
        return found.ended()


def elsewhere(criterion: Criterion) -> int:
    """Evaluations that searches for another minimum may take together: none where it is `hopeless`."""
    if hopeless(criterion):
        return 0
    most = WORK_OF_FEW if criterion.n_par <= MANY else WORK_ELSEWHERE
    return int(min(max(most / whole_work(criterion), LEAST_ELSEWHERE), ALL_ELSEWHERE))


def _cosine(a: Array, b: Array) -> float:
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / size) if size else 0.0


def lowest(starts: Array, values: Array, same: float) -> list[int]:
    """Which starts, (n, m), have the lowest values, one after the other; in what differs between starts, no
    two have a cosine of `same` or more."""
    differs = np.ptp(starts, axis=0) > 0
    out: list[int] = []
    for i in np.argsort(values, kind="stable").tolist():
        if len(out) == LOWEST or not np.isfinite(values[i]):
            break
        if all(abs(_cosine(starts[i] * differs, starts[j] * differs)) < same for j in out):
            out.append(i)
    return out


class _Searches(Generic[C]):
    """All searches of one criterion: the lowest end, the others, and what they cost together."""

    def __init__(self, criterion: C, first: First[C] | None = None) -> None:
        first = begin(criterion) if first is None else first
        self.criterion, self.compiled, self.moments, self.first, _ = first
        self.doubt = self.criterion.doubt
        self.best = Search(self.criterion, self.compiled, self.moments, evaluations(self.criterion))
        self.others: list[Search[C]] = []
        self.starts: list[Array] = []  # of all searches but the first
        self.share = FAR_AWAY  # of all evaluations elsewhere that they may take together, for now
        self.unbounded = False
        self.looks = self.exact = 0

    def run(self) -> None:
        """From the start by moments, and from others where there may be a second minimum."""
        self.run_from_moments()
        self.share = 1.0
        self.run_about_the_best()
        self.run_in_other_directions()
        before = self.best
        if self.others and not self.unbounded:
            self.visit_all(self.in_doubt_everywhere().entry_by_entry(self.moments), AT_ONCE)
        if self.best is not before:
            self.run_in_other_directions()

    def run_in_other_directions(self) -> None:
        """From other directions of correlated effects, about the best end for as long as it changes."""
        for _ in range(ROUNDS):
            before = self.best
            if self.spent > self.most:
                return
            here = before.natural_par
            self.visit_all([*self.compiled.turned(here, RIVAL), *self.compiled.opened(here)])
            if self.best is before:
                return

    def run_from_moments(self) -> None:
        """From the start by moments, and from others far away."""
        self.best.run(self.first)
        if self.criterion.parameters.scouted:
            self.scout()
        starts, gain = self.compiled.rivals()
        doubt = self.doubt
        self.visit_all(doubt.replacing())
        if gain > CONFLICT and self.criterion.n_par > 1:
            self.visit_all([*starts, *(doubt.all_times(doubt.one, times) for times in ALL_LARGER)])
            for start in starts:
                self.visit_all(self.lowest(self.one_by_one(start)))
            self.doubt = doubt if doubt.effects else self.in_doubt_everywhere()
        else:
            self.visit_all(self.as_low(starts))
        self.visit_all(self.doubt.starts(self.moments))

    def run_about_the_best(self) -> None:
        """From other sizes of the effects in doubt, about the best end for as long as it changes."""
        for _ in range(ROUNDS if self.doubt.effects else 0):
            before = self.best
            for found in self.doubt.singular_about(before.natural_par):
                self.visit_all(self.lowest(found, SAME_DIRECTION))
            self.visit_all(self.doubt.starts_about(before.natural_par))
            if self.best is before:
                return

    def in_doubt_everywhere(self) -> Doubt:
        """The doubts of the criterion, and all others that a search may have."""
        doubt = self.criterion.doubt
        return Doubt.everywhere(self.criterion.parameters, doubt.terms, doubt.left)

    def scout(self) -> None:
        """From other correlations that have a structure: about the moments, and about the best end for as
        long as it changes."""
        self.scout_about(self.moments)
        for _ in range(ROUNDS):
            before = self.best
            self.scout_about(before.natural_par)
            if self.best is before:
                return

    def scout_about(self, par: Array) -> None:
        """From the lowest starts with each of the other correlations."""
        for starts in self.criterion.parameters.elsewhere(par):
            self.visit_all(self.lowest(starts)[:PER_CORRELATION])

    def one_by_one(self, rival: Array) -> list[Array]:
        """The moments with one effect after the other as a rival start has it."""
        return one_by_one(self.criterion.parameters, self.moments, rival, APART)

    def as_low(self, starts: list[Array]) -> list[Array]:
        """Those where the criterion is (nearly) as low as at the best end."""
        out = []
        for start in starts:
            self.looks += 1
            try:
                if self.compiled.value(start) < self.best.value + RIVAL:
                    out.append(start)
            except kernel.NotPositiveDefiniteError:
                continue
        return out

    def lowest(self, starts: list[Array], same: float = np.inf) -> list[Array]:
        """The starts with the lowest values, see `lowest`; none where enough was searched."""
        if not starts or self.spent > self.most:
            return []
        values = np.full(len(starts), np.inf)
        for i, start in enumerate(starts):
            try:
                values[i] = self.compiled.value(start)
            except kernel.NotPositiveDefiniteError:
                continue
        self.looks += len(starts)
        return [starts[i] for i in lowest(np.array(starts), values, same)]

    def visit_all(self, starts: Iterable[Array], at_once: int = PIVOT_EVERY) -> None:
        """Search from one after the other, as long as all searches together may go on; so many evaluations
        of each in the basis of the start."""
        for start in starts:
            if self.spent > self.most:
                return
            self.visit(start, at_once)

    @property
    def most(self) -> float:
        """Evaluations that the searches for another minimum may take together, for now."""
        return self.share * elsewhere(self.criterion)

    @property
    def evaluations(self) -> int:
        """Of all searches."""
        return self.looks + self.best.evaluations + sum([s.evaluations for s in self.others])

    @property
    def spent(self) -> float:
        """Evaluations; a look at a value alone counts little beside one with derivatives; where there
        are many parameters, those on the way to an exact fit as well.
        """
        exact = self.exact if self.criterion.n_par > MANY else 0
        return self.evaluations + exact - (1 - LOOK) * self.looks

    def visit(self, start: Array, at_once: int = PIVOT_EVERY) -> None:
        """Search from there, and keep what was found; a start that was searched from is not again."""
        if any(np.allclose(start, other, rtol=1e-6, atol=1e-9) for other in self.starts):
            return
        self.starts.append(start)
        found = Search(self.criterion, self.compiled, start, MAX_ELSEWHERE)
        try:
            found.descend(at_once=at_once)
            found.try_boundary()
        except (kernel.NotPositiveDefiniteError, kernel.NotFiniteError):
            self.exact += found.evaluations
            return  # there the model fits the response exactly
        if found.exact or found.rounding > NO_MINIMUM >= self.best.rounding:
            self.exact += found.evaluations
            self.unbounded |= found.value + found.rounding < self.best.value
            return
        if self.is_better(found):
            self.best, found = found, self.best
        self.others.append(found)

    def is_better(self, found: Search[C]) -> bool:
        """Is its end lower, or as low and proved where that of the best is not?"""
        if found.status == "converged" and self.best.status != "converged":
            return found.value <= self.best.value
        return found.value < self.best.value - SAME_VALUE

    def ended(self) -> Ended[C]:
        """What was found; nothing can be searched any more."""
        optimum = self.optimum()
        return Ended(self.best.criterion, optimum, self.best.compiled)

    def optimum(self) -> Optimum:
        """The lowest minimum."""
        best = self.best
        return Optimum(
            par=best.par,
            value=best.value,
            gradient=best.gradient,
            hessian=best.hessian,
            hessian_kind=best.hessian_kind,
            status=self.status,
            evaluations=self.evaluations,
            gradients=best.gradients + sum([s.gradients for s in self.others]),
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
        if not self.others:
            return None
        ends = [s for s in self.others if s.is_minimum and s.value > self.best.value + SAME_VALUE]
        if not self.criterion.parameters.plain:  # correlated effects in place of the residuals: a plateau
            ends = [s for s in ends if not s.leaves_at_most(GONE)]
        if not ends:
            return None
        end = min(ends, key=lambda s: s.value)
        parameters = end.criterion.parameters
        return Valley(end.value, parameters.theta(parameters.factors(end.par)))
