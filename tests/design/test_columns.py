"""Factors with many levels stay codes: the same columns, the same products, the same fits as numbers give."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.design import coded as room
from interlace.design.columns import Coded, Plain
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.errors import RankDeficiencyWarning
from interlace.estimation.crossproducts import CrossProducts

FORMULAS = [
    "y ~ x + f + (1 | g)",
    "y ~ f * x + h + (1 + x | g) + (1 | k)",
    "y ~ 0 + f + h:poly(x, 2) + (x | g)",
    "y ~ C(f, contr.sum) * z + poly(x, 2):h + (1 | g)",
    "y ~ f:x:z + f + (1 | g)",
    "y ~ x + h * f + (1 | g)",
    "y ~ f + factor(f) + (1 | g)",
    "y ~ C(f, contr.poly) + C(h, contr.helmert):x + (1 | g)",
]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 1500
    table = pd.DataFrame(
        {
            "x": rng.normal(3, 1, n),
            "z": rng.normal(size=n),
            "f": rng.integers(0, 17, n).astype(str),
            "h": rng.integers(0, 16, n).astype(str),
            "g": rng.integers(0, 30, n),
            "k": rng.integers(0, 9, n),
            "w": rng.uniform(0.5, 2, n),
        }
    )
    table["y"] = table.x * table.f.astype(int) / 10 + rng.normal(size=30)[table.g] + rng.normal(size=n)
    return table


def learnt(
    monkeypatch: pytest.MonkeyPatch, most: float, formula: str, data: pd.DataFrame, **options: str
) -> tuple[Encoding, Design]:
    monkeypatch.setattr(room, "MANY_NUMBERS", most)
    return Encoding.learn(formula, data, **options)


@pytest.mark.parametrize("formula", FORMULAS)
def test_codes_are_the_columns(formula: str, data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    _, plain = learnt(monkeypatch, np.inf, formula, data)
    _, coded = learnt(monkeypatch, 0, formula, data)
    assert isinstance(plain.fixed, Plain)
    assert isinstance(coded.fixed, Coded)
    rng, X = np.random.default_rng(2), plain.X
    np.testing.assert_array_equal(coded.X, X)
    np.testing.assert_allclose(coded.fixed.sums(), X.sum(axis=0), atol=1e-10)
    v = rng.normal(size=X.shape[1])
    np.testing.assert_allclose(coded.fixed.times(v), X @ v, atol=1e-12)
    some = list(range(0, X.shape[1], 3))
    np.testing.assert_array_equal(coded.fixed.select(some).array(), X[:, some])
    np.testing.assert_allclose(coded.fixed.select(some).times(v[some]), X[:, some] @ v[some], atol=1e-12)
    rows = np.array([5, 2, 700])
    np.testing.assert_array_equal(coded.fixed.rows(rows), X[rows])
    np.testing.assert_array_equal(coded.fixed.rows(slice(3, 9)), X[3:9])


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("formula", FORMULAS)
def test_products_by_cell_are_those_of_the_columns(
    formula: str, weights: str | None, data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoding, plain = learnt(monkeypatch, np.inf, formula, data, weights=weights)
    _, coded = learnt(monkeypatch, 0, formula, data, weights=weights)
    A, B = CrossProducts.of(encoding, plain), CrossProducts.of(encoding, coded)
    other = np.random.default_rng(3).normal(size=len(data))
    for one, two in (
        (A, B),
        (A.with_response(encoding, _other(plain, other)), B.with_response(encoding, _other(coded, other))),
    ):
        scale = np.sqrt(np.diagonal(one.products.xx)) + 1e-12
        close = {"rtol": 0, "atol": 1e-12}
        np.testing.assert_allclose(
            two.products.xx / np.outer(scale, scale), one.products.xx / np.outer(scale, scale), **close
        )
        np.testing.assert_array_equal(two.products.xx, two.products.xx.T)
        np.testing.assert_allclose(two.products.xy / scale, one.products.xy / scale, rtol=0, atol=1e-10)
        for f in range(len(one.layout.k)):
            np.testing.assert_allclose(
                two.products.zx(f) / scale, one.products.zx(f) / scale, rtol=0, atol=1e-11
            )
            np.testing.assert_array_equal(two.products.zy(f), one.products.zy(f))
            np.testing.assert_array_equal(two.products.zz_diagonal(f), one.products.zz_diagonal(f))
        assert (two.n, two.products.yy, two.products.sum_log_w) == (
            one.n,
            one.products.yy,
            one.products.sum_log_w,
        )


def _other(design: Design, y: np.ndarray) -> Design:
    return replace(design, y=y)


@pytest.mark.parametrize("formula", FORMULAS)
def test_fits_are_the_same(formula: str, data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    models = []
    for most in (np.inf, 0):
        monkeypatch.setattr(room, "MANY_NUMBERS", most)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RankDeficiencyWarning)
            models.append(interlace.lmer(formula, data))
    plain, coded = models
    assert isinstance(coded.fit.design.fixed, Coded)
    np.testing.assert_allclose(coded.theta, plain.theta, atol=1e-9)
    assert coded.loglik == pytest.approx(plain.loglik, abs=1e-8)
    size = np.abs(plain.fixef).max()
    np.testing.assert_allclose(coded.fixef / size, plain.fixef / size, atol=1e-10)
    for values in ("fitted", "residuals"):
        a, b = (
            np.asarray(getattr(m, values)() if callable(getattr(m, values)) else getattr(m, values))
            for m in models
        )
        np.testing.assert_allclose(b, a, atol=1e-9)
    new = data.iloc[::7]
    np.testing.assert_allclose(coded.predict(new), plain.predict(new), atol=1e-9)
    np.testing.assert_allclose(coded.predict(data), np.asarray(coded.fitted), atol=1e-12)
    again = pickle.loads(pickle.dumps(coded))
    np.testing.assert_allclose(again.refit(data.w).fixef, plain.refit(data.w).fixef, atol=1e-8)


def test_tables_of_tests_are_the_same(data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = []
    for most in (np.inf, 0):
        monkeypatch.setattr(room, "MANY_NUMBERS", most)
        m = interlace.lmer("y ~ f + x + (1 | g)", data)
        assert isinstance(m.fit.design.fixed, Coded if most == 0 else Plain)
        tables.append(
            [m.anova(), m.anova(type=2), m.drop1(), m.drop1(test="lrt"), m.coef_table(vcov="CR1"), m.ranova()]
        )
    for plain, coded in zip(*tables, strict=True):
        np.testing.assert_allclose(coded, plain, rtol=1e-6)


def test_numbers_are_kept_where_they_are_few(data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides of both constants."""
    n = len(data)
    monkeypatch.setattr(room, "MANY_COLUMNS", 15)
    _, design = learnt(monkeypatch, 15 * n, "y ~ h + (1 | g)", data)
    assert isinstance(design.fixed, Coded)
    _, design = learnt(monkeypatch, 15 * n + 1, "y ~ h + (1 | g)", data)
    assert isinstance(design.fixed, Plain)
    monkeypatch.setattr(room, "MANY_COLUMNS", 16)
    _, design = learnt(monkeypatch, 0, "y ~ h + (1 | g)", data)
    assert isinstance(design.fixed, Plain)


def test_nothing_is_shared_with_the_callers_table(
    data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = data.assign(f=pd.Categorical(data.f).set_categories(np.unique(data.f)))
    monkeypatch.setattr(room, "MANY_NUMBERS", 0)
    m = interlace.lmer("y ~ f * x + (1 | g)", table)
    before = np.array(m.fitted)
    codes = table["f"].array.codes
    for array in m.fit.design.fixed.arrays():
        assert not np.may_share_memory(array, codes)
        assert not np.may_share_memory(array, table["x"].to_numpy())
        assert not array.flags.writeable
    np.testing.assert_array_equal(np.asarray(m.fitted), before)
