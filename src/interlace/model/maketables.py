"""What the package maketables asks of a model, by attributes of its names; nothing is imported for it."""

from __future__ import annotations

from typing import Any

import pandas as pd

STATISTICS = {"N": "nobs", "ll": "loglik", "aic": "aic", "bic": "bic", "rmse": "sigma"}
COLUMNS = {"estimate": "b", "se": "se", "t": "t", "p": "p", "lower": "ci95l", "upper": "ci95u"}


class ForMaketables:
    """Attributes of maketables' plug-in interface."""

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        table = pd.DataFrame(self._asked_of("coef_table")())[list(COLUMNS)].rename(columns=COLUMNS)
        return table.rename_axis("Coefficient")

    @property
    def __maketables_depvar__(self) -> str:
        return str(self._asked_of("fit").encoding.formula.response)

    @property
    def __maketables_fixef_string__(self) -> str | None:
        absorbed = self._asked_of("fit").encoding.formula.absorbed
        return "+".join(map(str, absorbed)) or None

    def __maketables_stat__(self, key: str) -> Any:
        name = STATISTICS.get(key)
        return None if name is None else self._asked_of(name)

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return ["N", "ll", "aic", "bic"]

    def _asked_of(self, name: str) -> Any:
        return getattr(self, name)
