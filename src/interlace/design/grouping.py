"""Grouping factors: levels learnt once, codes for any data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interlace.design.values import Column, Factor, factorize, integer_codes, type_difference
from interlace.errors import DataError
from interlace.frozen import dataclass


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

    @property
    def levels(self) -> np.ndarray:
        """Labels of the levels: the values themselves, or strings ``"a1:b3"`` for a product."""
        if self.combinations is None:
            return self.parts[0]
        # No functools.cached_property: before Python 3.12 it has a lock, and a fork may leave it held.
        if "_labels" not in self.__dict__:
            self.__dict__["_labels"] = self._labelled(self.combinations)
        return np.asarray(self.__dict__["_labels"])

    def _labelled(self, combinations: np.ndarray) -> np.ndarray:
        labels: list[list[str]] = []
        rest = combinations
        for part in reversed(self.parts):
            rest, digit = np.divmod(rest, len(part))
            names = np.array([str(level) for level in part], dtype=object)
            labels.append(names[digit].tolist())
        return np.array([":".join(words) for words in zip(*reversed(labels), strict=True)], dtype=object)

    def codes(self, columns: Sequence[Column]) -> np.ndarray:
        """int32 (n,): the level of each row of new data, -1 for a level that the fit has not seen."""
        given = zip(self.factors, columns, self.parts, strict=True)
        recoded = [_codes_among(name, column, part) for name, column, part in given]
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
            difference = type_difference(_new_factor(name, column), part)
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
    parts = tuple([f.levels for f in factors])
    for name, f in zip(names, factors, strict=True):
        if len(f.codes) and np.minimum.reduce(f.codes) < 0:
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
    """A column as a grouping factor; numbers must be whole, as a column of integers with a gap is."""
    if isinstance(column, Factor):
        return _whole_levels(column)
    if column.ndim != 1:
        raise DataError(f"the grouping factor '{name}' has more than one column; give one column for it")
    if column.dtype.kind == "f":
        return factorize(_whole(name, column))
    if column.dtype.kind not in "iubMm":
        raise DataError(
            f"the grouping factor '{name}' has values of type {column.dtype}; make them text in the data"
        )
    return factorize(column)


# From here on a float cannot tell a whole number from its neighbours.
LARGEST_WHOLE = 2.0**53


def _whole(name: str, values: np.ndarray) -> np.ndarray:
    """Floats that are whole numbers, as int64."""
    values = values.astype(np.float64)  # a narrow one cannot be compared with a large number
    wrong = np.flatnonzero(~np.isfinite(values) | (np.trunc(values) != values))
    if len(wrong):
        raise DataError(
            f"the grouping factor '{name}' holds numbers that are not whole, such as {values[wrong[0]]:g}, "
            f"and groups are labels: if these numbers are, write (1 | factor({name})) or make them text in "
            "the data; if they measure something, cut them into groups or put them into the fixed part"
        )
    if len(values) and np.abs(values).max() >= LARGEST_WHOLE:
        raise DataError(
            f"the grouping factor '{name}' holds whole numbers beyond 2**53, which floating-point numbers "
            "cannot tell from their neighbours; make them text in the data where they are still whole"
        )
    return values.astype(np.int64)


def _whole_levels(factor: Factor) -> Factor:
    """Levels that are whole floats are whole numbers, as those of a column are."""
    levels = factor.levels
    if levels.dtype.kind != "f" or not len(levels):
        return factor
    wide = levels.astype(np.float64)
    if not (np.abs(wide) < LARGEST_WHOLE).all() or (np.trunc(wide) != wide).any():
        return factor
    return Factor(factor.codes, levels.astype(np.int64), factor.ordered)


def _codes_among(name: str, column: Column, levels: np.ndarray) -> np.ndarray:
    """The places of a column of new data among the levels of the fit, -1 for a level not seen before."""
    found = None if isinstance(column, Factor) else integer_codes(column, levels)
    return _new_factor(name, column).recode(levels).codes if found is None else found


def _new_factor(name: str, column: Column) -> Factor:
    """A column of new data as a grouping factor; a number that is not whole is a level not seen before."""
    if isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind == "f":
        return _whole_levels(factorize(column))
    return _as_factor(name, column)
