"""Covariance structures as a user meets them: formulas, errors, limits, tests, tables, new data."""

from __future__ import annotations

import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import interlace
from dense_oracle import dense_z
from interlace import lmer
from interlace.design.encoding import Encoding
from interlace.errors import DataError, FormulaError, IdentificationWarning, InterlaceError, ModelError
from interlace.estimation import fit as fitting
from interlace.formula import parse
from interlace.variances.varcorr import components

HERE = Path(__file__).parent


@cache
def data() -> pd.DataFrame:
    return pd.read_csv(HERE / "structures.csv", dtype={"t": str})


def response(kind: str) -> pd.DataFrame:
    """Other responses for the same rows, made where a structure ends."""
    d, rng = data(), np.random.default_rng(7)
    group = d["g"].str[1:].astype(int).to_numpy()
    noise = rng.normal(size=len(d))
    for cells in (["g", "f"], ["g", "t"], ["g"]):  # less between cells than noise has by itself
        noise -= 0.9 * pd.Series(noise).groupby([d[c].to_numpy() for c in cells]).transform("mean").to_numpy()
    if kind == "intercepts":
        return d.assign(y=2 * rng.normal(size=24)[group] + noise)
    effects = rng.normal(size=(24, 3))
    effects -= effects.mean(axis=1, keepdims=True)  # a sum of zero: the lower limit of cs
    return d.assign(y=2 * effects[group, d["f"].map({"a": 0, "b": 1, "c": 2})] + noise)


# ---- formulas ---


@pytest.mark.parametrize(
    ("text", "covariance", "canonical"),
    [
        ("us(x | g)", "unstructured", "(1 + x | g)"),
        ("diag(x | g)", "diag", "diag(1 + x | g)"),
        ("diag(0 + f | g, hom = TRUE)", "homdiag", "diag(0 + f | g, hom=True)"),
        ("homdiag(0 + f | g)", "homdiag", "diag(0 + f | g, hom=True)"),
        ("cs (x | g)", "cs", "cs(1 + x | g)"),
        ("cs(x | g, hom=False)", "cs", "cs(1 + x | g)"),
        ("homcs(x | g)", "homcs", "cs(1 + x | g, hom=True)"),
        ("ar1(0 + t | g)", "ar1", "ar1(0 + t | g)"),
        ("ar1(t - 1 | g:h, hom = FALSE)", "hetar1", "ar1(0 + t | g:h, hom=False)"),
        ("hetar1(0 + factor(t) | g)", "hetar1", "ar1(0 + factor(t) | g, hom=False)"),
    ],
)
def test_structures_are_read_and_written(text: str, covariance: str, canonical: str) -> None:
    formula = parse(f"y ~ x + {text}")
    assert formula.random[0].covariance == covariance
    assert str(formula.random[0]) == canonical
    assert parse(str(formula)) == formula


def test_nesting_gives_each_factor_the_structure() -> None:
    kinds = [(term.group, term.covariance) for term in parse("y ~ diag(x | g/h)").random]
    assert kinds == [("g", "diag"), ("g:h", "diag")]


def test_cs_is_still_a_spline_where_there_is_no_bar() -> None:
    formula = parse("y ~ cs(x, df=4) + cs(x | g)")
    assert len(formula.fixed.items) == 1 and len(formula.random) == 1


