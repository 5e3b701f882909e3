"""Large data sets, made piece by piece and written as Parquet files, so that none needs to be in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PIECE = 1_000_000  # rows of a row group
FILE = 20  # row groups of a file
ROUNDS = 6  # of drawing pairs that are not there yet
Columns = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Problem:
    """One data set and the model of it.

    Attributes
    ----------
    title, formula : str
    columns : tuple of str
        That the formula uses: the response last.
    pieces : callable
        Of a scale (1: the whole size): the data, piece by piece.
    solver : str
    in_chunks : bool
        Whether the model reads the files in chunks; else the table is read first, which is not timed.
    seconds, gigabytes : float or None
        The bars at scale 1.
    times : float or None
        Another bar: so many times the time that reading takes.
    """

    title: str
    formula: str
    columns: tuple[str, ...]
    pieces: Callable[[float], Iterator[Columns]]
    solver: str
    in_chunks: bool
    seconds: float | None
    gigabytes: float | None
    times: float | None = None


def slopes(scale: float) -> Iterator[Columns]:
    """1e8 rows of 1e6 groups, an intercept and a slope for each; groups in no order."""
    rng = np.random.default_rng(1)
    rows, groups = round(1e8 * scale), round(1e6 * scale)
    intercept, slope = rng.normal(scale=0.7, size=groups), rng.normal(scale=0.4, size=groups)
    for n in _sizes(rows):
        g, x = rng.integers(groups, size=n, dtype=np.int32), rng.normal(size=n)
        y = 1 + 0.5 * x + intercept[g] + slope[g] * x + rng.normal(size=n)
        yield {"g": g, "x": x, "y": y}


def crossed(scale: float) -> Iterator[Columns]:
    """1e8 rows of 1e5 levels crossed with 2,000."""
    rng = np.random.default_rng(2)
    rows, levels = round(1e8 * scale), round(1e5 * scale)
    a_effect, b_effect = rng.normal(scale=0.7, size=levels), rng.normal(scale=0.4, size=2000)
    for n in _sizes(rows):
        a, b = rng.integers(levels, size=n, dtype=np.int32), rng.integers(2000, size=n, dtype=np.int32)
        yield {"a": a, "b": b, "y": 1 + a_effect[a] + b_effect[b] + rng.normal(size=n)}


def ratings(
    users: int, items: int, rows: int, most_of_user: int, most_of_item: int
) -> Callable[[float], Iterator[Columns]]:
    """Ratings of items by users, no pair twice; both have heavy tails, as those of MovieLens."""

    def pieces(scale: float) -> Iterator[Columns]:
        rng = np.random.default_rng(3)
        n_users, n_items, n = round(users * scale), round(items * scale), round(rows * scale)
        top_user, top_item = min(most_of_user, n_items // 2), min(most_of_item, n_users // 2)
        pairs = _pairs(rng, n_users, n_items, n, top_user, top_item)
        u_effect, i_effect = rng.normal(scale=0.43, size=n_users), rng.normal(scale=0.48, size=n_items)
        for start in range(0, len(pairs), PIECE):
            user, item = np.divmod(pairs[start : start + PIECE], n_items)
            y = 3.3 + u_effect[user] + i_effect[item] + rng.normal(scale=0.86, size=len(user))
            stars = np.clip(np.round(2 * y) / 2, 0.5, 5.0)
            yield {"user": user.astype(np.int32), "item": item.astype(np.int32), "rating": stars}

    return pieces


def _pairs(
    rng: np.random.Generator, users: int, items: int, n: int, top_user: int, top_item: int
) -> np.ndarray:
    """Distinct pairs, as user x items + item, in random order: of each user about 20 or more, of each
    item one or more, of both about as many as lognormal weights say."""
    of_user = _degrees(rng.lognormal(sigma=1.25, size=users), n, 20, top_user)
    of_item = _degrees(rng.lognormal(sigma=2.9, size=items), n, 1, top_item)
    found = _distinct(rng.integers(users, size=items) * items + np.arange(items))
    for _ in range(ROUNDS):
        missing = np.maximum(of_user - np.bincount(found // items, minlength=users), 0)
        left = np.cumsum(np.maximum(of_item - np.bincount(found % items, minlength=items), 0.1))
        user = np.repeat(np.arange(users), missing)
        item = np.searchsorted(left, rng.random(len(user)) * left[-1], side="right")
        found = _distinct(np.concatenate([found, user * items + item]))
    while len(found) < n:
        more = rng.integers(users * items, size=n - len(found))
        found = _distinct(np.concatenate([found, more]))
    return rng.permutation(found)[:n]


def _distinct(values: np.ndarray) -> np.ndarray:
    """Each once, increasing; np.unique takes minutes for so many whole numbers that lie so close."""
    values = np.sort(values)
    return values[np.concatenate([[True], values[1:] != values[:-1]])]


def _degrees(weight: np.ndarray, total: int, least: int, most: int) -> np.ndarray:
    """Whole numbers in proportion to weights, from `least` to `most`, with about this total."""
    low, high = 0.0, float(total)
    for _ in range(100):
        scale = 0.5 * (low + high)
        low, high = (scale, high) if np.clip(scale * weight, least, most).sum() < total else (low, scale)
    return np.round(np.clip(low * weight, least, most)).astype(np.int64)


def _sizes(rows: int) -> Iterator[int]:
    for start in range(0, rows, PIECE):
        yield min(PIECE, rows - start)


PROBLEMS = {
    "slopes": Problem(
        "1e8 rows, 1e6 groups", "y ~ x + (1 + x | g)", ("g", "x", "y"), slopes, "exact", True, None, 2.0, 4.0
    ),
    "crossed": Problem(
        "1e8 rows, 1e5 x 2,000", "y ~ 1 + (1 | a) + (1 | b)", ("a", "b", "y"), crossed, "exact", True, None,
        None
    ),
    "ml-1m": Problem(
        "MovieLens-1M's shape", "rating ~ 1 + (1 | user) + (1 | item)", ("user", "item", "rating"),
        ratings(6_040, 3_706, 1_000_209, 2_314, 3_428), "exact", False, 8.0, None,
    ),
    "ml-10m": Problem(
        "MovieLens-10M's shape", "rating ~ 1 + (1 | user) + (1 | item)", ("user", "item", "rating"),
        ratings(69_878, 10_677, 10_000_054, 7_359, 34_864), "exact", False, 240.0, 3.0,
    ),
    "ml-32m": Problem(
        "MovieLens-32M's shape", "rating ~ 1 + (1 | user) + (1 | item)", ("user", "item", "rating"),
        ratings(200_948, 84_432, 32_000_204, 30_000, 100_000), "iterative", False, 1800.0, 8.0,
    ),
}  # fmt: skip


def write(problem: Problem, scale: float, folder: Path) -> list[str]:
    """The files of a problem, written where they are not there; their paths."""
    import pyarrow
    from pyarrow import parquet

    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        writer = None
        for number, piece in enumerate(problem.pieces(scale)):
            table = pyarrow.table(piece)
            if number % FILE == 0:
                if writer is not None:
                    writer.close()
                writer = parquet.ParquetWriter(folder / f"part-{number // FILE:04d}.parquet", table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()
        (folder / "done").touch()
    return sorted(str(path) for path in folder.glob("*.parquet"))
