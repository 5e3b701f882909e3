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


def test_other_libraries_and_no_gaps() -> None:
    polars = pytest.importorskip("polars")
    data = polars.from_pandas(with_gaps())
    m = interlace.lmer("Reaction ~ Days + (1 | Subject)", data, na_action="exclude")
    assert isinstance(m.fitted, polars.Series) and np.flatnonzero(m.fitted.is_nan()).tolist() == GONE
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
