"""The next of many things is made while the present one is used."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from contextvars import copy_context
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """The same in the same order, each of them made by a thread of its own while the one before is in use.

    One is made ahead and no more, so that no more than one more is in memory. The thread has the context
    variables of the caller, such as what NumPy does about floating point errors, and it has ended when this
    has. Its errors are raised here.

    Parameters
    ----------
    items : generator
        It may run in another thread.

    Examples
    --------
    >>> list(ahead(n * n for n in range(4)))
    [0, 1, 4, 9]
    """
    from concurrent.futures import ThreadPoolExecutor

    context = copy_context()

    def following() -> list[T]:
        return context.run(lambda: list(islice(items, 1)))

    with closing(items), ThreadPoolExecutor(1, "interlace-ahead") as thread:
        coming = thread.submit(following)
        while made := coming.result():
            coming = thread.submit(following)
            yield made[0]
