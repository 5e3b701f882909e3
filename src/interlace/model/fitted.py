"""What every fitted model has, whatever its kind: where it came from, and how well it fits."""

from __future__ import annotations

from interlace.estimation import likelihood
from interlace.estimation.fit import Fit
from interlace.precision.memory import Memory
from interlace.prediction import ranef
from interlace.report.convergence import Convergence, convergence


class Fitted:
    """What every fitted model has, whatever its kind: where it came from, and how well it fits."""

    def __init__(self, fit: Fit, *, data_name: str = "") -> None:
        self._fit = fit
        self._data_name = data_name
        self._memory = Memory(fit)

    @property
    def fit(self) -> Fit:
        """The values the model was made from: encoding, design, optimum, solution."""
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
