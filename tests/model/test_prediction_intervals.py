"""Standard errors and intervals of predictions beside dense mixed model equations, R, and simulation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from interlace import lmer
from interlace.datasets import load
from interlace.errors import DataError, ModelError
from made_data import crossed

R = json.loads((Path(__file__).parent / "prediction.json").read_text())


def _data(n: int = 150) -> pd.DataFrame:
    data = pd.DataFrame(crossed(np.random.default_rng(8), n=n))
    return data.assign(x=data["x"] + 50, w=1.0 + np.arange(n) % 4)


class Dense:
    """Henderson's equations with each effect of each level written out, new levels among them."""

    def __init__(
        self, m: Any, data: pd.DataFrame, new: pd.DataFrame, blocks: list[tuple[str, list[str]]]
    ) -> None:
        both = pd.concat([data, new], ignore_index=True)
        n, factors = len(data), m.fit.solution.factors
        columns = {"1": np.ones(len(both)), "x": both["x"].to_numpy()}
        X = np.column_stack([columns["1"], columns["x"]])
        Z, G, self.of = [], [], []
        for (group, names), T in zip(blocks, factors, strict=True):
            levels = np.unique(both[group])
            S = m.sigma**2 * T @ T.T
            for level in levels:
                here = (both[group] == level).to_numpy()
                Z += [np.where(here, columns[name], 0.0) for name in names]
                G.append(S)
                self.of += [(group, name) for name in names]
        self.Z, self.X, self.n = np.column_stack(Z), X, n
        q = self.Z.shape[1]
        inverse = np.zeros((q, q))
        at = 0
        for S in G:
            inverse[at : at + len(S), at : at + len(S)] = np.linalg.inv(S)
            at += len(S)
        w = np.ones(n) if m.fit.design.weights is None else m.fit.design.weights
        self.W = np.hstack([self.Z, X])
        A = self.W[:n].T @ (w[:, None] * self.W[:n]) / m.sigma**2
        A[:q, :q] += inverse
        self.J = np.linalg.inv(A)

    def variance(self, chosen: Any) -> np.ndarray:
        W = self.W[self.n :].copy()
        for j, effect in enumerate(self.of):
            if not chosen(*effect):
                W[:, j] = 0.0
        return np.einsum("ni,ij,nj->n", W, self.J, W)


MODELS: list[tuple[str, list[tuple[str, list[str]]], dict[str, Any]]] = [
    ("y ~ x + (1 | a)", [("a", ["1"])], {}),
    ("y ~ x + (x | a) + (1 | b)", [("a", ["1", "x"]), ("b", ["1"])], {"weights": "w"}),
    ("y ~ x + (1 | b) + (x || a)", [("b", ["1"]), ("a", ["1"]), ("a", ["x"])], {"reml": False}),
]


def _new(data: pd.DataFrame) -> pd.DataFrame:
    """Every level of a with every level of b, most of which do not meet in the data, and new ones."""
    a, b = [*np.unique(data["a"]), "new"], [*np.unique(data["b"]), "other"]
    grid = pd.MultiIndex.from_product([a, b], names=["a", "b"]).to_frame(index=False)
    rng = np.random.default_rng(2)
    return grid.assign(x=50 + rng.normal(size=len(grid)), w=1.0 + np.arange(len(grid)) % 3)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize(("formula", "blocks", "options"), MODELS)
