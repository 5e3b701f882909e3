"""The fitted linear mixed model that a user holds; every method asks one room of the house."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack, overload

import numpy as np

from interlace.estimation import likelihood
from interlace.hints import answers_by_name
from interlace.model.again import Again
from interlace.model.coefficients import Coefficients
from interlace.model.confidence import Intervals
from interlace.model.deletions import Deletions
from interlace.model.frames import Frames
from interlace.model.hierarchy import Hierarchy
from interlace.model.levels import Levels
from interlace.model.means import Means
from interlace.model.plot import Pictured
from interlace.model.reported import Reported
from interlace.model.rows import Rows
from interlace.model.tests import Tests
from interlace.model.validation import Validation
from interlace.model.variances import Components
from interlace.model.verdicts import Verdicts
from interlace.model.words import Words
from interlace.precision.singular import TOLERANCE
from interlace.refitting import refit, responses
from interlace.variances import effect_size

if TYPE_CHECKING:
    from interlace.tables.table import Table


class RefitOptions(TypedDict, total=False):
    """What `refit` is asked by name, for type checkers."""

    reml: bool | None
    ddf: str
    adjust: str
    n_jobs: int
    progress: bool | None


@answers_by_name()
class LinearMixedModel(
    Coefficients,
    Tests,
    Intervals,
    Again,
    Means,
    Components,
    Levels,
    Rows,
    Hierarchy,
    Deletions,
    Frames,
    Verdicts,
    Pictured,
    Validation,
    Words,
    Reported,
):
    """A fitted linear mixed-effects model, as returned by `interlace.lmer`.

    Tables of results are pandas; what has a row per observation comes back in the caller's own frame library.
    Nothing of a model can be changed; `refit` gives a new one. Models pickle.

    Columns are named by one rule everywhere: "Intercept", "x", "recipe[T.B]", "recipe[T.B]:x",
    "poly(x, 2)[1]".
    """

    @property
    def reml(self) -> bool:
        """Whether the model was fitted by REML; else by maximum likelihood."""
        return self._fit.reml

    @property
    def deviance(self) -> float:
        """-2 times the log-likelihood at the fitted theta.

        Of a REML fit, the value at the REML estimates: lme4's `deviance(m, REML = FALSE)`.
        """
        return likelihood.deviance(self._fit)

    @property
    def reml_criterion(self) -> float:
        """-2 times the restricted log-likelihood.

        Raises
        ------
        ModelError
            If the model was fitted by maximum likelihood.
        """
        return likelihood.reml_criterion(self._fit)

    @property
    def sigma(self) -> float:
        """Residual standard deviation."""
        return self._fit.sigma

    def r2(self, *, tolerance: float = TOLERANCE) -> dict[str, float]:
        """Nakagawa's R2: shares of the variance explained by the fixed part (marginal) and all (conditional).

        With slopes the variance of the random effects is the mean of `z' Sigma z` over rows (Johnson 2014).
        For a singular fit (see `is_singular`, of which `tolerance` is the limit) the conditional R2 is NaN,
        with a warning, and the marginal one is `fixed / (fixed + residual)`; `tolerance=0` takes estimates
        as they are.
        """
        return effect_size.r2(self._fit, tolerance=tolerance)

    def icc(self, *, tolerance: float = TOLERANCE) -> dict[str, float | dict[str, float]]:
        """Intraclass correlation: shares of the random effects in the variance; NaN for singular fits.

        "adjusted": of the variance that the fixed part leaves; "unadjusted": of all the variance; "by_group":
        {grouping factor: share of its random effects in the variance that the fixed part leaves}; NaN for a
        grouping factor with slopes, whose variance differs from row to row.
        """
        return effect_size.icc(self._fit, tolerance=tolerance)

    @overload
    def refit(self, y: None = None, *, reml: bool | None = None) -> Self: ...

    @overload
    def refit(self, y: Any, **options: Unpack[RefitOptions]) -> Self | Table: ...

    def refit(
        self,
        y: Any = None,
        *,
        reml: bool | None = None,
        ddf: str = "satterthwaite",
        adjust: str = "bh",
        n_jobs: int = 1,
        progress: bool | None = None,
    ) -> Self | Table:
        """The same model fitted to another response, or by the other criterion; all else is kept.

        Parameters
        ----------
        y : array-like, optional
            A response for each row used (or for each row of the data given to `lmer`); or a table or matrix
            with a response in each column (genes, voxels, draws).
        reml : bool, optional
            Fit by REML or by maximum likelihood; without it, as before.
        ddf : {"satterthwaite", "asymptotic"}
            Of the tests of many responses.
        adjust : {"bh", "by", "holm", "hochberg", "hommel", "bonferroni", "sidak", "none"}
            Of their p-values, over the responses of each term.
        n_jobs : int
            Threads for many responses; -1 for one per processor.
        progress : bool, optional
            Show a bar; by default only where a person watches.

        Returns
        -------
        LinearMixedModel
            For many responses a table with a row for each response and term: `response, effect, term,
            estimate, se, df, t, p, p_adjusted, converged`; standard deviations and correlations are rows of
            effect "random". The rows of the data are looked at once, and what belongs to the design is
            shared. A response that cannot be fitted is NaN, and the note says why.

        Examples
        --------
        >>> import interlace
        >>> sleepstudy = interlace.datasets.load("sleepstudy")
        >>> model = interlace.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
        >>> table = model.refit(model.simulate(3, seed=1))
        >>> table.loc[table["term"] == "sigma", "estimate"].round(2).tolist()
        [23.89, 23.66, 25.82]
        """
        if np.ndim(y) == 2:
            return responses.refit_table(
                self._fit, y, reml=reml, ddf=ddf, adjust=adjust, n_jobs=n_jobs, progress=progress
            )
        fit = refit.refit(self._fit, y, reml=reml)
        asked = self._asked.changed(reml=fit.reml, refitted=self._asked.refitted or y is not None)
        return type(self)(fit, asked, self._handed)
