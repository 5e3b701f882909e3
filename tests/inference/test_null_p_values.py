"""P-values where the null hypothesis is true: uniform for Satterthwaite and Kenward-Roger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import stats

import interlace
from interlace.precision.df import Asymptotic, KenwardRoger, Satterthwaite

pytestmark = pytest.mark.slow

DRAWS = 2000
METHODS = {"satterthwaite": Satterthwaite(), "kenward-roger": KenwardRoger(), "asymptotic": Asymptotic()}


@dataclass(frozen=True, slots=True)
class Experiment:
    """A design, its variances, and the coefficients that are tested together."""

    formula: str
    data: dict[str, Any]
    sd: dict[str, float]
    tested: slice


def _split_plot() -> Experiment:
    """Four blocks; whole plots with one of three treatments, two subplots each."""
    block, treatment, sub = (g.ravel() for g in np.meshgrid(range(4), range(3), range(2), indexing="ij"))
    data = {"block": block.astype(str), "A": np.array(list("abc"))[treatment], "B": np.array(list("uv"))[sub]}
    data["plot"] = np.array([f"{b}{a}" for b, a in zip(data["block"], data["A"], strict=True)])
    return Experiment("y ~ A + B + (1 | block) + (1 | plot)", data, {"block": 1.0, "plot": 1.5}, slice(1, 3))


def _crossed() -> Experiment:
    """Eight subjects in two groups, each with six items, a few cells missing."""
    subject, item = (g.ravel() for g in np.meshgrid(range(8), range(6), indexing="ij"))
    keep = np.random.default_rng(0).random(subject.size) < 0.85
    subject, item = subject[keep], item[keep]
    data = {
        "subject": subject.astype(str),
        "item": item.astype(str),
        "group": np.array(list("gh"))[subject % 2],
    }
    formula = "y ~ group + (1 | subject) + (1 | item)"
    return Experiment(formula, data, {"subject": 1.5, "item": 1.0}, slice(1, 2))


def _p_values(experiment: Experiment) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    data = experiment.data
    codes = {name: np.unique(data[name], return_inverse=True)[1] for name in experiment.sd}
    n = len(next(iter(codes.values())))

    def response() -> np.ndarray:
        y = rng.normal(size=n)
        for name, sd in experiment.sd.items():
            y += sd * rng.normal(size=codes[name].max() + 1)[codes[name]]
        return y

    model = interlace.lmer(experiment.formula, data | {"y": response()})
    L = np.eye(len(model.fixef))[experiment.tested]
    found: dict[str, list[float]] = {name: [] for name in METHODS}
    for _ in range(DRAWS):
        refitted = model.refit(response())
        for name, method in METHODS.items():
            found[name].append(refitted.contrast_test(L, ddf=method).p)
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("make", [_split_plot, _crossed])
def test_p_values_are_uniform(make: Any) -> None:
    p = _p_values(make())
    rejected = {name: float(np.mean(values < 0.05)) for name, values in p.items()}
    distance = {name: stats.kstest(values, "uniform").statistic for name, values in p.items()}
    print(rejected, distance)
    for name in ("satterthwaite", "kenward-roger"):
        assert 0.035 < rejected[name] < 0.065
        assert distance[name] < 0.04
    assert abs(rejected["kenward-roger"] - 0.05) < abs(rejected["asymptotic"] - 0.05)
    assert distance["kenward-roger"] < distance["asymptotic"]
