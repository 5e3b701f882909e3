"""Every table of tests with a cluster-robust covariance, against car and clubSandwich (r/robust_tables.R)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace import Asymptotic, ClusterRobust, KenwardRoger
from interlace.errors import DataError
from interlace.estimation.fit import at_theta
from interlace.model import LinearMixedModel
from made_data import nested
from reference_data import array, frame, load_data

REFERENCE = json.loads((Path(__file__).parent / "r" / "robust_tables.json").read_text())
PAIRS = [(name, kind) for name, case in REFERENCE.items() for kind in ("CR0", "CR1", "CR2")]
both = pytest.mark.parametrize(("name", "kind"), PAIRS)


@cache
def model(name: str) -> LinearMixedModel:
    """The model of R at R's theta."""
    r = REFERENCE[name]
    fit = interlace.lmer(r["formula"], load_data(r["data"]), reml=r["REML"]).fit
    return LinearMixedModel(at_theta(fit.encoding, fit.design, array(r["theta"]).ravel(), reml=r["REML"]))


def close(actual: Any, expected: Any, rtol: float = 1e-7) -> None:
    np.testing.assert_allclose(actual, np.asarray(expected, dtype=np.float64), rtol=rtol)


def same_p(actual: Any, expected: Any) -> None:
    """By their logarithm, where R's 1 - (lower tail) has digits."""
    expected = np.asarray(expected, dtype=np.float64)
    seen = expected > 1e-10
    np.testing.assert_allclose(np.log(np.asarray(actual)[seen]), np.log(expected[seen]), rtol=1e-4, atol=1e-5)


@both
def test_coefficients(name: str, kind: str) -> None:
    r = REFERENCE[name][kind]["coef"]
    table = model(name).coef_table(vcov=kind)
    close(table["se"], r["se"])
    close(table["df"], r["df"])
    same_p(table["p"], r["p"])
    same_p(model(name).coef_table(vcov=kind, ddf="asymptotic")["p"], r["p_z"])
    shown = model(name).summary(vcov=kind).coefficients
    pd.testing.assert_frame_equal(pd.DataFrame(shown), pd.DataFrame(table[list(shown)]))


@both
def test_intervals(name: str, kind: str) -> None:
    r, m = REFERENCE[name][kind]["coef"], model(name)
    rows = m.contrast_test(np.eye(len(m.fixef)), vcov=kind, level=0.9).rows
    close(rows["lower"], r["lower"], rtol=1e-6)
    close(rows["upper"], r["upper"], rtol=1e-6)


@both
def test_joint_wald(name: str, kind: str) -> None:
    r, m = REFERENCE[name][kind]["joint_chisq"], model(name)
    test = m.contrast_test(np.eye(len(m.fixef))[-2:], vcov=kind, ddf="asymptotic")
    assert (test.num_df, test.den_df) == (2, np.inf)
    close(test.F, r["F"])
    same_p([test.p], [r["p"]])


@both
@pytest.mark.parametrize("type", [2, 3])
def test_chi_square_tables(name: str, kind: str, type: int) -> None:
    expected = frame(REFERENCE[name][kind][f"chisq_{type}"])
    terms = ["1" if row == "(Intercept)" else row for row in expected.index]
    table = model(name).anova(test="chisq", type=type, vcov=kind, terms=terms)
    close(table["chisq"], expected["Chisq"])
    close(table["df"], expected["Df"])
    same_p(table["p"], expected["Pr(>Chisq)"])
    plain = model(name).anova(test="chisq", type=type, terms=terms)
    assert (np.abs(plain["chisq"] / table["chisq"] - 1) > 1e-4).all()


@both
@pytest.mark.parametrize("type", [2, 3])
def test_f_tables(name: str, kind: str, type: int) -> None:
    _assert_f(model(name).anova(type=type, vcov=kind), REFERENCE[name][kind][f"F_{type}"])


@both
def test_wald_f_of_the_interaction_is_that_of_its_coefficients(name: str, kind: str) -> None:
    expected = REFERENCE[name][kind]["drop1"]
    for type in (2, 3):
        table = model(name).anova(type=type, test="wald", vcov=kind).loc[expected[".rownames"]]
        close(table["F"], expected["F"], rtol=1e-6)
        close(table["den_df"], expected["den_df"], rtol=1e-6)


