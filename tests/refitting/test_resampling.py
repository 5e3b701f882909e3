"""The kinds of the bootstrap beside their definitions, written out densely, and what its intervals are."""

from __future__ import annotations

import pickle
import threading
from statistics import NormalDist
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from threadpoolctl import threadpool_info

from interlace import lmer
from interlace.datasets import load
from interlace.errors import DataError, ModelError
from interlace.pictures.curves import density
from interlace.refitting.bootstrap_ends import acceleration
from interlace.refitting.cases import Cases
from interlace.refitting.parallel import generator_of
from interlace.refitting.resampling import Blocks, Residuals, Wild, spread
from interlace.variances.natural import parameter_limits, parameter_names
from made_data import crossed

KINDS = ("parametric", "residual", "case", "reb0", "reb1", "reb2", "wild")


@pytest.fixture(scope="module")
def sleep() -> Any:
    return lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))


@pytest.fixture(scope="module")
def pastes() -> Any:
    return lmer("strength ~ 1 + (1 | batch) + (1 | batch:cask)", load("pastes"))


def dense(m: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, X and Z of the sleep study, the effects of a subject side by side."""
    s = load("sleepstudy")
    days, subject = s["Days"].to_numpy(float), s["Subject"].astype(str).to_numpy()
    Z = np.zeros((180, 36))
    for j, one in enumerate(np.unique(subject)):
        Z[subject == one, 2 * j], Z[subject == one, 2 * j + 1] = 1.0, days[subject == one]
    return s["Reaction"].to_numpy(), np.column_stack([np.ones(180), days]), Z


def test_blocks_are_least_squares_within_levels(sleep: Any) -> None:
    """lmeresampler: b = (Z'Z)^-1 Z'r, e = r - Z b."""
    y, X, Z = dense(sleep)
    r = y - X @ sleep.fixef.to_numpy()
    b = np.linalg.solve(Z.T @ Z, Z.T @ r)
    found = Blocks.of(sleep.fit)
    np.testing.assert_allclose(found.effects.ravel(), b, rtol=1e-9)
    np.testing.assert_allclose(found.errors[np.argsort(found.order)], r - Z @ b, atol=1e-9)


def test_scaled_blocks_have_the_estimated_variances(sleep: Any) -> None:
    found = Blocks.scaled(sleep.fit)
    u, T = found.effects, sleep.fit.solution.factors[0]
    np.testing.assert_allclose(u.T @ u / len(u), sleep.sigma**2 * T @ T.T, rtol=1e-9)
    np.testing.assert_allclose(u.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(
        [found.errors.mean(), np.mean(found.errors**2)], [0, sleep.sigma**2], atol=1e-9
    )


def test_the_transform_of_effects_is_that_of_cholesky_factors() -> None:
    """A = (L_R L_S^-1)' for U A, whatever the units of the columns."""
    rng = np.random.default_rng(3)
    b, root = rng.normal(size=(12, 3)) @ rng.normal(size=(3, 3)), np.tril(rng.normal(size=(3, 3)) + 2)
    u = b - b.mean(axis=0)
    S = u.T @ u / 12
    A = (root @ np.linalg.inv(np.linalg.cholesky(S))).T
    np.testing.assert_allclose(spread(b, root), u @ A, rtol=1e-9, atol=1e-12)
    units = np.array([1.0, 1000.0, 1e-3])
    np.testing.assert_allclose(spread(b * units, units[:, None] * root), u @ A * units, rtol=1e-8, atol=1e-12)
    flat = b.copy()
    flat[:, 2] = 2 * flat[:, 0]  # a direction in which nothing varies
    assert np.isfinite(spread(flat, root)).all()


def test_a_block_draw_is_made_of_blocks(sleep: Any) -> None:
    """Of each level: the effects of one, and errors of one."""
    blocks, fit = Blocks.of(sleep.fit), sleep.fit
    y = blocks.draw(fit, generator_of(1, 0))
    codes, days = fit.design.random[0].codes, fit.design.random[0].z[:, 1]
    own = {g: set(np.round(blocks.errors[blocks.first[g] : blocks.first[g] + 10], 6)) for g in range(18)}
    donors = set()
    for g in range(18):
        rows = codes == g
        left = (y - blocks.fixed)[rows]
        pairs = [
            (u, d)
            for u in range(18)
            for d in range(18)
            if set(np.round(left - blocks.effects[u] @ np.array([np.ones(10), days[rows]]), 6)) <= own[d]
        ]
        assert len(pairs) == 1
        donors.add(pairs[0])
    assert len(donors) > 9


@pytest.mark.parametrize(("hccme", "power"), [("hc2", 0.5), ("hc3", 1.0)])
def test_wild_residuals(hccme: str, power: float, sleep: Any) -> None:
    """lmeresampler: marginal residuals over (1 - h)^power, h of X (X'X)^-1 X'."""
    y, X, _ = dense(sleep)
    h = np.diag(X @ np.linalg.solve(X.T @ X, X.T))
    r = (y - X @ sleep.fixef.to_numpy()) / (1 - h) ** power
    codes = sleep.fit.design.random[0].codes
    found = Wild.of(sleep.fit, codes, hccme, "mammen")
    np.testing.assert_allclose(found.residuals, r, rtol=1e-9)
    w = (found.draw(sleep.fit, generator_of(1, 0)) - found.fixed) / r
    assert all(np.ptp(w[codes == g]) < 1e-9 for g in range(18))
    root = np.sqrt(5)
    np.testing.assert_allclose(np.unique(np.round(w, 9)), [-(root - 1) / 2, (root + 1) / 2], atol=1e-9)


@pytest.mark.parametrize("aux", ["mammen", "rademacher", "norm", "webb", "gamma"])
def test_auxiliary_numbers_have_mean_0_and_variance_1(aux: str, sleep: Any) -> None:
    n = 200_000
    codes = np.arange(n)
    wild = Wild(np.ones(n), codes, n, np.zeros(n), aux)
    w = wild.draw(sleep.fit, np.random.default_rng(1))
    assert abs(w.mean()) < 5 / np.sqrt(n) and abs(np.mean(w**2) - 1) < 0.02
    third = {"mammen": 1.0, "gamma": 1.0}.get(aux, 0.0)
    assert abs(np.mean(w**3) - third) < 0.06


def test_a_case_sample_has_whole_groups_each_its_own(pastes: Any) -> None:
    factors = Cases.of(pastes.fit, None).factors
    assert factors.names == ("batch", "batch:cask")
    rows, codes = Cases.of(pastes.fit, None).sample(np.random.default_rng(4))
    assert (
        len(rows) == 60 and len(np.unique(codes["batch"])) == 10 and len(np.unique(codes["batch:cask"])) == 30
    )
    batch = factors.codes[0][rows]
    assert len(np.unique(batch)) < 10  # some came twice
    for one in np.unique(codes["batch"]):
        mine = codes["batch"] == one
        assert len(np.unique(batch[mine])) == 1  # a level of the sample is one of the data,
        assert sorted(rows[mine]) == sorted(
            np.flatnonzero(factors.codes[0] == batch[mine][0])
        )  # and all of it
        assert len(np.unique(codes["batch:cask"][mine])) == 3


def test_levels_within_levels_and_rows_within_them(pastes: Any) -> None:
    rng = np.random.default_rng(1)
    factors = Cases.of(pastes.fit, None).factors
    rows, codes = Cases.of(pastes.fit, ["batch:cask"]).sample(rng)
    np.testing.assert_array_equal(np.bincount(factors.codes[0][rows]), 6)  # every batch is there
    assert len(np.unique(factors.codes[1][rows])) < 30 and len(np.unique(codes["batch:cask"])) == 30
    rows, codes = Cases.of(pastes.fit, "rows").sample(rng)
    np.testing.assert_array_equal(np.bincount(factors.codes[1][rows]), 2)  # two rows of every cask
    assert len(np.unique(rows)) < 60
    same = Cases.of(pastes.fit, [True, False, True]), Cases.of(pastes.fit, ["batch", "rows"])
    a, b = (one.sample(np.random.default_rng(2))[0] for one in same)
    np.testing.assert_array_equal(a, b)
    assert len(np.unique(np.bincount(factors.codes[1][a], minlength=30) % 2)) == 1  # within casks


def test_a_level_drawn_twice_is_two_levels(sleep: Any) -> None:
    """The refit is that of a table in which the copies have names of their own."""
    s = load("sleepstudy")
    rows, codes = Cases.of(sleep.fit, None).sample(generator_of(7, 0))
    table = s.iloc[rows].assign(Subject=[f"s{c:02d}" for c in codes["Subject"]])
    expected = lmer("Reaction ~ Days + (Days | Subject)", table)
    found = sleep.bootstrap(1, kind="case", seed=7).draws.iloc[0]
    np.testing.assert_allclose(found[["Intercept", "Days"]], expected.fixef, rtol=1e-6)
    np.testing.assert_allclose(found["sigma"], expected.sigma, rtol=1e-6)


def test_standard_errors_of_all_kinds_are_near_each_other(sleep: Any) -> None:
    """On data that fit the model, those of the coefficients are estimates of one thing."""
    for kind in KINDS:
        se = sleep.bootstrap(300, kind=kind, seed=1).summary()["se"]
        np.testing.assert_allclose(se[["Intercept", "Days"]], sleep.se, rtol=0.2, err_msg=kind)


def test_reb2_by_its_definition(sleep: Any) -> None:
    raw = sleep.bootstrap(200, kind="reb0", seed=2)
    found = sleep.bootstrap(200, kind="reb2", seed=2)
    assert found.names == ("sd_Intercept|Subject", "sd_Days|Subject", "sigma", "Intercept", "Days")
    S = np.log(raw.draws[list(found.names[:3])].to_numpy() ** 2)
    C = np.linalg.inv(np.cov(S, rowvar=False))
    values, vectors = np.linalg.eigh(C)
    L = np.exp(S.mean(0) + (S - S.mean(0)) @ (vectors * np.sqrt(values)) @ vectors.T * S.std(0, ddof=1))
    np.testing.assert_allclose(found.values[:, :3] ** 2, L * found.estimate[:3] ** 2 / L.mean(0), rtol=1e-9)
    np.testing.assert_allclose((found.values[:, :3] ** 2).mean(0), found.estimate[:3] ** 2, rtol=1e-9)
    np.testing.assert_allclose(np.corrcoef(np.log(found.values[:, :3]).T), np.eye(3), atol=1e-9)
    np.testing.assert_allclose(found.values[:, 3:].mean(0), sleep.fixef, rtol=1e-12)
    np.testing.assert_allclose(found.values[:, 3:].std(0), raw.values[:, 4:].std(0), rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_same_draws_by_threads_pieces_and_pickles(kind: str, sleep: Any) -> None:
    one = sleep.bootstrap(60, kind=kind, seed=5)
    threads = sleep.bootstrap(60, kind=kind, seed=5, n_jobs=2)
    pieces = pickle.loads(pickle.dumps(sleep.bootstrap(7, kind=kind, seed=5))).append(53)
    for other in (threads, pieces):
        np.testing.assert_array_equal(one.values, other.values)


def test_same_draws_by_processes(sleep: Any) -> None:
    with joblib.parallel_config(backend="loky", n_jobs=2):
        found = sleep.bootstrap(60, seed=5, statistic=lambda r: r.fixef, n_jobs=None)
    np.testing.assert_allclose(found.values, sleep.bootstrap(60, seed=5).values[:, -2:], rtol=1e-12)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_no_more_threads_than_asked_for(n_jobs: int, sleep: Any) -> None:
    """Within each worker BLAS has one thread, and so has the core."""
    seen, workers = set(), set()

    def look(m: Any) -> float:
        workers.add(threading.get_ident())
        seen.update(lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas")
        return float(m.sigma)

    before = [lib["num_threads"] for lib in threadpool_info()]
    sleep.bootstrap(150, seed=1, statistic=look, n_jobs=n_jobs)
    assert seen == {1} and len(workers - {threading.get_ident()}) <= n_jobs
    assert [lib["num_threads"] for lib in threadpool_info()] == before


def test_a_statistic_that_does_not_pickle_stays_behind(sleep: Any) -> None:
    found = pickle.loads(pickle.dumps(sleep.bootstrap(5, seed=1, statistic=lambda r: r.sigma)))
    assert found.values.shape == (5, 1)
    with pytest.raises(ModelError, match="statistic= was not pickled"):
        found.append(2)


def test_a_level_of_its_own(sleep: Any) -> None:
    b = sleep.bootstrap(50, seed=1, level=0.8)
    assert b.confint().equals(b.confint(level=0.8)) and "0.8 percentile" in b.confint().note
    with pytest.raises(DataError, match="level must be between"):
        sleep.bootstrap(5, level=80)


def test_standard_errors_on_large_data_are_those_of_the_delta_method() -> None:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(200), 10)
    d = pd.DataFrame({"g": g, "x": rng.normal(size=2000)})
    d["y"] = 1 + d["x"] + rng.normal(size=200)[g] + rng.normal(size=2000)
    m = lmer("y ~ x + (1 | g)", d)
    found = m.bootstrap(1500, seed=1).summary()["se"]
    table = m.varcorr(se=True)
    expected = [*table["sd_se"], *m.se]
    np.testing.assert_allclose(found, expected, rtol=4 / np.sqrt(3000))


def test_ctrl_c_returns_what_is_done(sleep: Any) -> None:
    calls = iter(range(1000))

    def impatient(m: Any) -> float:
        if next(calls) == 120:
            raise KeyboardInterrupt
        return float(m.sigma)

    found = sleep.bootstrap(300, seed=1, statistic=impatient)
    assert found.n == len(found.values) == 100 and "stopped after 100 of 300 samples" in found.summary().note
    np.testing.assert_allclose(found.values[:, 0], sleep.bootstrap(100, seed=1).draws["sigma"], rtol=1e-12)
    whole = found.append(20)
    assert whole.n == 120 and not whole.stopped


def test_bca_by_its_formula(sleep: Any) -> None:
    b = sleep.bootstrap(400, seed=3)
    s, normal = load("sleepstudy"), NormalDist()
    without = [
        lmer("Reaction ~ Days + (Days | Subject)", s[s["Subject"] != one]).sigma
        for one in s["Subject"].unique()
    ]
    l = np.mean(without) - np.array(without)  # noqa: E741
    a = np.sum(l**3) / (6 * np.sum(l**2) ** 1.5)
    draws = b.draws["sigma"].to_numpy()
    z0 = normal.inv_cdf(np.mean(draws < sleep.sigma))
    z = z0 + np.array([normal.inv_cdf(0.05), normal.inv_cdf(0.95)])
    at = [normal.cdf(v) for v in z0 + z / (1 - a * z)]
    found = b.confint("bca", level=0.9).loc["sigma", ["lower", "upper"]]
    np.testing.assert_allclose(found, np.quantile(draws, at), rtol=1e-6)
    assert abs(a) > 0.01


def test_acceleration_of_a_mean_is_a_sixth_of_its_skewness() -> None:
    x = np.random.default_rng(1).exponential(size=50)
    without = (x.sum() - x) / 49
    d = x - x.mean()
    assert acceleration([without[:, None]])[0] == pytest.approx(np.sum(d**3) / (6 * np.sum(d**2) ** 1.5))


def test_pvalues_by_their_formula(sleep: Any) -> None:
    b = sleep.bootstrap(199, seed=3)
    t = (b.values[:, -1] - b.estimate[-1]) / b.errors[:, -1]
    for null in (0.0, 8.0):
        observed = (b.estimate[-1] - null) / sleep.se["Days"]
        found = b.pvalues(null)
        assert list(found.index) == ["Intercept", "Days"]
        assert found.loc["Days", "p"] == (1 + np.sum(np.abs(t) >= abs(observed))) / 200
    assert 0.01 < b.pvalues(8.0).loc["Days", "p"] < 0.6
    assert set(sleep.bootstrap(40, kind="reb2", seed=1).pvalues()["p"]) == {1 / 41}


def test_weights_and_offsets_are_in_every_kind() -> None:
    s = load("sleepstudy").assign(w=np.where(np.arange(180) % 2, 4.0, 1.0), o=np.arange(180) * 10.0)
    m = lmer(
        "Reaction ~ Days + (1 | Subject)", s.assign(Reaction=s["Reaction"] + s["o"]), weights="w", offset="o"
    )
    for kind in KINDS:
        found = m.bootstrap(60, kind=kind, seed=1).summary()
        assert (found["bias"].abs() < found["se"]).all(), kind
    e = Blocks.scaled(m.fit).errors
    assert np.mean(e**2) == pytest.approx(m.sigma**2)


def test_crossed_groups() -> None:
    m = lmer("y ~ x + (1 | a) + (1 | b)", crossed(np.random.default_rng(2), n=300))
    for kind in ("case", "wild"):
        with pytest.raises(ModelError, match="crossed"):
            m.bootstrap(3, kind=kind)
        assert len(m.bootstrap(3, kind=kind, resample="a", seed=1).values) == 3
    with pytest.raises(ModelError, match="one grouping factor"):
        m.bootstrap(3, kind="reb0")
    with pytest.raises(ModelError, match="not nested"):
        m.bootstrap(3, kind="case", resample=["a", "b"])
    with pytest.raises(ModelError, match="crossed"):
        m.bootstrap(3, kind="case", resample="rows")
    assert np.isfinite(m.bootstrap(30, seed=1).confint("bca").to_numpy()).all()


def test_a_sample_that_loses_a_coefficient_fails() -> None:
    s = load("sleepstudy")
    m = lmer("Reaction ~ odd + (1 | Subject)", s.assign(odd=(s["Subject"] == "308").astype(float)))
    found = m.bootstrap(40, kind="case", seed=1)
    assert found.failures == {"the rows do not tell every coefficient": 40 - len(found.values)}
    assert 0 < len(found.values) < 40
    with pytest.raises(ModelError, match="without each level of 'Subject'"):
        found.confint("bca")


def test_what_is_refused(sleep: Any) -> None:
    for options, words in {
        (("kind", "case"), ("resample", "Subjct")): "Did you mean|did you mean|choose from Subject, rows",
        (("kind", "case"), ("resample", (True,))): "1 entries",
        (("kind", "case"), ("resample", (False, False))): "nothing would be drawn",
        (("kind", "residual"), ("resample", "Subject")): "resample= is for",
        (("kind", "wild"), ("resample", "rows")): "names the one grouping factor",
        (("kind", "wild"), ("aux", "cauchy")): "aux 'cauchy' is not known",
        (("kind", "wild"), ("hccme", "hc1")): "hccme 'hc1' is not known",
    }.items():
        with pytest.raises(DataError, match=words):
            sleep.bootstrap(5, **dict(options))
    with pytest.raises(DataError, match="reb2"):
        sleep.bootstrap(5, kind="reb2", statistic=lambda r: r.sigma)
    b = sleep.bootstrap(5, seed=1)
    with pytest.raises(DataError, match="there is no statistic"):
        b.plot("sigmas")
    with pytest.raises(DataError, match="kind 'bayes' is not known"):
        b.confint("bayes")
    short = lmer("y ~ 1 + (x | g)", pd.DataFrame(
        {"y": np.random.default_rng(1).normal(size=11), "x": np.arange(11.0), "g": list("aabbccddeef")}
    ))  # fmt: skip
    with pytest.raises(ModelError, match="the level 'f' of 'g' has too few rows"):
        short.bootstrap(5, kind="reb1")


def test_pictures(sleep: Any) -> None:
    b = sleep.bootstrap(60, seed=1)
    axes = b.plot()
    assert [ax.get_title() for ax in axes] == list(b.names)
    one = b.plot("Days")
    x, y = one.lines[0].get_data()
    assert np.trapezoid(y, x) == pytest.approx(1, abs=0.01)
    assert one.get_xlabel() == "Days"


def test_densities_end_where_parameters_do() -> None:
    """A standard deviation is never negative, nor a correlation beyond 1; yet no draw is lost."""
    m = lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy").iloc[:60])
    b = m.bootstrap(300, seed=1)
    sd, cor = "sd_Intercept|Subject", "cor_Days.Intercept|Subject"
    for name, least, greatest in ((sd, 0.0, np.inf), (cor, -1.0, 1.0), ("Days", -np.inf, np.inf)):
        x, y = b.plot(name).lines[0].get_data()
        assert x.min() >= least and x.max() <= greatest
        assert np.trapezoid(y, x) == pytest.approx(1, abs=0.01)
    assert b.draws[sd].min() < 1 and b.draws[cor].max() > 0.999
    own = m.bootstrap(50, seed=1, statistic=lambda r: {"sigma": r.sigma - m.sigma})
    assert own.plot("sigma").lines[0].get_data()[0].min() < 0  # what a caller computes may be any number


def test_a_density_at_a_limit() -> None:
    rng = np.random.default_rng(1)
    x, y = density(np.abs(stats.norm.ppf((np.arange(2000) + 0.5) / 2000)), 0.0)
    assert x[0] == 0.0
    np.testing.assert_allclose(y, 2 * stats.norm.pdf(x), atol=0.04)
    x, y = density(np.linspace(-1, 1, 2000), -1.0, 1.0)
    np.testing.assert_allclose(y, 0.5, atol=0.01)
    assert (x[0], x[-1]) == (-1.0, 1.0)
    x, _ = density(rng.normal(loc=50, size=100), 0.0)
    assert x[0] > 40  # a limit that is far away does not stretch the picture


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("(0 + Machine | Worker)", [(0, np.inf), (-1, 1), (-1, 1), (0, np.inf), (-1, 1), (0, np.inf)]),
        ("cs(0 + Machine | Worker)", [(0, np.inf)] * 3 + [(-0.5, 1)]),
        ("cs(0 + Machine | Worker, hom = TRUE)", [(0, np.inf), (-0.5, 1)]),
        ("ar1(0 + Machine | Worker)", [(0, np.inf), (-1, 1)]),
        ("diag(0 + Machine | Worker)", [(0, np.inf)] * 3),
    ],
)
def test_limits_of_parameters(term: str, expected: list[tuple[float, float]]) -> None:
    """-1 / (k - 1) is the lowest correlation that k effects can all have with each other."""
    m = lmer(f"score ~ 1 + {term}", load("machines"))
    names, found = parameter_names(m.fit), parameter_limits(m.fit)
    assert len(found) == len(names) and found[-2:].tolist() == [[0, np.inf], [-np.inf, np.inf]]
    assert sorted(map(tuple, found[:-2])) == sorted(expected)
    for name, (least, greatest) in zip(names, found, strict=True):
        assert (least == 0 and greatest == np.inf) == (name.startswith("sd") or name == "sigma")


def test_residual_effects_follow_the_definition(sleep: Any) -> None:
    found, u = Residuals.of(sleep.fit).effects[0], sleep.fit.solution.b[0]
    np.testing.assert_allclose(found, spread(u, sleep.sigma * sleep.fit.solution.factors[0]))


def test_what_some_refits_do_not_have_is_said(sleep: Any) -> None:
    b = sleep.bootstrap(9, seed=1, statistic=lambda r: [np.nan, r.sigma])
    for table in (b.confint(), b.summary(), b.pvalues()):
        assert "9 of 9 refits have no statistic_1" in table.note
    assert np.isnan(b.pvalues()["p"].iloc[0]) and b.pvalues()["p"].iloc[1] == 0.1
    with pytest.raises(ModelError, match="two draws"):
        sleep.bootstrap(1, seed=1).confint("normal")
    with pytest.raises(DataError, match="se gave 2 standard errors, and the statistic has 6"):
        sleep.bootstrap(3, seed=1, se=lambda r: r.se)


def test_a_known_covariance_of_levels_cannot_be_drawn_from() -> None:
    s = load("sleepstudy").astype({"Subject": str})
    ids = sorted(s["Subject"].unique())
    K = pd.DataFrame(np.eye(18) + 0.3, index=ids, columns=ids)
    m = lmer("Reaction ~ Days + (1 | Subject)", s, known={"Subject": K})
    assert m.bootstrap(3, seed=1).n == 3
    for kind in KINDS[1:]:
        with pytest.raises(ModelError, match="known covariance"):
            m.bootstrap(3, kind=kind)
