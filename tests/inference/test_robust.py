"""Cluster-robust covariances against clubSandwich (club_sandwich.R) and the published formulas, dense."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import linalg, stats

import interlace
from dense_oracle import dense_z
from interlace import ClusterRobust
from interlace.errors import DataError, ModelError
from interlace.estimation.fit import Fit, at_theta
from interlace.precision.clusters import clusters
from interlace.precision.wald import Ddf
from made_data import crossed, nested
from reference_data import array, load_case, load_data, matrix

REFERENCE = json.loads((Path(__file__).parent / "club_sandwich.json").read_text())
KINDS = ("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")
PAIRS = [(name, kind) for name, r in REFERENCE.items() for kind in KINDS if kind in r]


def fit_of(name: str) -> tuple[Fit, Any]:
    """The model of R at R's theta, and its clusters."""
    r = REFERENCE[name]
    data = load_data(r["data"])
    if name == "saturated":
        data["only"] = data["age"] * (data["Subject"] == "M01")
    fit = interlace.lmer(r["formula"], data, reml=r["REML"]).fit
    cluster = data[r["cluster"]] if isinstance(r["cluster"], str) else None
    return at_theta(fit.encoding, fit.design, array(r["theta"]).ravel(), reml=r["REML"]), cluster


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_club_sandwich(name: str, kind: str) -> None:
    fit, cluster = fit_of(name)
    bound, r = ClusterRobust(kind, cluster).bind(fit), REFERENCE[name][kind]
    p = len(bound.vcov)
    expected = array(r["vcov"]).reshape(p, p)
    se = np.sqrt(np.diagonal(expected))
    np.testing.assert_allclose(bound.vcov / np.outer(se, se), expected / np.outer(se, se), atol=1e-9)
    np.testing.assert_allclose(bound.df(np.eye(p)), np.atleast_1d(array(r["df"])), rtol=1e-9)
    if p > 1:
        two = np.vstack([np.eye(p)[0], np.arange(1, p + 1) / p])
        for L, wald in ((np.eye(p)[1:], r["wald"]), (two, r["wald2"])):
            test = bound.f_test(L)
            np.testing.assert_allclose([test.F, test.den_df], array([wald["F"], wald["den"]]), rtol=1e-8)
            assert test.num_df == len(L)


def test_published_table() -> None:
    r = load_case("fixest", "clubSandwich_sleepstudy")
    m = interlace.lmer(r["formula"], load_data("sleepstudy"))
    for kind in ("CR0", "CR1", "CR1S", "CR2", "CR3"):
        np.testing.assert_allclose(m.vcov(kind), matrix(r["vcov"][kind]), rtol=1e-6)
    table, expected = m.coef_table(ddf=ClusterRobust("CR2")), r["coef_test_CR2"]
    for column, theirs in {"estimate": "beta", "se": "SE", "t": "tstat", "df": "df_Satt"}.items():
        np.testing.assert_allclose(table[column], array(expected[theirs]), rtol=1e-6)
    np.testing.assert_allclose(np.log(table["p"]), np.log(array(expected["p_Satt"])), rtol=1e-6)


MADE = {
    "one": ("y ~ x + f + (x | a)", lambda: nested(np.random.default_rng(1), (9, 3), 3), {}),
    "weights": (
        "y ~ x + f + (x | a / b)",
        lambda: nested(np.random.default_rng(2), (9, 3), 3),
        {"weights": "w", "offset": "o"},
    ),
    "independent": ("y ~ x + (x || a) + (1 | a:b)", lambda: nested(np.random.default_rng(3), (8, 3), 4), {}),
    "few effects": ("y ~ x + z + (1 | a)", lambda: nested(np.random.default_rng(4), (6, 4), 5), {}),
    "no intercept": ("y ~ 0 + x + z + (0 + x | a)", lambda: nested(np.random.default_rng(5), (7, 3), 3), {}),
}


