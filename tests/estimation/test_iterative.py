"""The engine without a factor beside the exact one and a dense computation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dense_oracle import oracle
from interlace import kernel
from interlace.design.learning_rows import learn
from interlace.errors import ConvergenceError, ModelError
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.estimated import EstimatedDeviance, EstimatedOptimum
from interlace.estimation.fit import Fit, fit
from interlace.estimation.penalized import Solution
from interlace.estimation.solver import Solver
from interlace.formula.parser import parse

FORMULAS = (
    "y ~ x + (1 | a) + (1 | b)",
    "y ~ x + (1 + x | a) + (1 | b)",
    "y ~ x + (1 | a) + (1 + x | b) + (1 | c)",
    "y ~ 0 + x + (x || a) + (1 | b)",
    "y ~ x + (1 | a / c)",
)


def made(n: int = 1500, a: int = 60, b: int = 25, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    A, B, C, x = rng.integers(a, size=n), rng.integers(b, size=n), rng.integers(6, size=n), rng.normal(size=n)
    effects = (
        rng.normal(scale=0.8, size=a)[A] + rng.normal(scale=0.5, size=b)[B] + 0.2 * rng.normal(size=6)[C]
    )
    slopes = rng.normal(scale=0.4, size=a)[A] * x + rng.normal(scale=0.3, size=b)[B] * x
    y = 1 + 0.5 * x + effects + slopes + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "a": A, "b": B, "c": C, "w": rng.uniform(0.5, 2.0, size=n)})


def fitted(formula: str, data: pd.DataFrame, kind: str, *, reml: bool = True, **options: int) -> Fit:
    weights = "w" if "w" in formula else None
    _, rows = learn(parse(formula), data, context={}, weights=weights)
    return fit(rows.encoding, rows, reml=reml, solver=Solver(kind, **options))


def estimated(exact: Fit, **options: int) -> EstimatedDeviance:
    """The criterion of the same model by the other engine, in the same basis."""
    other = fit(exact.encoding, exact.rows, reml=exact.reml, solver=Solver("iterative", **options)).criterion
    assert isinstance(other, EstimatedDeviance)
    return other.with_parameters(exact.criterion.parameters)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("reml", [True, False])
def test_criterion_and_slopes_are_the_exact_ones_within_their_error(formula: str, reml: bool) -> None:
    exact = fitted(formula, made(), "exact", reml=reml)
    found, compiled = exact.criterion.kernel(), estimated(exact, probes=64).kernel()
    for par in (exact.optimum.par, 1.3 * exact.optimum.par + 0.05, np.full(exact.criterion.n_par, 0.3)):
        value, (gradient, hessian) = found.value(par), found.derivatives(par)
        slopes, information = compiled.derivatives(par)
        assert abs(compiled.last_value - value) < 5 * compiled.log_det_error + 1e-9 * abs(value)
        error = np.sqrt(np.diagonal(compiled.noise())) + 1e-7 * np.abs(hessian).max()
        assert (np.abs(slopes - gradient) < 5 * error).all()
        assert np.abs(information - hessian).max() < 2e-3 * np.abs(hessian).max()


def test_the_error_of_slopes_is_that_of_their_mean_over_probes() -> None:
    """One probe more changes mean and squares about it by Welford's formula."""
    exact = fitted("y ~ x + (1 + x | a) + (1 | b)", made(400, 30, 12), "exact")
    mean, squares = {}, {}
    for n in (2, 3, 4):
        compiled = estimated(exact, probes=n, seed=4).kernel()
        mean[n], squares[n] = compiled.derivatives(exact.optimum.par)[0], n * (n - 1) * compiled.noise()
    for n in (3, 4):
        last = n * (mean[n] - mean[n - 1])  # of the new probe, from the mean of the others
        expected = squares[n - 1] + (n - 1) / n * np.outer(last, last)
        np.testing.assert_allclose(squares[n], expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_what_needs_no_probes_is_that_of_the_dense_model() -> None:
    data = made(300, 20, 9)
    found = fitted("y ~ x + (1 + x | a) + (1 | b) + (1 | c)", data, "iterative")
    design, solution = found.rows.design, found.solution
    levels = tuple(len(block.levels) for block in found.encoding.random)
    dense = oracle(design, levels, solution.factors, found.kept)
    np.testing.assert_allclose(solution.beta, dense.beta, rtol=1e-9)
    np.testing.assert_allclose(solution.unscaled_vcov, dense.vcov, rtol=1e-9)
    assert solution.pwrss == pytest.approx(dense.pwrss, rel=1e-11)
    assert solution.ldRX2 == pytest.approx(dense.ld_rx2, rel=1e-10)
    for b, known in zip(solution.b, dense.b, strict=True):
        np.testing.assert_allclose(b, known, atol=1e-9)
    assert solution.ldL2 == pytest.approx(dense.ld_l2, rel=1e-3)


def test_few_levels_leave_nothing_to_probes() -> None:
    """The subspace that is taken out holds them all: the answer is exact, without a Monte Carlo error."""
    data = made(600, 50, 6)
    exact = fitted("y ~ x + (1 | a) + (1 | b)", data, "exact")
    found = fitted("y ~ x + (1 | a) + (1 | b)", data, "iterative", probes=2)
    assert isinstance(found.optimum, EstimatedOptimum)
    assert found.optimum.criterion_error < 1e-8
    assert found.optimum.value == pytest.approx(exact.optimum.value, rel=1e-11)
    np.testing.assert_allclose(found.solution.theta, exact.solution.theta, rtol=1e-6)


@pytest.mark.parametrize("formula", FORMULAS[:3])
def test_estimates_are_the_exact_ones_within_their_error(formula: str) -> None:
    exact = fitted(formula, made(), "exact")
    found = fitted(formula, made(), "iterative", probes=16, seed=5)
    assert isinstance(found.optimum, EstimatedOptimum)
    errors = np.sqrt(np.diagonal(found.optimum.par_covariance))
    par = found.criterion.parameters.par(exact.solution.factors)
    free = found.optimum.par != 0
    par = np.where(found.criterion.parameters.even, np.abs(par), par)
    ours = np.where(found.criterion.parameters.even, np.abs(found.optimum.par), found.optimum.par)
    if exact.criterion.parameters.structures[0].k == 1:  # signs of columns are free where there are several
        assert (np.abs(ours - par)[free] < 5 * errors[free] + 1e-6).all()
    np.testing.assert_allclose(found.solution.beta, exact.solution.beta, atol=1e-4)
    np.testing.assert_allclose(np.diagonal(found.vcov), np.diagonal(exact.vcov), rtol=1e-3)


def test_the_error_is_what_seeds_differ_by_and_falls_with_the_root_of_the_probes() -> None:
    exact = fitted(FORMULAS[0], made(400, 60, 50), "exact")
    par = exact.optimum.par
    spread, reported = {}, {}
    for probes in (8, 128):
        values, errors = [], []
        for seed in range(30):
            compiled = estimated_at(exact, probes, seed)
            values.append(compiled.value(par) - exact.optimum.value)
            errors.append(compiled.log_det_error)
        spread[probes], reported[probes] = (
            np.sqrt(np.mean(np.square(values))),
            np.sqrt(np.mean(np.square(errors))),
        )
        assert 0.6 < spread[probes] / reported[probes] < 1.6
    assert 2.5 < reported[8] / reported[128] < 6.0  # 4 = sqrt(128 / 8)


def estimated_at(exact: Fit, probes: int, seed: int) -> kernel.EstimatedDeviance:
    criterion = exact.criterion
    basis, kind = criterion._map()
    return kernel.EstimatedDeviance(exact.A.products, probes, seed, criterion.parameters.places, basis, kind)


def test_complete_designs_of_rank_one() -> None:
    """Every level meets every level as often: all but one eigenvalue of the rest is 1."""
    rng = np.random.default_rng(8)
    a, b = (one.ravel() for one in np.meshgrid(np.arange(30), np.arange(20), indexing="ij"))
    y = rng.normal(size=30)[a] + rng.normal(size=20)[b] + rng.normal(size=600)
    data = pd.DataFrame({"y": y, "a": a, "b": b})
    exact = fitted("y ~ 1 + (1 | a) + (1 | b)", data, "exact")
    found = fitted("y ~ 1 + (1 | a) + (1 | b)", data, "iterative", probes=2)
    assert found.optimum.value == pytest.approx(exact.optimum.value, abs=1e-8)
    np.testing.assert_allclose(found.solution.theta, exact.solution.theta, rtol=1e-6)


def test_a_variance_of_zero_is_zero() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(40, size=800), rng.integers(30, size=800)
    y = rng.normal(size=800) + rng.normal(size=40)[a]
    y -= pd.Series(y).groupby(b).transform("mean").to_numpy() * 0.999
    data = pd.DataFrame({"y": y, "a": a, "b": b})
    exact = fitted("y ~ 1 + (1 | a) + (1 | b)", data, "exact")
    found = fitted("y ~ 1 + (1 | a) + (1 | b)", data, "iterative")
    assert exact.optimum.at_zero == found.optimum.at_zero == ("b.Intercept",)
    assert found.optimum.value == pytest.approx(exact.optimum.value, abs=1e-6)


def test_any_number_of_threads_gives_the_same_numbers() -> None:
    rng = np.random.default_rng(4)
    n = 300_000  # of pairs that meet once or more: several tasks
    data = pd.DataFrame(
        {"y": rng.normal(size=n), "a": rng.integers(3000, size=n), "b": rng.integers(900, size=n)}
    )
    _, rows = learn(parse("y ~ 1 + (1 | a) + (1 | b)"), data, context={})
    exact = ProfiledDeviance.of(
        fit(rows.encoding, rows, solver=Solver("iterative", 2)).criterion.system, reml=True
    )
    values = []
    for threads in (1, 2, 3):
        with kernel.core_threads(1e12, threads):
            basis, kind = exact._map()
            compiled = kernel.EstimatedDeviance(
                exact.system.A.products, 8, 1, exact.parameters.places, basis, kind
            )
            slopes, _ = compiled.derivatives(np.array([0.3, 0.4]))
            values.append((compiled.last_value, *slopes))
    assert values[0] == values[1] == values[2]


def test_the_solution_has_a_factor_that_refuses() -> None:
    found = fitted(FORMULAS[0], made(300, 20, 9), "iterative")
    assert isinstance(found.solution, Solution)
    with pytest.raises(ModelError, match="by conjugate gradients"):
        found.solution.conditional_covariance(0)
    with pytest.raises(ModelError, match="iterative"):
        found.criterion.without_folds(found.optimum.par, None, None, None, {})  # type: ignore[arg-type]


def test_systems_that_do_not_settle_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise kernel.NotSettledError("no")

    monkeypatch.setattr("interlace.estimation.found.minimise_estimated", never)
    with pytest.raises(ConvergenceError, match="ill-conditioned"):
        fitted(FORMULAS[0], made(300, 20, 9), "iterative")
