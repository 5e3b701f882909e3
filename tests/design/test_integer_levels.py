"""Integers that are levels are found in a table: the places that a search among the levels gives."""

import numpy as np
import pytest

from interlace.design.values import factorize, integer_codes, match

TYPES = [np.int64, np.int32, np.int8, np.uint8, np.uint32]


@pytest.mark.parametrize("of_levels", TYPES)
@pytest.mark.parametrize("of_values", TYPES)
def test_places_are_those_of_a_search(of_levels: type, of_values: type) -> None:
    rng = np.random.default_rng(1)
    levels = rng.permutation(np.unique(rng.integers(0, 100, 30))).astype(of_levels)
    values = rng.integers(0, 127, 500).astype(of_values)
    found = integer_codes(values, levels)
    factor = factorize(values)
    expected = np.append(match(factor.levels, levels), -1)[factor.codes]
    assert found is not None and found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)
    assert (found < 0).any() and (found >= 0).any()


def test_the_largest_integers() -> None:
    ends = np.array([-(2**63), 2**63 - 1, 5, 9, 8])
    for levels in ([5, 7, 9], [-(2**61), 3 - 2**61]):
        found = integer_codes(ends, np.array(levels))
        assert found is not None and found.tolist() == [levels.index(v) if v in levels else -1 for v in ends]
    assert integer_codes(ends, np.array([2**62, 2**62 + 1])) is None


def test_no_table_where_there_is_none() -> None:
    values = np.array([1, 2])
    assert integer_codes(values, np.array([1, 2_000_000])) is None
    assert integer_codes(values, np.array(["1", "2"], dtype=object)) is None
    assert integer_codes(values.astype(np.uint64), values) is None
    assert integer_codes(np.array([1.0, 2.0]), values) is None
