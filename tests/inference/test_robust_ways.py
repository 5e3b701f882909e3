"""Clusters in several ways beside their definition in R and sandwich's vcovCL (r/robust_ways.R)."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats

import interlace
from interlace import ClusterRobust, LinearMixedModel
from interlace.errors import DataError, ModelError
from interlace.estimation.fit import Fit, at_theta
from reference_data import load_data

REFERENCE = json.loads((Path(__file__).parent / "r" / "robust_ways.json").read_text())
TABLE = pd.DataFrame(REFERENCE["data"])
CASES = range(len(REFERENCE["cases"]))
TWO = ["firm", "year"]


def fit_of(case: dict[str, Any], theta: list[float]) -> Fit:
    fit = interlace.lmer(case["formula"], TABLE, weights=case["weights"], offset=case["offset"]).fit
    return at_theta(fit.encoding, fit.design, theta)


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR1S"])
@pytest.mark.parametrize("number", CASES)
def test_definition(number: int, kind: str) -> None:
    case = REFERENCE["cases"][number]
    bound = ClusterRobust(kind, case["ways"]).bind(fit_of(case, case["theta"]))
    np.testing.assert_allclose(bound.vcov, case[kind], rtol=1e-8, atol=1e-11)
    se = np.sqrt(np.diagonal(case[kind]))
    np.testing.assert_allclose(bound.se(np.eye(len(se))), se, rtol=1e-9)


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR1S"])
def test_vcovcl(kind: str) -> None:
    case = {**REFERENCE["least_squares"], "weights": "w", "offset": None}
    bound = ClusterRobust(kind, TWO).bind(fit_of(case, [0.0]))
    np.testing.assert_allclose(bound.vcov, case[kind], rtol=1e-9, atol=1e-12)


@pytest.fixture(scope="module")
def model() -> LinearMixedModel:
    return interlace.lmer("y ~ x + f + (1 | firm)", TABLE)


def test_tables(model: LinearMixedModel) -> None:
    """Tests have as many df as the fewest clusters, less one."""
    chosen = ClusterRobust("CR1", TWO)
    table, V = model.coef_table(vcov=chosen), model.vcov("CR1", cluster=TWO).to_numpy()
    np.testing.assert_allclose(table["se"], np.sqrt(np.diagonal(V)))
    assert (table["df"] == 8).all()
    np.testing.assert_allclose(table["p"], 2 * stats.t.sf(np.abs(table["t"]), 8))
    b = model.fixef.to_numpy()[2:]
    wald = float(b @ np.linalg.solve(V[2:, 2:], b))
    for row in (model.anova(vcov=chosen).loc["f"], model.drop1(vcov=chosen).loc["f"]):
        np.testing.assert_allclose(row[["F", "num_df", "den_df"]].astype(float), [wald / 2, 2, 8])
    chisq = model.anova(type=3, test="chisq", vcov=chosen).loc["f"]
    np.testing.assert_allclose(chisq.astype(float), [wald, 2, stats.chi2.sf(wald, 2)])
    joint = model.contrast_test({"f[T.b]": 1}, vcov=chosen)
    assert pytest.approx(float(joint.rows["t"].iloc[0]) ** 2) == joint.F
    normal = model.coef_table(vcov=chosen, ddf="asymptotic")
    np.testing.assert_allclose(normal["p"], 2 * stats.norm.sf(np.abs(table["t"])))
    note = "CR1 covariance from clusters in 2 ways (20 firm, 9 year); 8 df: the fewest clusters, less one"
    assert note in str(model.summary(vcov=chosen))
    assert model.anova(vcov=chosen).attrs["note"] == note


def test_ways_to_say_it(model: LinearMixedModel) -> None:
    expected = model.vcov("CR1", cluster=TWO)
    firm, year = TABLE["firm"], TABLE["year"]
    both = TABLE[TWO]
    names = (("firm", "year"), ["year", "firm"], ["firm", "year", "firm"])
    arrays = ([firm, year], ["firm", year.to_numpy()], both.to_numpy(), np.column_stack([firm, year]))
    tables = (both, {"a": firm, "b": list(year)}, pl.from_pandas(both), pa.Table.from_pandas(both))
    for given in (*names, *arrays, *tables):
        pd.testing.assert_frame_equal(model.vcov("CR1", cluster=given), expected, rtol=1e-10)
    one = model.vcov("CR1")
    for given in (["firm"], [firm], list(firm), TABLE[["firm"]]):
        pd.testing.assert_frame_equal(model.vcov("CR1", cluster=given), one)


def test_nested_ways_are_the_outer_one(model: LinearMixedModel) -> None:
    outer = model.vcov("CR1", cluster="region")
    pd.testing.assert_frame_equal(model.vcov("CR1", cluster=["region", "firm"]), outer, rtol=1e-9)


def test_the_choice_is_a_value(model: LinearMixedModel) -> None:
    assert ClusterRobust("CR1", TWO) == ClusterRobust("CR1", tuple(TWO))
    assert hash(ClusterRobust("CR1", TWO)) == hash(ClusterRobust("CR1", tuple(TWO)))
    assert ClusterRobust("CR1", TWO) != ClusterRobust("CR1", "firm")
    assert pickle.loads(pickle.dumps(ClusterRobust("CR1", TWO))) == ClusterRobust("CR1", TWO)


def test_refused(model: LinearMixedModel) -> None:
    for kind in ("CR2", "CR3"):
        with pytest.raises(
            ModelError, match=f"{kind} is defined for one clustering of the rows, not for 2; use CR0"
        ):
            model.vcov(kind, cluster=TWO)
    crossed = interlace.lmer("y ~ x + (1 | firm) + (1 | year)", TABLE)
    with pytest.raises(ModelError, match=r"'year' are not nested in the clusters \(firm or region\)"):
        crossed.vcov("CR1", cluster=["firm", "region"])
    with pytest.raises(DataError, match=r"cluster 'yer' is no column of the data; did you mean 'year'"):
        model.vcov("CR0", cluster=["firm", "yer"])
    with pytest.raises(DataError, match="two clusters or more; w1 has 1"):
        interlace.lmer("y ~ x + (1 | firm)", TABLE.assign(w1=1)).vcov("CR0", cluster=["firm", "w1"])
    with pytest.raises(ModelError, match="9 clusters are too few for 9 coefficients"):
        wide = "y ~ " + " + ".join(f"I(x ** {i})" for i in range(1, 9)) + " + (1 | firm)"
        interlace.lmer(wide, TABLE).vcov("CR1p", cluster=TWO)


@pytest.mark.parametrize("odd", [1e308, -1, pd.NA, b"F", print, object(), float("nan"), True])
def test_no_clusters_at_all(model: LinearMixedModel, odd: Any) -> None:
    with pytest.raises(DataError, match="cluster must have one value per row"):
        model.vcov("CR0", cluster=odd)


@pytest.mark.parametrize("empty", [{}, pd.DataFrame(), np.zeros((172, 0))])
def test_no_column_of_clusters(model: LinearMixedModel, empty: Any) -> None:
    with pytest.raises(DataError, match="cluster has no column"):
        model.vcov("CR0", cluster=empty)


def test_not_positive_semidefinite() -> None:
    """Two clusters each way, and scores that cancel within both: a negative variance has no root."""
    a, b = np.repeat([0, 1], 20), np.tile([0, 1], 20)
    y = np.where(a == b, 1.0, -1.0) + 0.01 * np.sin(np.arange(40.0) * 3)
    m = interlace.lmer("y ~ 1 + (1 | a)", {"y": y, "a": a, "b": b})
    chosen = ClusterRobust("CR0", ["a", "b"])
    assert m.vcov("CR0", cluster=["a", "b"]).iloc[0, 0] < 0
    table = m.coef_table(vcov=chosen)
    assert table[["se", "df", "t", "p"]].isna().all(axis=None)
    assert "no robust standard error of Intercept" in str(m.summary(vcov=chosen))
    test = m.contrast_test({"Intercept": 1}, vcov=chosen)
    assert np.isnan([test.F, test.p]).all() and "no test" in test.note


# ---- columns that the model does not use ---

LIBRARIES = {
    "pandas": lambda d: d.copy(),
    "polars": pl.from_pandas,
    "pyarrow": pa.Table.from_pandas,
    "mapping": lambda d: {name: d[name].to_numpy() for name in d},
    "arrays": lambda d: d.to_records(index=False),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_any_column(library: str) -> None:
    gaps = TABLE.assign(x=TABLE["x"].where(np.arange(len(TABLE)) % 11 > 0))
    data = LIBRARIES[library](gaps)
    m = interlace.lmer("y ~ x + f + (1 | firm)", data)
    assert m.nobs < len(TABLE)
    for kind in ("CR0", "CR2", "CR3"):
        expected = m.vcov(kind, cluster=np.asarray(TABLE["region"]))
        pd.testing.assert_frame_equal(m.vcov(kind, cluster="region"), expected)
        assert not np.allclose(expected, m.vcov(kind))
    assert "5 clusters (region)" in str(m.summary(vcov=ClusterRobust("CR2", "region")))


def test_a_table_that_is_not_what_it_was() -> None:
    data = TABLE.copy()
    m = interlace.lmer("y ~ x + f + (1 | firm)", data)
    before = m.vcov("CR0", cluster="region")
    data["later"] = data["region"]  # another column is no change
    pd.testing.assert_frame_equal(m.vcov("CR0", cluster="later"), before)
    x = data["x"].copy()
    data["x"] = x.to_numpy()[::-1]
    with pytest.raises(
        DataError, match=r"the table is not what it was when the model was fitted \(column '.*' has other"
    ):
        m.vcov("CR0", cluster="later")
    data["x"] = x
    pd.testing.assert_frame_equal(m.vcov("CR0", cluster="later"), before)
    del data["f"]
    with pytest.raises(DataError, match="column 'f' has gone"):
        m.vcov("CR0", cluster="later")
    pd.testing.assert_frame_equal(m.vcov("CR0"), interlace.lmer("y ~ x + f + (1 | firm)", TABLE).vcov("CR0"))


@pytest.mark.skipif(pd.__version__ < "3", reason="pandas copies on write from version 3 on")
def test_a_column_is_that_of_the_time_of_the_fit() -> None:
    data = TABLE.copy()
    m = interlace.lmer("y ~ x + f + (1 | firm)", data)
    before = m.vcov("CR0", cluster="region")
    data.loc[:, "region"] = data["firm"].to_numpy()
    data.loc[:20, "x"] = 9.0
    pd.testing.assert_frame_equal(m.vcov("CR0", cluster="region"), before)


def test_a_pickled_model_leaves_the_table_behind() -> None:
    m = interlace.lmer("y ~ x + f + (1 | firm)", TABLE)
    assert np.isfinite(copy.deepcopy(m).vcov("CR0", cluster="region")).all(axis=None)
    again = pickle.loads(pickle.dumps(m))
    with pytest.raises(DataError, match=r"the table of the fit is not here .* give the values as an array"):
        again.vcov("CR0", cluster="region")
    pd.testing.assert_frame_equal(again.vcov("CR0", cluster=TABLE["region"]), m.vcov("CR0", cluster="region"))
    assert len(pickle.dumps(interlace.lmer("y ~ x + (1 | firm)", TABLE.assign(big="x" * 10_000)))) < 100_000


def test_refits_know_the_table() -> None:
    m = interlace.lmer(
        "Reaction ~ Days + (Days | Subject)", load_data("sleepstudy").assign(h=lambda d: d["Subject"])
    )
    again = m.refit(m.fitted + 5 * np.sin(np.arange(180.0)))
    pd.testing.assert_frame_equal(again.vcov("CR2", cluster="h"), again.vcov("CR2"))
