"""Values that are put together pairwise."""

from __future__ import annotations

import numpy as np
import pytest

from interlace.design.halves import Halves


def test_order_stays_and_work_is_small() -> None:
    cost = 0

    def put(a: list[int], b: list[int]) -> list[int]:
        nonlocal cost
        cost += len(a) + len(b)
        return a + b

    found: Halves[list[int]] = Halves()
    for i in range(1000):
        found = found.plus([i], 1, put)
        assert len(found.parts) <= 11 and found.size == i + 1
    assert found.whole(put) == list(range(1000))
    assert cost < 12_000


@pytest.mark.parametrize("seed", range(5))
def test_parts_of_any_size_joined_in_any_tree(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def put(a: list[int], b: list[int]) -> list[int]:
        return a + b

    sizes, start = rng.integers(1, 50, 40), 0
    waiting: list[Halves[list[int]]] = []
    for size in sizes:
        one: Halves[list[int]] = Halves()
        waiting.append(one.plus(list(range(start, start + size)), int(size), put))
        start += int(size)
    while len(waiting) > 1:
        i = int(rng.integers(len(waiting) - 1))
        waiting[i : i + 2] = [waiting[i].joined(waiting[i + 1], put)]
    assert waiting[0].whole(put) == list(range(start))
    assert list(waiting[0].sizes) == sorted(waiting[0].sizes, reverse=True)
