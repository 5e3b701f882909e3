"""The search for the minimum: functions with traps, fits that are hard, and what is said about the result."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.optimize

from interlace import kernel, lmer
from interlace.design.encoding import Encoding
from interlace.errors import ConvergenceWarning, DataError, RankDeficiencyWarning
from interlace.estimation import first_search
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.fit import Fit, fit
from made_data import crossed, labels, nested, one
from reference_cases import case
from reference_data import load_data

# --- functions ------------------------------------------------------------------------------------------


class Function:
    """A function with derivatives, and a count of how often it was asked."""

    def __init__(self, value: Any, gradient: Any, hessian: Any) -> None:
        self.f, self.g, self.h = value, gradient, hessian
        self.values = 0

    def value(self, x: np.ndarray) -> float:
        self.values += 1
        return float(self.f(x))

    def derivatives(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.g(x), dtype=np.float64), np.asarray(self.h(x), dtype=np.float64)

    def minimise(self, start: Any, tol: float = 1e-12, budget: int = 300) -> dict[str, Any]:
        start = np.asarray(start, dtype=np.float64)
        kept = start.copy()
        found = kernel.minimise(self.value, self.derivatives, start, tol, budget)
        np.testing.assert_array_equal(start, kept)
        assert found["evaluations"] == self.values
        return found


def quadratic(A: np.ndarray, centre: np.ndarray) -> Function:
    return Function(lambda x: 0.5 * (x - centre) @ A @ (x - centre), lambda x: A @ (x - centre), lambda x: A)


def test_rosenbrock() -> None:
    f = Function(
        lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2,
        lambda x: [-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)],
        lambda x: [[1200 * x[0] ** 2 - 400 * x[1] + 2, -400 * x[0]], [-400 * x[0], 200]],
    )
    found = f.minimise([-1.2, 1.0])
    assert found["status"] == "converged" and found["evaluations"] < 40
    np.testing.assert_allclose(found["par"], [1, 1], atol=1e-6)
    assert found["value"] < 1e-12 and found["decrement"] < 1e-12
    np.testing.assert_allclose(found["gradient"], 0, atol=1e-5)


@pytest.mark.parametrize("start", [[0.0, 0.0], [1.0, 0.0], [1e-9, -1e-9], [0.3, 0.1]])
def test_a_saddle_is_left(start: list[float]) -> None:
    f = Function(
        lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4 / 4,
        lambda x: [2 * x[0], -2 * x[1] + x[1] ** 3],
        lambda x: [[2, 0], [0, -2 + 3 * x[1] ** 2]],
    )
    found = f.minimise(start)
    assert found["status"] == "converged" and found["evaluations"] < 30
    np.testing.assert_allclose(np.abs(found["par"]), [0, np.sqrt(2)], atol=1e-6)
    np.testing.assert_allclose(found["value"], -1, atol=1e-12)


def test_a_flat_minimum() -> None:
    f = Function(lambda x: np.sum(x**4), lambda x: 4 * x**3, lambda x: np.diag(12 * x**2))
    found = f.minimise([1.0, -2.0, 0.5])
    assert found["status"] == "converged" and found["value"] < 1e-9


def test_directions_that_do_not_matter() -> None:
    f = Function(
        lambda x: (x[0] + x[1] - 1) ** 2,
        lambda x: np.full(2, 2 * (x.sum() - 1)),
        lambda x: np.full((2, 2), 2.0),
    )
    found = f.minimise([3.0, 7.0])
    assert found["status"] == "converged" and found["evaluations"] < 8
    np.testing.assert_allclose(found["par"].sum(), 1, atol=1e-6)


@pytest.mark.parametrize("condition", [1.0, 1e4, 1e8])
def test_a_quadratic_takes_as_many_steps_as_the_way_is_long(condition: float) -> None:
    rng = np.random.default_rng(1)
    Q, _ = np.linalg.qr(rng.normal(size=(30, 30)))
    A = Q @ np.diag(np.geomspace(1, condition, 30)) @ Q.T
    centre = rng.normal(size=30)
    found = quadratic(0.5 * (A + A.T), centre).minimise(np.zeros(30))
    assert found["status"] == "converged" and found["evaluations"] <= 6
    np.testing.assert_allclose(found["par"], centre, atol=1e-5)


def test_a_wrong_hessian_is_corrected_on_the_way() -> None:
    rng = np.random.default_rng(2)
    B = rng.normal(size=(6, 6))
    A, centre = B @ B.T + np.eye(6), rng.normal(size=6)
    f = Function(
        lambda x: 0.5 * (x - centre) @ A @ (x - centre),
        lambda x: A @ (x - centre),
        lambda x: np.diag(np.diag(A)),
    )
    found = f.minimise(np.zeros(6))
    assert found["status"] == "converged" and found["evaluations"] < 30
    np.testing.assert_allclose(found["par"], centre, atol=1e-4)


@pytest.mark.parametrize("outside", [np.inf, np.nan])
def test_a_function_that_ends_somewhere(outside: float) -> None:
    f = Function(
        lambda x: outside if x[0] <= 0 else x[0] - np.log(x[0]),
        lambda x: [1 - 1 / x[0]],
        lambda x: [[1 / x[0] ** 2]],
    )
    for start in (4.0, 1e-3, 30.0):
        f.values = 0
        found = f.minimise([start])
        assert found["status"] == "converged"
        np.testing.assert_allclose(found["par"], 1, atol=1e-5)


def test_a_search_that_runs_out() -> None:
    f = Function(lambda x: np.exp(-x[0]), lambda x: [-np.exp(-x[0])], lambda x: [[np.exp(-x[0])]])
    found = f.minimise([0.0], tol=1e-300, budget=7)
    assert found["status"] == "too many evaluations" and found["evaluations"] == 7
    assert found["value"] == np.exp(-found["par"][0]) < 1


def test_a_gradient_that_is_wrong_is_no_minimum() -> None:
    f = Function(lambda x: x @ x, lambda x: -2 * x, lambda x: 2 * np.eye(2))
    found = f.minimise([1.0, 2.0])
    assert found["status"] == "stalled"
    np.testing.assert_array_equal(found["par"], [1.0, 2.0])
    assert found["decrement"] > 0.1


@pytest.mark.parametrize(("noise", "status"), [(1e-6, "converged"), (1e-9, "stalled")])
def test_noise_above_all_that_is_left_to_gain(noise: float, status: str) -> None:
    """Values jump by `noise` off the start, where derivatives promise 5e-9: a larger jump is rounding."""
    start = np.array([1e-4])
    f = Function(lambda x: noise * (x != start).any(), lambda x: x, lambda x: np.eye(1))
    found = f.minimise(start)
    assert found["status"] == status
    assert (found["rounding"] >= noise) == (status == "converged")


def test_a_start_without_a_value_is_refused() -> None:
    with pytest.raises(kernel.NotFiniteError, match="not finite at the start"):
        quadratic(np.eye(2), np.zeros(2)).minimise([np.nan, 0.0])


def test_only_numbers_that_are_none_are_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of another kind keeps its own words."""

    def faulty(criterion: object) -> None:
        raise ValueError("the lengths differ")

    monkeypatch.setattr("interlace.estimation.fit.minimise", faulty)
    with pytest.raises(ValueError, match="the lengths differ"):
        lmer("y ~ 1 + (1 | g)", {"y": [1.0, 2.0, 4.0, 3.0, 5.0, 7.0], "g": list("aabbcc")})


