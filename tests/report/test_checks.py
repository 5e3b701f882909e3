"""Checks beside R (checks.R), DHARMa's definitions, dense algebra, and planted faults."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import interlace
from dense_oracle import dense_z
from interlace import lmer
from interlace.datasets import load
from interlace.errors import DataError
from interlace.prediction.residuals import marginal_fitted
from interlace.report import check_tests
from interlace.report.added import added
from interlace.report.simulated import Simulated, monte_carlo
from reference_data import load_data

R = json.loads((Path(__file__).parent / "checks.json").read_text())
SLEEP = "Reaction ~ Days + (Days | Subject)"


def several() -> Any:
    return lmer("normexam ~ standLRT + schavg + sex + type + (1 | school)", load_data("Exam"))


def test_heteroscedasticity_and_normality_are_those_of_r() -> None:
    m = lmer(SLEEP, load("sleepstudy"))
    np.testing.assert_allclose(check_tests.breusch_pagan(m.fit)[1], R["heteroscedasticity_slope"], rtol=1e-4)
    np.testing.assert_allclose(
        check_tests.breusch_pagan(several().fit)[1], R["heteroscedasticity_several"], rtol=1e-4
    )
    table = m.check()
    line = table[(table["statistic"] == "W") & (table["about"] == "residuals")].iloc[0]
    np.testing.assert_allclose([line["value"], line["p"]], list(R["shapiro"].values()), rtol=1e-4)
    # with balanced data all levels have one variance, so that R's raw modes have the same W
    p = [table[table["about"] == f"{name}|Subject"]["p"].iloc[0] for name in ("Intercept", "Days")]
    np.testing.assert_allclose(p, R["normality_random"], rtol=1e-3)


def test_collinearity_is_that_of_performance() -> None:
    found, theirs = several().collinearity(), R["vif"]
    assert list(found.index) == theirs["Term"]
    for ours, name in (("vif", "VIF"), ("lower", "VIF_CI_low"), ("upper", "VIF_CI_high")):
        np.testing.assert_allclose(found[ours], theirs[name], rtol=1e-4, err_msg=name)
    assert lmer(SLEEP, load("sleepstudy")).collinearity().empty


def test_variances_of_levels_by_bartlett() -> None:
    m = lmer("Reaction ~ 1 + (1 | Subject)", load("sleepstudy"))
    found, _, _, df = check_tests.bartlett(m.fit, m.fit.design.random[0].codes)
    np.testing.assert_allclose(found, list(R["bartlett"].values()), rtol=1e-9)
    assert (df == 9).all()


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize("options", [{}, {"weights": "w", "reml": False}])
def test_a_column_more_by_dense_algebra(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    g, h = rng.integers(0, 12, 150), rng.integers(0, 7, 150)
    x = rng.normal(size=150)
    y = 1 + x + rng.normal(size=12)[g] + rng.normal(size=7)[h] + rng.normal(size=150)
    data = pd.DataFrame({"y": y, "x": x, "g": g, "h": h, "w": 1.0 + np.arange(150) % 3})
    m = lmer("y ~ x + (x | g) + (1 | h)", data, **options)
    w = data["w"].to_numpy() if options else np.ones(150)
    V = np.diag(1 / w)
    for i, (block, T) in enumerate(zip(m.fit.encoding.random, m.fit.solution.factors, strict=True)):
        Z = dense_z(m.fit.design, i, len(block.levels)) @ np.kron(np.eye(len(block.levels)), T)
        V = V + Z @ Z.T
    for z in (x**2, rng.normal(size=12)[g]):
        X = np.column_stack([np.ones(150), x, z])
        W = np.linalg.solve(V, X)
        beta = np.linalg.solve(X.T @ W, W.T @ y)
        r = y - X @ beta
        df = 150 - 3 if m.reml else 150 - 1
        scale = r @ np.linalg.solve(V, r) / df
        t = beta[2] / np.sqrt(scale * np.linalg.inv(X.T @ W)[2, 2])
        np.testing.assert_allclose(added(m.fit, z)[0], t, rtol=1e-7)
    assert added(m.fit, rng.normal(size=12)[g])[1] == 12 - 1 - 1
    assert np.isnan(added(m.fit, 3 * x - 1)[0]) and np.isnan(added(m.fit, np.ones(150))[0])


def test_places_are_dharmas() -> None:
    m = lmer(SLEEP, load("sleepstudy"))
    y = load("sleepstudy")["Reaction"].to_numpy()
    drawn = Simulated.of(m.fit, "new", 50, 3)
    np.testing.assert_allclose(drawn.places, (drawn.draws < y[:, None]).mean(axis=1))
    np.testing.assert_allclose(m.quantile_residuals("new", n=50, seed=3), drawn.places)
    assert drawn.uniformity()[0] == stats.kstest(drawn.places, "uniform").statistic
    beyond = int(((drawn.places == 0) | (drawn.places == 1)).sum())
    assert drawn.outliers() == (beyond, stats.binomtest(beyond, 180, 2 / 51).pvalue)
    spread = np.var(drawn.draws - m.predict(random="none").to_numpy()[:, None], axis=0)
    ratio = np.var(y - m.predict(random="none").to_numpy()) / spread.mean()
    np.testing.assert_allclose(drawn.dispersion(m.fit)[0], ratio, rtol=1e-9)
    inner = Simulated.of(m.fit, "conditional", 4000, 3).places
    np.testing.assert_allclose(inner, stats.norm.cdf(m.residuals("standardized")), atol=0.04)
    np.testing.assert_allclose(
        m.quantile_residuals("rotated"), stats.norm.cdf(m.residuals("marginal-cholesky"))
    )
    ties = Simulated(y[:2], np.repeat(y[:2, None], 9, axis=1), "new", np.zeros(2))
    assert ties.outliers()[0] == 0 and monte_carlo(0.0, np.zeros(99)) == 1.0


def test_rows_beyond_draws_that_others_have_made_wide_are_no_fault() -> None:
    y, draws = np.zeros(400), np.tile(np.linspace(-1.0, 1.0, 99), (400, 1))
    some = np.arange(400) >= 20
    inside = Simulated(y, draws, "new", y)
    assert inside.outliers()[1] == pytest.approx(2 * 0.98**400, rel=0.2)  # fewer than 8: two-sided
    assert inside.outliers_of(some) == (0, 1.0)
    outside = Simulated(np.where(np.arange(400) % 20 == 0, 2.0, 0.0), draws, "new", y)
    assert outside.outliers_of(some) == (19, pytest.approx(stats.binom.sf(18, 380, 0.02)))


def clean(rng: np.random.Generator, groups: int = 40, size: int = 12) -> pd.DataFrame:
    g = np.repeat(np.arange(groups), size)
    x, z = rng.normal(size=(2, len(g)))
    b = rng.multivariate_normal([0, 0], [[1.0, 0.2], [0.2, 0.4]], groups)
    y = 2 + x + 0.5 * z + b[g, 0] + b[g, 1] * x + rng.normal(size=len(g))
    return pd.DataFrame(
        {"y": y, "x": x, "z": z, "g": [f"s{i:02d}" for i in g], "t": np.tile(np.arange(size), groups)}
    )


def looked(data: pd.DataFrame, alpha: float = 0.001, draws: int = 99) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        table = pd.DataFrame(lmer("y ~ x + z + (x | g)", data).check(order="t", alpha=alpha, n=draws))
    return table[table["verdict"] == "look"]


def names(found: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(found.index, found["about"], strict=True))


def test_nothing_is_found_where_nothing_is() -> None:
    assert looked(clean(np.random.default_rng(11))).empty


def test_each_planted_fault_is_found_by_name() -> None:
    base = clean(np.random.default_rng(11))
    level = base.assign(y=base["y"] + 9.0 * (base["g"] == "s07"))
    found = looked(level)
    assert ("outlying levels", "g") in names(found)
    assert (
        "s07" in found.loc["outlying levels", "reading"]
        and "s08" not in found.loc["outlying levels", "reading"]
    )

    row = base.copy()
    row.loc[100, "y"] += 9.0
    found = looked(row)
    assert ("outlying rows", "residuals") in names(found) and "rows 100," in found.loc[
        "outlying rows", "reading"
    ]
    assert not {"linearity", "heterogeneity bias", "outlying levels", "autocorrelation"} & set(found.index)

    rng = np.random.default_rng(5)
    wild = base["g"] == "s21"
    tails = base.assign(y=base["y"] + np.where(wild, 4.0 * rng.standard_t(3, len(base)), 0.0))
    found = looked(tails)
    assert ("heteroscedasticity", "g") in names(found)
    assert found.loc[["heteroscedasticity"]]["reading"].str.contains("s21").any()

    found = looked(base.assign(y=base["y"] + 0.4 * base["z"] ** 2))
    assert names(found) >= {("linearity", "z")} and ("linearity", "x") not in names(found)

    noise = rng.normal(size=len(base))
    found = looked(base.assign(y=base["y"] + noise * np.exp(0.7 * base["x"])))
    assert ("heteroscedasticity", "fitted values") in names(found)

    shift = base.groupby("g")["z"].transform("mean")
    between = base.assign(z=base["z"] + np.repeat(rng.normal(size=40), 12), y=base["y"])
    shift = between.groupby("g")["z"].transform("mean")
    found = looked(between.assign(y=between["y"] + 0.5 * (between["z"] - base["z"]) + 1.5 * shift))
    assert ("heterogeneity bias", "z within g") in names(found)

    e = rng.normal(size=(40, 12))
    for t in range(1, 12):
        e[:, t] = 0.6 * e[:, t - 1] + 0.8 * e[:, t]
    found = looked(base.assign(y=base["y"] + 2 * e.ravel()))
    assert ("autocorrelation", "t") in names(found)

    near = base.assign(z=base["x"] + 0.05 * base["z"])
    assert {("collinearity", "x"), ("collinearity", "z")} <= names(looked(near))


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_one_fault_is_all_that_is_found(seed: int) -> None:
    """What it does to other lines is said there, as such."""
    base = clean(np.random.default_rng(seed))
    level = base.assign(y=base["y"] + 10.0 * (base["g"] == "s07"))
    row = base.assign(y=base["y"] + 10.0 * (np.arange(len(base)) == 100))
    wild = np.where(base["g"] == "s21", 5.0 * np.random.default_rng(seed).standard_t(3, len(base)), 0.0)
    tails = base.assign(y=base["y"] + wild)
    expected = {("outlying levels", "g"): level, ("outlying rows", "residuals"): row}
    for name, data in expected.items():
        assert names(looked(data)) == {name}
    found = looked(tails)
    assert names(found) - {("uniformity", "rotated quantile residuals")} == {("heteroscedasticity", "g")}
    assert found.loc["heteroscedasticity", "reading"] == "levels differ in variance: s21"


def test_what_other_lines_name_is_said_as_such() -> None:
    base = clean(np.random.default_rng(11))
    row = base.assign(y=base["y"] + 10.0 * (np.arange(len(base)) == 100))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        table = pd.DataFrame(lmer("y ~ x + z + (x | g)", row).check(alpha=0.001, n=99))
    line = table[(table.index == "normality") & (table["about"] == "residuals")].iloc[0]
    assert line["verdict"] == "see" and line["reading"].endswith("comes from the outlying rows alone")
    assert line["p"] < 0.001


@pytest.mark.parametrize(
    ("formula", "group"),
    [("y ~ x + (1 | g/c)", "g"), ("y ~ 1 + (x | g)", "g"), ("y ~ x + (1 | g) + (1 | h)", "g")],
)
def test_random_effects_within_levels_are_no_variance(formula: str, group: str) -> None:
    """Of other factors, and of columns that the fixed part lacks: Bartlett's p is about uniform."""
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        g, c = np.repeat(np.arange(20), 24), np.tile(np.repeat(np.arange(4), 6), 20)
        h, x = (g + c) % 7, rng.normal(size=480)
        inner = rng.normal(size=80)[4 * g + c] if "g/c" in formula else rng.normal(size=7)[h]
        y = (
            x
            + inner * ("g)" not in formula or "h" in formula)
            + rng.normal(size=20)[g]
            + rng.normal(size=480)
        )
        if "(x" in formula:
            y = y + 2 * rng.normal(size=20)[g] * x
        data = pd.DataFrame({"y": y, "x": x, "g": g, "c": c, "h": h})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", interlace.InterlaceWarning)
            fit = lmer(formula, data).fit
        codes = next(
            r.codes
            for r, block in zip(fit.design.random, fit.encoding.random, strict=True)
            if block.group == group
        )
        p.append(check_tests.bartlett(fit, codes)[0][1])
    assert np.mean(np.array(p) < 0.05) <= 0.13 and stats.kstest(p, "uniform").pvalue > 0.001


