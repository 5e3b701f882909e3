"""Robust standard errors that are rounding error are none; those that are small are right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from mpmath import mp, mpf

import interlace
from interlace import ClusterRobust, LinearMixedModel
from interlace.precision import sandwich
from interlace.precision.sandwiches import ROUNDING

KINDS = ("CR0", "CR1", "CR1p", "CR1S", "CR2")


def cells() -> dict[str, Any]:
    """One of the three arms has a single cluster, which determines its coefficient."""
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(11), 6)
    arm = np.where(g == 0, "a", np.where(g < 6, "b", "c"))
    y, x = rng.normal(size=66) + rng.normal(size=11)[g] + 5.0, rng.normal(size=66)
    return {"y": y, "x": np.where(g == 0, 0.0, x), "g": g, "arm": arm}


@pytest.fixture(scope="module")
def model() -> LinearMixedModel:
    return interlace.lmer("y ~ 0 + arm + x + (1 | g)", cells())


@pytest.mark.parametrize("kind", KINDS)
def test_a_cluster_that_determines_a_coefficient(model: LinearMixedModel, kind: str) -> None:
    table = model.coef_table(vcov=kind)
    assert table.loc["arm[a]", ["se", "df", "t", "p"]].isna().all()
    assert table.drop(index="arm[a]").notna().all(axis=None)
    assert model.coef_table(vcov=kind, ddf="asymptotic").loc["arm[a]", ["se", "t", "p"]].isna().all()
    assert "no robust standard error of arm[a]" in table.attrs["note"]
    assert "no robust standard error of arm[a]: nothing but rounding error" in str(model.summary(vcov=kind))
    assert model.vcov(kind).iloc[0, 0] < 1e-20
    joint = model.contrast_test(np.eye(4)[:3], vcov=kind)
    assert joint.num_df == 3 and np.isnan([joint.F, joint.den_df, joint.p]).all()
    assert "no test, for the residuals say nothing" in joint.note
    for options in (
        {},
        {"test": "chisq", "type": 3},
        {"test": "wald", "type": 2},
        {"test": "chisq", "type": 2},
    ):
        found = model.anova(vcov=kind, **options)
        assert np.isnan(found.loc["arm", "p"]), options
        if options.get("type") != 2:
            assert np.isfinite(found.loc["x", "p"])
    # a difference from it rests on the other arm alone, and is a number
    difference = model.contrast_test({"arm[b]": 1, "arm[a]": -1}, vcov=kind)
    assert difference.rows["se"].iloc[0] == pytest.approx(table.loc["arm[b]", "se"], rel=1e-6)


def test_with_a_reference_level() -> None:
    """The intercept is the arm of one cluster; the other coefficients are differences from it."""
    m = interlace.lmer("y ~ arm + x + (1 | g)", cells())
    table = m.coef_table(vcov="CR0")
    assert np.isnan(table.loc["Intercept", "se"]) and table.iloc[1:].notna().all(axis=None)
    assert np.isfinite(m.anova(vcov="CR0").loc["arm", "F"])


def leaning(size: float) -> dict[str, Any]:
    """One cluster has nearly all that is known of x: the others have `size` of it."""
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(9), 4)
    x = np.tile([1.0, 0.5, -0.5, -1.0], 9) * np.where(g == 0, 1.0, size * (1 + g % 3))
    return {"y": rng.normal(size=36) + rng.normal(size=9)[g], "x": x, "g": g}


def exact(m: LinearMixedModel) -> tuple[float, float]:
    """CR0 standard error of x and its df, in high precision, for X = (1, x) and a random intercept."""
    mp.dps = 60
    design, theta = m.fit.design, mpf(float(m.theta[0]))
    X, y, codes = mp.matrix(design.X.tolist()), mp.matrix(design.y.tolist()), design.random[0].codes
    n, J = len(codes), int(codes.max()) + 1
    V = mp.matrix(n, n)
    for i in range(n):
        for j in range(n):
            V[i, j] = (theta**2 if codes[i] == codes[j] else mpf(0)) + (1 if i == j else 0)
    W = V**-1
    WX = W * X
    M = (X.T * WX) ** -1
    r = y - X * (M * (WX.T * y))
    E = [
        mp.matrix([[WX[i, k] if codes[i] == c else mpf(0) for i in range(n)] for k in range(2)])
        for c in range(J)
    ]
    g = [(M * e)[1, :] for e in E]
    variance = sum(((a * r)[0]) ** 2 for a in g)
    H = [a * X for a in g]
    P = [
        [
            (g[a] * V * g[a].T)[0] - (H[a] * M * H[a].T)[0] if a == b else -(H[a] * M * H[b].T)[0]
            for b in range(J)
        ]
        for a in range(J)
    ]
    trace, square = sum(P[a][a] for a in range(J)), sum(v * v for row in P for v in row)
    return float(mp.sqrt(variance)), float(trace**2 / square) if square else np.nan


@pytest.mark.parametrize("size", [1e-1, 1e-3, 1e-5, 1e-6])
def test_small_and_right(size: float) -> None:
    m = interlace.lmer("y ~ x + (1 | g)", leaning(size))
    se, df = exact(m)
    row = m.coef_table(vcov="CR0").loc["x"]
    assert se < 15 * size * m.se["x"]
    np.testing.assert_allclose(row["se"], se, rtol=1e-8 + 1e-15 / size**2)
    np.testing.assert_allclose(row["df"], df, rtol=1e-6 + 3e-16 / size**2)


def test_both_sides_of_the_constant() -> None:
    """Standard errors beside 1e-7 of the model's: a number above, none below."""
    for size, known in ((3e-7, True), (1e-9, False), (0.0, False)):
        m = interlace.lmer("y ~ x + (1 | g)", leaning(size))
        se, _ = exact(m)
        assert (se > ROUNDING * m.se["x"]) == known
        assert np.isfinite(m.coef_table(vcov="CR0").loc["x", "se"]) == known
        joint = m.contrast_test(np.eye(2), vcov="CR0", ddf="asymptotic")
        assert np.isfinite(joint.F) == known


