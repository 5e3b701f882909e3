"""The parametric-bootstrap test against pbkrtest (refitting.R), and its random numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import interlace
from interlace.errors import DataError, ModelError
from interlace.refitting.bootstrap_compare import BootstrapComparison
from reference_data import array, load_data

CASES = json.loads((Path(__file__).parent / "refitting.json").read_text())["pb"]


def bootstrap(name: str, n: int, **options: int) -> BootstrapComparison:
    data = load_data(CASES[name]["data"])
    large, small = (interlace.lmer(CASES[name][which], data) for which in ("large", "small"))
    return interlace.bootstrap_compare(large, small, n=n, progress=False, **options)


@pytest.mark.parametrize("name", CASES)
def test_table_for_the_draws_of_pbkrtest(name: str) -> None:
    r = CASES[name]
    table = BootstrapComparison(r["stat"][0], r["df"][0], array(r["ref"])).table
    assert table.index.tolist() == r["rows"]
    np.testing.assert_array_equal(table["df"], array(r["df"]))
    rows = ["LRT", "PBtest", "Gamma", "Bartlett"]
    for column, theirs in (("statistic", "stat"), ("p", "p")):
        expected = array(r[theirs])[:4]
        np.testing.assert_allclose(table.loc[rows, column], expected, rtol=2e-6, atol=1e-15)  # R takes 1 - p
    if r["df"][0] == 1:
        den_df = r["ddf"][4] if r["ddf"][4] > 0 else np.nan  # R lets it be negative, and gives no p-value
        np.testing.assert_allclose(table.loc["F", "den_df"], den_df, rtol=1e-9)
        np.testing.assert_allclose(table.loc["F", "p"], array(r["p"])[4], rtol=1e-6)


def test_f_has_the_mean_of_the_draws() -> None:
    """Where pbkrtest compares the mean of the statistic with that of F, not of df times F."""
    r = CASES["three"]
    b = BootstrapComparison(r["stat"][0], 5, array(r["ref"]))
    den_df = b.table.loc["F", "den_df"]
    assert stats.f.mean(5, den_df) * 5 == pytest.approx(b.positive.mean())
    assert b.table.loc["F", "p"] == pytest.approx(stats.f.sf(r["stat"][0] / 5, 5, den_df))


@pytest.mark.parametrize("name", CASES)
def test_draws_have_the_distribution_of_pbkrtest(name: str) -> None:
    r, b = CASES[name], bootstrap(name, 600, seed=1)
    assert b.statistic == pytest.approx(r["stat"][0], rel=1e-8)
    assert b.df == r["df"][0]
    assert b.n_failed == 0
    theirs = array(r["ref"])
    theirs = np.where(theirs < 1e-8, 0.0, theirs)  # rounding error of either sign on the boundary
    assert stats.ks_2samp(np.maximum(b.reference, 0), theirs).pvalue > 0.001
    if name == "variance":
        assert 0.35 < (b.reference > 1e-6).mean() < 0.6  # the estimate is on the boundary half of the time
        assert b.p_all < b.p
    else:
        assert b.p_all == b.p


@pytest.mark.parametrize("name", CASES)
def test_draws_are_refitted_as_by_lme4(name: str) -> None:
    r = CASES[name]
    data = load_data(r["data"])
    large, small = (interlace.lmer(r[which], data, reml=False) for which in ("large", "small"))
    lrt = [2 * (large.refit(y).loglik - small.refit(y).loglik) for y in array(r["y"])]
    np.testing.assert_allclose(lrt, array(r["lrt"]), atol=1e-7)


def test_null_is_drawn_from_the_smaller_model() -> None:
    """A response drawn from the larger model would give statistics near the observed one."""
    b = bootstrap("fixed", 200, seed=2)
    assert np.median(b.reference) == pytest.approx(stats.chi2.median(1), abs=0.25)
    assert b.n_extreme == 0
    assert b.p == pytest.approx(1 / 201)


def test_same_seed_same_numbers() -> None:
    one = bootstrap("three", 40, seed=11)
    two = bootstrap("three", 40, seed=11, n_jobs=2)
    np.testing.assert_array_equal(one.reference, two.reference)
    longer = bootstrap("three", 60, seed=11)
    np.testing.assert_array_equal(longer.reference[:40], one.reference)
    other = bootstrap("three", 40, seed=12)
    assert not np.isin(other.reference, one.reference).any()
    assert len(np.unique(one.reference)) == 40


def test_no_seed_other_numbers() -> None:
    assert not np.isin(bootstrap("three", 5).reference, bootstrap("three", 5).reference).any()


def test_weights_and_deficient_rank() -> None:
    data = load_data("sleepstudy")
    with pytest.warns(interlace.RankDeficiencyWarning):
        large = interlace.lmer("Reaction ~ Days + Days2 + (1 | Subject)", data, weights="w")
    small = interlace.lmer("Reaction ~ 1 + (1 | Subject)", data, weights="w")
    b = interlace.bootstrap_compare(large, small, n=60, seed=5)
    assert b.df == 1
    assert b.statistic == pytest.approx(interlace.compare(large, small)["chisq"].iloc[1], rel=1e-10)
    assert stats.kstest(b.reference, stats.chi2(1).cdf).pvalue > 0.01


def test_counts_and_text() -> None:
    b = BootstrapComparison(3.0, 1, np.array([0.0, -1e-12, 1e-10, 1.0, 2.0, 4.0]))
    assert (b.n_extreme, len(b.positive)) == (1, 3)
    assert b.p == 2 / 4
    assert b.p_all == 2 / 7
    assert str(b).startswith("Bootstrap test: 6 samples, 3 above zero, 1 extreme")
    assert "2 refits" in str(BootstrapComparison(3.0, 1, np.ones(3), n_failed=2))


def test_draws_equal_to_the_statistic_and_near_zero() -> None:
    """Only larger draws are extreme, as in pbkrtest; zero is what the optimizer does not tell from it."""
    b = BootstrapComparison(2.0, 1, np.array([0.9e-8, 1.1e-8, 1.0, 2.0, 2.0, np.nextafter(2.0, 3.0)]))
    assert (b.n_extreme, len(b.positive)) == (1, 5)
    assert b.p == 2 / 6


def test_bar_is_shown_only_if_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    bootstrap("fixed", 3, seed=1)
    data = load_data("sleepstudy")
    large, small = (interlace.lmer(CASES["fixed"][which], data) for which in ("large", "small"))
    interlace.bootstrap_compare(large, small, n=3, seed=1)
    assert capsys.readouterr().err == ""  # no person watches
    interlace.bootstrap_compare(large, small, n=3, seed=1, progress=True)
    assert "3/3" in capsys.readouterr().err


def test_arguments_are_checked() -> None:
    data = load_data("sleepstudy")
    large, small = (interlace.lmer(CASES["fixed"][which], data) for which in ("large", "small"))
    with pytest.raises(ModelError, match="more parameters"):
        interlace.bootstrap_compare(small, small, n=3)
    for n in (0, -1, 2.5, True):
        with pytest.raises(DataError, match="n must be a positive whole number"):
            interlace.bootstrap_compare(large, small, n=n)


def test_rounding_error_on_the_boundary_is_no_draw_above_it() -> None:
    """A variance estimated as zero: draws at zero are neither extreme nor positive, and p is 1 at most."""
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(10), 4)
    e = rng.normal(size=40)
    data = {"y": e - np.repeat(e.reshape(10, 4).mean(1), 4), "x": rng.normal(size=40), "g": g, "h": g % 3}
    large, small = (interlace.lmer(f"y ~ x + (1 | h){term}", data) for term in (" + (1 | g)", ""))
    b = interlace.bootstrap_compare(large, small, n=100, seed=1)
    assert b.statistic == 0.0 and (b.reference == 0).sum() > 30
    assert ((b.reference == 0) | (np.abs(b.reference) > 1e-8)).all()
    assert b.n_extreme == len(b.positive) and b.p == 1.0
