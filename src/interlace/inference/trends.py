"""Slopes of a covariate at levels of factors: derivatives of the means in the raw covariate."""

from __future__ import annotations

from dataclasses import replace
from math import factorial
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.design.reference import member_values, members_of
from interlace.errors import DataError, shown
from interlace.estimation.any_fit import AnyFit
from interlace.frozen import dataclass
from interlace.inference.emmeans import EMMeans
from interlace.inference.grid import ReferenceGrid
from interlace.inference.means_labels import RowLabels
from interlace.inference.means_list import MeansList
from interlace.inference.means_source import MeansSource
from interlace.inference.means_tables import MISLEADING
from interlace.inference.means_view import TRENDS, confidence
from interlace.inference.nesting import Nesting, nesting_of
from interlace.inference.nuisance import nuisance_of
from interlace.inference.reference_means import MeansAsked, means_at, misleading
from interlace.inference.specs import Specs, read_specs, unknown_variable
from interlace.inference.variables import Asked
from interlace.inference.weighting import Weighting
from interlace.options import count
from interlace.precision.wald import Ddf

STEP = 1e-3  # of the range of the covariate, between neighbouring points, for slopes
WIDE_STEP = 2e-2  # for higher derivatives, which rounding error would drown otherwise
MOST_DEGREE = 4
DEGREES = ("linear", "quadratic", "cubic", "quartic")


@dataclass(frozen=True, slots=True)
class _Along:
    """Which covariate is moved, and in what units slopes are.

    Attributes
    ----------
    column : str
        The column of the data.
    expression : str
        Per unit of which member slopes are, such as ``log(x)``; "" where they are per unit of the column.
    """

    column: str
    expression: str


def trends(
    fit: AnyFit, ddf: Ddf, var: Any, max_degree: Any, asked: MeansAsked
) -> EMMeans | MeansList[EMMeans]:
    """The slopes that are asked for, with contrasts where the text of `specs` names some.

    Raises
    ------
    DataError
        `var` is no covariate; what `marginal_means` raises.
    """
    along = _along(fit, var)
    degree = count("max_degree", max_degree, at_most=MOST_DEGREE)
    grid = ReferenceGrid.of(fit, asked.values)
    if grid.variables[along.column].categorical:
        raise DataError(f"'{along.column}' is a factor, and slopes are those of a covariate: use emmeans")
    specs = read_specs(asked.specs, asked.by, list(grid.variables))
    grid = _with_mean(fit, grid, along.column, specs, asked)
    nuisance = nuisance_of(fit, grid.variables, asked.nuisance, specs)
    nesting = nesting_of(fit, nuisance.rest(grid.variables), asked.nesting)
    source, level = MeansSource.of(fit, ddf), confidence(asked.level)
    means, weighed, at = means_at(grid, nesting, source, specs, asked.weights, level, nuisance)
    steps = [_derivative(grid, along, at, weighed, d) for d in range(1, degree + 1)]
    labels = means.labels if degree == 1 else _with_degrees(means.labels, degree)
    L = np.vstack(steps)
    found = replace(
        means,
        labels=labels,
        L=L,
        shift=np.zeros(len(L)),
        kind=TRENDS,
        scale=None,
        said=_said(fit, nesting, specs, along, means.said),
    )
    if not specs.contrast:
        return found
    return MeansList({"emtrends": found, "contrasts": found.contrast(specs.contrast)})


def _said(
    fit: AnyFit, nesting: Nesting, specs: Specs, along: _Along, said: tuple[str, ...]
) -> tuple[str, ...]:
    """The notes: that the covariate interacts with factors of the means does not mislead here."""
    known = [note for note in said if not note.startswith(MISLEADING)]
    found = misleading(fit, nesting, Specs((*specs.names, along.column), specs.by))
    notes = [f"slopes of {along.expression or along.column}", *known, found]
    return tuple(note for note in notes if note)


def _along(fit: AnyFit, var: Any) -> _Along:
    members = members_of(fit.encoding)
    columns = list(dict.fromkeys(column for member in members.values() for column in member.columns))
    if not isinstance(var, str):
        raise DataError(f"var must be the name of a covariate, not {shown(var)}")
    if var in columns:
        return _Along(var, "")
    member = members.get(var)
    if member is not None and len(member.columns) == 1:
        return _Along(member.columns[0], var)
    raise unknown_variable(var, columns)


def _with_mean(fit: AnyFit, grid: ReferenceGrid, name: str, specs: Specs, asked: MeansAsked) -> ReferenceGrid:
    """The covariate at its mean unless something else was asked for: slopes at two values are not wanted."""
    values = asked.values
    if name in values.at or name in specs.every or values.reduction(name) is not None:
        return grid
    alone = ReferenceGrid.of(fit, Asked(values.at, {name: True}))
    return ReferenceGrid(fit, grid.variables | {name: alone.variables[name]})


def _with_degrees(labels: RowLabels, degree: int) -> RowLabels:
    m = len(labels)
    columns: dict[str, tuple[Any, ...]] = {name: values * degree for name, values in labels.columns.items()}
    columns["degree"] = tuple(DEGREES[d] for d in range(degree) for _ in range(m))
    return RowLabels(columns, (*labels.by, "degree"))


def _derivative(
    grid: ReferenceGrid, along: _Along, at: dict[str, np.ndarray], weighed: Weighting, degree: int
) -> Array:
    """The derivative of the means, over the factorial of its degree; exact for polynomials of low degree."""
    variable = grid.variables[along.column]
    step = (STEP if degree == 1 else WIDE_STEP) * _spread(grid.fit, along.column)
    offsets = np.arange(-3, 4) if degree > 1 else np.arange(-2, 3)
    # weights of the points: the derivative of the polynomial through them
    powers = np.vander(offsets, increasing=True).T.astype(np.float64)
    unit = np.zeros(len(offsets))
    unit[degree] = factorial(degree)
    weights = np.linalg.solve(powers, unit)
    total: Array = np.zeros(0)
    slope = np.zeros(len(variable.levels))
    for weight, offset in zip(weights, offsets, strict=True):
        if abs(weight) < 1e-12:
            continue
        moved = tuple(float(v) + float(offset) * step for v in variable.levels)
        there = replace(variable, levels=moved)
        rows = ReferenceGrid(grid.fit, grid.variables | {along.column: there}).rows(at, weighed)
        total = total + weight * rows if total.size else weight * rows
        if along.expression:
            data = {along.column: there.column(np.arange(len(moved)))}
            values = member_values(grid.fit.encoding, along.expression, data, len(moved))
            slope = slope + weight * values.reshape(len(moved), -1)[:, 0]
    L = total / (step**degree * factorial(degree))
    if along.expression:
        L = L * (step / slope[at[along.column]] if along.column in at else step / slope[0])[..., None]
    largest = np.abs(L).max(initial=0.0)
    return np.where(np.abs(L) < 1e-12 * largest, 0.0, L)


def _spread(fit: AnyFit, name: str) -> float:
    known = fit.encoding.covariates.get(name)
    spread = 0.0 if known is None else known.high - known.low
    return spread if spread > 0 else 1.0
