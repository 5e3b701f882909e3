"""The search for one variance from values alone, where a derivative costs more than a few of these."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from interlace import lmer
from interlace.model.linear import LinearMixedModel

DEAR = 1e9


def panel(workers: int, firms: int, sd: float = 1.0, seed: int = 1) -> pd.DataFrame:
    """Workers in five years who draw a firm each year: what the workers leave of the firms is dense."""
    rng = np.random.default_rng(seed)
    worker = np.repeat(np.arange(workers), 5)
    firm = rng.integers(firms, size=len(worker))
    x = rng.normal(size=len(worker))
    y = (
        x
        + sd * rng.normal(size=workers)[worker]
        + rng.normal(size=firms)[firm]
        + rng.normal(size=len(worker))
    )
    return pd.DataFrame({"y": y, "x": x, "worker": worker, "firm": firm})


@cache
def model(workers: int = 4500, firms: int = 2000, sd: float = 1.0, reml: bool = True) -> LinearMixedModel:
    return lmer("y ~ x + (1 | worker) | firm", panel(workers, firms, sd), reml=reml)


@pytest.mark.parametrize("reml", [True, False])
def test_the_end_is_that_of_derivatives(reml: bool) -> None:
    fit = model(reml=reml).fit
    assert fit.criterion.system.flops > DEAR
    found = fit.optimum
    assert found.gradients == 0 and found.evaluations <= 8
    assert found.hessian_kind == "values of the criterion"
    # by Newton's steps with the exact gradient
    par = found.par
    h = found.hessian[0, 0]
    for _ in range(3):
        par = par - fit.criterion.gradient(par) / h
    np.testing.assert_allclose(found.par, par, rtol=1e-7)
    assert 0.5 * fit.criterion.gradient(found.par)[0] ** 2 / h < 1e-10
    assert found.value <= fit.criterion.value(par) + 1e-8
    # the second derivative is that of the criterion
    step = 1e-3 * par
    slopes = [fit.criterion.gradient(par + sign * step)[0] for sign in (1, -1)]
    np.testing.assert_allclose(h, (slopes[0] - slopes[1]) / (2 * step[0]), rtol=1e-2)


def test_what_is_cheap_has_derivatives() -> None:
    fit = model(3000, 1700).fit
    assert fit.criterion.system.flops < DEAR
    assert fit.optimum.gradients > 0


@pytest.mark.parametrize("times", [0.2, 0.97, 1.0, 1.03, 5.0])
def test_from_any_start(times: float) -> None:
    fit = model().fit
    found = fit.criterion.kernel().minimise(times * fit.optimum.par, 1e-10, 100)
    assert found["status"] == "converged"
    np.testing.assert_allclose(found["par"], fit.optimum.par, rtol=1e-6)
    # far away derivatives lead, and near the end values alone
    assert (found["gradients"] == 0) == (abs(times - 1) < 0.1)


def test_few_evaluations_are_kept_to() -> None:
    fit = model().fit
    found = fit.criterion.kernel().minimise(0.97 * fit.optimum.par, 1e-10, 3)
    assert found["evaluations"] <= 4 and found["status"] == "too many evaluations"


def test_a_variance_of_nothing_is_left_to_derivatives() -> None:
    fit = model(sd=0.0).fit
    assert fit.criterion.system.flops > DEAR
    assert fit.optimum.par[0] < 0.3
    at_zero = fit.criterion.value(np.zeros(1))
    assert fit.optimum.value <= at_zero + 1e-8
    assert fit.optimum.converged
