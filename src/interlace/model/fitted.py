"""What every fitted model has, whatever its kind: where it came from, and how well it fits."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

from interlace.estimation import likelihood
from interlace.estimation.estimated import EstimatedOptimum
from interlace.estimation.fit import Fit
from interlace.frozen import lazy
from interlace.model.aliases import Aliases
from interlace.model.maketables import ForMaketables
from interlace.options import KEPT, switch
from interlace.precision import memory
from interlace.prediction import per_row, ranef
from interlace.refitting import specification
from interlace.report import convergence
from interlace.storage import archive

if TYPE_CHECKING:
    from interlace.precision.memory import Memory
    from interlace.prediction.per_row import Handed
    from interlace.refitting.specification import MixedSpecification
    from interlace.report.convergence import Convergence


class Fitted(Aliases, ForMaketables):
    """What every fitted model has, whatever its kind: where it came from, and how well it fits."""

    @classmethod
    def _holding(cls, fit: Fit, asked: MixedSpecification, handed: Handed | None = None) -> Any:
        """The model that a user holds of a fit, and of what was asked for."""
        if isinstance(fit.optimum, EstimatedOptimum):
            home = "with_probes.IterativeModel"
        else:
            home = "with_absorbed.AbsorbedModel" if fit.encoding.absorbed else "linear.LinearMixedModel"
        # these modules need this one, and nothing else may have loaded them: a file is read in a new process
        module, _, name = home.partition(".")
        return getattr(import_module(f"interlace.model.{module}"), name)(fit, asked, handed)

    def __init__(
        self, fit: Fit, asked: MixedSpecification | None = None, handed: Handed | None = None
    ) -> None:
        self._fit = fit
        self._asked = (asked or specification.MixedSpecification()).changed(
            context=fit.encoding.memory.context, at_once=False
        )
        self._handed = handed or self._asked.handed(fit.rows)

    @lazy
    def _memory(self) -> Memory:
        return memory.Memory(self._fit)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_memory"}

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
    ) -> Self:
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
        other: Self = self._holding(asked.fit(text), asked)
        return other

    def without_rows(self) -> Self:
        """The same model without the rows of its data, to be pickled or saved for predictions.

        It answers everything that looks at no row: coefficients and their tests, marginal means, `drop1`,
        variances, random effects, predictions of new rows with their intervals. Fitted values, residuals,
        tests of terms that look at the design, and other fits are refused.

        Returns
        -------
        LinearMixedModel

        Examples
        --------
        >>> import interlace, pickle
        >>> m = interlace.lmer("math ~ year + (year | childid)", interlace.datasets.load("egsingle"))
        >>> len(pickle.dumps(m.without_rows())) < len(pickle.dumps(m)) / 2
        True
        """
        fit = self._fit.without_rows()
        asked = self._asked.changed(data=None, weights=None, offset=None)
        return type(self)(fit, asked, per_row.Handed(fit.rows.frame))

    def save(self, path: str | os.PathLike[str], *, rows: bool = True) -> None:
        """Write the model to a file that holds no code, for `interlace.load`.

        The file is a zip archive of JSON and of arrays in NumPy's format, with the number of its format:
        later versions read it. Nothing in it is run.

        Parameters
        ----------
        path : path
        rows : bool
            False: without the rows of the data, for predictions; see `without_rows`.

        Raises
        ------
        SavingError
            The formula uses a function of the caller's.
        DataError
            The file cannot be written.

        Examples
        --------
        >>> import interlace, tempfile
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> path = f"{tempfile.mkdtemp()}/sleep.interlace"
        >>> m.save(path)
        >>> interlace.load(path).loglik == m.loglik
        True
        """
        model = self if switch("rows", rows) else self.without_rows()
        parts = {"fit": model._fit, "asked": model._asked, "handed": model._handed}
        archive.save({"kind": "mixed", **parts}, path)

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
        return convergence.convergence(self._fit)

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
