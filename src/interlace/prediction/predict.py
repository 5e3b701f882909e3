"""Predictions for the rows of the fit or for new data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from interlace.design.design import Design, RandomRows
from interlace.design.frame import Frame, open_table
from interlace.design.learnt import grouping_columns
from interlace.design.rows import per_row
from interlace.design.values import Column, Factor
from interlace.errors import DataError
from interlace.estimation.fit import Fit
from interlace.estimation.penalized import Solution
from interlace.options import word
from interlace.prediction.per_row import all_rows, row_series
from interlace.prediction.selection import Part, select

NEW_LEVELS = ("error", "population")
SHOWN = 5  # unseen levels named in an error message
NAME = "predicted"


def predict(
    fit: Fit, newdata: Any, *, random: str | Sequence[str], new_levels: str, offset: Any = None
) -> Any:
    """`X beta + offset + Z b` with the chosen random effects, one value per row, in the library of the data.

    Rows with a missing value in a column that is needed give NaN. See `LinearMixedModel.predict`.
    """
    new_levels = word("new_levels", new_levels, NEW_LEVELS)
    parts = select(fit.encoding, random)
    if newdata is None:
        if offset is not None:
            raise DataError(
                "offset= goes with newdata; predictions for the rows of the fit use its own offset"
            )
        found = per_row(fit.rows, lambda design: linear_predictor(fit, design, parts))
        return row_series(fit.rows.frame, NAME, found)
    newdata = open_table(newdata)  # once: there are streams that can be read once only
    wanted = {part.block: part.columns for part in parts}
    design = fit.encoding.design(newdata, random=wanted, offset=offset)
    _refuse_new_levels(fit, design, parts, new_levels)
    values = all_rows(design, linear_predictor(fit, design, parts))
    return row_series(Frame.read(newdata, ()), NAME, values)


def linear_predictor(fit: Fit, design: Design, parts: Sequence[Part]) -> np.ndarray:
    """`X beta + offset` and the contributions of `parts`; an unseen level contributes nothing."""
    return fixed_and_random(fit.solution, design.selected(fit.kept), parts)


def fixed_and_random(solution: Solution, design: Design, parts: Sequence[Part]) -> np.ndarray:
    """The same of a design that has the columns of the solution alone."""
    total = design.fixed.times(solution.beta)
    if design.offset is not None:
        total = total + design.offset
    for part in parts:
        total += contribution(design.random[part.block], solution.b[part.block], part)
    return total


def fixed_part(fit: Fit, design: Design) -> np.ndarray:
    """`X beta + offset`, shape (n,); a new array."""
    return linear_predictor(fit, design, ())


def contribution(rows: RandomRows, b: np.ndarray, part: Part) -> np.ndarray:
    """`sum_j z_ij b_(level of i)j` over the columns of `part`, shape (n,); zero where the level is unseen."""
    columns = list(part.columns)
    effects = np.einsum("ij,ij->i", rows.z[:, columns], b[rows.codes][:, columns])
    seen = rows.codes >= 0
    return effects if seen.all() else np.where(seen, effects, 0.0)


def _refuse_new_levels(fit: Fit, design: Design, parts: Sequence[Part], new_levels: str) -> None:
    encoding = fit.encoding
    for part in parts:
        unseen = np.flatnonzero(design.random[part.block].codes < 0)
        if not unseen.size:
            continue
        block = encoding.random[part.block]
        grouping = block.grouping
        columns = grouping_columns(encoding.formula.random[block.term], design.frame, encoding.memory)
        grouping.refuse_other_types(columns)
        if new_levels == "error":
            raise DataError(_new_levels_message(design, grouping.group, columns, unseen))


def _new_levels_message(design: Design, group: str, columns: Sequence[Column], unseen: np.ndarray) -> str:
    names = list(dict.fromkeys(":".join(_label(column, row) for column in columns) for row in unseen))
    shown = ", ".join(f"'{name}'" for name in names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    first = int(unseen[0] if design.kept is None else design.kept[unseen[0]])
    what = "a level" if len(names) == 1 else "levels"
    return (
        f"the grouping factor '{group}' has {what} that the fit has not seen: {shown} "
        f"(first at row {first}, counted from 0); new_levels='population' takes their effects as zero"
    )


def _label(column: Column, row: int) -> str:
    value = column.levels[column.codes[row]] if isinstance(column, Factor) else column[row]
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
