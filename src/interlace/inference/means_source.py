"""Where the estimates of means come from: coefficients, their covariance, and what the data cannot tell."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from interlace.arrays import Array
from interlace.estimation.any_fit import AnyFit
from interlace.estimation.rank import independent
from interlace.frozen import dataclass
from interlace.inference.estimability import Estimable
from interlace.inference.estimates import f_p_value
from interlace.precision.unidentified import rest_together
from interlace.precision.wald import Ddf, scaled_rows


class Source(Protocol):
    """Where estimates of linear functions, the rows of L, come from."""

    @property
    def beta(self) -> Array:
        """What the functions are of."""
        ...

    @property
    def ddf(self) -> Ddf:
        """The method of degrees of freedom."""
        ...

    @property
    def untold(self) -> str:
        """Why functions are not estimable, where more is known of it than that."""
        ...

    def estimate(self, L: Array) -> Array:
        """(m,); NaN where there is none."""
        ...

    def se(self, L: Array) -> Array:
        """Standard errors, (m,)."""
        ...

    def df(self, L: Array) -> Array:
        """Degrees of freedom, (m,)."""
        ...

    def vcov(self, L: Array) -> Array:
        """Covariance, (m, m)."""
        ...

    def rank(self, L: Array) -> int:
        """The number of independent rows, estimable or not."""
        ...

    def joint(self, L: Array, distance: Array) -> tuple[float, float, float, float]:
        """F, its degrees of freedom and p of the hypothesis that all rows are 0."""
        ...


@dataclass(frozen=True, slots=True)
class MeansSource:
    """Linear functions over all columns of X, the dropped ones too, go in; estimates come out.

    Attributes
    ----------
    beta : ndarray, (p,)
        Of the columns that are in the model.
    ddf : Ddf
    estimable : Estimable
    untold : str
        Why rows that are not estimable are so, where more is known of it than that.
    """

    beta: Array
    ddf: Ddf
    estimable: Estimable
    untold: str = ""

    @classmethod
    def of(cls, fit: AnyFit, ddf: Ddf) -> MeansSource:
        """Of a fit."""
        return cls(fit.solution.beta, ddf, Estimable.of(fit))

    def kept(self, L: Array) -> Array:
        """L over the columns in the model, (m, p); zero where a row is not estimable."""
        return np.where(self.estimable.rows(L)[:, None], L[:, list(self.estimable.kept)], 0.0)

    def estimate(self, L: Array) -> Array:
        """``L beta``, (m,); NaN where it is not estimable."""
        return np.where(self.estimable.rows(L), self.kept(L) @ self.beta, np.nan)

    def se(self, L: Array) -> Array:
        """Standard errors, (m,)."""
        return np.where(self.estimable.rows(L), self.ddf.se(self.kept(L)), np.nan)

    def df(self, L: Array) -> Array:
        """Degrees of freedom, (m,)."""
        known = self.estimable.rows(L)
        out = np.full(len(L), np.nan)
        if known.any():
            out[known] = self.ddf.df(scaled_rows(self.kept(L[known]))[0])
        return out

    def vcov(self, L: Array) -> Array:
        """``L Var(beta) L'``, (m, m)."""
        rows, known = self.kept(L), self.estimable.rows(L)
        unknown = rest_together(self.ddf, rows) | ~np.outer(known, known)
        return np.where(unknown, np.nan, rows @ self.ddf.vcov @ rows.T)

    def rank(self, L: Array) -> int:
        """The number of independent rows over all columns of X, estimable or not."""
        return len(independent(L.T))

    def joint(self, L: Array, distance: Array) -> tuple[float, float, float, float]:
        """F, its degrees of freedom and p of the hypothesis that all estimable rows are 0.

        The statistic is Wald's, and its denominator has the smallest degrees of freedom of orthonormal rows,
        as R's emmeans has it.

        Parameters
        ----------
        L : ndarray, (m, P)
        distance : ndarray, (m,)
            The estimates less their values under the hypothesis.
        """
        known = self.estimable.rows(L) & np.isfinite(distance)
        rows, away = self.kept(L[known]), distance[known]
        chosen = list(independent(rows.T))
        if not chosen:
            return np.nan, 0.0, np.nan, np.nan
        Q, R = np.linalg.qr(rows[chosen].T)
        z = np.linalg.solve(R.T, away[chosen])
        df = float(self.ddf.df(Q.T).min())
        V = Q.T @ self.ddf.vcov @ Q
        if rest_together(self.ddf, Q.T).any() or not np.isfinite(df):
            df = df if np.isinf(df) else np.nan
        F = float(z @ np.linalg.lstsq(V, z, rcond=None)[0]) / len(chosen)
        if np.isnan(df):
            return np.nan, float(len(chosen)), np.nan, np.nan
        return F, float(len(chosen)), df, float(f_p_value(F, len(chosen), df))
