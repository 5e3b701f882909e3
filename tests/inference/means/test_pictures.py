"""Pictures of means: what is drawn where, beside R's comparison arrows; nothing is compared by pixels."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.design.encoding import Encoding
from interlace.errors import DataError
from interlace.estimation.fit import at_theta
from interlace.formula.parser import parse
from interlace.inference.arrows import arrows
from interlace.model import LinearMixedModel
from interlace.pictures import canvas

FOUND = json.loads((Path(__file__).parent / "pictures.json").read_text())


@pytest.fixture(autouse=True)
def without_display() -> Iterator[None]:
    mpl.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@cache
def model(formula: str, name: str) -> LinearMixedModel:
    """At R's theta."""
    encoding, design = Encoding.learn(parse(formula), pd.DataFrame(FOUND["data"]))
    theta = np.atleast_1d(np.array(FOUND["theta"][name], dtype=float))
    return LinearMixedModel(at_theta(encoding, design, theta, reml=True))


@cache
def oats() -> LinearMixedModel:
    data = interlace.datasets.load("oats")
    return interlace.lmer("yield ~ factor(nitro) * Variety + (1 | Block/Variety)", data)


def heads(ax: Any) -> list[tuple[float, float, float]]:
    """Where arrows end, where they start, and their height."""
    return [(one.xy[0], one.xyann[0], one.xy[1]) for one in ax.texts if getattr(one, "arrow_patch", None)]


def tick_labels(axis: Any) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


# ---- arrows ----

CASES = {
    "one": ("y ~ A * B + (1 | g)", "m", "A", {}, {}),
    "groups": ("y ~ A * B + (1 | g)", "m", "A | B", {}, {}),
    "none": ("y ~ A * B + (1 | g)", "m", "A", {}, {"adjust": "none", "alpha": 0.2}),
    "response": ("log(y) ~ A + (1 | g)", "l", "A", {"type": "response"}, {}),
    "all": ("y ~ A * B + (1 | g)", "m", "A * B", {}, {"adjust": "none"}),
}


@pytest.mark.parametrize("name", CASES)
def test_arrows_beside_emmeans(name: str) -> None:
    formula, which, specs, asked, options = CASES[name]
    means = model(formula, which).emmeans(specs, ddf="asymptotic", **asked)
    ax = means.plot(comparisons=True, **options)
    estimate = means.frame["estimate"].to_numpy()
    for side, sign in (("left", -1), ("right", 1)):
        theirs = np.array([np.nan if v is None else v for v in FOUND["arrows"][name][side]], dtype=float)
        mine = [end for end, start, _ in heads(ax) if sign * (end - start) > 0]
        np.testing.assert_allclose(sorted(mine), sorted(theirs[~np.isnan(theirs)]), rtol=1e-6)
    assert {start for _, start, _ in heads(ax)} <= set(estimate)
    assert ("but for" in ax.get_title(loc="left")) == (name == "all")


def test_arrows_say_what_the_tests_say() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        k = int(rng.integers(2, 9))
        estimate, half = rng.normal(size=k), np.full((k, k), float(rng.uniform(0.2, 2.0)))
        found = arrows(estimate, half)
        for i in range(k):
            for j in range(k):
                if estimate[i] < estimate[j] and (i, j) not in found.misleading:
                    meet = estimate[i] + found.right[i] > estimate[j] - found.left[j]
                    assert meet == (estimate[j] - estimate[i] < half[i, j])
        assert np.isnan(found.left[np.argmin(estimate)]) and np.isnan(found.right[np.argmax(estimate)])


def test_arrows_without_some_means() -> None:
    half = np.ones((3, 3))
    found = arrows(np.array([np.nan, np.nan, np.nan]), half)
    assert np.isnan(found.left).all() and not found.misleading
    found = arrows(np.array([0.0, np.nan, 2.0]), half)
    np.testing.assert_allclose([found.right[0], found.left[2]], 0.5, atol=0.2)
    assert np.isnan([found.left[1], found.right[1]]).all()


# ---- dots ----


@pytest.mark.parametrize("type", ["link", "response"])
def test_dots_and_intervals(type: str) -> None:
    means = model("log(y) ~ A + (1 | g)", "l").emmeans("A", ddf="asymptotic", type=type)
    ax = means.plot()
    frame = means.frame
    [dots] = ax.get_lines()
    np.testing.assert_allclose(dots.get_xdata(), frame["estimate"])
    segments = ax.collections[0].get_segments()
    np.testing.assert_allclose([s[:, 0] for s in segments], frame[["lower", "upper"]])
    np.testing.assert_allclose([s[0, 1] for s in segments], dots.get_ydata())
    assert tick_labels(ax.yaxis) == list("abcdefg")
    assert ax.yaxis_inverted() and dots.get_ydata()[0] < dots.get_ydata()[-1]  # the first is at the top
    assert ("log" in ax.get_xlabel()) == (type == "link")
    assert ax.get_ylabel() == "A" and "95% intervals" in ax.get_title(loc="left") and not heads(ax)


