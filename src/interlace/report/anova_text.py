"""Tables of tests as text, laid out as R prints an `anova` object."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from interlace.report.format import format_common, format_p, text_table

DIGITS = 5

_HEADINGS = {
    "sum_sq": "Sum Sq",
    "mean_sq": "Mean Sq",
    "num_df": "NumDF",
    "den_df": "DenDF",
    "F": "F value",
    "chisq": "Chisq",
    "df": "Df",
    "aic": "AIC",
    "p": "Pr(>F)",
}


def anova_text(table: pd.DataFrame) -> str:
    """A table of `inference.anova` or `inference.drop1`, with its heading and note.

    >>> table = pd.DataFrame({"chisq": [45.853006], "df": [1.0], "p": [1.274674e-11]}, index=["Days"])
    >>> print(anova_text(table))
          Chisq Df Pr(>Chisq)
    Days 45.853  1  1.275e-11
    """
    headings = dict(_HEADINGS, p="Pr(>Chisq)" if "chisq" in table else "Pr(>F)")
    names = list(table.columns)
    cells = [_cells(name, table[name].to_numpy(dtype=np.float64)) for name in names]
    rows = [[str(label), *row] for label, row in zip(table.index, zip(*cells, strict=True), strict=True)]
    lines = text_table(["", *(headings[name] for name in names)], rows, "l" + "r" * len(names))
    heading, note = table.attrs.get("heading"), table.attrs.get("note")
    return "\n".join([*([heading] if heading else []), *lines, *([note] if note else [])])


def _cells(name: str, values: np.ndarray) -> list[str]:
    known = values[np.isfinite(values)]
    if name == "p":
        texts = format_p(values, DIGITS - 1)
    elif name in ("F", "chisq"):
        texts = format_common(np.round(values, DIGITS - 1), DIGITS)
    else:
        largest = np.max(np.abs(known), initial=0.0)
        decimals = DIGITS if largest == 0 else max(0, math.floor(DIGITS - math.log10(largest) + 0.5))
        texts = format_common(np.round(values, decimals), DIGITS)
    return ["" if np.isnan(value) else text for value, text in zip(values, texts, strict=True)]