def test_nothing_to_search() -> None:
    found = Function(lambda x: 3.0, lambda x: np.zeros(0), lambda x: np.zeros((0, 0))).minimise([])
    assert found["value"] == 3.0 and found["par"].shape == (0,) and found["status"] == "converged"


def test_errors_of_the_function_come_through() -> None:
    def broken(x: np.ndarray) -> float:
        raise ZeroDivisionError("inside")

    with pytest.raises(ZeroDivisionError, match="inside"):
        kernel.minimise(broken, broken, np.zeros(2), 1e-9, 10)
    with pytest.raises(ValueError, match="size"):
        kernel.minimise(lambda x: 1.0, lambda x: (np.zeros(3), np.eye(2)), np.zeros(2), 1e-9, 10)


# --- hard fits ------------------------------------------------------------------------------------------


def _slopes(
    rng: np.random.Generator, n: int, k: int, groups: dict[str, int], rank: int, sd: float = 1.0
) -> dict[str, Any]:
    """k predictors with effects of each group that lie in `rank` dimensions."""
    data: dict[str, Any] = {f"x{j}": rng.normal(size=n) for j in range(k)}
    X = np.column_stack([np.ones(n), *(data[f"x{j}"] for j in range(k))])
    y = X @ rng.normal(size=k + 1) + rng.normal(size=n)
    for name, L in groups.items():
        codes = rng.permutation(np.arange(n) % L)
        b = sd * rng.normal(size=(L, rank)) @ rng.normal(size=(rank, k + 1))
        y = y + np.einsum("nk,nk->n", X, b[codes])
        data[name] = labels(codes, name)
    return data | {"y": y}


