"""What `lmer(..., solver="iterative")` answers, and what it refuses."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError, ModelError
from interlace.estimation import prepare
from interlace.model.with_probes import IterativeModel

FORMULA = "y ~ x + (1 | a) + (1 | b)"


def made(n: int = 1200) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    a, b, x = rng.integers(70, size=n), rng.integers(40, size=n), rng.normal(size=n)
    y = 1 + 0.5 * x + rng.normal(size=70)[a] + 0.5 * rng.normal(size=40)[b] + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "a": a, "b": b})


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return made()


@pytest.fixture(scope="module")
def exact(data: pd.DataFrame) -> Any:
    return interlace.lmer(FORMULA, data)


@pytest.fixture(scope="module")
def model(data: pd.DataFrame) -> Any:
    return interlace.lmer(FORMULA, data, solver="iterative")


def test_estimates_lie_within_the_reported_error(model: Any, exact: Any) -> None:
    table = model.monte_carlo()
    sd, sigma = exact.varcorr()["sd"].to_numpy(), exact.sigma
    known = [exact.reml_criterion, *sd[:-1], sigma, *exact.fixef]
    error = table["error"].to_numpy()
    assert (np.abs(table["estimate"].to_numpy() - known) < 5 * error + 1e-7).all()
    assert (error[:4] > 0).all()
    assert (table["share"].to_numpy()[-2:] < 1e-3).all()


def test_what_rests_on_estimates_is_as_of_the_exact_fit(model: Any, exact: Any, data: pd.DataFrame) -> None:
    np.testing.assert_allclose(model.fixef, exact.fixef, rtol=1e-5)
    np.testing.assert_allclose(model.se, exact.se, rtol=1e-4)
    np.testing.assert_allclose(model.predict(data), exact.predict(data), atol=1e-3)
    np.testing.assert_allclose(model.ranef()["a"], exact.ranef()["a"], atol=1e-3)
    np.testing.assert_allclose(
        model.coef_table()["p"], exact.coef_table(ddf="asymptotic")["p"], rtol=1e-2, atol=1e-12
    )
    assert model.deviance == pytest.approx(exact.deviance, abs=0.1)
    assert model.r2()["conditional"] == pytest.approx(exact.r2()["conditional"], abs=1e-4)
    assert "x" in str(model.summary())
    assert list(model.confint().index) == ["Intercept", "x"]
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.fixef, model.fixef)
    ml = model.refit(reml=False)
    assert ml.loglik == pytest.approx(exact.refit(reml=False).loglik, abs=0.05)


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "profile": (lambda m: m.profile(), "search at every point"),
    "Kenward-Roger": (lambda m: m.coef_table(ddf="kenward-roger"), "ddf='asymptotic'"),
    "Satterthwaite": (lambda m: m.summary(ddf="satterthwaite"), "ddf='asymptotic'"),
    "condvar": (lambda m: m.condvar(), "rests on the factor"),
    "modes with their deviations": (lambda m: m.ranef(condvar=True), "rests on the factor"),
    "intervals of predictions": (lambda m: m.predict(made(), interval="confidence"), "rests on the factor"),
    "standard errors of variances": (lambda m: m.varcorr(se=True), "solver='exact'"),
    "bootstrap": (lambda m: m.bootstrap(5), "error of its own"),
    "intervals by profile": (lambda m: m.confint(method="profile"), "error of its own"),
    "leverage": (lambda m: m.leverage(), "rests on the factor"),
    "plot": (lambda m: m.plot, "rests on the factor"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_it_cannot_give_is_refused_with_the_reason(model: Any, what: str) -> None:
    ask, why = REFUSED[what]
    with pytest.raises(ModelError, match=why):
        ask(model)


@pytest.mark.parametrize(
    ("formula", "options", "why"),
    [
        ("y ~ x + (1 | a)", {}, "one grouping factor"),
        ("y ~ x + (1 | a) | b", {}, "absorbed"),
        ("y ~ x + cs(x | a) + (1 | b)", {}, "structure"),
        (FORMULA, {"known": {"a": (np.eye(70), np.arange(70))}}, "known="),
    ],
)
def test_models_it_is_not_for(data: pd.DataFrame, formula: str, options: dict[str, Any], why: str) -> None:
    with pytest.raises(ModelError, match=why):
        interlace.lmer(formula, data, solver="iterative", **options)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"solver": "iteratve"}, "choose from auto, exact, iterative"),
        ({"probes": 1}, "2 at least"),
        ({"probes": 0.5}, "positive whole number"),
        ({"seed": -1}, "whole number from 0"),
    ],
)
def test_options_that_are_none(data: pd.DataFrame, options: dict[str, Any], why: str) -> None:
    with pytest.raises(DataError, match=why):
        interlace.lmer(FORMULA, data, **options)


def test_the_size_of_the_factor_chooses(data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not isinstance(interlace.lmer(FORMULA, data), IterativeModel)
    monkeypatch.setattr(prepare, "LARGEST_EXACT", 1.0)
    assert isinstance(interlace.lmer(FORMULA, data), IterativeModel)
    assert not isinstance(interlace.lmer(FORMULA, data, solver="exact"), IterativeModel)
    assert not isinstance(interlace.lmer("y ~ x + (1 | a)", data), IterativeModel)


def test_so_does_its_memory(data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlace.estimation.capacity._limit", lambda A, leading: 100.0)
    assert isinstance(interlace.lmer(FORMULA, data), IterativeModel)
    with pytest.raises(ModelError, match="solver='iterative'"):
        interlace.lmer(FORMULA, data, solver="exact")


def test_the_seed_is_all_that_is_random(data: pd.DataFrame) -> None:
    first, second = (interlace.lmer(FORMULA, data, solver="iterative", probes=4, seed=9) for _ in range(2))
    assert first.theta.tolist() == second.theta.tolist()
    other = interlace.lmer(FORMULA, data, solver="iterative", probes=4, seed=10)
    assert first.theta.tolist() != other.theta.tolist()


def test_updates_and_other_names(model: Any) -> None:
    assert type(model.update("~ . - x")) is IterativeModel
    with pytest.raises(ModelError, match="one grouping factor"):
        model.update("~ . - (1 | b)")
    assert not isinstance(model.update("~ . - (1 | b)", solver="auto"), IterativeModel)
    np.testing.assert_array_equal(model.params, model.fixef)
    assert (model.pvalues < 1e-6).all()


def test_a_file_holds_it(model: Any, tmp_path: Path) -> None:
    model.save(tmp_path / "m.interlace")
    again = interlace.load(tmp_path / "m.interlace")
    assert isinstance(again, IterativeModel)
    assert again.monte_carlo().equals(model.monte_carlo())
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model.without_rows())).fixef, model.fixef)
