"""Tests of the fixed effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from interlace.errors import DataError
from interlace.inference import anova, contrast
from interlace.model.fitted import Fitted
from interlace.options import MODEL
from interlace.precision import robust
from interlace.refitting import drop1
from interlace.tables.table import Table

if TYPE_CHECKING:
    from interlace.inference.contrast import ContrastTest
    from interlace.precision.df import DdfLike, VcovLike


def refuse_models(others: Sequence[object]) -> None:
    """`anova` is of one model.

    Raises
    ------
    DataError
        It was given others.
    """
    if others:
        raise DataError(
            "anova tests the terms of one model, and takes its options by name, such as type=3; models "
            "are compared by interlace.compare(m1, m2)"
        )


class Tests(Fitted):
    """Tests of the fixed effects."""

    def contrast_test(
        self,
        L: Any,
        *,
        rhs: Any = 0.0,
        ddf: DdfLike = "satterthwaite",
        vcov: VcovLike = MODEL,
        cluster: Any = None,
        level: float = 0.95,
    ) -> ContrastTest:
        """Test `L beta = rhs`: a t test of each row of L, and an F test of all of them.

        Parameters
        ----------
        L : mapping, Series, data frame, text or array
            By name, `{"x": 1, "z": -1}`: one row, or a mapping of labels to such mappings, or a data frame
            with coefficients in its columns; coefficients not named weigh 0. As text, "x", "x - 2 * z = 1",
            or a list of such. As an array: (p,) or (rows, p),
            in the order of `fixef`.
        rhs : float or array, (rows,)
            Hypothetical values.
        ddf, vcov, cluster
            As for `coef_table`.
        level : float
            Confidence level of the intervals.

        Returns
        -------
        ContrastTest
            `.rows` has estimate, se, df, t, p, lower, upper; `.F`, `.num_df`, `.den_df`, `.p` are joint.
        """
        asked = contrast.Hypothesis.of(self._fit, L, rhs=rhs, level=level)
        return contrast.contrast_test(self._fit, asked, self._memory.ddf(ddf, vcov, cluster))

    def anova(
        self,
        *others: NoReturn,
        type: int | str = 3,
        ddf: DdfLike | None = None,
        vcov: VcovLike = MODEL,
        cluster: Any = None,
        test: str = "F",
        terms: Sequence[str] | None = None,
    ) -> Table:
        """A test of each term of the fixed part.

        Parameters
        ----------
        type : {3, 2, 1} or {"III", "II", "I"}
            1: each term after those before it. 2: after all terms that do not contain it. 3: averaged over
            the terms that contain it, whatever the coding of the factors. As SAS and lmerTest define them.
        ddf : str or DdfMethod, optional
            Denominator degrees of freedom of F: "satterthwaite" (as without it), "kenward-roger" or
            "asymptotic", or an object such as `KenwardRoger(information="observed")`.
        vcov : {"model", "CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"}
        cluster : str, array-like, or several, optional
            As for `coef_table`; F is then clubSandwich's HTZ test, and chi-square that of car's `vcov.=`.
        test : {"F", "wald", "chisq"}
            "F": columns `sum_sq, mean_sq, num_df, den_df, F, p`, as lmerTest defines them. "wald" and
            "chisq": type 2 or 3 of car's `Anova`, columns `num_df, den_df, F, p` and `chisq, df, p`. There
            type 2 leaves out an interaction with a covariate too, and weighs by the covariance of the
            coefficients instead of X'X; type 3 is about the coefficients in the coding of the model, so code
            factors by "sum" for it.
        terms : sequence of str, optional
            The terms to test, all by default; "1" is the intercept, which is not tested unless it is named.

        Returns
        -------
        DataFrame
            One row per term; NaN for a term of which no column is in the model.
        """
        refuse_models(others)
        asked = anova.Asked.of(type, test, terms)
        return anova.anova(
            self._fit, asked, self._memory.bind(asked.method(ddf, robust.with_cluster(vcov, cluster)))
        )

    def drop1(
        self,
        *,
        test: str = "F",
        ddf: DdfLike | None = None,
        vcov: VcovLike = MODEL,
        cluster: Any = None,
    ) -> Table:
        """A test of each term that may be left out by itself: those that are no part of another term.

        Parameters
        ----------
        test : {"F", "lrt"}
            "F": columns as those of `anova`. "lrt": the model and each smaller model are fitted by maximum
            likelihood; columns `df, aic, lrt, p`, and a row `<none>` for the model itself.
        ddf, vcov, cluster
            Of F, as for `anova`.
        """
        method = drop1.method(test, ddf, robust.with_cluster(vcov, cluster))
        if method is None:
            return drop1.drop1_lrt(self._fit)
        return drop1.drop1_f(self._fit, self._memory.bind(method))
