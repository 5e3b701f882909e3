"""Grouping factors: levels learnt once, codes for any data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from interlace.design.values import Column, Factor, factorize, type_difference
from interlace.errors import DataError


@dataclass(frozen=True)
class Grouping:
    """A grouping factor `a` or `a:b`: the levels that occur, in R's order.

    Attributes
    ----------
    group : str
        Name shown to the user, ``"a:b"``.
    factors : tuple of str
        Expressions of the factors.
    parts : tuple of ndarray
        Sorted or given levels of each factor.
    combinations : ndarray of int64 or None
        For a product: the combinations that occur, as mixed-radix numbers over `parts`, increasing (so the
        last factor varies fastest). None for a single factor.
    """

    group: str
    factors: tuple[str, ...]
    parts: tuple[np.ndarray, ...]
    combinations: np.ndarray | None

    @property
    def n_levels(self) -> int:
        """Number of levels L."""
        return len(self.parts[0]) if self.combinations is None else len(self.combinations)

    @cached_property
    def levels(self) -> np.ndarray:
        """Labels of the levels: the values themselves, or strings ``"a1:b3"`` for a product."""
        if self.combinations is None:
            return self.parts[0]
        labels: list[list[str]] = []
        rest = self.combinations
        for part in reversed(self.parts):
            rest, digit = np.divmod(rest, len(part))
            names = np.array([str(level) for level in part], dtype=object)
            labels.append(names[digit].tolist())
        return np.array([":".join(words) for words in zip(*reversed(labels), strict=True)], dtype=object)

    def codes(self, columns: Sequence[Column]) -> np.ndarray:
        """int32 (n,): the level of each row of new data, -1 for a level that the fit has not seen."""
        factors = [_as_factor(name, column) for name, column in zip(self.factors, columns, strict=True)]
        recoded = [f.recode(part).codes for f, part in zip(factors, self.parts, strict=True)]
        if self.combinations is None:
            return _int32(recoded[0])
        combined, known = _combine(recoded, [len(part) for part in self.parts])
        place = np.searchsorted(self.combinations, combined)
        place[place == len(self.combinations)] = 0
        known &= self.combinations[place] == combined
        return np.where(known, place, -1).astype(np.int32)

    def refuse_other_types(self, columns: Sequence[Column]) -> None:
        """Levels of new data that are those of the fit in all but their type are no new levels.

        Raises
        ------
        DataError
        """
        for name, column, part in zip(self.factors, columns, self.parts, strict=True):
            difference = type_difference(_as_factor(name, column), part)
            if difference:
                raise DataError(
                    f"no level of the grouping factor '{name}' matches one of the fit: {difference}; "
                    "convert the column"
                )


def learn_grouping(
    group: str, names: tuple[str, ...], columns: Sequence[Column]
) -> tuple[Grouping, np.ndarray]:
    """Learn a grouping factor; its levels and the codes of the rows (int32, all >= 0)."""
    factors = [_as_factor(name, column).drop_unused() for name, column in zip(names, columns, strict=True)]
    parts = tuple(f.levels for f in factors)
    for name, f in zip(names, factors, strict=True):
        if len(f) and f.codes.min() < 0:
            raise DataError(f"the grouping factor '{name}' has rows without a level; drop these rows")
    if len(factors) == 1:
        return Grouping(group, names, parts, None), _int32(factors[0].codes)
    combined, _ = _combine([f.codes for f in factors], [len(part) for part in parts])
    observed = factorize(combined)
    return Grouping(group, names, parts, observed.levels), _int32(observed.codes)


def _int32(codes: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(codes, dtype=np.int32)


def _combine(codes: Sequence[np.ndarray], sizes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Mixed-radix numbers of combinations, and which rows have every part known."""
    if np.prod([float(size) for size in sizes]) > 2.0**62:
        raise DataError(
            "the product of these grouping factors has too many combinations; combine them in the data"
        )
    combined = codes[0].astype(np.int64)
    known = codes[0] >= 0
    for code, size in zip(codes[1:], sizes[1:], strict=True):
        combined = combined * size + code
        known = known & (code >= 0)
    return combined, known


def _as_factor(name: str, column: Column) -> Factor:
    """A column as a grouping factor; floating-point numbers are refused."""
    if isinstance(column, Factor):
        return column
    if column.ndim != 1:
        raise DataError(f"the grouping factor '{name}' has more than one column")
    if column.dtype.kind == "f":
        raise DataError(
            f"the grouping factor '{name}' holds floating-point numbers; convert it to integers or strings "
            f"(for example with astype(int) or astype(str)) so that equal groups are surely equal"
        )
    if column.dtype.kind not in "iubMm":
        raise DataError(
            f"the grouping factor '{name}' has values of type {column.dtype}; convert it to strings"
        )
    return factorize(column)
