"""Predictions for the rows of the fit or for new data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from interlace.design.design import Design, RandomRows
from interlace.design.encoding import Encoding
from interlace.design.extras import Extra
from interlace.design.frame import Frame, open_table
from interlace.design.learnt import RandomEncoding, grouping_columns
from interlace.design.scope import check_columns
from interlace.design.values import Column, Factor
from interlace.errors import DataError
from interlace.estimation.fit import Fit
from interlace.estimation.penalized import Solution
from interlace.formula.names import used_names
from interlace.frozen import dataclass
from interlace.options import number, switch, word
from interlace.prediction.absorbed_levels import level_sums, refuse_untold
from interlace.prediction.per_row import Handed, all_rows
from interlace.prediction.selection import Part, select
from interlace.prediction.uncertainty import Uncertainty

NEW_LEVELS = ("error", "population")
INTERVALS = ("confidence", "prediction")
LEVEL = 0.95  # of intervals, where nothing is said
SHOWN = 5  # unseen levels named in an error message
NAME = "predicted"


class Sure(Protocol):
    """How sure predictions are."""

    def variance(self, design: Design, parts: Sequence[Part]) -> np.ndarray:
        """Of the mean of a row, (n,)."""
        ...

    def rest(self, design: Design, parts: Sequence[Part], z: Sequence[np.ndarray]) -> np.ndarray:
        """What a new response varies by beside that, (n,)."""
        ...

    def reach(self, level: float) -> float:
        """Of an interval, in standard errors."""
        ...


def predict(
    fit: Fit,
    newdata: Any,
    *,
    random: str | Sequence[str],
    new_levels: str,
    offset: Any = None,
    weights: Any = None,
    interval: str | None = None,
    level: float = LEVEL,
    se: bool = False,
    sure: Sure | None = None,
    handed: Handed | None = None,
) -> Any:
    """`X beta + offset + Z b` with the chosen random effects, one value per row, in the library of the data.

    Rows with a missing value in a column that is needed have none. See `LinearMixedModel.predict`. `sure`
    says how sure predictions are, in place of `Uncertainty`; `handed`, for which rows those of the fit are.
    """
    sure = Uncertainty(fit) if sure is None else sure
    new_levels = word("new_levels", new_levels, NEW_LEVELS)
    parts = select(fit.encoding, random)
    asked = Asked.of(interval, level, se, weights)
    if newdata is None:
        if offset is not None or weights is not None:
            raise DataError(
                "offset= and weights= go with newdata; predictions for the rows of the fit use its own"
            )
        return _handed_out(handed or Handed(fit.rows.frame), _of_the_fit(fit, sure, parts, asked))
    newdata = open_table(newdata)  # once: there are streams that can be read once only
    new = New(new_levels, offset, weights)
    return _handed_out(Handed(Frame.read(newdata, ())), of_new(fit, newdata, sure, parts, asked, new))


@dataclass(frozen=True, slots=True)
class New:
    """What is said of new data.

    Attributes
    ----------
    new_levels : {"error", "population"}
    offset, weights : str, array-like or None
    """

    new_levels: str
    offset: Any = None
    weights: Any = None


def of_new(
    fit: Fit, newdata: Any, sure: Sure, parts: Sequence[Part], asked: Asked, new: New
) -> dict[str, np.ndarray]:
    """Predictions of new data and what is asked for beside them: a value for each row of the table, masked
    where a column that is needed is missing."""
    wanted = {part.block: part.columns for part in parts}
    design = fit.encoding.design(newdata, random=wanted, offset=new.offset, weights=new.weights)
    _refuse_new_levels(fit, design, parts, new.new_levels)
    refuse_untold(fit, design)
    with np.errstate(over="ignore", invalid="ignore"):
        columns = {NAME: linear_predictor(fit, design, parts)}
        if asked.anything:
            z = _columns(fit, design, newdata, parts) if asked.interval == "prediction" else ()
            _check_weights(fit, design, asked)
            columns |= _sure(sure, design, parts, z, columns[NAME], asked)
    _refuse_overflow(design, columns)
    return {name: all_rows(design, values) for name, values in columns.items()}


def _refuse_overflow(design: Design, columns: dict[str, np.ndarray]) -> None:
    """Finite numbers times coefficients may be beyond the largest number that there is."""
    for name, values in columns.items():
        beyond = np.flatnonzero(~np.isfinite(values))
        if beyond.size:
            row = beyond[0] if design.kept is None else design.kept[beyond[0]]
            what = "prediction" if name == NAME else f"'{name}'"
            raise DataError(
                f"the {what} of row {row} (counted from 0) is too large a number: the values of newdata "
                "there are too far from those that the model was fitted to; look at the units of its columns"
            )


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted beside the predictions.

    Attributes
    ----------
    interval : {"confidence", "prediction"} or None
    level : float
    se : bool
    """

    interval: str | None
    level: float
    se: bool

    @classmethod
    def of(cls, interval: Any, level: Any, se: Any, weights: Any) -> Asked:
        """Checked.

        Raises
        ------
        DataError
        """
        interval = None if interval is None else word("interval", interval, INTERVALS)
        level = number("level", level)
        if not 0 < level < 1:
            raise DataError(f"level must be between 0 and 1, not {level:g}")
        if interval is None and level != LEVEL:
            raise DataError("level= is of an interval: write interval='confidence' or 'prediction' with it")
        if weights is not None and interval != "prediction":
            raise DataError("weights= is for interval='prediction': only new responses depend on them")
        return cls(interval, level, switch("se", se))

    @property
    def anything(self) -> bool:
        """Is there more to do than to predict?"""
        return self.se or self.interval is not None