def test_variances_are_those_of_the_mixed_model_equations(
    formula: str, blocks: list[tuple[str, list[str]]], options: dict[str, Any]
) -> None:
    data = _data()
    data = data.assign(a=data["a"].astype(str), b=data["b"].astype(str))
    rng = np.random.default_rng(3)  # every variance well away from zero
    codes = {g: np.unique(data[g], return_inverse=True)[1] for g in ("a", "b")}
    data["y"] += rng.normal(scale=2, size=200)[codes["a"]] + rng.normal(scale=1.5, size=200)[codes["b"]]
    data["y"] += rng.normal(scale=1.0, size=200)[codes["a"]] * (data["x"] - 50)
    m, new = lmer(formula, data, **options), _new(data)
    dense = Dense(m, data, new, blocks)
    every = {"new_levels": "population", "se": True}
    for random, chosen in (
        ("all", lambda group, name: True),
        ("none", lambda group, name: False),
        ("a", lambda group, name: group == "a"),
        (["(1 | a)"], lambda group, name: group == "a" and name == "1"),
    ):
        found = m.predict(new, random=random, **every)
        np.testing.assert_allclose(found["se"] ** 2, dense.variance(chosen), rtol=1e-7)
        np.testing.assert_array_equal(
            found["predicted"], m.predict(new, random=random, new_levels="population")
        )
        # a new response: the other effects by their distribution, and the residual
        both = m.predict(new, random=random, interval="prediction", level=0.9, **every)
        rest = m.sigma**2 / (new["w"] if "weights" in options else 1.0)
        x = new["x"].to_numpy()
        z = {"1": np.ones(len(new)), "x": x}
        for (group, names), T in zip(blocks, m.fit.solution.factors, strict=True):
            left = np.column_stack([np.zeros(len(new)) if chosen(group, n) else z[n] for n in names])
            rest = rest + m.sigma**2 * np.sum((left @ T) ** 2, axis=1)
        half = stats.norm.ppf(0.95) * np.sqrt(dense.variance(chosen) + rest)
        np.testing.assert_allclose(both["upper"] - both["predicted"], half, rtol=1e-7)
        np.testing.assert_allclose(both["predicted"] - both["lower"], half, rtol=1e-7)
    inside = m.predict(new, interval="confidence", **every)
    np.testing.assert_allclose(inside["upper"] - inside["predicted"], 1.959963985 * inside["se"], rtol=1e-8)


def test_fixed_part_alone_is_that_of_vcov() -> None:
    m = lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))
    found = m.predict({"Days": [0.0, 3.0]}, random="none", se=True)
    X = np.array([[1.0, 0.0], [1.0, 3.0]])
    np.testing.assert_allclose(found["se"] ** 2, np.einsum("ni,ij,nj->n", X, m.vcov(), X), rtol=1e-9)


def test_rows_of_the_fit_are_those_of_new_data() -> None:
    data = _data()
    m = lmer("y ~ x + (1 | a) + (1 | b)", data, weights="w")
    own, new = m.predict(se=True, interval="prediction"), m.predict(data, se=True, interval="prediction")
    pd.testing.assert_frame_equal(own, new)


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    from interlace.prediction import uncertainty

    data = _data()
    m, new = lmer("y ~ x + (x | a) + (1 | b)", data), _new(data)
    ask = {"new_levels": "population", "interval": "prediction", "se": True}
    whole = m.predict(new, **ask)
    monkeypatch.setattr(uncertainty, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(uncertainty, "NUMBERS_AT_ONCE", 1)
    pd.testing.assert_frame_equal(whole, m.predict(new, **ask))


def test_beside_boot_mer() -> None:
    """The spread of x'beta + z'b - (x'beta^ + z'b^) over responses drawn with their effects."""
    m = lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))
    new = {"Days": R["newdata"]["Days"], "Subject": [str(s) for s in R["newdata"]["Subject"]]}
    for name, random in (("known", "all"), ("population", "none")):
        found, theirs = m.predict(new, random=random, se=True), R[name]
        np.testing.assert_allclose(found["predicted"], theirs["fit"], rtol=1e-5)
        noise = 5 / np.sqrt(2 * R["draws"][0])  # of a standard deviation from so many draws
        np.testing.assert_allclose(found["se"], theirs["sd"], rtol=noise + 0.05)
    np.testing.assert_allclose(
        m.predict(new, random="none", se=True)["se"], R["population"]["se_vcov"], rtol=1e-5
    )
    new["Subject"] = ["somebody"] * len(new["Days"])
    ends = m.predict(new, new_levels="population", interval="prediction", level=0.9)
    np.testing.assert_allclose(ends["upper"] - ends["lower"], R["new_group"]["width90"], rtol=0.06)


def test_missing_values_and_libraries() -> None:
    import polars as pl

    m = lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))
    new = pl.DataFrame({"Days": [1.0, None, 3.0], "Subject": ["308", "308", "309"]})
    found = m.predict(new, interval="confidence")
    assert isinstance(found, pl.DataFrame)
    assert found.columns == ["predicted", "lower", "upper"]
    assert np.isnan(found["lower"].to_numpy()).tolist() == [False, True, False]
    empty = m.predict(pd.DataFrame({"Days": [], "Subject": []}), se=True)
    assert list(empty.columns) == ["predicted", "se"]
    assert len(empty) == 0


