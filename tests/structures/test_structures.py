"""Covariance structures beside glmmTMB, nlme, lmerTest, pbkrtest, and dense normal densities."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from dense_oracle import dense_z, oracle
from interlace import lmer
from interlace.design.encoding import Encoding
from interlace.errors import DataError, ModelError
from interlace.estimation.correlation import Autoregressive, CompoundSymmetry
from interlace.estimation.covariance import Unstructured
from interlace.estimation.fit import Fit, at_theta, deviance_at, fit
from interlace.estimation.scaled import Scaled, structure
from interlace.variances.varcorr import components

HERE = Path(__file__).parent
R = json.loads((HERE / "structures.json").read_text())
KINDS = ("diag", "homdiag", "cs", "homcs", "hetar1", "ar1")


@cache
def data() -> pd.DataFrame:
    return pd.read_csv(HERE / "structures.csv", dtype={"t": str})


@cache
def model(formula: str, reml: bool = True) -> interlace.LinearMixedModel:
    return lmer(formula, data(), reml=reml)


def case_name(case: dict[str, Any]) -> str:
    return f"{case['formula']} {'REML' if case['REML'] else 'ML'}"


# ---- beside R ---


@pytest.mark.parametrize("case", R["glmmTMB"], ids=case_name)
def test_the_fits_are_those_of_glmmtmb(case: dict[str, Any]) -> None:
    m = model(case["formula"], case["REML"])
    np.testing.assert_allclose(m.loglik, case["loglik"], rtol=0, atol=2e-6)
    assert m.loglik > case["loglik"] - 1e-8
    np.testing.assert_allclose(m.aic, case["aic"], rtol=0, atol=4e-6)  # as many parameters
    np.testing.assert_allclose(m.fixef, case["fixef"], rtol=0, atol=2e-4)
    np.testing.assert_allclose(m.sigma, case["sigma"], rtol=1e-4)
    for c in components(m.fit):
        np.testing.assert_allclose(c.sd, case["sd"][c.label], rtol=2e-3, atol=2e-3)
        told = np.isfinite(c.correlation)  # a variance of zero has none
        corr = np.reshape(case["corr"][c.label], told.shape)
        np.testing.assert_allclose(c.correlation[told], corr[told], rtol=0, atol=1e-4)


@pytest.mark.parametrize("case", R["nlme"], ids=lambda case: case["name"])
def test_the_fits_are_those_of_nlme(case: dict[str, Any]) -> None:
    m = model(case["name"])
    np.testing.assert_allclose(m.loglik, case["loglik"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(m.sigma, case["sigma"], rtol=1e-5)
    covariance = components(m.fit)[0].covariance
    np.testing.assert_allclose(covariance, case["varcov"]["g"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", R["lmer"], ids=lambda case: case["structure"])
def test_degrees_of_freedom_are_those_of_the_same_model_as_a_sum_of_terms(case: dict[str, Any]) -> None:
    """lmerTest's Satterthwaite and pbkrtest's Kenward-Roger do not depend on how a model is written."""
    m = model(case["structure"])
    np.testing.assert_allclose(m.reml_criterion, case["reml"], rtol=0, atol=1e-8)
    for ddf, se, df in (("satterthwaite", "se", "df"), ("kenward-roger", "kr_se", "kr_df")):
        table = m.coef_table(ddf=ddf)
        np.testing.assert_allclose(table["se"], case[se], rtol=1e-5)
        np.testing.assert_allclose(table["df"], case[df], rtol=2e-5)


# ---- what a structure is ---


def lme4_cs(rho: float, k: int) -> np.ndarray:
    """The factor by the recursion in lme4's vignette on covariance structures."""
    T, a = np.zeros((k, k)), 0.0
    for j in range(k):
        T[j, j] = np.sqrt(1 - rho**2 * a)
        T[j + 1 :, j] = (rho - rho**2 * a) / T[j, j]
        a += (1 - rho * a) ** 2 / (1 - rho**2 * a)
    return T


def lme4_ar1(rho: float, k: int) -> np.ndarray:
    T = np.array([[rho ** (i - j) if i >= j else 0.0 for j in range(k)] for i in range(k)])
    T[:, 1:] *= np.sqrt(1 - rho**2)
    return T