def test_digits_of_y_are_the_limit() -> None:
    """Far from its origin y has no digits left for residuals."""
    data = leaning(1e-5)
    near = interlace.lmer("y ~ x + (1 | g)", data).coef_table(vcov="CR0")
    slightly = interlace.lmer("y ~ x + (1 | g)", {**data, "y": data["y"] + 1e12 * data["x"]}).coef_table(
        vcov="CR0"
    )
    assert np.isfinite(near.loc["x", "se"]) and np.isnan(slightly.loc["x", "se"])


def test_responses_that_are_equal_in_all_clusters() -> None:
    """The clusters agree to the last digit: CR0 of their mean is zero."""
    y = np.tile([1.0, 4.0, -2.0, 0.5], 8)
    m = interlace.lmer("y ~ 1 + (1 | g)", {"y": y, "g": np.repeat(np.arange(8), 4)})
    table = m.coef_table(vcov="CR0")
    assert np.isnan(table.loc["Intercept", "se"])


def test_no_fixed_effects() -> None:
    """Empty tables in place of errors from the depths."""
    m = interlace.lmer("y ~ 0 + (1 | g)", cells())
    for kind in (*KINDS, "CR3"):
        assert m.vcov(kind).shape == (0, 0)
        assert len(m.coef_table(vcov=kind)) == 0 and len(m.anova(vcov=kind)) == 0


def test_pieces_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept or made again, in one piece or in many."""
    from interlace.precision import cluster_rows, plain_sandwich, unbiased

    data = {**cells(), "h": np.arange(66) // 3}
    m = interlace.lmer("y ~ arm + x + (1 | g / h)", data, weights=1 + np.arange(66) % 2)
    tables = {
        kind: (m.coef_table(vcov=kind), m.anova(vcov=kind)) for kind in (*KINDS, "CR3") if kind != "CR3"
    }
    for module in (cluster_rows, sandwich, unbiased):
        monkeypatch.setattr(module, "CHUNK", 1)
    other = interlace.lmer("y ~ x + (1 | g / h)", data)
    jackknife = other.coef_table(vcov="CR3")
    for module in (plain_sandwich, unbiased):
        monkeypatch.setattr(module, "KEPT", 0.0)
    for kind, (coef, anova) in tables.items():
        fresh = ClusterRobust(kind, data["g"])
        pd.testing.assert_frame_equal(m.coef_table(vcov=fresh), coef, rtol=1e-9)
        pd.testing.assert_frame_equal(m.anova(vcov=fresh), anova, rtol=1e-9, check_like=True)
    pd.testing.assert_frame_equal(
        other.coef_table(vcov=ClusterRobust("CR3", data["g"])), jackknife, rtol=1e-9
    )


def test_memory_is_looked_at_beforehand(monkeypatch: pytest.MonkeyPatch, model: LinearMixedModel) -> None:
    from interlace.errors import ModelError
    from interlace.estimation import capacity as memory

    monkeypatch.setattr(memory, "_SMALL", 0.0)
    room = {"bytes": 1e9}
    monkeypatch.setattr(memory, "available_bytes", lambda: room["bytes"])
    for kind in ("CR0", "CR2"):
        assert np.isfinite(model.vcov(kind)).all(axis=None)
    room["bytes"] = 10.0
    with pytest.raises(
        ModelError, match=r"CR2 needs a dense matrix of the largest cluster: 6 rows and 1 random .* GiB"
    ):
        model.vcov("CR2")
    with pytest.raises(ModelError, match=r"the sums over each cluster need about 0.0 GiB"):
        model.vcov("CR0")
    with pytest.raises(ModelError, match=r"the random effects of every column of X need about"):
        model.vcov("CR0", cluster=["g", "arm"])


def test_progress_is_quiet_where_nobody_watches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: LinearMixedModel
) -> None:
    import sys

    from interlace import progress

    model.vcov("CR2")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    model.vcov("CR2", cluster=cells()["g"])
    assert "CR2" in capsys.readouterr().err


@pytest.mark.parametrize(("large", "small"), [(1e-30, 1e120), (1e60, 1e130), (1e60, 1e-80), (1e-60, 1e-130)])
def test_units_at_the_ends_of_floating_point(large: float, small: float) -> None:
    """Nothing under- or overflows on the way to a t statistic."""
    made = leaning(0.3)
    extreme = {**made, "y": large * made["y"], "x": small * made["x"]}
    m, moved = (interlace.lmer("y ~ x + (1 | g)", d) for d in (made, extreme))
    ways = [made["g"], np.arange(36) % 4]
    for chosen in (*map(ClusterRobust, (*KINDS, "CR3")), ClusterRobust("CR1", ways)):
        a, b = (f.coef_table(vcov=chosen)[["t", "df", "p"]] for f in (m, moved))
        pd.testing.assert_frame_equal(a, b, rtol=1e-6)
        a, b = (f.anova(vcov=chosen)[["F", "den_df", "p"]] for f in (m, moved))
        pd.testing.assert_frame_equal(a, b, rtol=1e-6)
