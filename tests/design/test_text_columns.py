"""Text of every kind of pandas is one factor: the codes and levels of the same text as Python objects."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.design.reading import from_series
from interlace.design.values import Factor
from interlace.errors import DataError

VALUES = ["b", "a", None, "é", "Z", "10", "9", "a", None, "Z"]
KINDS: list[Any] = [
    "str",
    "string",
    "string[python]",
    pd.StringDtype(storage="python", na_value=np.nan),
]


def arrow_kinds() -> list[Any]:
    pa = pytest.importorskip("pyarrow")
    return ["string[pyarrow]", pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.large_string())]


def assert_as_objects(kind: Any) -> None:
    expected, gaps = from_series("x", pd.Series(VALUES, dtype=object))
    found, mask = from_series("x", pd.Series(VALUES).astype(kind))
    assert isinstance(expected, Factor) and isinstance(found, Factor)
    np.testing.assert_array_equal(found.codes, expected.codes)
    assert found.codes.dtype == expected.codes.dtype
    assert found.levels.tolist() == expected.levels.tolist() == ["10", "9", "Z", "a", "b", "é"]
    assert found.levels.dtype == object and {type(level) for level in found.levels} == {str}
    np.testing.assert_array_equal(mask, gaps)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_text_is_read_as_objects_are(kind: Any) -> None:
    assert_as_objects(kind)


def test_text_of_arrow_is_read_as_objects_are() -> None:
    for kind in arrow_kinds():
        assert_as_objects(kind)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_text_without_any_value(kind: Any) -> None:
    column, mask = from_series("x", pd.Series([None, None]).astype(kind))
    assert isinstance(column, np.ndarray) and np.isnan(column).all() and mask is not None and mask.all()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_numbers_as_text_with_a_gap(kind: Any) -> None:
    with pytest.raises(DataError, match="holds numbers as text, and 'NA' among them"):
        from_series("x", pd.Series(["1", "NA", "2"]).astype(kind))
