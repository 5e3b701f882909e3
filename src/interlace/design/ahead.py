"""The next of many things is made while the present one is used."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from contextvars import copy_context
from itertools import islice
from typing import TypeVar

from interlace.errors import InterlaceWarning, keeping_warnings, warn

T = TypeVar("T")
Warnings = list[tuple[str, type[InterlaceWarning]]]


def ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """The same in the same order, each of them made by a thread of its own while the one before is in use.

    One is made ahead and no more, so that no more than one more is in memory. The thread has the context
    variables of the caller, such as what NumPy does about floating point errors, and it has ended when this
    has. Its errors are raised here, and its warnings given, as of the line of the caller.

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

    def following() -> tuple[list[T], Warnings]:
        with keeping_warnings() as kept:
            return list(islice(items, 1)), kept

    with closing(items), ThreadPoolExecutor(1, "interlace-ahead") as thread:
        coming = thread.submit(context.run, following)
        while True:
            made, kept = coming.result()
            for message, category in kept:
                warn(message, category)
            if not made:
                return
            coming = thread.submit(context.run, following)
            yield made[0]
