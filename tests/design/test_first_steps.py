"""What a newcomer gives first: the message says what to write instead, for pandas and for polars."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace

N = 40
TABLE = pd.DataFrame(
    {
        "y": np.sin(np.arange(N)) + np.arange(N) % 8,
        "x": np.cos(np.arange(N)),
        "g": np.arange(N) % 8,
        "day": pd.date_range("2024-01-01", periods=N),
        "s": ["u", "v"] * (N // 2),
        "one": 1.0,
    }
)
FORMULA = "y ~ x + (1 | g)"


def _fails(formula: Any, data: Any, kind: type[Exception] = interlace.DataError) -> str:
    with pytest.raises(kind) as found:
        interlace.lmer(formula, data)
    return str(found.value)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (TABLE["y"], "data.to_frame()"),
        (TABLE[["y", "x", "g"]].to_numpy(), "pd.DataFrame(data, columns=[...])"),
        (TABLE.to_dict("records"), "pd.DataFrame(data)"),
    ],
)
def test_what_is_no_table_can_be_made_one(data: Any, code: str) -> None:
    text = _fails(FORMULA, data)
    assert f"the data are of type {type(data).__name__}: {code}" in text
    made = {"data.to_frame()": TABLE, "pd.DataFrame(data)": pd.DataFrame(TABLE.to_dict("records"))}
    assert interlace.lmer(FORMULA, made.get(code, TABLE)).nobs == N


@pytest.mark.parametrize("fit", [interlace.lmer, interlace.lm])
def test_no_data_at_all(fit: Any) -> None:
    with pytest.raises(interlace.DataError, match="the data are None; give a pandas or polars data frame"):
        fit(FORMULA, None)


def test_numbers_that_were_read_as_text() -> None:
    """The code of the message makes the model of the numbers, in both libraries."""
    pl = pytest.importorskip("polars")
    data = TABLE.assign(x=TABLE["x"].astype(str))
    wanted = interlace.lmer(FORMULA, TABLE).fixef.to_numpy()
    for fit, formula in ((interlace.lmer, FORMULA), (interlace.lm, "y ~ x")):
        with pytest.raises(
            interlace.ModelError, match="'x' is text, and each of its 40 numbers a level"
        ) as found:
            fit(formula, data)
    code = re.search(r"by (pd\..*) \(in polars: (.*)\)$", str(found.value))
    assert code is not None
    names = {"pd": pd, "pl": pl, "data": data}
    mended = data.assign(x=eval(code[1], names))
    np.testing.assert_allclose(interlace.lmer(FORMULA, mended).fixef.to_numpy(), wanted)
    other = pl.from_pandas(data).with_columns(eval(code[2], names))
    np.testing.assert_allclose(interlace.lmer(FORMULA, other).fixef.to_numpy(), wanted)
    assert "is text" not in _fails("y ~ factor(x) + (1 | g)", TABLE, interlace.ModelError)


def test_a_response_of_text_has_code_for_both_libraries() -> None:
    pl = pytest.importorskip("polars")
    for data in (TABLE, pl.from_pandas(TABLE)):
        text = _fails("s ~ x + (1 | g)", data)
        assert "pd.to_numeric(data['s'], errors='coerce')" in text and "pl.col('s').cast(pl.Float64" in text


def test_dates() -> None:
    text = _fails("y ~ day + (1 | g)", TABLE)
    code = re.search(r"for example (\(data.*?\.dt\.days) \(in polars: \.dt\.total_days\(\)\)", text)
    assert code is not None
    days = eval(code[1], {"data": TABLE})
    assert days.tolist() == list(range(N))
    assert "'day' holds dates" in _fails("y ~ as.numeric(day) + (1 | g)", TABLE)
    lasting = TABLE.assign(x=TABLE["day"] - TABLE["day"].min())
    assert "timedelta64" in _fails(FORMULA, lasting) and "dt.days" not in _fails(FORMULA, lasting)


def test_dates_that_were_read_as_text() -> None:
    data = TABLE.assign(x=TABLE["day"].astype(str))
    text = _fails(FORMULA, data, interlace.ModelError)
    assert "'x' is a factor of 40 levels, such as '2024-01-01': if it measures something" in text
    assert "is a factor" not in _fails(
        "y ~ poly(x, 8) * poly(g, 5) + (1 | g)", TABLE.head(12), interlace.ModelError
    )


@pytest.mark.parametrize("column", ["s", "g"])
def test_gaps_that_became_text(column: str) -> None:
    texts = [f"{column}{value}" for value in TABLE[column]]
    data = TABLE.assign(**{column: [*texts[:3], "nan", *texts[4:]]})
    formula = "y ~ s + (1 | g)"
    with pytest.warns(interlace.InterlaceWarning, match=f"column '{column}' holds the text 'nan'") as found:
        assert interlace.lmer(formula, data).nobs == N
    code = re.search(r"write (data.*'nan'\));", str(found[0].message))
    assert code is not None
    mended = eval(code[1], {"data": data})
    assert interlace.lmer(formula, data.assign(**{column: mended})).nobs == N - 1
    levels = pd.Categorical(data[column])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert interlace.lmer(formula, data.assign(**{column: levels})).nobs == N


def test_a_name_with_a_space() -> None:
    data = TABLE.rename(columns={"x": "x of day"})
    text = _fails("y ~ x of day + (1 | g)", data, interlace.FormulaError)
    assert "stands in back-quotes: `x of`" in text
    assert "back-quotes" not in _fails("y ~ 2 x + (1 | g)", data, interlace.FormulaError)
    assert interlace.lmer("y ~ `x of day` + (1 | g)", data).nobs == N


@pytest.mark.parametrize(
    ("term", "words"), [("one", "1 column that depends on"), ("one + I(2 * x)", "2 columns")]
)
def test_columns_that_say_nothing_new_are_counted(term: str, words: str) -> None:
    for fit, formula in ((interlace.lmer, f"y ~ x + {term} + (1 | g)"), (interlace.lm, f"y ~ x + {term}")):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            fit(formula, TABLE)
        assert words in str(found[0].message)
