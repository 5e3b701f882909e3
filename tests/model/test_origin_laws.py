"""The same answer whatever the origin of y: every table of a model for y, y + c, and y + X gamma."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace import KenwardRoger, LinearMixedModel
from made_data import Table, nested

KINDS = ("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")
FORMULAS = {
    "intercept": "y ~ x + f + (x | a)",
    "cells": "y ~ 0 + f + x:f + (1 | a)",  # the intercept is in the span of X, under no name
    "nested": "y ~ x * f + (1 | a / b)",
    "slopes": "y ~ x + z + (1 | a) + (0 + z | a)",
}
OPTIONS: dict[str, dict[str, Any]] = {"plain": {}, "weights and offset": {"weights": "w", "offset": "o"}}
NOT_ESTIMATES = ["se", "df"]


def data() -> Table:
    """No variance is at zero, by a wide margin."""
    rng = np.random.default_rng(11)
    made = nested(rng, (12, 3), 4)
    a, b = (np.unique(made[name], return_inverse=True)[1] for name in "ab")
    f = np.array(["u", "v", "w"])[np.arange(len(a)) % 3]
    y = 1.5 * rng.normal(size=12)[a] * (1 + made["x"]) + rng.normal(size=12)[a] * made["z"]
    y += 1.5 * rng.normal(size=36)[3 * a + b] + made["x"] + (f == "u") + rng.normal(size=len(a))
    return {**made, "f": f, "y": y}


def about_errors(m: LinearMixedModel) -> dict[str, Any]:
    """What no coefficient has a part in."""
    p = len(m.fixef)
    L = np.vstack([np.eye(p)[1:3], np.arange(p) / p])
    found: dict[str, Any] = {
        "se": m.se, "sigma": m.sigma, "theta": m.theta, "varcorr": m.varcorr(se=True), "condvar": m.condvar(),
        "ranef": m.ranef(condvar=True), "ranova": m.ranova(), "icc": m.icc()["adjusted"],
        "loglik": [m.loglik, m.deviance, m.aic, m.bic, m.reml_criterion if m.reml else 0.0],
        "singular": [m.is_singular],
    }  # fmt: skip
    for kind in ("response", "pearson", "standardized"):
        found[kind] = np.asarray(m.residuals(kind))
    for kind in ("model", *KINDS):
        found[f"vcov {kind}"] = m.vcov(kind)
        found[f"df {kind}"] = m.coef_table(vcov=kind)[NOT_ESTIMATES]
        found[f"rows {kind}"] = m.contrast_test(L, vcov=kind).rows[NOT_ESTIMATES]
    for ddf in ("kenward-roger", KenwardRoger("observed")) if m.reml else ():
        found[f"df {ddf}"] = m.coef_table(ddf=ddf)[NOT_ESTIMATES]
    return found


def about_slopes(m: LinearMixedModel) -> dict[str, Any]:
    """What the intercept has no part in."""
    found: dict[str, Any] = {
        "fixef": m.fixef.iloc[1:], "r2": m.r2(), "icc": m.icc(), "drop1": m.drop1(),
        "drop1 lrt": m.drop1(test="lrt")[["df", "lrt"]],
    }  # fmt: skip
    for ddf in ("satterthwaite", "asymptotic", *(["kenward-roger"] if m.reml else [])):
        found[f"coef {ddf}"] = m.coef_table(ddf=ddf).iloc[1:]
        for type in (1, 2, 3):
            found[f"anova {type} {ddf}"] = m.anova(type=type, ddf=ddf)
    for kind in ("model", *KINDS):
        found[f"coef {kind}"] = m.coef_table(vcov=kind).iloc[1:]
        found[f"anova {kind}"] = m.anova(vcov=kind)
        found[f"drop1 {kind}"] = m.drop1(vcov=kind)
        for test in ("chisq", "wald"):
            found[f"anova {test} {kind}"] = m.anova(type=2, test=test, vcov=kind)
        joint = m.contrast_test(np.eye(len(m.fixef))[1:3], vcov=kind)
        found[f"joint {kind}"] = [joint.F, joint.num_df, joint.den_df, joint.p]
    return found


def assert_same(before: dict[str, Any], after: dict[str, Any], rtol: float) -> None:
    assert before.keys() == after.keys()
    for name, expected in before.items():
        _close(name, _numbers(expected), _numbers(after[name]), rtol)


def _numbers(value: Any) -> list[np.ndarray]:
    if isinstance(value, dict):
        return [array for part in value.values() for array in _numbers(part)]
    if isinstance(value, pd.DataFrame):
        return [column.to_numpy(float) for _, column in value.select_dtypes("number").items()]
    return [np.asarray(value, dtype=float)]


def _close(name: str, expected: list[np.ndarray], got: list[np.ndarray], rtol: float) -> None:
    for a, b in zip(expected, got, strict=True):
        size = np.max(np.abs(a), initial=0.0, where=~np.isnan(a))
        np.testing.assert_allclose(b, a, rtol=rtol, atol=rtol * size, err_msg=name)


def marked(*values: Any) -> Any:
    """A case for the slow suite."""
    return pytest.param(*values, marks=pytest.mark.slow)


def fitted(formula: str, y: np.ndarray, options: dict[str, Any], *, reml: bool = True) -> LinearMixedModel:
    return interlace.lmer(formula, {**data(), "y": y}, reml=reml, **options)


@pytest.mark.parametrize(("origin", "rtol"), [marked(100.0, 1e-5), (-1e6, 1e-4)])
@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("slopes", "weights and offset"),
        marked("intercept", "plain"),
        marked("intercept", "weights and offset"),
        marked("nested", "plain"),
        marked("nested", "weights and offset"),
        marked("slopes", "plain"),
    ],
)
def test_origin(formula: str, options: str, origin: float, rtol: float) -> None:
    y = data()["y"]
    m, moved = (fitted(FORMULAS[formula], v, OPTIONS[options]) for v in (y, y + origin))
    assert_same(about_errors(m), about_errors(moved), rtol)
    assert_same(about_slopes(m), about_slopes(moved), rtol)
    change = moved.fixef.iloc[0] - m.fixef.iloc[0]
    assert change == pytest.approx(origin, abs=rtol * m.se.iloc[0] + 1e-12 * abs(origin))


@pytest.mark.parametrize("options", ["plain", marked("weights and offset")])
@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize(
    ("size", "rtol"), [marked(0.2, 1e-5), (30.0, 1e-5), marked(1e3, 1e-5), marked(1e6, 1e-4)]
)
def test_fixed_part(formula: str, options: str, size: float, rtol: float) -> None:
    """y + X gamma, from little of y to nearly all of it: only the coefficients change, by gamma."""
    y = data()["y"]
    m = fitted(FORMULAS[formula], y, OPTIONS[options])
    gamma = size * (1 + np.arange(len(m.fixef)) % 3)
    moved = fitted(FORMULAS[formula], y + m.fit.design.X @ gamma, OPTIONS[options])
    assert_same(about_errors(m), about_errors(moved), rtol)
    np.testing.assert_allclose(moved.fixef - m.fixef, gamma, atol=rtol * m.se.max() + 1e-12 * size)
    for kind in ("model", *KINDS):
        tests = [
            f.contrast_test(np.eye(len(gamma)), rhs=rhs, vcov=kind)
            for f, rhs in ((m, np.zeros(len(gamma))), (moved, gamma))
        ]
        a, b = ([t.F, t.num_df, t.den_df, *t.rows["t"]] for t in tests)
        np.testing.assert_allclose(b, a, rtol=100 * rtol, atol=100 * rtol)


@pytest.mark.parametrize("formula", [marked("intercept"), "cells", marked("nested"), marked("slopes")])
def test_rows_and_refits(formula: str) -> None:
    """What has a row per observation, and what fits again."""
    y, origin, cells = data()["y"], 1e4, FORMULAS[formula]
    m, moved = (fitted(cells, v, {"weights": "w", "offset": "o"}, reml=False) for v in (y, y + origin))
    new = {name: column[:7] for name, column in data().items()}
    pairs: list[Callable[[LinearMixedModel], Any]] = [
        lambda f: f.fitted, lambda f: f.predict(new), lambda f: f.predict(new, random="none"),
        lambda f: f.simulate(2, seed=1).to_numpy(),
    ]  # fmt: skip
    for rows in pairs:
        np.testing.assert_allclose(rows(moved) - origin, rows(m), atol=1e-5)
    again = m.refit(y + origin)
    assert_same(about_errors(moved), about_errors(again), 1e-6)
    assert_same(about_errors(moved.refit(reml=True)), about_errors(m.refit(reml=True)), 1e-4)


def test_columns_that_left() -> None:
    """The fixed effects that nearly all of y is explained by are those that are in the model."""
    made, formula = data(), "y ~ 0 + f + I(2 * z) + z + (1 | a)"
    for size in (0.0, 1e4):
        with pytest.warns(interlace.RankDeficiencyWarning):
            m = fitted(formula, made["y"] + size * (made["f"] == "v") + size * made["z"], {})
        same = fitted("y ~ 0 + f + I(2 * z) + (1 | a)", made["y"], {})
        assert_same(about_errors(same), about_errors(m), 1e-5)


def test_comparisons() -> None:
    y = data()["y"]

    def compared(v: np.ndarray) -> dict[str, Any]:
        large, small = (fitted(f, v, {}) for f in ("y ~ x + f + (1 | a)", "y ~ x + (1 | a)"))
        boot = interlace.bootstrap_compare(large, small, n=20, seed=1)
        return {
            "compare": interlace.compare(small, large),
            "aic": interlace.aic_table(small, large)["aic"],
            "bootstrap": [boot.statistic, *np.sort(boot.reference)],
        }

    assert_same(compared(y), compared(y + 1e5), 1e-4)


@pytest.mark.parametrize("noise", [marked(1.0), 1e-3, marked(1e-6), 1e-9])
def test_small_noise(noise: float) -> None:
    """y = X b + noise: the standard errors are those of the noise, however small beside X b."""
    made, rng = data(), np.random.default_rng(3)
    error = rng.normal(size=12)[np.unique(made["a"], return_inverse=True)[1]] + rng.normal(
        size=len(made["y"])
    )
    alone = fitted("y ~ x + (1 | a)", error, {})
    m = fitted("y ~ x + (1 | a)", 3.0 + 7.0 * made["x"] + noise * error, {})
    tolerance = 1e-5 + 1e-14 / noise
    for kind in ("model", *KINDS):
        np.testing.assert_allclose(m.vcov(kind) / noise**2, alone.vcov(kind), rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(
            m.coef_table(vcov=kind)["df"], alone.coef_table(vcov=kind)["df"], rtol=tolerance
        )
    np.testing.assert_allclose(np.asarray(m.residuals()) / noise, alone.residuals(), atol=10 * tolerance)
