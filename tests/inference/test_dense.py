"""Degrees of freedom against dense matrices: weights, crossed and nested factors, slopes, islands."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import interlace
from dense_inference import DenseInference, covariance_of_variances
from interlace.estimation.fit import Fit
from interlace.precision.df import KenwardRoger, Satterthwaite
from interlace.precision.kenward_roger import bind
from made_data import crossed, islands, nested, one, table

DESIGNS = {
    "one": ("y ~ x + f + (1 | a)", lambda r: one(r, 90), {}),
    "one-slope-weights": ("y ~ x + f + (x | a)", lambda r: one(r, 150, 15), {"weights": "w"}),
    "two-terms-on-one": ("y ~ x + (1 | a) + (0 + x + z | a)", lambda r: one(r, 240, 20), {}),
    "crossed-weights-offset": (
        "y ~ x + f + (x | a) + (1 | b)",
        lambda r: crossed(r, 200, (14, 9)),
        {"weights": "w", "offset": "z"},
    ),
    "crossed-three": ("y ~ z + f + (1 | a) + (x | b) + (1 | c)", lambda r: crossed(r, 300, (9, 12, 8)), {}),
    "nested-slopes": ("y ~ x + f + (x | a / b)", lambda r: nested(r, (9, 5), 6), {}),
    "unbalanced-nested": ("y ~ x + f + (1 | a) + (1 | a:b)", lambda r: crossed(r, 150, (9, 4)), {}),
    "islands": ("y ~ x + f + (1 | a) + (1 | b)", lambda r: islands(r, 9, 4), {}),
    "islands-slopes": ("y ~ x + (x | a) + (0 + z | b)", lambda r: islands(r, 9, 5), {"weights": "w"}),
}


@cache
def fitted(name: str, reml: bool) -> Fit:
    formula, make, options = DESIGNS[name]
    rng = np.random.default_rng(7 if name == "nested-slopes" else 5)  # an interior optimum
    return interlace.lmer(formula, make(rng), reml=reml, **options).fit


@pytest.fixture(params=DESIGNS)
def fit(request: pytest.FixtureRequest) -> Fit:
    return fitted(request.param, True)


@pytest.mark.parametrize("information", ["expected", "observed"])
def test_kenward_roger(fit: Fit, information: str) -> None:
    dense = DenseInference.of(fit)
    bound = KenwardRoger(information).bind(fit)
    p = fit.solution.beta.size
    np.testing.assert_allclose(
        bound.vcov, dense.adjusted_vcov(information), rtol=1e-8, atol=1e-9 * np.abs(bound.vcov).max()
    )
    rows = np.vstack([np.eye(p), np.ones(p)])
    expected = [dense.kenward_roger(row[None], fit.solution.beta, information)[1] for row in rows]
    np.testing.assert_allclose(bound.df(rows), expected, rtol=1e-7)
    for L in (np.eye(p), np.eye(p)[1:], rows[[0, p]]):
        found = bound.f_test(L)
        F, df = dense.kenward_roger(L, fit.solution.beta, information)
        np.testing.assert_allclose([found.F, found.den_df, found.num_df], [F, df, len(L)], rtol=1e-7)


@pytest.mark.parametrize("information", ["expected", "observed"])
def test_covariance_of_the_variance_parameters(fit: Fit, information: str) -> None:
    order = fit.criterion.system.A.layout.theta_order  # the parameters come by terms in the order of theta
    sizes = [len(T) * (len(T) + 1) // 2 for T in fit.solution.factors]
    start = np.cumsum([0, *sizes])
    places = [*(j for i in order for j in range(start[i], start[i + 1])), start[-1]]
    expected = DenseInference.of(fit).W(information)[np.ix_(places, places)]
    W = covariance_of_variances(fit, bind(fit, information))
    sd = np.sqrt(np.diagonal(expected))
    np.testing.assert_allclose(W / np.outer(sd, sd), expected / np.outer(sd, sd), atol=1e-8)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", DESIGNS)
def test_satterthwaite(name: str, reml: bool) -> None:
    fit = fitted(name, reml)
    assert not interlace.LinearMixedModel(fit).is_singular  # the dense formula needs an interior optimum
    dense, bound = DenseInference.of(fit), Satterthwaite().bind(fit)
    rows = np.vstack([np.eye(fit.solution.beta.size), np.ones(fit.solution.beta.size)])
    expected = [dense.satterthwaite(row, reml=reml) for row in rows]
    np.testing.assert_allclose(bound.df(rows), expected, rtol=2e-6)
    np.testing.assert_allclose(bound.vcov, dense.Phi, rtol=1e-7, atol=1e-9 * np.abs(dense.Phi).max())


def test_kenward_roger_of_a_variance_at_zero() -> None:
    rng = np.random.default_rng(1)
    data = table(rng, a=np.repeat(np.arange(8), 5), b=np.tile(np.arange(5), 8))
    data["y"] = data["x"] + rng.normal(size=40) - 3 * np.tile(np.eye(5)[0], 8)
    data["y"] -= np.repeat(data["y"].reshape(8, 5).mean(axis=1), 5)  # no variance between levels of a
    fit = interlace.lmer("y ~ x + (1 | a) + (1 | b)", data).fit
    assert interlace.LinearMixedModel(fit).is_singular
    dense, bound = DenseInference.of(fit), KenwardRoger().bind(fit)
    np.testing.assert_allclose(bound.vcov, dense.adjusted_vcov("expected"), rtol=1e-8)
    expected = [dense.kenward_roger(row[None], fit.solution.beta, "expected")[1] for row in np.eye(2)]
    np.testing.assert_allclose(bound.df(np.eye(2)), expected, rtol=1e-8)
    assert "singular" in bound.note
