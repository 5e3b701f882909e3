"""Pictures: each draws on the axes that are given, at few levels and at thousands, and shows its numbers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from dense_oracle import dense_z
from interlace import lmer
from interlace.datasets import load
from interlace.errors import DataError
from interlace.report import envelope
from interlace.report.plots import smooth

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402

SLEEP = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def small() -> Any:
    return lmer(SLEEP, load("sleepstudy"))


@pytest.fixture(scope="module")
def large() -> Any:
    rng = np.random.default_rng(1)
    g = rng.integers(0, 3000, 12000)
    x = rng.normal(size=12000)
    b = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 0.3]], 3000)
    y = x + b[g, 0] + b[g, 1] * x + rng.normal(size=12000)
    data = pd.DataFrame({"y": y, "x": x, "f": np.array(list("abcd"))[g % 4], "g": [f"s{i:04d}" for i in g]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        return lmer("y ~ x + f + (x | g)", data)


PICTURES = [
    ("residuals", {}, 1),
    ("residuals", {"x": "X", "kind": "studentized"}, 1),
    ("scale_location", {}, 1),
    ("qq", {}, 1),
    ("qq", {"level": "G", "effect": "X"}, 1),
    ("ranef", {"level": "G"}, 2),
    ("influence", {"level": "G"}, 1),
    ("influence", {"measure": "covratio"}, 1),
    ("boxes", {"level": "G"}, 1),
    ("partial", {"x": "X"}, 1),
    ("lattice", {"level": "G", "x": "X", "n": 6}, 6),
    ("coefficients", {"ddf": "asymptotic"}, 1),
    ("ranef_correlation", {}, 1),
    ("check", {}, 6),
]


@pytest.mark.parametrize("size", ["small", pytest.param("large", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("name", "options", "n"), PICTURES)
def test_every_picture_draws_on_the_axes_that_are_given(
    name: str, options: dict[str, Any], n: int, size: str, request: pytest.FixtureRequest
) -> None:
    m = request.getfixturevalue(size)
    place = {"X": "Days", "G": "Subject"} if size == "small" else {"X": "x", "G": "g"}
    given = {key: place.get(value, value) for key, value in options.items()}
    draw = getattr(m.plot, name)
    figure, axes = plt.subplots(1, n, squeeze=False)
    ax = axes[0, 0] if n == 1 else axes[0]
    found = draw(**given, ax=ax)
    assert found is ax or all(a is b for a, b in zip(found, ax, strict=True))
    assert all(one.has_data() for one in np.ravel(found))
    figure.canvas.draw()
    new = draw(**given)
    assert all(one not in np.ravel(axes) for one in np.ravel(new))
    if n > 1:
        with pytest.raises(DataError, match="panels"):
            draw(**given, ax=axes[0, :1])


def test_numbers_are_those_of_the_model(small: Any, large: Any) -> None:
    points = small.plot.residuals().collections[0].get_offsets()
    np.testing.assert_allclose(points, np.column_stack([small.fitted, small.residuals("standardized")]))
    ax = small.plot.influence("Subject", measure="cooksd")
    shown = np.sort(np.concatenate([line.get_xdata() for line in ax.lines[:2]]))
    np.testing.assert_allclose(shown, np.sort(small.influence("Subject")["cooksd"]))
    q = np.quantile(shown, [0.25, 0.75])
    np.testing.assert_allclose(ax.lines[2].get_xdata()[0], q[1] + 3 * (q[1] - q[0]))
    modes = small.ranef(condvar=True)["Subject"]
    ax = small.plot.ranef("Subject")[1]
    ends = np.vstack([path.vertices[:, 0] for part in ax.collections for path in part.get_paths()])
    order = np.argsort(ends.mean(axis=1))
    mode, sd = (modes[part]["Days"].to_numpy() for part in ("mode", "sd"))
    at = np.argsort(mode)
    np.testing.assert_allclose(ends[order][:, 0], (mode - 1.959963984540054 * sd)[at], rtol=1e-9)
    assert [t.get_text() for t in ax.get_yticklabels()] == [str(modes.index[i]) for i in at]
    ax = large.plot.residuals()
    assert "12,000 rows in hexagons" in ax.get_title(loc="left")
    assert large.plot.boxes("g").get_ylabel() == f"g ({large.ngroups['g']:,} levels, sorted by the median)"
    assert f"6 of {large.ngroups['g']:,} levels" in large.plot.lattice("g", "x", n=6)[0].figure.get_suptitle()
    assert {t.get_text() for t in large.plot.residuals("f").get_yticklabels()} == set("abcd")


def _held(m: Any, y: np.ndarray, level: str | None) -> np.ndarray:
    """By the covariance of y written out: ``P y`` over its standard deviation, and the modes likewise."""
    X, T = m.fit.X, m.fit.solution.factors[0]
    Z = dense_z(m.fit.design, 0, 18)
    G = np.kron(np.eye(18), T @ T.T)
    W = np.linalg.inv(np.eye(180) + Z @ G @ Z.T)
    P = W - W @ X @ np.linalg.solve(X.T @ W @ X, X.T @ W)
    sigma = np.sqrt(y @ P @ y / 178)
    A = P if level is None else (G @ Z.T @ P)[::2]
    spread = np.diagonal(P) if level is None else np.diagonal(G @ Z.T @ W @ Z @ G)[::2]
    return np.sort(A @ y / np.sqrt(spread) / sigma)


def _refitted(y: np.ndarray, level: str | None) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        one = lmer(SLEEP, load("sleepstudy").assign(Reaction=y))
    if level is None:
        return np.sort(one.residuals("studentized"))
    modes, T = one.ranef(condvar=True)["Subject"], one.fit.solution.factors[0]
    sd = np.sqrt(one.sigma**2 * (T @ T.T)[0, 0] - modes["sd"]["Intercept"].to_numpy() ** 2)
    return np.sort(modes["mode"]["Intercept"] / sd)


@pytest.mark.parametrize("level", [None, "Subject"])
@pytest.mark.parametrize("kind", ["simulated", "refit"])
def test_a_simulated_envelope_is_of_responses_of_the_model(small: Any, level: str | None, kind: str) -> None:
    ax = small.plot.qq(level, envelope=kind, n=15, seed=4)
    said = "theta held" if kind == "simulated" else "fitted again"
    assert f"95 % envelope of 15 responses of the model, {said}" in ax.get_title(loc="left")
    draws = np.asarray(small.simulate(15, seed=4)).T
    if kind == "refit":
        rows = [_refitted(y, level) for y in draws]
    else:
        rows = [_held(small, y, level) for y in draws]
    ends = np.quantile(rows, [0.025, 0.975], axis=0)
    path = ax.collections[0].get_paths()[0].vertices
    n = ends.shape[1]
    np.testing.assert_allclose(path[1 : n + 1, 1], ends[0], rtol=1e-3, atol=1e-4)


def test_an_envelope_by_default_is_simulated_where_rows_are_few(
    small: Any, large: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "of 200 responses of the model, theta held" in small.plot.qq().get_title(loc="left")
    assert "of a normal sample" in small.plot.qq(envelope="normal").get_title(loc="left")
    monkeypatch.setattr(envelope, "ROWS", 11_000)
    assert "of a normal sample; " in large.plot.qq().get_title(loc="left")
    with pytest.raises(DataError, match="envelope 'old' is not known"):
        small.plot.qq(envelope="old")


def test_partial_residuals_are_the_part_and_the_residuals() -> None:
    s = load("sleepstudy")
    m = lmer("Reaction ~ Days + I(Days**2) + (1 | Subject)", s)
    ax = m.plot.partial("Days")
    part = m.fixef["Days"] * s["Days"] + m.fixef.iloc[2] * s["Days"] ** 2
    points = ax.collections[0].get_offsets()
    np.testing.assert_allclose(points[:, 1], part - part.mean() + m.residuals())


def test_a_smooth_follows_a_line_and_a_curve() -> None:
    x = np.sort(np.random.default_rng(0).normal(size=2000))
    grid, found = smooth(x, 3 - 2 * x)
    np.testing.assert_allclose(found, 3 - 2 * grid, atol=1e-9)
    grid, found = smooth(x, x**2)
    inner = np.abs(grid) < 1
    assert np.abs(found - grid**2)[inner].max() < 0.5 and smooth(np.ones(9), np.ones(9)) is None


def test_what_is_refused(small: Any) -> None:
    with pytest.raises(DataError, match="x='Day' is no column of the model"):
        small.plot.residuals("Day")
    with pytest.raises(DataError, match="is not a grouping factor of the model"):
        small.plot.boxes("Days")
    with pytest.raises(DataError, match="choose a random effect of 'Subject'"):
        small.plot.qq("Subject", "Week")
    with pytest.raises(DataError, match="choose a column of numbers of the fixed part"):
        small.plot.partial("Subject")
    with pytest.raises(DataError, match="measure 'cook' is not known"):
        small.plot.influence(measure="cook")
    with pytest.raises(DataError, match="ax must be axes of matplotlib"):
        small.plot.residuals(ax=3)
    with pytest.raises(DataError, match="no two random effects"):
        lmer("Reaction ~ Days + (1 | Subject)", load("sleepstudy")).plot.ranef_correlation()
