"""Joint tests of the terms, from contrasts of marginal means: tests of type III with equal weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.design.reference import members_of
from interlace.errors import DataError
from interlace.estimation.any_fit import AnyFit
from interlace.frozen import dataclass
from interlace.inference.contrast_plan import Wanted, plan_contrasts, plan_interaction
from interlace.inference.estimability import Estimable
from interlace.inference.grid import ReferenceGrid
from interlace.inference.means_labels import RowLabels, text
from interlace.inference.means_source import MeansSource
from interlace.inference.nesting import Nesting, nesting_of
from interlace.inference.reference_means import means_at
from interlace.inference.specs import Specs, read_specs
from interlace.inference.variables import Asked
from interlace.inference.weighting import EQUAL
from interlace.precision.wald import Ddf
from interlace.tables.table import Table

NUMBERS = ("num_df", "den_df", "F", "p")


def _around_means(fit: AnyFit, at: Mapping[str, Any]) -> dict[str, list[float]]:
    """Two values of each covariate, about its mean."""
    variables = ReferenceGrid.of(fit, Asked(at, True)).variables
    means = {name: float(v.levels[0]) for name, v in variables.items() if not v.categorical}
    return {name: [mean - 1.0, mean + 1.0] for name, mean in means.items()}


@dataclass(frozen=True, slots=True)
class _Tested:
    """One test: its term, its group, and how many of its degrees of freedom the data tell."""

    label: str
    group: tuple[Any, ...]
    numbers: tuple[float, float, float, float]
    wanted: int


def joint_tests(fit: AnyFit, ddf: Ddf, by: Any, at: Any) -> Table:
    """A test of each term, in each group of `by`.

    Raises
    ------
    DataError
        `by` or `at` names what is no variable, or no term can be tested.
    """
    chosen = {} if at is None else at
    grid = ReferenceGrid.of(fit, Asked(chosen, _around_means(fit, chosen)))
    few = ReferenceGrid.of(fit, Asked(chosen)).variables
    # a covariate of two values is at these
    grid = ReferenceGrid(fit, {n: few[n] if len(few[n].levels) > 1 else v for n, v in grid.variables.items()})
    groups = read_specs([], by, list(grid.variables)).by if by is not None else ()
    nesting = nesting_of(fit, grid.variables, None)
    source = MeansSource.of(fit, ddf)
    terms = _terms(fit, grid, nesting, groups)
    if not terms:
        raise DataError("there is no term to test: the fixed part has no factor or covariate but those of by")
    tested = [one for names in terms for one in _tests_of(grid, nesting, source, names, groups)]
    if not tested:
        raise DataError(
            "no term can be tested: for each, some combination of the levels has no rows, and nothing that "
            "the term says is left to estimate; leave interactions out of the model, or name a factor in by="
        )
    return _table(tested, groups, source, nesting)


def _terms(
    fit: AnyFit, grid: ReferenceGrid, nesting: Nesting, groups: Sequence[str]
) -> list[tuple[str, ...]]:
    """The variables of each term without those of the groups, small terms first."""
    members = members_of(fit.encoding)
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for term in fit.encoding.term_columns:
        used = dict.fromkeys(column for name in term.members for column in members[name].columns)
        names = [name for name in grid.variables if name in used and name not in groups]
        for name in tuple(names):
            names += [one for one in nesting.parents.get(name, ()) if one not in (*names, *groups)]
        ordered = tuple(name for name in grid.variables if name in names)
        if any(len(grid.variables[name].levels) > 1 for name in ordered):
            found.setdefault(frozenset(ordered), ordered)
    return sorted(found.values(), key=len)


def _tests_of(
    grid: ReferenceGrid,
    nesting: Nesting,
    source: MeansSource,
    names: tuple[str, ...],
    groups: tuple[str, ...],
) -> list[_Tested]:
    own = [n for n in names if not set(nesting.parents.get(n, ())) & set(names)]
    nested = [n for n in names if n not in own]
    means, *_ = means_at(grid, nesting, source, Specs(names, groups), EQUAL, 0.95)
    C, labels = _contrasts(means.labels.grouped(groups), own, nested, groups)
    L = C @ np.where(np.isfinite(means.L), means.L, 0.0)
    found = []
    for values, rows in labels.groups():
        functions = _functions(source.estimable, L[rows])
        F, num, den, p = source.joint(functions, source.estimate(functions))
        if num:
            found.append(_Tested(":".join(names), values, (num, den, F, p), source.rank(L[rows])))
    return found


def _contrasts(
    labels: RowLabels, own: list[str], nested: list[str], groups: tuple[str, ...]
) -> tuple[Array, RowLabels]:
    """Consecutive differences of every factor; those of a nested one within what it is nested in."""
    if not nested:
        plan = plan_interaction(labels, ["consec"], Wanted())
        return plan.C, plan.labels
    plan = plan_contrasts(labels.grouped([*groups, *own]), "consec", Wanted())
    return plan.C, plan.labels.grouped(groups)


def _functions(estimable: Estimable, L: Array) -> Array:
    """The rows, where all can be estimated, else the combinations of them that can."""
    return L if estimable.rows(L).all() else estimable.functions(L)


def _table(tested: Sequence[_Tested], groups: Sequence[str], source: MeansSource, nesting: Nesting) -> Table:
    columns: dict[str, Any] = {name: [text(one.group[j]) for one in tested] for j, name in enumerate(groups)}
    numbers = np.array([one.numbers for one in tested])
    columns |= dict(zip(NUMBERS, numbers.T, strict=True))
    lost = [one.label for one in tested if one.numbers[0] < one.wanted]
    note = [f"degrees of freedom: {source.ddf.name}", source.ddf.note, nesting.words]
    if lost:
        note.append(
            f"num_df of {', '.join(dict.fromkeys(lost))} is smaller than the term has, because some of its "
            "contrasts cannot be estimated from these data"
        )
    return Table.of(columns, [one.label for one in tested], note=note)
