"""The criterion at a given theta, its derivatives, and translations of parameters, factors and theta."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from interlace import kernel
from interlace.estimation.covariance import Unstructured, lower_factor
from interlace.estimation.fit import Fit, deviance_at
from reference_data import array

RTOL = 1e-9
LARGE = 20_000  # rows: derivatives of these are checked in fewer points


# --- at the reference's theta -------------------------------------------------------------------------


def test_both_criteria_equal_the_reference(fit: Fit, reference: dict[str, Any]) -> None:
    theta = array(reference["theta"]["values"])
    own, other = reference["objective"], -2 * reference["logLik_other"]
    np.testing.assert_allclose(fit.optimum.value, own, rtol=RTOL)
    np.testing.assert_allclose(deviance_at(fit, theta, reml=fit.reml), own, rtol=RTOL)
    np.testing.assert_allclose(deviance_at(fit, theta, reml=not fit.reml), other, rtol=RTOL)


def test_parts_equal_the_reference(fit: Fit, reference: dict[str, Any]) -> None:
    s, theirs = fit.solution, reference["devcomp"]
    np.testing.assert_allclose(s.ldRX2, theirs["ldRX2"], rtol=RTOL)
    # ldL2 and ussq are zero where theta is: rounding of what they are sums of.
    np.testing.assert_allclose(s.ldL2, theirs["ldL2"], rtol=RTOL, atol=1e-12 * reference["q"])
    np.testing.assert_allclose(s.pwrss, theirs["pwrss"], rtol=RTOL)
    np.testing.assert_allclose(s.wrss, theirs["wrss"], rtol=RTOL)
    np.testing.assert_allclose(s.ussq, theirs["ussq"], rtol=RTOL, atol=1e-12 * theirs["pwrss"])


def test_the_criterion_is_made_of_its_parts(fit: Fit) -> None:
    s, A, p = fit.solution, fit.criterion.system.A, len(fit.kept)
    theta, log_w = s.theta, A.products.sum_log_w
    for reml in (False, True):
        df = A.n - p * reml
        value = s.ldL2 + s.ldRX2 * reml + df * (1 + np.log(2 * np.pi * s.pwrss / df)) - log_w
        np.testing.assert_allclose(deviance_at(fit, theta, reml=reml), value, rtol=1e-12)


def test_the_gradient_vanishes_at_the_optimum_of_the_reference(fit: Fit) -> None:
    """g'H^-1 g / 2 over the parameters off the boundary: no more than what R's polished optimum leaves."""
    o, c = fit.optimum, fit.criterion
    free = np.ones(c.n_par, dtype=bool)
    at = 0
    for s in c.parameters.structures:  # a zero diagonal entry takes its column of T with it
        for i, (row, col) in enumerate(s.entries):
            diagonal = s.entries.index((col, col))
            free[at + i] = abs(o.par[at + diagonal]) > 1e-7
            assert free[at + i] or row == col or abs(o.par[at + i]) < 1e-6
        at += s.n_par
    np.testing.assert_allclose(
        o.gradient[~free & c.parameters.even], 0.0, atol=1e-4
    )  # even: zero on the boundary
    g, H = o.gradient[free], o.hessian[np.ix_(free, free)]
    if g.size:
        assert np.linalg.eigvalsh(H)[0] > 0
        assert 0.5 * g @ np.linalg.solve(H, g) < 1e-8


# --- derivatives --------------------------------------------------------------------------------------


def points(fit: Fit) -> list[np.ndarray]:
    """The optimum, somewhere else, near zero, with negative diagonals, with a diagonal entry of zero."""
    rng = np.random.default_rng(fit.criterion.n_par)
    par, m = fit.optimum.par, fit.criterion.n_par
    anywhere = rng.normal(size=m) + fit.criterion.parameters.even
    near_zero = 1e-3 * rng.normal(size=m)
    negative = np.where(fit.criterion.parameters.even, -np.abs(par) - 0.1, par)
    on_boundary = np.where(np.arange(m) == np.flatnonzero(fit.criterion.parameters.even)[-1], 0.0, anywhere)
    if fit.criterion.system.A.n > LARGE:
        return [negative]
    return [par, anywhere, near_zero, negative, on_boundary]


def test_gradient_is_the_slope_of_the_criterion(fit: Fit) -> None:
    compiled = fit.criterion.kernel()
    for par in points(fit):
        gradient = fit.criterion.gradient(par)
        slope = [_slope(compiled.value, par, i) for i in range(len(par))]
        scale = 1.0 + np.abs(gradient).max()
        np.testing.assert_allclose(
            gradient, slope, rtol=1e-6, atol=1e-7 * scale + _noise(compiled.value(par))
        )


def _slope(f: Any, par: np.ndarray, i: int) -> float:
    """Central differences of fourth order."""
    h = 2e-3 * max(1e-1, abs(par[i]))
    e = np.eye(len(par))[i] * h
    near, far = f(par + e) - f(par - e), f(par + 2 * e) - f(par - 2 * e)
    return float((8 * near - far) / (12 * h))


def _noise(value: float) -> float:
    return 1e-13 * abs(value) / 2e-4


def test_hessian_is_the_slope_of_the_gradient(fit: Fit) -> None:
    compiled = fit.criterion.kernel()
    for par in points(fit)[:2]:
        hessian = fit.criterion.hessian(par)
        slope = np.array([_vector_slope(compiled.gradient, par, i) for i in range(len(par))])
        np.testing.assert_array_equal(hessian, hessian.T)
        np.testing.assert_allclose(hessian, slope, rtol=1e-4, atol=1e-5 * np.abs(slope).max())


def _vector_slope(f: Any, par: np.ndarray, i: int) -> np.ndarray:
    h = 1e-3 * max(1.0, abs(par[i]))
    e = np.eye(len(par))[i] * h
    near, far = np.asarray(f(par + e)) - f(par - e), np.asarray(f(par + 2 * e)) - f(par - 2 * e)
    return (8 * near - far) / (12 * h)


def test_derivatives_of_the_search_are_those_of_the_criterion(fit: Fit) -> None:
    """The search sees the same gradient; its Hessian (average information) is positive near the optimum."""
    compiled = fit.criterion.kernel()
    par = np.where(np.abs(fit.optimum.par) < 1e-3, 1e-3, fit.optimum.par)
    gradient, hessian = compiled.derivatives(par)
    np.testing.assert_allclose(
        gradient, fit.criterion.gradient(par), rtol=1e-9, atol=1e-9 * fit.criterion.system.A.n
    )
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-9, atol=1e-9 * np.abs(hessian).max())


def test_the_hessian_of_the_search_is_exact_where_variances_vanish(fit: Fit) -> None:
    """There what average information leaves out is all there is: the curvature of T T' in T."""
    par = 1e-2 * fit.criterion.parameters.even
    _, hessian = fit.criterion.kernel().derivatives(par)
    exact = fit.criterion.hessian(par)
    np.testing.assert_allclose(hessian, exact, rtol=0.1, atol=0.02 * np.abs(exact).max())


