"""Tables of tests as text, laid out as R prints an `anova` object."""

from __future__ import annotations

import math
import textwrap

import numpy as np
import pandas as pd

from interlace.report.format import LINE_WIDTH, format_common, format_p, text_table

DIGITS = 5
NO_ROWS = "(no term to test)"

_HEADINGS = {
    "sum_sq": "Sum Sq",
    "mean_sq": "Mean Sq",
    "num_df": "NumDF",
    "den_df": "DenDF",
    "F": "F value",
    "chisq": "Chisq",
    "df": "Df",
    "npar": "npar",
    "loglik": "logLik",
    "deviance": "deviance",
    "aic": "AIC",
    "aicc": "AICc",
    "bic": "BIC",
    "delta": "delta",
    "weight": "weight",
    "lrt": "LRT",
    "p_mixture": "p mixture",
    "p": "Pr(>F)",
}


def anova_text(table: pd.DataFrame) -> str:
    """A table of tests with its heading and note; formulas stand above the numbers.

    >>> table = pd.DataFrame({"chisq": [45.853006], "df": [1.0], "p": [1.274674e-11]}, index=["Days"])
    >>> print(anova_text(table))
          Chisq Df Pr(>Chisq)
    Days 45.853  1  1.275e-11
    """
    headings = dict(_HEADINGS, p="Pr(>F)" if "F" in table else "Pr(>Chisq)")
    names = [name for name in table.columns if name in headings]
    cells = [_cells(name, table[name].to_numpy(dtype=np.float64)) for name in names]
    rows = [[str(label), *row] for label, row in zip(table.index, zip(*cells, strict=True), strict=True)]
    lines = text_table(["", *(headings[name] for name in names)], rows, "l" + "r" * len(names))
    heading, note = (textwrap.wrap(table.attrs.get(part, ""), LINE_WIDTH) for part in ("heading", "note"))
    formulas = [f"{label}: {formula}" for label, formula in table.get("formula", pd.Series()).items()]
    return "\n".join([*heading, *formulas, *(lines if rows else [NO_ROWS]), *note])


def _cells(name: str, values: np.ndarray) -> list[str]:
    known = values[np.isfinite(values)]
    if name in ("p", "p_mixture"):
        texts = format_p(values, DIGITS - 1)
    elif name in ("F", "chisq", "lrt"):
        texts = format_common(np.round(values, DIGITS - 1), DIGITS)
    else:
        largest = np.max(np.abs(known), initial=0.0)
        decimals = DIGITS if largest == 0 else max(0, math.floor(DIGITS - math.log10(largest) + 0.5))
        texts = format_common(np.round(values, decimals), DIGITS)
    return ["" if np.isnan(value) else text for value, text in zip(values, texts, strict=True)]