def _years(rng: np.random.Generator) -> dict[str, Any]:
    g = np.repeat(np.arange(25), 12)
    year = 2000.0 + rng.integers(0, 21, 300)
    y = (
        5
        + 0.3 * (year - 2010)
        + rng.normal(size=25)[g]
        + 0.2 * rng.normal(size=25)[g] * (year - 2010)
        + rng.normal(size=300)
    )
    return {"y": y, "year": year, "income": 1e6 * rng.lognormal(size=300), "g": labels(g, "g")}


def _collinear(rng: np.random.Generator, distance: float) -> dict[str, Any]:
    data = _slopes(rng, 300, 1, {"g": 20}, 2)
    return data | {"near": data["x0"] + distance * rng.normal(size=300)}


def _scaled(rng: np.random.Generator, sd: float) -> dict[str, Any]:
    data = crossed(rng, 240, (20, 12))
    a = np.unique(data["a"], return_inverse=True)[1]
    return data | {"y": data["x"] + sd * rng.normal(size=20)[a] + rng.normal(size=240)}


def _noise(rng: np.random.Generator) -> dict[str, Any]:
    data = crossed(rng, 240, (12, 8, 5))
    y = rng.normal(size=240)  # less between groups than there would be by chance
    for group in "abc":
        codes = np.unique(data[group], return_inverse=True)[1]
        y = y - (np.bincount(codes, y) / np.bincount(codes))[codes]
    return data | {"y": y}