def test_the_criterion_is_even_in_columns_of_the_factor(fit: Fit) -> None:
    """T and T with a column of another sign are the same model."""
    par = points(fit)[0]
    at = 0
    for s in fit.criterion.parameters.structures:
        for col in range(s.k):
            flipped = par.copy()
            for i, entry in enumerate(s.entries):
                if entry[1] == col:
                    flipped[at + i] *= -1
            np.testing.assert_allclose(fit.criterion.value(flipped), fit.criterion.value(par), rtol=1e-12)
        at += s.n_par


def test_values_do_not_depend_on_what_was_asked_before(fit: Fit) -> None:
    first, *others = points(fit)
    fresh = fit.criterion.value(first)
    compiled = fit.criterion.kernel()
    with kernel.blas_threads(fit.criterion.system.flops):  # sums in the same order as the criterion's own
        for par in others:
            compiled.gradient(par)
        assert compiled.value(first) == fresh
        np.testing.assert_array_equal(compiled.gradient(first), fit.criterion.gradient(first))


# --- parameters, factors, theta -----------------------------------------------------------------------


def test_parameters_and_factors_are_translations_of_each_other(fit: Fit) -> None:
    c = fit.criterion.parameters
    rng = np.random.default_rng(5)
    for par in points(fit)[:2]:
        factors = c.factors(par)
        for T in factors:
            assert np.all(np.diagonal(T) >= 0) and np.all(np.triu(T, 1) == 0)
        again = c.factors(c.par(factors))
        for T, U in zip(factors, again, strict=True):
            np.testing.assert_allclose(U, T, rtol=1e-9, atol=1e-10 * np.abs(T).max())
        value = fit.criterion.value
        np.testing.assert_allclose(value(c.par(factors)), value(par), rtol=1e-11)
    # parameters with a diagonal that is not negative are found again
    par = np.where(c.even, rng.uniform(0.5, 2.0, c.n_par), rng.normal(size=c.n_par))
    np.testing.assert_allclose(c.par(c.factors(par)), par, rtol=1e-7, atol=1e-7)


def test_another_order_of_the_basis_is_the_same_criterion(fit: Fit) -> None:
    """Columns in order of variance: same function, same factors, and then the order is as it should be."""
    for par in points(fit):
        pivoted, there = fit.criterion.parameters.pivoted(par)
        value = fit.criterion.with_parameters(pivoted).value(there)
        np.testing.assert_allclose(value, fit.criterion.value(par), rtol=1e-11)
        for T, U in zip(fit.criterion.parameters.factors(par), pivoted.factors(there), strict=True):
            np.testing.assert_allclose(U @ U.T, T @ T.T, rtol=1e-8, atol=1e-9 * np.abs(T @ T.T).max())
        diagonals = np.split(there, np.cumsum([s.n_par for s in pivoted.structures])[:-1])
        for s, part in zip(pivoted.structures, diagonals, strict=True):
            assert np.all(np.diff(np.diagonal(s.factor(part))) <= 1e-12)


