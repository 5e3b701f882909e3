"""The covariance of the random effects."""

from __future__ import annotations

import numpy as np

from interlace.model.fitted import Fitted
from interlace.options import switch
from interlace.precision import singular
from interlace.refitting import ranova
from interlace.tables.table import Table
from interlace.variances import varcorr, varcorr_se


class Components(Fitted):
    """The covariance of the random effects."""

    @property
    def theta(self) -> np.ndarray:
        """Entries of the relative covariance factors in lme4's order: each lower triangle by column.

        Of a structured covariance, as lme4 has it: entries that are not always zero, and of those of a shared
        variance the ones that differ.
        """
        return self._fit.solution.theta.copy()

    def varcorr(self, *, se: bool = False) -> Table:
        """Variances, standard deviations and correlations: columns `group, term1, term2, variance, sd, corr`.

        A row without `term2` is a variance; a row with `term2` holds the covariance in `variance` and the
        correlation in `corr`. The last row is the residual. Equal to lme4's `as.data.frame(VarCorr(m))`.
        Effects of `diag(x | g)` have no covariances.

        Parameters
        ----------
        se : bool
            True adds standard errors `variance_se`, `sd_se`, `corr_se`, by the delta method from the Hessian
            of the criterion that was minimised. A variance at zero has none.
        """
        if switch("se", se):
            return varcorr_se.varcorr_se_table(self._fit, self._memory.variance_parameters())
        return varcorr.varcorr_table(self._fit)

    @property
    def is_singular(self) -> bool:
        """Whether some linear combination of the random effects has (nearly) no variance.

        lme4's rule, with columns taken in units in which they are orthonormal over the rows: neither their
        units nor their origin matters. `convergence.singular` says which.
        """
        return singular.is_singular(self._fit)

    def ranova(self, *, drop: str = "slopes") -> Table:
        """Likelihood-ratio tests of the random terms, by the criterion of the fit, as lmerTest's `ranova`.

        Parameters
        ----------
        drop : {"slopes", "terms"}
            "slopes": a term with slopes loses one slope at a time, and `cs(x | g)` or `ar1(0 + t | g)` its
            correlation. "terms": each term is dropped as a whole.

        Returns
        -------
        DataFrame
            Columns `npar, loglik, aic, lrt, df, p, p_mixture`; the first row is the model. As a variance
            cannot be negative, `p` (chi-square) is too large; `p_mixture` is by the 50:50 mixture of
            chi-squares with `df - 1` and `df` degrees of freedom where one variance is dropped, else NaN.
        """
        return ranova.ranova(self._fit, drop=drop)
