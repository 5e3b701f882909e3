"""How levels are weighed in means over them: by no data, by the rows of the data, or by numbers given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.design.reference import codes_among, columns_of_rows
from interlace.errors import DataError
from interlace.estimation.any_fit import AnyFit
from interlace.frozen import dataclass
from interlace.inference.variables import Variable
from interlace.options import word

EQUAL = "equal"
WORDS = (EQUAL, "proportional", "outer", "cells", "flat")


@dataclass(frozen=True, slots=True)
class Cells:
    """The combinations of levels that rows have.

    Attributes
    ----------
    names : tuple of str
    codes : ndarray of int, (u, d)
        A row for each combination, a column for each variable.
    weight : ndarray, (u,)
        The sum of the prior weights of its rows, their number without weights.
    """

    names: tuple[str, ...]
    codes: np.ndarray
    weight: Array

    @classmethod
    def of(cls, fit: AnyFit, variables: Sequence[Variable]) -> Cells:
        """Those of the rows used; rows with a value that is not in the grid are left out."""
        names, sizes = tuple(v.name for v in variables), [len(v.levels) for v in variables]
        found: dict[int, float] = {}
        for columns, weights, _ in columns_of_rows(fit.rows, names):
            key = np.zeros(len(weights), dtype=np.int64)
            there = np.ones(len(weights), dtype=bool)
            for variable, size in zip(variables, sizes, strict=True):
                codes = codes_among(columns[variable.name], variable.levels)
                there &= codes >= 0
                key = key * size + codes
            keys, inverse = np.unique(key[there], return_inverse=True)
            sums = np.bincount(inverse, weights[there], minlength=len(keys))
            for one, weight in zip(keys.tolist(), sums.tolist(), strict=True):
                found[one] = found.get(one, 0.0) + weight
        keys = np.array(sorted(found), dtype=np.int64)
        weight = np.array([found[key] for key in keys.tolist()])
        codes = np.empty((len(keys), len(names)), dtype=np.int64)
        for j in range(len(names) - 1, -1, -1):
            codes[:, j], keys = keys % sizes[j], keys // sizes[j]
        return cls(names, codes, weight)

    def margin(self, name: str, size: int) -> Array:
        """The weight of each level of a variable, as a share."""
        found = np.bincount(self.codes[:, self.names.index(name)], self.weight, minlength=size)
        return np.asarray(found / found.sum())

    def table(self, names: Sequence[str], sizes: Sequence[int]) -> np.ndarray:
        """The place of each combination in the product of some variables, the last varying fastest, (u,)."""
        at = np.zeros(len(self.weight), dtype=np.int64)
        for name, size in zip(names, sizes, strict=True):
            at = at * size + self.codes[:, self.names.index(name)]
        return at


@dataclass(frozen=True, slots=True)
class Weighting:
    """Weights of the levels that are averaged over.

    Attributes
    ----------
    each : dict of str to ndarray, (levels,)
        Of the variables that are weighed by themselves.
    joint : tuple of str
        The variables that are weighed together.
    cells : Cells or None
        Their combinations with weights; those of the variables of `given` among them.
    given : tuple of str
        The variables of whose values the joint weights depend.
    """

    each: dict[str, Array]
    joint: tuple[str, ...] = ()
    cells: Cells | None = None
    given: tuple[str, ...] = ()

    def of_rows(self, names: Sequence[str], sizes: Sequence[int], at: Mapping[str, np.ndarray]) -> Array:
        """The weights (m, product of sizes) of the combinations of `names` in m means.

        Parameters
        ----------
        names, sizes : sequence
            Some variables of `joint`, and the numbers of their levels.
        at : mapping of str to ndarray of int, (m,)
            The levels that each mean is at.
        """
        assert self.cells is not None
        width = prod(sizes)
        place = self.cells.table(names, sizes)
        if not self.given:
            weight = np.bincount(place, self.cells.weight, minlength=width)
            return np.asarray(weight / weight.sum())[None]
        keys = np.column_stack([at[name] for name in self.given])
        there = self.cells.codes[:, [self.cells.names.index(name) for name in self.given]]
        _, inverse = np.unique(np.vstack([keys, there]), axis=0, return_inverse=True)
        inverse = np.ravel(inverse)
        mine, theirs = inverse[: len(keys)], inverse[len(keys) :]
        found = np.zeros((int(inverse.max()) + 1, width))
        np.add.at(found, (theirs, place), self.cells.weight)
        rows = found[mine]
        total = rows.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(total > 0, rows / total, np.nan))


def weighting(
    fit: AnyFit,
    weights: Any,
    averaged: Sequence[Variable],
    wanted: Sequence[Variable],
    given: Sequence[str] = (),
) -> Weighting:
    """What `weights` means for the variables that are averaged over, in means at those wanted.

    `given` names those wanted of whose levels "proportional" weights depend, because others are nested in
    them.

    Raises
    ------
    DataError
        It is no word that is known, or an array of another size.
    """
    equal = {v.name: np.full(len(v.levels), 1 / len(v.levels)) for v in averaged}
    if not isinstance(weights, str):
        return _given(weights, averaged)
    meant = word("weights", weights, WORDS)
    counted = [v for v in averaged if v.counted]
    if meant == EQUAL or not counted:
        return Weighting(equal)
    names = tuple(v.name for v in counted)
    if meant in ("proportional", "outer") and not given:
        cells = Cells.of(fit, counted)
        if meant == "outer" or len(counted) == 1:
            return Weighting(equal | {v.name: cells.margin(v.name, len(v.levels)) for v in counted})
        joint: tuple[Cells, tuple[str, ...]] = cells, ()
    else:
        within = [v for v in wanted if meant in ("cells", "flat") or v.name in given]
        fixed = [v for v in within if v.counted]
        cells = Cells.of(fit, [*fixed, *counted])
        if meant == "flat":
            cells = Cells(cells.names, cells.codes, np.ones(len(cells.weight)))
        joint = cells, tuple(v.name for v in fixed)
    rest = {name: w for name, w in equal.items() if name not in names}
    return Weighting(rest, names, *joint)


def _given(weights: Any, averaged: Sequence[Variable]) -> Weighting:
    try:
        numbers = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"weights must be one of {', '.join(WORDS)}, or an array of numbers") from error
    many = [v for v in averaged if len(v.levels) > 1]
    sizes = tuple(len(v.levels) for v in many)
    if numbers.shape != sizes and numbers.shape != (prod(sizes),):
        over = ", ".join(v.name for v in many) or "nothing"
        raise DataError(
            f"the means are averaged over {prod(sizes)} combinations of levels ({over}), and weights has "
            f"shape {numbers.shape}; give {sizes}, or one number for each, the levels of the first "
            "varying fastest"
        )
    if not (np.isfinite(numbers).all() and (numbers >= 0).all() and numbers.sum() > 0):
        raise DataError("weights must be finite numbers from 0, and not all of them 0")
    table = numbers if numbers.ndim > 1 else numbers.reshape(sizes, order="F")
    codes = np.array(np.unravel_index(np.arange(table.size), table.shape)).T.reshape(table.size, len(many))
    rest: dict[str, Array] = {v.name: np.ones(1) for v in averaged if len(v.levels) == 1}
    names = tuple(v.name for v in many)
    if not many:
        return Weighting(rest)
    return Weighting(rest, names, Cells(names, codes, table.ravel()))
