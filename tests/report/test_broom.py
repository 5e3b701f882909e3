"""Tables with broom.mixed's columns, beside broom.mixed's own (broom.R)."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace import lmer
from interlace.datasets import load
from interlace.errors import DataError
from reference_data import load_data

THEIRS = json.loads((Path(__file__).parent / "broom.json").read_text())


def model(name: str) -> Any:
    if name == "slope":
        return lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))
    return lmer("strength ~ 1 + (1 | batch/cask)", load_data("Pastes"), reml=False)


def term(text: str) -> str:
    return text.replace("(Intercept)", "Intercept")


def numbers(values: list[Any]) -> np.ndarray:
    return np.array([np.nan if x is None else x for x in values], dtype=float)


@pytest.mark.parametrize("name", THEIRS)
def test_parameters(name: str) -> None:
    ours, theirs = model(name).tidy(conf_int=True), THEIRS[name]["tidy"]
    assert list(ours.columns) == list(theirs)
    at = {(e, t): i for i, (e, t) in enumerate(zip(theirs["effect"], map(term, theirs["term"]), strict=True))}
    groups = [None if g is None else set(g.split(":")) for g in theirs["group"]]
    for row in ours.to_dict("records"):
        same = [
            i
            for (effect, text), i in at.items()
            if (effect, text) == (row["effect"], row["term"]) and name == "slope"
        ] or [
            i
            for i, g in enumerate(groups)
            if theirs["effect"][i] == row["effect"] and (g is None or g == set(str(row["group"]).split(":")))
        ]
        (i,) = same
        np.testing.assert_allclose(row["estimate"], theirs["estimate"][i], rtol=2e-5)
        if row["effect"] == "fixed":
            for column in ("std.error", "statistic", "df", "p.value", "conf.low", "conf.high"):
                np.testing.assert_allclose(row[column], theirs[column][i], rtol=2e-4)
    if name == "slope":
        assert [term(t) for t in theirs["term"]] == list(ours["term"])


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("effects", ["ran_vals", "ran_coefs"])
def test_random_effects(name: str, effects: str) -> None:
    ours, theirs = model(name).tidy(effects, conf_int=True), THEIRS[name][effects]
    assert list(ours.columns) == list(theirs)
    assert sorted(map(term, theirs["term"])) == sorted(ours["term"])
    for column in ("estimate", "std.error", "conf.low", "conf.high"):
        if column in theirs:  # order of levels of nested factors differs
            wanted = np.sort(numbers(theirs[column]))
            np.testing.assert_allclose(np.sort(ours[column]), wanted, atol=2e-4 * np.abs(wanted).max())
    if name == "slope":
        for label, value in zip(theirs["level"][:3], theirs["estimate"][:3], strict=True):
            found = ours[(ours["level"].astype(str) == label) & (ours["term"] == term(theirs["term"][0]))]
            np.testing.assert_allclose(found["estimate"].iloc[0], value, rtol=1e-3)


@pytest.mark.parametrize("name", THEIRS)
def test_whole_and_rows(name: str) -> None:
    m, theirs = model(name), THEIRS[name]
    found = m.glance()
    assert set(theirs["glance"]) - {"REMLcrit", "deviance"} <= set(found.columns)
    for column in found.columns:
        if column in theirs["glance"]:
            np.testing.assert_allclose(found[column].iloc[0], theirs["glance"][column][0], rtol=1e-6)
    rows = m.augment()
    for column, values in theirs["augment"].items():
        np.testing.assert_allclose(rows[column], values, rtol=1e-4, atol=1e-4, err_msg=column)


def test_rows_are_those_of_the_caller() -> None:
    import polars as pl

    s = load_data("sleepstudy_na").assign(own=range(180)).set_index(pd.RangeIndex(1000, 1180))
    formula = "Reaction ~ Days + (Days | Subject)"
    m = lmer(formula, s)
    rows = m.augment()
    assert list(rows.columns[: len(s.columns)]) == list(s.columns) and len(rows) == 175
    assert list(rows.index) == list(s.dropna(subset=["Reaction", "Days"]).index)
    pd.testing.assert_series_equal(rows["own"], s.loc[rows.index, "own"])
    np.testing.assert_allclose(rows[".fitted"] + rows[".resid"], rows["Reaction"])
    other = lmer(formula, pl.from_pandas(s.reset_index(drop=True).astype({"Subject": str}))).augment()
    assert isinstance(other, pl.DataFrame) and other.height == 175 and "own" in other.columns
    np.testing.assert_allclose(other[".hat"].to_numpy(), rows[".hat"].to_numpy(), rtol=1e-7)
    again = pickle.loads(pickle.dumps(m)).augment()
    assert "own" not in again.columns and "Reaction" in again.columns and len(again) == 175
    of_arrays = lmer(
        formula, {name: s[name].to_numpy() for name in ("Reaction", "Days", "Subject")}
    ).augment()
    assert isinstance(of_arrays, pd.DataFrame) and len(of_arrays) == 175


def test_what_is_refused() -> None:
    s = load("sleepstudy")
    m = lmer("Reaction ~ Days + (Days | Subject)", s)
    with pytest.raises(DataError, match="effects 'random' is not known"):
        m.tidy("random")
    with pytest.raises(DataError, match="effects is empty"):
        m.tidy([])
    with pytest.raises(DataError, match="effects must be words"):
        m.tidy(3)
    with pytest.raises(DataError, match="conf_int must be True or False"):
        m.tidy(conf_int=1)
    with pytest.raises(DataError, match="level"):
        m.tidy(conf_level=95)
    with pytest.raises(DataError, match=r"a column '\.hat' of their own"):
        lmer("Reaction ~ Days + (Days | Subject)", s.assign(**{".hat": 1.0})).augment()
    assert list(m.tidy("fixed").columns) == [
        "effect",
        "term",
        "estimate",
        "std.error",
        "statistic",
        "df",
        "p.value",
    ]
