"""Random slopes in predictors that are far from zero."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from interlace import lmer
from interlace.errors import ConvergenceWarning


def data(mean: float) -> pd.DataFrame:
    """A predictor of spread 1, in whole numbers so that a mean of 1e15 does not change it."""
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(12), 10)
    x = np.tile([-1.0, 1.0], 60)
    y = rng.normal(size=12)[g] + rng.normal(size=12)[g] * x + rng.normal(size=120)
    return pd.DataFrame({"y": y, "x": x + mean, "g": g})


@pytest.mark.parametrize(("mean", "far"), [(5e11, True), (4e11, False), (-5e11, True), (-4e11, False)])
def test_intercepts_that_are_too_far_away_are_said(mean: float, far: bool) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        m = lmer("y ~ 1 + (x | g)", data(mean))
    said = [str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning)]
    assert bool(said) == far
    if far:
        assert "(x | g) refer to x = 0, which is 5e+11 times the spread of x away" in said[0]
        assert "center(x)" in said[0]
    assert m.reml_criterion == pytest.approx(lmer("y ~ 1 + (x | g)", data(0.0)).reml_criterion, abs=1e-6)


@pytest.mark.parametrize("formula", ["y ~ 1 + (center(x) | g)", "y ~ 1 + (1 | g)"])
def test_others_are_not(formula: str) -> None:
    lmer(formula, data(1e15))
