"""One slope within groups and another between them: the criterion may have a minimum for each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace import lmer
from interlace.estimation.fit import deviance_at

pytestmark = pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")

# within.R: the lowest minimum of lme4's deviance function, and where
LOWEST = {True: (46.495108, 47.88259), False: (49.190286, 45.47959)}
AT_ZERO = {True: "145.6058", False: "144.0109"}
SIZES = np.concatenate([[0.0], np.geomspace(1e-2, 3e3, 40)])


def _paradox() -> pd.DataFrame:
    """As within.R makes it."""
    g, i = np.repeat(np.arange(1, 9), 5), np.tile(np.arange(1, 6), 8)
    x = np.round(np.sin(7 * g) + 0.2 * np.cos(3 * i + g), 4)
    y = np.round(3 * np.sin(7 * g) - 4 * 0.2 * np.cos(3 * i + g) * 2 + 0.3 * np.sin(11 * i * g), 4)
    return pd.DataFrame({"x": x, "y": y, "g": g})


@pytest.mark.parametrize("reml", [True, False])
def test_the_lower_of_two_minima_far_apart(reml: bool) -> None:
    m = lmer("y ~ x + (1 | g)", _paradox(), reml=reml)
    value, theta = LOWEST[reml]
    assert m.fit.optimum.value == pytest.approx(value, abs=1e-5)
    assert m.theta[0] == pytest.approx(theta, rel=1e-4)
    assert f"two minima were found: the criterion is {AT_ZERO[reml]}" in str(m.convergence)
    assert m.fixef["x"] < 0  # within groups; between them it rises


def _conflicting(seed: int, groups: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), 5)
    share = 10 ** rng.uniform(-2.5, -0.2)
    within = rng.normal(size=g.size)
    x = rng.normal(size=groups)[g] + share * within
    y = rng.normal(size=g.size) + 2 * x + rng.normal(0, 3) * within + rng.normal(size=groups)[g] * seed % 3
    return pd.DataFrame({"y": y, "x": x, "g": g})


@pytest.mark.parametrize("groups", [3, 6, 12, 30])
def test_no_other_size_of_the_effects_is_better(groups: int) -> None:
    for seed in range(12):
        m = lmer("y ~ x + (1 | g)", _conflicting(seed, groups), reml=seed % 2 == 0)
        values = [deviance_at(m.fit, np.array([size]), reml=m.fit.reml) for size in SIZES]
        assert m.fit.optimum.value < min(values) + 1e-6, seed


def test_refits_of_many_responses_see_both_minima() -> None:
    data = _paradox()
    responses = pd.DataFrame({"same": data["y"], "turned": data["y"].to_numpy()[::-1]})
    found = lmer("y ~ x + (1 | g)", data).refit(responses)
    for name in responses:
        one = lmer("y ~ x + (1 | g)", data.assign(y=responses[name]))
        ours = found[(found["response"] == name) & (found["effect"] == "fixed")]["estimate"]
        np.testing.assert_allclose(ours, one.fixef, rtol=1e-6)


FORMULAS = [
    "y ~ x + (x | g)",
    "y ~ x + z + (1 | g) + (1 | h)",
    "y ~ x * z + (z | g)",
    "y ~ x + z + (1 | g / k)",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_several_terms_with_slopes_of_their_own(formula: str) -> None:
    """No other start of the same minimiser ends lower."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        n, g, h = 120, np.repeat(np.arange(12), 10), rng.integers(0, 8, 120)
        inner, other = rng.normal(size=n), rng.normal(size=n)
        x, z = rng.normal(size=12)[g] + 0.1 * inner, rng.normal(size=8)[h] + 0.2 * other
        y = rng.normal(size=n) + 2 * x - 3 * inner + z + 2 * other + rng.normal(size=12)[g]
        data = pd.DataFrame({"y": y, "x": x, "z": z, "g": g, "h": h, "k": rng.integers(0, 3, n)})
        m = lmer(formula, data)
        criterion = m.fit.criterion.separated()
        kernel, base = criterion.kernel(), criterion.parameters.start
        for _ in range(8):
            start = base * np.exp(2 * rng.normal(size=len(base)))
            found = kernel.minimise(start, 1e-9, 200)
            assert found["status"] != "converged" or found["value"] > m.fit.optimum.value - 1e-4


