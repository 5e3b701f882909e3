"""Rows and levels that a check names: other lines may be nothing but what these do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array, Index
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.inference.estimates import chi2_p_value, p_values
from interlace.prediction.ranef import blocks_by_group
from interlace.prediction.residuals import residuals
from interlace.report.check_tests import Rows, bartlett, chi2_tail, standardized_modes


def outlying_rows(fit: Fit) -> tuple[Array, Array]:
    """Externally studentized residuals and their p-values by Bonferroni's rule, (n,)."""
    t = residuals(fit, kind="externally-studentized")
    df = fit.criterion.df - 1
    return t, np.minimum(1.0, p_values(t, df) * len(t))


def outlying_levels(distance: Array, k: int) -> Array:
    """p-values by Bonferroni's rule of ``u'Var(u)^-1 u``, (levels,); NaN where that is unknown."""
    return np.asarray(
        np.minimum(1.0, np.asarray(chi2_p_value(distance, k)) * max(np.isfinite(distance).sum(), 1))
    )


def levels_apart(fit: Fit, group: str, alpha: float, rows: Rows) -> tuple[tuple[float, float], Index, int]:
    """Bartlett's test, the levels whose variance is another one, and how many were looked at."""
    codes = fit.design.random[blocks_by_group(fit)[group][0]].codes
    found, deviation, there, df = bartlett(fit, codes, rows)
    tail = chi2_tail(deviation, df)
    p = 2 * np.minimum(tail, 1 - tail) * max(len(there), 1)
    return found, there[p < alpha], len(there)


@dataclass(frozen=True, slots=True)
class Named:
    """What lines about rows and levels name.

    Attributes
    ----------
    rows : ndarray of bool, (n,)
        Outlying ones.
    alone : dict
        {grouping factor: outlying rows that are the only one of their level}; of several the level is the
        cause.
    spread : ndarray of bool, (n,)
        Those of levels with another variance, whatever a single outlying row does.
    far : ndarray of bool, (n,)
        Those of outlying levels.
    levels : dict
        {grouping factor: which levels are outlying, have another variance, or outlying rows}.
    """

    rows: NDArray[np.bool_]
    alone: dict[str, NDArray[np.bool_]]
    spread: NDArray[np.bool_]
    far: NDArray[np.bool_]
    levels: dict[str, NDArray[np.bool_]]

    @property
    def any(self) -> NDArray[np.bool_]:
        """Rows that are outlying, or of levels with another variance, (n,)."""
        return self.rows | self.spread

    @classmethod
    def of(cls, fit: Fit, alpha: float) -> Named:
        """At this level of each test."""
        rows = outlying_rows(fit)[1] < alpha
        spread, far, alone, levels = np.zeros_like(rows), np.zeros_like(rows), {}, {}
        for group, blocks in blocks_by_group(fit).items():
            _, distance, k = standardized_modes(fit, blocks)
            codes = fit.design.random[blocks[0]].codes
            alone[group] = rows & (np.bincount(codes[rows], minlength=int(codes.max()) + 1)[codes] == 1)
            (_, p), apart, _ = levels_apart(fit, group, alpha, ~alone[group])
            levels[group] = outlying_levels(distance, k) < alpha
            far |= levels[group][codes]
            levels[group][codes[rows]] = True
            if p < alpha:
                levels[group][apart] = True
                spread |= np.isin(codes, apart)
        return cls(rows, alone, spread, far, levels)
