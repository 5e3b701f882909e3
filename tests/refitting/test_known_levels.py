"""Refits of models whose levels have a known covariance: what changes places, what is copied, what stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import interlace
from interlace import lmer
from interlace.errors import DataError, ModelError
from known_data import covariance
from known_data import data as known_rows


@pytest.fixture(scope="module")
def related() -> Any:
    K = covariance()
    data = known_rows(K)
    return lmer("y ~ x + (1 | id)", data, known={"id": K}), data, K


def test_without_a_level_the_others_are_related_as_before(related: Any) -> None:
    m, data, K = related
    draws = m.bootstrap(20, seed=1, progress=False)
    draws.confint("bca")
    (found,) = draws._jackknife()
    for place, level in enumerate(np.unique(data["id"])[:3]):
        left = lmer("y ~ x + (1 | id)", data[data["id"] != level], known={"id": K})
        expected = [*left.varcorr()["sd"], *left.fixef]
        np.testing.assert_allclose(np.sort(found[place]), np.sort(expected), rtol=1e-6)


def test_levels_that_nothing_is_known_of_are_not_made(related: Any) -> None:
    m, data, _ = related
    levels = data["id"].nunique()
    with pytest.raises(DataError, match="says nothing of other levels: take as many of 'id' as there are"):
        interlace.power(m, n_groups=levels + 1, n=2, seed=1)
    for size in ({"n_groups": levels}, {"n_groups": levels - 2}, {"n_per_group": 9}):
        table = interlace.power(m, **size, n=2, seed=1, progress=False).table
        assert table["power"].between(0, 1).all()


def test_levels_change_places_where_the_smaller_model_has_none_with_a_known_covariance(related: Any) -> None:
    m, _, _ = related
    with pytest.raises(ModelError, match="cannot be exchanged: take interlace"):
        m.permutation_test("x", 5, seed=1)
    assert 0 < m.permutation_test("(1 | id)", 19, seed=1).p <= 1
