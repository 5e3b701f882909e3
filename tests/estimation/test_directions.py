"""Correlated effects of which each level tells one combination may have minima in several directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from interlace import lmer
from interlace.estimation.fit import deviance_at

pytestmark = pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")


def _narrow(seed: int, low: float = -2.0, high: float = -1.0) -> dict[str, Any]:
    """A covariate that hardly changes within groups."""
    rng = np.random.default_rng([seed, 12])
    groups = int(rng.choice([6, 8, 12]))
    g = np.repeat(np.arange(groups), int(rng.integers(3, 9)))
    spread = 10 ** rng.uniform(low, high)
    x = rng.normal(size=groups)[g] + spread * rng.normal(size=len(g))
    y = rng.normal(size=len(g)) + rng.choice([0.5, 2]) * rng.normal(size=groups)[g]
    return {"y": y, "x": x, "g": [f"g{i}" for i in g]}


# Where other starts of the search end, which one from the moments did not find.
LOWER = {
    213: (3.29025, 7.91182, 0.0),
    368: (0.28032, -0.58254, 0.0),
    1025: (2.96635, -3.06851, 0.0),
    2155: (2.27431, 3.99862, 0.0),
    3130: (1.10317, -1.96849, 9e-05),
    7935: (0.80799, -1.97599, 0.0),
    10565: (1.68394, -3.36425, 1.45604),
}


@pytest.mark.parametrize("seed", LOWER)
def test_other_directions_are_looked_at(seed: int) -> None:
    m = lmer("y ~ x + (x | g)", _narrow(seed))
    assert m.fit.optimum.value < deviance_at(m.fit, np.array(LOWER[seed]), reml=True) + 1e-4
    assert "two minima were found" in str(m.convergence)


@pytest.mark.parametrize("seed", [452, 1528, 5114])
def test_and_where_it_changes_more(seed: int) -> None:
    lower = {
        452: (0.15891, -2.25847, 6e-05),
        1528: (1.45018, 0.81402, 0.0),
        5114: (0.41062, -0.67325, 0.39104),
    }
    m = lmer("y ~ x + (x | g)", _narrow(seed, -1.0, -0.3))
    assert m.fit.optimum.value < deviance_at(m.fit, np.array(lower[seed]), reml=True) + 1e-4


def test_a_covariance_that_is_not_singular_may_be_better() -> None:
    m = lmer("y ~ x + (x | g)", _narrow(6194, -1.0, -0.3))
    assert m.fit.optimum.value == pytest.approx(171.14247, abs=1e-4)
    assert "171.1778 at the higher one" in str(m.convergence)


def _opened(groups: int, singular: float) -> list[Any]:
    rng, g = np.random.default_rng(5), np.repeat(np.arange(groups), 4)
    m = lmer("y ~ x + (x | g)", {"y": rng.normal(size=len(g)), "x": rng.normal(size=len(g)), "g": g})
    criterion = m.fit.criterion.separated()
    return criterion.kernel().opened(np.array([2.0, 0.0, 2.0 * singular]))


def test_singular_covariances_are_opened_where_it_is_cheap() -> None:
    (start,) = _opened(200, 0.009)
    np.testing.assert_allclose(start, [2.0, 0.0, 2.0])
    assert _opened(200, 0.011) == _opened(201, 0.009) == []


@pytest.mark.slow
@pytest.mark.parametrize("formula", ["y ~ x + (x | g)", "y ~ 1 + (x | g)"])
def test_no_start_ends_lower(formula: str) -> None:
    lower = 0
    for seed in range(20_000, 21_500):
        data = _narrow(seed, -2.0, -0.3)
        rng = np.random.default_rng(seed)
        m = lmer(formula, data)
        criterion = m.fit.criterion.separated()
        kernel, yy = criterion.kernel(), criterion.system.A.products.yy
        for _ in range(8):
            start = criterion.parameters.start * np.exp(2.5 * rng.normal(size=3))
            found = kernel.minimise(start, 1e-9, 200)
            ended = found["status"] == "converged" and kernel.pwrss > 1e-9 * yy
            lower += ended and found["value"] < m.fit.optimum.value - 1e-3
    assert lower == 0


def test_many_responses_are_looked_at_alike() -> None:
    data = _narrow(368)
    rng = np.random.default_rng(1)
    Y = np.column_stack([data["y"], *(rng.normal(size=(len(data["y"]), 40)).T)])
    m = lmer("y ~ x + (x | g)", data)
    found = m.refit(Y)
    slopes = found[(found["effect"] == "fixed") & (found["term"] == "x")]["estimate"].to_numpy()
    for j in range(Y.shape[1]):
        one = lmer("y ~ x + (x | g)", data | {"y": Y[:, j]})
        assert slopes[j] == pytest.approx(one.fixef["x"], rel=1e-5, abs=1e-7)


def test_a_singular_fit_with_one_minimum_is_searched_once() -> None:
    rng, g, x = np.random.default_rng(3), np.repeat(np.arange(18), 10), np.tile(np.arange(10.0), 18)
    singular = 0
    for _ in range(20):
        y = rng.normal(size=180) + 0.5 * rng.normal(size=18)[g]
        m = lmer("y ~ x + (x | g)", {"y": y, "x": x, "g": g})
        singular += "rank 1" in str(m.convergence)
        assert m.fit.optimum.searches == 1
    assert singular > 5


def _starts_and_share(groups: int, spread: float) -> tuple[int, float]:
    """How many other directions are starts, however high, about covariances that are not singular; and the
    share of what levels tell that is not along one combination each."""
    rng, g = np.random.default_rng(5), np.repeat(np.arange(groups), 4)
    x = rng.normal(size=groups)[g] + spread * np.tile([-1.5, -0.5, 0.5, 1.5], groups)
    m = lmer("y ~ x + (x | g)", {"y": rng.normal(size=len(g)), "x": x, "g": g})
    criterion = m.fit.criterion.separated()
    (basis,) = criterion.parameters.basis
    told = basis.T @ np.asarray(criterion.system.A.products.zz_diagonal(0)) @ basis
    values = np.linalg.eigvalsh(told)
    starts = criterion.kernel().turned(np.array([1.0, 0.2, 1.0]), 1e9)
    return len(starts), float(values[:, 0].sum() / values.sum())


def test_narrow_levels_and_no_others() -> None:
    found = [_starts_and_share(20, spread) for spread in np.geomspace(0.1, 3, 30)]
    shares = [share for _, share in found]
    assert min(shares) < 0.24 and max(shares) > 0.26 and any(0.2 < share < 0.3 for share in shares)
    assert all((starts > 0) == (share < 0.25) for starts, share in found)


def test_only_where_an_evaluation_is_cheap() -> None:
    assert _starts_and_share(200, 0.05)[0] > 0  # 400 random effects
    assert _starts_and_share(201, 0.05)[0] == 0
