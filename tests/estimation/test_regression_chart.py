"""Regressions of random effects on each other: derivatives by differences, steps there and back."""

from __future__ import annotations

import numpy as np

from interlace import lmer
from interlace.datasets import load
from interlace.estimation.regression_chart import RegressionChart
from interlace.estimation.variance_chart import VarianceChart


def chart(first: list[bool]) -> tuple[RegressionChart, np.ndarray]:
    fit = lmer("Reaction ~ Days + (Days + I(Days**2) | Subject)", load("sleepstudy")).fit
    par = np.array([1.1, 0.3, -0.2, 0.7, 0.4, 0.5])
    psi = VarianceChart(fit.criterion.parameters).at(np.append(par, 0.2))
    return RegressionChart(fit.criterion.parameters, [np.array(first)]), psi


def test_derivatives_are_those_of_differences() -> None:
    for first in ([True, False, False], [False, True, True], [False, False, True]):
        c, psi = chart(first)
        n, weights = len(psi), np.arange(1.0, len(psi) + 1)
        unit = np.eye(n) * 1e-5
        slope = np.array([(c.moved(psi, e) - c.moved(psi, -e)) / 2e-5 for e in unit]).T
        np.testing.assert_allclose(c.slope(psi), slope, atol=1e-7 * np.abs(slope).max())
        # slopes are taken at the points a step leads to: their change is the second derivative
        bend = np.array(
            [
                [weights @ (_twice(c, psi, a, b) - _twice(c, psi, a, -b)) / 4e-6 for a in np.eye(n) * 1e-3]
                for b in np.eye(n) * 1e-3
            ]
        )
        np.testing.assert_allclose(c.bend(psi, weights), bend, atol=1e-5 * np.abs(bend).max())


def _twice(c: RegressionChart, psi: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return c.moved(psi, a + b) - c.moved(psi, b - a)


def test_effects_that_the_fixed_part_lacks_come_first() -> None:
    """Given the first effect, the covariances of the others with it go in proportion to its variance."""
    c, psi = chart([True, False, False])
    step = np.zeros(len(psi))
    step[1] = np.log(2.0)
    moved = c.moved(psi, step)
    assert c.differs and not np.allclose(moved, psi)
    np.testing.assert_allclose(c.moved(moved, -step), psi, rtol=1e-12)
    none, psi = chart([False, False, False])
    assert not none.differs
    np.testing.assert_array_equal(none.slope(psi), np.eye(len(psi)))
    np.testing.assert_array_equal(none.moved(psi, step), psi + step)
