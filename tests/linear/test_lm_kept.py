"""Linear models as pages and as files, with their rows and without them."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.dataset
import pytest

import interlace
from interlace.errors import DataError, ModelError


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    data = interlace.datasets.load("machines")
    data.loc[3, "score"] = np.nan
    data["w"] = np.linspace(1, 2, len(data))
    return data


def words(path: Path) -> str:
    text = re.sub(r"<style>.*?</style>|<math.*?</math>", "", path.read_text(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_the_page_of_a_model_with_absorbed_factors(data: pd.DataFrame, tmp_path: Path) -> None:
    m = interlace.lm("score ~ Machine | Worker", data, cluster="Worker")
    m.report(tmp_path / "page.html", level=0.9)
    text = words(tmp_path / "page.html")
    row = m.coef_table(level=0.9).loc["Machine[T.B]"]
    for said in (
        "Linear model of score",
        "was fitted by least squares to 53 rows (1 more was left out because of missing",
        "The levels of Worker are fixed effects that were absorbed.",
        f"Machine[T.B]: {row['estimate']:.4g}, 90 % confidence interval from {row['lower']:.4g}",
        f"standard deviation of the residuals is {m.sigma:.4g}, with {m.df_resid} degrees of freedom",
        f"it explains {100 * m.r2()['within']:.1f} %", "Tests of terms",
        "CR1 covariance from clusters (6 Worker)",
    ):  # fmt: skip
        assert said in text, said
    assert "<math" in (tmp_path / "page.html").read_text()


def test_the_page_of_weights_and_of_columns_that_depend_on_others(data: pd.DataFrame, tmp_path: Path) -> None:
    twice = data.assign(a=np.arange(len(data)), b=2.0 * np.arange(len(data)))
    with pytest.warns(interlace.RankDeficiencyWarning):
        m = interlace.lm("score ~ a + b", twice, weights="w", vcov="HC1")
    m.report(tmp_path / "page.html", title="Mine")
    text = words(tmp_path / "page.html")
    assert "Mine" in text and "Rows have prior weights" in text and "explain b: it has no coefficient" in text


def test_the_page_of_rows_in_chunks(data: pd.DataFrame, tmp_path: Path) -> None:
    table = pyarrow.Table.from_pandas(data.dropna())
    m = interlace.lm("score ~ Machine", interlace.chunks(pyarrow.dataset.dataset(table)))
    m.report(tmp_path / "page.html")
    assert "fitted by least squares to 53 rows" in words(tmp_path / "page.html")


@pytest.mark.parametrize("vcov", [{}, {"vcov": "HC3"}, {"cluster": "Worker"}], ids=str)
def test_without_rows_it_answers_what_looks_at_none(
    vcov: dict[str, Any], data: pd.DataFrame, tmp_path: Path
) -> None:
    m = interlace.lm("score ~ Machine + poly(w, 2)", data, **vcov)
    m.save(tmp_path / "whole.interlace")
    m.save(tmp_path / "small.interlace", rows=False)
    for small in (m.without_rows(), interlace.load(tmp_path / "small.interlace"),
                  pickle.loads(pickle.dumps(m.without_rows())), m.without_rows().without_rows()):  # fmt: skip
        pd.testing.assert_frame_equal(small.coef_table(), m.coef_table())
        pd.testing.assert_frame_equal(small.vcov(), m.vcov())
        pd.testing.assert_frame_equal(small.glance(), m.glance())
        assert str(small.summary()) == str(m.summary())
        assert str(interlace.modeltable([small])) == str(interlace.modeltable([m]))
        pd.testing.assert_series_equal(small.predict(data.head()), m.predict(data.head()))
        assert str(small.contrast_test("Machine[T.B] = 0")) == str(m.contrast_test("Machine[T.B] = 0"))
        small.report(tmp_path / "page.html")
        for refused in (lambda m: m.fitted, lambda m: m.residuals(), lambda m: m.coef_table(vcov="HC0")):
            with pytest.raises(DataError, match="the model was made without them"):
                refused(small)
        with pytest.raises(DataError, match="give them by data="):
            small.update("~ 1")
    whole = interlace.load(tmp_path / "whole.interlace")
    pd.testing.assert_series_equal(whole.residuals(), m.residuals())


def test_what_absorbed_levels_need_of_the_rows(data: pd.DataFrame, tmp_path: Path) -> None:
    m = interlace.lm("score ~ Machine | Worker", data)
    with pytest.raises(ModelError, match="the effects of the levels of Worker are found from the rows"):
        m.save(tmp_path / "small.interlace", rows=False)
    m.save(tmp_path / "whole.interlace")
    whole = interlace.load(tmp_path / "whole.interlace")
    pd.testing.assert_frame_equal(whole.coef_table(), m.coef_table())
    pd.testing.assert_series_equal(whole.predict(data.head()), m.predict(data.head()))


def test_a_model_of_the_iterative_engine_is_saved(tmp_path: Path) -> None:
    data = interlace.datasets.load("penicillin")
    m = interlace.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", data, solver="iterative", seed=3)
    m.save(tmp_path / "model.interlace")
    m.save(tmp_path / "small.interlace", rows=False)
    for name in ("model", "small"):
        found = interlace.load(tmp_path / f"{name}.interlace")
        assert type(found) is type(m) and (name == "small" or str(found.summary()) == str(m.summary()))
        pd.testing.assert_frame_equal(found.monte_carlo(), m.monte_carlo())
        pd.testing.assert_series_equal(found.predict(data.head()), m.predict(data.head()))
        assert str(found.equation()) == str(m.equation())


def test_what_must_be_said_of_a_covariance_stands_on_the_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    data = {name: rng.integers(0, 3, 60).astype(str) for name in ("g", "h")}
    data |= {"x": rng.normal(size=60), "z": rng.normal(size=60), "y": rng.normal(size=60)}
    m = interlace.lm("y ~ x * z + I(x**2) + I(z**2)", data, cluster=["g", "h"])
    m.report(tmp_path / "page.html")
    for note in m.summary().notes:
        assert note[1:] in words(tmp_path / "page.html")
    assert m.summary().notes and "What to keep in mind" in words(tmp_path / "page.html")
