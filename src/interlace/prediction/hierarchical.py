"""Residuals of every level of a hierarchical model: of rows, and of the levels of grouping factors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from interlace.arrays import Array, Index
from interlace.errors import DataError, InterlaceWarning, shown, warn
from interlace.estimation.fit import Fit
from interlace.options import switch, word
from interlace.prediction import least_squares
from interlace.prediction.least_squares import WithinLevels
from interlace.prediction.leverage import block_of
from interlace.prediction.ranef import blocks_by_group, modes_with_sd
from interlace.prediction.residuals import fitted, marginal_fitted, residuals
from interlace.tables.table import Table
from interlace.text import listed

SEMI = "semi"


def standardization(given: object) -> str:
    """What `standardize` means: "no", "yes" or "semi".

    Raises
    ------
    DataError
    """
    if isinstance(given, bool | np.bool_):
        return "yes" if given else "no"
    if isinstance(given, str):
        return word("standardize", given, (SEMI,))
    raise DataError(f"standardize must be True, False or 'semi', not {shown(given)}")


def of_rows(fit: Fit, *, standardize: object, include_ls: bool) -> dict[str, Array]:
    """The columns of a row's residuals, (n,) each."""
    how, columns = standardization(standardize), {}
    with_ls = switch("include_ls", include_ls)
    if how == "yes":
        columns["std_resid"] = residuals(fit, kind="standardized")
    else:
        columns["resid"] = residuals(fit)
    columns["fitted"] = fitted(fit)
    if with_ls:
        columns |= _least_squares(fit, how)
    if how == "yes":
        columns["chol_mar_resid"] = residuals(fit, kind="marginal-cholesky")
    else:
        columns["mar_resid"] = residuals(fit, kind="marginal")
    columns["mar_fitted"] = marginal_fitted(fit)
    return columns


def _least_squares(fit: Fit, how: str) -> dict[str, Array]:
    i = _innermost(fit)
    block, w = fit.encoding.random[i], fit.design.weights
    found = WithinLevels.of(fit, fit.design.random[i].codes)
    if len(found.exact):
        names = listed([str(block.levels[level]) for level in found.exact], 5)
        warn(
            f"{len(found.exact)} level(s) of '{block.group}' have no more rows than coefficients ({names}): "
            "their least-squares residuals are zero whatever the response, and have no standardized value; "
            "leave them out of what you look at, or take include_ls=False",
            InterlaceWarning,
        )
    columns: dict[str, tuple[str, Callable[[], Any]]] = {
        "no": ("ls_resid", lambda: found.residuals),
        "yes": ("std_ls_resid", lambda: found.standardized(w)),
        SEMI: ("semi_ls_resid", lambda: found.semi(w)),
    }
    name, values = columns[how]
    return {name: values(), "ls_fitted": found.fitted}


def _innermost(fit: Fit) -> int:
    """The first term on the grouping factor with most levels."""
    groups = blocks_by_group(fit)
    most = max(groups.values(), key=lambda blocks: len(fit.encoding.random[blocks[0]].levels))
    return most[0]


def of_levels(fit: Fit, level: str, *, standardize: object, include_ls: bool) -> Table:
    """Random effects as residuals, and least-squares coefficients about their means, a row for each level.

    Raises
    ------
    DataError
        The model has no such grouping factor, or `standardize` is for rows.
    """
    level = fit.encoding.random[block_of(fit, level)].group
    how = standardization(standardize)
    if how == SEMI:
        raise DataError("standardize='semi' is for rows: with level= give True or False")
    table, mark = modes_with_sd(fit)[level], "std_" if how == "yes" else ""
    names, mode, sd = list(table["mode"].columns), table["mode"].to_numpy(), table["sd"].to_numpy()
    effects = np.divide(mode, sd, out=np.full(mode.shape, np.nan), where=sd > 0) if mark else mode
    columns = dict(zip(_labels(f"{mark}ranef_", names), effects.T, strict=True))
    note = ["NaN: a random effect without variance has no standardized value"] * bool(np.isnan(effects).any())
    if switch("include_ls", include_ls):
        found, names = _centred(fit, level, names)
        if mark:
            found = found / _spread(fit, level, found)
        columns |= dict(zip(_labels(f"{mark}ls_", names), found.T, strict=True))
        if np.isnan(found).any():
            note.append("NaN: the rows of a level alone do not tell its coefficient")
    return Table.of(columns, list(table.index), name=level, note=note)


def compared(fit: Fit, level: str) -> Table:
    """Random effects beside least-squares coefficients about their means, and how many rows tell them."""
    i = block_of(fit, level)
    level = fit.encoding.random[i].group
    table = of_levels(fit, level, standardize=False, include_ls=True)
    block = fit.encoding.random[i]
    rows = np.bincount(fit.design.random[i].codes, minlength=len(block.levels))
    columns = {"rows": rows}
    for name in table.columns:
        kind, _, effect = name.partition("_")
        columns[f"{'eb' if kind == 'ranef' else kind}_{effect}"] = table[name].to_numpy()
    return Table.of(
        columns,
        list(table.index),
        name=level,
        note=[
            "eb: conditional modes, shrunk toward 0; ls: least-squares coefficients of a level alone, about "
            "their mean",
            table.note,
        ],
    )


def _labels(mark: str, names: Iterable[str]) -> list[str]:
    """Two terms on one factor may share a name."""
    out: list[str] = []
    for name in names:
        label, number = f"{mark}{name}", 2
        while label in out:
            label, number = f"{mark}{name}.{number}", number + 1
        out.append(label)
    return out


def _centred(fit: Fit, level: str, effects: list[str]) -> tuple[Array, list[str]]:
    """Coefficients of each level less the mean over levels (of the same outer level), and their names."""
    names = [name for name in dict.fromkeys(effects) if name in fit.names]
    i = block_of(fit, level)
    block, codes = fit.encoding.random[i], fit.design.random[i].codes
    columns = [fit.names.index(name) for name in names]
    found = least_squares.coefficients(fit, codes, len(block.levels), columns)
    outer = _outer(fit, level)
    for unit in np.unique(outer):
        these = outer == unit
        known = ~np.isnan(found[these])
        sums = np.where(known, found[these], 0.0).sum(axis=0)
        found[these] -= np.divide(
            sums, known.sum(axis=0), out=np.full(len(sums), np.nan), where=known.any(axis=0)
        )
    return found, names


def _spread(fit: Fit, level: str, centred: Array) -> Array:
    """Standard deviation over levels, degrees of freedom those of the levels less those of the means."""
    known, outer = ~np.isnan(centred), _outer(fit, level)
    means = [len(np.unique(outer[column])) for column in known.T]
    squares = np.where(known, centred, 0.0) ** 2
    free = known.sum(axis=0) - np.array(means, dtype=int)
    share = np.divide(squares.sum(axis=0), free, out=np.full(len(free), np.nan), where=free > 0)
    return np.where(share > 0, np.sqrt(share), np.nan)


def _outer(fit: Fit, level: str) -> Index:
    """Per level, the level of the next higher grouping factor that it is nested in; 0 without one."""
    i = block_of(fit, level)
    codes, n_levels = fit.design.random[i].codes, len(fit.encoding.random[i].levels)
    best, out = 0, np.zeros(n_levels, dtype=np.int64)
    for blocks in blocks_by_group(fit).values():
        other = fit.design.random[blocks[0]].codes
        count = len(fit.encoding.random[blocks[0]].levels)
        of_level = np.zeros(n_levels, dtype=np.int64)
        of_level[codes] = other
        if best < count < n_levels and (of_level[codes] == other).all():
            best, out = count, of_level
    return out
