"""All passes of an accumulator over parts of a table, merged in trees of any shape."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from interlace import Accumulator, ModelError

Tree = Callable[[Sequence[Accumulator]], Accumulator]


def in_turn(found: Sequence[Accumulator]) -> Accumulator:
    """((a b) c) d"""
    return reduce(Accumulator.merge, found)


def by_halves(found: Sequence[Accumulator]) -> Accumulator:
    """(a b) (c d)"""
    if len(found) == 1:
        return found[0]
    half = len(found) // 2
    return by_halves(found[:half]).merge(by_halves(found[half:]))


def from_the_end(found: Sequence[Accumulator]) -> Accumulator:
    """a (b (c d))"""
    return reduce(lambda later, one: one.merge(later), reversed(found))


def passed(accumulator: Accumulator, parts: Sequence[Any], tree: Tree = by_halves) -> Accumulator:
    """All passes but `fit`; every part is looked at by a copy, as another process would."""
    while True:
        sent = pickle.dumps(accumulator)
        found = tree([pickle.loads(sent).update(part) for part in parts])
        if found.ready:
            return found
        accumulator = found.next()


def fitted(
    formula: str, parts: Sequence[Any], tree: Tree = by_halves, reml: bool = True, **options: Any
) -> Any:
    """The model of all parts; with the pass about the fixed effects where it is asked for."""
    found = passed(Accumulator(formula, parts[0], **options), parts, tree)
    try:
        return found.fit(reml=reml)
    except ModelError as error:
        if "one more pass" not in str(error):
            raise
        return passed(found.next(), parts, tree).fit(reml=reml)


def cut(data: pd.DataFrame, rows: int) -> list[pd.DataFrame]:
    """Parts of so many rows."""
    return [data.iloc[start : start + rows] for start in range(0, len(data), rows)]


def away(found: Any, expected: Any) -> float:
    """The largest difference, over the largest number that is expected."""
    a, b = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert a.shape == b.shape
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    return float(np.nanmax(np.abs(a - b), initial=0.0) / max(np.nanmax(np.abs(b), initial=0.0), 1e-300))
