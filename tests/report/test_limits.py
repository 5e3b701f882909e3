"""Both sides of the numbers by which a print is laid out: width, digits, and what is left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.report.facts import SummaryFacts
from interlace.tables.cells import lines
from interlace.tables.format import SMALLEST_P, format_p, named_numbers, wrapped_columns


@pytest.mark.parametrize(("coefficients", "shown"), [(1, False), (2, True), (20, True), (21, False)])
def test_correlations_that_are_printed_unasked(coefficients: int, shown: bool) -> None:
    facts: Any = SimpleNamespace(correlation=np.eye(coefficients), correlation_asked=None)
    assert SummaryFacts.correlation_shown.fget(facts) == shown  # type: ignore[attr-defined]


@pytest.mark.parametrize(("width", "per_line"), [(8, 9), (40, 1)])
def test_width_of_a_line(width: int, per_line: int) -> None:
    """Nine of eight characters and the blanks between them are 80; two of forty are 81."""
    rows = named_numbers(["n" * width] * 9, ["1"] * 9)
    assert len(rows) == 2 * (9 // per_line)
    assert len(rows[0]) == width * per_line + per_line - 1


@pytest.mark.parametrize(("width", "pieces"), [(37, 1), (38, 2)])
def test_width_of_a_table(width: int, pieces: int) -> None:
    """Labels of four, and two columns: 4 + 1 + 37 + 1 + 37 is 80."""
    rows = wrapped_columns(["rows"], [("a" * width, ["1"]), ("b" * 37, ["2"])])
    assert len(rows) == 2 * pieces
    assert pieces == 2 or len(rows[0]) == 80


def test_p_values_below_the_precision_of_a_number() -> None:
    """As R, whose smallest is .Machine$double.eps."""
    assert SMALLEST_P == 2.0**-52
    assert format_p([2.0**-52], 3) == ["2.22e-16"]
    assert format_p([2.0**-52 * 0.999], 3) == ["<2e-16"]


def test_digits_of_a_table_of_tests() -> None:
    """As R prints a table of class "anova": 1234.57 and 2.35, 4.5679 and 12.3457, .01235 and .50000."""
    table = pd.DataFrame(
        {"sum_sq": [1234.5678, 2.34567], "F": [4.56789123, 12.3456789], "p": [0.0123456, 0.5]},
        index=["a", "b"],
    )
    assert [line.split() for line in lines(table)] == [
        ["sum_sq", "F", "p"],
        ["a", "1234.57", "4.5679", "0.01235"],
        ["b", "2.35", "12.3457", "0.50000"],
    ]
