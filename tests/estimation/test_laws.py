"""What must not matter does not matter: chunks, order, units, ways to say the same model."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlace.design.encoding import Encoding
from interlace.errors import ConvergenceWarning, DataError, RankDeficiencyWarning
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.fit import Fit, at_theta, fit
from interlace.estimation.optimize import minimise
from interlace.estimation.origin import Origin
from interlace.estimation.penalized import System
from interlace.estimation.rank import independent_columns
from made_data import Made, crossed, nested, one, random_design

few = settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
seeds = st.integers(0, 2000)
OF_A_STANDARD_ERROR = 1e-5
CRITERION = 1e-8


def fitted(formula: str, data: Any, *, reml: bool = True, **options: Any) -> Fit:
    encoding, design = Encoding.learn(formula, data, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RankDeficiencyWarning)
        return fit(encoding, design, reml=reml)


def covariances(f: Fit) -> dict[tuple[str, tuple[str, ...]], np.ndarray]:
    """Relative covariance of each term, by group and columns."""
    terms = zip(f.encoding.random, f.solution.factors, strict=True)
    return {(block.group, block.columns): T @ T.T for block, T in terms}


def assert_same(
    a: Fit,
    b: Fit,
    *,
    beta: Callable[[np.ndarray], np.ndarray] = lambda v: v,
    covariance: Callable[[np.ndarray], np.ndarray] = lambda v: v,
    scale: float = 1.0,
    shift: float = 0.0,
) -> None:
    """b is the fit a: criterion plus `shift`, coefficients and covariances mapped, sigma times `scale`."""
    size = np.abs(a.optimum.value) + a.design.nrows
    assert abs(a.optimum.value + shift - b.optimum.value) < CRITERION + 1e-12 * size
    se = b.sigma * np.sqrt(np.diagonal(b.solution.unscaled_vcov))
    assert np.all(np.abs(beta(a.solution.beta) - b.solution.beta) < OF_A_STANDARD_ERROR * se)
    np.testing.assert_allclose(b.sigma, scale * a.sigma, rtol=1e-5)
    theirs = covariances(b)
    for key, S in covariances(a).items():
        T = theirs[key]
        zero = (1e-12 * b.sigma) ** 2  # variances that are rounding errors have no correlations
        d = np.sqrt(np.maximum(np.diagonal(T), 1e-6 * np.abs(T).max() + zero))
        np.testing.assert_allclose(covariance(S) / np.outer(d, d), T / np.outer(d, d), atol=2e-4)


# --- cross-products add and subtract ---------------------------------------------------------------------


def dense(A: CrossProducts) -> list[np.ndarray]:
    """All blocks, pairs written out."""
    P, layout = A.products, A.layout
    out = [np.array([P.n, P.yy, P.sum_log_w]), P.xx, P.xy]
    for f in range(len(layout.levels)):
        out += [P.zz_diagonal(f), P.zx(f), P.zy(f)]
        for g in range(f + 1, len(layout.levels)):
            ptr, col, val = P.zz_pair(f, g)
            block = np.zeros((layout.levels[f], layout.levels[g], layout.k[f], layout.k[g]))
            block[np.repeat(np.arange(layout.levels[f]), np.diff(ptr)), col] = val
            out.append(block)
    return out


def assert_equal_products(A: CrossProducts, B: CrossProducts, scale: CrossProducts) -> None:
    for a, b, s in zip(dense(A), dense(B), dense(scale), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12 * np.abs(s).max(initial=1.0))


def subset(data: dict[str, Any], rows: np.ndarray) -> dict[str, Any]:
    return {name: values[rows] for name, values in data.items()}


def learnt(made: Made) -> tuple[Encoding, Origin, CrossProducts]:
    encoding, design = Encoding.learn(made.formula, made.data, **made.options)
    origin = Origin.of(encoding, design)
    return encoding, origin, CrossProducts.of(encoding, design, origin=origin)


def products(made: Made, encoding: Encoding, origin: Origin, rows: np.ndarray) -> CrossProducts:
    return CrossProducts.of(encoding, encoding.design(subset(made.data, rows)), origin=origin)


@few
@given(seed=seeds, parts=st.integers(1, 5))
def test_chunks_are_the_whole(seed: int, parts: int) -> None:
    made = random_design(seed)
    encoding, origin, whole = learnt(made)
    chunk = np.random.default_rng(seed).integers(0, parts, len(made.data["y"]))
    total = products(made, encoding, origin, chunk == 0)
    for part in range(1, parts):
        total = total + products(made, encoding, origin, chunk == part)
    assert_equal_products(total, whole, whole)
    assert total.n == whole.n
    kept = independent_columns(whole, encoding.design(made.data))
    criteria = [_criterion(encoding, A, kept) for A in (whole, total)]
    values = [c.value(c.start) for c in criteria]
    np.testing.assert_allclose(values[1], values[0], rtol=1e-10)


def _criterion(encoding: Encoding, A: CrossProducts, kept: tuple[int, ...]) -> ProfiledDeviance:
    return ProfiledDeviance.of(System.of(encoding, A.select_fixed(kept)), reml=True)


@few
@given(seed=seeds, share=st.floats(0.05, 0.4))
def test_subtraction_is_the_products_of_the_rows_that_are_left(seed: int, share: float) -> None:
    made = random_design(seed)
    encoding, origin, whole = learnt(made)
    gone = np.random.default_rng(seed).random(len(made.data["y"])) < share
    rest, deleted = (products(made, encoding, origin, rows) for rows in (~gone, gone))
    assert_equal_products(whole - deleted, rest, whole)
    assert_equal_products((rest + deleted) - deleted, rest, whole)
    assert_equal_products(deleted + rest, rest + deleted, whole)


@few
@given(seed=seeds)
def test_a_fit_after_subtraction_is_the_fit_of_the_rows_that_are_left(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = Made("", "y ~ x + f + (x | a) + (1 | b)", crossed(rng, 200), {"weights": "w"})
    encoding, origin, whole = learnt(made)
    gone = made.data["a"] == made.data["a"][0]  # a whole level: its effects are then zero in both
    A = whole - products(made, encoding, origin, gone)
    B = products(made, encoding, origin, ~gone)
    (c, o, _), (d, p, _) = (minimise(ProfiledDeviance.of(System.of(encoding, P), reml=True)) for P in (A, B))
    assert o.converged and p.converged
    assert abs(o.value - p.value) < CRITERION
    first, second = c.solution(o.par), d.solution(p.par)
    se = np.sqrt(first.pwrss / B.n * np.diagonal(first.unscaled_vcov))
    assert np.all(np.abs(first.beta - second.beta) < OF_A_STANDARD_ERROR * se)
    remaining = fitted(made.formula, subset(made.data, ~gone), weights="w")
    assert abs(o.value - remaining.optimum.value) < CRITERION


def test_products_are_never_written_to() -> None:
    made = random_design(3)
    encoding, origin, whole = learnt(made)
    before = [a.copy() for a in dense(whole)]
    half = products(made, encoding, origin, np.arange(len(made.data["y"])) % 2 == 0)
    _ = whole + half, whole - half, whole.select_fixed((0,))
    _ = whole.with_response(encoding, replace(encoding.design(made.data), y=np.arange(float(whole.n))))
    whole.products.xx[:] = 0.0
    for a, b in zip(dense(whole), before, strict=True):
        np.testing.assert_array_equal(a, b)


@few
@given(seed=seeds)
def test_a_new_response_is_a_new_accumulation(seed: int) -> None:
    made = random_design(seed)
    encoding, _, whole = learnt(made)
    design = encoding.design(made.data)
    other = replace(design, y=np.random.default_rng(seed).normal(3.0, 2.0, design.nrows))
    fresh = CrossProducts.of(encoding, other)
    assert_equal_products(whole.with_response(encoding, other), fresh, fresh)


# --- order -----------------------------------------------------------------------------------------------


@few
@given(seed=seeds, reml=st.booleans())
def test_the_order_of_rows_is_irrelevant(seed: int, reml: bool) -> None:
    made = random_design(seed)
    rows = np.random.default_rng(seed).permutation(len(made.data["y"]))
    a = fitted(made.formula, made.data, reml=reml, **made.options)
    b = fitted(made.formula, subset(made.data, rows), reml=reml, **made.options)
    assert_same(a, b)
    assert abs(a.optimum.evaluations - b.optimum.evaluations) <= 2 * a.optimum.searches


@few
@given(seed=seeds)
def test_the_names_and_order_of_levels_are_irrelevant(seed: int) -> None:
    made = random_design(seed)
    rng = np.random.default_rng(seed)
    data = dict(made.data)
    for group in "abcd":
        if group in data:
            old = np.unique(data[group])
            new = dict(zip(old, rng.permutation(len(old)), strict=True))
            data[group] = np.array([f"level {new[v]}" for v in data[group]])
    a, b = (fitted(made.formula, d, **made.options) for d in (made.data, data))
    assert_same(a, b)
    for i, block in enumerate(a.encoding.random):  # each level keeps its effects
        if ":" in block.group:
            continue
        renamed = {o: n for o, n in zip(made.data[block.group], data[block.group], strict=True)}
        where = [list(b.encoding.random[i].levels).index(renamed[level]) for level in block.levels]
        np.testing.assert_allclose(b.solution.b[i][where], a.solution.b[i], atol=1e-4 * a.sigma)


@few
@given(seed=seeds)
def test_the_order_of_terms_is_irrelevant(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = crossed(rng, 200, (9, 7, 5))
    fixed, random = ["x", "z", "f"], ["(x | a)", "(1 | b)", "(0 + z | c)", "(0 + z | b)"]
    formulas = ["y ~ " + " + ".join([*rng.permutation(fixed), *rng.permutation(random)]) for _ in range(2)]
    a, b = (fitted(formula, data) for formula in formulas)
    place = [a.encoding.fixed_names.index(name) for name in b.encoding.fixed_names]
    assert_same(a, b, beta=lambda v: v[place])


# --- ways to say the same model --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("y ~ x + (1 | a / b)", "y ~ x + (1 | a) + (1 | a:b)"),
        ("y ~ x + (x | a / b)", "y ~ x + (1 + x | a) + (1 + x | a:b)"),
        ("y ~ x + (x | a)", "y ~ x + (1 + x | a)"),
        ("y ~ x + (x | a) + (1 | b)", "y ~ 1 + x + (x + 1 | a) + (1 | b)"),
        ("y ~ x + (0 + x | a)", "y ~ x + (x - 1 | a)"),
        ("y ~ x * f + (1 | a)", "y ~ x + f + x:f + (1 | a)"),
        ("y ~ x + (x || a)", "y ~ x + (1 | a) + (0 + x | a)"),
        ("y ~ x + (1 | a / b / c)", "y ~ x + (1 | a) + (1 | a:b) + (1 | a:b:c)"),
    ],
)
def test_two_ways_to_say_the_same_model(short: str, long: str) -> None:
    data = nested(np.random.default_rng(2), (6, 4, 3), 3)
    a, b = fitted(short, data), fitted(long, data)
    assert a.optimum.value == b.optimum.value
    np.testing.assert_array_equal(a.solution.theta, b.solution.theta)
    np.testing.assert_array_equal(a.solution.beta, b.solution.beta)


@few
@given(seed=seeds)
def test_an_offset_is_part_of_the_response(seed: int) -> None:
    data = crossed(np.random.default_rng(seed), 150)
    a = fitted("y ~ x + (x | a) + (1 | b)", data | {"y": data["y"] - 10 * data["o"]})
    b = fitted("y ~ x + offset(4 * o) + (x | a) + (1 | b)", data, offset=6 * data["o"])
    assert_same(a, b)


@few
@given(seed=seeds)
def test_every_library_of_frames_gives_the_same_fit(seed: int) -> None:
    made = random_design(seed)
    frame = pd.DataFrame(made.data)
    tables = [frame, pl.from_pandas(frame), pa.Table.from_pandas(frame), made.data]
    theirs = [fitted(made.formula, table, **made.options) for table in tables]
    for other in theirs[1:]:
        assert other.optimum.value == theirs[0].optimum.value
        np.testing.assert_array_equal(other.solution.theta, theirs[0].solution.theta)
        np.testing.assert_array_equal(other.solution.beta, theirs[0].solution.beta)


# --- weights ---------------------------------------------------------------------------------------------


@few
@given(seed=seeds, reml=st.booleans())
def test_an_integer_weight_is_a_row_repeated(seed: int, reml: bool) -> None:
    """At the same theta: same solution; sigma^2 has other degrees of freedom, the density other constants."""
    made = random_design(seed)
    n = len(made.data["y"])
    rng = np.random.default_rng(seed)
    times = rng.integers(1, 4, n)
    rows = np.repeat(np.arange(n), times)
    weighted = Encoding.learn(made.formula, made.data | {"w": times.astype(float)}, weights="w")
    repeated = Encoding.learn(made.formula, subset(made.data, rows))
    theta = fitted(made.formula, made.data).solution.theta + 0.1
    a, b = (at_theta(*pair, theta, reml=reml) for pair in (weighted, repeated))
    s, t = a.solution, b.solution
    np.testing.assert_allclose(
        [s.ldL2, s.ldRX2, s.pwrss, s.ussq], [t.ldL2, t.ldRX2, t.pwrss, t.ussq], rtol=1e-9
    )
    np.testing.assert_allclose(s.unscaled_vcov, t.unscaled_vcov, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(s.beta, t.beta, rtol=1e-8, atol=1e-9)
    for u, v in zip(s.b, t.b, strict=True):
        np.testing.assert_allclose(u, v, rtol=1e-7, atol=1e-9)
    p = reml * len(a.kept)
    np.testing.assert_allclose(a.sigma**2 * (n - p), b.sigma**2 * (len(rows) - p), rtol=1e-9)
    constant = sum(
        sign * m * (1 + np.log(2 * np.pi * s.pwrss / m)) for sign, m in ((1, n - p), (-1, len(rows) - p))
    )
    np.testing.assert_allclose(
        a.optimum.value - b.optimum.value, constant - np.log(times).sum(), rtol=1e-9, atol=1e-7
    )


@few
@given(seed=seeds, c=st.sampled_from([1e-60, 1e-30, 1e-6, 0.5, 2.0, 1e6, 1e60]))
def test_the_unit_of_weights_is_the_unit_of_sigma(seed: int, c: float) -> None:
    data = crossed(np.random.default_rng(seed), 150)
    formula = "y ~ x + (x | a) + (1 | b)"
    a = fitted(formula, data, weights=data["w"])
    b = fitted(formula, data, weights=c * data["w"])
    assert_same(a, b, scale=np.sqrt(c), covariance=lambda S: S / c)


@pytest.mark.parametrize("c", [1e-30, 1e139, 1e-139])
def test_weights_may_have_any_unit_whose_powers_are_numbers(c: float) -> None:
    data = crossed(np.random.default_rng(6), 150)
    a, b = (fitted("y ~ x + (1 | a)", data, weights=w) for w in (data["w"], c * data["w"]))
    assert_same(a, b, scale=np.sqrt(c), covariance=lambda S: S / c)
    with pytest.raises(DataError, match=f"'weights' are too {'large' if c > 1 else 'small'}"):
        fitted("y ~ x + (1 | a)", data, weights=data["w"] * (1e141 if c > 1 else 1e-141))


def test_weights_of_one_are_no_weights() -> None:
    data = crossed(np.random.default_rng(6), 150)
    a = fitted("y ~ x + (x | a) + (1 | b)", data)
    b = fitted("y ~ x + (x | a) + (1 | b)", data, weights=np.ones(150))
    assert_same(a, b)
    assert a.optimum.evaluations == b.optimum.evaluations


# --- units -----------------------------------------------------------------------------------------------

UNITS = [
    "y ~ x + z + (1 | a)",
    "y ~ x + (x | a)",
    "y ~ x + f + (x | a) + (x | b)",
    "y ~ x + (x + z | a) + (1 | b)",
]


@pytest.mark.parametrize("formula", [*UNITS, "y ~ x + (x || a) + (0 + z | b)"])
@pytest.mark.parametrize("reml", [False, True])
@pytest.mark.parametrize(
    ("add", "times"), [(1e8, 1.0), (-1e4, 1.0), (0.0, 1e6), (0.0, 1e-6), (0.0, -3.0), (1e5, 10.0)]
)
def test_the_unit_of_the_response(formula: str, reml: bool, add: float, times: float) -> None:
    data = crossed(np.random.default_rng(21), 220)
    data["y"] = (data["y"] + add) - add  # the digits that are left in y + add
    a = fitted(formula, data, reml=reml)
    b = fitted(formula, data | {"y": times * data["y"] + add}, reml=reml)
    df = a.design.nrows - reml * len(a.kept)
    first = np.eye(len(a.kept))[0]
    assert_same(
        a, b, scale=abs(times), beta=lambda v: times * v + add * first, shift=2 * df * np.log(abs(times))
    )
    assert a.optimum.evaluations == b.optimum.evaluations
    assert a.optimum.at_zero == b.optimum.at_zero


@pytest.mark.parametrize("formula", UNITS)
@pytest.mark.parametrize("reml", [False, True])
@pytest.mark.parametrize(
    ("add", "times"), [(1e6, 1.0), (-2000.0, 1.0), (0.0, 1e6), (0.0, 1e-6), (0.0, -2.0), (300.0, 50.0)]
)
def test_the_unit_of_a_predictor(formula: str, reml: bool, add: float, times: float) -> None:
    """With add + times x for x, slopes are divided by times and intercepts lose add times that."""
    data = crossed(np.random.default_rng(22), 220)
    data["x"] = (data["x"] * times + add - add) / times
    a = fitted(formula, data, reml=reml)
    b = fitted(formula, data | {"x": times * data["x"] + add}, reml=reml)

    def there(v: np.ndarray) -> np.ndarray:
        out = v.copy()
        out[1] = v[1] / times
        out[0] = v[0] - add * out[1]
        return out

    names = a.encoding.fixed_names
    assert names[:2] == ("Intercept", "x")
    assert abs(a.optimum.value + reml * 2 * np.log(abs(times)) - b.optimum.value) < 1e-7
    se = b.sigma * np.sqrt(np.diagonal(b.solution.unscaled_vcov))
    assert np.all(np.abs(there(a.solution.beta) - b.solution.beta) < OF_A_STANDARD_ERROR * se)
    np.testing.assert_allclose(b.sigma, a.sigma, rtol=1e-6)
    for i, block in enumerate(a.encoding.random):
        S, T = (f.solution.factors[i] @ f.solution.factors[i].T for f in (a, b))
        if len(S) > 1:
            assert block.columns[:2] == ("Intercept", "x")
            J = np.apply_along_axis(there, 0, np.eye(len(S)))
            S = J @ S @ J.T
        d = np.sqrt(np.diagonal(T)) + 1e-300
        np.testing.assert_allclose(S / np.outer(d, d), T / np.outer(d, d), atol=1e-4)
        rows = a.design.random[i], b.design.random[i]
        effects = [
            np.einsum("nk,nk->n", r.z, f.solution.b[i][r.codes]) for r, f in zip(rows, (a, b), strict=True)
        ]
        np.testing.assert_allclose(effects[1], effects[0], atol=1e-4 * a.sigma)
    assert a.optimum.evaluations == b.optimum.evaluations


@few
@given(seed=seeds, times=st.sampled_from([1e-6, -4.0, 1e6]))
def test_the_unit_of_a_slope_without_an_intercept(seed: int, times: float) -> None:
    data = one(np.random.default_rng(seed), 120)
    a = fitted("y ~ z + (0 + x | a)", data)
    b = fitted("y ~ z + (0 + x | a)", data | {"x": times * data["x"]})
    assert_same(a, b, covariance=lambda S: S / times**2)
    assert a.optimum.evaluations == b.optimum.evaluations


@few
@given(seed=seeds)
def test_no_warning_and_a_proof_for_ordinary_data(seed: int) -> None:
    """Warnings are errors here: a search that gives up on such data fails the test."""
    made = random_design(seed)
    try:
        f = fitted(made.formula, made.data, **made.options)
    except ConvergenceWarning as warning:
        pytest.fail(f"{made.formula}: {warning}")
    assert f.optimum.converged and f.optimum.decrement < 1e-7
    assert f.optimum.smallest_eigenvalue > -1e-6 * max(1.0, np.abs(f.optimum.hessian).max(initial=0.0))
    assert np.all(f.solution.theta[_diagonal_of_theta(f)] >= 0)


def _diagonal_of_theta(f: Fit) -> np.ndarray:
    order = f.criterion.system.A.layout.theta_order
    return np.concatenate([f.criterion.structures[i].diagonal for i in order])
