"""The fixed effects: estimates, standard errors, covariance, and the columns they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from interlace.inference import estimates
from interlace.model.fitted import Fitted
from interlace.options import MODEL
from interlace.precision import robust
from interlace.prediction import matrix
from interlace.refitting import profile
from interlace.tables.table import Table, Wide

if TYPE_CHECKING:
    from interlace.callers import CallersTable
    from interlace.precision.df import Ddf, DdfLike, VcovLike


class Coefficients(Fitted):
    """The fixed effects: estimates, standard errors, covariance."""

    @property
    def fixef(self) -> pd.Series:
        """Coefficients of the fixed effects; columns dropped from a rank-deficient X are absent."""
        found = estimates.by_the_model(self._fit)
        return pd.Series(found.estimate, index=list(found.labels), name="estimate")

    @property
    def se(self) -> pd.Series:
        """Standard errors of `fixef`."""
        found = estimates.by_the_model(self._fit)
        return pd.Series(found.se, index=list(found.labels), name="se")

    def vcov(self, kind: VcovLike = MODEL, *, cluster: Any = None) -> pd.DataFrame:
        """Covariance matrix of `fixef`.

        Parameters
        ----------
        kind : {"model", "CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"}
            "model": `sigma^2 (X' V^-1 X)^-1` at the estimated theta. The others are cluster-robust, see
            `interlace.ClusterRobust`; every table of tests takes them too: `coef_table(vcov="CR2")`.
        cluster : str, array-like, or several, optional
            A column of the data, or a value per row; by default the grouping factor that holds all others.

        Raises
        ------
        ModelError
            Rows of different clusters share random effects.
        """
        names = list(self._fit.names)
        return Wide(robust.covariance(self._fit, kind, cluster=cluster), index=names, columns=names)

    def coef_table(
        self,
        *,
        ddf: DdfLike = "satterthwaite",
        vcov: VcovLike = MODEL,
        cluster: Any = None,
        level: float = 0.95,
    ) -> Table:
        """One row per coefficient: `estimate`, `se`, `df`, `t`, its two-sided p-value `p`, `lower`, `upper`.

        Parameters
        ----------
        ddf : {"satterthwaite", "kenward-roger", "asymptotic"} or an object such as KenwardRoger()
            Degrees of freedom of the t statistics. Kenward-Roger also adjusts the standard errors, and needs
            a fit by REML.
        vcov : {"model", "CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"}
            Covariance of the coefficients. A cluster-robust one goes with ddf="satterthwaite" (clubSandwich's
            degrees of freedom) or "asymptotic".
        cluster : str, array-like, or several, optional
            Clusters of a robust covariance: a column of the data, or a value per row; by default the grouping
            factor that holds all others. `vcov=ClusterRobust(kind, cluster=...)` says the same.
        level : float
            Of the confidence intervals, by t.
        """
        found = estimates.fixed_effects(self._fit, self._tests(ddf=ddf, vcov=vcov, cluster=cluster))
        return found.whole_table(profile.check_level(level))

    def _tests(self, *, ddf: DdfLike = "satterthwaite", vcov: VcovLike = MODEL, cluster: Any = None) -> Ddf:
        """What coefficients are tested by, where nothing else is said."""
        return self._memory.ddf(ddf, vcov, cluster)

    def model_matrix(self, newdata: Any = None) -> CallersTable:
        """The columns of X that are in the model, for the rows of the fit or for new ones.

        Parameters
        ----------
        newdata : table, optional
            Data with the columns of the fixed part; coded as those of the fit were.

        Returns
        -------
        table of the library of the data
            A column for each coefficient of `fixef`; missing where a value that is needed is. Without
            random effects and offset, `model_matrix(new) @ fixef` is the prediction.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("score ~ Machine + (1 | Worker)", interlace.datasets.load("machines"))
        >>> print(m.model_matrix({"Machine": ["C"]}).to_string(index=False))
         Intercept  Machine[T.B]  Machine[T.C]
               1.0           0.0           1.0
        """
        return matrix.model_matrix(self._fit, newdata, self._handed)
