"""A design with more levels, values of a covariate or rows: rows of the data, once or more than once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from interlace.arrays import Index
from interlace.design.values import Column, Factor, factorize
from interlace.errors import DataError, shown
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.refitting.along import Along
from interlace.refitting.cases import Factors, nested
from interlace.text import did_you_mean


@dataclass(frozen=True, slots=True)
class Size:
    """What a design is extended to; None leaves it as it is.

    Attributes
    ----------
    groups : tuple of (str, int) or None
        A grouping factor, and how many levels it has.
    rows : tuple of (str, int) or None
        A grouping factor, or columns of the data joined by "+", and how many rows each of their levels or
        combinations has.
    along : Along or None
        A covariate, and the values that it has.
    """

    groups: tuple[str, int] | None
    rows: tuple[str, int] | None
    along: Along | None = None


class Extended(NamedTuple):
    """A design made of rows of the data.

    Attributes
    ----------
    rows : ndarray of int
        Rows of the data.
    codes : dict of str to ndarray of int
        Their level in each grouping factor.
    columns : dict of str to column
        Columns whose values are others than those of the data.
    """

    rows: Index
    codes: dict[str, Index]
    columns: dict[str, Column]


def extended(fit: Fit, size: Size) -> Extended:
    """The design at a size.

    Level j of n is a copy of level j modulo the number there is, with all its rows and the levels within it.
    A value of a covariate that is in the data has their rows, and value j of n that is not a copy of those of
    value j modulo the number there is; levels that lie within one value are others in a copy. Row i of a
    group is a copy of row i modulo the number of rows, in the order of the data (R's simr).
    """
    factors = Factors.of(fit)
    rows: Index = np.arange(fit.rows.n)
    codes = dict(zip(factors.names, factors.codes, strict=True))
    columns: dict[str, Column] = {}
    if size.groups is not None:
        name, n = size.groups
        i = _place(factors, name)
        own = [np.flatnonzero(factors.codes[i] == level) for level in range(int(factors.codes[i].max()) + 1)]
        rows, unit = _joined([own[j % len(own)] for j in range(n)])
        for j, other in enumerate(factors.names):
            found = factors.codes[j][rows]
            codes[other] = found * n + unit if factors.within(j, i) else found
    if size.along is not None:
        of_value = size.along.codes[rows]
        places, unit = _joined([np.flatnonzero(of_value == source) for source in size.along.sources])
        n, columns = len(size.along.values), {size.along.name: size.along.column(unit)}
        inside = [name for name, found in codes.items() if nested(_ranks(found), of_value)]
        rows, codes = rows[places], {name: found[places] for name, found in codes.items()}
        codes |= {name: codes[name] * n + unit for name in inside}
    if size.rows is not None:
        name, n = size.rows
        cells = _cells(fit, name, Extended(rows, codes, columns))
        order = np.argsort(cells, kind="stable")
        first = np.searchsorted(cells[order], np.arange(int(cells.max()) + 1))
        many = np.bincount(cells)
        picked = order[(first[:, None] + np.arange(n)[None, :] % many[:, None]).ravel()]
        rows, codes = rows[picked], {other: found[picked] for other, found in codes.items()}
        columns = {
            other: found.take(picked) if isinstance(found, Factor) else found[picked]
            for other, found in columns.items()
        }
    return Extended(rows, {other: _ranks(found) for other, found in codes.items()}, columns)


def _joined(parts: list[Index]) -> tuple[Index, Index]:
    """All of them, and the number of the part that each is of."""
    return np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def _ranks(codes: Index) -> Index:
    return np.asarray(np.unique(codes, return_inverse=True)[1])


def _place(factors: Factors, name: str) -> int:
    if name not in factors.names:
        near = did_you_mean(name, factors.names) if isinstance(name, str) else ""
        raise DataError(
            f"n_groups names {shown(name)}, which is no grouping factor of the model: "
            f"{near}{' ' * bool(near)}choose from {', '.join(factors.names)}"
        )
    return factors.names.index(name)


def _cells(fit: Fit, name: str, design: Extended) -> Index:
    """The group of each row: a grouping factor, or a combination of columns."""
    if name in design.codes:
        return _ranks(design.codes[name])
    cells: Index = np.zeros(len(design.rows), dtype=np.intp)
    for one in (part.strip() for part in name.split("+")):
        found = _codes_of(fit, one, design)
        cells = _ranks(cells * (int(found.max()) + 1) + found)
    return cells


def _codes_of(fit: Fit, name: str, design: Extended) -> Index:
    """Of a grouping factor or a column."""
    if name in design.codes:
        return design.codes[name]
    columns = fit.design.frame.columns
    rows = design.rows
    if name in design.columns:
        column, rows = design.columns[name], np.arange(len(rows))
    elif name in columns:
        column = columns[name]
    else:
        known = [*design.codes, *columns]
        near = did_you_mean(name, known)
        raise DataError(
            f"n_per_group names {shown(name)}, which is neither a grouping factor nor a column of the "
            f"model: {near}{' ' * bool(near)}choose from {', '.join(known)}"
        )
    return np.asarray((column if isinstance(column, Factor) else factorize(column)).codes[rows])
