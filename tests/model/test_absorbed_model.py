"""Mixed models with absorbed factors beside those with a dummy variable for each level: in lme4, lmerTest,
pbkrtest and emmeans (absorbed.R), and here."""

from __future__ import annotations

import json
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace import lmer
from interlace.errors import DataError, ModelError, RankDeficiencyWarning
from interlace.model.linear import LinearMixedModel
from interlace.model.with_absorbed import REFUSED, AbsorbedModel

R = json.loads((Path(__file__).parent / "absorbed.json").read_text())
# by the name of the case: absorbed factors, fixed part, random part
FACTORS = {
    "one": ("firm", "x + f", "(1 | worker)"),
    "crossed": ("firm + year", "x + f", "(1 | worker)"),
    "weights": ("firm + year", "x + f", "(1 | worker)"),
    "components": ("plant + season", "x + f", "(1 | worker)"),
    "interaction": ("firm^year", "x + f", "(1 | worker)"),
    "slopes": ("firm[z] + year", "x + f", "(1 | worker)"),
    "only_slopes": ("firm[[z]] + year", "x + f", "(1 | worker)"),
    "random_slopes": ("firm", "x + f", "(1 + x | worker)"),
    "random_crossed": ("firm + year", "x * f", "(1 | worker) + (1 | task)"),
}
CASES = list(R["cases"])


@cache
def data() -> pd.DataFrame:
    return pd.DataFrame(R["data"])


@cache
def model(case: str) -> LinearMixedModel:
    name, _, method = case.rpartition("_")
    absorbed, fixed, random = FACTORS[name]
    weights = "w" if name == "weights" else None
    return lmer(f"y ~ {fixed} + {random} | {absorbed}", data(), reml=method == "reml", weights=weights)


def in_r(name: str) -> str:
    """Our name of a coefficient as R has it, the members of an interaction in either order."""
    return name.replace("[T.", "").replace("]", "")


def place(name: str, names: list[str]) -> int:
    found = in_r(name)
    return names.index(found if found in names else ":".join(reversed(found.split(":"))))


def beside(case: str) -> tuple[list[str], list[int]]:
    """Coefficients of the model but an intercept, and where R has them."""
    ours = [name for name in model(case).fixef.index if name != "Intercept"]
    return ours, [place(name, R["cases"][case]["names"]) for name in ours]


@pytest.mark.parametrize("case", CASES)
class TestBesideLme4:
    def test_criterion(self, case: str) -> None:
        m, r = model(case), R["cases"][case]
        assert m.fit.optimum.value == pytest.approx(r["criterion"], rel=1e-9)
        assert m.loglik == pytest.approx(r["loglik"], rel=1e-9)
        assert (m.aic, m.bic) == pytest.approx((r["aic"], r["bic"]), rel=1e-9)
        assert m.df_resid == r["df_resid"]
        assert m.deviance == pytest.approx(r["deviance"], rel=1e-9)
        assert m.sigma == pytest.approx(r["sigma"], rel=1e-9)

    def test_coefficients(self, case: str) -> None:
        m, r = model(case), R["cases"][case]
        ours, at = beside(case)
        np.testing.assert_allclose(m.fixef[ours], np.array(r["beta"])[at], rtol=1e-9)
        np.testing.assert_allclose(m.se[ours], np.array(r["se"])[at], rtol=1e-9)

    def test_random_effects_and_fitted_values(self, case: str) -> None:
        m, r = model(case), R["cases"][case]
        modes = m.ranef()["worker"].to_numpy()
        np.testing.assert_allclose(modes, np.array(r["ranef"]).reshape(modes.shape), atol=1e-9)
        np.testing.assert_allclose(m.fitted, r["fitted"], atol=1e-9)

    def test_satterthwaite(self, case: str) -> None:
        """lmerTest's derivatives are differences."""
        m, r = model(case), R["cases"][case]
        ours, at = beside(case)
        np.testing.assert_allclose(m.coef_table()["df"][ours], np.array(r["satterthwaite"])[at], rtol=2e-7)
        table = m.anova()
        rows = [place(term, r["anova"]["rows"]) for term in table.index]
        np.testing.assert_allclose(table["F"], np.array(r["anova"]["F"])[rows], rtol=1e-6)

    @pytest.mark.parametrize("type", [1, 2])
    def test_anova(self, case: str, type: int) -> None:
        """Tests of type I take the absorbed factors first."""
        table, r = model(case).anova(type=type), R["cases"][case][f"anova_{type}"]
        if type == 1 and case.startswith(("slopes", "only_slopes", "interaction")):
            return  # lmerTest takes interactions with dummy variables after the other terms
        rows = [place(term, r["rows"]) for term in table.index]
        np.testing.assert_allclose(table["F"], np.array(r["F"])[rows], rtol=1e-6)
        np.testing.assert_allclose(table["den_df"], np.array(r["df"])[rows], rtol=1e-5)


