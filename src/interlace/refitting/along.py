"""The values of a covariate in a design that is planned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from interlace.arrays import Array, Index
from interlace.design.values import Column, Factor, factorize, match
from interlace.errors import DataError, shown
from interlace.estimation.fit import Fit
from interlace.formula.names import used_names
from interlace.frozen import dataclass
from interlace.options import count, number
from interlace.refitting.cases import Factors
from interlace.text import did_you_mean

EQUAL = 1e-9  # steps between values that differ by less than this share of their range are equal


@dataclass(frozen=True, slots=True)
class Along:
    """New values of a covariate.

    Attributes
    ----------
    name : str
        Of the covariate.
    codes : ndarray of int, (n,)
        The place of the value of each row of the data among the values of the data, in order.
    sources : ndarray of int, (values,)
        For each new value the place of the value whose rows it has.
    values : ndarray, (values,)
        The new values; of a factor their codes.
    levels : Factor or None
        The factor in the data; None for numbers.
    """

    name: str
    codes: Index
    sources: Index
    values: Array
    levels: Factor | None

    def column(self, places: Index) -> Column:
        """The column whose rows have the new values at these places."""
        if self.levels is None:
            return self.values[places]
        codes = self.values[places].astype(self.levels.codes.dtype)
        return Factor(codes, self.levels.levels, self.levels.ordered)

    @property
    def words(self) -> str:
        """The new values as a text."""
        labels = self.values if self.levels is None else self.levels.levels[self.values.astype(int)]
        said = [f"{one:.6g}" if self.levels is None else str(one) for one in labels]
        return ", ".join(said if len(said) <= 12 else [*said[:10], "...", said[-1]])


def read_along(fit: Fit, along: Any, values: Any) -> list[Along | None]:
    """The covariate with each number of values.

    Raises
    ------
    DataError
        No covariate of the model, no number, or values that are not known.
    """
    if along is None:
        if values is not None:
            raise DataError("values= are those of a covariate: name it by along=")
        return [None]
    name, numbers = _asked(along)
    column = _column(fit, name)
    if values is None and numbers is None:
        raise DataError(
            f"along={name!r} needs numbers of values, along={{{name!r}: [5, 10]}}, or values=[...]"
        )
    factor = column if isinstance(column, Factor) else factorize(column)
    if isinstance(column, Factor):
        factor = factor.drop_unused()
    given = None if values is None else _given(name, column, values)
    sizes = [len(given)] if numbers is None and given is not None else numbers or []
    return [_of_size(name, column, factor, given, n) for n in sizes]


def _asked(along: Any) -> tuple[str, list[int] | None]:
    if isinstance(along, str):
        return along, None
    if not isinstance(along, Mapping) or len(along) != 1:
        raise DataError(f"along must name one covariate, as {{'x': [5, 10]}}, not {shown(along)}")
    ((name, numbers),) = along.items()
    several = [numbers] if np.ndim(numbers) == 0 else list(numbers)
    if not several:
        raise DataError("along is empty: give a number of values or several")
    return name, [count("along", one) for one in several]


def _column(fit: Fit, name: Any) -> Column:
    """The column of a covariate."""
    columns, formula, groups = fit.design.frame.columns, fit.encoding.formula, Factors.of(fit).names
    response, fixed = used_names(formula.response), used_names(formula.fixed)
    if name in groups and name not in fixed:
        raise DataError(f"'{name}' is a grouping factor: give n_groups={{{name!r}: ...}}")
    known = [one for one in columns if one not in response and (one in fixed or one not in groups)]
    if name not in known:
        near = did_you_mean(name, known) if isinstance(name, str) else ""
        raise DataError(
            f"along names {shown(name)}, which is no covariate of the model: "
            f"{near}{' ' * bool(near)}choose from {', '.join(known)}"
        )
    return columns[name]


def _given(name: str, column: Column, values: Any) -> Array:
    """The values that were asked for, as the column has them."""
    if isinstance(values, str) or not np.ndim(values):
        raise DataError(f"values must be several values of '{name}', not {shown(values)}")
    if isinstance(column, Factor):
        found = match(np.asarray(list(values), dtype=object), column.levels)
        if (found < 0).any():
            unknown = list(values)[int(np.argmin(found))]
            raise DataError(
                f"values has {shown(unknown)}, which is no level of '{name}' and has no coefficient: choose "
                f"from {', '.join(map(str, column.levels))}"
            )
        given: Array = found.astype(np.float64)
    else:
        given = np.array([number("a value of values", one) for one in values], dtype=np.float64)
    if len(np.unique(given)) < len(given) or not len(given):
        raise DataError("values must be one or more, each once")
    return given


def _of_size(name: str, column: Column, factor: Factor, given: Array | None, n: int) -> Along:
    old: Array = np.asarray(
        match(factor.levels, column.levels) if isinstance(column, Factor) else factor.levels, dtype=np.float64
    )
    if given is None:
        new = _continued(name, old, n, coded=isinstance(column, Factor))
    elif n > len(given):
        raise DataError(f"along asks for {n} values of '{name}', and values has {len(given)}")
    else:
        new = given[:n]
    if not isinstance(column, Factor) and column.dtype.kind in "iu" and (new == np.rint(new)).all():
        new = new.astype(np.int64)
    place = {value: j for j, value in enumerate(old.tolist())}
    sources = np.array([place.get(value, j % len(old)) for j, value in enumerate(new.tolist())])
    return Along(name, factor.codes, sources, new, column if isinstance(column, Factor) else None)


def _continued(name: str, old: Array, n: int, *, coded: bool) -> Array:
    """The first n of the values, or all and what follows them at the same distance."""
    if n <= len(old):
        return old[:n]
    if coded:
        raise DataError(
            f"'{name}' has {len(old)} levels, and another one would have no coefficient: along cannot be {n}"
        )
    steps = np.diff(old)
    if not len(steps) or np.ptp(steps) > EQUAL * (old[-1] - old[0]):
        raise DataError(
            f"the values of '{name}' are not at equal distances, so that nobody knows what follows: give "
            f"values=[...] with {n} values or more"
        )
    return np.concatenate([old, old[-1] + steps.mean() * np.arange(1, n - len(old) + 1)])