@pytest.mark.parametrize(
    ("text", "words", "rest"),
    [
        ("ar1(t | g)", "write ar1(0 + t | ...)", "ar1(t | g)"),
        ("ar1(0 + t + f | g)", "one factor", "ar1(0 + t + f | g)"),
        ("cs(1 | g)", "a correlation needs two", "cs(1 | g)"),
        ("cs(x | g, homo = TRUE)", "did you mean hom?", "TRUE)"),
        ("cs(x | g, hom = 1)", "hom must be TRUE or FALSE, not 1", "1)"),
        ("cs(x | g, hom = NULL)", "hom must be TRUE or FALSE", "NULL)"),
        ("cs(x | g, TRUE)", "one argument, (columns | grouping)", "TRUE)"),
        ("cs(x | g, hom = TRUE, hom = TRUE)", "twice", "TRUE, hom = TRUE)"),
        ("us(x | g, hom = TRUE)", "has no options", "TRUE)"),
        ("homcs(x | g, hom = TRUE)", "has no options", "TRUE)"),
        ("cs(x || g)", "write one bar", "|| g)"),
        ("cs(x | g | h)", "one bar", "| h)"),
        ("AR1(0 + t | g)", "did you mean ar1(0 + t | g)?", "AR1(0 + t | g)"),
        ("csh(x | g)", "did you mean cs(0 + f | g)?", "csh(x | g)"),
        ("unstructured(x | g)", "did you mean us(x | g)?", "unstructured(x | g)"),
        ("pdIdent(x | g)", "did you mean diag(0 + f | g, hom = TRUE)?", "pdIdent(x | g)"),
        ("dieg(x | g)", "did you mean diag(x | g)?", "dieg(x | g)"),
        ("toep(0 + t | g)", "is not there; there are us", "toep(0 + t | g)"),
        ("x:cs(x | g)", "cannot stand inside another term", "| g)"),
    ],
)
def test_wrong_spellings_are_answered(text: str, words: str, rest: str) -> None:
    formula = f"y ~ x + {text}"
    with pytest.raises(FormulaError) as caught:
        parse(formula)
    assert words in caught.value.message
    assert caught.value.position is not None
    assert formula[caught.value.position :] == rest


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("y ~ x + ar1(0 + x | g)", "'x' holds numbers: write ar1(0 + factor(x) | g)"),
        ("y ~ x + cs(0 + x | g)", "a correlation needs two: write (0 + x | g)"),
        ("y ~ x + ar1(0 + s | g)", "has no rows, so that it is not known"),
    ],
)
def test_columns_that_a_structure_has_no_meaning_for(formula: str, words: str) -> None:
    rows = data()[data()["t"] != "3"]
    s = pd.Categorical(rows["t"], categories=list("12345"))
    with pytest.raises(DataError) as caught:
        lmer(formula, rows.assign(s=s))
    assert words in str(caught.value)


def test_categories_without_rows_at_the_ends_are_no_steps() -> None:
    rows = data()
    s = pd.Categorical(rows["t"], categories=list("0123456"))
    f = lmer("y ~ x + ar1(0 + s | g)", rows.assign(s=s))
    np.testing.assert_allclose(f.loglik, lmer("y ~ x + ar1(0 + t | g)", rows).loglik, atol=1e-9)


def test_levels_are_taken_in_their_order() -> None:
    """Not in that of the alphabet, and not in that of the rows."""
    names = {"1": "e", "2": "b", "3": "d", "4": "a", "5": "c"}
    s = pd.Categorical(data()["t"].map(names), categories=list("ebdac"))
    there = lmer("y ~ x + ar1(0 + s | g)", data().assign(s=s)).loglik
    np.testing.assert_allclose(there, lmer("y ~ x + ar1(0 + t | g)", data()).loglik, atol=1e-9)
    assert there > lmer("y ~ x + ar1(0 + s | g)", data().assign(s=s.astype(str))).loglik + 1.0
    as_integers = data().assign(s=data()["t"].astype(int))
    ours = lmer("y ~ x + ar1(0 + factor(s) | g)", as_integers.iloc[::-1]).loglik
    np.testing.assert_allclose(ours, there, atol=1e-9)