@pytest.mark.parametrize("k", [2, 3, 6])
@pytest.mark.parametrize(
    ("correlation", "factor"), [(CompoundSymmetry(), lme4_cs), (Autoregressive(), lme4_ar1)]
)
def test_correlations_are_those_of_lme4(correlation: Any, factor: Callable[..., Any], k: int) -> None:
    low, high = correlation.limits(k)
    for rho in np.linspace(low, high, 9)[1:-1]:
        angle = correlation.angle(rho, k)
        np.testing.assert_allclose(correlation.rho(angle, k), rho, atol=1e-14)
        np.testing.assert_allclose(correlation.at(angle, k)[0], factor(rho, k), atol=1e-13)
    for rho in (low, high):
        C = correlation.at(correlation.angle(rho, k), k)[0]
        np.testing.assert_allclose((C @ C.T)[0, 1], rho, atol=1e-14)
        assert np.linalg.matrix_rank(C) == (k - 1 if (rho, correlation.name) == (low, "cs") else 1)
    assert correlation.angle(high + 1, k) == correlation.angle(high, k)
    assert correlation.angle(low - 1, k) == correlation.angle(low, k)


def points(s: Scaled) -> list[np.ndarray]:
    rng = np.random.default_rng(s.k)
    return [s.start, s.start + 0.3 * rng.normal(size=s.n_par), 3 * rng.normal(size=s.n_par)]


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_of_a_structure(kind: str, k: int) -> None:
    s = structure(kind, k)
    assert isinstance(s, Scaled)
    W = np.random.default_rng(1).normal(size=(k, k))
    for par in points(s):
        h = 1e-5
        steps = h * np.eye(s.n_par)
        slope = [(s.factor(par + e) - s.factor(par - e)) / (2 * h) for e in steps]
        np.testing.assert_allclose(s.derivative(par), slope, rtol=0, atol=1e-8)
        bend = [np.tensordot(s.derivative(par + e) - s.derivative(par - e), W, 2) / (2 * h) for e in steps]
        np.testing.assert_allclose(s.curvature(par, W), bend, rtol=0, atol=1e-7)


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_parameters_factors_and_theta_are_translations(kind: str, k: int) -> None:
    s = structure(kind, k)
    assert isinstance(s, Scaled)
    for par in points(s):
        T = s.triangular(s.factor(par))
        assert np.all(np.diagonal(T) >= 0) and np.all(np.triu(T, 1) == 0)
        again = s.triangular(s.factor(s.par(T)))
        np.testing.assert_allclose(again, T, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(s.of_theta(s.theta(T)), T, rtol=1e-9, atol=1e-12)
        flipped = np.where(s.even, -par, par)
        np.testing.assert_allclose(s.triangular(s.factor(flipped)), T, atol=1e-12)
        G = sum(gamma * D for D, gamma in s.directions(T))
        np.testing.assert_allclose(G, T @ T.T, rtol=1e-9, atol=1e-10)
    counted = {"diag": k, "homdiag": 1, "cs": k + 1, "homcs": 2, "hetar1": k + 1, "ar1": 2}
    lengths = {"diag": k, "homdiag": 1, "homcs": 2 * k - 1, "ar1": 2 * k - 1}  # lme4's
    assert s.counted == counted[kind] and s.n_theta == lengths.get(kind, k * (k + 1) // 2)
    assert np.all(s.theta(np.diag(np.arange(1.0, k + 1)))[~s.diagonal] == 0) and s.diagonal.size == s.n_theta
    assert len(s.names([f"c{i}" for i in range(k)])) == s.n_par
    if s.n_theta > s.counted:
        with pytest.raises(ValueError, match="structure"):
            s.of_theta(np.arange(1.0, s.n_theta + 1))


def test_two_effects_with_unequal_variances_have_no_structure() -> None:
    assert structure("cs", 2) == structure("hetar1", 2) == Unstructured(2)
    assert isinstance(structure("homcs", 2), Scaled)


@pytest.mark.parametrize("kind", ["cs", "homcs", "hetar1", "ar1"])
def test_parameters_near_a_limit_are_moved_there(kind: str) -> None:
    s = structure(kind, 4)
    assert isinstance(s, Scaled)
    sizes = np.full(s.variances, 1.0)
    for rho in s.correlation.limits(4):
        limit = s.correlation.angle(rho, 4)
        for away in (-9e-3, 9e-3):
            np.testing.assert_allclose(
                s.at_limit(np.append(sizes, limit + away), 1e-2)[-1], limit, atol=1e-15
            )
        for away in (-1.1e-2, 1.1e-2):
            assert s.at_limit(np.append(sizes, limit + away), 1e-2)[-1] == limit + away
    inner = s.start  # no limit is near, though an angle of zero may be
    np.testing.assert_array_equal(s.at_limit(inner, 1e-2), inner)
    small = np.append(np.full(s.variances, 9e-3), inner[-1])
    np.testing.assert_array_equal(s.at_limit(small, 1e-2), np.append(0 * sizes, inner[-1]))


@pytest.mark.parametrize("kind", ["cs", "homcs", "hetar1", "ar1"])
def test_directions_are_derivatives_of_the_covariance(kind: str) -> None:
    """Along each variance, and along rho."""
    s = structure(kind, 4)
    assert isinstance(s, Scaled)
    variances = np.array([0.5, 1.0, 2.0, 3.0])[: s.variances]

    def covariance(natural: np.ndarray) -> np.ndarray:
        sd = np.sqrt(natural[:-1])
        size = np.sqrt(sd) if s.variances > 1 else sd
        T = s.factor(np.append(size, s.correlation.angle(natural[-1], 4)))
        return np.asarray(T @ T.T)

    natural = np.append(variances, 0.4)
    sd = np.sqrt(variances)
    T = s.factor(np.append(np.sqrt(sd) if s.variances > 1 else sd, s.correlation.angle(0.4, 4)))
    h = 1e-6
    for (D, _), e in zip(s.directions(T), h * np.eye(len(natural)), strict=True):
        slope = (covariance(natural + e) - covariance(natural - e)) / (2 * h)
        np.testing.assert_allclose(D, slope, atol=1e-8)


# ---- the criterion ---

FORMULAS = (
    "y ~ x + diag(1 + x | g)",
    "y ~ x + diag(1 + x | g, hom = TRUE)",
    "y ~ x + cs(1 + x + z | g)",
    "y ~ x + cs(1 + x + z | g, hom = TRUE) + (x | h)",
    "y ~ x + ar1(0 + t | g) + diag(0 + f | g)",
    "y ~ x + ar1(0 + t | g, hom = FALSE) + (1 | h)",
)


@cache
def small() -> tuple[pd.DataFrame, np.ndarray]:
    rows = data().iloc[::4]
    return rows.assign(x=rows["x"] + 100.0, w=np.linspace(0.5, 2, len(rows))), np.linspace(0.5, 2, len(rows))


@cache
def small_fit(formula: str, reml: bool) -> Fit:
    return fit(*Encoding.learn(formula, small()[0], weights="w"), reml=reml)


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_criterion_is_a_dense_normal_density(formula: str) -> None:
    """With weights, and covariates far from their origin; so are beta and the random effects."""
    f = small_fit(formula, True)
    rng, c = np.random.default_rng(3), f.criterion
    for par in (f.optimum.par, c.start + 0.4 * rng.normal(size=c.n_par)):
        factors = c.parameters.factors(par)
        dense = oracle(f.design, tuple(len(b.levels) for b in f.encoding.random), factors, f.kept)
        theta = c.parameters.theta(factors)
        for reml, value in ((True, dense.reml), (False, dense.ml)):
            np.testing.assert_allclose(deviance_at(f, theta, reml=reml), value, rtol=1e-9)
        solution = c.solution(par)
        np.testing.assert_allclose(solution.beta, dense.beta, rtol=1e-7, atol=1e-7)
        for b, own in zip(dense.b, solution.b, strict=True):
            np.testing.assert_allclose(own, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("formula", FORMULAS)
def test_gradient_and_hessian_are_slopes(formula: str) -> None:
    f = small_fit(formula, True)
    c, rng, h = f.criterion, np.random.default_rng(4), 1e-5
    compiled = c.kernel()
    for par in (f.optimum.par, c.start + 0.4 * rng.normal(size=c.n_par)):
        steps = h * np.eye(c.n_par)
        slope = [(compiled.value(par + e) - compiled.value(par - e)) / (2 * h) for e in steps]
        gradient = c.gradient(par)
        np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-5 * (1 + np.abs(gradient).max()))
        np.testing.assert_allclose(compiled.derivatives(par)[0], gradient, rtol=1e-9, atol=1e-9)
        bend = np.array([(compiled.gradient(par + e) - compiled.gradient(par - e)) / (2 * h) for e in steps])
        np.testing.assert_allclose(c.hessian(par), bend, rtol=1e-3, atol=1e-4 * np.abs(bend).max())


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_hessian_of_the_search_is_near_the_exact_one_at_the_optimum(formula: str) -> None:
    f = small_fit(formula, True)
    approximate = f.criterion.kernel().derivatives(f.optimum.par)[1]
    exact = f.criterion.hessian(f.optimum.par)
    np.testing.assert_allclose(approximate, exact, rtol=0, atol=0.5 * np.abs(exact).max())
    assert f.optimum.converged and f.optimum.decrement < 1e-7


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_hessian_of_the_search_is_exact_where_variances_vanish(formula: str) -> None:
    """There what average information leaves out is all there is: the curvature of the covariances."""
    c = small_fit(formula, True).criterion
    for size in (1e-2, 1e-3):  # unequal standard deviations beside a correlation are squares of parameters
        par = np.where(c.parameters.even, size, c.start)
        exact, approximate = c.hessian(par), c.kernel().derivatives(par)[1]
        np.testing.assert_allclose(approximate, exact, rtol=0.1, atol=0.05 * np.abs(exact).max())


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("formula", FORMULAS)
def test_other_bases_are_the_same_criterion(formula: str, reml: bool) -> None:
    f = small_fit(formula, reml)
    p = f.criterion.parameters
    for par in (f.optimum.par, 3.0 * p.start):
        pivoted, there = p.pivoted(par)
        value = f.criterion.with_parameters(pivoted).value(there)
        np.testing.assert_allclose(value, f.criterion.value(par), rtol=1e-11)
        back = pivoted.natural_par(there)
        np.testing.assert_allclose(
            f.criterion.with_parameters(p.in_natural_basis()).value(back), value, rtol=1e-10
        )
        again = p.par(p.factors(par))
        np.testing.assert_allclose(f.criterion.value(again), f.criterion.value(par), rtol=1e-10)


def test_theta_of_a_fit_is_taken_again_and_another_refused() -> None:
    f = small_fit(FORMULAS[4], True)
    learnt = Encoding.learn(FORMULAS[4], small()[0], weights="w")
    again = at_theta(*learnt, f.solution.theta)
    np.testing.assert_allclose(again.optimum.value, f.optimum.value, rtol=1e-10)
    with pytest.raises(ModelError, match="no factor of the covariance structure"):
        at_theta(*learnt, np.arange(1.0, len(f.solution.theta) + 1))
    with pytest.raises(DataError, match="must have"):
        at_theta(*learnt, f.solution.theta[:-1])


# ---- inference from dense matrices ---


class Dense:
    """Satterthwaite and Kenward-Roger without second derivatives, by their formulas, for one term on one
    grouping factor: parameters are the variances, rho and sigma^2."""

    def __init__(self, f: Fit, covariance: Callable[[np.ndarray], np.ndarray], natural: np.ndarray) -> None:
        self.X, self.natural = f.design.X, natural
        levels = len(f.encoding.random[0].levels)
        Z, n = dense_z(f.design, 0, levels), len(self.X)
        assert f.design.y is not None
        self.y = f.design.y

        def Sigma(par: np.ndarray) -> np.ndarray:
            return np.asarray(Z @ np.kron(np.eye(levels), covariance(par[:-1])) @ Z.T + par[-1] * np.eye(n))

        self.Sigma = Sigma

    def slope(self, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        out = []
        for i, x in enumerate(self.natural):
            e = np.zeros(len(self.natural))
            e[i] = 1e-4 * max(abs(x), 0.1)
            out.append((function(self.natural + e) - function(self.natural - e)) / (2 * e[i]))
        return np.array(out)

    def phi(self, par: np.ndarray) -> np.ndarray:
        return np.linalg.inv(self.X.T @ np.linalg.solve(self.Sigma(par), self.X))

    def reml(self, par: np.ndarray) -> float:
        S = self.Sigma(par)
        beta = self.phi(par) @ self.X.T @ np.linalg.solve(S, self.y)
        r = self.y - self.X @ beta
        return float(
            np.linalg.slogdet(S)[1] - np.linalg.slogdet(self.phi(par))[1] + r @ np.linalg.solve(S, r)
        )

    def satterthwaite(self) -> np.ndarray:
        m = len(self.natural)
        H = np.zeros((m, m))
        h = 2e-3 * np.maximum(np.abs(self.natural), 0.1)
        for i in range(m):
            for j in range(m):
                a, b = np.eye(m)[i] * h, np.eye(m)[j] * h
                at = [
                    self.reml(self.natural + s * a + t * b) for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1))
                ]
                H[i, j] = (at[0] - at[1] - at[2] + at[3]) / (4 * h[i] * h[j])
        A = 2 * np.linalg.inv(H)
        variance = np.diagonal(self.phi(self.natural))
        gradient = np.diagonal(self.slope(self.phi), axis1=1, axis2=2)
        return np.asarray(2 * variance**2 / np.einsum("ip,ij,jp->p", gradient, A, gradient))

    def kenward_roger(self) -> tuple[np.ndarray, np.ndarray]:
        S, dS, X = self.Sigma(self.natural), self.slope(self.Sigma), self.X
        inverse, Phi = np.linalg.inv(S), self.phi(self.natural)
        R = inverse - inverse @ X @ Phi @ X.T @ inverse
        information = np.array([[np.trace(R @ a @ R @ b) for b in dS] for a in dS]) / 2
        W = np.linalg.inv(information)
        P = [-X.T @ inverse @ a @ inverse @ X for a in dS]
        adjustment = sum(
            W[i, j] * (X.T @ inverse @ a @ inverse @ b @ inverse @ X - P[i] @ Phi @ P[j])
            for i, a in enumerate(dS)
            for j, b in enumerate(dS)
        )
        adjusted = Phi + 2 * Phi @ adjustment @ Phi
        gradient = np.array([np.diagonal(Phi @ p @ Phi) for p in P])
        variance = np.diagonal(Phi)
        A2 = np.einsum("ip,ij,jp->p", gradient, W, gradient) / variance**2
        return np.sqrt(np.diagonal(adjusted)), 2 / A2


@pytest.mark.parametrize(
    "formula", ["y ~ x + ar1(0 + t | g)", "y ~ x + cs(0 + f | g)", "y ~ x + ar1(0 + f | g, hom = FALSE)"]
)
def test_satterthwaite_and_kenward_roger_beside_dense_matrices(formula: str) -> None:
    m = model(formula)
    c = components(m.fit)[0]
    assert c.rho is not None
    distance = np.abs(np.subtract.outer(range(len(c.names)), range(len(c.names))))
    shared = c.shared

    def covariance(par: np.ndarray) -> np.ndarray:
        rho, v = par[-1], np.broadcast_to(par[:-1], (len(distance),))
        corr = rho**distance if "ar1" in formula else np.where(distance > 0, rho, 1.0)
        return np.asarray(np.sqrt(np.outer(v, v)) * corr)

    variances = c.sd[:1] ** 2 if shared else c.sd**2
    natural = np.array([*variances, c.rho, m.sigma**2])
    np.testing.assert_allclose(covariance(natural[:-1]), c.covariance, rtol=1e-8)
    dense = Dense(m.fit, covariance, natural)
    np.testing.assert_allclose(m.coef_table()["df"], dense.satterthwaite(), rtol=2e-3)
    se, df = dense.kenward_roger()
    table = m.coef_table(ddf="kenward-roger")
    np.testing.assert_allclose(table["se"], se, rtol=1e-5)
    np.testing.assert_allclose(table["df"], df, rtol=1e-5)
    assert "FIRSTORDER" in str(m.summary(ddf="kenward-roger"))


def test_the_observed_information_is_refused_where_it_is_not_all() -> None:
    with pytest.raises(ModelError, match="information='expected'"):
        model("y ~ x + ar1(0 + t | g)").coef_table(ddf=interlace.KenwardRoger(information="observed"))
    model("y ~ x + cs(0 + f | g, hom = TRUE)").coef_table(ddf=interlace.KenwardRoger(information="observed"))


def test_standard_errors_of_components_are_delta_methods() -> None:
    """A shared variance has one standard error; that of rho^2 is 2 rho times that of rho."""
    table = model("y ~ x + ar1(0 + t | g)").varcorr(se=True)
    variances = table[table["term2"].isna() & (table["group"] == "g")]
    assert variances["variance_se"].nunique() <= 5 and np.ptp(variances["variance_se"]) < 1e-10
    first, second = table[table["term2"].notna()].iloc[[0, 1]].itertuples()
    np.testing.assert_allclose(second.corr_se, 2 * first.corr * first.corr_se, rtol=1e-8)