def _handed_out(handed: Handed, columns: dict[str, np.ndarray]) -> Any:
    return handed.series(NAME, columns[NAME]) if len(columns) == 1 else handed.table(columns)


def _of_the_fit(fit: Fit, sure: Sure, parts: Sequence[Part], asked: Asked) -> dict[str, np.ndarray]:
    found = []
    for design in fit.rows.designs():
        columns = {NAME: linear_predictor(fit, design, parts)}
        if asked.anything:
            z = [rows.z for rows in design.random]
            columns |= _sure(sure, design, parts, z, columns[NAME], asked)
        found.append(columns)
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}


def _sure(
    sure: Sure,
    design: Design,
    parts: Sequence[Part],
    z: Sequence[np.ndarray],
    mean: np.ndarray,
    asked: Asked,
) -> dict[str, np.ndarray]:
    """Standard errors, and the ends of intervals."""
    variance = sure.variance(design, parts)
    found = {"se": np.sqrt(variance)} if asked.se else {}
    if asked.interval is None:
        return found
    if asked.interval == "prediction":
        variance = variance + sure.rest(design, parts, z)
    reach = sure.reach(asked.level) * np.sqrt(variance)
    return found | {"lower": mean - reach, "upper": mean + reach}


def _columns(fit: Fit, design: Design, newdata: Any, parts: Sequence[Part]) -> list[np.ndarray]:
    """The columns of every covariance block: those that are not predicted with vary in a new response."""
    whole = {
        part.block for part in parts if len(part.columns) == len(fit.encoding.random[part.block].columns)
    }
    found = []
    for i, block in enumerate(fit.encoding.random):
        if i in whole:
            found.append(design.random[i].z)
        elif block.columns == ("Intercept",):
            found.append(np.ones((design.nrows, 1)))
        else:
            found.append(_slopes(fit.encoding, block, design, newdata))
    return found


def _slopes(encoding: Encoding, block: RandomEncoding, design: Design, newdata: Any) -> np.ndarray:
    """Of new data whose grouping factor need not be there."""
    frame = design.frame
    used = used_names(encoding.formula.random[block.term].columns) & encoding.memory.columns
    missing = sorted(used - set(frame.columns))
    if missing:
        table = open_table(newdata)
        check_columns(table.names, missing)
        read = Frame.read(table, missing)
        if read.missing:
            raise DataError(
                f"column '{next(iter(read.missing))}' has missing values, and the random effects that it "
                "belongs to vary in new responses: leave these rows out"
            )
        more = read if design.kept is None else read.take(design.kept)
        frame = replace(frame, columns=frame.columns | more.columns)
    return block.basis.matrix(frame.columns, design.nrows)


def _check_weights(fit: Fit, design: Design, asked: Asked) -> None:
    if asked.interval == "prediction" and fit.encoding.weights is not None and design.weights is None:
        name = fit.encoding.weights
        where = "weights=..." if name == Extra.ARRAY else f"the column '{name}' of newdata, or weights=..."
        raise DataError(f"the model has prior weights, and new responses vary with theirs: give {where}")


def linear_predictor(fit: Fit, design: Design, parts: Sequence[Part]) -> np.ndarray:
    """`X beta + offset`, the effects of absorbed levels, and the contributions of `parts`; an unseen level
    contributes nothing."""
    total = fixed_and_random(fit.solution, design.selected(fit.kept), parts)
    return total + absorbed_part(fit, design) if fit.encoding.absorbed else total


def absorbed_part(fit: Fit, design: Design) -> np.ndarray:
    """The sum of the effects of absorbed levels, shape (n,)."""
    if not design.absorbed:
        return np.zeros(design.nrows)
    return level_sums(fit.encoding, design, fit.absorbed_effects.estimates)[:, 0]


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