# ---- one model, several spellings ---


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cs(1 + x | g)", "(1 + x | g)"),
        ("us(1 + x | g)", "(1 + x | g)"),
        ("diag(1 + x | g)", "(1 + x || g)"),
        ("ar1(0 + h2 | g)", "cs(0 + h2 | g, hom = TRUE)"),
        ("diag(0 + f | g)", "(0 + dummy(f, 'a') | g) + (0 + dummy(f, 'b') | g) + (0 + dummy(f, 'c') | g)"),
    ],
)
@pytest.mark.parametrize("reml", [True, False])
def test_models_that_are_the_same(one: str, other: str, reml: bool) -> None:
    d = data().assign(h2=np.where(data()["t"] < "3", "a", "b"))
    a, b = (lmer(f"y ~ x + f + {term}", d, reml=reml) for term in (one, other))
    np.testing.assert_allclose(a.loglik, b.loglik, rtol=0, atol=1e-8)
    assert a.df_resid == b.df_resid
    np.testing.assert_allclose(a.fixef, b.fixef, rtol=1e-5)
    np.testing.assert_allclose(a.coef_table()["df"], b.coef_table()["df"], rtol=1e-3)
    np.testing.assert_allclose(a.predict(d.iloc[:5]), b.predict(d.iloc[:5]), rtol=1e-4)


def test_units_and_origins_of_columns_do_not_matter_to_unequal_variances() -> None:
    a = lmer("y ~ x + cs(0 + x + z | g)", data())
    scaled = data().assign(x=1e4 * data()["x"], z=data()["z"] / 1e4)
    b = lmer("y ~ x + cs(0 + x + z | g)", scaled)
    np.testing.assert_allclose(a.loglik - b.loglik, np.log(1e4), atol=1e-7)  # REML: of the scale of x
    np.testing.assert_allclose(components(a.fit)[0].rho, components(b.fit)[0].rho, atol=1e-5)


# ---- limits ---


@pytest.mark.parametrize("term", ["cs(0 + f | g, hom = TRUE)", "ar1(0 + t | g)"])
def test_a_correlation_of_one_is_a_random_intercept(term: str) -> None:
    d = response("intercepts")
    a, b = lmer(f"y ~ x + {term}", d), lmer("y ~ x + (1 | g)", d)
    np.testing.assert_allclose(a.loglik, b.loglik, rtol=0, atol=1e-8)
    assert a.is_singular and components(a.fit)[0].rho == pytest.approx(1.0)
    assert "correlation 1" in str(a.convergence)
    np.testing.assert_allclose(a.coef_table()["se"], b.coef_table()["se"], rtol=1e-5)
    assert np.isfinite(a.coef_table(ddf="kenward-roger")["df"]).all()
    assert a.varcorr(se=True)["corr_se"].isna().all()


def test_compound_symmetry_goes_to_its_lower_limit() -> None:
    a = lmer("y ~ x + cs(0 + f | g, hom = TRUE)", response("sums"))
    c = components(a.fit)[0]
    assert a.is_singular and c.rho == pytest.approx(-0.5)
    assert a.loglik > lmer("y ~ x + (1 | g) + (1 | g:f)", response("sums")).loglik + 1.0
    np.testing.assert_allclose(a.ranef()["g"].sum(axis=1), 0.0, atol=1e-6)


@pytest.mark.parametrize(
    "term", ["diag(0 + f | g, hom = TRUE)", "cs(0 + t | g, hom = TRUE)", "ar1(0 + t | g)"]
)
def test_a_variance_of_zero(term: str) -> None:
    """Less than the residuals vary: the linear model."""
    d, rng = data(), np.random.default_rng(3)
    y = rng.normal(size=len(d))
    cell = d["g"] + d["t"] + d["f"]
    y -= 0.9 * pd.Series(y).groupby(cell.to_numpy()).transform("mean").to_numpy()
    y -= pd.Series(y).groupby(d["g"].to_numpy()).transform("mean").to_numpy()
    m = lmer(f"y ~ x + {term}", d.assign(y=y))
    assert m.is_singular
    value = m.fit.criterion.value(np.where(m.fit.criterion.parameters.even, 0.0, m.fit.optimum.par))
    assert m.fit.optimum.value <= value + 1e-8
    assert str(m.summary())