def dense(fit: Fit, codes: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariance by the definition with n x n matrices; expectation and variance of its diagonal by the
    moments of quadratic forms in N(0, V)."""
    design, n = fit.design, fit.design.nrows
    X = design.X[:, list(fit.kept)]
    Z = [dense_z(design, i, len(block.levels)) for i, block in enumerate(fit.encoding.random)]
    V = np.diag(1 / (np.ones(n) if design.weights is None else design.weights))
    for z, T in zip(Z, fit.solution.factors, strict=True):
        zt = z @ np.kron(np.eye(z.shape[1] // len(T)), T)
        V = V + zt @ zt.T
    W, p, J = np.linalg.inv(V), X.shape[1], codes.max() + 1
    M = np.linalg.inv(X.T @ W @ X)
    residual_maker = np.eye(n) - X @ M @ X.T @ W
    shares = {"CR0": 1, "CR1": J / (J - 1), "CR1p": J / (J - p), "CR1S": J * (n - 1) / ((J - 1) * (n - p))}
    G = []
    for j in range(J):
        rows = np.flatnonzero(codes == j)
        Vj, Hj = V[np.ix_(rows, rows)], (X @ M @ X.T @ W)[np.ix_(rows, rows)]
        eye = np.eye(len(rows))
        if kind in shares:
            A = np.sqrt(shares[kind]) * eye
        elif kind == "CR3":
            A = np.linalg.inv(eye - Hj)
        else:
            D = linalg.sqrtm(Vj).real  # another root than the library takes
            B = D @ (eye - Hj) @ Vj @ D.T
            A = D.T @ linalg.fractional_matrix_power((B + B.T) / 2, -0.5).real @ D
        G.append(M @ X[rows].T @ W[np.ix_(rows, rows)] @ A @ residual_maker[rows])
    assert design.y is not None
    y = design.y - (0.0 if design.offset is None else design.offset)
    vcov = sum(np.outer(g @ y, g @ y) for g in G)
    variance, mean = np.zeros(p), np.zeros(p)
    for c in range(p):
        Q = sum(np.outer(g[c], g[c]) for g in G)
        mean[c], variance[c] = np.trace(Q @ V), 2 * np.trace(Q @ V @ Q @ V)
    return np.asarray(vcov), mean, variance


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MADE)
def test_definition(name: str, kind: str) -> None:
    formula, data, options = MADE[name]
    fit = interlace.lmer(formula, data(), **options).fit
    fit = at_theta(fit.encoding, fit.design, 0.3 + 0.1 * np.arange(fit.solution.theta.size))
    bound = ClusterRobust(kind).bind(fit)
    vcov, mean, variance = dense(fit, clusters(fit).codes, kind)
    np.testing.assert_allclose(bound.vcov, vcov, rtol=1e-7, atol=1e-9 * np.abs(vcov).max())
    np.testing.assert_allclose(bound.df(np.eye(len(mean))), 2 * mean**2 / variance, rtol=1e-7)
    if kind == "CR2":  # unbiased when the model is right
        np.testing.assert_allclose(mean, np.diagonal(fit.solution.unscaled_vcov), rtol=1e-7)


@pytest.mark.parametrize("kind", ["CR0", "CR2"])
def test_joint_test_of_one_row_is_the_t_test(kind: str) -> None:
    fit, _ = fit_of("autism_int")
    bound = ClusterRobust(kind).bind(fit)
    L = np.arange(1.0, 7.0)[None]
    test = bound.f_test(L, 3.0)
    t = (L @ fit.solution.beta - 3.0) / np.sqrt(L @ bound.vcov @ L.T)
    assert pytest.approx(t.item() ** 2) == test.F
    assert test.den_df == pytest.approx(bound.df(L)[0])


def test_joint_test_does_not_depend_on_the_rows() -> None:
    fit, _ = fit_of("autism_int")
    bound = ClusterRobust().bind(fit)
    L = np.eye(6)[1:4]
    once, again = bound.f_test(L), bound.f_test(np.vstack([[[2, 1, 0], [0, 3, 1], [1, 0, 1]] @ L, L[0]]))
    assert again.num_df == 3
    assert pytest.approx(once.F, rel=1e-9) == again.F
    assert again.den_df == pytest.approx(once.den_df, rel=1e-9)


@pytest.fixture(scope="module")
def sleep() -> interlace.LinearMixedModel:
    return interlace.lmer("Reaction ~ Days * grp + (Days | Subject)", load_data("sleepstudy"))


def test_tables(sleep: interlace.LinearMixedModel) -> None:
    ddf = ClusterRobust("CR1")
    bound: Ddf = ddf.bind(sleep.fit)
    table = sleep.coef_table(ddf=ddf)
    np.testing.assert_allclose(table["se"], np.sqrt(np.diagonal(sleep.vcov("CR1"))))
    np.testing.assert_allclose(table["df"], bound.df(np.eye(6)))
    np.testing.assert_allclose(table["p"], 2 * stats.t.sf(np.abs(table["t"]), table["df"]))
    row = sleep.contrast_test({"Days": 1.0}, ddf=ddf)
    assert row.rows["se"].iloc[0] == pytest.approx(table.loc["Days", "se"])
    interaction = sleep.anova(type=3, ddf=ddf).loc["Days:grp"]
    test = bound.f_test(np.eye(6)[4:])
    assert interaction["F"] == pytest.approx(test.F)
    assert interaction["den_df"] == pytest.approx(test.den_df)
    assert "cluster-robust covariance (CR1)" in str(sleep.summary(ddf=ddf))
    assert "CR1 covariance from 18 clusters (Subject)" in bound.note


def test_too_few_clusters_for_a_joint_test() -> None:
    data = nested(np.random.default_rng(6), (3, 5), 4)
    bound = ClusterRobust("CR2").bind(interlace.lmer("y ~ x + f + (1 | a)", data, reml=False).fit)
    test = bound.f_test(np.eye(len(bound.vcov)))
    assert np.isnan([test.F, test.den_df]).all()
    m = interlace.lmer("y ~ x + f + (1 | a)", data)
    assert np.isnan(m.contrast_test(np.eye(len(m.fixef)), ddf=ClusterRobust("CR2")).p)
    with pytest.raises(ModelError, match="3 clusters are too few for 4 coefficients; use CR1 or CR2"):
        m.vcov("CR1p")


def test_units_do_not_matter() -> None:
    data = load_data("sleepstudy")
    a = interlace.lmer("Reaction ~ Days + off + (Days | Subject)", data)
    moved = data.assign(Days=data["Days"] * 1e-3 + 7.0, Reaction=data["Reaction"] * 1e4 + 1e6)
    b = interlace.lmer("Reaction ~ Days + off + (Days | Subject)", moved)
    for kind in KINDS:
        one, two = (
            a.coef_table(ddf=ClusterRobust(kind)).iloc[1:],
            b.coef_table(ddf=ClusterRobust(kind)).iloc[1:],
        )
        np.testing.assert_allclose(two[["df", "t"]], one[["df", "t"]], rtol=1e-5)


def test_order_of_rows_does_not_matter() -> None:
    data = load_data("sleepstudy")
    shuffled = data.sample(frac=1, random_state=1)
    formula = "Reaction ~ Days + (Days | Subject)"
    for kind in KINDS:
        expected = interlace.lmer(formula, data, weights="w").vcov(kind)
        np.testing.assert_allclose(
            interlace.lmer(formula, shuffled, weights="w").vcov(kind), expected, rtol=1e-6
        )


def test_deficient_rank() -> None:
    data = load_data("sleepstudy")
    with pytest.warns(interlace.RankDeficiencyWarning):
        m = interlace.lmer("Reaction ~ Days + Days2 + (Days | Subject)", data)
    same = interlace.lmer("Reaction ~ Days + (Days | Subject)", data)
    pd.testing.assert_frame_equal(m.vcov("CR2"), same.vcov("CR2"), rtol=1e-7)


def test_singular_fit_is_least_squares() -> None:
    """At theta = 0 CR0 is the sandwich of least squares."""
    data = load_data("Dyestuff2")
    m = interlace.lmer("Yield ~ 1 + (1 | Batch)", data)
    residual = data["Yield"] - data["Yield"].mean()
    expected = (residual.groupby(data["Batch"], observed=True).sum() ** 2).sum() / 30**2
    assert m.vcov("CR0").iloc[0, 0] == pytest.approx(expected)


def test_small_residual_variance() -> None:
    """Standard deviations a thousand times that of the residuals, then too many digits lost."""
    fit = interlace.lmer(MADE["one"][0], MADE["one"][1]()).fit
    L = np.eye(4)
    limit = ClusterRobust().bind(at_theta(fit.encoding, fit.design, [100.0, 10.0, 100.0])).df(L)
    extreme = at_theta(fit.encoding, fit.design, [1000.0, 100.0, 1000.0])
    np.testing.assert_allclose(ClusterRobust().bind(extreme).df(L), limit, rtol=1e-3)
    too_far = at_theta(fit.encoding, fit.design, [3e6, 3e5, 3e6])
    with pytest.raises(ModelError, match="CR2 has no correct digits here; use CR1 or CR3"):
        ClusterRobust().bind(too_far)
    np.testing.assert_allclose(ClusterRobust("CR3").bind(too_far).df(L), limit, rtol=0.2)


# ---- clusters ---


def test_clusters_by_default_are_the_outermost_factor() -> None:
    data = nested(np.random.default_rng(7), (6, 3), 3)
    m = interlace.lmer("y ~ x + (1 | a / b)", data)
    found = clusters(m.fit)
    assert (found.name, found.size) == ("a", 6)
    for given in ("a", data["a"], np.asarray(data["a"]), pd.Series(data["a"]).tolist()):
        pd.testing.assert_frame_equal(m.vcov("CR2", cluster=given), m.vcov("CR2"))


def test_clusters_coarser_than_the_groups() -> None:
    data = load_data("cake")
    m = interlace.lmer("angle ~ recipe + temperature + (1 | recipe:replicate)", data)
    assert clusters(m.fit).size == 45
    assert clusters(m.fit, data["replicate"]).size == 15
    assert clusters(m.fit, "replicate").size == 15  # a column that the model uses
    assert not np.allclose(m.vcov("CR2"), m.vcov("CR2", cluster="replicate"))


def test_clusters_of_the_rows_used() -> None:
    data = load_data("sleepstudy_na")
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", data)
    assert m.nobs < len(data)
    pd.testing.assert_frame_equal(m.vcov("CR2", cluster=data["Subject"]), m.vcov("CR2"))
    numbers = data["Subject"].cat.codes.to_numpy()
    pd.testing.assert_frame_equal(m.vcov("CR2", cluster=numbers), m.vcov("CR2"))
    used = data.dropna()["Subject"]
    pd.testing.assert_frame_equal(m.vcov("CR2", cluster=used), m.vcov("CR2"))


def test_clusters_that_are_refused(sleep: interlace.LinearMixedModel) -> None:
    data = load_data("sleepstudy")
    with pytest.raises(ModelError, match=r"'Subject' are not nested in the clusters \(Days\)"):
        sleep.vcov("CR2", cluster="Days")
    with pytest.raises(ModelError, match="not nested in the clusters"):
        sleep.vcov("CR2", cluster=np.arange(180) % 2)
    with pytest.raises(
        DataError,
        match=r"cluster 'school' is no column of the data; the data have the columns Reaction, Days",
    ):
        sleep.vcov("CR2", cluster="school")
    with pytest.raises(DataError, match="cluster has 3 values, not 180"):
        sleep.vcov("CR2", cluster=[1, 2, 3])
    with pytest.raises(DataError, match="cluster is missing in 10 of the rows used"):
        sleep.vcov("CR2", cluster=data["Subject"].cat.remove_categories(["308"]))
    with pytest.raises(DataError, match="two clusters or more; the given clusters has 1"):
        sleep.vcov("CR2", cluster=np.zeros(180, dtype=int))
    m = interlace.lmer("y ~ x + (1 | a) + (1 | b)", crossed(np.random.default_rng(8), 120))
    with pytest.raises(ModelError, match=r"the grouping factors . and . are crossed"):
        m.vcov("CR2")


def test_kinds_are_checked(sleep: interlace.LinearMixedModel) -> None:
    with pytest.raises(DataError, match="vcov 'HC3' is not known: choose from model, CR0"):
        sleep.vcov("HC3")
    with pytest.raises(DataError, match="the covariance of the model has no clusters"):
        sleep.vcov(cluster="Subject")
    with pytest.raises(DataError, match="robust covariance 'CR9' is not known"):
        ClusterRobust("CR9")


def test_cr3_without_a_cluster_that_is_needed() -> None:
    """A coefficient that only one cluster knows."""
    data = nested(np.random.default_rng(9), (6, 3), 3)
    data = {**data, "only": np.where(np.asarray(data["a"]) == np.asarray(data["a"])[0], data["x"], 0.0)}
    m = interlace.lmer("y ~ only + (1 | a)", data)
    with pytest.raises(ModelError, match="CR3 does not exist; use CR2"):
        m.vcov("CR3")
    assert np.isfinite(m.vcov("CR2").to_numpy()).all()


def test_choice_pickles() -> None:
    fit, _ = fit_of("oats")
    copy = pickle.loads(pickle.dumps(ClusterRobust("CR1", "Block")))
    np.testing.assert_array_equal(copy.bind(fit).vcov, ClusterRobust("CR1").bind(fit).vcov)
