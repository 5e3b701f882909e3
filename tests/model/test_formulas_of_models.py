"""Models with functions in all parts of their formulas have lme4's likelihood and predictions.

`formulas_of_models.R` writes `formulas_of_models.json`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace

OUTPUT: dict[str, Any] = json.loads(Path(__file__).with_name("formulas_of_models.json").read_text())


@cache
def table() -> pd.DataFrame:
    data = pd.DataFrame(OUTPUT["d"])
    data["a"] = pd.Categorical(data["a"], categories=["lo", "mid", "hi"])
    return data


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")  # singular, collinear
@pytest.mark.parametrize("case", OUTPUT["out"], ids=lambda c: c["f"])
def test_likelihood_and_predictions_are_lme4s(case: dict[str, Any]) -> None:
    m = interlace.lmer(case["f"], table())
    assert m.loglik == pytest.approx(case["ll"], abs=1e-5)
    assert len(m.fixef) == case["p"]
    predicted = np.asarray(m.predict(table().iloc[4:9], random="none"))
    np.testing.assert_allclose(predicted, case["pred"], atol=1e-4)
