"""Prediction on the rows of the fit is `fitted`, on any of them and in any order, whatever was learnt."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace
from reference_data import load_data

FORMULAS = [
    "Reaction ~ Days + (Days | Subject)",
    "Reaction ~ center(Days) + (center(Days) | Subject)",
    "Reaction ~ scale(Days) * grp + (0 + scale(Days) | Subject)",
    "Reaction ~ poly(Days, 3) + (poly(Days, 2) | Subject)",
    "Reaction ~ bs(Days, df=4) + (1 | Subject)",
    "Reaction ~ 0 + cs(Days, df=4) + (1 | Subject)",
    "Reaction ~ ns(Days, 3) + (Days || Subject)",
    "Reaction ~ C(grp, contr.sum) * Days + (1 | Subject)",
    "Reaction ~ factor(Days) + offset(off) + (1 | Subject)",
    "Reaction ~ I(Days**2) + np.sqrt(Days) + (1 | Subject)",
    "log(Reaction) ~ Days:grp + (1 | grp/Subject)",
    "Reaction ~ 0 + grp + Days + (1 | Subject) + (0 + Days | Subject)",
    "Reaction ~ I(Days > 4) + (1 | Subject)",
    "Reaction ~ (Days + I(Days**2)) ** 2 - I(Days**2) + (1 | Subject)",
]


@pytest.fixture(scope="module", params=FORMULAS)
def fitted_with(request: pytest.FixtureRequest) -> tuple[interlace.LinearMixedModel, pd.DataFrame]:
    data = load_data("sleepstudy")
    return interlace.lmer(request.param, data), data


def test_all_rows(fitted_with: tuple[interlace.LinearMixedModel, pd.DataFrame]) -> None:
    model, data = fitted_with
    pd.testing.assert_series_equal(model.predict(data), model.fitted, check_names=False, rtol=1e-10)


def test_any_rows_in_any_order(fitted_with: tuple[interlace.LinearMixedModel, pd.DataFrame]) -> None:
    model, data = fitted_with
    rng = np.random.default_rng(0)
    for size in (1, 2, 7, 60):
        some = data.drop(columns="Reaction").iloc[rng.permutation(len(data))[:size]]
        np.testing.assert_allclose(model.predict(some), model.fitted.loc[some.index], rtol=1e-10)
        centre = model.predict(random="none").loc[some.index]
        np.testing.assert_allclose(model.predict(some, random="none"), centre, rtol=1e-10)


def test_the_parts_add_up(fitted_with: tuple[interlace.LinearMixedModel, pd.DataFrame]) -> None:
    model, _ = fitted_with
    centre = model.predict(random="none")
    parts = [model.predict(random=group) - centre for group in model.ngroups]
    np.testing.assert_allclose(centre + sum(parts), model.fitted, rtol=1e-10)
    terms = [model.predict(random=str(term)) - centre for term in model.fit.encoding.formula.random]
    np.testing.assert_allclose(centre + sum(terms), model.fitted, rtol=1e-10)


def test_missing_values_touch_their_rows_only(
    fitted_with: tuple[interlace.LinearMixedModel, pd.DataFrame],
) -> None:
    model, data = fitted_with
    gaps = data.astype({"Days": np.float64})
    gaps.loc[[3, 50], "Days"] = np.nan
    gaps.loc[[4], "Subject"] = None
    predicted = model.predict(gaps)
    rest = predicted.index.difference([3, 4, 50])
    assert np.isnan(predicted.loc[[4]]).all() and len(predicted) == len(data)
    np.testing.assert_allclose(predicted.loc[rest], model.fitted.loc[rest], rtol=1e-10)
