"""What the estimates would be without some of the rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from interlace.errors import DataError
from interlace.model.fitted import Fitted
from interlace.options import number
from interlace.refitting import case_delete, influence

if TYPE_CHECKING:
    from interlace.callers import CallersTable
    from interlace.refitting.case_delete import CaseDeletion
    from interlace.tables.table import Table


class Deletions(Fitted):
    """What the estimates would be without some of the rows."""

    def influence(
        self,
        level: Any = None,
        *,
        method: str = "fixed",
        delete: Any = None,
        parameters: str | Iterable[str] | None = None,
        n_jobs: int = 1,
        progress: bool | None = None,
    ) -> CallersTable | Table:
        """What the estimates would be without each row, each level of a factor, or some of them together.

        Parameters
        ----------
        level : str or array-like, optional
            A grouping factor, any other column of the data, or a value per row: a row of the table for each
            of its levels. Without it, a row for each row used.
        method : {"fixed", "onestep", "refit"}
            "fixed": theta and sigma are those of the model, as in HLMdiag's `approx = TRUE`. "onestep": one
            Newton step in theta, taken in the variances and covariances, with the exact gradient and Hessian
            of the criterion of the other rows and what the step is expected to change of the Hessian; the
            gradient at its end is followed twice with the same curvature and what was seen of it on the way.
            With balanced data it ends at the refit. Where less than one row and one level in 1,000 leave (in
            models whose factorisation is expensive, one row in 100 and one level in 200), and with more than
            ten parameters, the Hessian is that of all rows, and nothing follows.
            "refit": the model is fitted again, from cross-products less those of the rows that leave.
        delete : optional
            Labels of levels, or (without `level`) of rows, that leave together: one row of the table. Rows
            have the labels of a pandas index, else their numbers from 0.
        parameters : str, or several, optional
            Names of coefficients: the measures are of these alone.
        n_jobs : int
            Number of threads; -1 for one per processor.
        progress : bool, optional
            Show a bar; by default only where a person watches.

        Returns
        -------
        table
            For beta and C, its covariance, and those without the rows in brackets:
            `cooksd`, ``(beta - beta_())' C^-1 (beta - beta_()) / p``; `mdffits`, the same with ``C_()^-1``;
            `covtrace`, ``|tr(C^-1 C_()) - p|``; `covratio`, ``det C_() / det C``; and those of `leverage`
            (means over the rows that leave). With "onestep" and "refit" also the relative change of each
            variance and covariance, "rvc[sigma2]", "rvc[Days|Subject]", and `displacement`, twice what the
            log-likelihood of all rows (restricted for a fit by REML) loses at the estimates without some.
            Levels in their order; rows in the library of the data. The note says which method was used.

        Raises
        ------
        DataError
            No such factor, column, label or coefficient, or no row is left.

        References
        ----------
        Loy, A., and Hofmann, H. (2014). HLMdiag: a suite of diagnostics for hierarchical linear models in R.
        Journal of Statistical Software, 56(5).

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> m.influence("Subject")["cooksd"].nlargest(2).round(3).to_dict()
        {'309': 0.149, '335': 0.129}
        >>> m.influence("Subject", delete=["309", "335"], method="refit")["cooksd"].round(3).to_dict()
        {'309, 335': 0.477}
        """
        return influence.influence(
            self._fit,
            level,
            method=method,
            delete=delete,
            parameters=parameters,
            n_jobs=n_jobs,
            progress=progress,
        )

    def dfbetas(
        self,
        level: Any = None,
        *,
        method: str = "fixed",
        delete: Any = None,
        parameters: str | Iterable[str] | None = None,
        critical: float = 1.96,
        n_jobs: int = 1,
        progress: bool | None = None,
    ) -> CallersTable | Table:
        """How each coefficient changes without each row, each level, or some of them together.

        Parameters
        ----------
        level, method, delete, parameters, n_jobs, progress
            As those of `influence`.
        critical : float
            The value of |t| from which a coefficient counts as significant.

        Returns
        -------
        table
            For each coefficient: "dfbetas[Days]", ``(beta - beta_()) / se_()``; "pchange[Days]",
            ``100 (beta_() - beta) / beta_()``; "t[Days]", ``beta_() / se_()``; "changed[Days]", whether that
            lies on the other side of `critical` than the t of the model. For rows also `dffits`,
            ``x'(beta - beta_()) / sqrt(x'C x)``. Signs and definitions are those of R's influence.ME.

        References
        ----------
        Nieuwenhuis, R., te Grotenhuis, M., and Pelzer, B. (2012). influence.ME: tools for detecting
        influential data in mixed effects models. The R Journal, 4(2), 38-47.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> changes = m.dfbetas("Subject", method="refit")
        >>> changes.loc["308", ["dfbetas[Days]", "pchange[Days]"]].astype(float).round(2).tolist()
        [0.45, -6.78]
        """
        return influence.dfbetas(
            self._fit,
            level,
            method=method,
            delete=delete,
            parameters=parameters,
            critical=_positive("critical", critical),
            n_jobs=n_jobs,
            progress=progress,
        )

    def case_delete(
        self,
        level: Any = None,
        *,
        delete: Any = None,
        method: str = "refit",
        n_jobs: int = 1,
        progress: bool | None = None,
    ) -> CaseDeletion:
        """Everything that is estimated without each row, each level, or some of them together.

        Parameters
        ----------
        level, delete, method, n_jobs, progress
            As those of `influence`.

        Returns
        -------
        CaseDeletion
            `.fixef`, `.vcov`, `.varcomp`, `.ranef`, `.converged`: a row or an entry for each set that left.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> without = m.case_delete("Subject", delete="308")
        >>> without.fixef.round(2).to_dict("list"), without.varcomp["sigma2"].round(1).tolist()
        ({'Intercept': [251.83], 'Days': [9.8]}, [559.2])
        """
        return case_delete.case_delete(
            self._fit, level, delete=delete, method=method, n_jobs=n_jobs, progress=progress
        )


def _positive(option: str, given: object) -> float:
    value = number(option, given)
    if not value > 0:
        raise DataError(f"{option} must be a positive number, not {value:g}")
    return value
