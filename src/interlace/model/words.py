"""A model in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlace.model.fitted import Fitted
from interlace.options import MODEL, switch
from interlace.report import equation, results, summary

if TYPE_CHECKING:
    from interlace.precision.df import DdfLike, VcovLike
    from interlace.report.formulae import Equation
    from interlace.report.summary import Summary


class Words(Fitted):
    """A model in words."""

    def summary(
        self,
        *,
        ddf: DdfLike = "satterthwaite",
        vcov: VcovLike = MODEL,
        cluster: Any = None,
        stars: bool = False,
        correlation: bool | None = None,
    ) -> Summary:
        """Everything that is printed about a model, as data; its `str` reads like lmerTest's `summary`.

        Parameters
        ----------
        ddf, vcov, cluster
            Degrees of freedom and standard errors of the t tests, as for `coef_table`.
        stars : bool
            Print stars beside small p-values.
        correlation : bool, optional
            Print the correlations of the coefficients; without it, those of up to 20.
        """
        bound, name = self._memory.ddf(ddf, vcov, cluster), self._asked.data_name
        return summary.summarise(self._fit, bound, data_name=name, stars=stars, correlation=correlation)

    def equation(self, *, estimates: bool = False) -> Equation:
        """The model in mathematics: the mean of a row, the random effects, the residuals.

        Parameters
        ----------
        estimates : bool
            Estimates in place of the coefficients and of sigma.

        Returns
        -------
        Equation
            `str` is LaTeX, an `aligned` environment; a notebook shows it; `.mathml` is for pages of HTML.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("Dyestuff"))
        >>> print(m.equation())
        \\begin{aligned}
        \\text{Yield}_{i} &= \\beta_{0} + b_{0 , \\text{Batch} [ i ]} + \\varepsilon_{i} \\\\
        b_{0 , \\text{Batch}} &\\sim \\mathcal{N} ( 0 , \\sigma_{0}^2 ) \\\\
        \\varepsilon_{i} &\\sim \\mathcal{N} ( 0 , \\sigma^2 )
        \\end{aligned}
        """
        return equation.equation(self._fit, estimates=switch("estimates", estimates))

    def to_dict(
        self, *, ddf: DdfLike = "satterthwaite", vcov: VcovLike = MODEL, cluster: Any = None
    ) -> dict[str, Any]:
        """Every result as plain data that strict JSON takes: dicts, lists, texts, finite numbers and None.

        Parameters
        ----------
        ddf, vcov, cluster
            Of the tests of the coefficients, as for `coef_table`.

        Examples
        --------
        >>> import interlace, json
        >>> m = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("Dyestuff"))
        >>> json.dumps(m.to_dict()["ngroups"])
        '{"Batch": 6}'
        """
        return results.results(self._fit, self._memory.ddf(ddf, vcov, cluster))

    def __repr__(self) -> str:
        return str(summary.overview(self._fit, data_name=self._asked.data_name))

    def _repr_html_(self) -> str:
        return summary.overview(self._fit, data_name=self._asked.data_name)._repr_html_()
