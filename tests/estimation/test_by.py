"""The same model by the other criterion: searched for once, from the same products, and never stale."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import ConvergenceWarning, RankDeficiencyWarning
from interlace.estimation.fit import Fit
from reference_data import load_data

FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture
def data() -> pd.DataFrame:
    return load_data("sleepstudy")


def same(one: Fit, other: Fit) -> None:
    assert one.reml == other.reml
    assert one.optimum.value == pytest.approx(other.optimum.value, abs=1e-9)
    np.testing.assert_allclose(one.solution.beta, other.solution.beta, rtol=1e-9)
    np.testing.assert_allclose(one.vcov, other.vcov, rtol=1e-5)


@pytest.mark.parametrize("reml", [True, False])
def test_it_is_what_a_fit_gives(data: pd.DataFrame, reml: bool) -> None:
    fit = interlace.lmer(FORMULA, data, reml=reml).fit
    same(fit.by(reml=not reml), interlace.lmer(FORMULA, data, reml=not reml).fit)
    assert fit.by(reml=reml) is fit


def test_it_has_the_columns_of_the_model_and_does_not_warn_again(data: pd.DataFrame) -> None:
    data = data.assign(twice=2.0 * data["Days"])
    with pytest.warns(RankDeficiencyWarning):
        fit = interlace.lmer("Reaction ~ Days + twice + (Days | Subject)", data).fit
    other = fit.by(reml=False)
    assert (other.kept, other.dropped) == (fit.kept, fit.dropped)
    same(other, interlace.lmer(FORMULA, data, reml=False).fit)


def test_it_is_searched_for_once(data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = interlace.lmer(FORMULA, data).fit
    first = fit.by(reml=False)
    monkeypatch.setattr("interlace.estimation.fit.minimise", lambda criterion: 1 / 0)
    assert fit.by(reml=False) is first


def test_what_is_made_of_a_fit_has_one_of_its_own(data: pd.DataFrame) -> None:
    fit = interlace.lmer(FORMULA, data).fit
    before = fit.by(reml=False)
    y = np.random.default_rng(1).normal(size=len(data))
    again = fit.refit(y)
    same(again.by(reml=False), interlace.lmer(FORMULA, data.assign(Reaction=y), reml=False).fit)
    assert fit.by(reml=False) is before
    same(fit.without_doubt().by(reml=False), before)


def test_it_goes_through_a_pickle(data: pd.DataFrame) -> None:
    fit = interlace.lmer(FORMULA, data).fit
    before = fit.by(reml=False)
    same(pickle.loads(pickle.dumps(fit)).by(reml=False), before)


def test_an_end_that_is_no_minimum_is_said_each_time(
    data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = interlace.lmer(FORMULA, data).fit
    monkeypatch.setattr("interlace.estimation.optimum.Optimum.converged", property(lambda self: False))
    for _ in range(2):
        with pytest.warns(ConvergenceWarning, match="without a proof"):
            fit.by(reml=False)
