"""How each reference case is asked of `interlace`: formula, data and options, derived from the JSON files.

R's formulas are used as R writes them (`splines::ns`, `factor`, `poly(..., raw = TRUE)` and `I()` are all
understood); only a column whose name Python could not write, such as `log.radon`, is put into back quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reference_data import case_names, load_case, load_data


@dataclass(frozen=True, slots=True)
class Case:
    """One model of R and the call that fits the same model here."""

    room: str
    name: str
    data: str
    formula: str
    reml: bool
    weights: str | None
    contrasts: dict[str, str] | None

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments for `interlace.lmer`; only those that differ from its defaults, and `reml`."""
        chosen: dict[str, Any] = {"reml": self.reml}
        if self.weights is not None:
            chosen["weights"] = self.weights
        if self.contrasts is not None:
            chosen["contrasts"] = self.contrasts
        return chosen

    def frame(self) -> pd.DataFrame:
        """The data of the case; rows with missing values are still in it, as they were for R."""
        return load_data(self.data)

    def reference(self) -> dict[str, Any]:
        """R's results."""
        return load_case(self.room, self.name)

    def __str__(self) -> str:
        return self.name


def case(room: str, name: str) -> Case:
    """The case `tests/reference/ROOM/NAME.json`."""
    r = load_case(room, name)
    contrasts = r.get("contrasts")
    return Case(
        room=room,
        name=name,
        data=r["data"],
        formula=_quoted(r["formula"], load_data(r["data"]).columns),
        reml=r["REML"],
        weights=r.get("weights"),
        contrasts=contrasts and {column: kind.removeprefix("contr.") for column, kind in contrasts.items()},
    )


def lmer_cases() -> list[Case]:
    """All lmer cases, sorted by name; for `pytest.mark.parametrize("case", lmer_cases(), ids=str)`."""
    return [case("lmer", name) for name in case_names("lmer")]


def hlmdiag_cases() -> list[Case]:
    """All HLMdiag cases, sorted by name."""
    return [case("hlmdiag", name) for name in case_names("hlmdiag")]


def _quoted(formula: str, columns: Any) -> str:
    for column in columns:
        if not column.isidentifier():
            formula = re.sub(rf"(?<![\w.`]){re.escape(column)}(?![\w.`])", f"`{column}`", formula)
    return formula
