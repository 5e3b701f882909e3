"""With one grouping factor the Hessian is of slopes that are sums over levels, as those by the factor are."""

from __future__ import annotations

import numpy as np
import pytest

import interlace
from interlace.estimation.fit import Fit

MODELS = {
    "one effect": "y ~ x + (1 | g)",
    "two": "y ~ x + (x | g)",
    "apart": "y ~ x + (x || g)",
    "three": "y ~ x + v + (x + v | g)",
    "four, which are not summed": "y ~ x + v + w + (x + v + w | g)",
    "two factors": "y ~ x + (x | g) + (1 | h)",
    "nothing fixed": "y ~ 0 + (1 | g)",
}


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    n = 400
    found = {name: rng.normal(size=n) for name in "xvw"}
    found |= {"g": rng.integers(0, 25, n), "h": rng.integers(0, 9, n), "weight": rng.uniform(0.5, 2.0, n)}
    effects = rng.normal(size=(25, 2))[found["g"]]
    found["y"] = (
        effects[:, 0] + effects[:, 1] * found["x"] + rng.normal(size=9)[found["h"]] + rng.normal(size=n)
    )
    return found


def by_the_factor(fit: Fit, par: np.ndarray) -> np.ndarray:
    """Central differences of the gradient, which is asked at each point by itself."""
    compiled, out = fit.criterion.kernel(), []
    for i in range(len(par)):
        step = 1e-4 * max(1.0, abs(par[i])) * np.eye(len(par))[i]
        out.append((compiled.gradient(par + step) - compiled.gradient(par - step)) / (2 * step[i]))
    H = np.array(out)
    return (H + H.T) / 2


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("weights", [None, "weight"])
@pytest.mark.parametrize("name", MODELS)
def test_it_is_that_of_the_slopes(
    name: str, weights: str | None, reml: bool, data: dict[str, np.ndarray]
) -> None:
    fit = interlace.lmer(MODELS[name], data, weights=weights, reml=reml).fit
    par = fit.optimum.par
    for at in (par, 0.7 * par + 0.1):
        expected = by_the_factor(fit, at)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(fit.criterion.hessian(at), expected, rtol=0, atol=1e-7 * scale)


def test_it_leaves_the_criterion_as_it_was(data: dict[str, np.ndarray]) -> None:
    fit = interlace.lmer(MODELS["two"], data).fit
    compiled, par = fit.criterion.kernel(), fit.optimum.par
    value = compiled.value(par)
    pwrss = compiled.pwrss
    compiled.hessian(1.2 * par)
    assert compiled.pwrss == pwrss and compiled.value(par) == value
