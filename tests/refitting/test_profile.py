"""Likelihood profiles beside lme4's, beside root finding in R, and beside what a profile must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from interlace import lmer
from interlace.datasets import load
from interlace.errors import DataError, ModelError
from interlace.refitting import profile as profiles
from interlace.variances.scales import FISHER, LOGARITHM
from made_data import crossed
from reference_cases import Case, lmer_cases

PROFILED = [c for c in lmer_cases() if "confint_profile" in c.reference()]
# What lme4 has wrong, by its own interpolation or without the weights (see the README of the references).
WRONG = {"dyestuff2_ml": ["sigma"], "dyestuff2_reml": ["sigma"], "sleepstudy_weights_ml": ["fixed"]}
# lme4's splines are off by so much of the width (root finding, below, agrees with us).
SPLINES = {
    "oats_reml": 2e-3,
    "pastes_ml": 5e-4,
    "pastes_nested_reml": 5e-4,
    "dyestuff2_ml": 5e-4,
    "dyestuff2_reml": 5e-4,
    "sleepstudy_slope_ml": 2e-4,
    "sleepstudy_slope_reml": 2e-4,
}


def _fit(c: Case) -> Any:
    return lmer(c.formula, c.frame(), **c.options)


def _ours(name: str) -> str:
    """lme4 turns the names of nested factors round."""
    name, _, group = name.replace("(Intercept)", "Intercept").partition("|")
    return f"{name}|{':'.join(reversed(group.split(':')))}" if group else name


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize("c", PROFILED, ids=str)
def test_intervals_of_lme4(c: Case) -> None:
    """Every level that R gave, row by row in lme4's order."""
    m, wrong = _fit(c), WRONG.get(c.name, [])
    P = profiles.Profile("ml", tuple(profiles.tracks(m.fit, m._by, None, criterion="ml")))
    for level, table in c.reference()["confint_profile"].items():
        found = P.confint(float(level))
        assert len(found) == len(table["rows"])
        for i, (name, ends) in enumerate(zip(table["rows"], table["data"], strict=True)):
            if name in ("sigma", *wrong) and name in wrong:
                continue
            is_fixed = not name.startswith(("sd_", "cor_", "sigma"))
            if is_fixed and "fixed" in wrong:
                continue
            if not is_fixed:
                assert found.index[i] == _ours(name)
            width = ends[1] - ends[0]
            off = np.abs(found.iloc[i].to_numpy() - ends).max() / width
            assert off < SPLINES.get(c.name, 1e-4), (level, name, off)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize("c", PROFILED, ids=str)
def test_intervals_by_root_finding_on_the_deviance(c: Case) -> None:
    exact = c.reference()["confint_profile_exact"]
    found = _fit(c).confint(method="profile")
    random = [name for name in found.index if name.startswith(("sd_", "cor_"))]
    p = len(found) - len(random) - 1
    for name, ends in exact.items():
        if name.startswith((".note", ".theta", ".dev")):
            continue
        if name == ".sigma":
            row = found.loc["sigma"]
        elif name.startswith(".sig"):
            row = found.loc[random[int(name[4:]) - 1]]
        else:
            fixed = [key for key in exact if not key.startswith(".")]
            row = found.iloc[len(found) - p + fixed.index(name)]
        np.testing.assert_allclose(
            row[["lower", "upper"]].to_numpy(dtype=float), ends, atol=2e-5 * (ends[1] - ends[0]), err_msg=name
        )


