"""Adjusted p-values, critical values and letters beside those of R (adjust.R)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from interlace.errors import DataError
from interlace.inference.adjust import Family, adjusted, choose, critical, cross
from interlace.inference.letters import letters
from interlace.inference.mvt import SEED, largest, largest_size
from interlace.inference.stepwise import OF_P
from interlace.inference.studentised import tail

R: dict[str, Any] = json.loads((Path(__file__).parent / "adjust.json").read_text())
INTERVALS_BY_SEARCH = {"dunnettx": 5e-4}  # emmeans stops its search there

# R's own error: it takes 25,000 df for infinitely many, and two means with 2 df are not quite a t test
# (the tests of laws and of scipy hold ours there).
ERROR_OF_R = {2: 2e-4, 30000: 5e-5}


def numbers(values: Any) -> NDArray[np.float64]:
    """R's numbers: null is NaN, and 1e300 stands for an infinite df."""
    found = np.array(values, dtype=np.float64)
    return np.where(found == 1e300, np.inf, found)


def family(case: dict[str, Any]) -> Family:
    means = case["means"] if case["kind"] == "pairwise" else None
    correlation = numbers(case["correlation"])
    return Family(numbers(case["t"]), numbers(case["df"]), case["rank"], means, lambda: correlation)


@pytest.mark.parametrize("name", R["families"])
def test_p_values_and_critical_values_of_emmeans(name: str) -> None:
    case = R["families"][name]
    for side, methods in case["p"].items():
        for method, p in methods.items():
            mine = adjusted(method.lower(), family(case), side)
            np.testing.assert_allclose(mine, numbers(p), rtol=1e-7, atol=2e-9, err_msg=f"{method} {side}")
            half = critical(method.lower(), family(case), 0.95, side)
            np.testing.assert_allclose(
                half,
                numbers(case["critical"][side][method]),
                rtol=1e-5,
                atol=INTERVALS_BY_SEARCH.get(method, 0.0),
                err_msg=f"{method} {side}",
            )


def test_the_studentised_range_of_r() -> None:
    for q, k, df, p in ((x["q"], x["k"], x["df"], x["p"]) for x in R["range"]):
        df = np.inf if df == 1e300 else df
        tolerance = ERROR_OF_R.get(df, 5e-7)
        assert tail(q, k, df) == pytest.approx(p, abs=tolerance), (q, k, df)


@pytest.mark.parametrize(
    ("q", "k", "df"), [(3.5, 7, 12.3), (6, 30, 2.5), (2, 3, 1.0), (9, 200, 10), (4, 5, np.inf)]
)
def test_the_studentised_range_of_scipy(q: float, k: float, df: float) -> None:
    from scipy.stats import studentized_range

    assert tail(q, k, df) == pytest.approx(studentized_range.sf(q, k, df), abs=2e-9)


def test_the_range_of_two_means_is_their_difference_far_out_too() -> None:
    from interlace.inference.estimates import p_values

    for t in (0.1, 2.0, 10.0, 30.0):
        for df in (0.5, 1.0, 30.0, 9e4, 1.1e5, 1e9, np.inf):
            assert tail(np.sqrt(2) * t, 2, df) == pytest.approx(float(p_values(np.array(t), df)), rel=2e-7)
    assert np.isnan(tail(np.nan, 3, 5.0)) and np.isnan(tail(2.0, 3, np.nan))


@pytest.mark.parametrize(
    "name",
    [
        "pairs of 3",
        "to control",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("pairs of 5", "pairs of 7", "effects", "equal")
        ),
    ],
)
def test_multivariate_t_of_mvtnorm(name: str) -> None:
    cases = [case for case in R["mvt"] if case["name"] == name]
    correlation = numbers(cases[0]["correlation"])
    size, one = largest_size(correlation, SEED), largest(correlation, SEED)
    for case in cases:
        df, tolerance = float(numbers(case["df"])), 1e-4 + 2 * case["error"]
        assert one.tail(case["t"], df) == pytest.approx(case["one"], abs=tolerance)
        if case["two"] is not None:
            assert size.tail(case["t"], df) == pytest.approx(case["two"], abs=tolerance)


def test_p_adjust() -> None:
    for case in R["p_adjust"]:
        method = {"fdr": "bh"}.get(case["method"].lower(), case["method"].lower())
        if method != "none":
            mine = OF_P[method](numbers(case["p"]), case["n"])
            np.testing.assert_allclose(mine, numbers(case["adjusted"]), rtol=1e-12, err_msg=method)


def test_false_discovery_rates_of_scipy() -> None:
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(2).random(20) ** 3
    for method in ("bh", "by"):
        np.testing.assert_allclose(OF_P[method](p, 20), false_discovery_control(p, method=method))


@pytest.mark.parametrize("method", R["missing"])
def test_tests_that_do_not_exist_count_as_in_emmeans(method: str) -> None:
    case = R["missing"][method]
    rank = 2  # of the three differences, whether they can be estimated or not
    some = Family(numbers(case["t"]), numbers(case["df"]), rank, 3, lambda: np.eye(3))
    np.testing.assert_allclose(adjusted(method.lower(), some), numbers(case["p"]), atol=1e-8)
    half = critical(method.lower(), some, 0.95)
    np.testing.assert_allclose(half, numbers(case["critical"]), rtol=2e-4 if method == "dunnettx" else 1e-6)
    if method == "holm":
        assert choose(method, some, "test")[1] == "P value adjustment: holm method for 3 tests"


@pytest.mark.parametrize("method", R["cross"]["adjusted"])
def test_across_groups(method: str) -> None:
    mine = cross(numbers(R["cross"]["raw"]), method.lower(), 2)
    np.testing.assert_allclose(mine, numbers(R["cross"]["adjusted"][method]), rtol=1e-12)


def test_letters_of_multcomp_view() -> None:
    for case in R["letters"]:
        n = len(case["text"])
        shown = letters([str(i) for i in range(n)], np.array(case["different"]), case["symbols"])
        assert shown == case["text"]


def test_two_means_share_a_letter_if_and_only_if_they_do_not_differ() -> None:
    rng = np.random.default_rng(8)
    for n in (2, 6, 11):
        different = np.triu(rng.random((n, n)) < 0.4, 1)
        different |= different.T
        shown = [set(text) - {" "} for text in letters([str(i) for i in range(n)], different)]
        for i in range(n):
            for j in range(n):
                assert bool(shown[i] & shown[j]) != different[i, j]


def test_letters_of_few_means() -> None:
    assert letters([], np.zeros((0, 0), dtype=bool)) == []
    assert letters(["only"], np.zeros((1, 1), dtype=bool)) == ["a"]


def test_letters_refuse_what_says_nothing() -> None:
    two = ["low", "high"]
    with pytest.raises(DataError, match=r"shape \(2, 2\), not \(3, 3\)"):
        letters(two, np.zeros((3, 3), dtype=bool))
    with pytest.raises(DataError, match="symmetric"):
        letters(two, np.array([[False, True], [False, False]]))
    with pytest.raises(DataError, match="symmetric"):
        letters(two, np.eye(2, dtype=bool))
    for symbols in ("a", "aa", ["a", ""]):
        with pytest.raises(DataError, match="different symbols"):
            letters(two, np.zeros((2, 2), dtype=bool), symbols)
