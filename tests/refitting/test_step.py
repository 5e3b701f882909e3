"""Backward elimination beside lmerTest's `step` (step.R), and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError
from interlace.model import LinearMixedModel
from reference_data import array

R = json.loads((Path(__file__).parent / "step.json").read_text())
OPTIONS = {
    "alpha.random": "alpha_random",
    "alpha.fixed": "alpha_fixed",
    "reduce.random": "reduce_random",
    "reduce.fixed": "reduce_fixed",
}
RANDOM = {
    "eliminated": "Eliminated",
    "npar": "npar",
    "loglik": "logLik",
    "aic": "AIC",
    "lrt": "LRT",
    "df": "Df",
}
FIXED = {"eliminated": "Eliminated", "sum_sq": "Sum Sq", "num_df": "NumDF", "den_df": "DenDF", "F": "F value"}
LINEAR = {"eliminated": "Eliminated", "num_df": "Df", "sum_sq": "Sum of Sq", "F": "F value"}


def made() -> pd.DataFrame:
    return pd.DataFrame(R["made"])


def found(case: dict[str, Any]) -> interlace.stepping.Step:
    data = made() if case["data"] == "made" else interlace.datasets.load("sleepstudy")
    m = interlace.lmer(case["formula"], data, weights="w" if case["weights"] else None)
    given = {OPTIONS.get(name, name): value for name, value in dict(case["options"] or {}).items()}
    return interlace.step(m, **given)


def close(table: pd.DataFrame, expected: dict[str, Any], names: dict[str, str], p: str) -> None:
    theirs = [re.sub(r"\^", " ** ", label) for label in expected[".rownames"]]
    assert list(table.index) == theirs
    for ours, name in names.items():
        np.testing.assert_allclose(table[ours], array(expected[name]), rtol=2e-4, atol=2e-4, err_msg=ours)
    np.testing.assert_allclose(np.log(table["p"]), np.log(array(expected[p])), atol=2e-3)


@pytest.mark.parametrize("number", range(len(R["cases"])))
def test_as_lmertest(number: int) -> None:
    case = R["cases"][number]
    ours = found(case)
    close(ours.random, case["random"], RANDOM, "Pr(>Chisq)")
    close(ours.fixed, case["fixed"], FIXED if case["mixed"] else LINEAR, "Pr(>F)")
    assert isinstance(ours.model, LinearMixedModel) == case["mixed"]
    left = [label for label, _ in ours.model.fit.encoding.fixed_terms if label != "1"]
    assert left == case["terms"]
    np.testing.assert_allclose(ours.model.loglik, case["loglik"], rtol=1e-6)


def test_the_print_names_the_model_that_is_left() -> None:
    ours = found(R["cases"][0])
    assert str(ours).endswith("Model found:\ny ~ f + (x | subject)")
    assert "Model found: y ~ f + (x | subject)" in ours._repr_html_()
    assert ours.model.formula == "y ~ f + (x | subject)"


def test_a_linear_model_has_no_random_table() -> None:
    ours = interlace.step(interlace.lm("v ~ f + z", made()))
    assert ours.random.empty and ours.model.formula == "v ~ z"
    assert "random" not in str(ours)


def test_known_covariances_stay_with_their_groups() -> None:
    data = made()
    levels = sorted(data["subject"].unique())
    K = pd.DataFrame(np.eye(len(levels)) + 0.1, index=levels, columns=levels)
    free, known = (
        interlace.lmer("y ~ x + (x | subject) + (1 | item)", data, known=k) for k in (None, {"subject": K})
    )
    assert interlace.step(known).model.formula == interlace.step(free).model.formula
    gone = interlace.lmer("v ~ z + (1 | subject) + (1 | item)", data, known={"subject": K})
    assert interlace.step(gone).model.formula == "v ~ z"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha_fixed": 5}, "alpha_fixed must be a number between 0 and 1"),
        ({"keep": "q"}, "keep names 'q', which is no fixed term; there are f, z"),
        ({"ddf": "asymptotic"}, "choose from satterthwaite, kenward-roger"),
        ({"reduce_random": 1}, "reduce_random must be True or False"),
    ],
)
def test_refusals(options: dict[str, Any], words: str) -> None:
    m = interlace.lmer("y ~ f + z + (1 | subject)", made())
    with pytest.raises(DataError, match=words):
        interlace.step(m, **options)


def test_rows_must_stay() -> None:
    data = made()
    data.loc[3, "z"] = np.nan
    with pytest.raises(DataError, match="has 252 rows and not 251"):
        interlace.step(interlace.lmer("y ~ x + z + (x | subject)", data), alpha_fixed=0)
    with pytest.raises(DataError, match=r"a model of interlace\.lmer or interlace\.lm, not str"):
        interlace.step("y ~ x")
