"""What must hold of adjusted p-values and intervals, whatever the numbers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from interlace.errors import DataError
from interlace.inference.adjust import METHODS, Family, adjusted, choose, critical, cross, cross_note
from interlace.inference.estimates import p_values, t_quantile

SIDES = ("two-sided", ">", "<")


def pairs(sizes: list[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Differences of independent means with variances 1/size, and their correlation."""
    k = len(sizes)
    C = np.array([np.eye(k)[i] - np.eye(k)[j] for i in range(k) for j in range(i + 1, k)])
    V = C @ np.diag(1 / np.array(sizes)) @ C.T
    return C, V / np.sqrt(np.outer(np.diag(V), np.diag(V)))


def family(t: object = (0.4, -1.7, 2.6), df: object = 8.5, means: int | None = 3) -> Family:
    t = np.asarray(t, dtype=float)
    _, R = pairs([3, 5, 8])
    return Family(t, np.broadcast_to(np.asarray(df, dtype=float), t.shape), 2, means, lambda: R)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("method", METHODS)
def test_adjusted_is_never_below_raw_and_order_does_not_matter(method: str, side: str) -> None:
    df = np.array([4.0, 17.5, np.inf])
    one = family(df=df)
    p = adjusted(method, one, side)
    assert np.all(p >= adjusted("none", one, side)) and np.all(p <= 1)
    turned = np.array([2, 0, 1])
    _, R = pairs([3, 5, 8])
    other = Family(one.t[turned], df[turned], 2, 3, lambda: R[np.ix_(turned, turned)])
    tolerance = 2e-5 if method == "mvt" else 1e-12
    np.testing.assert_allclose(adjusted(method, other, side), p[turned], atol=tolerance)
    np.testing.assert_allclose(
        critical(method, other, 0.9, side), critical(method, one, 0.9, side)[turned], atol=2 * tolerance
    )


@pytest.mark.parametrize("side", SIDES)
def test_from_the_most_careful_to_the_boldest(side: str) -> None:
    t = np.random.default_rng(4).standard_normal(12) * 2
    many = Family(t, np.full(12, 14.0), 12, None, lambda: np.eye(12))
    p = [adjusted(m, many, side) for m in ("bonferroni", "holm", "hochberg", "hommel", "bh", "none")]
    for careful, bold in pairwise(p):
        assert np.all(careful >= bold - 1e-12)
        assert side != "two-sided" or np.any(careful > bold)
    assert np.all(p[0] >= adjusted("sidak", many, side))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("m", [2, 3, pytest.param(8, marks=pytest.mark.slow)])
def test_mvt_of_independent_z_tests_is_sidak(side: str, m: int) -> None:
    t = np.linspace(-1, 3.5, m)
    independent = Family(t, np.full(m, np.inf), m, None, lambda: np.eye(m))
    np.testing.assert_allclose(
        adjusted("mvt", independent, side), adjusted("sidak", independent, side), atol=1e-4
    )
    np.testing.assert_allclose(
        critical("mvt", independent, 0.95, side), critical("sidak", independent, 0.95, side), atol=5e-4
    )


@pytest.mark.parametrize("df", [2.7, pytest.param(np.inf, marks=pytest.mark.slow)])
def test_mvt_of_all_pairs_of_equal_means_is_tukey(df: float) -> None:
    C, R = pairs([4.0] * 5)
    t = np.linspace(0, 5, len(C))
    equal = Family(t, np.full(len(C), df), 4, 5, lambda: R)
    np.testing.assert_allclose(adjusted("mvt", equal), adjusted("tukey", equal), atol=1e-4)
    np.testing.assert_allclose(critical("mvt", equal, 0.95), critical("tukey", equal, 0.95), rtol=2e-4)


@pytest.mark.parametrize("side", SIDES)
def test_mvt_of_one_test_said_many_times_is_that_test(side: str) -> None:
    same = Family(np.full(4, 1.3), np.full(4, 6.0), 1, None, lambda: np.ones((4, 4)))
    np.testing.assert_allclose(adjusted("mvt", same, side), adjusted("none", same, side), rtol=1e-6)
    np.testing.assert_allclose(critical("mvt", same, 0.9, side), critical("none", same, 0.9, side), rtol=1e-6)


