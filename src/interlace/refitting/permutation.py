"""Permutation tests: residuals of the smaller model change places where they are exchangeable."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from interlace.arrays import Array, Index
from interlace.design.reduced import Reduction, without_block, without_columns, without_slopes
from interlace.design.without import Without
from interlace.errors import DataError, InterlaceWarning, ModelError, shown
from interlace.estimation.fit import Fit
from interlace.estimation.fit import fit as fit_model
from interlace.estimation.likelihood import linear_criterion
from interlace.estimation.many import Many, fit_many
from interlace.frozen import dataclass
from interlace.inference.terms import Terms
from interlace.prediction.predict import contribution
from interlace.refitting.cases import Factors
from interlace.refitting.drop1 import droppable, hypothesis
from interlace.refitting.parallel import Generators, check_draws, in_blocks, root_of, stopped
from interlace.refitting.resampling import Residuals, refuse_known, whole
from interlace.tables.table import Table
from interlace.text import did_you_mean

# Statistics that differ by less are equal: at zero many are.
EQUAL = 1e-8


@dataclass(frozen=True)
class PermutationTest:
    """A permutation test; made by `LinearMixedModel.permutation_test`.

    Attributes
    ----------
    term : str
    kind : str
        "F", or "lrt" for a random term.
    statistic : float
        Of the data.
    reference : ndarray, (n,)
        Of the permutations whose model could be fitted.
    n_failed : int
        Those whose model could not.
    within : str
        Where residuals of rows changed places.
    stopped : str
        What is to be said where somebody stopped it (Ctrl-C) before its end; else "".
    """

    term: str
    kind: str
    statistic: float
    reference: Array
    n_failed: int
    within: str
    stopped: str = ""

    @property
    def p(self) -> float:
        """``(1 + #{reference >= statistic}) / (1 + n)``."""
        return (1 + self.n_extreme) / (1 + len(self.reference))

    @property
    def n_extreme(self) -> int:
        """How many permutations have a statistic that is at least that of the data."""
        return int((self.reference >= self.statistic - EQUAL * max(1.0, self.statistic)).sum())

    @property
    def table(self) -> Table:
        """Columns `statistic, extreme, n, p`."""
        failed = f"{self.n_failed} refit{'s' * (self.n_failed != 1)} failed" if self.n_failed else ""
        columns = {"statistic": [self.statistic], "extreme": [self.n_extreme],
                   "n": [len(self.reference)], "p": [self.p]}  # fmt: skip
        what = {"F": "F", "lrt": "likelihood-ratio"}[self.kind]
        said = f"residuals of the model without the term change places {self.within}"
        heading = f"Permutation test by the {what} statistic"
        return Table.of(columns, [self.term], heading=heading, note=[said, self.stopped, failed])

    def __repr__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


@dataclass(frozen=True, slots=True)
class Exchange:
    """The smaller model, and what of it may change places.

    Attributes
    ----------
    fit : Fit or None
        None where the smaller model has no random effects.
    residuals : Residuals
    groups : ndarray of int, (n,)
        Errors change places within these.
    """

    fit: Fit | None
    residuals: Residuals
    groups: Index

    def draw(self, design: Any, rng: np.random.Generator) -> Array:
        """A response: effects of levels and errors of rows in another order."""
        own = np.argsort(self.groups, kind="stable")
        other = np.lexsort((rng.random(len(own)), self.groups))
        y = np.empty(len(own))
        y[own] = self.residuals.errors[other]
        if design.weights is not None:
            y /= np.sqrt(design.weights)
        if self.fit is not None:
            for i, u in enumerate(self.residuals.effects):
                y += contribution(self.fit.design.random[i], u[rng.permutation(len(u))], whole(i, u))
        return y + self.residuals.fixed


def permutation_test(
    fit: Fit,
    term: str,
    n: int = 999,
    *,
    within: str | None = None,
    seed: int | None = None,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> PermutationTest:
    """See `LinearMixedModel.permutation_test`."""
    check_draws(n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterlaceWarning)
        kind, small, statistic, own = _asked(fit, term)
        exchange, said = _exchange(fit, small, within)

    def draw(generators: Generators) -> list[float]:
        Y = np.array([exchange.draw(fit.design, rng) for rng in generators])
        return [float(one) for one in statistic(fit_many(fit, Y), Y)]

    found = np.array(
        in_blocks(
            draw, 0, n, root=root_of(seed), n_jobs=n_jobs, progress=progress, label="permutations",
            size=fit.rows.n,
        )
    )  # fmt: skip
    there = np.isfinite(found)
    if not there.any():
        raise ModelError(f"the permutation test of {term} has no statistic: all {len(found)} refits failed")
    ended = stopped(len(found), n, "permutations")
    return PermutationTest(term, kind, own, found[there], int((~there).sum()), said, ended)


def _asked(fit: Fit, term: str) -> tuple[str, Fit | None, Any, float]:
    """The kind of statistic, the model without the term, the statistic of many refits, that of the data."""
    if not isinstance(term, str):
        raise DataError(f"term must be a text, a term of the fixed part or a random term, not {shown(term)}")
    terms = Terms.of(fit)
    fixed = {one.label: one for one in droppable(terms)}
    if term in fixed:
        without = Without(fit.rows)
        L = hypothesis(fit, terms, fixed[term], without)
        if not len(L):
            raise DataError(
                f"without {term} the model is the same, as its other terms say all that {term} does: "
                "nothing can be tested"
            )
        rows = without.term(term)
        small = fit_model(rows.encoding, rows, reml=fit.reml, n_jobs=fit.n_jobs)
        statistic = FStatistic(L)
        own = statistic.of(fit.solution.beta[None], fit.solution.unscaled_vcov[None], np.array([fit.sigma]))
        return "F", small, statistic, float(own[0])
    reduction = _reduction(fit, term, list(fixed), [one.label for one in terms.tested])
    small_or_none = None
    if reduction.rows.encoding.random:
        rows = reduction.rows
        small_or_none = fit_model(rows.encoding, rows, reml=fit.reml, n_jobs=fit.n_jobs)
    y = np.asarray(fit.design.y)[None]
    less = small_or_none.optimum.value if small_or_none else float(linear_criterion(fit, y)[0])
    return "lrt", small_or_none, Ratio(fit, small_or_none), less - fit.optimum.value


@dataclass(frozen=True, slots=True)
class FStatistic:
    """``(L beta)'(L C L')^-1 L beta / q``, of many fits."""

    L: Array

    def __call__(self, many: Many, Y: Array) -> Array:
        found = self.of(many.beta, many.unscaled_vcov, many.sigma)
        return np.where(_ended(many), found, np.nan)

    def of(self, beta: Array, vcov: Array, sigma: Array) -> Array:
        """From arrays with a row for each fit; NaN where there is none."""
        there = np.isfinite(sigma)
        out = np.full(len(sigma), np.nan)
        b = beta[there] @ self.L.T
        C = np.einsum("ij,rjk,lk->ril", self.L, vcov[there], self.L) * sigma[there, None, None] ** 2
        out[there] = np.einsum("ri,ri->r", b, np.linalg.solve(C, b[:, :, None])[:, :, 0]) / len(self.L)
        return out


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much lower the criterion is with the term, for many responses."""

    fit: Fit
    small: Fit | None

    def __call__(self, many: Many, Y: Array) -> Array:
        if self.small is None:
            return np.where(_ended(many), linear_criterion(self.fit, Y) - many.value, np.nan)
        less = fit_many(self.small, Y)
        return np.where(_ended(many) & _ended(less), less.value - many.value, np.nan)


def _ended(many: Many) -> np.ndarray:
    return np.array([status == "converged" for status in many.status], dtype=np.bool_)


def _reduction(fit: Fit, term: str, fixed: list[str], every: list[str]) -> Reduction:
    rows = without_columns(fit.rows, fit.kept)
    found: dict[str, Reduction] = {}
    groups = [block.group for block in rows.encoding.random]
    for i, group in enumerate(groups):
        alone = without_block(rows, i)
        for one in [alone, *without_slopes(rows, i)]:
            found.setdefault(_plain(one.label), one)
        if groups.count(group) == 1:
            found.setdefault(_plain(group), alone)
    reduction = found.get(_plain(term))
    if reduction is None:
        if term in every:
            raise ModelError(
                f"the term {term} is part of another: leave that out first. Those that can be tested by "
                f"themselves are {', '.join(fixed)}"
            )
        labels = [*fixed, *dict.fromkeys(one.label for one in found.values())]
        near = did_you_mean(term, labels)
        raise DataError(
            f"there is no term {shown(term)}: {near}{' ' * bool(near)}choose from {', '.join(labels)}"
        )
    if reduction.stranger:
        raise ModelError(
            f"{reduction.label} has no test: the model with {reduction.stranger} in its place is no part of "
            "this one; test the whole term"
        )
    return reduction


def _plain(label: str) -> str:
    return "".join(label.split()).strip("()")


def _exchange(fit: Fit, small: Fit | None, within: str | None) -> tuple[Exchange, str]:
    """What changes places: effects among the levels of each factor of the smaller model, errors within the
    levels of its innermost factor, among all rows where its factors are crossed or there is none."""
    if small is None:
        residuals = _linear_residuals(fit)
        groups, said = _groups(Factors.of(fit), within, [])
    else:
        refuse_known(small, "take interlace.bootstrap_compare(m, smaller), which draws from the model")
        residuals = Residuals.of(small)
        groups, said = _groups(Factors.of(fit), within, list(Factors.of(small).names))
    return Exchange(small, residuals, groups), said


def _groups(factors: Factors, within: str | None, left: list[str]) -> tuple[Index, str]:
    n = len(factors.codes[0])
    if within is not None:
        if within not in factors.names:
            raise DataError(
                f"within names {shown(within)}, which is no grouping factor of the model: choose from "
                f"{', '.join(factors.names)}"
            )
        return factors.codes[factors.names.index(within)], f"within the levels of {within}"
    kept = [i for i, name in enumerate(factors.names) if name in left]
    if not kept or not all(factors.within(kept[-1], i) for i in kept):
        return np.zeros(n, dtype=np.intp), "among all rows"
    return factors.codes[kept[-1]], f"within the levels of {factors.names[kept[-1]]}"


def _linear_residuals(fit: Fit) -> Residuals:
    """Of the linear model, where no random effect is left."""
    design = fit.design
    assert design.y is not None
    root = np.ones(design.nrows) if design.weights is None else np.sqrt(design.weights)
    y = design.y if design.offset is None else design.y - design.offset
    beta = np.linalg.lstsq(fit.X * root[:, None], y * root, rcond=None)[0]
    fixed = fit.X @ beta
    return Residuals((), (y - fixed) * root, fixed if design.offset is None else fixed + design.offset)
