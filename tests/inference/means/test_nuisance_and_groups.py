"""Nuisance factors, adjustment over groups, letters, arrays of weights: what holds, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.inference import adjust
from interlace.model import LinearMixedModel


@pytest.fixture(scope="module")
def m() -> LinearMixedModel:
    rng = np.random.default_rng(8)
    n = 200
    data = pd.DataFrame({name: rng.choice(list("abc"), n) for name in ("A", "B", "N", "M")})
    data["x"], data["g"] = rng.normal(size=n), rng.integers(0, 12, n)
    data["y"] = (data["A"] == "b") * 0.8 + rng.normal(0, 0.4, 12)[data["g"]] + rng.normal(size=n)
    return interlace.lmer("y ~ A * B + N + M + x + (1 | g)", data)


NUMBERS = ["estimate", "se", "df", "lower", "upper"]


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    np.testing.assert_allclose(one[NUMBERS], other[NUMBERS], rtol=1e-9)


# ---- nuisance ----


def test_nuisance_factors_change_no_equal_means(m: LinearMixedModel) -> None:
    plain, averaged = m.emmeans("A | B"), m.emmeans("A | B", nuisance=["N", "M"])
    same(averaged.frame, plain.frame)
    assert "averaged over the levels of 2 nuisance factors" in averaged.frame.note
    assert "1 nuisance factor, B, M" in m.emmeans("A", nuisance="N").frame.note
    assert "1 nuisance factor, B, M" in m.emmeans("A", nuisance=["N", "N"]).frame.note
    same(m.emtrends("x", "A", nuisance=["N"]).frame, m.emtrends("x", "A").frame)


def test_nuisance_factors_have_weights_of_their_own(m: LinearMixedModel) -> None:
    """Those of their rows, however the others are weighed."""
    outer = m.emmeans("A", weights="outer")
    assert not np.allclose(outer.frame["estimate"], m.emmeans("A").frame["estimate"])
    flat = m.emmeans("A", weights="flat", nuisance=["N", "M"]).frame["estimate"]
    equal = m.emmeans("A", weights="equal", nuisance=["N", "M"]).frame["estimate"]
    shift = (flat - equal).to_numpy()
    np.testing.assert_allclose(shift, shift[0], rtol=1e-9)  # of N and M, which are in no interaction
    same(
        m.emmeans("A | B", weights="outer", nuisance=["N", "M"]).frame,
        m.emmeans("A | B", weights="outer").frame,
    )


def test_arrays_of_weights_are_of_the_other_factors(m: LinearMixedModel) -> None:
    table = m.emmeans("A", nuisance=["N", "M"], weights=[2, 1, 1]).frame
    by_hand = m.emmeans("A * B").contrast({a: [*np.eye(3)[i] / 2, *np.eye(3)[i] / 4, *np.eye(3)[i] / 4]
                                           for i, a in enumerate("abc")})  # fmt: skip
    np.testing.assert_allclose(table["estimate"], by_hand.frame["estimate"], rtol=1e-9)
    grid = np.random.default_rng(1).uniform(size=(3, 3, 3))
    one, other = m.emmeans("A", weights=grid), m.emmeans("A", weights=grid.ravel(order="F"))
    same(one.frame, other.frame)
    with pytest.raises(interlace.DataError, match="averaged over 3 combinations"):
        m.emmeans("A", nuisance=["N", "M"], weights=np.ones(27))


def test_factors_in_interactions_are_no_nuisance(m: LinearMixedModel) -> None:
    found = m.emmeans("A", nuisance=["B", "N"])
    same(found.frame, m.emmeans("A").frame)
    assert "in interactions, and no nuisance factors for that: B" in found.frame.note


@pytest.mark.parametrize(
    ("nuisance", "said"),
    [("NN", "did you mean 'N'"), (["N", "x"], "no factor"), (["A"], "cannot be both"), (3, "list of texts")],
)
def test_what_is_no_nuisance_factor(m: LinearMixedModel, nuisance: Any, said: str) -> None:
    with pytest.raises(interlace.DataError, match=said):
        m.emmeans("A", nuisance=nuisance)


def test_nuisance_factors_cost_nothing() -> None:
    rng = np.random.default_rng(2)
    names = [f"f{i}" for i in range(14)]
    data = pd.DataFrame({name: rng.choice(list("abcd"), 300) for name in names})
    data["g"], data["y"] = rng.integers(0, 15, 300), rng.normal(size=300)
    m = interlace.lmer(f"y ~ {' + '.join(names)} + (1 | g)", data)
    found = m.emmeans("f0", ddf="asymptotic", nuisance=names[1:], weights="proportional")
    same(found.frame, m.emmeans("f0", ddf="asymptotic", weights="outer").frame)


# ---- over groups ----


@pytest.mark.parametrize("method", adjust.CROSS_METHODS)
def test_the_same_tests_of_groups_are_a_family(m: LinearMixedModel, method: str) -> None:
    pairs = m.emmeans("A | B").pairs(adjust="none")
    p = pairs.test()["p"].to_numpy().reshape(3, 3)
    found = pairs.test(cross_adjust=method)
    expected = np.column_stack([adjust.cross(p[:, j], method, 3) for j in range(3)])
    np.testing.assert_allclose(found["p"].to_numpy().reshape(3, 3), expected)
    assert ("Cross-group P-value adjustment" in found.note) == (method != "none")
    kept = m.emmeans("A | B").pairs(adjust="none", cross_adjust=method)
    np.testing.assert_allclose(kept.test()["p"], found["p"])
    assert found["p"].equals(kept.test(cross_adjust=None)["p"])


def test_groups_may_stand_in_any_order(m: LinearMixedModel) -> None:
    means, order = m.emmeans("A | B"), [0, 3, 6, 1, 4, 7, 2, 5, 8]
    plain, mixed = (
        rows.test(null=0.3, cross_adjust="holm")["p"].to_numpy() for rows in (means, means[order])
    )
    np.testing.assert_allclose(mixed, plain[order])
    assert not np.allclose(mixed, plain)


def test_without_groups_there_is_nothing_to_cross(m: LinearMixedModel) -> None:
    pairs = m.emmeans("A").pairs()
    found = pairs.test(cross_adjust="bonferroni")
    assert found["p"].equals(pairs.test()["p"]) and "Cross" not in found.note


def test_groups_with_other_tests_are_not_crossed(m: LinearMixedModel) -> None:
    pairs = m.emmeans("A | B").pairs()
    with pytest.raises(interlace.DataError, match="the groups have others"):
        pairs[0:5].test(cross_adjust="holm")
    with pytest.raises(interlace.DataError, match="cross_adjust"):
        pairs.test(cross_adjust="tukey")
    with pytest.raises(interlace.DataError, match="cross_adjust"):
        m.emmeans("A | B").pairs(cross_adjust="mvt")


# ---- letters ----


def test_letters_of_ones_own(m: LinearMixedModel) -> None:
    plain = m.emmeans("A").cld(alpha=0.9)["group"].str.strip()
    named = m.emmeans("A").cld(alpha=0.9, letters=["1", "2", "3", "4"])["group"].str.strip()
    assert [text.translate(str.maketrans("abc", "123")) for text in plain] == named.tolist()
    for letters in ("a", "aab", [1, 2]):
        with pytest.raises(interlace.DataError):
            m.emmeans("A").cld(letters=letters)