def test_effects_in_place_of_the_residuals_are_refused() -> None:
    d = data().drop_duplicates(["g", "t"])
    with pytest.raises(ModelError, match="can stand in for every residual"):
        lmer("y ~ x + cs(0 + t | g, hom = TRUE)", d)
    rng, effects = np.random.default_rng(0), np.zeros((30, 6))
    effects[:, 0] = rng.normal(size=30)
    for j in range(1, 6):
        effects[:, j] = 0.6 * effects[:, j - 1] + 0.8 * rng.normal(size=30)
    g, t = (np.ravel(v).astype(str) for v in np.indices((30, 6)))
    with pytest.raises(ModelError, match="residual variance is zero"):
        lmer("y ~ 1 + ar1(0 + t | g)", {"y": effects.ravel(), "g": g, "t": t})


def test_what_the_data_cannot_tell_of_a_structure() -> None:
    """A term in the span of X, and an intercept that compound symmetry has already."""
    d = data()
    for formula in ("y ~ g + diag(1 + x | g)", "y ~ x + cs(0 + f | g, hom = TRUE) + (1 | g)"):
        with pytest.warns(IdentificationWarning, match="cannot tell"):
            m = lmer(formula, d)
        assert m.varcorr()["sd"].isna().any() and m.fit.optimum.converged
    with pytest.warns(IdentificationWarning, match="the fixed effects take up all"):
        lost = lmer("y ~ g * f + cs(0 + f | g)", d)
    linear = lmer("y ~ g * f + (1 | h)", d).fit
    assert lost.fit.optimum.converged and lost.varcorr()["sd"].iloc[:-1].isna().all()
    theta = np.zeros(1)
    np.testing.assert_allclose(
        lost.fit.optimum.value, fitting.deviance_at(linear, theta, reml=True), rtol=1e-9
    )


def test_far_origins_of_two_correlated_effects() -> None:
    d = data().assign(x=1e5 + data()["x"])
    far = lmer("y ~ x + cs(x | g)", d)
    np.testing.assert_allclose(far.loglik, lmer("y ~ x + (x | g)", data()).loglik, atol=1e-5)


@pytest.mark.parametrize("term", ["cs(0 + f | g)", "ar1(0 + t | g)"])
def test_a_structure_beside_a_known_covariance_of_levels(term: str) -> None:
    """Effects of related levels: against the density written out."""
    levels = sorted(data()["g"].unique())
    A = np.random.default_rng(1).normal(size=(24, 40))
    K = pd.DataFrame(A @ A.T / 40 + 0.3 * np.eye(24), index=levels, columns=levels)
    m = lmer(f"y ~ x + {term}", data(), known={"g": K}, reml=False)
    Z, G = dense_z(m.fit.design, 0, 24), components(m.fit)[0].covariance
    V = Z @ np.kron(K.to_numpy(), G) @ Z.T + m.sigma**2 * np.eye(m.nobs)
    r = data()["y"].to_numpy() - m.fit.design.X @ m.fixef.to_numpy()
    value = np.linalg.slogdet(V)[1] + r @ np.linalg.solve(V, r) + m.nobs * np.log(2 * np.pi)
    np.testing.assert_allclose(-2 * m.loglik, value, rtol=1e-9)
    c, h = m.fit.criterion, 1e-5
    par = m.fit.optimum.par + 0.1
    slope = [(c.value(par + h * e) - c.value(par - h * e)) / (2 * h) for e in np.eye(c.n_par)]
    np.testing.assert_allclose(c.gradient(par), slope, rtol=1e-5, atol=1e-4)


# ---- tests, tables, new data ---


def test_parameters_are_counted_by_the_structure() -> None:
    counted = {
        "us(0 + t | g)": 15,
        "diag(0 + t | g)": 5,
        "diag(0 + t | g, hom = TRUE)": 1,
        "cs(0 + t | g)": 6,
        "ar1(0 + t | g)": 2,
    }
    for term, n in counted.items():
        m = lmer(f"y ~ x + {term}", data())
        assert m.df_resid == m.nobs - 2 - n - 1
        np.testing.assert_allclose(m.aic, -2 * m.loglik + 2 * (2 + n + 1), rtol=1e-12)