def test_groups_stand_below_their_titles() -> None:
    ax = oats().emmeans("nitro | Variety").plot()
    labels = tick_labels(ax.yaxis)
    assert labels[:6] == ["Variety = Golden Rain", "0", "0.2", "0.4", "0.6", "Variety = Marvellous"]
    assert len(ax.get_lines()[0].get_xdata()) == 12
    assert set(np.round(ax.get_lines()[0].get_ydata(), 6)) <= set(np.round(ax.get_yticks(), 6))


def test_contrasts_and_slopes() -> None:
    pairs = oats().emmeans("Variety").pairs()
    ax = pairs.plot()
    assert ax.get_xlabel() == "difference" and tick_labels(ax.yaxis)[0] == "Golden Rain - Marvellous"
    np.testing.assert_allclose(
        [s[:, 0] for s in ax.collections[0].get_segments()], pairs.confint()[["lower", "upper"]]
    )
    data = interlace.datasets.load("orthodont")
    slopes = interlace.lmer("distance ~ age * Sex + (1 | Subject)", data).emtrends("age", "Sex")
    assert slopes.plot().get_xlabel() == "slope"


def test_what_is_not_estimable_is_said() -> None:
    data = interlace.datasets.load("oats")
    data = data[~((data["Variety"] == "Victory") & (data["nitro"] == 0.6))]
    with pytest.warns(interlace.RankDeficiencyWarning):
        m = interlace.lmer("yield ~ factor(nitro) * Variety + (1 | Block)", data)
    means = m.emmeans("Variety")
    ax = means.plot(comparisons=True)
    assert [one.get_text() for one in ax.texts if one.get_text()] == ["not estimable"]
    assert len(ax.get_lines()[0].get_xdata()) == 2
    assert len([line for line in means.pwpp().get_lines() if line.get_marker() == "o"]) == 1
    assert means.pwpm().loc["Victory", "Golden Rain"] == "NaN"
    lines = m.emmip("Variety ~ nitro").get_lines()
    assert np.isnan(lines[2].get_ydata()[-1]) and np.isfinite(lines[0].get_ydata()).all()


# ---- interaction plots ----


def test_traces_along_levels_and_numbers() -> None:
    means = oats().emmeans(["nitro", "Variety"])
    frame = means.frame.set_index(["Variety", "nitro"])
    ax = means.emmip("Variety ~ nitro")
    for line, variety in zip(ax.get_lines(), ["Golden Rain", "Marvellous", "Victory"], strict=True):
        assert line.get_label() == variety
        np.testing.assert_allclose(line.get_ydata(), frame.loc[variety, "estimate"])
        np.testing.assert_allclose(line.get_xdata(), [0, 0.2, 0.4, 0.6], atol=0.05)  # numbers stay numbers
    np.testing.assert_allclose(
        [s[:, 1] for s in ax.collections[1].get_segments()], frame.loc["Marvellous", ["lower", "upper"]]
    )
    legend = ax.figure.legends[0]
    assert legend.get_title().get_text() == "Variety" and len(legend.get_texts()) == 3
    ax = means.emmip("nitro ~ Variety", intervals=False)
    assert tick_labels(ax.xaxis) == ["Golden Rain", "Marvellous", "Victory"]
    assert ax.get_xlabel() == "Variety" and not ax.get_title(loc="left")
    places = np.array([line.get_xdata() for line in ax.get_lines()])
    assert np.array_equal(np.round(places), [[0, 1, 2]] * 4) and len(np.unique(places)) == 12  # side by side
    looks = {(line.get_color(), line.get_marker()) for line in ax.get_lines()}
    assert len(looks) == 4


def test_panels_and_given_axes() -> None:
    import matplotlib.pyplot as plt

    means = oats().emmeans("nitro | Variety")
    every = means.emmip()
    assert [ax.get_title() for ax in every] == [
        f"Variety = {v}" for v in ("Golden Rain", "Marvellous", "Victory")
    ]
    figure, given = plt.subplots(1, 3)
    again = means.emmip(ax=given)
    assert all(one is other for one, other in zip(again, given, strict=True))
    with pytest.raises(DataError, match="3 panels, and ax has 1"):
        means.emmip(ax=given[0])
    for draw in (means.plot, means.pwpp, lambda ax: oats().emmip("Variety ~ nitro", ax=ax)):
        assert draw(ax=given[1]) is given[1]
    with pytest.raises(DataError, match=r"ax must be axes of matplotlib"):
        means.plot(ax=figure)


