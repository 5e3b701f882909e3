"""Kenward-Roger for small models whose digits are hard to keep, beside exact arithmetic (exact/)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.arrays import Array
from interlace.design.encoding import Encoding
from interlace.estimation.fit import Fit, at_theta
from interlace.precision import information as sums
from interlace.precision import rotated
from interlace.precision.kenward_roger import bind
from interlace.precision.marginal import Marginal
from interlace.precision.paired import Kept, Multiplied, Products, WithResidual, products
from made_data import crossed, one

CASES = json.loads((Path(__file__).parent / "exact" / "kenward_roger.json").read_text())
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["seed"]))


def fitted(case: dict[str, Any]) -> Fit:
    weights = "w" if case["weights"] else None
    learnt = Encoding.learn(case["formula"], pd.DataFrame(case["data"]), weights=weights)
    return at_theta(*learnt, case["theta"])


def check(fit: Fit, case: dict[str, Any]) -> None:
    bound = bind(fit, "expected")
    np.testing.assert_allclose(bound.df(np.eye(len(bound.beta))), case["df"], rtol=1e-8)
    se = np.sqrt(np.diagonal(bound.vcov)) / fit.sigma
    np.testing.assert_allclose(se, case["se_over_sigma"], rtol=1e-7)


@cases
def test_digits_are_kept(case: dict[str, Any]) -> None:
    check(fitted(case), case)


@pytest.mark.parametrize("seed", [108, 637, 1060, 1197])
def test_lost_digits_are_seen_and_found_again(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = next(case for case in CASES if case["seed"] == seed)
    fit = fitted(case)
    assert sums.moments(fit, Marginal.of(fit)).lost_digits
    monkeypatch.setattr(rotated, "SMALL", 0.0)
    check(fit, case)


def test_both_ways_give_the_same_moments() -> None:
    rng = np.random.default_rng(4)
    for formula, data, options in (
        ("y ~ x + f + (x | a) + (1 | b)", crossed(rng, 200, (14, 9)), {"weights": "w", "offset": "z"}),
        ("y ~ 0 + f + (x + z | a)", one(rng, 150, 12), {}),
    ):
        fit = interlace.lmer(formula, data, **options).fit
        a, b = rotated.moments(fit), sums.moments(fit, Marginal.of(fit))
        assert not a.lost_digits and not b.lost_digits
        for name in ("expected", "quadratic", "size"):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-8, atol=1e-10)
        A, B = (m.root @ m.root.T for m in (a, b))
        np.testing.assert_allclose(A, B, rtol=1e-10)
        np.testing.assert_allclose(a.Q.trace, b.Q.trace, rtol=1e-8, atol=1e-10)
        for values in ([m.P for m in (a, b)], [np.array(_products(m.Q, len(m.P))) for m in (a, b)]):
            # in coordinates that differ by a rotation
            A, B = (m.root @ value @ m.root.T for m, value in zip((a, b), values, strict=True))
            np.testing.assert_allclose(A, B, rtol=1e-8, atol=1e-10 * np.abs(B).max())


@pytest.mark.parametrize(("levels", "rows"), [(61, 1024), (1021, 1024)])
def test_which_way_is_taken(levels: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """n (p + q + 1)^2 of at most 2^22 is done by rows; up to 2^30 if the sums do not know them well."""
    taken = []
    monkeypatch.setattr(rotated, "moments", lambda fit: taken.append("rows"))
    monkeypatch.setattr(sums, "moments", lambda fit, marginal: taken.append("sums") or known)
    rng = np.random.default_rng(1)
    for share in (1.1e-6, 0.9e-6):
        known = _moments(share)
        for n in (rows, rows + 1):
            a = np.arange(n) % levels
            data = {"a": a, "x": rng.normal(size=n), "y": rng.normal(size=levels)[a] + rng.normal(size=n)}
            fit = interlace.lmer("y ~ x + (1 | a)", data).fit
            assert n * (levels + 3) ** 2 == n * 2 ** (12 if levels == 61 else 20)
            rotated.moments_of(fit)
    small = ["rows", "sums", "rows", "sums", "rows"]
    assert taken == (small if levels == 61 else ["sums", "sums", "sums", "rows", "sums"])


def _products(Q: Products, m: int) -> list[Array]:
    """The symmetric part of each pair."""
    out = []
    for j in range(m):
        for k in range(j + 1):
            W = np.zeros((m, m))
            W[j, k] += 0.5
            W[k, j] += 0.5
            out.append(Q.weighted(W))
    return out


@pytest.mark.parametrize(
    "formula", ["y ~ x + (x | a) + (1 | b)", "y ~ x + f + (0 + f | a)", "y ~ x + (x | a/b)"]
)
def test_products_are_the_same_whether_their_parts_are_kept(
    formula: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts are kept where they are fewer numbers than the products of them."""
    fit = interlace.lmer(formula, crossed(np.random.default_rng(3))).fit
    found = {}
    for kind, numbers in ((Kept, 0.0), (Multiplied, np.inf)):
        monkeypatch.setattr(sums, "products", lambda counts, p, kept, n=numbers: products(counts, p, n))
        moments = sums.moments(fit, Marginal.of(fit))
        assert isinstance(moments.Q, WithResidual) and isinstance(moments.Q.terms, kind)
        found[kind] = moments
    a, b = found[Kept], found[Multiplied]
    np.testing.assert_allclose(a.expected, b.expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(a.Q.trace, b.Q.trace, rtol=1e-9, atol=1e-9)
    A, B = (_products(m.Q, len(m.P)) for m in (a, b))
    np.testing.assert_allclose(A, B, rtol=1e-9, atol=1e-9 * np.abs(B).max())


def test_the_smaller_of_the_products_and_their_parts_is_kept() -> None:
    assert isinstance(products([2, 1], 4, 143.0), Kept)
    assert isinstance(products([2, 1], 4, 144.0), Multiplied)


def _moments(share: float) -> sums.Moments:
    none = np.zeros((2, 2))
    return sums.Moments(none, none, none, np.diag([1.0, share]), none, np.ones(2), sums.NOISE)
