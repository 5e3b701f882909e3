"""Models drawn at random keep the laws: order, names, units, origins, frame libraries, and refits."""

from __future__ import annotations

from collections import Counter

import pytest

from laws.keeping import ALL, broken


@pytest.mark.slow
@pytest.mark.parametrize("number", range(60))
def test_laws_hold(number: int) -> None:
    assert broken(7, number, Counter()) == []


def test_laws_hold_for_a_few_models() -> None:
    held: Counter[str] = Counter()
    assert [problem for number in (1, 2, 4) for problem in broken(8, number, held)] == []
    assert set(held) == set(ALL)