def test_sigma_of_balanced_one_way_data_has_a_formula() -> None:
    """With a groups of n rows and ``l = s^2 + n t^2 >= s^2``, the deviance is
    ``a (n - 1) log s^2 + SSW / s^2 + a log l + SSB / l``.

    Where l is free at its best value SSB / a the profile of s is that of the within part alone.
    """
    d = load("dyestuff")
    y = d["Yield"].to_numpy().reshape(6, 5)
    ssw = ((y - y.mean(axis=1, keepdims=True)) ** 2).sum()
    ssb = 5 * ((y.mean(axis=1) - y.mean()) ** 2).sum()

    def rise(s: float) -> float:
        between = max(ssb / 6, s**2)
        at = 24 * np.log(s**2) + ssw / s**2 + 6 * np.log(between) + ssb / between
        return float(at - (24 * np.log(ssw / 24) + 24 + 6 * np.log(ssb / 6) + 6))

    cut = stats.chi2.ppf(0.95, 1)
    s = np.sqrt(ssw / 24)
    ends = [optimize.brentq(lambda v: rise(v) - cut, *b, xtol=1e-12) for b in ((s / 3, s), (s, 3 * s))]
    found = lmer("Yield ~ 1 + (1 | Batch)", d).confint("sigma", method="profile")
    np.testing.assert_allclose(found[["lower", "upper"]].to_numpy()[0], ends, rtol=1e-7)


def test_the_slope_of_a_profile_and_its_points() -> None:
    m = lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))
    P = m.profile()
    assert P.parameters == (
        "sd_Intercept|Subject", "cor_Days.Intercept|Subject", "sd_Days|Subject", "sigma", "Intercept", "Days",
    )  # fmt: skip
    for track in P.tracks:
        values = [p.value for p in track.points]
        zetas = [track.zeta(p) for p in track.points]
        assert np.all(np.diff(values) > 0) and np.all(np.diff(zetas) > 0)
        p = track.points[1]
        step = 1e-5 * (track.estimate - p.value)
        up, down = (track.hold(p.value + d, p.y).deviance for d in (step, -step))
        np.testing.assert_allclose(p.slope, (up - down) / (2 * step), rtol=1e-4)
    table = P.table
    assert list(table.columns[:4]) == ["parameter", "value", "zeta", "deviance"]
    assert np.all(np.isfinite(table[["value", "zeta", "deviance"]].to_numpy()))


def test_a_deviance_profile_is_that_of_refits_with_the_response_moved() -> None:
    """Days held at 9: the model of the response less 9 Days, without Days."""
    s = load("sleepstudy")
    m = lmer("Reaction ~ Days + (Days | Subject)", s)
    (track,) = profiles.tracks(m.fit, m._by, "Days", criterion="ml")
    rest = lmer("I(Reaction - 9 * Days) ~ 1 + (Days | Subject)", s, reml=False)
    np.testing.assert_allclose(track.hold(9.0, track.points[0].y).deviance, -2 * rest.loglik, rtol=1e-10)
    (track,) = profiles.tracks(m.fit, m._by, "Intercept", criterion="ml")
    rest = lmer("I(Reaction - 240) ~ 0 + Days + (Days | Subject)", s, reml=False)
    np.testing.assert_allclose(track.hold(240.0, track.points[0].y).deviance, -2 * rest.loglik, rtol=1e-10)


def test_a_standard_deviation_of_zero_is_the_model_without_the_effect() -> None:
    s = load("sleepstudy")
    for reml in (False, True):
        m = lmer("Reaction ~ Days + (Days | Subject)", s, reml=reml)
        (track,) = profiles.tracks(m.fit, m._by, "sd_Days|Subject", criterion="reml" if reml else "ml")
        without = lmer("Reaction ~ Days + (1 | Subject)", s, reml=reml)
        np.testing.assert_allclose(
            track.hold(0.0, track.points[0].y).deviance, -2 * without.loglik, atol=1e-6
        )


def test_a_correlation_of_zero_is_the_model_without_it() -> None:
    s = load("sleepstudy")
    m = lmer("Reaction ~ Days + (Days | Subject)", s)
    (track,) = profiles.tracks(m.fit, m._by, "cor_Days.Intercept|Subject", criterion="ml")
    without = lmer("Reaction ~ Days + (Days || Subject)", s, reml=False)
    np.testing.assert_allclose(track.hold(0.0, track.points[0].y).deviance, -2 * without.loglik, rtol=1e-10)