def test_all_faults_in_one_table() -> None:
    """Each is named, and no level, row, covariate or term that has none."""
    rng = np.random.default_rng(3)
    data = clean(rng, groups=60, size=20)
    y = data["y"] + 10.0 * (data["g"] == "s07") + 0.5 * data["z"] ** 2
    y = y + np.where(data["g"] == "s21", 5.0 * rng.standard_t(3, len(data)), 0.0)
    y = y + rng.normal(size=len(data)) * np.exp(0.8 * data["x"]) * 0.7
    y[333] += 25.0
    found = looked(data.assign(y=y))
    assert "s07" in found.loc["outlying levels", "reading"]
    assert "333" in found.loc["outlying rows", "reading"]
    assert ("linearity", "z") in names(found) and ("linearity", "x") not in names(found)
    spread = found.loc[["heteroscedasticity"]].set_index("about")["reading"]
    assert "s21" in spread["g"] and "fitted values" in spread.index
    assert not {"collinearity", "heterogeneity bias", "autocorrelation", "random part"} & set(found.index)


@pytest.mark.slow
def test_false_alarms_are_as_many_as_claimed() -> None:
    """200 clean tables at alpha = 0.05: no check alarms more often, those with exact laws about as often."""
    alarms: dict[tuple[str, str], int] = {}
    for seed in range(200):
        for name in names(looked(clean(np.random.default_rng(1000 + seed), groups=30, size=8), alpha=0.05)):
            alarms[name] = alarms.get(name, 0) + 1
    limit = 200 * 0.05 + 3 * np.sqrt(200 * 0.05 * 0.95)
    assert {name: count for name, count in alarms.items() if count > limit and name[0] != "random part"} == {}
    exact = [("autocorrelation", "t"), ("linearity", "z"), ("heterogeneity bias", "z within g"),
             ("heteroscedasticity", "g")]  # fmt: skip
    for name in exact:
        assert alarms.get(name, 0) >= 2, name


