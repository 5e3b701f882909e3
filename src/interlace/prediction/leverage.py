"""Leverage: how much each response moves its own fitted value."""

from __future__ import annotations

import numpy as np
import pandas as pd

from interlace.errors import DataError
from interlace.estimation.fit import Fit
from interlace.prediction.uncertainty import Uncertainty

COLUMNS = ("overall", "fixef", "ranef", "ranef_uc")


def leverage(fit: Fit) -> dict[str, np.ndarray]:
    """The columns of `COLUMNS` for the rows of the fit, (n,) each.

    With ``V = W^-1 + Z Lambda Lambda'Z'`` (the covariance of y over sigma^2) the fitted values are ``H y``,
    ``H = H1 + H2`` for ``H1 = X (X'V^-1X)^-1 X'V^-1`` and ``H2 = Z Lambda Lambda'Z'V^-1 (I - H1)``. The
    diagonals are read off the inverse of the joint system of random and fixed effects on the pattern of the
    data.
    """
    factor, system = fit.solution.factor, fit.criterion.system
    with system.threads():
        overall, fixed, prior = factor.leverage(factor.joint_inverse(), **fit.kernel_rows())
    overall, fixed = np.asarray(overall), np.asarray(fixed)
    return dict(zip(COLUMNS, (overall, fixed, overall - fixed, np.asarray(prior)), strict=True))


def level_means(fit: Fit, level: str) -> pd.DataFrame:
    """Means of `leverage` over the rows of each level of a grouping factor, levels in their order.

    Raises
    ------
    DataError
        The model has no such grouping factor.
    """
    i = block_of(fit, level)
    block, codes = fit.encoding.random[i], fit.design.random[i].codes
    return means_by(codes, block.levels, block.group, leverage(fit))


def means_by(
    codes: np.ndarray, labels: np.ndarray, name: str, columns: dict[str, np.ndarray]
) -> pd.DataFrame:
    """Means over the rows of each level that has rows."""
    rows = np.bincount(codes, minlength=len(labels))
    there = rows > 0  # a level with a known covariance may have no data
    means = {
        column: np.bincount(codes, weights=values, minlength=len(rows))[there] / rows[there]
        for column, values in columns.items()
    }
    return pd.DataFrame(means, index=pd.Index(labels[there], name=name))


def block_of(fit: Fit, level: str) -> int:
    """The first random term on a grouping factor.

    Raises
    ------
    DataError
        The model has no such grouping factor.
    """
    found = find_block(fit, level)
    if found is None:
        groups = ", ".join(dict.fromkeys(block.group for block in fit.encoding.random))
        raise DataError(
            f"level={level!r} is not a grouping factor of the model ({groups}); leave level out for a row "
            "per observation"
        )
    return found


def find_block(fit: Fit, level: object) -> int | None:
    """The first random term on a grouping factor, whose parts may stand in any order ("a:b" or "b:a")."""
    if not isinstance(level, str):
        return None
    names = [block.group for block in fit.encoding.random]
    if level in names:
        return names.index(level)
    wanted = {name.strip() for name in level.split(":")}
    return next((i for i, b in enumerate(fit.encoding.random) if set(b.grouping.factors) == wanted), None)


def fixed_leverage(fit: Fit) -> np.ndarray:
    """``w x'C x / sigma^2`` of each row, for the covariance C of beta, (n,); absorbed levels are columns of
    X here."""
    if fit.encoding.absorbed:
        found = Uncertainty(fit).variance(fit.design, ()) / fit.scale
        return found if fit.design.weights is None else fit.design.weights * found
    rows = fit.kernel_rows()
    x = (rows["x"] - rows["x_origin"]) @ np.linalg.inv(np.triu(fit.solution.factor.rx[:-1, :-1]))
    found = np.einsum("np,np->n", x, x)
    return found if rows["w"] is None else rows["w"] * found
