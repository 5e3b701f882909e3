"""Laws of least squares beside absorbed factors: absorbing is dummies; the order of factors, rows and levels
is nothing; a row twice is a row of weight two; a constant moves the effects alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.model.least import LinearModel

COVARIANCES: dict[str, dict[str, Any]] = {
    "iid": {},
    "HC1": {"vcov": "HC1"},
    "HC3": {"vcov": "HC3"},
    "CR1": {"cluster": "c"},
    "two": {"cluster": ["c", "f"]},
    "CR3": {"vcov": "CR3", "cluster": "c"},
}
DUMMIES = {
    "y ~ x + a | f": "y ~ x + a + factor(f)",
    "y ~ x * a | f + g": "y ~ x * a + factor(f) + factor(g)",
    "y ~ x + a | g + h + f": "y ~ x + a + factor(f) + factor(g) + factor(h)",
    "y ~ a | f[x] + g": "y ~ a + factor(f) + factor(f):x + factor(g)",
    "y ~ x | f:h + g": "y ~ x + factor(f):factor(h) + factor(g)",
}
FORMULAS = list(DUMMIES)


def drawn(seed: int, n: int = 150) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    f, g, h = rng.integers(0, 7, n), rng.integers(0, 4, n), rng.integers(0, 3, n)
    x, w, a = rng.normal(size=n) + f, rng.integers(1, 4, n), rng.choice(list("pqr"), n)
    y = x * (1 + 0.2 * f) + f - g + rng.normal(size=n) * (1 + np.abs(x)) / 3
    return pd.DataFrame({"y": y, "x": x, "a": a, "f": f, "g": g, "h": h, "w": w, "c": rng.integers(0, 10, n)})


def answers(m: LinearModel, names: list[str]) -> np.ndarray:
    """What is said of coefficients that two models have, of rows, and of the whole."""
    table = m.coef_table().loc[names].to_numpy(dtype=float).ravel()
    means = m.emmeans("a").pairs().frame[["estimate", "se"]].to_numpy().ravel() if "a[T.q]" in names else []
    rows = np.concatenate([np.asarray(m.fitted), np.asarray(m.leverage())])
    return np.concatenate([table, means, rows, [m.loglik, m.aic, m.sigma, float(m.df_resid)]])


def fitted(formula: str, rows: pd.DataFrame, **options: Any) -> LinearModel:
    return interlace.lm(formula, rows, ssc=interlace.ssc(K_fixef="full"), **options)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("kind", list(COVARIANCES))
@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.filterwarnings("ignore:the fixed-effects model matrix is rank deficient")
def test_absorbing_is_dummies(formula: str, kind: str, weights: str | None) -> None:
    rows = drawn(1)
    one = fitted(formula, rows, weights=weights, **COVARIANCES[kind])
    names = list(one.fixef.index)
    if formula == "y ~ a | f[x] + g" and kind == "CR3":
        return  # without a cluster the dummy model loses columns of its own
    other = fitted(DUMMIES[formula], rows, weights=weights, **COVARIANCES[kind])
    if kind == "two":  # negative eigenvalues are those of the coefficients that are there
        np.testing.assert_allclose(one.fixef[names], other.fixef[names], rtol=1e-7, atol=1e-10)
        return
    np.testing.assert_allclose(answers(one, names), answers(other, names), rtol=1e-7, atol=1e-8)


CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "rows": lambda d: d.sample(frac=1, random_state=1),
    "levels": lambda d: d.assign(f=(d["f"] * 3 + 5) % 7, g=-d["g"], h=d["h"].map({0: "z", 1: "y", 2: "x"})),
    "labels": lambda d: d.assign(f="[T." + d["f"].astype(str) + ")", c=d["c"].astype(str)),
    "categories": lambda d: d.assign(f=pd.Categorical(d["f"], categories=range(20, -1, -1))),
    "other columns": lambda d: d.assign(unused=np.nan)[[*reversed(d.columns), "unused"]],
}


@pytest.mark.parametrize("change", list(CHANGES))
@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("kind", ["HC3", "two", "CR3"])
def test_order_is_nothing(formula: str, kind: str, change: str) -> None:
    rows = drawn(3, 400)
    changed = CHANGES[change](rows)
    before, _, absorbed = formula.partition("|")
    turned = f"{before}| {' + '.join(reversed(absorbed.split('+')))}"
    one, other = fitted(formula, rows, **COVARIANCES[kind]), fitted(turned, changed, **COVARIANCES[kind])
    np.testing.assert_allclose(one.coef_table(), other.coef_table(), rtol=1e-8, atol=1e-12)
    for name in ("fitted", "residuals", "leverage"):
        ask = [getattr(m, name) for m in (one, other)]
        values = [np.asarray(one() if callable(one) else one) for one in ask]
        np.testing.assert_allclose(values[0][changed.index], values[1], rtol=1e-8, atol=1e-9)
    assert (one.df_resid, one.loglik) == (other.df_resid, pytest.approx(other.loglik, rel=1e-12))


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_row_twice_is_a_row_of_weight_two(formula: str) -> None:
    """Coefficients, effects and the sum of squares; and clusters, of which there are as many."""
    rows = drawn(4)
    twice = rows.loc[rows.index.repeat(rows["w"])]
    no = interlace.ssc(K_adj=False, t_df=7)
    one, other = (
        interlace.lm(formula, d, cluster="c", ssc=no, weights=w) for d, w in ((rows, "w"), (twice, None))
    )
    np.testing.assert_allclose(one.coef_table(), other.coef_table(), rtol=1e-8)
    np.testing.assert_allclose(one.absorbed()["estimate"], other.absorbed()["estimate"], rtol=1e-8, atol=1e-9)
    assert one.fit.rss == pytest.approx(other.fit.rss, rel=1e-10)
    CR3 = [m.vcov("CR3", cluster="c") for m in (one, other)]
    np.testing.assert_allclose(*CR3, rtol=1e-7)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("c", [7.0, 1e6])
def test_a_constant_moves_the_effects_alone(formula: str, c: float) -> None:
    one, other = (interlace.lm(formula, drawn(5).assign(y=lambda d, c=c: d["y"] + c)) for c in (0.0, c))
    np.testing.assert_allclose(one.coef_table(), other.coef_table(), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(one.residuals(), other.residuals(), atol=1e-8)
    np.testing.assert_allclose(one.fitted + c, other.fitted, rtol=1e-9)
    if "a" in formula.split("|")[0]:
        means = [m.emmeans("a").frame["estimate"] for m in (one, other)]
        np.testing.assert_allclose(means[0] + c, means[1], rtol=1e-9)


@pytest.mark.parametrize("formula", [one for one in FORMULAS if "[" not in one])
def test_singletons_say_nothing_of_coefficients(formula: str) -> None:
    """Rows that are alone in a level, and those that are alone when these have left."""
    rows, own = drawn(6), drawn(7, 3).assign(f=[100, 101, 101], g=[0, 50, 0], h=[0, 60, 0])
    kept, left = (interlace.lm(formula, pd.concat([rows, own]), singletons=s) for s in ("keep", "drop"))
    alone = kept.nobs - left.nobs
    assert alone == left.summary().n_singletons >= 1
    np.testing.assert_allclose(kept.coef_table(), left.coef_table(), rtol=1e-8)
    np.testing.assert_allclose(kept.fit.rss, left.fit.rss, rtol=1e-10)
