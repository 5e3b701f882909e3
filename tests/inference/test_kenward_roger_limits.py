"""Kenward-Roger where its formulas divide by little or by nothing (r/kenward_roger_limits.R)."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import ModelError
from interlace.precision.kenward_roger import NO_F, Approximation, KenwardRogerDdf, _adjusted, approximation
from reference_data import frame

R = json.loads((Path(__file__).parent / "r" / "kenward_roger_limits.json").read_text())


def number(value: float | str) -> float:
    return float(value)


def sane(case: dict[str, Any]) -> bool:
    return number(case["ddf"]) > 0 and number(case["scale"]) > 0


def test_moments_are_those_of_pbkrtest_wherever_these_are_an_f_distribution() -> None:
    cases = [case for case in R["moments"] if sane(case)]
    assert len(cases) > 120
    for case in cases:
        found = approximation(case["q"], case["A1"], case["A2"])
        assert not found.note
        np.testing.assert_allclose(found[:2], [number(case["ddf"]), number(case["scale"])], rtol=1e-9)


def test_where_pbkrtest_has_negative_df_or_a_negative_scale() -> None:
    """The df of rows that all have the same, which are small there, and a note."""
    cases = [case for case in R["moments"] if not sane(case)]
    assert len(cases) > 10
    for case in cases:
        found = approximation(case["q"], case["A1"], case["A2"])
        assert found == (2 * case["q"] / case["A2"], 1.0, NO_F)
        assert 0 < found.df < 2.5


def test_four_df_and_a_hundredth_about_two_are_among_them() -> None:
    ddf = np.array([number(case["ddf"]) for case in R["moments"]])
    scale = np.array([number(case["scale"]) for case in R["moments"]])
    assert (np.abs(ddf - 4) < 1e-9).sum() >= 3
    for side in (-1, 1):  # pbkrtest scales F there, or does not
        near = (side * (ddf - 2) > 0.009) & (side * (ddf - 2) < 0.011) & (np.abs(ddf - 2) > 1e-6)
        assert {1.0} < set(scale[near])


def exact(q: int, A1: Fraction, A2: Fraction) -> tuple[Fraction, Fraction]:
    """The paper's formulas as they stand, in exact arithmetic."""
    B, g = (A1 + 6 * A2) / (2 * q), ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    c1, c2, c3 = (c / (3 * q + 2 * (1 - g)) for c in (g, q - g, q + 2 - g))
    mean = 1 - A2 / q
    rho = mean**2 * (1 + c1 * B) / ((1 - c2 * B) ** 2 * (1 - c3 * B)) / q
    df = 4 + (q + 2) / (q * rho - 1)
    return df, df * mean / (df - 2)


@pytest.mark.parametrize("q", [1, 2, 3, 7])
def test_nothing_is_lost_where_df_are_large_or_near_a_pole(q: int) -> None:
    for share in (Fraction(1),) if q == 1 else (Fraction(99, 100), Fraction(9, 10), Fraction(1, 3)):
        for size in (
            Fraction(1, 10**12),
            Fraction(1, 10**5),
            Fraction(1, 50),
            Fraction(1, 2) - Fraction(1, 10**9),
        ):
            A2 = size * q
            found = approximation(q, float(share * q * A2), float(A2))
            expected = [float(value) for value in exact(q, share * q * A2, A2)]
            np.testing.assert_allclose(found[:2], expected, rtol=1e-9)


@pytest.mark.parametrize("q", [1, 2, 3, 7])
def test_directions_with_the_same_df_have_them_together(q: int) -> None:
    """``A1 = q A2``, where the df are 2 q / A2: also at 4 (A2 = q / 2) and 2 (A2 = q)."""
    for df in (1e9, 30.0, 4.0, 8 / 3, 3.0, 2.0, 1.5, 0.25):
        A2 = 2 * q / df
        np.testing.assert_allclose(approximation(q, q * A2, A2)[:2], [df, 1.0], rtol=1e-9)


def test_directions_with_nearly_the_same_df_at_the_pole() -> None:
    assert approximation(3, 9.0 * (1 - 1e-13), 3.0) == (2.0, 1.0, "")
    assert approximation(3, 9.0 * (1 - 1e-11), 3.0) == (2.0, 1.0, NO_F)
    np.testing.assert_allclose(approximation(3, 3.0 * (1 - 1e-11), 1.0)[:2], [6.0, 1.0], rtol=1e-10)


def test_one_row_has_one_moment() -> None:
    """A1 = A2 then, whatever rounding makes of it."""
    assert approximation(1, 2.0 * (1 - 1e-9), 2.0) == (1.0, 1.0, "")


def test_no_part_in_the_variances_means_infinite_df() -> None:
    assert approximation(3, 0.0, 0.0) == (np.inf, 1.0, "")
    assert approximation(1, 1e-300, 1e-300) == (2 / 1e-300, 1.0, "")


def test_huge_moments_do_not_overflow() -> None:
    for size in (1e100, 1e250, 1e305):
        assert approximation(2, size, size) == (4 / size, 1.0, NO_F)
        assert approximation(1, size, size) == (2 / size, 1.0, "")


@pytest.mark.parametrize("name", R["models"])
def test_small_models(name: str) -> None:
    case = R["models"][name]
    m = interlace.lmer(case["formula"], pd.DataFrame(case["data"]))
    ours, theirs = m.coef_table(ddf="kenward-roger"), frame(case["coef"])
    np.testing.assert_allclose(ours["df"], theirs["df"], rtol=1e-5)
    np.testing.assert_allclose(ours["se"], theirs["Std. Error"], rtol=1e-5)
    ours, theirs = m.anova(ddf="kenward-roger"), frame(case["anova"])
    np.testing.assert_allclose(ours["den_df"], theirs["DenDF"], rtol=1e-5)
    np.testing.assert_allclose(ours["F"], theirs["F value"], rtol=1e-5, atol=1e-20)
    if name == "four":
        np.testing.assert_allclose(m.coef_table(ddf="kenward-roger")["df"], [4, 8 / 3, 4, 4], rtol=1e-9)


def test_moments_without_an_f_distribution_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"g": list("aabbccdd"), "f": list("uvwuvwuv"), "y": rng.normal(size=8)})
    m = interlace.lmer("y ~ f + (1 | g)", data)

    def badly(self: KenwardRogerDdf, rows: np.ndarray) -> Approximation:
        return approximation(len(rows), 0.5, 12.0)

    monkeypatch.setattr(KenwardRogerDdf, "_approximation", badly)
    table = m.anova(ddf="kenward-roger")
    assert table.loc["f", "den_df"] == pytest.approx(4 / 12)
    assert 0 < table.loc["f", "p"] < 1
    assert f"f: {NO_F}" in table.attrs["note"]
    joint = m.contrast_test(np.eye(3)[1:], ddf="kenward-roger")
    assert pytest.approx(table.loc["f", "F"]) == joint.F and joint.note.endswith(NO_F)
    assert NO_F not in m.contrast_test(np.eye(3)[1], ddf="kenward-roger").note


def test_an_adjustment_larger_than_the_covariance_is_refused() -> None:
    np.testing.assert_allclose(_adjusted(np.diag([-0.499, 0.2])), np.diag([0.002, 1.4]))
    for products in (np.diag([-0.501, 0.2]), np.array([[np.nan]])):
        with pytest.raises(ModelError, match="is not positive definite: the data hardly tell"):
            _adjusted(products)
