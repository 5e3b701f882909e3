"""The adapter for checkmodel beside our own numbers; without that package, the error."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import interlace
from interlace.adapters.check_model import for_checkmodel


def model() -> interlace.LinearMixedModel:
    data = interlace.datasets.load("orthodont")
    data.loc[data.index[3], "age"] = np.nan
    return interlace.lmer("distance ~ age * Sex + (1 | Subject)", data, na_action="exclude")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "checkmodel", None)
    with pytest.raises(interlace.MissingPackageError, match="pip install checkmodel"):
        for_checkmodel(model())
    absorbed = interlace.lmer("distance ~ age + (1 | Subject) | Sex", interlace.datasets.load("orthodont"))
    with pytest.raises(interlace.ModelError, match="absorbed"):
        for_checkmodel(absorbed)


def test_checks_have_the_numbers_of_the_model() -> None:
    package = pytest.importorskip("checkmodel")
    m = model()
    adapted = for_checkmodel(m)
    assert adapted.n_obs == 107 and adapted.loglik == m.loglik and adapted.loglik_df == 6
    np.testing.assert_allclose(adapted.resid, m.residuals().dropna(), rtol=1e-10)
    np.testing.assert_allclose(adapted.hat, m.leverage()["overall"].dropna())
    assert f"max {m.collinearity()['vif'].max():.2f}" in str(package.check_collinearity(adapted))
    assert "Normality" in str(package.check_model(adapted))
