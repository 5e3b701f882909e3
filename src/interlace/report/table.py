"""Tables of tests that print as R prints them; in every other way they are pandas DataFrames."""

from __future__ import annotations

from typing import Any

import pandas as pd

from interlace.report.anova_text import anova_text
from interlace.report.html import anova_html


class Table(pd.DataFrame):
    """A DataFrame whose text has a heading, digits chosen as by R, and the note that belongs to its tests.

    What is made of it (rows, columns, `round`) is a plain DataFrame; `attrs` has "heading" and "note".
    """

    @classmethod
    def of(cls, table: pd.DataFrame) -> Table:
        """The table with its heading and note."""
        found = cls(table)
        found.attrs = dict(table.attrs)
        return found

    @property
    def _constructor(self) -> Any:
        return pd.DataFrame

    def __repr__(self) -> str:
        return anova_text(self)

    def _repr_html_(self) -> str:
        return anova_html(self)
