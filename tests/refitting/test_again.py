"""Other starts, and permutation tests beside the permutations that they stand for."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace import lmer
from interlace.datasets import load
from interlace.errors import DataError, ModelError
from interlace.estimation.fit import deviance_at
from interlace.estimation.likelihood import linear_criterion
from interlace.refitting.multistart import Ending, _judged


@pytest.fixture(scope="module")
def sleep() -> Any:
    return lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))


def test_all_starts_end_at_the_optimum(sleep: Any) -> None:
    found = sleep.multistart(8, seed=1)
    assert found.is_optimum and found.agree == 8 and not found.higher + found.lower + found.failed
    assert list(found.table.index) == ["fit", *(f"start {i}" for i in range(1, 9))]
    assert list(found.table.columns[:4]) == ["criterion", "above", "status", "evaluations"]
    np.testing.assert_allclose(found.table["criterion"], sleep.reml_criterion, rtol=1e-10)
    for name, value in sleep.confint()["estimate"].items():
        np.testing.assert_allclose(found.table[name], value, rtol=1e-4)
    assert "8 of 8 starts ended at the minimum of the fit" in found.verdict == found.table.note
    assert (found.table["evaluations"].iloc[1:] > 5).all()
    pd.testing.assert_frame_equal(found.table, sleep.multistart(8, seed=1, n_jobs=2).table)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_a_fit_that_stopped_short_is_found_out(sleep: Any) -> None:
    """The model at another theta, as if a search had ended there."""
    from dataclasses import replace

    fit = interlace.estimation.fit.at_theta(sleep.fit.encoding, sleep.fit.rows, [0.5, 0.1, 0.3])
    fit = replace(fit, optimum=replace(fit.optimum, status="converged"))
    found = type(sleep)(fit).multistart(4, seed=1)
    assert not found.is_optimum and found.lower == 4
    gap = fit.optimum.value - sleep.reml_criterion
    assert f"4 of 4 starts ended below it, by up to {gap:.4g}" in found.verdict


def test_verdicts(sleep: Any) -> None:
    here = np.array(sleep.confint()["estimate"])
    value = sleep.reml_criterion
    fit = Ending(value, "converged", 5, here)
    other, none = Ending(value + 3, "converged", 5, here), Ending(np.nan, "stalled", 5, np.nan * here)
    found = _judged(sleep.fit, fit, [fit, other, none])
    assert (found.agree, found.higher, found.lower, found.failed) == (1, 1, 0, 1) and found.is_optimum
    assert "1 ended at another minimum, above it and 1 at none" in found.verdict
    lost = _judged(sleep.fit, fit, [none])
    assert not lost.is_optimum and "whether it is the optimum is open" in lost.verdict


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize("formula", ["y ~ x + cs(0 + f | a)", "y ~ x + diag(x | a) + (1 | b)"])
def test_other_structures(formula: str) -> None:
    from made_data import crossed

    m = lmer(formula, crossed(np.random.default_rng(2), n=200))
    found = m.multistart(4, seed=2)
    assert found.agree >= 2 and not found.lower


@pytest.mark.parametrize("reml", [True, False])
def test_the_criterion_without_random_effects(reml: bool) -> None:
    s = load("sleepstudy").assign(w=1.0 + np.arange(180) % 3, o=np.arange(180.0))
    m = lmer("Reaction ~ Days + (1 | Subject)", s, weights="w", offset="o", reml=reml)
    y = m.fit.design.y
    assert linear_criterion(m.fit, y[None])[0] == pytest.approx(
        deviance_at(m.fit, [0.0], reml=reml), rel=1e-12
    )


def test_a_random_intercept_beside_permutations_of_y() -> None:
    """In balanced one-way data the ratio rises with F, and residuals change places as y does."""
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(8), 4)
    d = pd.DataFrame({"g": g, "y": rng.normal(size=32) + 1.1 * np.linspace(-1, 1, 8)[g]})

    def F(y: np.ndarray) -> np.ndarray:
        means = y.reshape(-1, 8, 4).mean(axis=2)
        between = 4 * means.var(axis=1, ddof=1)
        return between / y.reshape(-1, 8, 4).var(axis=2, ddof=1).mean(axis=1)

    y = d["y"].to_numpy()
    drawn = np.array([rng.permutation(y) for _ in range(20_000)])
    p = np.mean(F(drawn) >= F(y[None]) - 1e-12)
    m = lmer("y ~ 1 + (1 | g)", d)
    found = m.permutation_test("(1 | g)", 1999, seed=1)
    assert 0.005 < p < 0.5 and abs(found.p - p) < 4 * np.sqrt(p * (1 - p) / 2000)
    assert found.kind == "lrt" and found.within == "among all rows"
    assert found.statistic == pytest.approx(m.ranova()["lrt"].iloc[1], rel=1e-6)


def test_a_treatment_in_blocks_beside_permutations_within_blocks() -> None:
    rng = np.random.default_rng(5)
    d = pd.DataFrame({"b": np.repeat(np.arange(9), 4), "t": list("abcd") * 9})
    d["y"] = np.repeat(rng.normal(size=9), 4) * 3 + rng.normal(size=36) + 0.3 * (d["t"] == "a")

    def F(y: np.ndarray) -> np.ndarray:
        y = y.reshape(-1, 9, 4)
        t, b = y.mean(axis=1, keepdims=True), y.mean(axis=2, keepdims=True)
        left = y - t - b + y.mean(axis=(1, 2), keepdims=True)
        return 9 * t[:, 0].var(axis=1, ddof=1) / ((left**2).sum(axis=(1, 2)) / 24)

    y = d["y"].to_numpy()
    drawn = np.array([rng.permuted(y.reshape(9, 4), axis=1).ravel() for _ in range(20_000)])
    p = np.mean(F(drawn) >= F(y[None]) - 1e-12)
    m = lmer("y ~ t + (1 | b)", d)
    found = m.permutation_test("t", 1999, seed=1)
    assert 0.005 < p < 0.5 and abs(found.p - p) < 4 * np.sqrt(p * (1 - p) / 2000)
    assert found.statistic == pytest.approx(m.anova().loc["t", "F"], rel=1e-6)
    assert found.within == "within the levels of b" and found.n_failed == 0


def test_between_groups_effects_change_places() -> None:
    """A covariate of groups: under the null the p-values are uniform enough."""
    rng = np.random.default_rng(6)
    ps = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        for _ in range(40):
            g = np.repeat(np.arange(12), 5)
            d = pd.DataFrame(
                {"g": g, "x": rng.normal(size=12)[g], "y": rng.normal(size=12)[g] + rng.normal(size=60)}
            )
            ps.append(lmer("y ~ x + (1 | g)", d).permutation_test("x", 99, seed=1).p)
    ps = np.sort(ps)
    assert np.abs(ps - (np.arange(40) + 0.5) / 40).max() < 0.25  # Kolmogorov's 1 % point is 0.25


def test_slopes_seeds_and_threads(sleep: Any) -> None:
    a = sleep.permutation_test("Days in (Days | Subject)", 60, seed=2)
    b = sleep.permutation_test("Days in (Days | Subject)", 60, seed=2, n_jobs=2)
    np.testing.assert_array_equal(a.reference, b.reference)
    assert a.p == 1 / 61 and a.table.loc["Days in (Days | Subject)", "p"] == a.p
    assert a.statistic == pytest.approx(sleep.ranova()["lrt"].iloc[1], rel=1e-6)
    assert sleep.permutation_test("Subject", 20, seed=1).term == "Subject"
    assert (
        sleep.permutation_test("Days", 20, seed=1, within="Subject").within == "within the levels of Subject"
    )


def test_what_is_refused(sleep: Any) -> None:
    with pytest.raises(DataError, match=r"there is no term 'Day'"):
        sleep.permutation_test("Day")
    with pytest.raises(DataError, match="n must be"):
        sleep.permutation_test("Days", 0)
    with pytest.raises(DataError, match="seed must be"):
        sleep.permutation_test("Days", 9, seed=-1)
    with pytest.raises(DataError, match="within names 'Item'"):
        sleep.permutation_test("Days", 9, within="Item")
    with pytest.raises(DataError, match="n must be"):
        sleep.multistart(0)
    oats = lmer("yield ~ nitro * Variety + (1 | Block/Variety)", load("oats"))
    with pytest.raises(ModelError, match="part of another"):
        oats.permutation_test("nitro", 9)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_a_term_that_others_replace_has_nothing_to_permute() -> None:
    data = load("sleepstudy").assign(Hours=lambda d: 24 * d["Days"])
    with pytest.raises(DataError, match="without Hours the model is the same"):
        lmer("Reaction ~ Days + Hours + (1 | Subject)", data).permutation_test("Hours", 5, seed=1)


def test_power_without_coefficients_needs_a_test() -> None:
    m = lmer("Reaction ~ 0 + (1 | Subject)", load("sleepstudy"))
    with pytest.raises(DataError, match="no coefficients to test: give test="):
        interlace.power(m, n_groups=8, n=2, seed=1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.profile(3), "there is no parameter 3: the parameters are"),
        (lambda m: m.profile([]), "no parameter is asked for: leave it out for all"),
        (lambda m: m.confint(parm=[]), "no parameter is asked for"),
        (lambda m: m.bootstrap(5, statistic=3), "statistic must be a function of a refitted model"),
        (lambda m: m.bootstrap(5, statistic=lambda again: None), "gave nothing: it must return a number"),
        (lambda m: m.predict(level=0.9), "level= is of an interval: write interval="),
        (lambda m: m.cross_validate(np.ones(180)), "the labels given have one level"),
        (
            lambda m: m.refit(pd.concat([m.simulate(1, 1)] * 2, axis=1)),
            "two columns of the responses are called",
        ),
    ],
)
def test_nothing_is_asked_for_by_mistake(call: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        call(lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy")))


def test_adjusted_p_values_are_printed_as_p_values() -> None:
    table = lmer("Reaction ~ Days + (1 | Subject)", load("sleepstudy")).refit(
        lmer("Reaction ~ Days + (1 | Subject)", load("sleepstudy")).simulate(2, seed=1)
    )
    assert (table["p_adjusted"][table["term"] == "Days"] < 1e-10).all() and " 0.000" not in str(table)