@pytest.mark.slow
def test_the_test_of_quantiles_alarms_as_often_as_claimed_and_finds_faults() -> None:
    """300 clean tables with slopes and crossed factors, and as many faults of two kinds."""
    p: dict[str, list[float]] = {"clean": [], "curved": [], "spread": []}
    for seed in range(300):
        rng = np.random.default_rng(3000 + seed)
        data = clean(rng, groups=40, size=12).assign(h=rng.integers(0, 15, 480))
        y = data["y"] + 0.7 * rng.normal(size=15)[data["h"]]
        eta = data["x"] + 0.5 * data["z"]
        faulty = {
            "clean": y,
            "curved": y + 0.5 * (eta**2 - 1.25),
            "spread": y + rng.normal(size=480) * np.exp(eta),
        }
        for name, response in faulty.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", interlace.InterlaceWarning)
                fit = lmer("y ~ x + z + (x | g) + (1 | h)", data.assign(y=response)).fit
            p[name].append(Simulated.of(fit, "rotated", 1, 1).quantiles(marginal_fitted(fit))[1])
    for alpha in (0.01, 0.05, 0.2):
        alarms, error = np.mean(np.array(p["clean"]) < alpha), np.sqrt(alpha * (1 - alpha) / 300)
        assert abs(alarms - alpha) < 3.3 * error, (alpha, alarms)
    assert np.mean(np.array(p["curved"]) < 0.01) > 0.8
    assert np.mean(np.array(p["spread"]) < 0.01) > 0.9