_X7 = " + ".join(f"x{j}" for j in range(7))
_X4 = " + ".join(f"x{j}" for j in range(4))
HARD: dict[str, tuple[str, Any]] = {
    "15-parameters": (f"y ~ {_X4} + ({_X4} | g)", lambda r: _slopes(r, 500, 4, {"g": 40}, 5)),
    "15-parameters-rank-2": (f"y ~ {_X4} + ({_X4} | g)", lambda r: _slopes(r, 500, 4, {"g": 40}, 2)),
    "15-parameters-none": (f"y ~ {_X4} + ({_X4} | g)", lambda r: _slopes(r, 500, 4, {"g": 40}, 2, 0.0)),
    "30-parameters-rank-1": (
        f"y ~ {_X4} + ({_X4} | g) + ({_X4} | h)",
        lambda r: _slopes(r, 600, 4, {"g": 40, "h": 15}, 1),
    ),
    "36-parameters": (f"y ~ {_X7} + ({_X7} | g)", lambda r: _slopes(r, 1000, 7, {"g": 50}, 8)),
    "72-parameters-rank-3": (
        f"y ~ {_X7} + ({_X7} | g) + ({_X7} | h)",
        lambda r: _slopes(r, 1200, 7, {"g": 50, "h": 20}, 3),
    ),
    "more-slopes-than-levels": (f"y ~ x0 + ({_X4} | g)", lambda r: _slopes(r, 200, 4, {"g": 4}, 5)),
    "variance-a-millionth": ("y ~ x + (1 | a) + (1 | b)", lambda r: _scaled(r, 1e-3)),
    "variance-a-million": ("y ~ x + (1 | a) + (1 | b)", lambda r: _scaled(r, 1e3)),
    "variance-a-million-slopes": ("y ~ x + (x | a) + (1 | b)", lambda r: _scaled(r, 1e3)),
    "two-levels": ("y ~ x + (x | a)", lambda r: one(r, 50, 2)),
    "two-levels-crossed": ("y ~ x + (x | a) + (x | b)", lambda r: crossed(r, 120, (15, 2))),
    "year": ("y ~ year + (year | g)", _years),
    "year-and-income": ("y ~ year + income + (year + income | g)", _years),
    "year-squared": ("y ~ poly(year, 2) + (poly(year, 2) | g)", _years),
    "year-squared-raw": ("y ~ year + (year + I((year - 2010) ** 2) | g)", _years),
    "collinear-0.01": ("y ~ x0 + (x0 + near | g)", lambda r: _collinear(r, 1e-2)),
    "collinear-0.0001": ("y ~ x0 + (x0 + near | g)", lambda r: _collinear(r, 1e-4)),
    "nothing-there": ("y ~ x + (1 | a) + (1 | b) + (1 | c)", _noise),
    "nothing-there-slopes": ("y ~ x + (x + z | a) + (x | b) + (1 | c)", _noise),
    "outlier": ("y ~ x + (x | a)", lambda r: (d := one(r, 80)) | {"y": d["y"] + 1e4 * (np.arange(80) == 7)}),
    "every-level": ("y ~ 0 + f + (0 + f | a) + (f || b)", lambda r: crossed(r, 240, (12, 8))),
    "nested-slopes": ("y ~ x + (x + z | a / b)", lambda r: nested(r, (8, 4), 6)),
    "tiny-unit": (
        "y ~ x + (x | a)",
        lambda r: {k: v * 1e-9 if v.dtype.kind == "f" else v for k, v in one(r).items()},
    ),
}


@pytest.fixture(
    scope="module",
    params=[(name, reml) for name in HARD for reml in (True, False)],
    ids=lambda p: f"{p[0]}-{'reml' if p[1] else 'ml'}",
)
def hard(request: pytest.FixtureRequest) -> Fit:
    name, reml = request.param
    formula, make = HARD[name]
    encoding, design = Encoding.learn(formula, make(np.random.default_rng(sum(map(ord, name)))))
    return fit(encoding, design, reml=reml)


def multistart(criterion: ProfiledDeviance, starts: list[np.ndarray]) -> float:
    """The lowest value that another program's quasi-Newton search finds from several starts."""
    compiled = criterion.kernel()

    def both(par: np.ndarray) -> tuple[float, np.ndarray]:
        return compiled.value(par), compiled.gradient(par)

    options = {"maxiter": 400, "ftol": 1e-15, "gtol": 1e-9}
    found = [
        scipy.optimize.minimize(both, s, jac=True, method="L-BFGS-B", options=options).fun for s in starts
    ]
    return float(min(found))


def test_no_other_search_finds_a_lower_criterion(hard: Fit) -> None:
    c, o = hard.criterion, hard.optimum
    rng = np.random.default_rng(0)
    starts = [c.start, 0.2 * c.start, 4.0 * c.start + 0.1, c.start + 0.5 * rng.normal(size=c.n_par)]
    starts.append(o.par + 0.05 * rng.normal(size=c.n_par))
    starts = starts if c.n_par < 50 else starts[-1:]
    assert o.value <= multistart(c, starts) + 1e-6
    assert o.value == c.value(o.par)


