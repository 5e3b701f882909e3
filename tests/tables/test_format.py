"""Numbers as R writes them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from interlace.report.printed import coefficient_lines
from interlace.tables.format import abbreviate, format_common, text_table, wrapped_columns, zap_small


@pytest.mark.parametrize(
    ("values", "digits", "expected"),
    [  # each as R 4.2's format(values, digits = digits)
        ([612.0899, 35.07166, 654.94103], 4, ["612.09", "35.07", "654.94"]),
        ([24.74045, 5.92213, 25.59182], 4, ["24.740", "5.922", "25.592"]),
        ([1.0, 2.5], 4, ["1.0", "2.5"]),
        ([0.0, 3.7157], 4, ["0.000", "3.716"]),
        ([100.0, 2000.0], 4, ["100", "2000"]),
        ([1e-10, 1.0], 4, ["1e-10", "1e+00"]),
        ([123456789.0], 4, ["123456789"]),
        ([np.nan, 1.5, np.inf, -np.inf], 4, ["NaN", "1.5", "Inf", "-Inf"]),
        ([-0.00001, 1.25], 4, ["-0.00001", "1.25000"]),
        ([0.1 + 0.2, 1234.5678], 4, ["0.3", "1234.6"]),
        ([], 4, []),
    ],
)
def test_format_common(values: list[float], digits: int, expected: list[str]) -> None:
    assert format_common(values, digits) == expected


def test_numbers_never_read_minus_zero() -> None:
    assert format_common([-0.0, 1.25], 4) == ["0.00", "1.25"]


def test_zap_small() -> None:
    np.testing.assert_array_equal(zap_small([1e-20, 1.0], 4), [0.0, 1.0])
    np.testing.assert_array_equal(zap_small([0.0, 0.0], 4), [0.0, 0.0])


@pytest.mark.parametrize(
    ("names", "length", "expected"),
    [  # R's abbreviate(names, minlength = length)
        (["(Intercept)", "MachineB"], 6, ["(Intr)", "MachnB"]),
        (["Days", "x"], 6, ["Days", "x"]),
        (["recipe[T.B]", "Days:grp[T.b]", "gr[T.1]"], 6, ["r[T.B]", "D:[T.]", "g[T.1]"]),
        (["temperature_east", "temperature_west"], 6, ["tmprtr_s", "tmprtr_w"]),
    ],
)
def test_abbreviate(names: list[str], length: int, expected: list[str]) -> None:
    assert abbreviate(names, length) == expected


def test_names_of_thousands_of_letters() -> None:
    """Each step of one letter took time that grows with the square of the length."""
    names = ["É" * 20000 + "a", "É" * 20000 + "b", "x" * 20000 + "c", "x" * 20000 + "d"]
    assert abbreviate(names, 6) == names  # letters go from the end


@pytest.mark.parametrize(
    ("estimate", "se", "expected"),
    [  # R's printCoefmat(..., digits = 4)
        (
            [12345.678, 0.0123],
            [10.5, 0.00234],
            ["a 1.235e+04  1.050e+01 1175.779", "b 1.230e-02  2.340e-03    5.256"],
        ),
        (
            [1234567.8, 234567.8],
            [10123.5, 23412.1],
            ["a  1234568      10124  121.95", "b   234568      23412   10.02"],
        ),
        (
            [0.000012345, 0.00034],
            [0.0000055, 0.00012],
            ["a 1.234e-05  5.500e-06   2.245", "b 3.400e-04  1.200e-04   2.833"],
        ),
    ],
)
def test_coefficients_are_rounded_as_by_r(
    estimate: list[float], se: list[float], expected: list[str]
) -> None:
    table = pd.DataFrame({"estimate": estimate, "se": se}, index=["a", "b"])
    lines = coefficient_lines(table.assign(t=table["estimate"] / table["se"]))
    assert lines[0].split() == ["estimate", "se", "t"]
    assert [line.split() for line in lines[1:]] == [line.split() for line in expected]


def test_a_column_that_the_table_has_not_is_not_printed() -> None:
    lines = coefficient_lines(pd.DataFrame({"estimate": [1.0], "se": [0.5]}, index=["a"]))
    assert lines == ["  estimate  se", "a      1.0 0.5"]


def test_abbreviations_stay_distinct() -> None:
    short = abbreviate(["temperature_east", "temperature_west", "temperature_rest"], 6)
    assert len(set(short)) == 3


def test_text_table_lines_numbers_up() -> None:
    lines = text_table(["Name", "Variance", "r"], [["a", "1.0", "x"], ["bb", "10.0", "yy"]], "lnr")
    assert lines == ["Name Variance  r", "a     1.0      x", "bb   10.0     yy"]


def test_wide_tables_are_wrapped() -> None:
    columns = [(f"column{j}", ["1.000", "2.000"]) for j in range(20)]
    lines = wrapped_columns(["first", "second"], columns)
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("first") for line in lines) == len(lines) // 3 > 1
    assert all(f"column{j}" in "\n".join(lines) for j in range(20))
