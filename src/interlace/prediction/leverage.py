"""Leverage: how much each response moves its own fitted value."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from interlace.design.design import Design
from interlace.design.rows import per_row
from interlace.errors import DataError
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.prediction.uncertainty import Uncertainty

COLUMNS = ("overall", "fixef", "ranef", "ranef_uc")


@dataclass(frozen=True)
class Leverages:
    """The columns of `COLUMNS` of rows of a fit, (n,) each.

    With ``V = W^-1 + Z Lambda Lambda'Z'`` (the covariance of y over sigma^2) the fitted values are ``H y``,
    ``H = H1 + H2`` for ``H1 = X (X'V^-1X)^-1 X'V^-1`` and ``H2 = Z Lambda Lambda'Z'V^-1 (I - H1)``. The
    diagonals are read off the inverse of the joint system of random and fixed effects on the pattern of the
    data, which is made once.

    Attributes
    ----------
    fit : Fit
    """

    fit: Fit

    @cached_property
    def _inverse(self) -> Any:
        return self.fit.solution.factor.joint_inverse()

    def __call__(self, design: Design) -> dict[str, np.ndarray]:
        """Of some of the rows."""
        fit = self.fit
        with fit.criterion.system.threads():
            overall, fixed, prior = fit.solution.factor.leverage(self._inverse, **fit.kernel_rows_of(design))
        overall, fixed = np.asarray(overall), np.asarray(fixed)
        return dict(zip(COLUMNS, (overall, fixed, overall - fixed, np.asarray(prior)), strict=True))


def leverage(fit: Fit) -> dict[str, np.ndarray]:
    """Those of all rows of the fit, chunk by chunk."""
    of = Leverages(fit)
    found = [of(design) for design in fit.rows.designs()]
    return {name: np.concatenate([one[name] for one in found]) for name in COLUMNS}


def level_means(fit: Fit, level: str) -> pd.DataFrame:
    """Means of `leverage` over the rows of each level of a grouping factor, levels in their order.

    Raises
    ------
    DataError
        The model has no such grouping factor.
    """
    i = block_of(fit, level)
    block, codes = fit.encoding.random[i], per_row(fit.rows, lambda design: design.random[i].codes)
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


def fixed_leverage(fit: Fit, design: Design) -> np.ndarray:
    """``w x'C x / sigma^2`` of rows of the fit, for the covariance C of beta, (n,); absorbed levels are
    columns of X here."""
    if fit.encoding.absorbed:
        found = Uncertainty(fit).variance(design, ()) / fit.scale
        return found if design.weights is None else design.weights * found
    rows = fit.kernel_rows_of(design)
    x = (rows["x"] - rows["x_origin"]) @ np.linalg.inv(np.triu(fit.solution.factor.rx[:-1, :-1]))
    found = np.einsum("np,np->n", x, x)
    return np.asarray(found if rows["w"] is None else rows["w"] * found)
