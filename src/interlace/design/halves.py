"""Values that are put together pairwise: each of many small ones is looked at seldom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from interlace.frozen import dataclass

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Halves(Generic[Part]):
    """Parts in their order, whose sizes fall as the digits of a binary number do.

    A part that is added is put together with the last one while that is no larger. So n parts of size one are
    together about ``log2(n)`` times in what is put together, where adding each to the sum of those before
    would take it n times.

    Attributes
    ----------
    parts : tuple
    sizes : tuple of int
    """

    parts: tuple[Part, ...] = ()
    sizes: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Of all together."""
        return sum(self.sizes)

    def plus(self, part: Part, size: int, put: Callable[[Part, Part], Part]) -> Halves[Part]:
        """With one part more, at the end; `put` makes one of two neighbours."""
        parts, sizes = [*self.parts, part], [*self.sizes, size]
        while len(parts) > 1 and sizes[-2] <= sizes[-1]:
            last, n = parts.pop(), sizes.pop()
            parts[-1], sizes[-1] = put(parts[-1], last), sizes[-1] + n
        return Halves(tuple(parts), tuple(sizes))

    def joined(self, other: Halves[Part], put: Callable[[Part, Part], Part]) -> Halves[Part]:
        """With all parts of another, at the end."""
        found = self
        for part, size in zip(other.parts, other.sizes, strict=True):
            found = found.plus(part, size, put)
        return found

    def whole(self, put: Callable[[Part, Part], Part]) -> Part:
        """All parts together; there must be one."""
        *before, found = self.parts
        for part in reversed(before):
            found = put(part, found)
        return found
