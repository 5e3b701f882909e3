"""The designs whose intervals are counted: small ones, where methods differ, and truths are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator


@dataclass(frozen=True, slots=True)
class Draw:
    """One data set.

    `known` and `new` are rows to predict (one each): of a group of the data, and of a group beyond them;
    `y_known` and `y_new` are their responses.
    """

    y: np.ndarray
    known: dict[str, Any]
    new: dict[str, Any]
    y_known: float
    y_new: float


@dataclass(frozen=True, slots=True)
class Design:
    """A model, its rows, the true values of its parameters by the names of `confint`, how y is drawn."""

    name: str
    title: str
    formula: str
    data: pd.DataFrame
    truth: dict[str, float]
    draw: Callable[[Generator], Draw]


def one_way() -> Design:
    """Six groups of four, as many variances between as within."""
    g = np.repeat(np.arange(6), 4)

    def draw(rng: Generator) -> Draw:
        b = rng.normal(size=7)
        y = 5 + b[g] + rng.normal(size=24)
        rows = [{"g": 2}, {"g": 99}]
        known, new = (5 + b[j] + rng.normal() for j in (2, 6))
        return Draw(y, *rows, known, new)

    truth = {"sd_Intercept|g": 1.0, "sigma": 1.0, "Intercept": 5.0}
    return Design("one_way", "One-way, 6 x 4", "y ~ 1 + (1 | g)", pd.DataFrame({"g": g}), truth, draw)


def slopes() -> Design:
    """Ten subjects on days 0 to 5, as in the sleep study."""
    s, x = (part.ravel() for part in np.divmod(np.arange(60), 6))
    sd, cor = (1.0, 0.3), 0.2
    root = np.linalg.cholesky(
        np.array([[sd[0] ** 2, cor * sd[0] * sd[1]], [cor * sd[0] * sd[1], sd[1] ** 2]])
    )

    def draw(rng: Generator) -> Draw:
        b = rng.normal(size=(11, 2)) @ root.T
        y = 10 + b[s, 0] + (0.5 + b[s, 1]) * x + rng.normal(size=60)
        at = 2.5
        known, new = (10 + b[j, 0] + (0.5 + b[j, 1]) * at + rng.normal() for j in (3, 10))
        return Draw(y, {"s": 3, "x": at}, {"s": 99, "x": at}, known, new)

    truth = {
        "sd_Intercept|s": sd[0], "cor_x.Intercept|s": cor, "sd_x|s": sd[1], "sigma": 1.0,
        "Intercept": 10.0, "x": 0.5,
    }  # fmt: skip
    data = pd.DataFrame({"s": s, "x": x.astype(float)})
    return Design("slopes", "Slopes of 10 subjects, 6 days", "y ~ x + (x | s)", data, truth, draw)


def split_plot() -> Design:
    """Five blocks of three whole plots, each with four subplots."""
    block, rest = np.divmod(np.arange(60), 12)
    a, b = np.divmod(rest, 4)

    def draw(rng: Generator) -> Draw:
        u, v = rng.normal(size=6), 0.7 * rng.normal(size=(6, 3))
        y = 20 + 1.0 * (a == 1) + 0.5 * b + u[block] + v[block, a] + rng.normal(size=60)
        known, new = (20 + 0.5 * 2 + u[j] + v[j, 0] + rng.normal() for j in (1, 5))
        rows = [{"block": j, "A": "a0", "B": 2.0} for j in (1, 99)]
        return Draw(y, rows[0], rows[1], known, new)

    truth = {
        "sd_Intercept|block:A": 0.7, "sd_Intercept|block": 1.0, "sigma": 1.0,
        "Intercept": 20.0, "A[T.a1]": 1.0, "A[T.a2]": 0.0, "B": 0.5,
    }  # fmt: skip
    data = pd.DataFrame({"block": block, "A": np.array(["a0", "a1", "a2"])[a], "B": b.astype(float)})
    return Design("split_plot", "Split plot, 5 x 3 x 4", "y ~ A + B + (1 | block/A)", data, truth, draw)


def crossed() -> Design:
    """Eight subjects meet six items twice; a condition varies within both."""
    s, rest = np.divmod(np.arange(96), 12)
    i, r = np.divmod(rest, 2)
    c = ((s + i + r) % 2) - 0.5

    def draw(rng: Generator) -> Draw:
        u, v = rng.normal(size=9), 0.7 * rng.normal(size=7)
        y = 3 + 0.5 * c + u[s] + v[i] + rng.normal(size=96)
        known, new = (3.25 + u[j] + v[k] + rng.normal() for j, k in ((2, 4), (8, 6)))
        rows = [{"s": j, "i": k, "c": 0.5} for j, k in ((2, 4), (99, 99))]
        return Draw(y, rows[0], rows[1], known, new)

    truth = {"sd_Intercept|s": 1.0, "sd_Intercept|i": 0.7, "sigma": 1.0, "Intercept": 3.0, "c": 0.5}
    data = pd.DataFrame({"s": s, "i": i, "c": c})
    return Design("crossed", "Crossed, 8 x 6", "y ~ c + (1 | s) + (1 | i)", data, truth, draw)


DESIGNS = {design.name: design for design in (one_way(), slopes(), split_plot(), crossed())}