def test_lines_that_cannot_be_tested_say_so() -> None:
    data = pd.DataFrame({"y": [1.0, 2.0, 4.0, 3.0, 5.0, 4.5, 2.0, 1.5], "g": list("aabbccdd")})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        table = lmer("y ~ 1 + (1 | g)", data).check()
    line = table.loc["autocorrelation"]
    assert line["verdict"] == "-" and "order=" in line["reading"]
    spread = table[(table.index == "heteroscedasticity") & (table["about"] == "g")].iloc[0]
    assert spread["verdict"] == "-" and "not tested" in spread["reading"]


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_a_term_without_variance_is_named() -> None:
    data = pd.DataFrame({"y": np.tile([1.0, 2.0, 4.0, 3.1], 6), "g": np.repeat(np.arange(6), 4)})
    table = lmer("y ~ 1 + (1 | g)", data).check()
    assert (
        table.loc["random part", "verdict"] == "look" and "no variance" in table.loc["random part", "reading"]
    )


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_crossed_weighted_and_large_models_are_checked() -> None:
    from made_data import crossed

    data = pd.DataFrame(crossed(np.random.default_rng(4), n=240)).assign(w=1.0 + np.arange(240) % 4)
    table = lmer("y ~ x * z + f + (x | a) + (1 | b)", data, weights="w").check()
    assert {"g", "a", "b"} & set(table["about"]) == {"a", "b"} and table["reading"].str.len().min() > 0