@pytest.mark.parametrize("formula", ["y ~ x + (1 | worker) | {}", "y ~ x | {}"])
@pytest.mark.parametrize("others", ["year + firm", "year + task + firm", "year[z] + firm"])
def test_the_order_of_absorbed_factors_is_nothing_to_rows(formula: str, others: str) -> None:
    """Whichever of them has more levels."""
    fitting = lmer if "worker" in formula else interlace.lm
    orders = others, " + ".join(reversed(others.split(" + ")))
    one, other = (fitting(formula.format(order), data()) for order in orders)
    np.testing.assert_allclose(one.fitted, other.fitted, atol=1e-9)
    np.testing.assert_allclose(one.residuals(), other.residuals(), atol=1e-9)
    np.testing.assert_allclose(one.predict(data()[::5]), other.fitted[::5], atol=1e-9)
    if fitting is interlace.lm:
        np.testing.assert_allclose(one.residuals(), one.fit.residuals, atol=1e-12)


def having(answer: str) -> list[str]:
    """The cases to which R has this answer: pbkrtest leaves weights out and knows REML alone; pairs are those
    of a factor in no interaction."""
    return [case for case in CASES if answer in R["cases"][case]]


@pytest.mark.parametrize("case", having("anova_kr"))
def test_anova_by_kenward_roger(case: str) -> None:
    table, r = model(case).anova(type=2, ddf="kenward-roger"), R["cases"][case]["anova_kr"]
    rows = [place(term, r["rows"]) for term in table.index]
    np.testing.assert_allclose(table["F"], np.array(r["F"])[rows], rtol=1e-6)
    np.testing.assert_allclose(table["den_df"], np.array(r["df"])[rows], rtol=1e-6)


@pytest.mark.parametrize("case", having("kenward_roger"))
def test_kenward_roger(case: str) -> None:
    r = R["cases"][case]["kenward_roger"]
    table = model(case).coef_table(ddf="kenward-roger")
    ours, at = beside(case)
    np.testing.assert_allclose(table["df"][ours], np.array(r["ddf"])[at], rtol=1e-9)
    np.testing.assert_allclose(table["t"][ours] ** 2, np.array(r["F"])[at], rtol=1e-9)


@pytest.mark.parametrize("case", having("pairs"))
def test_pairs(case: str) -> None:
    r = R["cases"][case]["pairs"]
    found = model(case).emmeans("f").pairs(adjust="none").frame
    np.testing.assert_allclose(found["estimate"], r["estimate"], rtol=1e-6)
    np.testing.assert_allclose(found["se"], r["se"], rtol=1e-7)
    np.testing.assert_allclose(found["df"], r["df"], rtol=2e-7)


MEANS = [case for case in having("means") if not case.startswith("interaction")]


@pytest.mark.parametrize("case", MEANS)
def test_marginal_means_beside_emmeans(case: str) -> None:
    """Averages over the levels of the absorbed factors, with equal weights."""
    found, r = model(case).emmeans("f").frame, R["cases"][case]["means"]
    np.testing.assert_allclose(found["estimate"], r["estimate"], rtol=1e-7)
    np.testing.assert_allclose(found["se"], r["se"], rtol=1e-7)
    np.testing.assert_allclose(found["df"], r["df"], rtol=1e-6)


def dummies(weights: str | None = None, *, reml: bool = True) -> LinearMixedModel:
    formula = "y ~ factor(firm) + factor(year) + x + f + (1 | worker)"
    return lmer(formula, data(), reml=reml, weights=weights)


def absorbing(weights: str | None = None, *, reml: bool = True) -> LinearMixedModel:
    return lmer("y ~ x + f + (1 | worker) | firm + year", data(), reml=reml, weights=weights)


def numbers(answer: Any) -> np.ndarray:
    if isinstance(answer, dict):
        return np.concatenate([np.ravel(numbers(one)) for one in answer.values()])
    if isinstance(answer, pd.DataFrame):
        return answer.select_dtypes("number").to_numpy(dtype=float)
    return np.asarray(answer, dtype=float)