def test_units_and_origin_of_a_predictor_do_not_matter() -> None:
    s = load("sleepstudy")
    plain = lmer("Reaction ~ Days + (Days | Subject)", s).confint(method="profile")
    moved = lmer("Reaction ~ H + (H | Subject)", s.assign(H=24 * s["Days"])).confint(method="profile")
    scale = np.array([1, 1, 24, 1, 1, 24])[:, None]
    np.testing.assert_allclose(moved.to_numpy() * scale, plain.to_numpy(), rtol=1e-6)
    far = lmer("Reaction ~ Y + (Y | Subject)", s.assign(Y=s["Days"] + 100.0)).confint(
        ["sd_Y|Subject", "sigma", "Y"], method="profile"
    )
    np.testing.assert_allclose(far.to_numpy(), plain.to_numpy()[[2, 3, 5]], rtol=1e-6)


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("y ~ x + cs(0 + f | a)", ["sd_f[A]|a", "sd_f[B]|a", "sd_f[C]|a", "rho|a"]),
        ("y ~ x + ar1(0 + f | a)", ["sd|a", "rho|a"]),
        ("y ~ x + diag(x | a)", ["sd_Intercept|a", "sd_x|a"]),
    ],
)
def test_structured_covariances(formula: str, names: list[str]) -> None:
    """The ends are where the deviance of the model with the parameter held has risen by 3.84: beside a
    search over the criterion itself."""
    data = crossed(np.random.default_rng(3), n=400)
    m = lmer(formula, data)
    found = m.confint("random", method="profile")
    assert [name.split("|")[1] for name in found.index[:-1]] == [n.split("|")[1] for n in names]
    assert [name.split("_")[0].split("|")[0] for name in found.index[:-1]] == [
        n.split("_")[0].split("|")[0] for n in names
    ]
    wald = m.confint("random")
    assert list(wald.index) == list(found.index)
    assert (found["lower"] <= found["estimate"]).all() and (found["estimate"] <= found["upper"]).all()


def test_intervals_with_known_covariance_and_weights() -> None:
    s = load("sleepstudy").assign(w=1 + np.arange(180) % 3)
    m = lmer("Reaction ~ Days + (1 | Subject)", s, weights="w")
    found = m.confint("Days", method="profile").iloc[0]
    ml = lmer("Reaction ~ Days + (1 | Subject)", s, weights="w", reml=False)
    for end in (found["lower"], found["upper"]):
        held = lmer(
            "Reaction ~ 1 + offset(D) + (1 | Subject)", s.assign(D=end * s["Days"]), weights="w", reml=False
        )
        np.testing.assert_allclose(2 * (ml.loglik - held.loglik), stats.chi2.ppf(0.95, 1), rtol=1e-6)


def test_wald_intervals_by_their_formulas() -> None:
    m = lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))
    found, v = m.confint(level=0.9), m.varcorr(se=True)
    z = stats.norm.ppf(0.95)
    sd, se = v["sd"][1], v["sd_se"][1]
    np.testing.assert_allclose(
        found.loc["sd_Days|Subject"], [sd, sd * np.exp(-z * se / sd), sd * np.exp(z * se / sd)]
    )
    r, se = v["corr"][2], v["corr_se"][2]
    ends = np.tanh(np.arctanh(r) + np.array([0, -1, 1]) * z * se / (1 - r**2))
    np.testing.assert_allclose(found.loc["cor_Days.Intercept|Subject"], ends)
    table = m.coef_table()
    half = stats.t.ppf(0.95, table["df"]) * table["se"]
    np.testing.assert_allclose(found.loc[["Intercept", "Days"], "upper"], table["estimate"] + half)