def test_of_a_model() -> None:
    data = interlace.datasets.load("orthodont")
    m = interlace.lmer("log(distance) ~ age * Sex + (1 | Subject)", data)
    options: dict[str, Any] = {"at": {"age": [8, 10, 14]}, "level": 0.9, "type": "response"}
    ax = m.emmip("Sex ~ age", **options, ddf="kenward-roger")
    frame = m.emmeans(["Sex", "age"], **options, ddf="kenward-roger").frame
    for line, sex in zip(ax.get_lines(), ["Male", "Female"], strict=True):
        np.testing.assert_allclose(line.get_ydata(), frame.loc[frame["Sex"] == sex, "estimate"])
    assert "90% intervals" in ax.get_title(loc="left") and "log" not in ax.get_ylabel()
    assert len(m.emmip("~ Sex").get_lines()) == 1
    given = interlace.qdrg("~ Sex", data, [1.0, 2.0], np.eye(2))
    np.testing.assert_allclose(given.emmip("~ Sex").get_lines()[0].get_ydata(), [1, 3])


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (3, "such as 'A ~ x | B'"),
        ("a ~ b ~ c", "such as 'A ~ x | B'"),
        ("Varety ~ nitro", "did you mean"),
        ("Variety ~ ", "names no variable"),
        ("Variety ~ 1", "names nothing to go along"),
        ("Variety ~ nitro | Variety", "twice"),
        ("~ nitro", "no place for Variety"),
    ],
)
def test_errors_of_formulas(formula: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        oats().emmeans(["nitro", "Variety"]).emmip(formula)


# ---- p-values ----


def test_links_of_p_values() -> None:
    means = oats().emmeans("nitro | Variety")
    ax = means.pwpp()
    p = means.pairs().test()["p"].to_numpy()
    links = [line for line in ax.get_lines() if line.get_marker() == "o"]
    np.testing.assert_allclose(sorted(line.get_xdata()[0] for line in links), np.sort(p))
    labels = tick_labels(ax.yaxis)
    assert labels[:3] == ["Variety = Golden Rain", "0.6  [124.8]", "0.4  [114.7]"]
    row = dict(zip(labels, ax.get_yticks(), strict=True))
    first = next(line for line in links if np.isclose(line.get_xdata()[0], p[0]))  # of 0 and 0.2
    assert sorted(first.get_ydata()) == sorted([row["0.2  [98.5]"], row["0  [80.0]"]])
    assert "tukey" in ax.get_title(loc="left")
    assert "tukey" not in means.pwpp(adjust="none").get_title(loc="left")
    assert [line for line in means.pwpp(alpha=0.1).get_lines() if line.get_xdata()[0] == 0.1]


def test_matrix_of_p_values() -> None:
    means = oats().emmeans("Variety")
    table = means.pwpm()
    tests = means.pairs().test()
    assert [table.iloc[i, i] for i in range(3)] == ["[104.50]", "[109.79]", "[97.62]"]
    np.testing.assert_allclose(
        [float(table.iloc[i, j]) for i, j in ((0, 1), (0, 2), (1, 2))], tests["p"], rtol=5e-3
    )
    np.testing.assert_allclose(
        [float(table.iloc[j, i]) for i, j in ((0, 1), (0, 2), (1, 2))], tests["estimate"], atol=5e-3
    )
    assert list(oats().emmeans("nitro | Variety").pwpm()) == [
        f"Variety = {v}" for v in ("Golden Rain", "Marvellous", "Victory")
    ]
    ratios = model("log(y) ~ A + (1 | g)", "l").emmeans("A", type="response", ddf="asymptotic").pwpm()
    assert "ratios" in ratios.attrs["note"] and 0.8 < float(ratios.iloc[1, 0]) < 1.2


# ---- the package that draws ----


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(interlace.MissingPackageError, match=r"pip install 'interlace\[plot\]'"):
        canvas.axes(None, 1, 1)
    with pytest.raises(ImportError):
        oats().emmeans("Variety").plot()
    assert oats().emmeans("Variety").pwpm().shape == (3, 3)


def test_without_a_display() -> None:
    code = """
import sys, interlace
data = {"y": [1, 2, 4, 3, 5, 7, 3, 9], "A": list("abababab"), "g": list("ppqqrrss")}
means = interlace.lmer("y ~ A + (1 | g)", data).emmeans("A")
assert "matplotlib" not in sys.modules
means.plot().figure.savefig(sys.stdout.buffer)
"""
    environment = {**_environment(), "DISPLAY": ""}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert run.returncode == 0 and run.stdout[:4] == b"\x89PNG"


def _environment() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}


@pytest.mark.parametrize("alpha", [0.0, 1.0, "few"])
def test_alpha(alpha: Any) -> None:
    with pytest.raises(DataError, match="alpha"):
        oats().emmeans("Variety").pwpp(alpha=alpha)