# What has a number for each coefficient is cut to those of both models.
ANSWERS = {
    "condvar": lambda m: m.condvar(),
    "varcorr": lambda m: m.varcorr(se=True),
    "anova_1": lambda m: m.anova(type=1).loc[["x", "f"]],
    "anova_2": lambda m: m.anova(type=2).loc[["x", "f"]],
    "anova_kr": lambda m: m.anova(ddf="kenward-roger").loc[["x", "f"]],
    "ranova": lambda m: m.ranova(),
    "drop1": lambda m: m.drop1().loc[["x", "f"]],
    "drop1_lrt": lambda m: m.drop1(test="lrt").loc[["x", "f"]],
    "joint": lambda m: m.joint_tests().loc[["x", "f"]],
    "trends": lambda m: m.emtrends("x", "f").frame,
    "means": lambda m: m.emmeans("f").frame,
    "mean_of_all": lambda m: m.emmeans("1", at={"x": 2.0}).frame,
    "means_kr": lambda m: m.emmeans("f", ddf="kenward-roger").frame,
    "means_normal": lambda m: m.emmeans("f", ddf="asymptotic").test(null=1.0),
    "glance": lambda m: m.glance(),
    "r2": lambda m: m.r2(),
    "icc": lambda m: m.icc(),
    "profile": lambda m: m.profile().confint().loc[["x", "sigma", "sd_Intercept|worker"]],
    "bootstrap": lambda m: m.bootstrap(5, seed=1).confint("basic").loc[["x", "sigma"]],
    "residual_bootstrap": lambda m: m.bootstrap(5, kind="residual", seed=1).confint("basic").loc[["x"]],
    "simulate": lambda m: m.simulate(2, 1),
    "refit": lambda m: m.refit(data()["y"].to_numpy()[::-1]).vcov().loc[["x"], ["x"]],
    "other_criterion": lambda m: m.refit(reml=not m.reml).vcov().loc[["x"], ["x"]],
    "many": lambda m: m.refit(np.random.default_rng(1).normal(size=(240, 3))).query("term in ['x', 'sigma']"),
    "predict": lambda m: m.predict(data()[::7], interval="prediction", se=True),
    "predict_fixed": lambda m: m.predict(random="none", interval="confidence"),
    "meets_anew": lambda m: m.predict(data()[:12].assign(worker=3, firm=range(1, 13)), se=True),
    **{f"residuals {kind}": (lambda m, kind=kind: m.residuals(kind)) for kind in (
        "pearson", "standardized", "studentized", "externally-studentized", "marginal", "marginal-pearson",
        "marginal-studentized", "marginal-cholesky",
    )},
}  # fmt: skip


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("answer", list(ANSWERS))
def test_answers_are_those_of_dummies(answer: str, weights: str | None) -> None:
    ask = ANSWERS[answer]
    ours, theirs = numbers(ask(absorbing(weights))), numbers(ask(dummies(weights)))
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("answer", ["condvar", "means", "profile", "many", "refit", "anova_2", "varcorr"])
def test_answers_by_maximum_likelihood(answer: str) -> None:
    ask = ANSWERS[answer]
    ours, theirs = numbers(ask(absorbing(reml=False))), numbers(ask(dummies(reml=False)))
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-8)


def test_several_models() -> None:
    small = lmer("y ~ x + (1 | worker) | firm + year", data())
    smaller = lmer("y ~ x + factor(firm) + factor(year) + (1 | worker)", data())
    for ask in (interlace.compare, interlace.aic_table):
        ours, theirs = ask(small, absorbing()), ask(smaller, dummies())
        np.testing.assert_allclose(numbers(ours), numbers(theirs), rtol=1e-9, atol=1e-9)
    with pytest.raises(ModelError, match="different fixed parts"):
        interlace.compare(small, lmer("y ~ x + (1 | worker) | firm", data()), refit=False)