def test_compare_counts_them_too() -> None:
    models = [lmer(f"y ~ x + {term}", data()) for term in ("ar1(0 + t | g)", "us(0 + t | g)")]
    table = interlace.compare(*models)
    assert table["npar"].tolist() == [5, 18] and table["df"].tolist()[1] == 13
    assert (table["chisq"].iloc[1] > 0) and 0 < table["p"].iloc[1] < 1


def test_ranova_drops_the_correlation_and_the_term() -> None:
    m = lmer("y ~ x + ar1(0 + t | g) + (1 | h)", data())
    table = m.ranova()
    assert table.index.tolist() == [
        "<none>",
        "correlation in ar1(0 + t | g)",
        "ar1(0 + t | g)",
        "(1 | h)",
    ]
    assert table["df"].tolist()[1:] == [1, 2, 1]
    independent = lmer("y ~ x + diag(0 + t | g, hom = TRUE) + (1 | h)", data())
    np.testing.assert_allclose(table["loglik"].iloc[1], independent.loglik, atol=1e-7)
    assert np.isnan(table["p_mixture"].iloc[1]) and np.isfinite(table["p_mixture"].iloc[3])
    assert m.ranova(drop="terms").index.tolist() == ["<none>", "ar1(0 + t | g)", "(1 | h)"]


def test_ranova_of_independent_effects() -> None:
    table = lmer("y ~ x + diag(1 + x + z | g)", data()).ranova()
    assert table.index.tolist() == ["<none>", "x in diag(x + z | g)", "z in diag(x + z | g)"]
    np.testing.assert_allclose(
        table["loglik"].iloc[1], lmer("y ~ x + diag(1 + z | g)", data()).loglik, atol=1e-7
    )
    whole = lmer("y ~ x + diag(0 + f | g)", data()).ranova()
    assert whole.index.tolist() == ["<none>", "diag(0 + f | g)"] and whole["df"].iloc[1] == 3
    shared = lmer("y ~ x + diag(0 + f | g, hom = TRUE)", data()).ranova()
    assert shared["df"].iloc[1] == 1 and np.isfinite(shared["p_mixture"].iloc[1])


def test_ranova_says_what_has_no_test() -> None:
    d = data().drop_duplicates(["g", "t"])
    table = lmer("y ~ x + ar1(0 + t | g)", d).ranova()
    assert table.index.tolist() == ["<none>", "ar1(0 + t | g)"]
    assert "correlation in ar1(0 + t | g) has no test of its own" in table.attrs["note"]


def test_the_frame_of_components_and_the_print() -> None:
    m = lmer("y ~ x + ar1(0 + t | g) + diag(0 + f | h)", data())
    table = m.varcorr()
    g, h = table[table["group"] == "g"], table[table["group"] == "h"]
    assert len(g) == 15 and len(h) == 3 and h["term2"].isna().all()
    rho = g["corr"].iloc[5]
    np.testing.assert_allclose(g["corr"].iloc[6], rho**2, rtol=1e-10)
    assert m.varcorr(se=True).shape == (19, 9)
    line = next(line for line in str(m).splitlines() if "t[1] ... t[5]" in line)
    assert line.split()[-2:] == [f"{rho:.2f}", "(ar1)"]
    assert float(line.split()[-3]) == pytest.approx(g["sd"].iloc[0], abs=1e-4)
    assert "(ar1)" in m.summary()._repr_html_()


