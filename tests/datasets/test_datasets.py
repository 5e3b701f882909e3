"""The shipped data sets are the published ones: value for value those of the R packages."""

from __future__ import annotations

import time

import pandas as pd
import pytest

from interlace import datasets
from interlace.errors import DataError
from reference_data import load_data

# Shipped name -> name in tests/reference/data, where the two differ in more than case.
RENAMED = {"ahd": "ahd_complete"}
REFERENCE = {name.lower(): name for name in ["Chem97", "Dyestuff", "Dyestuff2", "Exam", "Hsb82", "InstEval"]}
REFERENCE |= {
    name.lower(): name for name in ["Machines", "Oats", "Orthodont", "Oxboys", "Pastes", "Penicillin"]
}
REFERENCE |= {name.lower(): name for name in ["Rail", "ScotsSec", "ergoStool"]} | RENAMED


@pytest.mark.parametrize("name", [name for name in datasets.names() if name != "star"])
def test_equals_the_reference(name: str) -> None:
    shipped = datasets.load(name)
    reference = load_data(REFERENCE.get(name, name))
    # sleepstudy of the reference has columns of its own beside the published three.
    assert list(shipped) == [column for column in reference if column in shipped]
    assert len(shipped.columns) == len(reference.columns) or name == "sleepstudy"
    pd.testing.assert_frame_equal(shipped, reference[list(shipped)], check_exact=True)


def test_star_contains_the_reference_rows() -> None:
    shipped, reference = datasets.load("star"), load_data("star_sub")
    assert shipped.shape == (26796, 18)
    complete = shipped.dropna(subset=["math", "gr", "sx", "ses", "cltype", "eth"])
    every_fourth = complete[complete["sch"].astype(int) % 4 == 0][list(reference)].reset_index(drop=True)
    for column in reference:
        if isinstance(reference[column].dtype, pd.CategoricalDtype):
            assert list(every_fourth[column].astype(str)) == list(reference[column].astype(str))
        else:
            pd.testing.assert_series_equal(every_fourth[column], reference[column], check_dtype=False)


@pytest.mark.parametrize("name", datasets.names())
def test_every_level_occurs_and_the_size_is_stated(name: str) -> None:
    data = datasets.load(name)
    assert f"{len(data)} rows, {len(data.columns)} columns" in datasets.describe(name)
    assert list(data.index) == list(range(len(data)))
    for column in data.select_dtypes("category"):
        assert data[column].nunique() == len(data[column].cat.categories)
        assert all(isinstance(level, str) for level in data[column].cat.categories)


def test_description_names_the_source() -> None:
    text = datasets.describe("sleepstudy")
    assert text.startswith("sleepstudy: Reaction times")
    assert "Belenky" in text and "lme4" in text and "average reaction time, ms" in text


def test_names_in_any_case_and_fresh_copies() -> None:
    changed = datasets.load("InstEval")
    changed["y"] = 0
    assert datasets.load("INSTEVAL")["y"].max() == 5


@pytest.mark.parametrize(
    ("wrong", "hint"), [("sleepstudies", "did you mean 'sleepstudy'?"), ("zzz", "there are ahd, autism")]
)
def test_unknown_name(wrong: str, hint: str) -> None:
    with pytest.raises(DataError, match=hint.replace("?", r"\?")):
        datasets.load(wrong)
    with pytest.raises(DataError, match=hint.replace("?", r"\?")):
        datasets.describe(wrong)


def test_insteval_loads_fast() -> None:
    datasets.load("insteval")
    seconds = []
    for _ in range(5):
        start = time.process_time()
        datasets.load("insteval")
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.5
