"""Data with levels whose covariance is known, and their density written out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dense_oracle import dense_z
from interlace.model import LinearMixedModel

LEVELS = [f"a{i:02d}" for i in range(24)]


def covariance(seed: int = 0, q: int = len(LEVELS), scale: float = 1.0) -> pd.DataFrame:
    """A covariance of the levels with families: blocks of six, and one level by itself."""
    rng = np.random.default_rng(seed)
    K = np.zeros((q, q))
    for start in range(0, q, 6):
        members = slice(start, min(start + 6, q))
        A = rng.normal(size=(members.stop - start, 3))
        K[members, members] = A @ A.T + 0.5 * np.identity(len(A))
    K[-1, :-1] = K[:-1, -1] = 0.0
    return pd.DataFrame(scale * K, index=LEVELS[:q], columns=LEVELS[:q])


def data(K: pd.DataFrame, seed: int = 0, n: int = 180) -> pd.DataFrame:
    """Rows for all levels of K but the last four and the second."""
    rng = np.random.default_rng(seed)
    there = [i for i in range(len(K) - 4) if i != 1]
    codes = np.append(there, rng.choice(there, n - len(there)))
    x, herd = rng.normal(2.0, 1.0, n), rng.integers(0, 30, n)
    L = np.linalg.cholesky(K.to_numpy())
    b = L @ rng.normal(size=(len(K), 2)) @ np.array([[1.0, 0.2], [0.0, 0.6]])
    y = 3.0 + 0.5 * x + b[codes, 0] + b[codes, 1] * x + rng.normal(size=30)[herd] + rng.normal(size=n)
    return pd.DataFrame(
        {
            "y": y,
            "x": x,
            "id": np.asarray(K.index)[codes],
            "herd": herd,
            "w": rng.uniform(0.3, 3.0, n),
            "pe": np.asarray(K.index)[codes],
        }
    )


@dataclass(frozen=True)
class Dense:
    """What follows from the rows of a model and the covariance written out, at relative factors T."""

    value: float
    beta: np.ndarray
    vcov: np.ndarray
    b: list[np.ndarray]
    conditional: list[np.ndarray]


def between(
    model: LinearMixedModel, factors: tuple[np.ndarray, ...], K: dict[str, np.ndarray]
) -> list[np.ndarray]:
    """Covariance of the random effects of each term over sigma^2, levels by effects."""
    out = []
    for block, T in zip(model.fit.encoding.random, factors, strict=True):
        levels = K.get(block.group, np.identity(len(block.levels)))
        out.append(np.kron(levels, T @ T.T))
    return out


def dense(
    model: LinearMixedModel, factors: tuple[np.ndarray, ...], K: dict[str, np.ndarray], *, reml: bool
) -> Dense:
    """The criterion, coefficients and predictions, sigma profiled."""
    design = model.fit.design
    X, y = design.X[:, list(model.fit.kept)], design.y
    w = np.ones(len(y)) if design.weights is None else design.weights
    G = between(model, factors, K)
    Z = [dense_z(design, i, len(block.levels)) for i, block in enumerate(model.fit.encoding.random)]
    V = np.diag(1 / w) + sum(z @ g @ z.T for z, g in zip(Z, G, strict=True))
    Vx = np.linalg.solve(V, X)
    information = X.T @ Vx
    beta = np.linalg.solve(information, Vx.T @ y)
    r = np.linalg.solve(V, y - X @ beta)
    df = len(y) - (X.shape[1] if reml else 0)
    s2 = (y - X @ beta) @ r / df
    value = np.linalg.slogdet(V)[1] + df * (1 + np.log(2 * np.pi * s2))
    value += np.linalg.slogdet(information)[1] if reml else 0.0
    b = [g @ z.T @ r for z, g in zip(Z, G, strict=True)]
    given = [s2 * (g - g @ z.T @ np.linalg.solve(V, z) @ g) for z, g in zip(Z, G, strict=True)]
    return Dense(value, beta, s2 * np.linalg.inv(information), b, given)
