"""One look at a column, codes by counting, and what is made of an index once."""

from __future__ import annotations

import gc

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace import kernel
from interlace.design.once import Once
from interlace.design.scan import scanned
from interlace.design.values import factorize


@pytest.mark.parametrize("n", [1, 7, 8, 9, 127, 128, 129, 1000, 100_003])
def test_a_look_says_what_numpy_says(n: int) -> None:
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 3)) * np.exp(3 * rng.normal(size=(n, 3)))
    packed = np.zeros(n, dtype=[("flag", "i1"), ("x", "f8")])
    packed["x"] = X[:, 1]
    for x in (X[:, 1].copy(), X[:, 1], packed["x"], X[::-1, 1]):
        found = scanned(x)
        assert found.sum == np.add.reduce(x)  # to the last digit
        assert (found.low, found.high) == (x.min(), x.max())
        assert found.squares == pytest.approx(x @ x, rel=1e-13)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 5, 150, 299])
def test_what_is_no_number_is_seen_wherever_it_stands(bad: float, at: int) -> None:
    x = np.ones(300)
    x[at] = bad
    assert not np.isfinite(scanned(x).sum)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "u4", "i8", "u8"])
def test_integers_are_coded_in_their_order(dtype: str) -> None:
    info = np.iinfo(dtype)
    for low in (0, int(info.min), int(info.max) - 20):
        values = np.array([low + v for v in (7, 3, 20, 3, 0)], dtype=dtype)
        found = factorize(values)
        assert found.levels.dtype == values.dtype
        np.testing.assert_array_equal(found.levels, np.unique(values))
        np.testing.assert_array_equal(found.levels[found.codes], values)


def test_integers_that_lie_far_apart_are_not_counted() -> None:
    n = 5
    for width, counted in ((4 * n + 1024, True), (4 * n + 1025, False)):
        values = np.array([0, 1, 2, 3, width])
        assert (kernel.counted(values) is not None) == counted
        np.testing.assert_array_equal(factorize(values).levels, values)
    assert kernel.counted(np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max])) is None


@pytest.mark.parametrize(
    ("codes", "every"), [([0, 2, 1], True), ([0, 2, 2], False), ([0, -1, 1, 2], True), ([], False)]
)
def test_whether_all_levels_occur(codes: list[int], every: bool) -> None:
    assert kernel.all_occur(np.array(codes, dtype=np.int32), 3) == every


def test_what_is_made_once_belongs_to_the_object_and_not_to_its_value() -> None:
    made: list[pd.Index] = []
    once: Once[pd.Index, str] = Once(lambda index: made.append(index) or str(index[0]))
    ints, floats, bools = pd.Index([1]), pd.Index([1.0]), pd.Index([True])
    assert [once(index) for index in (ints, floats, bools, ints)] == ["1", "1.0", "True", "1"]
    assert len(made) == 3
    made.clear()
    del ints, floats, bools
    gc.collect()
    assert not once._made


def test_names_of_columns_that_are_equal_are_not_each_other() -> None:
    """1, 1.0 and True are one key of a dict, and three columns."""
    y = [1.0, 2.0, 4.0, 3.0, 5.0, 4.5]
    g = ["a", "a", "b", "b", "c", "c"]
    for name, text in ((1, "1"), (1.0, "1.0"), (True, "True")):
        data = pd.DataFrame({"y": y, name: [0.0, 1, 2, 3, 5, 7], "g": g})
        m = interlace.lmer(f"y ~ `{text}` + (1 | g)", data)
        assert m.fixef.index[1] == text
    data.columns = ["y", "x", "g"]
    assert interlace.lmer("y ~ x + (1 | g)", data).fixef.index[1] == "x"
