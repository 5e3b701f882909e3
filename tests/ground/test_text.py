"""Words for messages."""

from __future__ import annotations

import pytest

from interlace import DataError
from interlace.options import word
from interlace.text import did_you_mean, listed, nearest


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("REACTION", ["reaction", "days"], ["reaction"]),
        ("sepal.length", ["Sepal_Length", "Sepal_Width"], ["Sepal_Length", "Sepal_Width"]),
        ("xyz", ["days", "subject"], []),
        ("day", ["Day", "day_"], ["Day"]),  # they differ by what makes no difference: the first
    ],
)
def test_names_that_were_meant(name: str, known: list[str], meant: list[str]) -> None:
    assert nearest(name, known) == meant


def test_a_question_only_where_there_is_one() -> None:
    assert did_you_mean("dais", ["days", "daily"]) == "did you mean 'days' or 'daily'?"
    assert did_you_mean("xyz", ["days"]) == ""


def test_long_lists_are_cut() -> None:
    assert listed([str(j) for j in range(12)]).endswith("10, 11")
    assert listed([str(j) for j in range(13)]).endswith("11, ...")


def test_an_option_that_is_nearly_right() -> None:
    with pytest.raises(DataError, match="did you mean 'satterthwaite'\\? choose from satterthwaite, kenward"):
        word("ddf", "satterwaite", ["satterthwaite", "kenward-roger"])
