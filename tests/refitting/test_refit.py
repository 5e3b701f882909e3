"""Another response for the same rows: which values belong to which row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import interlace
from interlace.errors import DataError


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    table = interlace.datasets.load("sleepstudy").rename(index=lambda i: f"row {i}")
    table.loc["row 3", "Days"] = np.nan
    return table


@pytest.fixture(scope="module")
def model(data: pd.DataFrame) -> interlace.LinearMixedModel:
    return interlace.lmer("Reaction ~ Days + (Days | Subject)", data)


@pytest.mark.parametrize("rows", ["of the data", "used"])
def test_a_series_goes_by_the_labels_of_the_data(
    model: interlace.LinearMixedModel, data: pd.DataFrame, rows: str
) -> None:
    y = data["Reaction"] * 2
    y = y.drop("row 3") if rows == "used" else y
    assert model.refit(y).sigma == pytest.approx(2 * model.sigma, rel=1e-8)
    for other in (y[::-1], y.reset_index(drop=True), y.sample(frac=1, random_state=1)):
        with pytest.raises(DataError, match="index of the response is not the index of the data"):
            model.refit(other)
    assert model.refit(y.reset_index(drop=True).to_numpy()).sigma == model.refit(y).sigma
    assert model.refit(y[::-1].reindex(y.index)).sigma == model.refit(y).sigma


def test_the_label_of_a_row_left_out_does_not_matter(
    model: interlace.LinearMixedModel, data: pd.DataFrame
) -> None:
    y = data["Reaction"].rename(index={"row 3": "elsewhere"})
    assert model.refit(y).loglik == pytest.approx(model.loglik, rel=1e-10)


def test_another_length_is_an_error_of_its_own(model: interlace.LinearMixedModel, data: pd.DataFrame) -> None:
    length = r"has \d+ values, not 179 \(rows used\) or 180 \(rows of the data\)"
    for y in (data["Reaction"][:100], pd.concat([data["Reaction"]] * 2)):
        with pytest.raises(DataError, match=length):
            model.refit(y)
    gaps = data.assign(Reaction=data["Reaction"].mask(np.arange(len(data)) < 1))
    with pytest.raises(DataError, match="has 179 values, not 178 "):
        interlace.lmer("Reaction ~ Days + (1 | Subject)", gaps).refit(data["Reaction"][:179])


def test_values_without_labels_go_by_their_order(data: pd.DataFrame) -> None:
    table = pl.from_pandas(data.reset_index(drop=True))
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", table)
    shuffled = data["Reaction"].sample(frac=1, random_state=1)
    assert m.refit(shuffled).loglik == m.refit(shuffled.to_numpy()).loglik  # these data have no labels
    assert m.refit(table["Reaction"]).loglik == pytest.approx(m.loglik, rel=1e-10)


@pytest.mark.parametrize(("scale", "word"), [(1e200, "large"), (1e-200, "small")])
def test_values_whose_powers_overflow(
    model: interlace.LinearMixedModel, data: pd.DataFrame, scale: float, word: str
) -> None:
    y = data["Reaction"].drop("row 3")
    with pytest.raises(DataError, match=f"the values of 'the response' are too {word}"):
        model.refit(y * scale)
    assert model.refit(y * 1e60).sigma == pytest.approx(1e60 * model.sigma, rel=1e-6)


def test_clusters_go_by_the_labels_of_the_data_too(
    model: interlace.LinearMixedModel, data: pd.DataFrame
) -> None:
    expected = model.vcov("CR0")
    pd.testing.assert_frame_equal(model.vcov("CR0", cluster=data["Subject"]), expected)
    with pytest.raises(DataError, match="index of cluster is not the index of the data"):
        model.vcov("CR0", cluster=data["Subject"][::-1])
