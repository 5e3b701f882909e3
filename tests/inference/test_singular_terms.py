"""What is singular is said of the model: the same whatever the units, the origin and the order of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.design.encoding import Encoding
from interlace.estimation.fit import at_theta
from interlace.model import LinearMixedModel
from interlace.precision.singular import TOLERANCE, singular_terms
from interlace.precision.unidentified import advice
from reference_data import load_data

SLEEP = "Reaction ~ Days + (Days | Subject)"


def with_theta(formula: str, data: Any, theta: list[float]) -> LinearMixedModel:
    fit = interlace.lmer(formula, data).fit
    return LinearMixedModel(at_theta(fit.encoding, fit.design, theta))


def test_of_an_intercept_it_is_theta() -> None:
    """lme4's rule, on both sides of its constant."""
    data = load_data("Dyestuff")
    for theta, singular in ((1.01 * TOLERANCE, False), (0.99 * TOLERANCE, True), (0.0, True)):
        m = with_theta("Yield ~ 1 + (1 | Batch)", data, [theta])
        assert m.is_singular == singular
        assert bool(m.convergence.singular) == singular


@pytest.mark.parametrize(("unit", "origin"), [(1.0, 0.0), (86400.0, 0.0), (1e-6, 3.0), (1.0, 1990.0)])
@pytest.mark.parametrize("times", [1.01, 0.99])
def test_units_and_origin(unit: float, origin: float, times: float) -> None:
    """One direction of the centred and scaled predictor has a standard deviation at the limit."""
    data = load_data("sleepstudy")
    scale = data["Days"].std(ddof=0)
    moved = data.assign(Days=unit * data["Days"] + origin)
    # b0 + b1 x with x = unit Days + origin, from the effects of (Days - mean) / scale
    back = np.array(
        [[1.0, -data["Days"].mean() / scale - origin / (unit * scale)], [0.0, 1 / (unit * scale)]]
    )
    values, Q = np.diag([1.0, times * TOLERANCE]), np.array([[0.6, -0.8], [0.8, 0.6]])
    T = back @ Q @ values
    L = np.linalg.qr(T.T)[1].T
    L = L * np.sign(np.diagonal(L))
    m = with_theta(SLEEP, moved, [L[0, 0], L[1, 0], L[1, 1]])
    assert m.is_singular == (times < 1)


def test_tolerance_is_that_of_the_ratio() -> None:
    data = load_data("Dyestuff")
    m = with_theta("Yield ~ 1 + (1 | Batch)", data, [0.01])
    assert not singular_terms(m.fit)
    assert len(singular_terms(m.fit, tolerance=0.011)) == 1
    with pytest.warns(interlace.errors.InterlaceWarning, match="the variance of \\(1 \\| Batch\\) is zero"):
        assert np.isnan(m.r2(tolerance=0.011)["conditional"])
    assert 0 < m.r2(tolerance=0.009)["conditional"] < 1e-3


def test_weights_have_no_unit() -> None:
    data = load_data("sleepstudy")
    rng = np.random.default_rng(3)
    w = rng.uniform(0.5, 2.0, len(data))
    for unit in (1e-8, 1.0, 1e8):
        m = interlace.lmer(SLEEP, data, weights=w * unit)
        assert not m.is_singular


WORDS = [
    ([0.0, 0.0, 0.0], "the covariance of Subject (2 x 2) has rank 0: all variances are zero"),
    ([1.0, -0.1, 0.0], "the covariance of Subject (2 x 2) has rank 1: correlation -1"),
    ([1.0, 0.1, 0.0], "the covariance of Subject (2 x 2) has rank 1: correlation 1"),
    ([1.0, 0.0, 0.0], "the covariance of Subject (2 x 2) has rank 1: the variance of Days is zero"),
    ([0.0, 0.0, 0.2], "the covariance of Subject (2 x 2) has rank 1: the variance of Intercept is zero"),
]


@pytest.mark.parametrize(("theta", "words"), WORDS)
def test_words(theta: list[float], words: str) -> None:
    m = with_theta(SLEEP, load_data("sleepstudy"), theta)
    assert m.convergence.singular == (words,)
    assert str(m.convergence).endswith(f"; {words}")
    shown = [line for line in str(m).splitlines() if line.startswith("singular fit: ")]
    assert len(shown) == 1 and words in shown[0]
    rank0 = "rank 0" in words
    assert ("leave (Days | Subject) out" in shown[0]) == rank0
    assert ("try a simpler random part, such as (Days || Subject)" in shown[0]) == (not rank0)


def test_a_term_is_written_as_in_the_formula() -> None:
    data = load_data("sleepstudy")
    m = with_theta("Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)", data, [1.0, 0.0])
    assert m.convergence.singular == ("the variance of (0 + Days | Subject) is zero",)


def test_three_columns() -> None:
    rng = np.random.default_rng(5)
    data = pd.DataFrame(
        {"g": np.repeat(np.arange(30), 8), "x": rng.normal(size=240), "z": rng.normal(size=240)}
    )
    data["y"] = rng.normal(size=240)
    formula = "y ~ x + z + (x + z | g)"
    rank2 = with_theta(formula, data, [1.0, 0.5, -0.5, 1.0, 1.0, 0.0])
    assert rank2.convergence.singular == ("the covariance of g (3 x 3) has rank 2",)
    two = with_theta(formula, data, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    reason = "the variances of x and z are zero"
    assert two.convergence.singular == (f"the covariance of g (3 x 3) has rank 1: {reason}",)


def test_the_remedy_for_columns_of_a_factor_can_be_written() -> None:
    """No name of a column, such as f[b], which a formula cannot say."""
    rng = np.random.default_rng(3)
    f = np.repeat(np.array(list("abc")), 12)
    data = {"f": f, "g": np.arange(36) % 6, "y": rng.normal(size=36)}
    encoding, design = Encoding.learn("y ~ 1 + (0 + f | g)", data)
    (zero,) = singular_terms(at_theta(encoding, design, np.zeros(6)))
    assert zero.remedy == "leave (0 + f | g) out"
    (one,) = singular_terms(at_theta(encoding, design, [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]))
    assert one.rank == 1 and one.remedy == "try a simpler random part: fewer columns for g"
    own = at_theta(*Encoding.learn("y ~ 1 + (0 + f | f)", data), [1.0, 0.0, 0.0, 1.0, 0.0, 1.0])
    assert "the variances and covariances of (0 + f | f) apart" in advice(own)
    taken = at_theta(*Encoding.learn("y ~ f + (0 + f | f)", data), [1.0, 0.0, 0.0, 1.0, 0.0, 1.0])
    assert "of (0 + f | f) (the fixed effects take up" in advice(taken)