def test_mvt_is_the_same_from_call_to_call_and_moves_with_the_seed() -> None:
    once, again, other = (adjusted("mvt", family(), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert np.any(once != other)
    np.testing.assert_allclose(once, other, atol=1e-4)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("method", METHODS)
def test_intervals_end_where_the_test_says_so(method: str, side: str) -> None:
    if method in ("holm", "hochberg", "hommel", "bh", "fdr", "by"):
        method = "bonferroni"
    for df in (5.5, np.inf):
        half = critical(method, family(df=df), 0.9, side)
        at_the_end = family(-half if side == "<" else half, df=df)
        np.testing.assert_allclose(adjusted(method, at_the_end, side), 0.1, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_tests_that_do_not_exist_stay_missing(method: str) -> None:
    some = family([0.4, np.nan, 2.6], [9.0, np.nan, 9.0])
    p, half = adjusted(method, some), critical(method, some, 0.95)
    assert np.isnan(p).tolist() == np.isnan(half).tolist() == [False, True, False]
    if method != "mvt" and method not in ("holm", "hochberg", "hommel", "bh", "fdr", "by"):
        np.testing.assert_allclose(p[[0, 2]], adjusted(method, family(df=9.0))[[0, 2]])
    none = family([np.nan] * 3, [np.nan] * 3)
    assert np.isnan(adjusted(method, none)).all() and np.isnan(critical(method, none, 0.95)).all()


@pytest.mark.parametrize("method", METHODS)
def test_statistics_without_bound_and_of_zero(method: str) -> None:
    p = adjusted(method, family([np.inf, -np.inf, 0.0]))
    assert p[0] == p[1] == 0
    assert p[2] == pytest.approx(1, abs=1e-9)
    far = adjusted(method, family([1e6, 40.0, 25.0], df=3.0))
    assert np.all(far > 0)
    assert np.all(adjusted(method, family([1e200, -1e160, 1e170], [4.0, 1e12, np.inf])) < 1e-150)


@pytest.mark.parametrize("method", METHODS)
def test_a_family_of_none(method: str) -> None:
    none = Family(np.zeros(0), np.zeros(0), 0, None, lambda: np.zeros((0, 0)))
    assert adjusted(method, none).shape == critical(method, none, 0.95).shape == (0,)


@pytest.mark.parametrize("method", METHODS)
def test_a_family_of_one_is_not_adjusted(method: str) -> None:
    alone = Family(np.array([1.9]), np.array([7.0]), 1, 2, lambda: np.eye(1))
    for purpose in ("test", "interval"):
        assert choose(method, alone, purpose) == ("scheffe" if method == "scheffe" else "none", "")
    np.testing.assert_allclose(adjusted(method, alone), p_values(alone.t, alone.df))
    np.testing.assert_allclose(critical(method, alone, 0.95), t_quantile(0.975, alone.df))


def test_what_takes_the_place_of_what_does_not_belong() -> None:
    effects = family(means=None)
    used, note = choose("tukey", effects, "test")
    assert used == "sidak" and note.startswith("P value adjustment: sidak method for 3 tests")
    assert "tukey is only appropriate for one set of pairwise comparisons" in note
    np.testing.assert_array_equal(adjusted("tukey", effects), adjusted("sidak", effects))
    for method in ("tukey", "scheffe", "dunnettx"):
        assert choose(method, family(), "test")[0] == method
        assert choose(method, family(), "test", ">")[0] == "sidak"
        np.testing.assert_array_equal(adjusted(method, family(), "<"), adjusted("sidak", family(), "<"))
    used, note = choose("fdr", family(), "interval")
    assert used == "bonferroni"
    assert note == "Conf-level adjustment: bonferroni method for 3 estimates (BH has no intervals)"
    assert choose("scheffe", family(), "test")[1] == "P value adjustment: scheffe method with rank 2"
    assert choose("FDR", family(), "test") == ("bh", "P value adjustment: BH method for 3 tests")
    assert "seed 5" in choose("mvt", family(), "test", seed=5)[1]


def test_unknown_methods_are_refused() -> None:
    for call in (
        lambda: choose("tuckey", family(), "test"),
        lambda: adjusted("tuckey", family()),
        lambda: critical("tuckey", family(), 0.95),
    ):
        with pytest.raises(DataError, match="tukey"):
            call()
    with pytest.raises(DataError, match="cross_adjust"):
        cross(np.array([0.1, 0.2]), "tukey", 2)
    with pytest.raises(DataError, match="3 tests in 2 groups"):
        cross(np.array([0.1, 0.2, 0.3]), "holm", 2)


def test_across_groups() -> None:
    p = np.array([0.01, 0.5, 0.03, np.nan, 0.02, 0.04])
    np.testing.assert_allclose(cross(p, "bonferroni", 3), [0.03, 1.0, 0.09, np.nan, 0.06, 0.08])
    np.testing.assert_array_equal(cross(p, "none", 3), p)
    np.testing.assert_array_equal(cross(p, "holm", 1), p)
    assert cross_note("fdr") == "Cross-group P-value adjustment: BH" and cross_note("none") == ""
