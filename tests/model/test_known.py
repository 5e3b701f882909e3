"""Known covariances between levels, against the density written out and against models that are the same."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

import interlace
from dense_oracle import dense_z
from interlace.errors import DataError, ModelError
from known_data import LEVELS, between, covariance, data, dense

FORMULAS = [
    "y ~ x + (1 | id)",
    "y ~ x + (x | id)",
    "y ~ x + (x || id)",
    "y ~ x + (1 | id) + (1 | herd)",
    "y ~ x + (x | id) + (1 | herd) + (1 | pe)",
    "y ~ x + (1 | id) + (0 + x | id) + (x | herd)",
    "y ~ x + diag(x | id) + (1 | herd)",
    "y ~ x + cs(x | id)",
]
K = covariance()
DATA = data(K)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_the_density_written_out(formula: str, reml: bool, weights: str | None) -> None:
    model = interlace.lmer(formula, DATA, reml=reml, weights=weights, known={"id": K})
    s = model.fit.solution
    theirs = dense(model, s.factors, {"id": K.to_numpy()}, reml=reml)
    np.testing.assert_allclose(-2 * model.loglik, theirs.value, rtol=1e-10)
    np.testing.assert_allclose(model.fixef, theirs.beta, rtol=1e-8)
    np.testing.assert_allclose(model.vcov(), theirs.vcov, rtol=1e-8, atol=1e-12)
    for i, (b, given) in enumerate(zip(theirs.b, theirs.conditional, strict=True)):
        np.testing.assert_allclose(s.b[i].ravel(), b, rtol=1e-7, atol=1e-9)
        k = s.b[i].shape[1]
        found = model.sigma**2 * s.conditional_covariance(i)
        for g in range(len(found)):
            at = slice(g * k, (g + 1) * k)
            np.testing.assert_allclose(found[g], given[at, at], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(s.wrss, model.residuals("pearson") @ model.residuals("pearson"), rtol=1e-9)
    assert model.ranef()["id"].index.tolist() == LEVELS
    # the gradient and the curvature that the search used lead to a minimum
    assert model.fit.optimum.converged
    par, criterion = model.fit.optimum.par, model.fit.criterion
    step = 1e-5 * np.identity(len(par))
    slope = [(criterion.value(par * 1.1 + h) - criterion.value(par * 1.1 - h)) / 2e-5 for h in step]
    np.testing.assert_allclose(criterion.gradient(par * 1.1), slope, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("formula", ["y ~ x + (1 | id) + (1 | herd)", "y ~ x + (x | id)"])
def test_no_other_parameters_are_better(formula: str) -> None:
    model = interlace.lmer(formula, DATA, reml=False, known={"id": K})
    criterion = model.fit.criterion

    def value(par: np.ndarray) -> float:
        return dense(model, criterion.parameters.factors(par), {"id": K.to_numpy()}, reml=False).value

    best = minimize(
        value, criterion.start, method="Nelder-Mead", options={"fatol": 1e-9, "xatol": 1e-9, "maxiter": 4000}
    )
    assert -2 * model.loglik <= best.fun + 1e-6


def test_independent_levels_are_the_plain_model() -> None:
    data = DATA.assign(id=DATA["id"].astype("category"))
    plain = interlace.lmer("y ~ x + (x | id) + (1 | herd)", data)
    levels = plain.ranef()["id"].index
    independent = pd.DataFrame(np.identity(len(levels)), index=levels, columns=levels)
    known = interlace.lmer("y ~ x + (x | id) + (1 | herd)", data, known={"id": independent})
    np.testing.assert_allclose(known.loglik, plain.loglik, rtol=1e-12)
    np.testing.assert_allclose(known.theta, plain.theta, atol=1e-7)
    pd.testing.assert_frame_equal(known.coef_table(), plain.coef_table(), rtol=1e-6)
    pd.testing.assert_frame_equal(known.varcorr(se=True), plain.varcorr(se=True), rtol=1e-5)
    pd.testing.assert_frame_equal(known.ranova(), plain.ranova(), rtol=1e-5)
    pd.testing.assert_frame_equal(known.leverage(), plain.leverage(), rtol=1e-6)
    pd.testing.assert_frame_equal(
        known.ranef(condvar=True)["id"],
        plain.ranef(condvar=True)["id"],
        rtol=1e-5,
        atol=1e-8,
        check_index_type=False,
        check_categorical=False,
    )
    assert known.r2() == pytest.approx(plain.r2())


def forms() -> dict[str, Any]:
    shuffled = K.loc[LEVELS[::-1], :]
    Q = np.linalg.inv(K.to_numpy())
    Q[np.abs(Q) < 1e-12] = 0.0
    return {
        "columns in another order": K[LEVELS[::-1]],
        "rows and columns in another order": shuffled,
        "matrix and labels": (K.to_numpy(), LEVELS),
        "lists": (K.to_numpy().tolist() and np.array(K.to_numpy().tolist()), tuple(LEVELS)),
        "sparse": (sp.csc_matrix(K.to_numpy()), LEVELS),
        "sparse array": (sp.coo_array(K.to_numpy()), pd.Index(LEVELS)),
        "precision": interlace.Precision(Q, LEVELS),
        "precision frame": interlace.Precision(pd.DataFrame(Q, index=LEVELS, columns=LEVELS)),
        "sparse precision": interlace.Precision(sp.csr_matrix(Q), LEVELS),
    }


@pytest.mark.parametrize("form", list(forms()))
def test_every_form_is_the_same_model(form: str) -> None:
    formula = "y ~ x + (1 | id) + (1 | herd)"
    one = interlace.lmer(formula, DATA, known={"id": K})
    other = interlace.lmer(formula, DATA, known={"id": forms()[form]})
    np.testing.assert_allclose(other.loglik, one.loglik, rtol=1e-11)
    ours = other.ranef()["id"]
    pd.testing.assert_frame_equal(ours.loc[LEVELS], one.ranef()["id"], rtol=1e-5, atol=1e-7)
    assert ours.index.tolist() == (LEVELS[::-1] if form.startswith("rows") else LEVELS)


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e6])
def test_the_unit_of_the_covariance_is_taken_by_theta(scale: float) -> None:
    formula = "y ~ x + (x | id) + (1 | herd)"
    one = interlace.lmer(formula, DATA, known={"id": K})
    other = interlace.lmer(formula, DATA, known={"id": scale * K})
    np.testing.assert_allclose(other.loglik, one.loglik, rtol=1e-10)
    assert other.fit.optimum.evaluations == one.fit.optimum.evaluations  # the search does not see the unit
    own = [len(b.levels) == len(LEVELS) for b in one.fit.encoding.random]
    for mine, a, b in zip(own, one.fit.solution.factors, other.fit.solution.factors, strict=True):
        np.testing.assert_allclose(b * (np.sqrt(scale) if mine else 1.0), a, atol=1e-5)
    pd.testing.assert_frame_equal(other.ranef()["id"], one.ranef()["id"], atol=1e-5)


def test_levels_without_data_are_predicted_from_their_relatives() -> None:
    model = interlace.lmer("y ~ x + (1 | id)", DATA, known={"id": K})
    modes = model.ranef()["id"]["Intercept"]
    unseen = [level for level in LEVELS if level not in set(DATA["id"])]
    assert unseen and len(model.ranef()["id"]) == len(LEVELS) == model.ngroups["id"]
    seen = [level for level in LEVELS if level not in unseen]
    inner = K.loc[seen, seen].to_numpy()
    np.testing.assert_allclose(
        modes[unseen], K.loc[unseen, seen].to_numpy() @ np.linalg.solve(inner, modes[seen]), atol=1e-9
    )
    assert modes[LEVELS[-1]] == pytest.approx(0.0, abs=1e-12)  # no relatives
    new = pd.DataFrame({"x": [0.0, 1.0], "id": [unseen[0], seen[0]]})
    expected = model.fixef["Intercept"] + model.fixef["x"] * new["x"] + modes[new["id"]].to_numpy()
    np.testing.assert_allclose(model.predict(new), expected)
    with pytest.raises(DataError, match="has not seen"):
        model.predict(new.assign(id="nobody"))
    assert model.leverage("id").index.tolist() == seen


def test_numbers_and_categories_are_labels_too() -> None:
    codes = DATA["id"].str[1:].astype(int)
    numbered = K.set_axis(range(24), axis=0).set_axis(range(24), axis=1)
    expected = interlace.lmer("y ~ x + (1 | id)", DATA, known={"id": K})
    for values in (codes, codes.astype(float), codes.astype("category")):
        model = interlace.lmer("y ~ x + (1 | id)", DATA.assign(id=values), known={"id": numbered})
        np.testing.assert_allclose(model.loglik, expected.loglik, rtol=1e-12)
        np.testing.assert_allclose(
            model.predict(pd.DataFrame({"x": [1.0], "id": [1]})),
            expected.predict(pd.DataFrame({"x": [1.0], "id": ["a01"]})),
        )


def test_draws_have_the_covariance() -> None:
    model = interlace.lmer("y ~ x + (x | id) + (1 | herd)", DATA, known={"id": K})
    draws = model.simulate(4000, seed=3).to_numpy()
    s = model.fit.solution

    from dense_oracle import dense_z

    V = np.identity(len(DATA))
    for i, G in enumerate(between(model, s.factors, {"id": K.to_numpy()})):
        Z = dense_z(model.fit.design, i, len(model.fit.encoding.random[i].levels))
        V += Z @ G @ Z.T
    V *= model.sigma**2
    error = np.cov(draws) - V
    scale = np.sqrt((np.outer(np.diagonal(V), np.diagonal(V)) + V**2) / draws.shape[1])
    assert np.abs(error / scale).max() < 6
    assert np.sqrt(np.mean((error / scale) ** 2)) < 1.6


def test_refits_keep_it() -> None:
    model = interlace.lmer("y ~ x + (1 | id) + (1 | herd)", DATA, known={"id": K})
    new = model.simulate(2, seed=1)
    table = model.refit(new)
    for column in new:
        direct = interlace.lmer("y ~ x + (1 | id) + (1 | herd)", DATA.assign(y=new[column]), known={"id": K})
        here = table[(table["response"] == column) & (table["effect"] == "fixed")]
        np.testing.assert_allclose(here["estimate"], direct.fixef, rtol=1e-5)
        np.testing.assert_allclose(model.refit(new[column]).loglik, direct.loglik, rtol=1e-9)
    by_ml = model.refit(reml=False)
    direct = interlace.lmer("y ~ x + (1 | id) + (1 | herd)", DATA, reml=False, known={"id": K})
    np.testing.assert_allclose(by_ml.loglik, direct.loglik, rtol=1e-10)
    copy = pickle.loads(pickle.dumps(model))
    assert copy.loglik == model.loglik
    pd.testing.assert_frame_equal(copy.ranef(condvar=True)["id"], model.ranef(condvar=True)["id"])
    pd.testing.assert_frame_equal(copy.leverage(), model.leverage())


def test_smaller_models_keep_it() -> None:
    model = interlace.lmer("y ~ x + (x | id) + (1 | herd)", DATA, known={"id": K})
    table = model.ranova()
    without = interlace.lmer("y ~ x + (1 | id) + (1 | herd)", DATA, known={"id": K})
    np.testing.assert_allclose(table["loglik"].iloc[1], without.loglik, rtol=1e-8)
    alone = interlace.lmer("y ~ x + (x | id)", DATA, known={"id": K})
    np.testing.assert_allclose(table["loglik"].iloc[2], alone.loglik, rtol=1e-8)
    larger = interlace.compare(without, model)
    assert larger["p"].iloc[-1] < 1


def test_satterthwaite_is_that_of_the_density() -> None:
    """df = 2 g^2 / (g'(v)' Var(v) g'(v)) for the variance g of a coefficient, all by differences."""
    model = interlace.lmer("y ~ x + (1 | id) + (1 | herd)", DATA, known={"id": K})
    fit, n = model.fit, len(DATA)
    X, y = fit.design.X, fit.design.y
    blocks = []
    for i, block in enumerate(fit.encoding.random):
        Z = dense_z(fit.design, i, len(block.levels))
        blocks.append(Z @ (K.to_numpy() if block.group == "id" else np.identity(30)) @ Z.T)

    def parts(v: np.ndarray) -> tuple[float, np.ndarray]:
        V = v[0] * np.identity(n) + v[1] * blocks[0] + v[2] * blocks[1]
        information = X.T @ np.linalg.solve(V, X)
        r = y - X @ np.linalg.solve(information, X.T @ np.linalg.solve(V, y))
        value = np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1] + r @ np.linalg.solve(V, r)
        return value, np.diagonal(np.linalg.inv(information))

    v = model.sigma**2 * np.array([1.0, *(float(T[0, 0]) ** 2 for T in fit.solution.factors)])
    h = 1e-3 * v
    H, gradient = np.empty((3, 3)), np.empty((3, 2))
    for i in range(3):
        e = np.identity(3)[i] * h
        gradient[i] = (parts(v + e)[1] - parts(v - e)[1]) / (2 * h[i])
        for j in range(3):
            d = np.identity(3)[j] * h
            H[i, j] = (
                parts(v + e + d)[0] - parts(v + e - d)[0] - parts(v - e + d)[0] + parts(v - e - d)[0]
            ) / (4 * h[i] * h[j])
    variance = np.einsum("ia,ij,ja->a", gradient, 2 * np.linalg.inv(H), gradient)
    df = 2 * parts(v)[1] ** 2 / variance
    np.testing.assert_allclose(model.coef_table()["df"], df, rtol=1e-4)
    assert model.anova()["den_df"].iloc[0] == pytest.approx(df[1], rel=1e-4)


