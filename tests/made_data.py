"""Small made-up data with every shape of grouping that the estimation has to meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """A formula and a table it fits."""

    name: str
    formula: str
    data: Table
    options: dict[str, Any] = field(default_factory=dict)
    sparse: bool = False  # the factor must have more than one front

    def __str__(self) -> str:
        return self.name


def labels(codes: np.ndarray, prefix: str) -> np.ndarray:
    """Codes as text, so that the order of levels is the order of codes."""
    return np.array([f"{prefix}{c:04d}" for c in codes])


def table(rng: np.random.Generator, **codes: np.ndarray) -> Table:
    """Grouping factors with some predictors and a response that depends on all of them."""
    n = len(next(iter(codes.values())))
    data: Table = {name: labels(c, name) for name, c in codes.items()}
    data["x"] = rng.normal(size=n)
    data["z"] = rng.normal(size=n) + 0.5 * data["x"]
    data["w"] = rng.uniform(0.2, 5.0, n)
    data["o"] = 3.0 * rng.normal(size=n)
    data["f"] = np.array(["u", "v", "w"])[np.arange(n) % 3]
    y = 2.0 + 0.5 * data["x"] - 0.3 * data["z"] + rng.normal(size=n)
    for c in codes.values():
        L = int(c.max()) + 1
        y += (
            rng.normal(size=L)[c]
            + 0.5 * rng.normal(size=L)[c] * data["x"]
            + 0.3 * rng.normal(size=L)[c] * data["z"]
        )
    return data | {"y": y}


# --- groupings: each gives codes of the factors named in its formula ----------------------------------


def one(rng: np.random.Generator, n: int = 60, levels: int = 8) -> Table:
    """One factor, unbalanced, every level present."""
    return table(rng, a=_codes(rng, n, levels))


def crossed(rng: np.random.Generator, n: int = 90, levels: tuple[int, ...] = (9, 6)) -> Table:
    """Factors crossed at random."""
    return table(rng, **{name: _codes(rng, n, L) for name, L in zip("abcd", levels, strict=False)})


def nested(rng: np.random.Generator, sizes: tuple[int, ...] = (5, 4, 3), rows: int = 2) -> Table:
    """a/b/c with labels that repeat within the factor above."""
    grids = np.meshgrid(*[np.arange(s) for s in sizes], np.arange(rows), indexing="ij")
    return table(rng, **{name: g.ravel() for name, g in zip("abc", grids, strict=False)})


def chain(rng: np.random.Generator, levels: int = 120, rows: int = 4) -> Table:
    """Level i of a meets levels i and i + 1 of b, and no other."""
    a = np.repeat(np.arange(levels), rows)
    b = (a + np.tile(np.arange(rows) % 2, levels)) % levels
    return table(rng, a=a, b=b)


def banded(rng: np.random.Generator, levels: int = 90, width: int = 3, rows: int = 5) -> Table:
    """Three factors in a band, two of them and a fourth, small one crossed with everything."""
    a = np.repeat(np.arange(levels), rows)
    b = (a * 3 // 4 + rng.integers(0, width, len(a))) % (levels * 3 // 4)
    c = (a // 2 + rng.integers(0, 2, len(a))) % (levels // 2)
    return table(rng, a=a, b=_dense_codes(b), c=_dense_codes(c), d=_codes(rng, len(a), 2))


def islands(rng: np.random.Generator, n_islands: int = 12, side: int = 6) -> Table:
    """Crossed within islands that have nothing to do with each other: a forest of many roots."""
    i, a, b = np.meshgrid(np.arange(n_islands), np.arange(side), np.arange(side), indexing="ij")
    keep = rng.random(i.size) < 0.8
    a, b = (i * side + a).ravel()[keep], (i * side + b).ravel()[keep]
    return table(rng, a=_dense_codes(a), b=_dense_codes(b))


def grid(rng: np.random.Generator, rows: int, cols: int, share: float = 1.0) -> Table:
    """Every a with every b, or a share of the pairs."""
    a, b = (g.ravel() for g in np.meshgrid(np.arange(rows), np.arange(cols), indexing="ij"))
    keep = rng.random(a.size) < share
    return table(rng, a=_dense_codes(a[keep]), b=_dense_codes(b[keep]))


def _codes(rng: np.random.Generator, n: int, levels: int) -> np.ndarray:
    """Random codes in which every level occurs, some often."""
    often = rng.dirichlet(np.full(levels, 2.0))
    return rng.permutation(np.concatenate([np.arange(levels), rng.choice(levels, n - levels, p=often)]))


def _dense_codes(codes: np.ndarray) -> np.ndarray:
    return np.unique(codes, return_inverse=True)[1]


# --- the designs --------------------------------------------------------------------------------------

_WIDE = (
    " + ".join(f"I(x ** {i})" for i in range(2, 6))
    + " + "
    + " + ".join(f"I(z * x ** {i})" for i in range(1, 6))
)

_SMALL: list[tuple[str, str, Callable[[np.random.Generator], Table], dict[str, Any]]] = [
    ("one", "y ~ x + (1 | a)", one, {}),
    ("one-null", "y ~ 1 + (1 | a)", one, {}),
    ("one-no-fixed-intercept", "y ~ 0 + x + (1 | a)", one, {}),
    ("one-factor-columns", "y ~ 0 + f + x:f + (1 | a)", one, {}),
    ("one-slope", "y ~ x + (x | a)", one, {}),
    ("one-slope-only", "y ~ x + (0 + x | a)", one, {}),
    ("one-three", "y ~ x + z + (x + z | a)", lambda r: one(r, 120), {}),
    ("one-independent", "y ~ x + (x || a)", one, {}),
    ("one-independent-factor", "y ~ x + (f + x || a)", lambda r: one(r, 90), {}),
    ("one-two-terms", "y ~ x + (1 | a) + (0 + x + z | a)", lambda r: one(r, 90), {}),
    ("one-factor-slope", "y ~ f + (0 + f | a)", lambda r: one(r, 90), {}),
    ("two-levels", "y ~ x + (1 | a)", lambda r: one(r, 30, 2), {}),
    ("many-columns", f"y ~ x + z + f + {_WIDE} + (1 | a)", lambda r: one(r, 300), {}),
    ("rows-in-several-chunks", "y ~ x + z + (x | a)", lambda r: one(r, 700, 30), {}),
    ("weights", "y ~ x + (x | a)", one, {"weights": "w"}),
    ("offset", "y ~ x + offset(o) + (1 | a)", one, {"offset": "z"}),
    ("crossed", "y ~ x + (1 | a) + (1 | b)", crossed, {}),
    ("crossed-weights", "y ~ x + (x | a) + (1 | b)", crossed, {"weights": "w", "offset": "o"}),
    ("crossed-slopes", "y ~ x + (x | a) + (z | b)", lambda r: crossed(r, 150), {}),
    ("crossed-smaller-first", "y ~ x + (1 | b) + (x | a)", crossed, {}),
    ("crossed-several-terms", "y ~ x + (1 | b) + (x || a) + (0 + z | b)", lambda r: crossed(r, 150), {}),
    ("crossed-two-levels", "y ~ x + (1 | a) + (1 | b)", lambda r: crossed(r, 60, (7, 2)), {}),
    ("crossed-three", "y ~ x + (1 | a) + (x | b) + (1 | c)", lambda r: crossed(r, 150, (9, 6, 4)), {}),
    (
        "crossed-four",
        "y ~ z + (1|a) + (1|b) + (0 + x|c) + (1|d)",
        lambda r: crossed(r, 150, (9, 6, 4, 3)),
        {},
    ),
    ("interaction", "y ~ x + (1 | a:b) + (1 | b)", lambda r: crossed(r, 150), {}),
    ("equal-levels", "y ~ x + (1 | a) + (1 | b) + (x | c)", lambda r: crossed(r, 150, (6, 6, 6)), {}),
    (
        "crossed-slopes-on-the-smaller",
        "y ~ x + (1 | a) + (x + z | b)",
        lambda r: crossed(r, 150, (30, 6)),
        {},
    ),
    ("nested", "y ~ x + (1 | a / b)", lambda r: nested(r, (6, 4), 3), {}),
    ("nested-slopes", "y ~ x + (x | a / b)", lambda r: nested(r, (6, 4), 4), {}),
    ("dense-rest-of-40", "y ~ x + (1 | a) + (1 | b)", lambda r: grid(r, 41, 38, 0.5), {}),
    ("dense-rest-in-batches", "y ~ x + (1 | a) + (1 | b)", lambda r: grid(r, 110, 33, 0.3), {}),
    ("dense-slopes-in-batches", "y ~ x + (x | a) + (x | b)", lambda r: grid(r, 55, 33, 0.3), {}),
    ("dense-rest-with-slopes", "y ~ x + (x | a) + (x | b)", lambda r: grid(r, 36, 33, 0.5), {}),
]

_LARGER: list[tuple[str, str, Callable[[np.random.Generator], Table], dict[str, Any]]] = [
    ("nested-three", "y ~ x + (1 | a / b / c)", lambda r: nested(r, (12, 6, 3), 2), {}),
    (
        "nested-three-slopes",
        "y ~ x + (x | a) + (x | a:b) + (1 | a:b:c)",
        lambda r: nested(r, (10, 6, 3), 2),
        {},
    ),
    ("nested-weights", "y ~ f + (1 | a / b / c)", lambda r: nested(r, (12, 6, 3), 2), {"weights": "w"}),
    ("chain", "y ~ x + (1 | a) + (1 | b)", chain, {}),
    ("chain-slopes", "y ~ x + (x | a) + (x | b)", lambda r: chain(r, 90, 6), {}),
    ("chain-slope-on-the-rest", "y ~ x + (1 | a) + (z | b) + (0 + x | a)", lambda r: chain(r, 90, 6), {}),
    (
        "chain-weights",
        "y ~ x + (1 | a) + (x || b)",
        lambda r: chain(r, 80, 6),
        {"weights": "w", "offset": "o"},
    ),
    ("band-three", "y ~ x + (1 | a) + (1 | b) + (1 | c)", banded, {}),
    ("band-three-slopes", "y ~ x + (x | a) + (1 | b) + (z | c)", banded, {}),
    ("band-slopes-on-the-rest", "y ~ x + (1 | a) + (x | c) + (1 | b) + (0 + z | d)", banded, {}),
    ("band-four", "y ~ x + (1 | a) + (1 | b) + (1 | c) + (1 | d)", banded, {}),
    ("islands", "y ~ x + (1 | a) + (1 | b)", islands, {}),
    ("islands-slopes", "y ~ x + (x | a) + (0 + x | b)", islands, {}),
]

_LARGER_DENSE: list[tuple[str, str, Callable[[np.random.Generator], Table], dict[str, Any]]] = [
    ("many-levels", "y ~ x + (x | a)", lambda r: one(r, 900, 150), {}),
    ("dense-rest-of-300", "y ~ x + (x | a) + (x | b)", lambda r: grid(r, 160, 150, 0.055), {}),
]


def small_designs() -> list[Made]:
    """One front at most."""
    return [_made(*row, sparse=False) for row in [*_SMALL, *_LARGER_DENSE]]


def sparse_designs() -> list[Made]:
    """Enough levels, sparsely enough together, for several fronts."""
    return [_made(*row, sparse=True) for row in _LARGER]


def _made(
    name: str,
    formula: str,
    make: Callable[[np.random.Generator], Table],
    options: dict[str, Any],
    *,
    sparse: bool,
) -> Made:
    rng = np.random.default_rng(sum(map(ord, name)))
    return Made(name, formula, make(rng), options, sparse)


def random_design(seed: int) -> Made:
    """A design drawn at random: number of factors, how they meet, terms, fixed part, weights, offset."""
    rng = np.random.default_rng(1000 + seed)
    shape = rng.choice(["one", "crossed", "nested", "chain", "banded", "islands", "grid"])
    data = {
        "one": lambda: one(rng, 80, int(rng.integers(2, 12))),
        "crossed": lambda: crossed(rng, 120, tuple(rng.integers(2, 12, rng.integers(2, 5)))),
        "nested": lambda: nested(rng, tuple(rng.integers(2, 6, 3)), 3),
        "chain": lambda: chain(rng, int(rng.integers(4, 60)), 6),
        "banded": lambda: banded(rng, int(rng.integers(12, 60)), 2, 6),
        "islands": lambda: islands(rng, int(rng.integers(2, 9)), 5),
        "grid": lambda: grid(rng, int(rng.integers(4, 12)), int(rng.integers(4, 12))),
    }[shape]()
    groups = [name for name in "abcd" if name in data]
    if shape == "nested":
        groups = ["a", "a:b"] + (["a:b:c"] if rng.random() < 0.5 else [])
    left = ["1", "1", "x", "0 + x", "z"]
    terms = []
    for group in groups:
        if rng.random() < 0.2:
            terms += [f"(1 | {group})", f"(0 + {rng.choice(['x', 'z'])} | {group})"]
        else:
            bar = "||" if rng.random() < 0.25 else "|"
            terms.append(f"({rng.choice(left)} {bar} {group})")
    order = rng.permutation(len(terms))
    fixed = rng.choice(["1", "x", "x + z", "f", "0 + x", "0 + f + z", "x * f", "x + I(2 * x - 1) + z"])
    options = {} if rng.random() < 0.6 else {"weights": "w"}
    if rng.random() < 0.3:
        options["offset"] = "o"
    formula = f"y ~ {fixed} + " + " + ".join(terms[i] for i in order)
    return Made(f"{seed}-{shape}", formula, data, options)
