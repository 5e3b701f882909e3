"""What is made of an object that cannot be changed is made once, and kept as long as the object is there."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Once(Generic[K, V]):
    """A function of objects that cannot be changed, by the object itself and never by its value.

    Parameters
    ----------
    make : callable
        The function; what it raises is raised again for the next one that asks.
    """

    def __init__(self, make: Callable[[K], V]) -> None:
        self._make = make
        self._made: dict[int, tuple[weakref.ref[K], V]] = {}

    def __call__(self, of: K) -> V:
        key = id(of)
        kept = self._made.get(key)
        if kept is not None and kept[0]() is of:
            return kept[1]
        made = self._make(of)
        self._made[key] = weakref.ref(of, lambda _: self._made.pop(key, None)), made
        return made