def test_the_search_converges_and_proves_it(hard: Fit) -> None:
    """No warning (they are errors), a small decrement, and no direction of negative curvature."""
    o = hard.optimum
    assert o.converged
    assert o.decrement < 1e-6
    assert o.smallest_eigenvalue > -1e-5 * max(1.0, np.abs(o.hessian).max())
    np.testing.assert_array_equal(o.gradient, hard.criterion.gradient(o.par))
    assert o.evaluations < (40 + 6 * len(o.par)) * o.searches


def test_the_solution_is_that_of_the_optimum(hard: Fit) -> None:
    """theta has a diagonal that is not negative, and stands for the same value."""
    c, s = hard.criterion, hard.solution
    for T, U in zip(c.parameters.factors(hard.optimum.par), s.factors, strict=True):
        np.testing.assert_array_equal(T, U)
        assert np.all(np.diagonal(U) >= 0) and np.all(np.triu(U, 1) == 0)
    df = c.system.A.n - hard.reml * len(hard.kept)
    value = s.ldL2 + hard.reml * s.ldRX2 + df * (1 + np.log(2 * np.pi * s.pwrss / df))
    np.testing.assert_allclose(value, hard.optimum.value, rtol=1e-9, atol=1e-6)
    zero = [
        f"{block.group}.{name}"
        for block, T in zip(hard.encoding.random, s.factors, strict=True)
        for name, d in zip(block.columns, np.diagonal(T), strict=True)
        if d == 0
    ]
    assert sorted(hard.optimum.at_zero) == sorted(zero)


def test_what_is_zero_is_said() -> None:
    data = _noise(np.random.default_rng(1))
    encoding, design = Encoding.learn("y ~ x + (1 | a) + (1 | b) + (1 | c)", data)
    f = fit(encoding, design)
    assert f.optimum.at_zero == ("a.Intercept", "b.Intercept", "c.Intercept")
    np.testing.assert_array_equal(f.solution.theta, 0.0)
    for b in f.solution.b:
        np.testing.assert_array_equal(b, 0.0)
    beta, *_ = np.linalg.lstsq(design.X, design.y, rcond=None)  # then it is a linear model
    np.testing.assert_allclose(f.solution.beta, beta, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "at_zero"),
    [
        ("dyestuff2_reml", ("Batch.Intercept",)),
        ("dyestuff_reml", ()),
        ("autism_singular_reml", ("childid.age2",)),
    ],
)
def test_singular_fits_of_the_reference(name: str, at_zero: tuple[str, ...]) -> None:
    assert _fit_case(name).optimum.at_zero == at_zero


def _fit_case(name: str) -> Fit:
    c = case("lmer", name)
    encoding, design = Encoding.learn(c.formula, c.frame(), weights=c.weights, contrasts=c.contrasts)
    return fit(encoding, design, reml=c.reml)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("sleepstudy_slope_reml", 8),
        ("dyestuff_ml", 6),
        ("penicillin_reml", 8),
        ("insteval_sub_reml", 10),
        ("exam_slope_ml", 8),
    ],
)
def test_few_evaluations_are_enough(name: str, most: int) -> None:
    """Second-order steps from a start by moments: more than this would be a broken Hessian or start."""
    assert _fit_case(name).optimum.evaluations <= most


# --- what a search says when it fails -----------------------------------------------------------------


def test_a_search_cut_short_warns_with_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_search, "MAX_EVALUATIONS", 1)
    encoding, design = Encoding.learn("Reaction ~ Days + (Days || Subject)", load_data("sleepstudy"))
    with pytest.warns(
        ConvergenceWarning, match=r"ended after 1 evaluations .*too many evaluations.* fall by"
    ):
        f = fit(encoding, design)
    assert not f.optimum.converged and f.optimum.status == "too many evaluations"
    assert f.optimum.decrement > 1e-8
    monkeypatch.undo()
    better = fit(encoding, design)
    assert better.optimum.converged and better.optimum.value < f.optimum.value
    # the decrement is how much there was to gain
    gain = f.optimum.value - better.optimum.value
    assert 0.3 * gain < f.optimum.decrement < 3 * gain


# --- refit and pickle ------------------------------------------------------------------------------------

