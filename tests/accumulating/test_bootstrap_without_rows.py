"""The parametric bootstrap of a model whose rows are not here: by the law of its products."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

import interlace
from interlace.errors import DataError
from interlace.estimation.normal_errors import NormalErrors
from interlace.refitting.resampling import ParametricOfProducts

from .passes import away, cut, passed

SETS = 300


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 240
    found = pd.DataFrame({"g": rng.integers(0, 16, n), "h": rng.integers(0, 6, n), "x": rng.normal(5, 1, n)})
    found["f"] = rng.choice(list("abc"), n)
    found["w"], found["o"] = rng.uniform(0.3, 3, n), rng.normal(50, 3, n)
    effects = rng.normal(size=(16, 2))[found["g"]]
    found["y"] = 10 + found["x"] + effects[:, 0] + (found["x"] - 5) * effects[:, 1] / 2
    found["y"] += rng.normal(size=6)[found["h"]] + rng.normal(size=n)
    return found


MODELS: list[tuple[str, dict[str, Any]]] = [
    ("y ~ x + (1 | g)", {}),
    ("y ~ x * f + (1 + x | g) + (1 | h)", {"weights": "w", "offset": "o"}),
    ("y ~ 0 + f + (f | h) + (0 + x | g:h)", {}),  # more effects of g:h than rows of some
]


def without_rows(formula: str, data: pd.DataFrame, **options: Any) -> Any:
    return passed(interlace.Accumulator(formula, data, **options), cut(data, 100)).fit()


def columns(m: Any) -> np.ndarray:
    """[Z X] about the origin and times the roots of the weights, of a model with rows."""
    rows = m.fit.kernel_rows()
    n = len(rows["y"])
    parts = []
    for codes, z, origin, levels in zip(
        rows["codes"], rows["z"], rows["z_origin"], rows["levels"], strict=True
    ):
        Z = np.zeros((n, levels, z.shape[1]))
        Z[np.arange(n), codes] = z - origin
        parts.append(Z.reshape(n, -1))
    w = np.ones(n) if rows["w"] is None else rows["w"]
    return np.sqrt(w)[:, None] * np.hstack([*parts, rows["x"] - rows["x_origin"]])


@pytest.mark.parametrize(("formula", "options"), MODELS)
def test_errors_have_the_covariance_of_the_products(
    formula: str, options: dict[str, Any], data: pd.DataFrame
) -> None:
    """Standard normal numbers become coefficients by a linear map, whose image is looked at."""
    M, A = columns(interlace.lmer(formula, data, **options)), without_rows(formula, data, **options).fit.A
    errors = NormalErrors.of(A, ("g", "h")[: len(A.layout.k)])
    shapes = list(zip(A.layout.levels, A.layout.k, strict=True))
    size = [levels * k for levels, k in shapes]
    every = np.split(np.eye(M.shape[1]), np.cumsum(size))
    z = [np.ascontiguousarray(one.reshape(*shape, -1)) for one, shape in zip(every, shapes, strict=False)]
    of_z, of_x = errors.factor.spread(z, np.ascontiguousarray(every[-1].T))
    a = np.vstack([*(one.reshape(n, -1) for one, n in zip(of_z, size, strict=True)), np.asarray(of_x).T])
    C = M.T @ M
    lengths = np.sqrt(np.diagonal(C))
    assert (np.abs(C @ a @ a.T @ C - C) / np.outer(lengths, lengths)).max() < 1e-8
    assert errors.free == pytest.approx(len(M) - np.linalg.matrix_rank(M), abs=1e-3)


@pytest.mark.parametrize(
    ("formula", "options"), [MODELS[0], *(pytest.param(*one, marks=pytest.mark.slow) for one in MODELS[1:])]
)
def test_estimates_have_the_law_of_the_bootstrap_of_rows(
    formula: str, options: dict[str, Any], data: pd.DataFrame
) -> None:
    whole, m = interlace.lmer(formula, data, **options), without_rows(formula, data, **options)
    expected, found = whole.bootstrap(SETS, seed=1).draws, m.bootstrap(SETS, seed=2).draws
    assert found.shape == expected.shape
    for a, b in zip(np.asarray(found).T, np.asarray(expected).T, strict=True):
        assert abs(a.mean() - b.mean()) < 4 * np.sqrt((a.var() + b.var()) / SETS)
        assert ks_2samp(a, b).pvalue > 1e-3


def test_a_seed_gives_the_same_numbers(data: pd.DataFrame) -> None:
    m = without_rows(MODELS[1][0], data, **MODELS[1][1])
    first = m.bootstrap(6, seed=3)
    np.testing.assert_array_equal(m.bootstrap(6, seed=3).draws, first.draws)
    again = pickle.loads(pickle.dumps(m.bootstrap(2, seed=3))).append(4)
    assert away(again.draws, first.draws) < 1e-9
    assert away(m.bootstrap(6, seed=4).draws, first.draws) > 1e-3


def test_what_the_fixed_effects_explain_costs_no_digits(data: pd.DataFrame) -> None:
    """As far from zero as they may be, the draws are those of the errors and the effects about them."""
    near, formula = without_rows("y ~ x + (1 | g)", data), "far ~ x + (1 | g)"
    far = interlace.lmer(formula, data.assign(far=data["y"] + 1e3 * data["x"] - 5e4)).without_rows()
    a, b = near.bootstrap(5, seed=1).draws, far.bootstrap(5, seed=1).draws
    assert away(np.asarray(b) - [0, 0, -5e4, 1e3], a) < 1e-7


def test_statistics_of_refits(data: pd.DataFrame) -> None:
    m = without_rows("y ~ x + (1 | g)", data)
    found = m.bootstrap(5, statistic=lambda one: {"x": one.fixef["x"], "sigma": one.sigma}, seed=1)
    assert away(found.draws["x"], m.bootstrap(5, seed=1).draws["x"]) < 1e-8
    with pytest.raises(DataError, match=r"accumulator\.fit\(rows="):
        m.bootstrap(5, statistic=lambda one: one.residuals()[:1], seed=1)


def test_rows_are_looked_at_where_they_are_here(data: pd.DataFrame) -> None:
    whole = interlace.lmer("y ~ x + (1 | g)", data)
    assert not isinstance(whole.bootstrap(2, seed=1).plan.source, ParametricOfProducts)
    assert isinstance(whole.without_rows().bootstrap(2, seed=1).plan.source, ParametricOfProducts)
