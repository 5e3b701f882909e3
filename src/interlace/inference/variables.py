"""The variables of the fixed part: what a reference grid is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.callers import called
from interlace.design.reference import (
    Member,
    chosen_values,
    columns_of_rows,
    levels_of,
    members_of,
    with_levels,
)
from interlace.design.values import Column, Factor, without_rows
from interlace.errors import DataError, shown
from interlace.estimation.any_fit import AnyFit
from interlace.frozen import dataclass
from interlace.text import did_you_mean, listed

TWO = 2  # a covariate with so few values keeps them all


@dataclass(frozen=True, slots=True)
class Variable:
    """A column of the data that the fixed part uses, with its values in the grid.

    Attributes
    ----------
    name : str
    levels : tuple
        The values in the grid: the levels of a factor, one or more values of a covariate.
    categorical : bool
        Whether its values are levels: factors, text, logicals, and numbers that a formula makes a factor of.
    counted : bool
        Whether rows of the data have these values, so that they can be weighed by their numbers.
    like : ndarray or Factor
        A column of its kind without rows.
    """

    name: str
    levels: tuple[Any, ...]
    categorical: bool
    counted: bool
    like: Column

    def column(self, codes: np.ndarray) -> Column:
        """The values at these places, as a column of the data."""
        at_levels = chosen_values(self.levels, self.like)
        return at_levels.take(codes) if isinstance(at_levels, Factor) else at_levels[codes]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user chose about the values of the grid.

    Attributes
    ----------
    at : mapping of str to values
    cov_reduce : None, bool, callable, or a mapping of str to one of these or to values
        How a covariate is reduced to few values: to its mean by default.
    keep : int
        Covariates with so many values, or fewer, keep them all.
    """

    at: Mapping[str, Any]
    cov_reduce: Any = None
    keep: int = TWO

    def reduction(self, name: str) -> Any:
        """What `cov_reduce` says of a covariate; None: nothing."""
        return self.cov_reduce.get(name) if isinstance(self.cov_reduce, Mapping) else self.cov_reduce


def values_asked(at: Any, cov_reduce: Any) -> Asked:
    """The values that a user asks for; none where `at` is None."""
    return Asked({} if at is None else at, cov_reduce)


def variables_of(fit: AnyFit, asked: Asked) -> dict[str, Variable]:
    """The variables of the fixed part in the order of the formula.

    Raises
    ------
    DataError
        `at` or `cov_reduce` names another variable, or has a value that is none of its levels.
    """
    members = members_of(fit.encoding)
    used = list(members.values())
    names = list(dict.fromkeys(column for member in used for column in member.columns))
    _check_named("at", asked.at, names)
    if isinstance(asked.cov_reduce, Mapping):
        _check_named("cov_reduce", asked.cov_reduce, names)
    read = _Columns(fit)
    return {name: _variable(fit, name, used, read, asked) for name in names}


@dataclass(frozen=True, slots=True)
class _Columns:
    """Columns of the rows used: what was learnt of them, and the rest chunk by chunk."""

    fit: AnyFit

    def chunks(self, name: str) -> Iterator[Column]:
        for columns, _, _ in columns_of_rows(self.fit.rows, [name]):
            yield columns[name]

    def like(self, name: str) -> Column:
        known = self.fit.encoding.kinds.get(name)
        return with_levels([without_rows(c) for c in self.chunks(name)]) if known is None else known

    def whole(self, name: str) -> Array:
        """All values of a covariate, for a function of them."""
        return np.concatenate([np.asarray(chunk, dtype=np.float64) for chunk in self.chunks(name)])

    def mean(self, name: str) -> float:
        known = self.fit.encoding.covariates.get(name)
        if known is not None:
            return known.mean
        parts = [np.asarray(chunk, dtype=np.float64) for chunk in self.chunks(name)]
        return float(parts[0].mean()) if len(parts) == 1 else sum(map(np.sum, parts)) / self.fit.rows.n

    def distinct(self, name: str, most: int | None = None) -> list[Any] | None:
        """The distinct values; None if there are more than so many."""
        known = self.fit.encoding.covariates.get(name)
        if known is not None and known.few is not None and most == TWO:
            return list(known.few) or None
        found: dict[Any, None] = {}
        ordered = False
        for chunk in self.chunks(name):
            ordered = isinstance(chunk, Factor)
            found |= dict.fromkeys(levels_of(chunk))
            if most is not None and len(found) > most:
                return None
        return list(found) if ordered else sorted(found)


def _variable(fit: AnyFit, name: str, used: Sequence[Member], read: _Columns, asked: Asked) -> Variable:
    like = read.like(name)
    as_levels = any(m.as_levels and m.columns == (name,) for m in used)
    categorical = isinstance(like, Factor) or like.dtype.kind == "b" or as_levels
    if categorical:
        levels = _levels(fit, name, read)
        if name in asked.at:
            levels = [_one_level(name, value, levels) for value in _sequence(asked.at[name])]
        return Variable(name, tuple(levels), True, True, like)
    values, counted = _values(name, read, asked)
    return Variable(name, tuple(values), False, counted, like)


def _levels(fit: AnyFit, name: str, read: _Columns) -> list[Any]:
    coded = fit.encoding.fixed_factors.get(name)
    return list(coded.levels) if coded is not None else read.distinct(name) or []


def _values(name: str, read: _Columns, asked: Asked) -> tuple[list[Any], bool]:
    """Of a covariate, and whether they are values of rows."""
    if name in asked.at:
        return [_number(name, value) for value in _sequence(asked.at[name])], False
    reduce = asked.reduction(name)
    if reduce is None:
        few = read.distinct(name, asked.keep)
        return ([float(v) for v in few], True) if few is not None else ([read.mean(name)], False)
    if reduce is True:
        return [read.mean(name)], False
    if reduce is False:
        return read.distinct(name) or [], True
    return _reduced(name, reduce, read), False


def _reduced(name: str, reduce: Callable[[Any], Any] | Any, read: _Columns) -> list[float]:
    if not callable(reduce):
        return [_number(name, value) for value in _sequence(reduce)]
    values = read.whole(name)
    advice = "it gets the values of a column, and must give a number or several"
    found = called("cov_reduce=", reduce, values, where=f" for '{name}'", advice=advice)
    return [_number(name, value) for value in _sequence(found)]


# ---- what a user writes ----


def _check_named(option: str, given: Any, names: Sequence[str]) -> None:
    if not isinstance(given, Mapping):
        raise DataError(f"{option} must be a mapping of names to values, such as {{'x': [0, 1]}}")
    for name in given:
        if name not in names:
            near = did_you_mean(str(name), names)
            raise DataError(
                f"{option} names '{name}', which is no variable of the fixed part"
                f"{f' ({near})' if near else ''}; its variables are {listed(names) or 'none'}"
            )


def _sequence(given: Any) -> list[Any]:
    if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
        return [given]
    found = [value.item() if isinstance(value, np.generic) else value for value in given]
    if not found:
        raise DataError("at and cov_reduce need at least one value of each variable they name")
    return found


def _number(name: str, value: Any) -> float:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise DataError(f"'{name}' is numeric, and {shown(value)} is no finite number")
    return float(value)


def _one_level(name: str, value: Any, levels: Sequence[Any]) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    for level in levels:
        if level == value or str(level) == str(value):
            return level
    near = did_you_mean(str(value), [str(level) for level in levels])
    raise DataError(
        f"'{name}' has no level {shown(value)}{f' ({near})' if near else ''}; its levels are "
        f"{listed([str(level) for level in levels])}"
    )
