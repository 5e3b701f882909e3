"""Means over a reference grid: from what a user asks to an `EMMeans`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from interlace.design.reference import members_of
from interlace.design.response import read_response
from interlace.errors import DataError
from interlace.estimation.any_fit import AnyFit
from interlace.frozen import dataclass
from interlace.inference.absorbed_means import source_of_means
from interlace.inference.emmeans import EMMeans
from interlace.inference.grid import ReferenceGrid
from interlace.inference.means_labels import RowLabels
from interlace.inference.means_list import MeansList
from interlace.inference.means_source import MeansSource
from interlace.inference.means_tables import MISLEADING
from interlace.inference.means_view import RESPONSE, View, confidence, way_back
from interlace.inference.nesting import Nesting, nesting_of
from interlace.inference.nuisance import Nuisance, nuisance_of
from interlace.inference.response_scale import NoWayBack, ResponseScale, response_scale
from interlace.inference.specs import OVERALL, Specs, read_specs
from interlace.inference.undoing import known_names
from interlace.inference.variables import Asked, Variable
from interlace.inference.weighting import EQUAL, Weighting, weighting
from interlace.precision.wald import Ddf

NO_NUISANCE, LINK_VIEW = Nuisance(), View()


@dataclass(frozen=True, slots=True)
class MeansAsked:
    """What a user asks of means.

    Attributes
    ----------
    specs, by
        See `read_specs`.
    values : Asked
        Of the grid.
    weights : str or array
        See `weighting`.
    level : float
    nesting : mapping or None
        See `nesting_of`.
    nuisance : None, str or sequence of str
        See `nuisance_of`.
    view : View
    """

    specs: Any
    by: Any
    values: Asked
    weights: Any = EQUAL
    level: float = 0.95
    nesting: Any = None
    nuisance: Any = None
    view: View = LINK_VIEW


def marginal_means(fit: AnyFit, ddf: Ddf, asked: MeansAsked) -> EMMeans | MeansList[EMMeans]:
    """The means that are asked for; with their contrasts where the text of `specs` names some.

    Raises
    ------
    DataError
        A variable, a level, weights or the level of confidence are not right.
    """
    level = confidence(asked.level)
    grid = ReferenceGrid.of(fit, asked.values)
    if not grid.variables and not fit.encoding.fixed_names:
        raise DataError("the model has no fixed effects, so that there are no means")
    specs = read_specs(asked.specs, asked.by, list(grid.variables))
    nuisance = nuisance_of(fit, grid.variables, asked.nuisance, specs)
    nesting = nesting_of(fit, nuisance.rest(grid.variables), asked.nesting)
    equal = isinstance(asked.weights, str) and asked.weights.casefold() == EQUAL
    source = source_of_means(fit, ddf, equal=equal)
    found, *_ = means_at(grid, nesting, source, specs, asked.weights, level, nuisance)
    found = replace(found, view=replace(asked.view, residual=fit.sigma))
    if found.view.type == RESPONSE and found.scale is not None:
        way_back(found.scale)
    if not specs.contrast:
        return found
    return MeansList({"emmeans": found, "contrasts": found.contrast(specs.contrast)})


def means_at(
    grid: ReferenceGrid,
    nesting: Nesting,
    source: MeansSource,
    specs: Specs,
    weights: Any,
    level: float,
    nuisance: Nuisance = NO_NUISANCE,
) -> tuple[EMMeans, Weighting, dict[str, np.ndarray]]:
    """The means at all combinations of some variables, averaged over all others.

    Their weights, and the places of the values in each mean, come with them.
    """
    specs = Specs(nesting.with_parents(specs.names, specs.by), specs.by, specs.contrast)
    at = grid.combinations(specs.every)
    there = nesting.exist(at)
    at = {name: place[there] for name, place in at.items()}
    averaged = [v for name, v in nuisance.rest(grid.variables).items() if name not in at]
    weighed = nuisance.weighed(grid.fit, _weighed(grid, nesting, weights, averaged, specs), weights)
    over = _averaged(averaged, nuisance)
    said = [nesting.words, over, nuisance.note, misleading(grid.fit, nesting, specs)]
    L = grid.rows(at, weighed)
    found = EMMeans(
        source=source,
        labels=labels_at(grid, specs, at),
        L=L,
        shift=np.full(len(L), grid.offset),
        level=level,
        said=tuple(note for note in said if note),
        scale=scale_of(grid.fit),
        view=View(residual=grid.fit.sigma),
    )
    return found, weighed, at


def scale_of(fit: AnyFit) -> ResponseScale | NoWayBack | None:
    """How the response was transformed; None where it was not."""
    read = read_response(fit.encoding, fit.rows, known_names())
    return response_scale(str(fit.encoding.formula.response), read)


def _weighed(
    grid: ReferenceGrid, nesting: Nesting, weights: Any, averaged: Sequence[Variable], specs: Specs
) -> Weighting:
    wanted = [grid.variables[name] for name in specs.every]
    within = nesting.equal(averaged, wanted)
    if within is not None and isinstance(weights, str) and weights == EQUAL:
        return within
    return weighting(grid.fit, weights, averaged, wanted, () if within is None else within.given)


def labels_at(grid: ReferenceGrid, specs: Specs, at: dict[str, np.ndarray]) -> RowLabels:
    """The values of the variables in each row."""
    if not at:
        return RowLabels({OVERALL: ("overall",)})
    columns = {name: tuple(grid.variables[name].levels[i] for i in place) for name, place in at.items()}
    return RowLabels(columns, specs.by if specs.names else ())


def _averaged(averaged: Sequence[Variable], nuisance: Nuisance) -> str:
    names = [nuisance.words] if nuisance.words else []
    names += [v.name for v in averaged if len(v.levels) > 1]
    return f"averaged over the levels of {', '.join(names)}" if names else ""


def misleading(fit: AnyFit, nesting: Nesting, specs: Specs) -> str:
    """Where a variable of the means is in an interaction with one that they are averaged over."""
    members, mine = members_of(fit.encoding), set(specs.every)
    for term in fit.encoding.term_columns:
        used = {column for name in term.members for column in members[name].columns}
        within = {name for name, above in nesting.parents.items() if set(above) <= mine | {name}}
        if used & mine and used - mine - within:
            with_these, others = ", ".join(sorted(used & mine)), ", ".join(sorted(used - mine))
            return f"{MISLEADING}: {with_these} interacts with {others}"
    return ""
