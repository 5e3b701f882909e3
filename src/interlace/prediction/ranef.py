"""Conditional modes of the random effects, their conditional covariances, and coefficients per level."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from interlace.estimation.fit import Fit
from interlace.estimation.layout import Layout


def blocks_by_group(fit: Fit) -> dict[str, list[int]]:
    """Grouping factor -> its terms (indices into `encoding.random`); factors and terms in lme4's order."""
    groups: dict[str, list[int]] = {}
    for i in Layout.of(fit.encoding).theta_order:
        groups.setdefault(fit.encoding.random[i].group, []).append(i)
    return groups


def n_groups(fit: Fit) -> dict[str, int]:
    """Number of levels of each grouping factor."""
    return {
        group: len(fit.encoding.random[blocks[0]].levels) for group, blocks in blocks_by_group(fit).items()
    }


def modes(fit: Fit) -> dict[str, pd.DataFrame]:
    """Conditional modes, one table per grouping factor: a row per level, a column per random effect.

    Terms on the same factor stand side by side.
    """
    return {
        group: _level_table(fit, blocks, [fit.solution.b[i] for i in blocks])
        for group, blocks in blocks_by_group(fit).items()
    }


def modes_with_sd(fit: Fit) -> dict[str, pd.DataFrame]:
    """Like `modes`, with conditional standard deviations: `table["mode"]` and `table["sd"]`."""
    tables, covariances = {}, conditional_covariance(fit)
    for group, mode in modes(fit).items():
        sd = np.sqrt(np.diagonal(covariances[group], axis1=1, axis2=2))
        both = {"mode": mode, "sd": pd.DataFrame(sd, index=mode.index, columns=mode.columns)}
        tables[group] = pd.concat(both, axis=1)
    return tables


def conditional_covariance(fit: Fit) -> dict[str, np.ndarray]:
    """Conditional covariance of the random effects of each level: {group: (levels, k, k)}.

    The given are y and the parameters: `sigma^2 Lambda (Lambda'Z'WZ Lambda + I)^-1 Lambda'`. Rows of the
    array are the rows of the table of `modes`, and its last two axes are that table's columns.
    """
    joint, layout = fit.solution.joint_covariances(), Layout.of(fit.encoding)
    found = {}
    for group, blocks in blocks_by_group(fit).items():
        order = np.concatenate(
            [np.arange(layout.k[layout.places[i].group])[layout.places[i].columns] for i in blocks]
        )
        covariance = joint[layout.places[blocks[0]].group]
        found[group] = fit.scale * covariance[:, order[:, None], order]
    return found


def coefficients(fit: Fit) -> dict[str, pd.DataFrame]:
    """Fixed plus random coefficients of each level, one table per grouping factor.

    The columns are those of all coefficients: random effects that have no fixed effect of the same name come
    first, with zero as their fixed part (lme4's `coef`).
    """
    fixed = dict(zip(fit.names, fit.solution.beta, strict=True))
    tables = modes(fit)
    only_random = {name: 0.0 for table in tables.values() for name in table.columns if name not in fixed}
    centre = only_random | fixed
    return {group: _added(centre, table) for group, table in tables.items()}


def _added(centre: dict[str, float], table: pd.DataFrame) -> pd.DataFrame:
    names = list(centre)
    values = np.tile(np.array([centre[name] for name in names]), (len(table), 1))
    for j, name in enumerate(table.columns):  # by position: two terms on one factor may share a name
        values[:, names.index(name)] += table.iloc[:, j].to_numpy()
    return pd.DataFrame(values, index=table.index, columns=names)


def _level_table(fit: Fit, blocks: list[int], values: Iterable[np.ndarray]) -> pd.DataFrame:
    index = pd.Index(fit.encoding.random[blocks[0]].levels, name=fit.encoding.random[blocks[0]].group)
    names = [name for i in blocks for name in fit.encoding.random[i].columns]
    return pd.DataFrame(np.hstack(list(values)), index=index, columns=names)
