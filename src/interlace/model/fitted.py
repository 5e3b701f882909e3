"""What every fitted model has, whatever its kind: where it came from, and how well it fits."""

from __future__ import annotations

from typing import Any, ClassVar

from interlace.estimation import likelihood
from interlace.estimation.estimated import EstimatedOptimum
from interlace.estimation.fit import Fit
from interlace.model.aliases import Aliases
from interlace.options import KEPT
from interlace.precision.memory import Memory
from interlace.prediction import ranef
from interlace.prediction.per_row import Handed
from interlace.refitting.specification import MixedSpecification
from interlace.report.convergence import Convergence, convergence


class Fitted(Aliases):
    """What every fitted model has, whatever its kind: where it came from, and how well it fits."""

    _kinds: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, *, kind: str | None = None) -> None:
        """Of which fits it is the class of the models that users hold: "plain", "absorbed", "iterative"."""
        super().__init_subclass__()
        if kind is not None:
            cls._kinds[kind] = cls

    @classmethod
    def _holding(cls, fit: Fit, asked: MixedSpecification) -> Any:
        """The model that a user holds of a fit, and of what was asked for."""
        if isinstance(fit.optimum, EstimatedOptimum):
            return cls._kinds["iterative"](fit, asked)
        return cls._kinds["absorbed" if fit.encoding.absorbed else "plain"](fit, asked)

    def __init__(
        self, fit: Fit, asked: MixedSpecification | None = None, handed: Handed | None = None
    ) -> None:
        self._fit = fit
        self._asked = (asked or MixedSpecification()).changed(context=fit.encoding.memory.context)
        self._memory = Memory(fit)
        self._handed = handed or self._asked.handed(fit.rows)

    def update(
        self,
        formula: str = "~ .",
        *,
        data: Any = KEPT,
        reml: Any = KEPT,
        weights: Any = KEPT,
        offset: Any = KEPT,
        contrasts: Any = KEPT,
        na_action: Any = KEPT,
        n_jobs: Any = KEPT,
        known: Any = KEPT,
        solver: Any = KEPT,
    ) -> Any:
        """Fit the model again with another formula, other data or other options; the rest is kept.

        Parameters
        ----------
        formula : str
            A change, by the rules of R's `update.formula`: ``"~ . + z"``, ``"log(.) ~ ."``, ``"~ . - (x | g)
            + (1 | g)"``. Left of '~', `.` is the response; right of it, all terms. Inside a product or a call
            `.` is the sum of the fixed terms, and random terms stay. Absorbed factors stay unless a bar says
            other: ``"~ . | . + year"``, ``"~ . | 0"``. Random terms that are not there cannot be taken away.
        data, reml, weights, offset, contrasts, na_action, n_jobs, known, solver
            As for `interlace.lmer`; without them, as before. `None` takes away what was given before.

        Returns
        -------
        LinearMixedModel
            Functions that the formula used are those of the first fit; new ones are those of the caller.

        Raises
        ------
        FormulaError
            The formula cannot be understood.
        DataError
            The data are not here, as after unpickling, and not given.
        ModelError
            The response of the model was given by `refit`, and is no column.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> m.update("~ . + I(Days**2) - (Days | Subject) + (1 | Subject)", reml=False).formula
        'Reaction ~ Days + I(Days ** 2) + (1 | Subject)'
        """
        given = {
            "data": data, "reml": reml, "weights": weights, "offset": offset, "contrasts": contrasts,
            "na_action": na_action, "n_jobs": n_jobs, "known": known,
            "solver": solver if solver is KEPT else self._asked.solver.changed(solver),
        }  # fmt: skip
        text, asked = self._asked.updated(self._fit.encoding.formula, formula, given)
        return self._holding(asked.fit(text), asked)

    @property
    def fit(self) -> Fit:
        """What the model is made of: encoding, design, optimum, solution.

        It is for programs that look inside, and may change between versions; completion does not offer it.
        """
        return self._fit

    @property
    def formula(self) -> str:
        """The formula as it was written."""
        return self._fit.encoding.formula.text or str(self._fit.encoding.formula)

    @property
    def nobs(self) -> int:
        """Number of rows used."""
        return likelihood.n_obs(self._fit)

    @property
    def ngroups(self) -> dict[str, int]:
        """Number of levels of each grouping factor."""
        return ranef.n_groups(self._fit)

    @property
    def convergence(self) -> Convergence:
        """The facts about the optimum: scaled gradient, curvature, evaluations, what is singular."""
        return convergence(self._fit)

    @property
    def loglik(self) -> float:
        """The restricted log-likelihood of a REML fit, the log-likelihood of an ML fit."""
        return self._fit.loglik

    @property
    def aic(self) -> float:
        """-2 loglik + 2 (p + number of covariance parameters + 1)."""
        return likelihood.aic(self._fit)

    @property
    def bic(self) -> float:
        """-2 loglik + log(n) (p + number of covariance parameters + 1)."""
        return likelihood.bic(self._fit)

    @property
    def df_resid(self) -> int:
        """n - (p + number of covariance parameters + 1)."""
        return likelihood.df_resid(self._fit)
