"""`lm` with absorbed factors beside R's `lm` with a dummy variable for each level: car, emmeans, sandwich and
clubSandwich (least_squares.R)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.model.least import LinearModel
from interlace.precision import ols_jackknife

R = json.loads((Path(__file__).parent / "least_squares.json").read_text())
# by the name of the case: the formula here
FORMULAS = {
    "none": "y ~ x + a",
    "one": "y ~ x + a | firm",
    "two": "y ~ x + a | firm + year",
    "interaction": "y ~ x * a + b | firm + year",
    "factors": "y ~ a * b + x | firm",
    "slopes": "y ~ x + a | firm[z] + year",
}
CASES = list(R["cases"])
UNEQUAL = ("HC0", "HC1", "HC2", "HC3")
ONE_WAY = ("firm", "region", "crossing", "year")
FULL = interlace.ssc(K_fixef="full")


@cache
def data() -> pd.DataFrame:
    return pd.DataFrame(R["data"])


def model(case: str, **options: Any) -> LinearModel:
    weights = "w" if case.endswith("_weighted") else None
    return interlace.lm(FORMULAS[case.removesuffix("_weighted")], data(), weights=weights, **options)


@cache
def plain(case: str) -> LinearModel:
    return model(case)


def places(ours: list[str], theirs: list[str]) -> list[int]:
    """Where R has our coefficients or terms; members of an interaction in either order."""
    known = {"Intercept": "(Intercept)"}
    names = [known.get(one, one).replace("[T.", "").replace("]", "") for one in ours]
    return [theirs.index(one if one in theirs else ":".join(reversed(one.split(":")))) for one in names]


def covariance(case: str, wanted: Any) -> np.ndarray:
    at = places(list(plain(case).fixef.index), R["cases"][case]["names"])
    return np.array(wanted).reshape(len(at), len(at))[np.ix_(at, at)]


@pytest.mark.parametrize("case", CASES)
class TestTheModel:
    def test_coefficients(self, case: str) -> None:
        m, r = plain(case), R["cases"][case]
        at = places(list(m.fixef.index), r["names"])
        np.testing.assert_allclose(m.fixef, np.array(r["beta"])[at], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(m.vcov(), covariance(case, r["vcov"]), rtol=1e-9, atol=1e-14)
        ends = m.confint()[["lower", "upper"]]
        np.testing.assert_allclose(ends, np.array(r["confint"])[at], rtol=1e-8, atol=1e-10)

    def test_the_whole_fit(self, case: str) -> None:
        m, r = plain(case), R["cases"][case]
        assert (m.loglik, m.aic, m.bic) == pytest.approx((r["loglik"], r["aic"], r["bic"]), rel=1e-11)
        assert (m.sigma, m.df_resid) == pytest.approx((r["sigma"], r["df_resid"]), rel=1e-11)
        if case != "none_weighted" and not case.endswith("_weighted"):
            assert (m.r2()["r2"], m.r2()["adjusted"]) == pytest.approx(tuple(r["r2"]), rel=1e-10)

    def test_rows(self, case: str) -> None:
        m, r = plain(case), R["cases"][case]
        np.testing.assert_allclose(m.fitted, r["fitted"], rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(m.residuals(), r["residuals"], atol=1e-10)
        np.testing.assert_allclose(m.residuals("pearson"), r["pearson"], atol=1e-10)
        np.testing.assert_allclose(m.leverage(), r["leverage"], rtol=1e-9)


@pytest.mark.parametrize("case", CASES)
class TestTests:
    @pytest.mark.parametrize("type", ["I", "II", "III"])
    def test_anova(self, case: str, type: str) -> None:
        """car leaves out interactions with covariates in tests of type II; SAS and we do not."""
        table, r = plain(case).anova(type=type), R["cases"][case]["anova"][type]
        if type == "II" and case.startswith("interaction"):
            table = table.drop("a")
        at = places(list(table.index), r["rows"])
        np.testing.assert_allclose(table["F"], np.array(r["F"])[at], rtol=1e-8)
        np.testing.assert_allclose(table["sum_sq"], np.array(r["sum_sq"])[at], rtol=1e-8)
        np.testing.assert_allclose(table["num_df"], np.array(r["df"])[at])
        np.testing.assert_allclose(table["p"], np.array(r["p"])[at], rtol=1e-7)

    def test_anova_as_car_has_it(self, case: str) -> None:
        table, r = plain(case).anova(type=2, test="wald"), R["cases"][case]["anova"]["II"]
        at = places(list(table.index), r["rows"])
        np.testing.assert_allclose(table["F"], np.array(r["F"])[at], rtol=1e-8)
        np.testing.assert_allclose(table["p"], np.array(r["p"])[at], rtol=1e-7)

    def test_joint_tests(self, case: str) -> None:
        """emmeans 1.8.4 rounds F to three decimals, and tests absorbed factors and their slopes as well."""
        table, r = plain(case).joint_tests(), R["cases"][case]["joint"]
        if case.startswith("slopes"):
            return
        at = places(list(table.index), r["rows"])
        np.testing.assert_allclose(table["F"], np.array(r["F"])[at], atol=5.01e-4)

    def test_means(self, case: str) -> None:
        means, r = plain(case).emmeans("a"), R["cases"][case]["means"]
        np.testing.assert_allclose(means.frame["estimate"], r["estimate"], rtol=1e-9)
        np.testing.assert_allclose(means.frame["se"], r["se"], rtol=1e-9)
        np.testing.assert_allclose(means.frame["df"], r["df"])
        pairs = means.pairs(adjust="none").frame
        np.testing.assert_allclose(pairs["estimate"], r["pairs"]["estimate"], rtol=1e-8)
        np.testing.assert_allclose(pairs["se"], r["pairs"]["se"], rtol=1e-9)


@pytest.mark.parametrize("case", CASES)
class TestCovariances:
    @pytest.mark.parametrize("kind", UNEQUAL)
    def test_unequal_variances(self, case: str, kind: str) -> None:
        """K counts all that is in the dummy model, as sandwich does."""
        wanted = covariance(case, R["cases"][case]["robust"][kind])
        np.testing.assert_allclose(model(case, vcov=kind, ssc=FULL).vcov(), wanted, rtol=1e-8, atol=1e-13)

    @pytest.mark.parametrize("by", ONE_WAY)
    def test_clusters(self, case: str, by: str) -> None:
        """Firms lie in regions, and cross the rest."""
        wanted = covariance(case, R["cases"][case]["robust"][f"CR1_{by}"])
        np.testing.assert_allclose(model(case, cluster=by, ssc=FULL).vcov(), wanted, rtol=1e-8, atol=1e-13)

    @pytest.mark.parametrize(("G_df", "name"), [("conventional", "CR1_two"), ("min", "CR1_two_smallest")])
    def test_two_ways(self, case: str, G_df: str, name: str) -> None:
        found = model(case, cluster=["firm", "crossing"], ssc=interlace.ssc(K_fixef="full", G_df=G_df)).vcov()
        wanted = covariance(case, R["cases"][case]["robust"][name])
        values, vectors = np.linalg.eigh(wanted)
        np.testing.assert_allclose(found, (vectors * values.clip(0)) @ vectors.T, rtol=1e-7, atol=1e-12)

    @pytest.mark.parametrize("by", ["firm", "region", "crossing"])
    @pytest.mark.parametrize("columns", [400, 0])
    def test_the_jackknife(self, case: str, by: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """From matrices of p x p, and from absorbing again for each cluster."""
        monkeypatch.setattr(ols_jackknife, "MOST_COLUMNS", columns)
        wanted = covariance(case, R["cases"][case]["jackknife"][by])
        found = model(case, vcov="CR3", cluster=by).vcov()
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-12)

    def test_the_jackknife_of_club_sandwich(self, case: str) -> None:
        wanted = covariance(case, R["cases"][case]["club"]["crossing"])
        np.testing.assert_allclose(model(case, vcov="CR3", cluster="crossing").vcov(), wanted, rtol=1e-8)

    @pytest.mark.parametrize("kind", [*UNEQUAL, *ONE_WAY])
    def test_means(self, case: str, kind: str) -> None:
        """By the covariance of all dummy variables."""
        if case.startswith("slopes"):
            return
        options = {"vcov": kind} if kind in UNEQUAL else {"cluster": kind}
        name = kind if kind in UNEQUAL else f"CR1_{kind}"
        found, r = model(case, ssc=FULL, **options).emmeans("a").frame, R["cases"][case]["robust_means"][name]
        np.testing.assert_allclose(found["estimate"], r["estimate"], rtol=1e-9)
        np.testing.assert_allclose(found["se"], r["se"], rtol=1e-7)


NEGATIVE = [case for case in CASES if R["cases"][case]["not_definite"]["least"] < -1e-9]


@pytest.mark.parametrize("case", NEGATIVE)
def test_a_covariance_that_is_not_positive_semidefinite(case: str) -> None:
    """Its negative eigenvalues are set to zero, of the coefficients that are not absorbed, and it says so."""
    options: dict[str, Any] = {"ssc": interlace.ssc(K_fixef="full", G_df="conventional")}
    m = model(case, cluster=["region", "b"], **options)
    values, vectors = np.linalg.eigh(covariance(case, R["cases"][case]["not_definite"]["vcov"]))
    np.testing.assert_allclose(m.vcov(), (vectors * values.clip(0)) @ vectors.T, rtol=1e-7, atol=1e-11)
    negative = values.min() < -1e-9 * values.max()
    for said in (m.coef_table().note, m.anova().note, str(m.summary()).replace("\n", " ")):
        assert ("negative eigenvalues were set to zero" in said) is bool(negative)


@pytest.mark.parametrize("case", CASES)
class TestRows:
    def test_residuals_over_their_deviation(self, case: str) -> None:
        m, r = plain(case), R["cases"][case]
        np.testing.assert_allclose(m.residuals("studentized"), r["standardized"], rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(
            m.residuals("externally studentized"), r["studentized"], rtol=1e-8, atol=1e-9
        )
        np.testing.assert_allclose(m.augment()[".cooksd"], r["cooks"], rtol=1e-8, atol=1e-13)

    def test_predictions(self, case: str) -> None:
        m, r = plain(case), R["cases"][case]["predict"]
        new = data().iloc[r["at"]].assign(x=lambda rows: rows["x"] + 1)
        mean = m.predict(new, interval="confidence", level=0.9, se=True)
        np.testing.assert_allclose(mean["predicted"], r["fit"], rtol=1e-9)
        np.testing.assert_allclose(mean["se"], r["se"], rtol=1e-9)
        np.testing.assert_allclose(mean[["lower", "upper"]].T, [r["lower"], r["upper"]], rtol=1e-9)
        response = m.predict(new, interval="prediction", level=0.9)
        np.testing.assert_allclose(
            response[["lower", "upper"]].T, [r["new_lower"], r["new_upper"]], rtol=1e-9
        )

    def test_single_deletions(self, case: str) -> None:
        """R's table has the absorbed factors too, and AIC but for a constant."""
        m, r = plain(case), R["cases"][case]["drop1"]
        table = m.drop1()
        at = places(list(table.index), r["rows"])
        np.testing.assert_allclose(table["F"], np.array(r["F"])[at], rtol=1e-8)
        lrt = m.drop1(test="lrt")
        aic = np.array(r["aic"])[at]
        np.testing.assert_allclose(np.diff(lrt["aic"][1:]), np.diff(aic), rtol=1e-7, atol=1e-8)
        assert lrt["aic"].iloc[0] == pytest.approx(m.aic)
