"""The bootstrap beside lme4's bootMer, beside large-sample standard errors, and beside its own definition."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace import lmer
from interlace.datasets import load
from interlace.errors import DataError, ModelError
from interlace.refitting.resampling import Residuals
from made_data import crossed

BOOTMER = json.loads((Path(__file__).parent / "bootstrap.json").read_text())


@pytest.fixture(scope="module")
def sleep() -> Any:
    return lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))


@pytest.fixture(scope="module")
def drawn(sleep: Any) -> Any:
    return sleep.bootstrap(1000, seed=3)


def test_the_distribution_of_lme4_s_bootmer(drawn: Any) -> None:
    """Means within four standard errors of the difference, standard deviations and quantiles likewise."""
    assert list(drawn.draws.columns) == BOOTMER["names"]
    sd, n = np.array(BOOTMER["sd"]), 1 / (1 / 1000 + 1 / BOOTMER["n"])
    values = drawn.draws.to_numpy()
    assert np.all(np.abs(np.nanmean(values, axis=0) - BOOTMER["mean"]) < 4 * sd / np.sqrt(n))
    np.testing.assert_allclose(np.nanstd(values, axis=0, ddof=1), sd, rtol=4 / np.sqrt(n))
    found = drawn.confint()
    # the standard error of a quantile of a normal at 2.5 % is 2.68 sd / sqrt(n)
    for end in ("lower", "upper"):
        assert np.all(np.abs(found[end] - BOOTMER[end]) < 4.5 * 2.68 * sd / np.sqrt(n)), end


def test_standard_errors_are_those_of_the_delta_method(drawn: Any, sleep: Any) -> None:
    summary = drawn.summary()
    np.testing.assert_allclose(summary.loc[["Intercept", "Days"], "se"], sleep.se, rtol=0.1)
    np.testing.assert_allclose(summary.loc["sigma", "se"], sleep.varcorr(se=True)["sd_se"].iloc[-1], rtol=0.1)


@pytest.mark.parametrize("kind", ["parametric", "residual"])
def test_the_same_seed_gives_the_same_draws(kind: str, sleep: Any) -> None:
    one = sleep.bootstrap(12, kind=kind, seed=5)
    for other in (
        sleep.bootstrap(12, kind=kind, seed=5, n_jobs=2),
        sleep.bootstrap(5, kind=kind, seed=5).append(7),
    ):
        np.testing.assert_array_equal(one.values, other.values)
    assert not np.array_equal(one.values, sleep.bootstrap(12, kind=kind, seed=6).values)


def test_residual_draws_have_the_estimated_variances(sleep: Any) -> None:
    found = Residuals.of(sleep.fit)
    (u,) = found.effects
    T = sleep.fit.solution.factors[0]
    np.testing.assert_allclose(u.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(u.T @ u / len(u), sleep.sigma**2 * T @ T.T, rtol=1e-9)
    np.testing.assert_allclose(
        [found.errors.mean(), np.mean(found.errors**2)], [0, sleep.sigma**2], atol=1e-9
    )
    np.testing.assert_allclose(found.fixed, sleep.predict(random="none"), rtol=1e-12)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_residual_draws_of_a_singular_model() -> None:
    m = lmer("Yield ~ 1 + (1 | Batch)", load("dyestuff2"))
    found = m.bootstrap(20, kind="residual", seed=1)
    assert np.all(Residuals.of(m.fit).effects[0] == 0) and len(found.draws) == 20


def test_weights_are_in_the_errors() -> None:
    """Errors of rows of weight w have a variance of sigma^2 / w."""
    s = load("sleepstudy").assign(w=np.where(np.arange(180) % 2, 100.0, 1.0))
    m = lmer("Reaction ~ Days + (1 | Subject)", s, weights="w")
    residuals = Residuals.of(m.fit)
    rng = np.random.default_rng(1)
    effects_gone = Residuals(tuple(0 * u for u in residuals.effects), residuals.errors, 0 * residuals.fixed)
    y = np.array([effects_gone.draw(m.fit, rng) for _ in range(400)])
    ratio = y[:, ::2].std() / y[:, 1::2].std()
    assert 9 < ratio < 11


def test_a_statistic_of_the_user(sleep: Any) -> None:
    named = sleep.bootstrap(8, statistic=lambda r: {"ratio": r.fixef["Days"] / r.sigma}, seed=1)
    assert named.names == ("ratio",)
    np.testing.assert_allclose(named.estimate, [sleep.fixef["Days"] / sleep.sigma])
    plain = sleep.bootstrap(8, seed=1)
    np.testing.assert_allclose(named.draws["ratio"], plain.draws["Days"] / plain.draws["sigma"])
    several = sleep.bootstrap(3, statistic=lambda r: r.fixef.to_numpy(), seed=1)
    assert several.names == ("statistic_1", "statistic_2")
    assert sleep.bootstrap(3, statistic=lambda r: r.fixef, seed=1).names == ("Intercept", "Days")


def test_intervals_by_their_formulas(drawn: Any) -> None:
    values = drawn.draws["sigma"].to_numpy()
    low, high = np.quantile(values, [0.05, 0.95])
    estimate = drawn.estimate[3]
    found = {kind: drawn.confint(kind, level=0.9).loc["sigma"] for kind in ("percentile", "basic", "normal")}
    np.testing.assert_allclose(found["percentile"], [estimate, low, high])
    np.testing.assert_allclose(found["basic"], [estimate, 2 * estimate - high, 2 * estimate - low])
    middle = 2 * estimate - values.mean()
    np.testing.assert_allclose(
        found["normal"], [estimate, *(middle + np.array([-1, 1]) * 1.644853627 * values.std(ddof=1))]
    )


def test_confint_by_bootstrap(sleep: Any) -> None:
    found = sleep.confint(["Days", "sigma"], method="bootstrap", n=50, seed=1)
    expected = sleep.bootstrap(50, seed=1).confint().loc[["sigma", "Days"]]
    pd.testing.assert_frame_equal(pd.DataFrame(found), pd.DataFrame(expected))
    basic = sleep.confint("sigma", method="bootstrap", kind="basic", n=50, seed=1)
    assert list(basic.loc["sigma"]) == list(sleep.bootstrap(50, seed=1).confint("basic").loc["sigma"])


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_singular_refits_are_counted() -> None:
    m = lmer("Yield ~ 1 + (1 | Batch)", load("dyestuff2"))
    found = m.bootstrap(50, seed=1)
    zero = int((found.draws["sd_Intercept|Batch"] < 1e-4 * found.draws["sigma"]).sum())
    assert 0 < found.n_singular == zero < 50
    assert f"{zero} of 50 refits are singular" in found.summary().note


def first_response(model: Any) -> float:
    return float(model.fit.design.y[0])


def test_failures_are_counted_with_their_reason(sleep: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    refit_many = type(sleep.fit).refit_many

    def sometimes(self: Any, Y: Any) -> Any:
        if len(Y) > 1 or Y.values[0, 0] < 250:
            raise ModelError("the response is fitted exactly: no more is known")
        return refit_many(self, Y)

    small = int((sleep.bootstrap(9, statistic=first_response, seed=1).values < 250).sum())
    assert 0 < small < 9
    monkeypatch.setattr(type(sleep.fit), "refit_many", sometimes)
    found = sleep.bootstrap(9, statistic=first_response, seed=1)
    assert found.failures == {"the response is fitted exactly": small} and len(found.draws) == 9 - small
    assert f"{small} refits failed: the response is fitted exactly" in found.confint().note
    assert (found.summary()["failed"] == small / 9).all()


def test_a_statistic_that_some_refits_do_not_have(sleep: Any) -> None:
    def picky(model: Any) -> float:
        if model.sigma > 26:
            raise ModelError("the data are too noisy: no more is known")
        return float(model.sigma)

    noisy = int((sleep.bootstrap(30, seed=1).draws["sigma"] > 26).sum())
    found = sleep.bootstrap(30, statistic=picky, seed=1)
    assert found.failures == {"the data are too noisy": noisy} and 0 < noisy < 30


def test_what_is_refused(sleep: Any) -> None:
    with pytest.raises(DataError, match="kind 'tame' is not known"):
        sleep.bootstrap(5, kind="tame")
    with pytest.raises(DataError, match="n must be"):
        sleep.bootstrap(0)
    with pytest.raises(DataError, match="seed"):
        sleep.bootstrap(5, seed="a")
    with pytest.raises(DataError, match="the statistic must give a number"):
        sleep.bootstrap(5, statistic=lambda r: "text")
    sizes = iter([1, 1, 2, 1, 1, 1])
    with pytest.raises(DataError, match="1 numbers for the model and 2 for a refit"):
        sleep.bootstrap(5, statistic=lambda r: np.ones(next(sizes)), seed=1)


def test_crossed_and_structured_models() -> None:
    data = crossed(np.random.default_rng(2), n=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        for formula in ("y ~ x + (x | a) + (1 | b)", "y ~ x + cs(0 + f | a)"):
            m = lmer(formula, data)
            for kind in ("parametric", "residual"):
                found = m.bootstrap(4, kind=kind, seed=1)
                assert list(found.draws.columns) == list(m.confint().index)
                assert np.isfinite(found.draws["sigma"]).all()
