"""Grouping factors drawn at random: how they meet, how even they are, and what their levels are called."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from drawn.columns import Column

Rng = np.random.Generator
Codes = dict[str, np.ndarray]

ODD_LABELS = [
    "ä b",
    "x.y",
    "(1)",
    "O'Brien",
    "%",
    "Z",
    "a",
    "b-1",
    "1e5",
    " lead",
    "semi;",
    'q"q',
    "σ",
    "T.b",
    "[c]",
]


def spread(rng: Rng, n: int, levels: int) -> np.ndarray:
    """Codes of n rows in which every level occurs, if n allows it."""
    how = rng.choice(["balanced", "random", "skewed", "singletons"], p=[0.3, 0.4, 0.2, 0.1])
    if how == "balanced":
        return rng.permutation(np.arange(n) % levels)
    first = np.arange(min(n, levels))
    if how == "singletons" and levels > 4:
        single = levels // 2
        return rng.permutation(np.concatenate([first, rng.integers(single, levels, n - len(first))]))
    share = rng.dirichlet(np.full(levels, 0.5)) if how == "skewed" else np.full(levels, 1 / levels)
    return rng.permutation(np.concatenate([first, rng.choice(levels, n - len(first), p=share)]))


def draw_groups(rng: Rng, n: int) -> tuple[Codes, list[str]]:
    """Codes by column, and the groupings that stand in the formula."""
    shares = np.array([share for _, share in SHAPES.values()])
    shape, _ = SHAPES[str(rng.choice(list(SHAPES), p=shares / shares.sum()))]
    levels = max(2, min(n // 5, int(rng.choice([2, 3, 5, 8, 15, 30, 60]))))
    return shape(rng, n, levels)


def _within(rng: Rng, outer: np.ndarray, most: int) -> np.ndarray:
    inner = np.empty(len(outer), dtype=int)
    for level in np.unique(outer):
        rows = np.flatnonzero(outer == level)
        inner[rows] = spread(rng, len(rows), min(most, max(1, len(rows) // 2)))
    return inner


def _one(rng: Rng, n: int, levels: int) -> tuple[Codes, list[str]]:
    return {"g": spread(rng, n, levels)}, ["g"]


def _nested(rng: Rng, n: int, levels: int) -> tuple[Codes, list[str]]:
    a = spread(rng, n, levels)
    return {"a": a, "b": _within(rng, a, int(rng.integers(2, 5)))}, ["a/b"]


def _deep(rng: Rng, n: int, levels: int) -> tuple[Codes, list[str]]:
    codes, _ = _nested(rng, n, levels)
    return {**codes, "c": rng.integers(0, 2, n)}, ["a/b/c"]


def _implicit(rng: Rng, n: int, levels: int) -> tuple[Codes, list[str]]:
    codes, _ = _nested(rng, n, levels)
    return {"a": codes["a"], "b": np.unique(100 * codes["a"] + codes["b"], return_inverse=True)[1]}, [
        "a",
        "b",
    ]


def _nested_and_crossed(rng: Rng, n: int, levels: int) -> tuple[Codes, list[str]]:
    codes, _ = _nested(rng, n, levels)
    return {**codes, "c": spread(rng, n, int(rng.integers(3, 8)))}, ["a/b", "c"]


def _crossed(rng: Rng, n: int, levels: int) -> tuple[Codes, list[str]]:
    return {"a": spread(rng, n, levels), "b": spread(rng, n, int(rng.integers(3, 8)))}, ["a", "b"]


def _crossed_with_cells(rng: Rng, n: int, levels: int) -> tuple[Codes, list[str]]:
    codes, _ = _crossed(rng, n, min(levels, 8))
    return codes, ["a", "b", "a:b"]


def _cells(rng: Rng, n: int, levels: int) -> tuple[Codes, list[str]]:
    codes, _ = _crossed(rng, n, min(levels, 8))
    return codes, ["a:b"]


def _partly(rng: Rng, n: int, levels: int) -> tuple[Codes, list[str]]:
    a = spread(rng, n, max(4, levels))
    b = (a // 2 + rng.integers(0, 2, n)) % max(3, levels // 2)
    return {"a": a, "b": np.unique(b, return_inverse=True)[1]}, ["a", "b"]


def _four(rng: Rng, n: int, levels: int) -> tuple[Codes, list[str]]:
    return {name: spread(rng, n, int(rng.integers(3, 7))) for name in "abcd"}, list("abcd")


Shape = Callable[[Rng, int, int], tuple[Codes, list[str]]]
SHAPES: dict[str, tuple[Shape, float]] = {
    "one": (_one, 6),
    "a/b": (_nested, 3),
    "a/b/c": (_deep, 1),
    "implicit": (_implicit, 2),
    "a/b + c": (_nested_and_crossed, 2),
    "crossed": (_crossed, 4),
    "a:b too": (_crossed_with_cells, 1),
    "a:b": (_cells, 1),
    "partly": (_partly, 2),
    "four": (_four, 1),
}


def named(rng: Rng, codes: np.ndarray) -> Column:
    """The codes under labels of some style."""
    levels = int(codes.max()) + 1
    style = rng.choice(["int", "gaps", "text", "digits", "odd", "factor"])
    if levels == 2 and rng.random() < 0.3:
        return Column.of("bool", codes == 1)
    if style == "int":
        return Column.of("int", codes + 1)
    if style == "gaps":
        return Column.of("int", np.sort(rng.choice(np.arange(-1000, 100000), levels, replace=False))[codes])
    if style == "factor":
        order = [f"L{j}" for j in rng.permutation(levels)]
        return Column.of(
            "factor", [f"L{c}" for c in codes], [*order, "unused"] if rng.random() < 0.4 else order
        )
    labels = [f"g{j}" for j in range(levels)]
    if style == "digits":
        labels = [str(j) for j in range(1, levels + 1)]
    if style == "odd":
        labels = [ODD_LABELS[j] if j < len(ODD_LABELS) else f"lev {j}" for j in range(levels)]
    return Column.of("text", [labels[c] for c in codes])
