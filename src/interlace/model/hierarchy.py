"""Residuals of every level of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from interlace.model.fitted import Fitted
from interlace.prediction import hierarchical, least_confounded
from interlace.tables.table import Table

if TYPE_CHECKING:
    from interlace.callers import CallersTable


class Hierarchy(Fitted):
    """Residuals of every level of a model."""

    @overload
    def hlm_resid(
        self, level: None = None, *, standardize: bool | str = False, include_ls: bool = True
    ) -> CallersTable: ...

    @overload
    def hlm_resid(self, level: str, *, standardize: bool | str = False, include_ls: bool = True) -> Table: ...

    def hlm_resid(
        self, level: str | None = None, *, standardize: bool | str = False, include_ls: bool = True
    ) -> CallersTable | Table:
        """Residuals of the rows, or of the levels of a grouping factor: HLMdiag's, for crossed factors too.

        Parameters
        ----------
        level : str, optional
            A grouping factor: a row for each of its levels. Without it, a row for each row used.
        standardize : {False, True, "semi"}
            "semi" (of rows) standardizes the least-squares residuals by their leverage alone.
        include_ls : bool
            False leaves least squares out.

        Returns
        -------
        table of the library of the data, or Table
            Of rows: `resid = y - fitted`; `ls_resid` and `ls_fitted` of a regression within each level of the
            grouping factor with most levels, on an intercept and the columns of X that vary in it; `mar_resid
            = y - mar_fitted` with `mar_fitted = X beta + offset`. Standardized: `std_resid = sqrt(w) resid /
            sigma`; `std_ls_resid`, over the standard deviation of the level and the root of `1 - h`;
            `chol_mar_resid`, see `residuals("marginal-cholesky")`. "semi": `semi_ls_resid`, over the root of
            `1 - h` alone.

            Of levels: `ranef_NAME`, the random effects; `ls_NAME`, the coefficient of a regression on X
            within each level less the mean of these (of the same outer level, where levels are nested).
            Standardized: `std_ranef_NAME`, over the conditional standard deviation; `std_ls_NAME`, over the
            standard deviation between levels.

        Raises
        ------
        DataError
            The model has no such grouping factor.

        Warns
        -----
        InterlaceWarning
            Levels have no more rows than coefficients, so that least squares leave nothing of them.

        References
        ----------
        Loy, A., and Hofmann, H. (2014). HLMdiag: a suite of diagnostics for hierarchical linear models in R.
        Journal of Statistical Software, 56(5).

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> m.hlm_resid().round(2).head(2).to_dict("list")["ls_resid"]
        [5.37, -7.25]
        >>> print(m.hlm_resid("Subject", standardize=True).round(2).head(2).to_string())
                 std_ranef_Intercept  std_ranef_Days  std_ls_Intercept  std_ls_Days
        Subject
        308                     0.19            3.99             -0.25         1.72
        309                    -3.35           -3.74             -1.60        -1.25
        """
        options: dict[str, Any] = {"standardize": standardize, "include_ls": include_ls}
        if level is not None:
            return hierarchical.of_levels(self._fit, level, **options)
        return self._handed.table(hierarchical.of_rows(self._fit, **options))

    def compare_eb_ls(self, level: str) -> Table:
        """Random effects beside the least-squares coefficients of each level alone, about their mean.

        Where they differ much, the model has shrunk what the rows of a level say: because they are few, or
        because the level is unlike the others.

        Parameters
        ----------
        level : str
            A grouping factor.

        Returns
        -------
        Table
            `rows`; `eb_NAME`, `ls_NAME`.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> m.compare_eb_ls("Subject")[["eb_Days", "ls_Days"]].iloc[0].round(2).tolist()
        [9.2, 11.3]
        """
        return hierarchical.compared(self._fit, level)

    def rotate_ranef(self, level: str, effect: str | None = None, *, s: int | None = None) -> Table:
        """Combinations of the random effects of all levels that the errors of the rows blur least.

        Conditional modes are sums of the random effects and of errors, so that they may look normal where
        the random effects are not, and the reverse. Of all combinations ``w'b`` of one effect, uncorrelated
        and of variance 1 where the model holds, those with the smallest share of errors in their variance
        come first: they show the shape of the random effects best.

        Parameters
        ----------
        level : str
            A grouping factor.
        effect : str, optional
            A random effect of it; not needed where there is one.
        s : int, optional
            How many, the least confounded first; by default all.

        Returns
        -------
        Table
            `rotated`; `confounding`, the share of errors in the variance, from 0 to 1.

        References
        ----------
        Loy, A., and Hofmann, H. (2015). Are you normal? The problem of confounded residual structures in
        hierarchical linear models. Journal of Computational and Graphical Statistics, 24, 1191-1209.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> m.rotate_ranef("Subject", "Days", s=3)["confounding"].round(3).tolist()
        [0.123, 0.123, 0.123]
        """
        values, share = least_confounded.rotated(self._fit, level, effect, s)
        note = "confounding: the share of the errors of the rows in the variance"
        return Table.of({"rotated": values, "confounding": share}, note=note)
