"""Small random models whose criterion may have more than one minimum: all shapes of random terms, with and
without fixed slopes, few and unequal groups, prior weights over decades, singular, with tiny residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from made_data import labels

Table = dict[str, Any]

# Random parts on one grouping factor, on two, and on three.
_ONE = [
    "(1 | g)",
    "(0 + x | g)",
    "(x | g)",
    "(x || g)",
    "(0 + x + z | g)",
    "(x + z | g)",
    "(x + z || g)",
    "(x * z | g)",
    "(0 + f | g)",
    "(f | g)",
    "(1 | g) + (0 + x | g) + (0 + z | g)",
]
_TWO = [
    "(1 | g) + (1 | h)",
    "(x | g) + (1 | h)",
    "(0 + x | g) + (1 | h)",
    "(x || g) + (1 | h)",
    "(x | g) + (z | h)",
    "(0 + x | g) + (0 + x | h)",
    "(1 | g) + (1 | g:h)",
    "(x | g) + (1 | g:h)",
    "(1 | g / h) + (0 + x | h)",
]
_THREE = ["(1 | g) + (1 | h) + (1 | i)", "(x | g) + (1 | h) + (1 | i)"]
_FIXED = ["1", "x", "0", "0 + x", "x + z", "x * z", "0 + x + z", "0 + f", "x + f", "z"]


@dataclass(frozen=True, slots=True)
class RandomModel:
    """A formula, a table, and how to fit it."""

    seed: int
    formula: str
    data: Table
    options: dict[str, Any]
    reml: bool


def random_model(seed: int) -> RandomModel:
    """The model of this number."""
    rng = np.random.default_rng([seed, 8])
    parts = [_ONE, _TWO, _THREE][rng.choice(3, p=[0.55, 0.38, 0.07])]
    random = parts[rng.integers(len(parts))]
    fixed = _FIXED[rng.integers(len(_FIXED))]
    n = int(np.exp(rng.uniform(np.log(24), np.log(400))))
    data: Table = {name: _codes(rng, n, int(np.exp(rng.uniform(np.log(2), np.log(n / 3))))) for name in "ghi"}
    if rng.random() < 0.2:
        data["h"] = data["g"] // 2  # nested, or the same partition but for a few rows
        data["h"][rng.random(n) < 0.1] = 0
    data |= _covariates(rng, n)
    options = {}
    if rng.random() < 0.3:
        data["w"] = 10.0 ** rng.uniform(-1, 1, n) ** rng.choice([1.0, 3.0])
        if rng.random() < 0.5:
            data["w"] = 10.0 ** rng.uniform(-3, 3, n)
        options["weights"] = "w"
    data["y"] = _response(rng, data, n)
    data |= {name: labels(np.unique(data[name], return_inverse=True)[1], name) for name in "ghi"}
    return RandomModel(seed, f"y ~ {fixed} + {random}", data, options, bool(rng.random() < 0.7))


def _codes(rng: np.random.Generator, n: int, levels: int) -> np.ndarray:
    """Groups of equal size, of random size, or of sizes that span decades."""
    kind = rng.integers(3)
    if kind == 0:
        return np.sort(np.arange(n) % levels)
    share = rng.dirichlet(np.full(levels, 2.0 if kind == 1 else 0.3))
    codes = np.concatenate([np.arange(levels), rng.choice(levels, n - levels, p=share)])
    return rng.permutation(codes) if rng.random() < 0.5 else np.sort(codes)


def _covariates(rng: np.random.Generator, n: int) -> Table:
    """Predictors with and without a mean, with values by design or at random."""
    x = rng.normal(size=n) if rng.random() < 0.5 else rng.integers(0, 5, n).astype(float)
    z = rng.normal(size=n) + 0.5 * x
    x, z = (v + rng.choice([0.0, 0.0, 1.0, 5.0]) for v in (x, z))
    return {"x": x, "z": z, "f": np.array(["u", "v", "w"])[rng.permutation(n) % 3]}


def _response(rng: np.random.Generator, data: Table, n: int) -> np.ndarray:
    """Effects of every group, some far larger and some far smaller than the residuals, and means of both."""
    columns = {"1": np.ones(n), "x": data["x"], "z": data["z"]}
    sizes = [0.0, 0.1, 1.0, 10.0, 100.0, 1000.0]
    y = np.zeros(n)
    for v in columns.values():
        y += rng.choice(sizes[:5], p=[0.2, 0.2, 0.3, 0.2, 0.1]) * rng.normal() * v
    for name in "ghi":
        for column, v in columns.items():
            p = [0.2, 0.2, 0.4, 0.1, 0.07, 0.03] if column == "1" else [0.4, 0.2, 0.3, 0.06, 0.03, 0.01]
            sd = rng.choice(sizes, p=p)
            effects = rng.normal(size=n) if rng.random() < 0.8 else rng.standard_t(2, size=n)
            y += sd * effects[data[name]] * v
    noise = rng.normal(size=n) if rng.random() < 0.8 else rng.standard_t(2, size=n)
    return y + noise / np.sqrt(data.get("w", 1.0))
