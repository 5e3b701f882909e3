"""A design with more levels or more rows in each: rows of the data, once or more than once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interlace.arrays import Index
from interlace.design.values import Factor, factorize
from interlace.errors import DataError, shown
from interlace.estimation.fit import Fit
from interlace.refitting.cases import Factors
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
    """

    groups: tuple[str, int] | None
    rows: tuple[str, int] | None


def extended(fit: Fit, size: Size) -> tuple[Index, dict[str, Index]]:
    """Rows of the data, and their level in each grouping factor.

    Level j of n is a copy of level j modulo the number there is, with all its rows and the levels within it;
    row i of a group a copy of row i modulo the number of rows, in the order of the data (R's simr).
    """
    factors = Factors.of(fit)
    rows: Index = np.arange(fit.rows.n)
    codes = dict(zip(factors.names, factors.codes, strict=True))
    if size.groups is not None:
        name, n = size.groups
        i = _place(factors, name)
        own = [np.flatnonzero(factors.codes[i] == level) for level in range(int(factors.codes[i].max()) + 1)]
        parts = [own[j % len(own)] for j in range(n)]
        rows = np.concatenate(parts)
        unit = np.repeat(np.arange(n), [len(part) for part in parts])
        for j, other in enumerate(factors.names):
            found = factors.codes[j][rows]
            codes[other] = found * n + unit if factors.within(j, i) else found
    if size.rows is not None:
        name, n = size.rows
        cells = _cells(fit, factors, name, rows, codes)
        order = np.argsort(cells, kind="stable")
        first = np.searchsorted(cells[order], np.arange(int(cells.max()) + 1))
        many = np.bincount(cells)
        picked = order[(first[:, None] + np.arange(n)[None, :] % many[:, None]).ravel()]
        rows, codes = rows[picked], {other: found[picked] for other, found in codes.items()}
    return rows, {other: np.unique(found, return_inverse=True)[1] for other, found in codes.items()}


def _place(factors: Factors, name: str) -> int:
    if name not in factors.names:
        near = did_you_mean(name, factors.names) if isinstance(name, str) else ""
        raise DataError(
            f"n_groups names {shown(name)}, which is no grouping factor of the model: "
            f"{near}{' ' * bool(near)}choose from {', '.join(factors.names)}"
        )
    return factors.names.index(name)


def _cells(fit: Fit, factors: Factors, name: str, rows: Index, codes: dict[str, Index]) -> Index:
    """The group of each row: a grouping factor, or a combination of columns."""
    if name in codes:
        return np.asarray(np.unique(codes[name], return_inverse=True)[1])
    columns = fit.design.frame.columns
    cells: Index = np.zeros(len(rows), dtype=np.intp)
    for one in (part.strip() for part in name.split("+")):
        if one in codes:
            found = codes[one]
        elif one in columns:
            column = columns[one]
            found = (column if isinstance(column, Factor) else factorize(column)).codes[rows]
        else:
            known = [*factors.names, *columns]
            near = did_you_mean(one, known)
            raise DataError(
                f"n_per_group names {shown(one)}, which is neither a grouping factor nor a column of the "
                f"model: {near}{' ' * bool(near)}choose from {', '.join(known)}"
            )
        cells = np.unique(cells * (int(found.max()) + 1) + found, return_inverse=True)[1]
    return cells
