"""The adapter for marginaleffects beside its own numbers; without that package, the error."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import interlace
from interlace.adapters.marginal_effects import for_marginaleffects


def model() -> interlace.LinearMixedModel:
    return interlace.lmer("distance ~ age * Sex + (1 | Subject)", interlace.datasets.load("orthodont"))


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "marginaleffects.classes", None)
    monkeypatch.setitem(sys.modules, "marginaleffects", None)
    with pytest.raises(interlace.MissingPackageError, match="pip install marginaleffects"):
        for_marginaleffects(model())


def test_slopes_and_predictions() -> None:
    effects = pytest.importorskip("marginaleffects")
    fitted = model()
    adapted = for_marginaleffects(fitted)
    slopes = effects.avg_slopes(adapted, variables="age", by="Sex").sort("Sex")
    mine = fitted.emtrends("age", "Sex", ddf="asymptotic").frame
    np.testing.assert_allclose(slopes["estimate"], mine["estimate"], rtol=1e-5)
    # the package takes differences of differences for these: 0.0928 where sqrt(l'Vl) is 0.0935
    np.testing.assert_allclose(slopes["std_error"], mine["se"], rtol=0.02)
    means = effects.avg_predictions(adapted, by="Sex").sort("Sex")
    at = fitted.emmeans("Sex", ddf="asymptotic").frame  # the design is balanced in age
    np.testing.assert_allclose(means["estimate"], at["estimate"], rtol=1e-8)
    np.testing.assert_allclose(means["std_error"], at["se"], rtol=1e-4)
    robust = effects.avg_predictions(adapted, by="Sex", vcov="CR2").sort("Sex")
    np.testing.assert_allclose(
        robust["std_error"], fitted.emmeans("Sex", ddf="asymptotic", vcov="CR2").frame["se"], rtol=1e-4
    )
