"""Names of statsmodels for what has another name here: each is the other, and no more.

They are not offered by completion, where each thing has one name.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from interlace.callers import CallersSeries
from interlace.options import number


class Aliases:
    """Names of statsmodels."""

    @property
    def params(self) -> pd.Series:
        """statsmodels' name of `fixef`."""
        return self._own("fixef")

    @property
    def bse(self) -> pd.Series:
        """statsmodels' name of `se`."""
        return self._own("se")

    @property
    def tvalues(self) -> pd.Series:
        """``coef_table()["t"]``; `coef_table` has the degrees of freedom, and other methods of them."""
        return self._own("coef_table")()["t"]

    @property
    def pvalues(self) -> pd.Series:
        """``coef_table()["p"]``."""
        return self._own("coef_table")()["p"]

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """`lower` and `upper` of ``coef_table(level=1 - alpha)``, as columns 0 and 1.

        `confint` has the intervals of all parameters, by several methods.
        """
        table = self._own("coef_table")(level=1 - number("alpha", alpha))
        return pd.DataFrame({0: table["lower"], 1: table["upper"]})

    @property
    def llf(self) -> float:
        """statsmodels' name of `loglik`."""
        return float(self._own("loglik"))

    @property
    def resid(self) -> CallersSeries:
        """statsmodels' name of ``residuals()``."""
        return self._own("residuals")()

    @property
    def fittedvalues(self) -> CallersSeries:
        """statsmodels' name of `fitted`."""
        return self._own("fitted")

    @property
    def endog_names(self) -> str:
        """statsmodels' name of the response as the formula has it."""
        return str(self._own("fit").encoding.formula.response)

    def cov_params(self) -> pd.DataFrame:
        """statsmodels' name of ``vcov()``: of the coefficients, without variances."""
        return pd.DataFrame(self._own("vcov")())

    def _own(self, name: str) -> Any:
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        """What is offered by completion: no aliases, and not the values that a model is made of."""
        return [name for name in object.__dir__(self) if name not in UNOFFERED]


class LeastAliases(Aliases):
    """Names of statsmodels for what linear models alone have."""

    @property
    def rsquared(self) -> float:
        """``r2()["r2"]``."""
        return float(self._own("r2")()["r2"])

    @property
    def rsquared_adj(self) -> float:
        """``r2()["adjusted"]``."""
        return float(self._own("r2")()["adjusted"])


_NAMES = {**vars(Aliases), **vars(LeastAliases)}
UNOFFERED = frozenset([*(name for name in _NAMES if not name.startswith("_")), "fit", "random_effects"])