def test_what_rests_on_independent_levels_is_refused() -> None:
    model = interlace.lmer("y ~ x + (1 | id)", DATA, known={"id": K})
    with pytest.raises(ModelError, match="satterthwaite"):
        model.coef_table(ddf="kenward-roger")
    with pytest.raises(ModelError, match="known covariance"):
        model.vcov("CR2")
    with pytest.raises(ModelError, match="known covariance"):
        model.vcov("CR0", cluster="herd")


def test_models_of_other_covariances_are_not_nested() -> None:
    plain = interlace.lmer("y ~ x + (1 | id)", DATA)
    model = interlace.lmer("y ~ x + (1 | id) + (1 | herd)", DATA, known={"id": K})
    other = interlace.lmer("y ~ x + (1 | id)", DATA, known={"id": 2 * K + np.identity(24)})
    same = interlace.lmer(
        "y ~ x + (1 | id)", DATA, known={"id": interlace.Precision(np.linalg.inv(K), LEVELS)}
    )
    for smaller in (plain, other):
        with pytest.raises(DataError, match="levels of 'id'"):
            interlace.compare(smaller, model)
        with pytest.raises(DataError, match="levels of 'id'"):
            interlace.bootstrap_compare(model, smaller, n=10)
    assert np.isfinite(interlace.compare(same, model)["p"].iloc[-1])
    assert len(interlace.aic_table(plain, model, other)) == 3
    assert "(known covariance between the levels of id)" in str(model) and "known" not in str(plain)
    assert "(known covariance between the levels of id)" in str(model.summary())