REFITS = [
    ("y ~ x + (x | a) + (1 | b)", {"weights": "w", "offset": "o"}, True),
    ("y ~ 0 + f + (x || a) + (1 | b)", {}, False),
]


@pytest.mark.parametrize(("formula", "options", "reml"), REFITS)
def test_refit_is_a_fresh_fit(formula: str, options: dict[str, Any], reml: bool) -> None:
    data = crossed(np.random.default_rng(9), 160)
    y = np.random.default_rng(10).permutation(data["y"]) + 0.3 * data["x"] + 40.0
    first = fit(*Encoding.learn(formula, data, **options), reml=reml)
    again, fresh = first.refit(y), fit(*Encoding.learn(formula, data | {"y": y}, **options), reml=reml)
    assert again.reml == reml and again.kept == fresh.kept
    np.testing.assert_allclose(again.optimum.value, fresh.optimum.value, atol=1e-8)
    se = fresh.sigma * np.sqrt(np.diagonal(fresh.solution.unscaled_vcov))
    assert np.all(np.abs(again.solution.beta - fresh.solution.beta) < 1e-5 * se)
    for S, T in zip(again.solution.factors, fresh.solution.factors, strict=True):
        np.testing.assert_allclose(S @ S.T, T @ T.T, atol=1e-4 * max(1e-2, np.abs(T @ T.T).max()))
    np.testing.assert_array_equal(again.design.y, y)
    back = again.refit(data["y"])
    np.testing.assert_allclose(back.optimum.value, first.optimum.value, atol=1e-8)


def test_refit_without_dependent_columns() -> None:
    data = one(np.random.default_rng(3), 90)
    encoding, design = Encoding.learn("y ~ x + I(2 * x) + z + (1 | a)", data)
    with pytest.warns(RankDeficiencyWarning):
        first = fit(encoding, design)
    again = first.refit(data["y"] + data["x"])
    assert again.dropped == first.dropped and again.kept == first.kept
    np.testing.assert_allclose(again.solution.beta, first.solution.beta + np.array([0, 1, 0]), atol=1e-6)
    np.testing.assert_allclose(again.optimum.value, first.optimum.value, atol=1e-8)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(3), "one value for each of the 60 rows"),
        (np.full(60, np.nan), "missing or infinite"),
        (np.full(60, np.inf), "missing or infinite"),
    ],
)
def test_refit_refuses_what_is_no_response(y: np.ndarray, message: str) -> None:
    f = fit(*Encoding.learn("y ~ x + (1 | a)", one(np.random.default_rng(3))))
    with pytest.raises(DataError, match=message):
        f.refit(y)


def test_refit_starts_from_the_old_optimum() -> None:
    f = _fit_case("sleepstudy_slope_reml")
    y = load_data("sleepstudy")["Reaction"].to_numpy()
    assert f.refit(y).optimum.evaluations <= 2
    assert f.refit(y + 1.0).optimum.evaluations <= 2


@pytest.mark.parametrize(("formula", "options", "reml"), REFITS)
def test_a_fit_pickles(formula: str, options: dict[str, Any], reml: bool) -> None:
    data = crossed(np.random.default_rng(9), 160)
    f = fit(*Encoding.learn(formula, data, **options), reml=reml)
    g = pickle.loads(pickle.dumps(f))
    assert g.reml == f.reml and g.sigma == f.sigma and g.kept == f.kept and g.dropped == f.dropped
    np.testing.assert_array_equal(g.optimum.par, f.optimum.par)
    np.testing.assert_array_equal(g.solution.beta, f.solution.beta)
    assert g.criterion.value(g.optimum.par) == f.optimum.value
    np.testing.assert_array_equal(g.criterion.hessian(g.optimum.par), f.criterion.hessian(f.optimum.par))
    for a, b in zip(g.solution.conditional_covariances(), f.solution.conditional_covariances(), strict=True):
        np.testing.assert_array_equal(a, b)
    y = data["y"][::-1].copy()
    assert g.refit(y).optimum.value == f.refit(y).optimum.value
