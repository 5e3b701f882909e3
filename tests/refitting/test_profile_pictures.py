"""Points of profiles with all parameters, what is said where a profile fails, and pictures."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from interlace import lmer
from interlace.datasets import load
from interlace.errors import DataError
from interlace.estimation.held import Held
from interlace.refitting.profile_pictures import contour
from interlace.refitting.track import Track


@pytest.fixture(scope="module")
def sleep() -> Any:
    return lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))


@pytest.fixture(scope="module")
def profile(sleep: Any) -> Any:
    return sleep.profile()


def test_the_table_has_all_parameters_at_each_point(sleep: Any, profile: Any) -> None:
    table = profile.table
    ml = sleep.refit(reml=False)
    names = list(ml.confint().index)
    assert list(table.columns) == ["parameter", "value", "zeta", "deviance", *names]
    at = table[table["zeta"] == 0]
    assert list(at["parameter"]) == names
    for _, row in at.iterrows():
        np.testing.assert_allclose(row[names].astype(float), ml.confint()["estimate"], rtol=1e-5)
    for name in names:
        mine = table[table["parameter"] == name]
        np.testing.assert_array_equal(mine[name], mine["value"])
        last = 2.977583 if name.startswith("cor") else 3.0  # at a correlation of 1
        np.testing.assert_allclose(mine["zeta"], [*np.arange(-3, 2.6, 0.5), last], atol=1e-6)


def test_parameters_of_a_point_have_its_deviance(sleep: Any, profile: Any) -> None:
    """Minus twice the density of y, written out densely, at what the table says."""
    s, table = load("sleepstudy"), profile.table
    days, subject = s["Days"].to_numpy(float), s["Subject"].astype(str).to_numpy()
    y, X = s["Reaction"].to_numpy(), np.column_stack([np.ones(180), days])
    same = subject[:, None] == subject[None, :]
    for _, row in table[table["zeta"].abs().between(1.9, 2.1)].iterrows():
        a, b, r = row["sd_Intercept|Subject"], row["sd_Days|Subject"], row["cor_Days.Intercept|Subject"]
        slopes = a * b * r * (days[:, None] + days[None, :]) + b * b * np.outer(days, days)
        V = same * (a * a + slopes) + row["sigma"] ** 2 * np.eye(180)
        e = y - X @ np.array([row["Intercept"], row["Days"]])
        deviance = np.linalg.slogdet(2 * np.pi * V)[1] + e @ np.linalg.solve(V, e)
        assert deviance == pytest.approx(row["deviance"], abs=1e-6), row["parameter"]


def test_threads_and_pickles(sleep: Any, profile: Any) -> None:
    np.testing.assert_array_equal(
        sleep.profile(n_jobs=2).table.drop(columns="parameter"), profile.table.drop(columns="parameter")
    )
    again = pickle.loads(pickle.dumps(profile))
    np.testing.assert_allclose(again.confint(0.8), profile.confint(0.8), rtol=1e-7)


class Levelling:
    """A deviance that rises to a plateau."""

    def __init__(self, top: float, converged: bool) -> None:
        self.top, self.converged = top, converged

    def __call__(self, value: float, near: Any) -> Held:
        rise = self.top * (1 - np.exp(-(value**2)))
        return Held(value, rise, 2 * self.top * value * np.exp(-(value**2)), np.zeros(0), self.converged)


def _track(top: float, converged: bool = True) -> Track:
    here = Held(0.0, 0.0, 0.0, np.zeros(0), True)
    return Track("theta", 0.0, -np.inf, np.inf, 0.5, Levelling(top, converged), [here], 0.0)  # type: ignore[arg-type]


def test_a_flat_profile_says_so() -> None:
    track = _track(2.0)
    assert np.isinf(track.find(1.96))
    assert "the likelihood of theta is flat: zeta is 1.41" in track.words[0]
    assert np.isfinite(_track(9.0).find(1.96)) and not _track(9.0).words


def test_a_search_without_a_proof_says_so() -> None:
    track = _track(9.0, converged=False)
    track.find(1.0)
    assert "without a proof of a minimum" in track.words[0]


def test_a_leap_says_so() -> None:
    track = _track(9.0)
    track.hold = lambda value, near: Held(  # type: ignore[assignment, misc]
        value, value**2 + 5 * (value > 1), 2 * value, np.zeros(0), True
    )
    assert track.find(1.5) == pytest.approx(1.0)
    assert "leaps from zeta = 1 to 2.45" in track.words[0]


def test_words_reach_the_table(profile: Any) -> None:
    again = pickle.loads(pickle.dumps(profile))
    again.tracks[0].words.append("the likelihood of it is flat")
    assert "is flat" in again.confint().note and "is flat" not in profile.confint().note


@pytest.mark.parametrize("rho", [0.0, 0.6, -0.9])
def test_contours_of_a_normal_likelihood_are_ellipses(rho: float) -> None:
    points = contour(2.0, lambda z: rho * z, lambda z: rho * z)
    a, b = points.T
    np.testing.assert_allclose((a * a - 2 * rho * a * b + b * b) / (1 - rho**2), 4.0, rtol=0.02)
    np.testing.assert_allclose(points[0], points[-1], atol=1e-12)


def test_pictures(profile: Any) -> None:
    names = list(profile.parameters)
    axes = profile.plot()
    assert [ax.get_title() for ax in axes] == names
    low, high = profile.confint().loc["sigma"]
    band = axes[3].patches[0].get_extents().transformed(axes[3].transData.inverted())
    np.testing.assert_allclose([band.x0, band.x1], [low, high])
    x, y = axes[3].lines[-3].get_data()
    assert np.all(np.diff(y) > 0) and np.interp(low, x, y) == pytest.approx(-1.96, abs=0.002)
    for ax in profile.plot("density"):
        x, y = ax.lines[0].get_data()
        assert np.trapezoid(y, x) == pytest.approx(0.9973, abs=0.01)
    grid = profile.plot("pairs", which=["sigma", "Intercept", "Days"])
    assert grid.shape == (3, 3) and len(grid[1, 0].lines) == 7
    x, y = grid[1, 0].lines[3].get_data()  # the 95 % contour of sigma and the intercept
    assert x.min() < low and x.max() > high
    with pytest.raises(DataError, match="two parameters"):
        profile.plot("pairs", which="sigma")
    with pytest.raises(DataError, match="no profile of 'sigmas'"):
        profile.plot(which="sigmas")
    with pytest.raises(DataError, match="kind 'splom' is not known"):
        profile.plot("splom")


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_pictures_at_a_boundary() -> None:
    found = lmer("Yield ~ 1 + (1 | Batch)", load("dyestuff2")).profile()
    assert found.table["value"].iloc[0] == 0
    for kind in ("zeta", "density", "pairs"):
        found.plot(kind)
