"""The numbers of tables as they are printed: R's digits, under the names of their columns."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable

import numpy as np
import pandas as pd

from interlace.tables.format import (
    LINE_WIDTH,
    format_common,
    format_p,
    in_pieces,
    significance_stars,
)

DIGITS = 5  # of tests
ESTIMATE_DIGITS = 4
NO_ROWS = "(nothing to show)"
NOTHING = 1e-13  # share of the largest number of a table: a difference below it is rounding error
FORMULA = "formula"  # above the table in text, where lines are short

# The columns by how their numbers are printed. Estimates share digits with what has their unit, as in R's
# `printCoefmat`; numbers of all others are printed as sums of squares are.
ESTIMATES = ("estimate", "se", "df", "lower", "upper")
P_VALUES = ("p", "p_mixture", "p_adjusted")
STATISTICS = ("F", "chisq", "lrt", "statistic")

Printed = tuple[list[str], list[list[str]], str]


def lines(table: pd.DataFrame, *, words: bool = True, width: int | None = None) -> list[str]:
    """The lines of a table, with its heading and note unless they are said elsewhere.

    Of a table that is wider than `width` some columns stand below the others.

    >>> table = pd.DataFrame({"chisq": [45.853006], "df": [1.0], "p": [1.274674e-11]}, index=["Days"])
    >>> print("\\n".join(lines(table)))
          chisq df         p
    Days 45.853  1 1.275e-11
    """
    formulas = (
        [f"{label}: {text}" for label, text in zip(table.index, table[FORMULA], strict=True)]
        if (FORMULA in table)
        else []
    )
    header, rows, align = printed(table.drop(columns=FORMULA) if formulas else table)
    heading, note = (textwrap.wrap(table.attrs.get(part, ""), LINE_WIDTH) for part in ("heading", "note"))
    body = [*formulas, *(in_pieces(header, rows, align, width) if rows else [NO_ROWS])]
    return [*heading, *body, *note] if words else body


def printed(table: pd.DataFrame, *, stars: bool = False) -> Printed:
    """Header, rows and alignment of a table, its labels first; stars beside the p-values if wanted."""
    columns = cells(table)
    align = ["r" if pd.api.types.is_numeric_dtype(table[name].dtype) else "l" for name in columns]
    header = list(columns)
    if stars and "p" in table:
        columns[""] = [significance_stars(p) for p in table["p"]]
        header, align = [*header, ""], [*align, "l"]
    rows = (
        [list(row) for row in zip(*columns.values(), strict=True)] if columns else [[] for _ in table.index]
    )
    if isinstance(table.index, pd.RangeIndex):
        return header, rows, "".join(align)
    labelled = [[str(label), *row] for label, row in zip(table.index, rows, strict=True)]
    return ["", *header], labelled, "".join(["l", *align])


def cells(table: pd.DataFrame) -> dict[str, list[str]]:
    """Every column as it is printed, under its own name."""
    if "estimate" not in table:
        return {str(name): _blank(table[name], _cells(str(name), table[name])) for name in table.columns}
    together = [name for name in ESTIMATES if name in table]
    shared = iter(_rounded_like_r(table[together].to_numpy()) if len(table) else [])
    found = {name: [next(shared) for _ in range(len(table))] for name in together}
    return {
        str(name): found[name] if name in found else _cells_of_estimates(str(name), table[name])
        for name in table.columns
    }


def _blank(column: pd.Series, texts: list[str]) -> list[str]:
    """Nothing where there is no value, as R prints tables of tests."""
    return ["" if pd.isna(value) else text for value, text in zip(column, texts, strict=True)]


def _cells(name: str, column: pd.Series) -> list[str]:
    if not pd.api.types.is_numeric_dtype(column.dtype):
        return [str(value) for value in column]
    values = column.to_numpy(dtype=np.float64)
    known = values[np.isfinite(values)]
    if name in P_VALUES:
        return format_p(values, DIGITS - 1)
    if name in STATISTICS:
        return format_common(np.round(values, DIGITS - 1), DIGITS)
    largest = np.max(np.abs(known), initial=0.0)
    decimals = DIGITS if largest == 0 else max(0, math.floor(DIGITS - math.log10(largest) + 0.5))
    return format_common(np.round(values, decimals), DIGITS)


def _cells_of_estimates(name: str, column: pd.Series) -> list[str]:
    as_text = _BESIDE_ESTIMATES.get(name)
    if as_text is None or not pd.api.types.is_numeric_dtype(column.dtype):
        return _blank(column, _cells(name, column))
    return as_text(column.to_numpy(dtype=np.float64))


_BESIDE_ESTIMATES: dict[str, Callable[[np.ndarray], list[str]]] = {
    "t": lambda t: format_common(np.round(t, ESTIMATE_DIGITS - 1), ESTIMATE_DIGITS),
    "p": lambda p: format_p(p, ESTIMATE_DIGITS - 1),
    "p_adjusted": lambda p: format_p(p, ESTIMATE_DIGITS - 1),
}


def _rounded_like_r(values: np.ndarray) -> list[str]:
    """R's `printCoefmat`: round by the range of magnitudes, then share digits and width over all columns."""
    largest = np.max(np.abs(values[np.isfinite(values)]), initial=0.0)
    values = np.where(np.abs(values) < NOTHING * largest, 0.0, values)
    finite = np.abs(values[np.isfinite(values) & (values != 0)])
    before_point = 1 + np.floor(np.log10([finite.min(), finite.max()])) if finite.size else np.array([1.0])
    decimals = max(1, int(np.max(ESTIMATE_DIGITS - before_point)))
    texts = format_common(np.round(values, decimals).T.ravel(), ESTIMATE_DIGITS)
    width = max(map(len, texts))
    return [text.rjust(width) for text in texts]
