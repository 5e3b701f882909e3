"""Members of terms: what is learnt of an expression so that its values become columns, for any data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from interlace.design.contrasts import Coding, default_contrast, indicators, resolve
from interlace.design.functions.values import described
from interlace.design.products import FactorColumns, NumberColumns
from interlace.design.values import CodedFactor, Factor, Matrix, Value, type_difference
from interlace.errors import DataError, ModelError
from interlace.formula.tree import Call, Node
from interlace.frozen import dataclass
from interlace.text import to_days

# The matrix of its contrasts alone takes a gigabyte.
MOST_LEVELS = 10_000

_LOGICAL = np.array([False, True])


@dataclass(frozen=True, slots=True)
class NumberPart:
    """Numbers as they are: one column, or those of a matrix with their labels."""

    name: str
    labels: tuple[str, ...] | None = None
    function: str = ""

    def names(self, reduced: bool) -> Sequence[str]:
        """Names of the columns."""
        return [self.name] if self.labels is None else [f"{self.name}[{label}]" for label in self.labels]

    def conformed(self, value: Value, nrows: int) -> np.ndarray:
        """float64 array (n, k)."""
        if self.labels is None:
            return as_numbers(self.name, value, nrows)[:, None]
        if not isinstance(value, Matrix) or len(value.labels) != len(self.labels):
            raise DataError(f"'{self.name}' has not the {len(self.labels)} columns it had in the fit")
        return _of_length(self.name, value.values, nrows)

    def described(self, reduced: bool) -> NumberColumns:
        """How the values become columns."""
        return NumberColumns(self.name, 1 if self.labels is None else len(self.labels), self.function)


@dataclass(frozen=True, slots=True)
class FactorPart:
    """A categorical member: its levels, and its columns with all of them or without one."""

    name: str
    levels: np.ndarray
    ordered: bool
    contrast: Any
    reduced: Coding
    skipped: tuple[Any, ...] = ()  # levels without rows between levels with some

    def _coding(self, reduced: bool) -> Coding:
        return self.reduced if reduced else indicators(self.levels)

    def names(self, reduced: bool) -> Sequence[str]:
        """Names of the columns."""
        code = self._coding(reduced)
        return [code.format.format(name=self.name, field=field) for field in code.fields]

    def conformed(self, value: Value, nrows: int) -> np.ndarray:
        """Codes (n,) into the levels of the fit."""
        factor = as_factor(value, nrows)
        if factor is None:
            raise DataError(
                f"'{self.name}' holds numbers, where the fit had categories: {_shown(self.levels)}"
            )
        codes = _of_length(self.name, _conform(self.name, factor, self.levels).codes, nrows)
        if len(codes) and codes.min() < 0:
            row = int(np.argmin(codes))
            raise DataError(
                f"the factor '{self.name}' has no level at row {row} of the rows used; drop such rows"
            )
        return codes

    def described(self, reduced: bool) -> FactorColumns:
        """How the levels become columns, all of them or without one."""
        return FactorColumns(self.name, tuple(self.levels.tolist()), self._coding(reduced).matrix)


Part = NumberPart | FactorPart


def learn_part(name: str, node: Node, value: Value, nrows: int, contrasts: Mapping[str, Any]) -> Part:
    """What is learnt of a member from its value; `contrasts` are for factors that bring none along."""
    function = node.function if isinstance(node, Call) else ""
    if isinstance(value, Matrix):
        return NumberPart(name, value.labels, function)
    factor = as_factor(value, nrows)
    if factor is None:
        as_numbers(name, value, nrows)
        return NumberPart(name, None, function)
    own = factor.contrast if isinstance(factor, CodedFactor) else None
    used = factor.drop_unused()
    if len(used.levels) < 2:
        level = f"'{used.levels[0]}'" if len(used.levels) else "none"
        raise DataError(
            f"the factor '{name}' has one level only ({level}) in the rows used; leave it out of the formula"
        )
    if len(used.levels) > MOST_LEVELS:
        raise ModelError(
            f"the factor '{name}' has {len(used.levels):,} levels, and fixed effects can be estimated for "
            f"{MOST_LEVELS:,} at most: make it a random term, (1 | {name}), or use a coarser one"
        )
    if own is None:
        own = resolve(name, contrasts[name]) if name in contrasts else default_contrast(factor.ordered)
    reduced = own.reduced(name, tuple(used.levels.tolist()))
    return FactorPart(name, used.levels, factor.ordered, own, reduced, _skipped(factor))


def _skipped(factor: Factor) -> tuple[Any, ...]:
    """Levels without rows between levels with some."""
    seen = np.zeros(len(factor.levels), dtype=np.bool_)
    seen[factor.codes[factor.codes >= 0]] = True
    if seen.all():
        return ()
    first, last = np.flatnonzero(seen)[[0, -1]]
    return tuple(factor.levels[first:last][~seen[first:last]].tolist())


def as_factor(value: Value, nrows: int) -> Factor | None:
    """The value if it is categorical: logicals are; None for all others."""
    if isinstance(value, Factor):
        return value
    if isinstance(value, bool):
        value = np.full(nrows, value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "b":
        return Factor(value.astype(np.int8), _LOGICAL)
    return None


def as_numbers(name: str, value: Value, nrows: int) -> np.ndarray:
    """float64 (n,)."""
    if isinstance(value, float):
        return np.full(nrows, value)
    if isinstance(value, Factor):
        raise DataError(f"column '{name}' is a factor, the model needs numbers there; convert it")
    if not isinstance(value, np.ndarray):
        raise DataError(f"'{name}' is {described(value)} and no column; name a column of the data in it")
    if value.ndim != 1:
        raise DataError(f"'{name}' is a matrix and no column; matrices are for the contrasts of C()")
    if value.dtype.kind not in "iufb":
        dates = f", for example {to_days(name)}," if value.dtype.kind == "M" else ""
        raise DataError(
            f"'{name}' has values of type {value.dtype}; convert it to numbers{dates} or to strings"
        )
    return _of_length(name, value, nrows).astype(np.float64, copy=False)


def _of_length(name: str, values: np.ndarray, nrows: int) -> np.ndarray:
    if len(values) != nrows:
        raise DataError(f"'{name}' has {len(values)} rows where the data have {nrows}")
    return values


def _shown(levels: np.ndarray) -> str:
    """Levels for a message; whole numbers as such."""
    whole = levels.dtype.kind == "f" and (levels == np.round(levels)).all()
    return ", ".join(f"{level:.0f}" if whole else str(level) for level in levels[:20])


def _conform(name: str, factor: Factor, levels: np.ndarray) -> Factor:
    """Codes into the levels of the fit; a level that was not there is an error."""
    known = factor.recode(levels)
    unseen = np.flatnonzero((known.codes < 0) & (factor.codes >= 0))
    if len(unseen):
        names = list(dict.fromkeys(str(v) for v in factor.levels[factor.codes[unseen]]))
        shown = ", ".join(f"'{n}'" for n in names[:5]) + (" ..." if len(names) > 5 else "")
        what = "a level" if len(names) == 1 else "levels"
        difference = type_difference(factor, levels)
        raise DataError(
            f"the factor '{name}' has {what} that the fit has not seen: {shown} (first at row {unseen[0]}); "
            f"levels known: {_shown(levels)}{'' if difference is None else '; ' + difference}"
        )
    return known
