"""`na_action="exclude"`: answers for rows stand in the caller's rows."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace

GONE = [3, 50, 179]
ANSWERS: dict[str, Callable[[Any], Any]] = {
    "fitted": lambda m: m.fitted,
    "residuals": lambda m: m.residuals("studentized"),
    "predict": lambda m: m.predict(),
    "predict with se": lambda m: m.predict(se=True),
    "leverage": lambda m: m.leverage(),
    "simulate": lambda m: m.simulate(2, seed=1),
}
OF_MIXED: dict[str, Callable[[Any], Any]] = {
    "hlm_resid": lambda m: m.hlm_resid(),
    "quantile_residuals": lambda m: m.quantile_residuals("rotated"),
}


def with_gaps() -> pd.DataFrame:
    data = interlace.datasets.load("sleepstudy")
    data.index = [f"row {i}" for i in range(len(data))]
    data.loc[data.index[GONE], "Days"] = np.nan
    return data


def both(fit: Callable[..., Any], formula: str, data: Any) -> tuple[Any, Any]:
    return fit(formula, data), fit(formula, data, na_action="exclude")


@pytest.mark.parametrize("name", [*ANSWERS, *OF_MIXED])
def test_a_row_for_each_row_of_the_data(name: str) -> None:
    data = with_gaps()
    dropped, excluded = both(interlace.lmer, "Reaction ~ Days + (1 | Subject)", data)
    ask = (ANSWERS | OF_MIXED)[name]
    short, long = ask(dropped), ask(excluded)
    assert list(long.index) == list(data.index)
    assert long.iloc[GONE].isna().all(axis=None)
    assert long.drop(data.index[GONE]).equals(short)


@pytest.mark.parametrize("name", ANSWERS)
def test_linear_models(name: str) -> None:
    dropped, excluded = both(interlace.lm, "Reaction ~ Days | Subject", with_gaps())
    short, long = ANSWERS[name](dropped), ANSWERS[name](excluded)
    assert len(long) == 180 and long.iloc[GONE].isna().all(axis=None)
    assert long.drop(long.index[GONE]).equals(short)


@pytest.mark.parametrize("name", [*ANSWERS, *OF_MIXED])
def test_rows_that_were_left_out_are_null_in_polars(name: str) -> None:
    polars = pytest.importorskip("polars")
    data = polars.from_pandas(with_gaps())
    ask = (ANSWERS | OF_MIXED)[name]
    dropped, excluded = both(interlace.lmer, "Reaction ~ Days + (1 | Subject)", data)
    short, long = (
        polars.DataFrame(one) if isinstance(one, polars.Series) else one
        for one in (ask(dropped), ask(excluded))
    )
    assert type(ask(excluded)) is type(ask(dropped)) and long.columns == short.columns
    for values in long.iter_columns():
        assert np.flatnonzero(values.is_null()).tolist() == GONE and not values.is_nan().any()
    assert long.drop_nulls().equals(short)


@pytest.mark.parametrize("fit", [interlace.lmer, interlace.lm])
def test_new_rows_with_gaps_are_null_in_polars_and_nan_in_pandas(fit: Any) -> None:
    polars = pytest.importorskip("polars")
    formula = "Reaction ~ Days" + (" + (1 | Subject)" if fit is interlace.lmer else " | Subject")
    data = with_gaps()
    m = fit(formula, polars.from_pandas(data))
    new = data.head(6)
    for options in ({}, {"se": True, "interval": "confidence"}):
        if fit is interlace.lm and options:
            options = {"interval": "prediction"}
        found, wanted = m.predict(polars.from_pandas(new), **options), m.predict(new, **options)
        table = polars.DataFrame(found)
        assert (
            [row for row in range(6) if table.row(row)[0] is None]
            == [3]
            == np.flatnonzero(pd.DataFrame(wanted).isna().all(axis=1)).tolist()
        )
        np.testing.assert_array_equal(table.to_numpy(), pd.DataFrame(wanted).to_numpy())
    assert m.model_matrix(polars.from_pandas(new))["Days"].to_list()[3] is None


def test_a_number_that_does_not_exist_is_no_gap_in_polars() -> None:
    """A row that is fitted whatever its response has no studentized residual: NaN, beside null."""
    polars = pytest.importorskip("polars")
    data = polars.DataFrame({"y": [1.0, 2.0, 4.0, 3.0, None], "f": ["a", "a", "a", "b", "a"]})
    found = interlace.lm("y ~ f", data, na_action="exclude").residuals("studentized")
    assert found.is_null().to_list() == [False] * 4 + [True] and np.isnan(found[3])


def test_tables_of_pyarrow_have_null_and_arrays_nan() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    data = pyarrow.Table.from_pandas(with_gaps(), preserve_index=False)
    m = interlace.lmer("Reaction ~ Days + (1 | Subject)", data, na_action="exclude")
    assert np.flatnonzero(m.simulate(1, seed=1)["sim_1"].is_null().to_numpy()).tolist() == GONE
    assert type(m.fitted) is np.ndarray and np.flatnonzero(np.isnan(m.fitted)).tolist() == GONE


def test_no_gaps() -> None:
    whole = interlace.lmer(
        "Reaction ~ Days + (1 | Subject)", interlace.datasets.load("sleepstudy"), na_action="exclude"
    )
    assert len(whole.fitted) == 180


def test_it_outlives_a_pickle_and_a_refit() -> None:
    m = interlace.lmer("Reaction ~ Days + (1 | Subject)", with_gaps(), na_action="exclude")
    again = pickle.loads(pickle.dumps(m))
    assert again.fitted.equals(m.fitted)
    assert again.refit(reml=False).fitted.index.equals(m.fitted.index)


def test_rows_in_chunks() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.Table.from_pandas(with_gaps(), preserve_index=False)
    source = interlace.chunks(lambda: table.to_reader(), rows=256)
    m = interlace.lmer("Reaction ~ Days + (1 | Subject)", source, na_action="exclude")
    assert np.flatnonzero(np.isnan(m.fitted)).tolist() == GONE
