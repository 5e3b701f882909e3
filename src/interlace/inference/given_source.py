"""Estimates that are no linear functions of coefficients, such as effect sizes."""

from __future__ import annotations

import numpy as np

from interlace.arrays import Array
from interlace.estimation.rank import independent
from interlace.frozen import dataclass
from interlace.inference.estimates import f_p_value
from interlace.precision.wald import Ddf


@dataclass(frozen=True, slots=True)
class GivenSource:
    """k estimates with their covariance; rows of L are linear functions of these.

    Attributes
    ----------
    beta : ndarray, (k,)
        The estimates; NaN where there is none.
    covariance : ndarray, (k, k)
    each_df : ndarray, (k,)
        Degrees of freedom of each; a row has the smallest of those it uses.
    ddf : Ddf
        Where they are from, for notes.
    """

    beta: Array
    covariance: Array
    each_df: Array
    ddf: Ddf

    @property
    def untold(self) -> str:
        """Nothing: estimates that are not there are those of the caller."""
        return ""

    def _known(self, L: Array) -> np.ndarray:
        unknown = ~np.isfinite(self.beta)
        return np.asarray(np.isfinite(L).all(axis=1) & ~((L != 0) & unknown).any(axis=1))

    def _rows(self, L: Array) -> Array:
        return np.where(self._known(L)[:, None], L, 0.0)

    def estimate(self, L: Array) -> Array:
        """``L beta``, (m,)."""
        return np.where(self._known(L), self._rows(L) @ np.nan_to_num(self.beta), np.nan)

    def vcov(self, L: Array) -> Array:
        """Covariance of the rows, (m, m)."""
        rows, known = self._rows(L), self._known(L)
        found = rows @ np.nan_to_num(self.covariance) @ rows.T
        return np.where(np.outer(known, known), found, np.nan)

    def se(self, L: Array) -> Array:
        """Standard errors, (m,)."""
        return np.sqrt(np.diagonal(self.vcov(L)))

    def df(self, L: Array) -> Array:
        """Degrees of freedom, (m,)."""
        known = self._known(L)
        used = np.where(L != 0, self.each_df[None, :], np.inf)
        return np.where(known, used.min(axis=1, initial=np.inf), np.nan)

    def rank(self, L: Array) -> int:
        """The number of independent rows, estimable or not."""
        return len(independent(L.T))

    def joint(self, L: Array, distance: Array) -> tuple[float, float, float, float]:
        """F, its degrees of freedom and p of the hypothesis that all rows are 0; see `MeansSource.joint`."""
        known = self._known(L) & np.isfinite(distance)
        rows, away = L[known], distance[known]
        chosen = list(independent(rows.T))
        if not chosen:
            return np.nan, 0.0, np.nan, np.nan
        V = rows[chosen] @ np.nan_to_num(self.covariance) @ rows[chosen].T
        z, df = away[chosen], float(self.df(rows[chosen]).min())
        F = float(z @ np.linalg.lstsq(V, z, rcond=None)[0]) / len(chosen)
        return F, float(len(chosen)), df, float(f_p_value(F, len(chosen), df))