def test_new_data_simulation_refit_and_pickles() -> None:
    m = lmer("y ~ x + ar1(0 + t | g)", data())
    np.testing.assert_allclose(m.predict(data()), m.fitted, rtol=1e-10)
    new = data().iloc[:2].assign(g="somebody")
    fixed = m.fixef["Intercept"] + m.fixef["x"] * new["x"]
    np.testing.assert_allclose(m.predict(new, new_levels="population"), fixed, rtol=1e-10)
    again = pickle.loads(pickle.dumps(m))
    assert again.loglik == m.loglik and again.predict(data()).tolist() == m.predict(data()).tolist()
    np.testing.assert_allclose(m.refit(data()["y"]).loglik, m.loglik, atol=1e-7)
    np.testing.assert_allclose(m.refit(reml=False).loglik, lmer(m.formula, data(), reml=False).loglik)
    drawn = np.asarray(m.simulate(400, seed=1))
    rows = np.flatnonzero(data()["g"] == "g00")[:8]
    t = data()["t"].to_numpy()[rows].astype(int)
    c = components(m.fit)[0]
    assert c.rho is not None
    expected = c.sd[0] ** 2 * c.rho ** np.abs(np.subtract.outer(t, t)) + m.sigma**2 * np.eye(8)
    np.testing.assert_allclose(np.cov(drawn[rows]), expected, atol=0.45)


def test_parts_of_a_structured_term_are_predicted_by_their_columns() -> None:
    m = lmer("y ~ x + ar1(0 + t | g) + (1 | h)", data())
    one = m.predict(data().iloc[:3], random="ar1(0 + t | g)")
    np.testing.assert_array_equal(one, m.predict(data().iloc[:3], random="(0 + t | g)"))
    both = m.predict(data().iloc[:3], random="all")
    assert not np.allclose(one, both)


# ---- other minima ---


# At the first ones the search from the moments ends elsewhere.
ELSEWHERE = (10, 45, 66, 109, 120, 682)
SLOW = (seed for seed in range(200) if seed not in ELSEWHERE)
SEEDS = [*ELSEWHERE, *(pytest.param(seed, marks=pytest.mark.slow) for seed in SLOW)]


@pytest.mark.parametrize("seed", SEEDS)
def test_no_start_finds_a_lower_minimum(seed: int) -> None:
    kinds = ("ar1(0 + f | g)", "ar1(0 + f | g, hom = FALSE)", "cs(0 + f | g)", "cs(0 + f | g, hom = TRUE)")
    kinds += ("diag(0 + f | g)", "cs(x + z | g)", "ar1(0 + f | g) + (1 | g)", "ar1(0 + f | g) + (1 | h)")
    rng = np.random.default_rng([seed, 5])
    levels, k, n = (int(rng.integers(*limits)) for limits in ((5, 16), (2, 6), (40, 150)))
    g, f, h = rng.integers(0, levels, n), rng.integers(0, k, n), rng.integers(0, 6, n)
    f[:k] = range(k)
    x, z = rng.normal(size=(2, n))
    rho = rng.choice([-0.9, -0.4, 0.0, 0.5, 0.95])
    S = rho ** np.abs(np.subtract.outer(range(k), range(k)))
    b = rng.choice([0.0, 0.3, 1.0, 5.0]) * rng.normal(size=(levels, k)) @ np.linalg.cholesky(S).T
    y = b[g, f] + rng.choice([0, 1]) * rng.normal(size=levels)[g] * x + rng.normal(size=n)
    d = {"y": y, "x": x, "z": z} | {c: [f"{c}{i}" for i in v] for c, v in (("g", g), ("f", f), ("h", h))}
    formula = f"y ~ {['1', 'x', 'f'][seed % 3]} + {kinds[seed % len(kinds)]}"
    try:
        m = fitting.fit(*Encoding.learn(formula, d), reml=bool(seed % 2))
    except InterlaceError:
        return
    natural = m.criterion.parameters.in_natural_basis()
    compiled, best = m.criterion.with_parameters(natural).kernel(), np.inf
    for _ in range(20):
        sizes, angles = 10 ** rng.uniform(-1.5, 1.5, natural.n_par), rng.uniform(-1.57, 1.57, natural.n_par)
        try:
            best = min(best, compiled.minimise(np.where(natural.even, sizes, angles), 1e-10, 400)["value"])
        except ArithmeticError:
            continue
    assert m.optimum.value < best + 1e-4
