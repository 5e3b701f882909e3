"""Columns of X that depend on earlier ones leave, whatever the design: judged by singular values of X."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.design.encoding import Encoding
from interlace.errors import RankDeficiencyWarning
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.rank import independent_columns


def factorial(rng: np.random.Generator, n: int, sizes: tuple[int, ...]) -> dict[str, Any]:
    """Factors drawn at random: cells of a small design are empty here and there."""
    data: dict[str, Any] = {
        name: pd.Categorical(rng.integers(0, size, n)) for name, size in zip("abc", sizes, strict=False)
    }
    return data | {
        "x": rng.normal(size=n),
        "z": rng.uniform(1.0, 9.0, n),
        "w": rng.uniform(0.5, 2.0, n),
        "g": np.arange(n) % 6,
        "y": rng.normal(size=n),
    }


def by_singular_values(X: np.ndarray) -> tuple[int, ...]:
    """Greedy from the left: a column stays if the rank grows by it."""
    X = X / np.maximum(np.linalg.norm(X, axis=0), 1e-300)
    kept: list[int] = []
    for j in range(X.shape[1]):
        if np.linalg.matrix_rank(X[:, [*kept, j]], tol=1e-9) > len(kept):
            kept.append(j)
    return tuple(kept)


def judged(formula: str, data: dict[str, Any], **options: Any) -> tuple[tuple[int, ...], np.ndarray]:
    encoding, design = Encoding.learn(formula + " + (1 | g)", data, **options)
    return independent_columns(CrossProducts.of(encoding, design), design), design.X


@pytest.mark.parametrize(
    "formula, n, sizes",
    [
        ("y ~ a * b", 30, (3, 3)),
        ("y ~ a * b", 60, (8, 8)),
        ("y ~ a * b * x", 60, (5, 4)),
        ("y ~ a * b * c", 45, (4, 3, 3)),
        ("y ~ a * b * c", 150, (6, 5, 4)),
        ("y ~ 0 + a + b + a:b", 40, (5, 4)),
        ("y ~ x + I(3.0 * x - 2.0) + a + a:x + z", 40, (3,)),
    ],
)
@pytest.mark.parametrize("seed", range(8))
def test_empty_cells(formula: str, n: int, sizes: tuple[int, ...], seed: int) -> None:
    data = factorial(np.random.default_rng(seed), n, sizes)
    kept, X = judged(formula, data)
    assert kept == by_singular_values(X)


def test_the_kept_columns_fit_as_well_as_all() -> None:
    """Nine columns for eight cells, of which elimination in the cross-products once kept all nine."""
    data = factorial(np.random.default_rng(48), 30, (3, 3))
    with pytest.warns(RankDeficiencyWarning, match="dropped 1 column"):
        m = interlace.lmer("y ~ a * b + (1 | g)", data)
    assert len(m.fixef) == pd.crosstab(data["a"], data["b"]).to_numpy().astype(bool).sum() == 8
    assert m.se.max() < 2.0


def test_the_order_and_coding_of_levels_are_irrelevant_for_the_fit() -> None:
    data = factorial(np.random.default_rng(5), 45, (4, 3, 3))
    reversed_levels = {
        name: values.reorder_categories(values.categories[::-1])
        if isinstance(values, pd.Categorical)
        else values
        for name, values in data.items()
    }
    with pytest.warns(RankDeficiencyWarning):
        first = interlace.lmer("y ~ a * b * c + (1 | g)", data, reml=False)
        second = interlace.lmer("y ~ a * b * c + (1 | g)", reversed_levels, reml=False)
        third = interlace.lmer("y ~ a * b * c + (1 | g)", data, reml=False, contrasts={"a": "sum"})
    assert len(first.fixef) == len(second.fixef) == len(third.fixef)
    np.testing.assert_allclose([second.loglik, third.loglik], first.loglik, rtol=1e-10)


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize(
    "share, stays", [(1e-3, True), (1e-5, True), (1e-6, True), (1e-8, False), (0.0, False)]
)
def test_nearly_dependent(share: float, stays: bool, weights: str | None) -> None:
    """R's tolerance: what is left of a column must be 1e-7 of it."""
    rng = np.random.default_rng(2)
    data = factorial(rng, 20_000, (3,))
    v = data["x"] + 2.0 * data["z"]
    data["v"] = v + share * np.sqrt(np.mean(v**2)) * rng.normal(size=20_000)
    kept, _ = judged("y ~ x + z + v + I(v + x)", data, weights=weights)
    assert kept == ((0, 1, 2, 3) if stays else (0, 1, 2))


def test_powers_far_from_zero() -> None:
    """Columns of which less and less is left, one after the other."""
    t = np.arange(60) / 10.0 + 20.0
    data = {"t": t, "y": np.sin(t), "g": np.arange(60) % 6}
    kept, _ = judged("y ~ t + I(t**2) + I(t**3)", data)
    assert kept == (0, 1, 2, 3)


def test_a_column_of_zeros_and_one_that_is_constant() -> None:
    data = factorial(np.random.default_rng(3), 40, (3,))
    kept, _ = judged("y ~ x + I(0.0 * x) + I(0.0 * x + 4.0) + z", data)
    assert kept == (0, 1, 4)