def test_theta_has_the_order_and_the_names_of_the_reference(fit: Fit, reference: dict[str, Any]) -> None:
    theta = array(reference["theta"]["values"])
    np.testing.assert_allclose(fit.solution.theta, theta, rtol=1e-14, atol=1e-14)
    # each entry of theta is the entry (row, column) of its term's factor that R's name says
    ours = [
        (set(fit.encoding.random[i].group.split(":")), row == col)
        for i in fit.criterion.system.A.layout.theta_order
        for row, col in fit.criterion.parameters.structures[i].entries
    ]
    for (group, on_diagonal), name in zip(ours, reference["theta"]["names"], strict=True):
        assert any(name.startswith(":".join(order) + ".") for order in permutations(group)), name
        columns = name.split(".", 1)[1]
        known = {"(Intercept)", *_columns(reference)}
        assert on_diagonal == (columns in known)


def _columns(reference: dict[str, Any]) -> set[str]:
    return {name for term in reference["ranef"] for name in term["names"]}


def test_the_start_has_one_entry_per_parameter(fit: Fit) -> None:
    c = fit.criterion
    assert len(c.start) == len(c.parameters.even) == c.n_par == len(fit.solution.theta)
    assert c.parameters.counted == c.parameters.n_theta == c.n_par
    assert np.isfinite(c.value(c.start))


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_a_covariance_maps_parameters_to_its_factor(k: int) -> None:
    s = Unstructured(k)
    par = np.arange(1.0, s.n_par + 1)
    T = s.factor(par)
    np.testing.assert_array_equal(T, np.tril(T))
    np.testing.assert_array_equal(T.T[np.triu_indices(k)], par)  # column by column of the lower triangle
    np.testing.assert_array_equal(s.par(T), par)
    np.testing.assert_array_equal(np.tensordot(par, s.derivative(par), 1), T)
    np.testing.assert_array_equal(s.factor(s.start), np.eye(k))
    names = s.names([f"c{i}" for i in range(k)])
    assert names[0] == "c0" and names[-1] == f"c{k - 1}" and len(names) == s.n_par
    if k > 1:
        assert names[1] == "c1.c0"


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_lower_factor_is_the_cholesky_factor_of_a_singular_matrix_too(rank: int, scale: float) -> None:
    rng = np.random.default_rng(rank)
    F = scale * rng.normal(size=(4, rank)) @ rng.normal(size=(rank, 4))
    T = lower_factor(F)
    assert np.all(np.diagonal(T) >= 0) and np.all(np.triu(T, 1) == 0)
    np.testing.assert_allclose(T @ T.T, F @ F.T, rtol=1e-10, atol=1e-12 * scale**2)
    if rank == 4:
        np.testing.assert_allclose(T, np.linalg.cholesky(F @ F.T), rtol=1e-6, atol=1e-8 * scale)
    assert np.sum(np.diagonal(T) > 1e-10 * scale) == rank


@pytest.mark.parametrize(("k", "free"), [(1, 1), (2, 2), (4, 4), (4, 2), (3, 0)])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_pivoted_basis_has_its_effects_in_order_of_variance_and_in_units_of_themselves(
    k: int, free: int, scale: float
) -> None:
    rng = np.random.default_rng(k)
    N, T = rng.normal(size=(k, k)), np.zeros((k, k))
    T[:free, :free] = np.tril(scale * rng.normal(size=(free, free)) * 10.0 ** rng.permutation(free)[:, None])
    if free > 2:
        T[2, 2] = 0.0
    basis, factor = kernel.pivoted(N, T, free)
    np.testing.assert_allclose(basis @ factor @ factor.T @ basis.T, N @ T @ T.T @ N.T, rtol=1e-9)
    assert np.all(np.triu(factor, 1) == 0) and not factor[free:].any() and not factor[:, free:].any()
    found = 0
    for order in permutations(range(free)):
        L = lower_factor(T[[*order, *range(free, k)]])
        units = np.where(np.diagonal(L) > 1.0, L, np.identity(k))
        if np.allclose(basis, N[:, [*order, *range(free, k)]] @ units, rtol=1e-9):
            found += 1
            np.testing.assert_allclose(units @ factor, L, rtol=1e-9, atol=1e-9 * scale)
            assert all(np.all((L[j:, j:] ** 2).sum(axis=1) <= L[j, j] ** 2 * (1 + 1e-9)) for j in range(free))
    assert found == 1


def test_lower_factor_keeps_small_variances_beside_large_ones() -> None:
    """Forming F F' would lose everything below 1e-8 of the largest."""
    T = np.array([[1e6, 0, 0], [3.0, 1e-4, 0], [-2e5, 2e-5, 1e-6]])
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    for F in (T, T * [-1, 1, -1]):
        np.testing.assert_allclose(lower_factor(F), T, rtol=1e-12)
    first = lower_factor(T @ turn)
    np.testing.assert_allclose(first[0], [1e6, 0, 0], rtol=1e-12)
    np.testing.assert_allclose(first[:, 0], T[:, 0], rtol=1e-9)
