"""Studentized intervals of a bootstrap beside models fitted to each draw."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace import lmer
from interlace.datasets import load
from interlace.errors import ModelError
from interlace.prediction.simulate import drawn
from interlace.refitting.cases import Cases
from interlace.refitting.parallel import generator_of


@pytest.fixture(scope="module")
def sleep() -> Any:
    return lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))


def test_studentized_by_its_formula(sleep: Any) -> None:
    b = sleep.bootstrap(300, seed=3)
    t = (b.draws["Days"] - sleep.fixef["Days"]) / b.errors[:, -1]
    low, high = np.quantile(t, [0.025, 0.975])
    found = b.confint("studentized")
    assert list(found.index) == list(b.names)
    est, se = sleep.fixef["Days"], sleep.se["Days"]
    np.testing.assert_allclose(found.loc["Days"], [est, est - high * se, est - low * se])
    mine = sleep.bootstrap(300, seed=3, statistic=lambda r: r.fixef, se=lambda r: r.se)
    np.testing.assert_allclose(mine.confint("studentized"), found.loc[["Intercept", "Days"]], rtol=1e-9)
    with pytest.raises(ModelError, match="studentized intervals need"):
        sleep.bootstrap(5, statistic=lambda r: r.sigma, seed=1).confint("studentized")
    with pytest.raises(ModelError, match="reb2"):
        sleep.bootstrap(20, kind="reb2", seed=1).confint("studentized")


@pytest.mark.parametrize("kind", ["parametric", "case"])
def test_studentized_variances_by_refits(kind: str, sleep: Any) -> None:
    """t of each draw from a model fitted to it, with the errors of `varcorr(se=True)`, by log and z."""
    s, b = load("sleepstudy"), sleep.bootstrap(40, kind=kind, seed=3)
    rows, logs, z = [], [], []
    for i in range(40):
        if kind == "case":
            picked, codes = Cases.of(sleep.fit, None).sample(generator_of(3, i))
            table = s.iloc[picked].assign(Subject=[f"s{c:02d}" for c in codes["Subject"]])
        else:
            table = s.assign(Reaction=drawn(sleep.fit, generator_of(3, i)))
        v = lmer(sleep.formula, table).varcorr(se=True)
        logs.append((np.log(v["sd"]), v["sd_se"] / v["sd"]))
        z.append((v["corr"][2], v["corr_se"][2]))
    own = sleep.varcorr(se=True)
    for j, name in ((1, "sd_Days|Subject"), (3, "sigma")):
        t = [(v[j] - np.log(own["sd"][j])) / e[j] for v, e in logs]
        low, high = np.quantile(t, [0.05, 0.95]) * own["sd_se"][j] / own["sd"][j]
        rows.append((name, own["sd"][j], own["sd"][j] * np.exp(-high), own["sd"][j] * np.exp(-low)))
    r = own["corr"][2]
    v, e = np.array([one for one in z if np.isfinite(one[1])]).T
    t = (np.arctanh(v) - np.arctanh(r)) / (e / (1 - v**2))
    low, high = np.quantile(t, [0.05, 0.95]) * own["corr_se"][2] / (1 - r**2)
    rows.append(
        ("cor_Days.Intercept|Subject", r, np.tanh(np.arctanh(r) - high), np.tanh(np.arctanh(r) - low))
    )
    found = b.confint("studentized", level=0.9)
    for name, *expected in rows:
        np.testing.assert_allclose(found.loc[name], expected, rtol=1e-5, err_msg=name)
    lost = sum(np.isfinite(one[0]) for one in z) - len(t)
    assert (f"{lost} of 40 refits have no standard error of cor_" in found.note) == (lost > 0)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_refits_at_a_variance_of_zero_have_no_standard_error() -> None:
    d = load("dyestuff").iloc[:20].assign(Yield=lambda d: d["Yield"] + 40 * np.sin(np.arange(20.0) ** 2))
    m = lmer("Yield ~ 1 + (1 | Batch)", d)
    assert m.sigma > 0 and m.varcorr()["sd"].iloc[0] > 0
    b = m.bootstrap(60, seed=1)
    found = b.confint("studentized")
    assert 0 < b.n_singular < 60
    assert f"{b.n_singular} of 60 refits have no standard error of sd_Intercept|Batch" in found.note
    assert np.isfinite(found.to_numpy()).all()
    zero = lmer("Yield ~ 1 + (1 | Batch)", load("dyestuff2")).bootstrap(20, seed=1).confint("studentized")
    assert "sd_Intercept|Batch" not in zero.index and "without a standard error" in zero.note


def test_studentized_variances_of_other_structures_threads_and_pickles(sleep: Any) -> None:
    b = sleep.bootstrap(30, seed=3)
    found = b.confint("studentized")
    for other in (sleep.bootstrap(30, seed=3, n_jobs=2), pickle.loads(pickle.dumps(b)), sleep.bootstrap(
        11, seed=3
    ).append(19)):  # fmt: skip
        pd.testing.assert_frame_equal(pd.DataFrame(other.confint("studentized")), pd.DataFrame(found))
    table = sleep.confint(["sigma"], method="bootstrap", kind="studentized", n=30, seed=3)
    np.testing.assert_allclose(table.loc["sigma"], found.loc["sigma"])
    m = lmer("Reaction ~ Days + cs(Days | Subject)", load("sleepstudy"))
    same = m.bootstrap(30, seed=3).confint("studentized")  # with two effects the same model
    np.testing.assert_allclose(same.loc["sigma"], found.loc["sigma"], rtol=1e-5)
    np.testing.assert_allclose(same.loc["rho|Subject"], found.loc["cor_Days.Intercept|Subject"], rtol=1e-4)