def test_what_is_refused() -> None:
    m = lmer(SLEEP, load("sleepstudy"))
    with pytest.raises(DataError, match="alpha must lie between 0 and 1"):
        m.check(alpha=5)
    with pytest.raises(DataError, match="no column of the data"):
        m.check(order="Day")
    with pytest.raises(DataError, match="kind 'old' is not known"):
        m.quantile_residuals("old")
    with pytest.raises(DataError, match="n must be a positive whole number"):
        m.quantile_residuals(n=0)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_models_without_fixed_part_have_a_page() -> None:
    import matplotlib

    matplotlib.use("agg")
    m = lmer("Reaction ~ 0 + (1 | Subject)", load("sleepstudy"))
    page = m.plot.check()
    assert page[4].get_title(loc="left") == "no deletion moves a coefficient"
    with pytest.raises(DataError, match="is known of no deletion"):
        m.plot.influence("Subject")


def test_options_of_checks_are_refused_by_name() -> None:
    m = lmer(SLEEP, load("sleepstudy"))
    with pytest.raises(DataError, match="level must be between 0 and 1"):
        m.collinearity(level=1.5)
    with pytest.raises(DataError, match="order has 2 values"):
        m.check(order=[1, 2])
    with pytest.raises(DataError, match="order 'Day' is no column"):
        m.check(order="Day")
    with pytest.raises(DataError, match="critical must be a positive number, not -1"):
        m.dfbetas("Subject", critical=-1)
