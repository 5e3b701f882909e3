"""A column of drawn data, for Python and for R."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True, slots=True)
class Column:
    """Values with their kind: num, int, bool, text, factor or ordered; None is missing."""

    kind: str
    values: tuple[Any, ...]
    levels: tuple[str, ...] = ()

    @classmethod
    def of(cls, kind: str, values: Any, levels: Sequence[str] = ()) -> Column:
        """From an array or a sequence."""
        plain = values.tolist() if isinstance(values, np.ndarray) else values
        return cls(kind, tuple(plain), tuple(levels))

    def pandas(self) -> Any:
        """As pandas would hold it."""
        missing = None in self.values
        if self.kind == "num":
            return np.array([np.nan if v is None else v for v in self.values], dtype=float)
        if self.kind == "int":
            return pd.array(self.values, dtype="Int64") if missing else np.array(self.values, dtype=np.int64)
        if self.kind == "bool":
            return pd.array(self.values, dtype="boolean") if missing else np.array(self.values, dtype=bool)
        if self.kind == "text":
            return np.array(self.values, dtype=object)
        return pd.Categorical(self.values, categories=list(self.levels), ordered=self.kind == "ordered")

    def numbers(self) -> np.ndarray:
        """As floats, for making a response."""
        if self.kind in ("num", "int", "bool"):
            return np.array(self.values, dtype=float)
        return pd.factorize(np.array(self.values, dtype=object))[0].astype(float)

    def plain(self, name: str) -> dict[str, Any]:
        """For JSON."""
        return {"name": name, "kind": self.kind, "values": list(self.values), "levels": list(self.levels)}


Columns = dict[str, Column]


def frame(columns: Columns) -> pd.DataFrame:
    """The columns as a data frame."""
    return pd.DataFrame({name: column.pandas() for name, column in columns.items()})
