"""`lm` answers what mixed models and other packages answer, or says what to write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError, ModelError
from interlace.model.least import LinearModel
from interlace.model.linear import LinearMixedModel


def made(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    f, g, a = rng.integers(0, 6, n), rng.integers(0, 4, n), rng.choice(list("abc"), n)
    x, w = rng.normal(size=n), rng.uniform(0.5, 2, n)
    return pd.DataFrame({"y": x + f + rng.normal(size=n), "x": x, "a": a, "f": f, "g": g, "w": w})


def model(**options: Any) -> LinearModel:
    return interlace.lm("y ~ x + a | f + g", made(), **options)


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


@pytest.mark.parametrize("name", sorted(public(LinearMixedModel) - public(LinearModel)))
def test_what_mixed_models_have_is_refused_by_name(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"no attribute '{name}'; .+"):
        getattr(model(), name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("coef", "m.fixef"),
        ("f_test", "m.contrast_test"),
        ("get_prediction", "m.predict"),
        ("get_influence", "m.augment"),
        ("wald_test", "m.contrast_test"),
        ("fixef_", "m.fixef"),
        ("nobs_", "m.nobs"),
        ("ranef", "interlace.lmer"),
        ("is_singular", "interlace.lmer"),
        ("profile", "m.confint"),
        ("deviance", "m.sigma**2 * m.df_resid"),
        ("df_resid_", "m.df_resid"),
        ("check", "m.augment"),
        ("vcovHC", "m.vcov"),
        ("get_robustcov_results", "m.coef_table"),
        ("ssr", "m.sigma**2 * m.df_resid"),
        ("lsmeans", "emmeans"),
    ],
)
def test_names_of_other_packages(name: str, words: str) -> None:
    with pytest.raises(AttributeError) as raised:
        getattr(model(), name)
    assert words in str(raised.value)
    for written in str(raised.value).split("write m.")[1:]:  # what is written is there
        assert written.split("(")[0].split(",")[0].split(".")[0].split("[")[0] in public(LinearModel)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.coef_table(ddf="kenward-roger"), "ssc"),
        (lambda m: m.anova(robust=True), "vcov='HC1'"),
        (lambda m: m.anova(typ=2), "type="),
        (lambda m: m.predict(random="all"), "no random effects"),
        (lambda m: m.confint(alpha=0.1), "level="),
        (lambda m: m.vcov(cov_type="HC1"), "kind|vcov='HC1'"),
        (lambda m: m.coef_table(clusters="f"), "cluster="),
        (lambda m: interlace.lm("y ~ x", made(), cov_type="HC1"), "vcov='HC1'"),
        (lambda m: interlace.lm("y ~ x", made(), absorb="f"), "after a bar"),
        (lambda m: interlace.lm("y ~ x", made(), robust=True), "vcov='HC1'"),
        (lambda m: interlace.lm("y ~ x", made(), groups="f"), "cluster="),
        (lambda m: interlace.lm("y ~ x", made(), subset="f"), "select the rows"),
        (lambda m: interlace.lm("y ~ x", made(), fixef_rm="none"), "singletons="),
    ],
)
def test_options_of_other_packages(call: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        call(model())


@pytest.mark.parametrize("name", ["feols", "ols", "felm", "plm"])
def test_functions_of_other_packages(name: str) -> None:
    with pytest.raises(AttributeError, match=r"write interlace\.lm"):
        getattr(interlace, name)


def test_tables_of_broom() -> None:
    m = model(cluster="f")
    table, coefficients = m.tidy(conf_int=True, conf_level=0.9), m.coef_table()
    assert list(table.columns) == [
        "term", "estimate", "std.error", "statistic", "df", "p.value", "conf.low", "conf.high",
    ]  # fmt: skip
    np.testing.assert_array_equal(table["std.error"], coefficients["se"])
    np.testing.assert_array_equal(table["conf.low"], m.confint(level=0.9)["lower"])
    assert "CR1" in table.note and "conf.low" not in m.tidy(vcov="iid")
    whole = m.glance().iloc[0]
    assert whole["deviance"] == pytest.approx(m.sigma**2 * m.df_resid, rel=1e-14)
    assert whole["within.r.squared"] == m.r2()["within"]
    assert (whole["AIC"], whole["nobs"], whole["df.residual"]) == (m.aic, 120, m.df_resid)
    assert "within.r.squared" not in interlace.lm("y ~ x", made()).glance()


def test_intervals_of_some_coefficients() -> None:
    m = model()
    pd.testing.assert_frame_equal(m.confint(["x"]), m.confint().loc[["x"]])
    pd.testing.assert_frame_equal(m.confint("x", vcov="HC1"), m.confint(vcov="HC1").loc[["x"]])
    with pytest.raises(DataError, match="no coefficient 'z'; there are x"):
        m.confint("z")


def test_plain_data() -> None:
    found = json.loads(json.dumps(model(cluster="g").to_dict()))
    assert found["vcov"]["kind"] == "CR1" and found["absorbed"]["f"] == {"levels": 6, "rank": 6}
    assert found["fixef"]["x"] == model().fixef["x"]


@pytest.mark.parametrize("formula", ["y ~ x + a | f + g", "y ~ x + a", "y ~ a + offset(x) | f[x]"])
def test_responses_that_are_drawn(formula: str) -> None:
    m = interlace.lm(formula, made(), weights="w")
    drawn = m.simulate(400, seed=3)
    assert drawn.columns[:2].tolist() == ["sim_1", "sim_2"] and drawn.shape == (120, 400)
    again = m.simulate(2, seed=3)["sim_2"]
    np.testing.assert_array_equal(again, drawn["sim_2"])
    z = (drawn.to_numpy() - m.fitted.to_numpy()[:, None]) * np.sqrt(made()["w"].to_numpy())[:, None] / m.sigma
    assert abs(z.mean()) < 0.02 and abs(z.var() - 1) < 0.03 and abs(z.std(axis=1) - 1).max() < 0.2


def test_another_response() -> None:
    m, other = model(cluster="f", weights="w"), made()["y"].to_numpy()[::-1]
    fresh = interlace.lm("y ~ x + a | f + g", made().assign(y=other), cluster="f", weights="w")
    again = m.refit(other)
    np.testing.assert_allclose(again.coef_table(), fresh.coef_table(), rtol=1e-9)
    np.testing.assert_allclose(again.fitted, fresh.fitted, rtol=1e-9)
    assert again.loglik == pytest.approx(fresh.loglik) and again.r2() == pytest.approx(fresh.r2())
    np.testing.assert_allclose(again.absorbed()["estimate"], fresh.absorbed()["estimate"], atol=1e-9)
    with pytest.raises(DataError, match="one response"):
        m.refit(np.zeros((120, 2)))
    with pytest.raises(DataError, match="120"):
        m.refit(np.zeros(7))


def test_models_by_information_criteria() -> None:
    small, large = interlace.lm("y ~ x | f", made()), interlace.lm("y ~ x + a | f + g", made())
    mixed = interlace.lmer("y ~ x + (1 | f)", made(), reml=False)
    table = interlace.aic_table(small, large, mixed, names=["small", "large", "mixed"])
    assert dict(table["aic"]) == pytest.approx({"small": small.aic, "large": large.aic, "mixed": mixed.aic})
    test = interlace.compare(interlace.lm("y ~ x | f + g", made()), large)
    lrt = large.drop1(test="lrt").loc["a"]
    assert (lrt["lrt"], lrt["p"]) == pytest.approx((test["lrt"].iloc[1], test["p"].iloc[1]))


def test_tests_with_other_covariances() -> None:
    m = model()
    F = m.drop1(vcov="CR1", cluster="f").loc["a", "F"]
    assert pytest.approx(m.anova(type=2, vcov="CR1", cluster="f").loc["a", "F"]) == F
    with pytest.raises(DataError, match="one model"):
        m.anova(m)


class TestPredictions:
    def test_rows_of_the_fit(self) -> None:
        m = model(weights="w")
        table = m.predict(se=True)
        np.testing.assert_allclose(table["predicted"], m.fitted, rtol=1e-12)
        wanted = m.sigma * np.sqrt(np.asarray(m.leverage()) / made()["w"])
        np.testing.assert_allclose(table["se"], wanted, rtol=1e-9)

    def test_levels_that_do_not_meet(self) -> None:
        """Standard errors are those of the model with dummy variables wherever the levels have met."""
        rows = made()[lambda d: (d["f"] != 2) | (d["g"] == 1)]
        one, other = (
            interlace.lm(formula, rows) for formula in ("y ~ x | g + f", "y ~ x + factor(f) + factor(g)")
        )
        new = pd.DataFrame({"x": [0.0, 1.0], "f": [2, 2], "g": [0, 3]})
        for interval in ("confidence", "prediction"):
            pair = [m.predict(new, interval=interval, se=True) for m in (one, other)]
            pd.testing.assert_frame_equal(*pair, rtol=1e-9)

    def test_levels_that_no_rows_connect(self) -> None:
        rows = made().assign(g=lambda d: d["g"] % 2 + 2 * (d["f"] % 2))
        for m in (interlace.lm("y ~ x | f + g", rows), interlace.lmer("y ~ x + (1 | a) | f + g", rows)):
            with pytest.raises(DataError, match=r"row 1 .* joins f 0 and g 3, .* 1 such rows"):
                m.predict(pd.DataFrame({"x": [0.0, 1.0], "f": [0, 0], "g": [1, 3], "a": ["a", "a"]}))

    def test_robust_standard_errors(self) -> None:
        plain = interlace.lm("y ~ x + a", made(), vcov="HC3")
        X = plain.fit.X
        wanted = np.sqrt(np.einsum("ij,jk,ik->i", X, plain.vcov().to_numpy(), X))
        np.testing.assert_allclose(plain.predict(se=True)["se"], wanted, rtol=1e-12)
        with pytest.raises(ModelError, match="variance of a new response is not known where HC3"):
            plain.predict(interval="prediction")
        with pytest.raises(ModelError, match=r"ask for vcov='iid'"):
            model(cluster="f").predict(se=True)
        np.testing.assert_array_equal(
            model(cluster="f").predict(se=True, vcov="iid")["se"], model().predict(se=True)["se"]
        )

    def test_quantiles(self) -> None:
        m = interlace.lm("y ~ x", made())
        ends = [m.predict(interval="confidence", ddf=ddf) for ddf in ("satterthwaite", "asymptotic")]
        t, z = (one["upper"].iloc[0] - one["lower"].iloc[0] for one in ends)
        assert t / z == pytest.approx(1.980272249 / 1.959963985, rel=1e-7)

    def test_slopes_that_a_level_does_not_tell(self) -> None:
        """Where all its values are the same; those that are combinations of them are told."""
        rows = made().assign(z=lambda d: np.where(d["f"] == 2, 3.0, d["x"]), v=lambda d: d["w"])
        rows.loc[rows["f"] == 4, "v"] = 2 * rows["z"] + 1
        m = interlace.lm("y ~ a | f[z, v] + g", rows)
        np.testing.assert_allclose(m.predict(rows), m.fitted, rtol=1e-9)
        new = rows[rows["f"] == 4][:2].assign(z=[7.0, 7.0], v=[15.0, 15.1])
        assert np.isfinite(m.predict(new[:1])).all()
        for table, row in ((new, 1), (rows[rows["f"] == 2][:3].assign(z=[3.0, 3.0, 4.0]), 2)):
            with pytest.raises(DataError, match=rf"row {row} .* value of z, v that this level has not had"):
                m.predict(table)


def test_an_intercept_beside_absorbed_factors_is_there() -> None:
    """Left out or not, the levels make it; contrasts and means are the same."""
    for fit in (interlace.lm, interlace.lmer):
        random = " + (1 | g)" if fit is interlace.lmer else ""
        one, other = (fit(f"y ~ {first}x + a{random} | f", made()) for first in ("0 + ", ""))
        np.testing.assert_allclose(one.fixef, other.fixef, rtol=1e-12)
        assert one.fixef.index.tolist() == ["x", "a[T.b]", "a[T.c]"]
        pd.testing.assert_frame_equal(one.emmeans("a").frame, other.emmeans("a").frame)
        overall = fit(f"y ~ 0 + x{random} | f", made()).emmeans("1").frame
        pd.testing.assert_frame_equal(overall, fit(f"y ~ x{random} | f", made()).emmeans("1").frame)
    with_slopes = interlace.lm("y ~ 0 + x | f[[w]]", made())  # there is none, and it was left out
    assert with_slopes.fixef.index.tolist() == ["x"]


@pytest.mark.parametrize("name", ["a+b", "a^b", "a:b", "f + g"])
def test_clusters_of_a_column_with_signs_in_its_name(name: str) -> None:
    rows = made().assign(**{name: made()["f"] // 2}, a=1, b=2)
    one = interlace.lm("y ~ x", rows, cluster=name)
    np.testing.assert_array_equal(one.vcov(), interlace.lm("y ~ x", rows, cluster=rows[name]).vcov())


@pytest.mark.parametrize("both", ["f^g", "f:g", " f ^ g"])
def test_clusters_of_combinations(both: str) -> None:
    rows = made()
    cells = rows["f"] * 10 + rows["g"]
    np.testing.assert_array_equal(
        interlace.lm("y ~ x", rows, cluster=both).vcov(), interlace.lm("y ~ x", rows, cluster=cells).vcov()
    )
    several = [interlace.lm("y ~ x", rows, cluster=one).vcov() for one in ("f + g", ["f", "g"], "f+g+f")]
    np.testing.assert_array_equal(several[0], several[1])
    np.testing.assert_array_equal(several[0], several[2])


def test_likelihood_ratios_have_no_covariance() -> None:
    for options in ({"vcov": "HC1"}, {"cluster": "f"}):
        with pytest.raises(DataError, match="leave vcov and cluster out"):
            model().drop1(test="lrt", **options)


@pytest.mark.parametrize("singletons", ["keep", "drop"])
def test_absorbed_factors_of_files_are_refused(tmp_path: Path, singletons: str) -> None:
    """Rows are in memory, singletons dropped or kept."""
    made().to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(ModelError, match=r"rows in memory.*read_table"):
        interlace.lm("y ~ x | f", interlace.parquet(tmp_path / "rows.parquet"), singletons=singletons)