def test_variance_explained_counts_the_variances_of_the_levels() -> None:
    model = interlace.lmer("y ~ x + (1 | id)", DATA, known={"id": K})
    variance = model.varcorr()["variance"].to_numpy()
    own = np.diagonal(K)[[LEVELS.index(level) for level in DATA["id"]]].mean()
    fixed = np.var(model.fixef["x"] * DATA["x"], ddof=1)
    assert model.r2()["marginal"] == pytest.approx(fixed / (fixed + own * variance[0] + variance[1]))
    assert model.icc()["by_group"]["id"] == pytest.approx(
        own * variance[0] / (own * variance[0] + variance[1])
    )


@pytest.mark.parametrize(
    ("formula", "known", "told"),
    [
        ("y ~ id + (1 | id)", {"id": K}, False),
        ("y ~ id + (x | id)", {"id": K}, False),
        ("y ~ x + (1 | id) + (1 | pe)", {"id": K}, True),
        ("y ~ x + (1 | id) + (1 | pe)", {"id": K, "pe": K}, False),
        ("y ~ x + (1 | id) + (1 | pe)", {"id": pd.DataFrame(np.identity(24), LEVELS, LEVELS)}, False),
        ("y ~ x + (x | id) + (1 | pe)", {"id": K}, True),
    ],
)
@pytest.mark.filterwarnings("ignore::interlace.errors.ConvergenceWarning")
def test_what_the_data_can_tell_depends_on_the_covariance(
    formula: str, known: dict[str, Any], told: bool
) -> None:
    """Two terms with one partition are told apart by the covariance of one, but not if both have the same."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        model = interlace.lmer(formula, DATA, known=known)
    assert any(issubclass(w.category, interlace.IdentificationWarning) for w in heard) != told
    assert model.fit.identification.complete == told


def test_one_row_for_each_level_is_enough() -> None:
    """The covariance tells the levels from the residuals, but not where it is the identity."""
    once = DATA.drop_duplicates("id")
    model = interlace.lmer("y ~ 1 + (1 | id)", once, known={"id": K})
    assert np.isfinite(model.loglik)
    with pytest.raises(ModelError, match="cannot be told from the residuals"):
        interlace.lmer(
            "y ~ 1 + (1 | id)",
            once,
            known={"id": pd.DataFrame(np.identity(24), index=LEVELS, columns=LEVELS)},
        )


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (K, "by name"),
        ({"x": K}, "not a grouping factor"),
        ({"id": K.to_numpy()}, "has no labels"),
        ({"id": K.iloc[:10, :10]}, "lacks"),
        ({"id": K.iloc[:10]}, "same labels"),
        ({"id": (K.to_numpy(), LEVELS[:3])}, "a label for each row"),
        ({"id": (K.to_numpy(), LEVELS[:-1] + LEVELS[:1])}, "stands twice"),
        ({"id": K.set_axis(range(24), axis=0).set_axis(range(24), axis=1)}, "labels are of type int"),
        ({"id": K.mask(K > 2.0)}, "missing or infinite"),
        ({"id": (np.triu(K), LEVELS)}, "not symmetric"),
        ({"id": K - 5 * np.identity(24)}, "not positive definite"),
        ({"id": (np.ones((24, 24)), LEVELS)}, "small multiple of the identity"),
        ({"id": (sp.csr_matrix(np.ones((24, 24))), LEVELS)}, "not positive definite"),
        ({"id": interlace.Precision(np.ones((24, 24)), LEVELS)}, "not positive definite"),
        ({"id": interlace.Precision(-np.identity(24), LEVELS)}, "not positive definite"),
        ({"id": interlace.Precision(sp.csr_matrix((24, 24)), LEVELS)}, "not positive definite"),
        ({"id": (np.array([["a"] * 24] * 24), LEVELS)}, "not a matrix of numbers"),
        ({"id": (K.to_numpy() + 0j, LEVELS)}, "not a matrix of numbers"),
        ({"id": (sp.csr_matrix(K.to_numpy() + 0j), LEVELS)}, "not a matrix of numbers"),
        ({"id": (K.to_numpy(), "abc")}, "must be a sequence"),
        ({"id": (K.to_numpy(), 24)}, "must be a sequence"),
        ({"id": (K.to_numpy()[0], LEVELS)}, "square matrix"),
        ({"id": (sp.csr_matrix(K.to_numpy()[:5]), LEVELS)}, "square matrix"),
        ({5: K}, "known names 5"),
        ({"id": "kinship"}, "has no labels"),
        ({"id": None}, "has no labels"),
    ],
)
def test_what_is_no_covariance_is_refused(known: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        interlace.lmer("y ~ x + (1 | id)", DATA, known=known)


def pair(left: float) -> pd.DataFrame:
    """K where this share of the variance of a03 is not that of a02."""
    out = pd.DataFrame(np.identity(24), index=LEVELS, columns=LEVELS)
    out.loc["a02", "a03"] = out.loc["a03", "a02"] = np.sqrt(1 - left)
    return out


def test_nearly_singular_is_singular_from_where_digits_end() -> None:
    Q = pd.DataFrame(np.identity(24), index=LEVELS, columns=LEVELS)

    def precision(left: float) -> interlace.LinearMixedModel:
        Q.loc["a02", "a03"] = Q.loc["a03", "a02"] = -np.sqrt(1 - left)
        return interlace.lmer("y ~ x + (1 | id)", DATA, known={"id": interlace.Precision(Q)})

    for left, fits in ((4e-9, True), (0.25e-9, False)):
        for make in (lambda r: interlace.lmer("y ~ x + (1 | id)", DATA, known={"id": pair(r)}), precision):
            if fits:
                assert np.isfinite(make(left).loglik)
            else:
                with pytest.raises(DataError, match="not positive definite"):
                    make(left)


def test_an_intrinsic_precision_has_no_density() -> None:
    """Neighbours on a line: the rows of Q add up to zero, whatever the last pivot is by rounding."""
    Q = 2.0 * np.identity(24) - np.eye(24, k=1) - np.eye(24, k=-1)
    Q[0, 0] = Q[-1, -1] = 1.0
    for unit in (1.0, 0.1, 1 / 3, 7.7, 1e-9):
        with pytest.raises(DataError, match="intrinsic"):
            interlace.lmer("y ~ x + (1 | id)", DATA, known={"id": interlace.Precision(unit * Q, LEVELS)})
    ridge = interlace.Precision(Q + 1e-6 * np.identity(24), LEVELS)
    assert np.isfinite(interlace.lmer("y ~ x + (1 | id)", DATA, known={"id": ridge}).loglik)


def test_rounding_error_is_not_asymmetry() -> None:
    largest = float(K.to_numpy().max())
    for share, fits in ((0.5e-8, True), (2e-8, False)):
        tilted = K.copy()
        tilted.iloc[0, 1] += share * largest
        if fits:
            interlace.lmer("y ~ x + (1 | id)", DATA, known={"id": tilted})
        else:
            with pytest.raises(DataError, match="not symmetric"):
                interlace.lmer("y ~ x + (1 | id)", DATA, known={"id": tilted})


def test_a_factor_leads_where_it_leaves_little_on_linked_levels() -> None:
    many = pd.concat([DATA] * 3, ignore_index=True).assign(day=np.arange(3 * len(DATA)) % 4)

    def rest(formula: str, data: pd.DataFrame) -> int:
        model = interlace.lmer(formula, data, known={"id": K})
        expected = dense(model, model.fit.solution.factors, {"id": K.to_numpy()}, reml=True)
        np.testing.assert_allclose(-2 * model.loglik, expected.value, rtol=1e-9)
        return model.fit.criterion.system.symbolic.q_rest

    assert rest("y ~ x + (1 | id) + (1 | pe)", DATA) == 24  # each level of pe meets one of id
    assert rest("y ~ x + (1 | id) + (1 | day)", many) == 28  # each day meets nearly all


def test_combinations_of_factors_are_refused() -> None:
    with pytest.raises(DataError, match="make a column"):
        interlace.lmer("y ~ x + (1 | id:herd)", DATA, known={"id:herd": K})


def test_what_was_given_is_not_changed() -> None:
    mine = K.copy()
    interlace.lmer("y ~ x + (1 | id)", DATA, known={"id": mine})
    pd.testing.assert_frame_equal(mine, K)
    frame = K.copy()
    model = interlace.lmer("y ~ x + (1 | id)", DATA, known={"id": frame})
    before = model.ranova()["loglik"].copy()
    frame.iloc[:, :] = 0.0
    pd.testing.assert_series_equal(model.ranova()["loglik"], before)
