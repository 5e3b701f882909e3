"""Marginal means of the fixed part, and what is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

from interlace.estimation.fit import Fit
from interlace.inference import (
    emmeans,
    joint_terms,
    means_pictures,
    means_view,
    reference_means,
    trends,
    variables,
)
from interlace.options import MODEL, switch
from interlace.tables.table import Table

if TYPE_CHECKING:
    from interlace.inference.emmeans import EMMeans
    from interlace.inference.means_list import MeansList
    from interlace.pictures.axes import OneOrMoreAxes
    from interlace.precision.df import DdfLike, VcovLike
    from interlace.precision.memory import Memory


class TrendsOptions(TypedDict, total=False):
    """What `emtrends` is asked by name, for type checkers."""

    by: Any
    at: Any
    max_degree: int
    weights: Any
    ddf: DdfLike
    vcov: VcovLike
    cluster: Any
    level: float
    nesting: Any
    nuisance: Any
    cov_reduce: Any


class MeansOptions(TypedDict, total=False):
    """What `emmeans` is asked by name, for type checkers."""

    by: Any
    at: Any
    weights: Any
    ddf: DdfLike
    vcov: VcovLike
    cluster: Any
    level: float
    type: str
    bias_adjust: bool
    sigma: float | None
    nesting: Any
    nuisance: Any
    cov_reduce: Any


class Means:
    """Marginal means of the fixed part, and what is made of them."""

    _fit: Fit
    _memory: Memory

    @overload
    def emmeans(self, specs: list[str] | tuple[str, ...], **options: Unpack[MeansOptions]) -> EMMeans: ...

    @overload
    def emmeans(self, specs: str, **options: Unpack[MeansOptions]) -> EMMeans | MeansList[EMMeans]: ...

    def emmeans(
        self,
        specs: Any,
        *,
        by: Any = None,
        at: Any = None,
        weights: Any = "equal",
        ddf: DdfLike = "satterthwaite",
        vcov: VcovLike = MODEL,
        cluster: Any = None,
        level: float = 0.95,
        type: str = "link",
        bias_adjust: bool = False,
        sigma: float | None = None,
        nesting: Any = None,
        nuisance: Any = None,
        cov_reduce: Any = None,
    ) -> EMMeans | MeansList[EMMeans]:
        """Estimated marginal means: the fixed part at levels of some factors, averaged over all others.

        Parameters
        ----------
        specs : str or sequence of str
            A variable, or several: means at all combinations of their levels. Text as in R's emmeans is known
            too: "A * B"; "A | B" (in groups of B); "pairwise ~ A | B" (means, and contrasts of them); "1" is
            the mean over everything.
        by : str or sequence of str, optional
            Variables that make groups.
        at : mapping, optional
            Values of covariates, or some levels of factors: ``{"x": [0, 10]}``.
        weights : {"equal", "proportional", "outer", "cells", "flat"} or array
            Of the levels that are averaged over. "equal": all the same. "proportional": by the rows of each
            combination of these levels. "outer": the product of the shares of each factor. "cells": by the
            rows that each mean has. "flat": all the same, but for combinations without rows. Prior weights
            count.
        ddf, vcov, cluster
            As for `coef_table`.
        level : float
            Confidence level.
        type : {"link", "response"}
            The scale of tables, where the formula transforms the response: that of the model, or that of the
            response. Means and their limits are transformed back, standard errors by the delta method;
            differences of logarithms become ratios, of logits odds ratios. Transforms made of log, sqrt,
            logit, arc sine, powers and arithmetic are known, others by `interlace.register_scale`.
        bias_adjust : bool
            Add half the second derivative of the way back times ``sigma^2``: means of the response and not
            its medians.
        sigma : float, optional
            The standard deviation of an observation on the scale of the model, for `bias_adjust` and
            prediction intervals. By default that of the residuals, as in R's emmeans; means over groups
            need the root of the sum of all variances.
        nesting : mapping, optional
            Which factors are nested in which: ``{"C": "A"}``, or ``{}`` for none. By default those are whose
            levels are in rows of one level of another alone, or that have no term of their own (``A + A:B``).
        nuisance : str or sequence of str, optional
            Factors that are averaged over one by one, whatever the weights of the others: all levels the same
            with ``weights="equal"`` or an array, by their rows with other words. Those in interactions are no
            such factors.
        cov_reduce : callable, bool or mapping, optional
            What a covariate is reduced to: by default its mean, or both values where it has two only; False
            keeps all values; a function of the values; or one of these for each covariate by name.

        Returns
        -------
        EMMeans
            With contrasts in `specs`, a mapping of "emmeans" and "contrasts" to one each.

        Raises
        ------
        DataError
            A variable or a level is not known, weights have the wrong size.

        Notes
        -----
        A mean is ``l'beta`` for the average l of rows of X over a grid of levels (Searle, Speed and Milliken
        1980, The American Statistician 34). Means that the data do not tell are NaN.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("score ~ Machine + (Machine | Worker)", interlace.datasets.load("machines"))
        >>> m.emmeans("Machine")
        Machine estimate     se     df  lower  upper
        A         52.356  1.681  5.000 48.035 56.676
        B         60.322  3.529  5.000 51.252 69.393
        C         66.272  1.806  5.000 61.629 70.915
        <BLANKLINE>
        degrees of freedom: Satterthwaite
        confidence level 0.95
        """
        asked = reference_means.MeansAsked(
            specs, by, variables.values_asked(at, cov_reduce), weights, level, nesting, nuisance,
            means_view.View().asked(type, bias_adjust, sigma),
        )  # fmt: skip
        return reference_means.marginal_means(self._fit, self._memory.ddf(ddf, vcov, cluster), asked)

    @overload
    def emtrends(
        self, var: str, specs: list[str] | tuple[str, ...], **options: Unpack[TrendsOptions]
    ) -> EMMeans: ...

    @overload
    def emtrends(
        self, var: str, specs: str = ..., **options: Unpack[TrendsOptions]
    ) -> EMMeans | MeansList[EMMeans]: ...

    def emtrends(
        self,
        var: str,
        specs: Any = "1",
        *,
        by: Any = None,
        at: Any = None,
        max_degree: int = 1,
        weights: Any = "equal",
        ddf: DdfLike = "satterthwaite",
        vcov: VcovLike = MODEL,
        cluster: Any = None,
        level: float = 0.95,
        nesting: Any = None,
        nuisance: Any = None,
        cov_reduce: Any = None,
    ) -> EMMeans | MeansList[EMMeans]:
        """Slopes of a covariate at levels of factors, averaged over all others.

        Parameters
        ----------
        var : str
            The covariate; or an expression of the formula such as "log(x)", per unit of which slopes then
            are.
        specs : str or sequence of str
            As for `emmeans`; by default one slope over everything.
        by, at, weights, ddf, vcov, cluster, level, nesting, nuisance, cov_reduce
            As for `emmeans`. The slope is that at the mean of `var` unless `at` has values of it.
        max_degree : int
            Above 1: coefficients of higher powers as well, the derivatives over their factorials.

        Returns
        -------
        EMMeans

        Raises
        ------
        DataError
            `var` is no covariate of the fixed part.

        Notes
        -----
        A slope is the derivative of the mean in the raw covariate, through all that was learnt of its
        transforms, by central differences over five points: exact for polynomials of degree four and lower,
        to rounding.

        Examples
        --------
        >>> import interlace
        >>> data = interlace.datasets.load("orthodont")
        >>> m = interlace.lmer("distance ~ age * Sex + (1 | Subject)", data)
        >>> m.emtrends("age", "Sex").frame["estimate"].round(3).tolist()
        [0.784, 0.48]
        """
        asked = reference_means.MeansAsked(
            specs, by, variables.values_asked(at, cov_reduce), weights, level, nesting, nuisance
        )
        return trends.trends(self._fit, self._memory.ddf(ddf, vcov, cluster), var, max_degree, asked)

    def emmip(
        self,
        formula: str,
        *,
        at: Any = None,
        weights: Any = "equal",
        ddf: DdfLike = "satterthwaite",
        vcov: VcovLike = MODEL,
        cluster: Any = None,
        level: float = 0.95,
        type: str = "link",
        nesting: Any = None,
        cov_reduce: Any = None,
        intervals: bool = True,
        ax: Any = None,
    ) -> OneOrMoreAxes:
        """An interaction plot of marginal means, with matplotlib.

        Parameters
        ----------
        formula : str
            ``"A ~ x | B"``: lines for A along x, a panel for each B; ``"~ x"`` is one line.
        at, weights, ddf, vcov, cluster, level, type, nesting, cov_reduce
            As for `emmeans`; a covariate needs several values to go along it, ``at={"x": [0, 5, 10]}``.
        intervals, ax
            As for `EMMeans.emmip`.

        Returns
        -------
        matplotlib.axes.Axes
            An array of them where there are several panels.

        Raises
        ------
        MissingPackageError
            matplotlib is not installed.
        DataError
            A variable or an option is not known.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("distance ~ age * Sex + (1 | Subject)", interlace.datasets.load("orthodont"))
        >>> ax = m.emmip("Sex ~ age", at={"age": [8, 10, 12, 14]})
        >>> [len(line.get_xdata()) for line in ax.get_lines()]
        [4, 4]
        """
        roles = means_pictures.read_roles(
            formula, list(variables.variables_of(self._fit, variables.values_asked(at, cov_reduce)))
        )
        found = self.emmeans(
            list(roles.every), at=at, weights=weights, ddf=ddf, vcov=vcov, cluster=cluster, level=level,
            type=type, nesting=nesting, cov_reduce=cov_reduce,
        )  # fmt: skip
        assert isinstance(found, emmeans.EMMeans)
        return means_pictures.interaction_plot(found, roles, switch("intervals", intervals), ax)

    def joint_tests(
        self,
        *,
        by: Any = None,
        at: Any = None,
        ddf: DdfLike = "satterthwaite",
        vcov: VcovLike = MODEL,
        cluster: Any = None,
    ) -> Table:
        """An F test of each term from contrasts of marginal means: of type III, with equal weights.

        Parameters
        ----------
        by : str or sequence of str, optional
            Variables that make groups: the others are tested in each of them.
        at : mapping, optional
            As for `emmeans`. Covariates are at their mean less 1 and plus 1 by default.
        ddf, vcov, cluster
            As for `coef_table`.

        Returns
        -------
        Table
            One row for each term and group: the groups, then `num_df`, `den_df`, `F`, `p`.

        Notes
        -----
        F is Wald's statistic over its degrees of freedom; `den_df` is the smallest of those of orthonormal
        rows, as R's emmeans has it. `anova` has the tests of lmerTest and pbkrtest.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("angle ~ recipe * temperature + (1 | recipe:replicate)",
        ...                    interlace.datasets.load("cake"))
        >>> m.joint_tests()["F"].round(3).tolist()
        [0.249, 20.52, 1.006]
        """
        return joint_terms.joint_tests(self._fit, self._memory.ddf(ddf, vcov, cluster), by, at)
