"""Models drawn at random keep the laws: order, names, units, origins, frame libraries, and refits."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from drawn.model import draw
from laws.keeping import ALL, broken
from laws.laws import names_of_levels


@pytest.mark.slow
@pytest.mark.parametrize("number", range(60))
def test_laws_hold(number: int) -> None:
    assert broken(7, number, Counter()) == []


@pytest.mark.slow
def test_without_an_intercept_however_it_is_written_tests_go_by_the_order_of_levels() -> None:
    """As lmerTest's: (f + h - 1)^2, whose F of f are at the reference of h."""
    assert broken(771529, 71, Counter()) == []


def test_laws_hold_for_a_few_models() -> None:
    held: Counter[str] = Counter()
    assert [problem for number in (1, 2, 4) for problem in broken(8, number, held)] == []
    assert set(held) == set(ALL)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize("order", range(2))
def test_one_minimum_among_dozens_whatever_the_levels_are_called(order: int) -> None:
    """A covariance of four effects and four levels: there are 14 minima within 2 of the lowest."""
    model = draw(7, 21)
    names_of_levels(model, model.fit(), np.random.default_rng(order))
