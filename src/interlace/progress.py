"""How far long work has come, shown only where a person watches."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 2.0  # seconds of work before a bar is shown that nobody asked for


def watched(results: Iterable[T], n: int, progress: bool | None, label: str) -> Iterable[T]:
    """The results, with a bar that counts them; unless asked, only where standard error is a terminal."""
    from tqdm import tqdm

    shown = sys.stderr.isatty() if progress is None else progress
    return tqdm(results, total=n, desc=label, disable=not shown)


def pieces(results: Iterable[tuple[int, T]], n: int, label: str) -> Iterator[T]:
    """Results that come with the number of things each stands for, n in all; a bar after some seconds."""
    from tqdm import tqdm

    with tqdm(total=n, desc=label, disable=not sys.stderr.isatty(), delay=PATIENCE, leave=False) as bar:
        for count, result in results:
            yield result
            bar.update(count)