@both
def test_drop1(name: str, kind: str) -> None:
    _assert_f(model(name).drop1(vcov=kind), REFERENCE[name][kind]["drop1"])


def _assert_f(table: pd.DataFrame, expected: dict[str, Any]) -> None:
    assert list(table.index) == expected[".rownames"]
    for column in ("F", "num_df", "den_df"):
        close(table[column], expected[column], rtol=1e-6)  # lmerTest shows its hypotheses to 7 digits
    same_p(table["p"], expected["p"])


def test_words_and_objects_are_the_same() -> None:
    m = model("oats")
    by_word = m.anova(vcov="CR1")
    for chosen in (ClusterRobust("CR1"), ClusterRobust("CR1", "Block"), ClusterRobust("CR1", _blocks())):
        pd.testing.assert_frame_equal(m.anova(vcov=chosen), by_word, check_like=True)
        pd.testing.assert_frame_equal(m.anova(ddf=chosen), by_word)


def _blocks() -> np.ndarray:
    return np.asarray(load_data("Oats")["Block"])


def test_the_model_is_what_it_was() -> None:
    m = model("oats")
    for options in ({}, {"test": "chisq"}):
        pd.testing.assert_frame_equal(m.anova(vcov="model", **options), m.anova(**options))
    pd.testing.assert_frame_equal(m.coef_table(vcov="model"), m.coef_table())


def test_it_is_said() -> None:
    m = model("oats")
    note = "CR2 covariance from 6 clusters (Block)"
    assert m.anova(vcov="CR2").attrs["note"] == note
    assert m.anova(vcov="CR2", test="chisq").attrs["note"] == note
    assert m.contrast_test({"nitro": 1}, vcov="CR2").note == note
    assert note in str(m.summary(vcov="CR2"))
    normal = str(m.summary(vcov="CR2", ddf="asymptotic"))
    assert "the normal distribution with a cluster-robust covariance (CR2)" in normal
    assert note in normal
    assert m.drop1(vcov="CR1").attrs["heading"].endswith("with cluster-robust CR1 degrees of freedom")


def test_too_few_clusters_leave_no_number() -> None:
    """Three clusters: a covariance of rank three at most."""
    m = interlace.lmer("y ~ x * f + (1 | a)", nested(np.random.default_rng(6), (3, 5), 4))
    assert len(m.fixef) > 3
    table = m.anova(test="chisq", type=2, vcov="CR0")
    assert np.isfinite(table.loc["x:f", "chisq"]) == (table.loc["x:f", "df"] < 3)
    assert np.isnan(table.loc["f", "chisq"]) and np.isnan(table.loc["f", "p"])
    assert m.anova(test="wald", type=2, vcov="CR0").loc["f", ["F", "den_df", "p"]].isna().all()
    assert m.anova(test="chisq", type=2).notna().all(axis=None)


def test_what_does_not_go_together() -> None:
    m = model("oats")
    with pytest.raises(DataError, match="Kenward-Roger adjusts the covariance of the model"):
        m.coef_table(ddf=KenwardRoger(), vcov="CR2")
    with pytest.raises(DataError, match=r"ddf \(CR1\) and vcov \(CR2\) are both robust"):
        m.anova(ddf=ClusterRobust("CR1"), vcov="CR2")
    with pytest.raises(DataError, match=r"ddf \(CR1\) and vcov \(CR2\) are both robust"):
        m.anova(ddf=Asymptotic().robust(ClusterRobust("CR1")), vcov="CR2")
    with pytest.raises(DataError, match="a robust covariance is asked for by vcov"):
        m.anova(test="chisq", ddf=ClusterRobust("CR2"))
    with pytest.raises(DataError, match="leave ddf and vcov out"):
        m.drop1(test="lrt", vcov="CR2")
    with pytest.raises(DataError, match=r"vcov 'HC3' is not known: choose from model, CR0"):
        m.summary(vcov="HC3")
    with pytest.raises(DataError, match="not an object of type"):
        m.coef_table(vcov=m.vcov("CR2"))