def test_one_effect_alone_may_take_what_levels_say() -> None:
    """The minimum at large effects of h is without the slopes of g, which rows within levels ask for."""
    rng = np.random.default_rng([5953, 11])
    groups, others = int(rng.choice([4, 6, 8, 12, 20])), int(rng.choice([4, 8]))
    g = np.repeat(np.arange(groups), int(rng.integers(3, 9)))
    n = len(g)
    h, shares = rng.integers(0, others, n), 10 ** rng.uniform(-2, 0, 2)
    inner, other = shares[0] * rng.normal(size=n), shares[1] * rng.normal(size=n)
    x, z = rng.normal(size=groups)[g] + inner, rng.normal(size=others)[h] + other
    y = rng.normal(size=n) + rng.choice([0, 0.5, 2]) * rng.normal(size=groups)[g]
    y += rng.choice([0, 0.5, 2]) * rng.normal(size=others)[h]
    y += 3 * rng.normal() * (x - inner) + rng.normal() * (z - other)
    y += rng.choice([0, 1, 3]) * inner / shares[0] + rng.choice([0, 1, 3]) * other / shares[1]
    m = lmer("y ~ x + z + (x || g) + (1 | h)", pd.DataFrame({"y": y, "x": x, "z": z, "g": g, "h": h}))
    criterion = m.fit.criterion.separated()
    lower = criterion.value(np.array([0.657, 0.154, 321.91]))
    assert lower < 333 and m.fit.optimum.value < lower + 1e-4


def test_ordinary_slopes_are_searched_once() -> None:
    sleepstudy = interlace.datasets.load("sleepstudy")
    m = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    assert "two minima" not in str(m.convergence) and m.fit.optimum.searches == 1


def _within(columns: list[np.ndarray], g: np.ndarray, v: np.ndarray) -> np.ndarray:
    """What the columns of a random term, for each level by themselves, leave of v."""
    left = np.array(v, dtype=float)
    for level in np.unique(g):
        rows, z = g == level, np.column_stack(columns)[g == level]
        left[rows] -= z @ np.linalg.lstsq(z, v[rows], rcond=1e-10)[0]
    return left


def _gain(columns: list[np.ndarray], g: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """How much better slopes within levels fit there than those of all rows: log of the ratio of squares.

    0 where that is within chance, 3 of twice the logarithm of a likelihood.
    """
    inner, response = _within(columns, g, x), _within(columns, g, y)
    overall = np.linalg.lstsq(x, y, rcond=None)[0]
    left = response - inner @ np.linalg.lstsq(inner, response, rcond=1e-8)[0]
    gain = float(np.log(np.sum((response - inner @ overall) ** 2) / np.sum(left**2)))
    taken = sum(np.linalg.matrix_rank(np.column_stack(columns)[g == level]) for level in np.unique(g))
    return gain if (len(y) - taken) * gain > 3 else 0.0


@pytest.mark.parametrize(
    "term", ["(1 | g)", "(z | g)", "(0 + z | g)", "(z + d | g) + (1 | h)", "(1 | g) + (z | h)"]
)
def test_what_rows_within_levels_gain_beside_dense_projections(term: str) -> None:
    """For each grouping factor all columns of its effects, and each by itself; the largest counts."""
    rng = np.random.default_rng(3)
    g, h = np.repeat(np.arange(8), 9), rng.integers(0, 5, 72)
    x, z = rng.normal(size=8)[g] + 0.3 * rng.normal(size=72), rng.normal(size=72) + rng.normal(size=8)[g]
    d = rng.integers(0, 2, 72) * (g > 1.0)  # nothing in two levels: a column without anything left there
    y = 2 * x - 6 * (x - np.array([x[g == k].mean() for k in range(8)])[g]) + z + rng.normal(size=72)
    m = lmer(f"y ~ x + z + {term}", pd.DataFrame({"y": y, "x": x, "z": z, "d": d, "g": g, "h": h}))
    fixed = np.column_stack([np.ones(72), x, z])
    every = {"1": np.ones(72), "z": z, "d": d.astype(float)}
    gains = []
    for part in term.split(" + ("):
        left, group = part.strip("()").split(" | ")
        names = [name for name in left.split(" + ") if name != "0"]
        names = names if left.startswith(("0", "1")) else ["1", *names]
        sets = [names, *([name] for name in names if len(names) > 1)]
        gains += [_gain([every[name] for name in some], {"g": g, "h": h}[group], fixed, y) for some in sets]
    starts, gain = m.fit.criterion.kernel().rivals()
    assert gain == pytest.approx(max(gains), rel=1e-6)
    assert len(starts) == sum(some > 0 for some in gains)
