"""Tables of tests as text, with R's digits, under the names of their columns."""

from __future__ import annotations

import math
import textwrap

import numpy as np
import pandas as pd

from interlace.report.format import LINE_WIDTH, format_common, format_p, text_table

DIGITS = 5
NO_ROWS = "(no term to test)"

# The columns by how their numbers are printed; all others share their digits like sums of squares.
_P_VALUES = ("p", "p_mixture")
_STATISTICS = ("F", "chisq", "lrt")
FORMULA = "formula"  # above the table in text, where lines are short


def anova_text(table: pd.DataFrame) -> str:
    """A table of tests with its heading and note; formulas stand above the numbers.

    >>> table = pd.DataFrame({"chisq": [45.853006], "df": [1.0], "p": [1.274674e-11]}, index=["Days"])
    >>> print(anova_text(table))
          chisq df         p
    Days 45.853  1 1.275e-11
    """
    cells = anova_cells(table)
    formulas = [f"{label}: {text}" for label, text in zip(table.index, cells.pop(FORMULA, ()), strict=False)]
    rows = [
        [str(label), *row] for label, row in zip(table.index, zip(*cells.values(), strict=True), strict=False)
    ]
    lines = text_table(["", *cells], rows, "l" + "r" * len(cells))
    heading, note = (textwrap.wrap(table.attrs.get(part, ""), LINE_WIDTH) for part in ("heading", "note"))
    return "\n".join([*heading, *formulas, *(lines if rows else [NO_ROWS]), *note])


def anova_cells(table: pd.DataFrame) -> dict[str, list[str]]:
    """Every column of a table of tests as it is printed, under its own name."""
    return {str(name): _cells(str(name), table[name]) for name in table.columns}


def _cells(name: str, column: pd.Series) -> list[str]:
    if not pd.api.types.is_numeric_dtype(column.dtype):
        return ["" if pd.isna(value) else str(value) for value in column]
    values = column.to_numpy(dtype=np.float64)
    known = values[np.isfinite(values)]
    if name in _P_VALUES:
        texts = format_p(values, DIGITS - 1)
    elif name in _STATISTICS:
        texts = format_common(np.round(values, DIGITS - 1), DIGITS)
    else:
        largest = np.max(np.abs(known), initial=0.0)
        decimals = DIGITS if largest == 0 else max(0, math.floor(DIGITS - math.log10(largest) + 0.5))
        texts = format_common(np.round(values, decimals), DIGITS)
    return ["" if np.isnan(value) else text for value, text in zip(values, texts, strict=True)]