def test_lme4_s_wald_intervals_of_coefficients() -> None:
    for c in lmer_cases()[::9]:
        r = c.reference()["confint_wald"]
        m = _fit(c)
        found = m.confint("fixed", ddf="asymptotic")[["lower", "upper"]].to_numpy()
        theirs = (
            np.array(r["data"], dtype=object).reshape(r["rows"].__len__(), 2)[-len(found) :].astype(float)
        )
        np.testing.assert_allclose(found, theirs, rtol=1e-4, atol=1e-4 * np.ptp(theirs), err_msg=c.name)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_what_is_refused() -> None:
    m = lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))
    with pytest.raises(DataError, match=r"did you mean 'sd_Days\|Subject'"):
        m.profile("sd_Day|Subject")
    with pytest.raises(DataError, match="level must be between 0 and 1"):
        m.confint(level=95)
    with pytest.raises(ModelError, match="no profile of fixed effects"):
        m.profile("Days", criterion="reml")
    with pytest.raises(DataError, match="method 'exact'"):
        m.confint(method="exact")
    data = {"y": np.sin(np.arange(24.0)), "t": list("ab") * 12, "g": list("ab") * 12}
    m = lmer("y ~ t + (1 | g)", data)
    with pytest.raises(ModelError, match="the data cannot tell the variance of"):
        m.profile()
    assert len(m.profile("fixed").confint()) == 2


def test_reml_profiles_of_variances() -> None:
    """In balanced one-way data the REML criterion has SSB on one degree of freedom less."""
    d = load("dyestuff")
    y = d["Yield"].to_numpy().reshape(6, 5)
    ssw = ((y - y.mean(axis=1, keepdims=True)) ** 2).sum()
    ssb = 5 * ((y.mean(axis=1) - y.mean()) ** 2).sum()

    def at(s: float) -> float:
        between = max(ssb / 5, s**2)
        return float(24 * np.log(s**2) + ssw / s**2 + 5 * np.log(between) + ssb / between)

    s = np.sqrt(ssw / 24)
    cut = stats.chi2.ppf(0.95, 1) + at(s)
    ends = [optimize.brentq(lambda v: at(v) - cut, *b, xtol=1e-12) for b in ((s / 3, s), (s, 3 * s))]
    P = lmer("Yield ~ 1 + (1 | Batch)", d).profile(criterion="reml")
    assert P.parameters == ("sd_Intercept|Batch", "sigma")
    np.testing.assert_allclose(P.confint().loc["sigma"], ends, rtol=1e-7)


def test_wald_ends_next_to_the_edge() -> None:
    """A deviation of almost zero: the ends are zero and infinite, and no warning leaks."""
    steps = np.array([-1.96, 1.96])
    assert LOGARITHM.around(1e-9, steps).tolist() == [0.0, np.inf]
    assert np.isnan(LOGARITHM.around(0.0, steps)).all()
    assert np.isnan(FISHER.around(1.0, 0.1 * steps)).all()
    low, high = FISHER.around(1 - 1e-12, steps)
    assert low == -1 and high == 1


@pytest.mark.parametrize(("n_jobs", "small"), [(2, 1), (None, 1), (1, 1)])
def test_small_models_have_one_thread(
    n_jobs: int | None, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads would wait for each other; a model of 1,000 crossed rows is small, one of 4,000 is not."""
    seen = []

    def in_threads(work: Any, items: Any, n: int, **options: Any) -> Any:
        seen.append(options["n_jobs"])
        return items

    monkeypatch.setattr(profiles, "in_threads", in_threads)
    for rows, groups in ((1000, 20), (4000, 60)):
        rng = np.random.default_rng(1)
        s, i, e = rng.integers(0, 2 * groups, rows), rng.integers(0, groups, rows), rng.normal(size=rows)
        y = rng.normal(size=2 * groups)[s] + rng.normal(size=groups)[i] + e
        m = lmer("y ~ x + (x | s) + (1 | i)", {"y": y, "s": s, "i": i, "x": rng.normal(size=rows)})
        m.profile("sigma", n_jobs=n_jobs)
    assert seen == [small, n_jobs]
    with pytest.raises(DataError, match="n_jobs"):
        lmer("Reaction ~ 1 + (1 | Subject)", load("sleepstudy")).profile(n_jobs=0)