class TestLevels:
    def test_the_effects_are_those_of_dummies(self) -> None:
        table = model("crossed_reml").absorbed()
        full = dummies().fixef
        firm = table.query("factor == 'firm'").set_index("level")["estimate"]
        year = table.query("factor == 'year'").set_index("level")["estimate"]
        for level in range(2, 13):
            assert firm[level] - firm[1] == pytest.approx(full[f"factor(firm)[T.{level}]"], abs=1e-9)
        for level in range(2, 6):
            assert year[level] - year[1] == pytest.approx(full[f"factor(year)[T.{level}]"], abs=1e-9)
        assert year[1] == 0.0 and firm[1] == pytest.approx(full["Intercept"], abs=1e-9)
        assert list(table.columns) == ["factor", "level", "coefficient", "estimate", "component"]
        assert "the first level of every absorbed factor but the first has the intercept 0" in table.note

    def test_components(self) -> None:
        m = model("components_reml")
        table = m.absorbed()
        assert sorted(table["component"].unique()) == [0, 1]
        assert "of rank 14, in 2 connected components" in str(m.summary())

    def test_slopes(self) -> None:
        table = model("slopes_reml").absorbed()
        assert table.query("factor == 'firm[z]'")["coefficient"].tolist() == ["Intercept", "z"] * 12

    def test_the_summary_says_what_is_absorbed(self) -> None:
        text = str(model("crossed_reml").summary())
        assert (
            "Absorbed fixed effects (levels):  firm, 12; year, 5\n  (of rank 16, in 1 connected component)"
            in text
        )
        assert "Absorbed" not in str(dummies().summary())


class TestNewData:
    def test_a_level_that_the_fit_has_not_seen(self) -> None:
        new = data()[:4].assign(firm=[1, 77, 2, 78])
        with pytest.raises(
            DataError, match=r"'firm' has levels in 2 rows that the fit has not seen.*: 77, 78;"
        ):
            model("crossed_reml").predict(new)

    def test_the_factor_must_be_there(self) -> None:
        with pytest.raises(DataError, match="no column 'year'"):
            model("crossed_reml").predict(data()[["x", "f", "worker", "firm"]], random="none")

    def test_missing_values_give_none(self) -> None:
        new = data()[:3].assign(firm=[1.0, np.nan, 2.0])
        assert model("crossed_reml").predict(new).isna().tolist() == [False, True, False]


class TestColumns:
    def test_a_column_that_the_factors_explain_is_named(self) -> None:
        with pytest.warns(RankDeficiencyWarning, match="that the absorbed factors explain.*: size"):
            m = lmer("y ~ x + size + (1 | worker) | firm", data().assign(size=data()["firm"] ** 2.0))
        assert m.fixef.index.tolist() == ["x"] and m.fit.dropped == ("size",)

    def test_functions_of_it_are_not_estimable(self) -> None:
        with pytest.warns(RankDeficiencyWarning):
            m = lmer(
                "y ~ x + g + (1 | worker) | firm", data().assign(g=np.where(data()["firm"] > 6, "b", "a"))
            )
        assert np.isnan(m.emmeans("g").pairs().frame["estimate"]).all()

    def test_means_that_are_not_told(self) -> None:
        """With other weights, where a combination does not occur, and where components have unequal shares of
        the levels."""
        crossed, table = model("crossed_reml"), data()[(data()["plant"] != 104) | (data()["worker"] % 2 == 0)]
        apart = lmer("y ~ x + f + (1 | worker) | plant + season", table)
        for means in (
            crossed.emmeans("f", weights="proportional"),
            model("interaction_reml").emmeans("f"),
            apart.emmeans("f"),
        ):
            assert means.frame["estimate"].isna().all()
            assert means.pairs().frame["estimate"].notna().all()

    def test_hardly_anything_is_left_of_a_column(self) -> None:
        table = data().assign(x=data()["x"] + 1e6 * data()["firm"])
        with pytest.raises(ModelError, match=r"leave .* of the length of 'x'.*interlace\.demean"):
            lmer("y ~ x + (1 | worker) | firm", table)
        table["x"] = interlace.demean(table, "x", "firm")["x"]
        found = lmer("y ~ x + (1 | worker) | firm", table).fixef["x"]
        assert found == pytest.approx(lmer("y ~ x + (1 | worker) | firm", data()).fixef["x"], rel=1e-8)

    def test_large_means_of_the_response(self) -> None:
        moved = lmer(
            "y ~ x + f + (1 | worker) | firm + year", data().assign(y=data()["y"] + 1e7 * data()["firm"])
        )
        np.testing.assert_allclose(moved.fixef, absorbing().fixef, rtol=1e-7)
        np.testing.assert_allclose(moved.sigma, absorbing().sigma, rtol=1e-8)

    def test_no_column_at_all(self) -> None:
        m = lmer("y ~ 1 + (1 | worker) | firm", data())
        assert m.fixef.empty and m.loglik == pytest.approx(
            lmer("y ~ factor(firm) + (1 | worker)", data()).loglik, rel=1e-12
        )