def test_slopes_that_the_fixed_part_does_not_have() -> None:
    data = _data()
    m = lmer("y ~ 1 + (x | a)", data)
    found = m.predict({"x": [50.0, 52.0]}, random="none", interval="prediction")
    T = m.fit.solution.factors[0]
    z = np.array([[1.0, 50.0], [1.0, 52.0]])
    variance = m.vcov().to_numpy()[0, 0] + m.sigma**2 * (1 + np.sum((z @ T) ** 2, axis=1))
    np.testing.assert_allclose(
        found["upper"] - found["predicted"], 1.959963985 * np.sqrt(variance), rtol=1e-8
    )


ERRORS: list[tuple[dict[str, Any], str]] = [
    ({"interval": "both"}, "interval 'both' is not known"),
    ({"interval": "prediction", "level": 95}, "level must be between 0 and 1"),
    ({"se": "yes"}, "se must be True or False"),
    ({"interval": "prediction"}, "the model has prior weights"),
    ({"weights": [1.0, 2.0]}, "weights= is for interval='prediction'"),
    ({"interval": "prediction", "weights": [1.0, -2.0]}, "weights"),
    ({"interval": "prediction", "weights": [1.0]}, "weights"),
    ({"random": "c", "se": True}, "not a grouping factor"),
]


@pytest.mark.parametrize(("options", "words"), ERRORS, ids=str)
def test_errors(options: dict[str, Any], words: str) -> None:
    data = _data()
    m = lmer("y ~ x + (1 | a)", data, weights="w")
    new = {"x": [50.0, 51.0], "a": data["a"].to_numpy()[:2]}
    with pytest.raises(DataError, match=words):
        m.predict(new, **options)
    with pytest.raises(DataError, match="no column 'a'"):
        m.predict({"x": [50.0]}, se=True)
    with pytest.raises(DataError, match="that the fit has not seen"):
        m.predict({"x": [50.0], "a": ["nobody"]}, se=True)
    with pytest.raises(DataError, match="go with newdata"):
        m.predict(weights=[1.0], interval="prediction")


def test_new_levels_of_a_known_covariance_have_no_variance() -> None:
    labels = list("abcdef")
    K = pd.DataFrame(0.5 * np.eye(6) + 0.5, index=labels, columns=labels)
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.normal(size=60), "id": np.repeat(labels, 10)})
    data["y"] += np.repeat(rng.normal(scale=2, size=6), 10)
    m = lmer("y ~ 1 + (1 | id)", data, known={"id": K})
    found = m.predict({"id": labels}, se=True)
    assert (found["se"] > 0).all()
    with pytest.raises(ModelError, match="known covariance"):
        m.predict({"id": ["z"]}, new_levels="population", se=True)


@pytest.mark.slow
@pytest.mark.parametrize("groups", [10, 40])
def test_coverage_for_known_and_for_new_groups(groups: int) -> None:
    rng, hits, draws = np.random.default_rng(groups), {"known": [], "new": [], "mean": []}, 400
    g, x = np.repeat(np.arange(groups), 8), np.tile(np.linspace(-1, 1, 8), groups)
    for _ in range(draws):
        b = rng.normal(size=(groups + 1, 2)) * [1.0, 0.5]
        y = 2 + x + b[g, 0] + b[g, 1] * x + rng.normal(size=len(g))
        with np.errstate(all="ignore"):
            m = lmer("y ~ x + (x || g)", {"y": y, "x": x, "g": g})
        new = {"x": [0.5, 0.5], "g": [0, groups]}
        ends = m.predict(new, new_levels="population", interval="prediction", level=0.9)
        mean = m.predict(new, new_levels="population", interval="confidence", level=0.9)
        truth = 2 + 0.5 + b[[0, groups], 0] + 0.5 * b[[0, groups], 1]
        again = truth + rng.normal(size=2)
        inside = (ends["lower"] < again) & (again < ends["upper"])
        hits["known"].append(inside[0])
        hits["new"].append(inside[1])
        hits["mean"].append(mean["lower"][0] < truth[0] < mean["upper"][0])
    noise = 3 * np.sqrt(0.9 * 0.1 / draws)
    low = 0.9 - noise - 0.6 / groups  # the variances are taken as known
    assert all(low < np.mean(found) < 0.9 + noise for found in hits.values()), {
        k: np.mean(v) for k, v in hits.items()
    }
