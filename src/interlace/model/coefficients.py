"""The fixed effects: estimates, standard errors, covariance."""

from __future__ import annotations

from typing import Any

import pandas as pd

from interlace.inference.estimates import by_the_model, fixed_effects
from interlace.model.fitted import Fitted
from interlace.precision.df import DdfLike, VcovLike
from interlace.precision.robust import MODEL, covariance
from interlace.tables.table import Table


class Coefficients(Fitted):
    """The fixed effects: estimates, standard errors, covariance."""

    @property
    def fixef(self) -> pd.Series:
        """Coefficients of the fixed effects; columns dropped from a rank-deficient X are absent."""
        estimates = by_the_model(self._fit)
        return pd.Series(estimates.estimate, index=list(estimates.labels), name="estimate")

    @property
    def se(self) -> pd.Series:
        """Standard errors of `fixef`."""
        estimates = by_the_model(self._fit)
        return pd.Series(estimates.se, index=list(estimates.labels), name="se")

    def vcov(self, kind: str = MODEL, *, cluster: Any = None) -> pd.DataFrame:
        """Covariance matrix of `fixef`.

        Parameters
        ----------
        kind : {"model", "CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"}
            "model": `sigma^2 (X' V^-1 X)^-1` at the estimated theta. The others are cluster-robust, see
            `interlace.ClusterRobust`; every table of tests takes them too: `coef_table(vcov="CR2")`.
        cluster : str or array-like, optional
            A column of the model, or a value per row; by default the grouping factor that holds all others.

        Raises
        ------
        ModelError
            Rows of different clusters share random effects.
        """
        names = list(self._fit.names)
        return pd.DataFrame(covariance(self._fit, kind, cluster=cluster), index=names, columns=names)

    def coef_table(self, *, ddf: DdfLike = "satterthwaite", vcov: VcovLike = MODEL) -> Table:
        """One row per coefficient: `estimate`, `se`, `df`, `t` and its two-sided p-value `p`.

        Parameters
        ----------
        ddf : {"satterthwaite", "kenward-roger", "asymptotic"} or an object such as KenwardRoger()
            Degrees of freedom of the t statistics. Kenward-Roger also adjusts the standard errors, and needs
            a fit by REML.
        vcov : {"model", "CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"} or ClusterRobust(kind, cluster=...)
            Covariance of the coefficients. A cluster-robust one goes with ddf="satterthwaite" (clubSandwich's
            degrees of freedom) or "asymptotic".
        """
        return fixed_effects(self._fit, self._memory.ddf(ddf, vcov)).table()