class TestErrors:
    @pytest.mark.parametrize(
        ("formula", "message"),
        [
            ("y ~ x + (1 | worker) | firm + copy", "absorbed factor copy says nothing beside firm"),
            ("y ~ x + (1 | worker) | region + firm", "absorbed factor region says nothing beside firm"),
            (
                "y ~ x + (1 | firm) | firm",
                r"nothing is left of \(1 \| firm\) beside the absorbed factors firm",
            ),
            ("y ~ x + (1 | region) | firm", r"nothing is left of \(1 \| region\)"),
            ("constant ~ x + (1 | worker) | firm", "fit the response exactly"),
            ("y ~ x + (1 | worker) | row", "240 rows cannot tell"),
            (
                "y ~ x + (1 | worker) | firm[size] + region[size]",
                r"region\[size\] says nothing beside firm\[size\]",
            ),
        ],
    )
    def test_models_that_are_none(self, formula: str, message: str) -> None:
        table = data().assign(
            copy=data()["firm"].astype(str), region=data()["firm"] // 4, row=range(240), size=data()["x"],
            constant=data()["firm"] * 2.0,
        )  # fmt: skip
        with pytest.raises(ModelError, match=message):
            lmer(formula, table)

    @pytest.mark.parametrize("name", sorted(REFUSED))
    def test_refused_methods(self, name: str) -> None:
        with pytest.raises(ModelError, match=rf"m\.{name} is not there for a model with absorbed factors"):
            getattr(model("one_reml"), name)("worker")

    def test_others_that_are_refused(self) -> None:
        m = model("one_reml")
        for call in (
            lambda: m.plot,
            lambda: m.vcov("CR0", cluster="worker"),
            lambda: m.bootstrap(3, kind="case", seed=1),
            lambda: m.bootstrap(3, kind="wild", seed=1),
            lambda: m.bootstrap(30, seed=1).confint("bca"),
            lambda: interlace.power(m, n=3),
            lambda: interlace.compare_cv([m, m]),
        ):
            with pytest.raises(ModelError, match="absorbed factors"):
                call()

    def test_every_method_is_known_to_be_right_or_refused(self) -> None:
        """A new method of models is looked at beside absorbed factors before it is in one of the lists."""
        public = {name for name in dir(LinearMixedModel) if not name.startswith("_")}
        assert public == RIGHT | set(REFUSED) | {"plot"}


# Beside dummies, in this file or by what they are made of.
RIGHT = {
    "aic", "anova", "bic", "bootstrap", "bse", "coef", "coef_table", "condvar", "conf_int", "confint",
    "cov_params", "endog_names", "fittedvalues", "llf", "model_matrix", "params", "pvalues", "random_effects",
    "resid",
    "tvalues",
    "contrast_test",
    "convergence", "deviance", "df_resid", "drop1", "emmeans", "emtrends", "fit", "fitted", "fixef",
    "formula", "glance", "icc", "is_singular", "joint_tests", "loglik", "ngroups", "nobs", "predict",
    "profile", "r2", "ranef", "ranova", "refit", "reml", "reml_criterion", "residuals", "se", "sigma",
    "simulate", "summary", "theta", "tidy", "to_dict", "update", "varcorr", "vcov",
    "equation", "report", "save", "without_rows",
}  # fmt: skip


