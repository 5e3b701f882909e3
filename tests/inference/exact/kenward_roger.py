"""Kenward-Roger by the paper, every n x n matrix written out in 300 bits, for models that lose digits.

    python kenward_roger.py     (python-flint; interlace only encodes the formulas)

writes kenward_roger.json beside it. Small random models with a variance at zero, weights over four decades,
random effects up to ten thousand times the residuals, or fixed effects that explain nearly all of a grouping
factor. theta is that of a fit; df and se belong to it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flint
import numpy as np
import pandas as pd
from flint import arb, arb_mat

import interlace

flint.ctx.prec = 300
FORMULAS = (
    "y ~ 0 + h + x:h + (h | g)",
    "y ~ f + x + (x | g)",
    "y ~ f * h + (1 | g)",
    "y ~ h * x + (x || g)",
    "y ~ x + (1 | g) + (1 | f)",
    "y ~ f + (h | g)",
    "y ~ f * x + (0 + x | g)",
)
SEEDS = (11, 24, 44, 81, 95, 108, 272, 637, 702, 1060, 1145, 1197)


def model(seed: int) -> tuple[str, pd.DataFrame, bool]:
    r = np.random.default_rng(seed)
    n = int(r.integers(8, 30))
    d = pd.DataFrame(
        {
            "g": r.integers(0, r.integers(2, 7), n).astype(str),
            "h": r.choice(list("ab"), n),
            "x": np.round(r.normal(size=n), 2),
            "f": r.choice(list("uvw"), n),
            "w": 10 ** r.uniform(-2, 2, n),
        }
    )
    d["y"] = r.normal(size=n) + r.normal(size=7)[d["g"].astype(int)] * r.choice([0, 0.3, 1, 10, 1000])
    return FORMULAS[int(r.integers(len(FORMULAS)))], d, bool(r.random() < 0.4)


def exact(values: Any) -> arb_mat:
    return arb_mat([[arb(float(v)) for v in row] for row in np.atleast_2d(np.asarray(values, dtype=float))])


def eye(n: int) -> arb_mat:
    return arb_mat([[arb(int(i == j)) for j in range(n)] for i in range(n)])


def derivatives(fit: Any) -> tuple[arb_mat, list[arb_mat]]:
    """The covariance of y (sigma = 1) and its derivatives in the variances and covariances, sigma^2 last."""
    design, n = fit.design, len(fit.design.X)
    w = np.ones(n) if design.weights is None else design.weights
    V0 = arb_mat([[1 / arb(float(w[i])) if i == j else arb(0) for j in range(n)] for i in range(n)])
    V, found = V0, []
    for rows, T in zip(design.random, fit.solution.factors, strict=True):
        levels, k = int(rows.codes.max()) + 1, rows.z.shape[1]
        Z = np.zeros((n, levels, k))
        Z[np.arange(n), rows.codes] = rows.z
        Z = exact(Z.reshape(n, -1))
        G = exact(T) * exact(T).transpose()
        for col in range(k):
            for row in range(col, k):
                E = np.zeros((k, k))
                E[row, col] = E[col, row] = 1
                found.append(Z * exact(np.kron(np.eye(levels), E)) * Z.transpose())
                V = V + found[-1] * G[row, col]
    return V, [*found, V0]


def kenward_roger(fit: Any) -> tuple[list[float], list[float]]:
    """df of each coefficient (2 / A2 for one row), and adjusted standard errors over sigma."""
    V, derived = derivatives(fit)
    X = exact(fit.design.X[:, list(fit.kept)])
    n, p, m = X.nrows(), X.ncols(), len(derived)
    S = V.solve(eye(n))
    Phi = (X.transpose() * S * X).solve(eye(p))
    R = S - S * X * Phi * X.transpose() * S
    SX = S * X
    P = [-(SX.transpose() * D * SX) for D in derived]
    RD = [R * D for D in derived]
    info = arb_mat(m, m)
    for i in range(m):
        for j in range(m):
            product = RD[i] * RD[j]
            info[i, j] = sum((product[a, a] for a in range(n)), arb(0))
    W = info.solve(eye(m)) * 2
    adjusted = Phi
    for i in range(m):
        for j in range(m):
            adjusted = adjusted + Phi * (SX.transpose() * derived[i] * RD[j] * SX) * Phi * W[i, j] * 2
    df = []
    for c in range(p):
        a = [(Phi * Pj * Phi)[c, c] / Phi[c, c] for Pj in P]
        A2 = sum((W[i, j] * a[i] * a[j] for i in range(m) for j in range(m)), arb(0))
        df.append(float((2 / A2).mid()))
    return df, [float(adjusted[c, c].sqrt().mid()) for c in range(p)]


def main() -> None:
    out = []
    for seed in SEEDS:
        formula, data, weighted = model(seed)
        m = interlace.lmer(formula, data, weights="w" if weighted else None)
        df, se = kenward_roger(m.fit)
        out.append(
            {
                "seed": seed,
                "formula": formula,
                "weights": weighted,
                "data": {name: data[name].tolist() for name in data},
                "theta": m.theta.tolist(),
                "df": df,
                "se_over_sigma": se,
            }
        )
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
