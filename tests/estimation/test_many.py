"""Many responses at once: what each would have found by itself."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import interlace
from interlace import lmer
from interlace.datasets import load
from interlace.estimation.many import fit_many
from interlace.precision.singular import are_singular, is_singular
from interlace.variances.natural import parameter_values, parameters_of_many
from made_data import crossed

SLEEP = load("sleepstudy")
MODELS: dict[str, Any] = {
    "slopes": lambda: lmer("Reaction ~ Days + (Days | Subject)", SLEEP),
    "intercepts": lambda: lmer("Reaction ~ Days + (1 | Subject)", SLEEP),
    "independent": lambda: lmer("Reaction ~ Days + (Days || Subject)", SLEEP),
    "no intercept": lambda: lmer("Reaction ~ 0 + Days + (0 + Days | Subject)", SLEEP),
    "ml": lambda: lmer("Reaction ~ Days + (Days | Subject)", SLEEP, reml=False),
    "weights, offset": lambda: lmer(
        "Reaction ~ Days + offset(100 * Days) + (1 | Subject)",
        SLEEP.assign(w=1.0 + np.arange(180) % 3),
        weights="w",
    ),
    "six levels": lambda: lmer("Yield ~ 1 + (1 | Batch)", load("dyestuff")),
    "zero": lambda: lmer("Yield ~ 1 + (1 | Batch)", load("dyestuff2")),
    "crossed": lambda: lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", load("penicillin")),
    "nested": lambda: lmer("strength ~ 1 + (1 | batch/cask)", load("pastes")),
    "factor": lambda: lmer("angle ~ recipe * temperature + (1 | recipe:replicate)", load("cake")),
    "unbalanced": lambda: lmer("Reaction ~ Days + (Days | Subject)", SLEEP.iloc[:95]),
    "structure": lambda: lmer("y ~ x + cs(0 + f | a)", crossed(np.random.default_rng(1), n=150)),
    "rank": lambda: lmer("Reaction ~ Days + I(2 * Days) + (1 | Subject)", SLEEP),
}


def made(name: str) -> tuple[Any, np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        m = MODELS[name]()
    r = 3 if name in ("unbalanced", "structure") else 25
    return m, np.ascontiguousarray(np.asarray(m.simulate(r, seed=3)).T)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize("name", MODELS)
def test_many_responses_are_each_by_itself(name: str) -> None:
    m, Y = made(name)
    found, fits = fit_many(m.fit, Y), m.fit.refit_many(Y)
    assert found.status == tuple(fit.optimum.status for fit in fits) and not any(found.errors)
    for j, fit in enumerate(fits):
        se = np.sqrt(np.diagonal(fit.vcov))
        np.testing.assert_allclose(found.beta[j] / se, fit.solution.beta / se, rtol=0, atol=1e-6)
        np.testing.assert_allclose(found.se[j], se, rtol=1e-6)
        np.testing.assert_allclose(found.unscaled_vcov[j], fit.solution.unscaled_vcov, rtol=1e-6, atol=1e-12)
        assert found.value[j] == pytest.approx(fit.optimum.value, rel=1e-12)
    np.testing.assert_allclose(
        parameters_of_many(m.fit, found), [parameter_values(fit) for fit in fits], rtol=1e-5, atol=1e-8
    )
    assert are_singular(m.fit, found.factors).tolist() == [is_singular(fit) for fit in fits]


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_a_response_does_not_depend_on_the_others() -> None:
    m, Y = made("slopes")
    together = fit_many(m.fit, Y)
    for j in (0, 7):
        alone = fit_many(m.fit, Y[j : j + 1])
        np.testing.assert_array_equal(alone.beta[0], together.beta[j])
        np.testing.assert_array_equal(alone.factors[0][0], together.factors[0][j])


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_hard_responses_among_easy_ones() -> None:
    """One that is fitted exactly, one with variances of zero, one with effects that are nearly all of it."""
    m, Y = made("slopes")
    design = m.fit.design
    exact, none, large = design.X @ [1.0, 2.0], Y[2] - Y[2], 1e5 * design.random[0].codes + Y[3]
    none = np.tile(np.r_[1.0, -1.0], 90)
    found = fit_many(m.fit, np.array([Y[0], exact, none, large]))
    assert [one is not None for one in found.errors] == [False, True, False, False]
    assert "fits the response exactly" in str(found.errors[1]) and np.isnan(found.beta[1]).all()
    assert found.status[0] == "converged" and found.status[1] == ""
    for j, y in ((0, Y[0]), (2, none), (3, large)):
        (fit,) = m.fit.refit_many(y[None])
        np.testing.assert_allclose(found.sigma[j], fit.sigma, rtol=1e-8)
    assert are_singular(m.fit, found.factors).tolist() == [False, False, True, False]