class TestLaws:
    def test_order_of_factors_rows_and_levels(self) -> None:
        turned = data().sample(frac=1.0, random_state=1)
        turned["firm"] = 100 - turned["firm"]
        m = lmer("y ~ x + f + (1 | worker) | year + firm", turned)
        assert m.fit.optimum.value == pytest.approx(absorbing().fit.optimum.value, rel=1e-12)
        np.testing.assert_allclose(m.fixef, absorbing().fixef, rtol=1e-8)

    def test_what_they_explain_can_be_added(self) -> None:
        table = data().assign(y=data()["y"] + 3.0 * data()["firm"] - data()["year"])
        m = lmer("y ~ x + f + (1 | worker) | firm + year", table)
        np.testing.assert_allclose(m.fixef, absorbing().fixef, rtol=1e-8)
        np.testing.assert_allclose(m.theta, absorbing().theta, rtol=1e-6)

    def test_the_absorbed_factor_may_be_the_largest(self) -> None:
        m = lmer("y ~ x + (1 | firm) | worker", data())
        full = lmer("y ~ x + factor(worker) + (1 | firm)", data())
        assert m.loglik == pytest.approx(full.loglik, rel=1e-12)
        np.testing.assert_allclose(m.se["x"], full.se["x"], rtol=1e-9)

    def test_slopes_of_the_largest_factor(self) -> None:
        m = lmer("y ~ x + (1 | firm) | worker[z]", data())
        full = lmer("y ~ x + factor(worker) + factor(worker):z + (1 | firm)", data())
        assert m.loglik == pytest.approx(full.loglik, rel=1e-10)

    def test_a_slope_whose_column_is_constant_in_a_level(self) -> None:
        table = data().assign(s=np.where(data()["firm"] == 3, 2.0, data()["z"]))
        m = lmer("y ~ x + (1 | worker) | firm[s] + year", table)
        with pytest.warns(RankDeficiencyWarning):
            full = lmer("y ~ x + factor(firm) + factor(firm):s + factor(year) + (1 | worker)", table)
        assert m.loglik == pytest.approx(full.loglik, rel=1e-10) and m.df_resid == full.df_resid
        np.testing.assert_allclose(m.se["x"], full.se["x"], rtol=1e-9)
        found = m.absorbed().query("factor == 'firm[s]' and level == 3").set_index("coefficient")["estimate"]
        assert found["s"] == 0.0 and np.isnan(m.emmeans("1").frame["estimate"]).all()

    def test_penalties_are_those_of_random_effects(self) -> None:
        ours, theirs = absorbing().fit.solution, dummies().fit.solution
        assert (ours.ussq, ours.wrss) == pytest.approx((theirs.ussq, theirs.wrss), rel=1e-8)

    @pytest.mark.parametrize("random", ["(1 + x || worker)", "(0 + x | firm) + (1 | worker)"])
    def test_one_search_is_enough(self, random: str) -> None:
        """The columns of random terms, summed over the levels, are in the span of X and of the levels."""
        rng, n = np.random.default_rng(2), 3000
        table = pd.DataFrame(
            {"worker": np.arange(n) % 150, "firm": rng.integers(0, 40, n), "x": rng.normal(size=n)}
        )
        table["year"] = np.arange(n) // 150 % 4
        table["y"] = table["x"] + rng.normal(size=150)[table["worker"]] + rng.normal(size=n) + table["firm"]
        m = lmer(f"y ~ x + {random} | firm + year", table)
        assert m.fit.optimum.searches == 1 and m.convergence.status == "converged"

    @pytest.mark.slow
    def test_thousands_of_firms_and_workers(self) -> None:
        """Five thousand absorbed firms beside 20,000 random workers; a tenth of these move each year."""
        rng, n, years = np.random.default_rng(1), 20_000, 10
        firm = np.empty((n, years), dtype=np.int64)
        firm[:, 0] = rng.integers(0, 5000, n)
        for year in range(1, years):
            firm[:, year] = np.where(rng.random(n) < 0.1, rng.integers(0, 5000, n), firm[:, year - 1])
        table = pd.DataFrame({"worker": np.repeat(np.arange(n), years), "firm": firm.ravel()})
        table["year"], table["x"] = np.tile(np.arange(years), n), rng.normal(size=n * years)
        effects = rng.normal(size=n)[table["worker"]] + rng.normal(size=5000)[table["firm"]]
        table["y"] = table["x"] + effects + rng.normal(size=n * years)
        m = lmer("y ~ x + (1 | worker) | firm + year", table)
        assert m.convergence.status == "converged" and m.convergence.evaluations <= 8
        assert m.fit.optimum.gradients == 0
        assert (m.sigma, m.theta[0], m.fixef["x"]) == pytest.approx((1.0, 1.0, 1.0), abs=0.02)
        left = table["y"] - m.fitted
        for name in ("firm", "year"):
            assert abs(left.groupby(table[name]).sum()).max() < 1e-7

    def test_pickles(self) -> None:
        again = pickle.loads(pickle.dumps(absorbing()))
        assert isinstance(again, AbsorbedModel)
        np.testing.assert_array_equal(again.vcov(), absorbing().vcov())
        np.testing.assert_array_equal(again.absorbed()["estimate"], absorbing().absorbed()["estimate"])
