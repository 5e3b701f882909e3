"""One call of a function in a formula."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from interlace.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function in a formula: what its computation may look at besides its arguments.

    Attributes
    ----------
    name : str
        The function as R spells it.
    text : str
        Source of the call, for messages.
    state : dict
        Empty while learning; what was learnt, for new data.
    nrows : int
    """

    name: str
    text: str
    state: dict[str, Any]
    nrows: int

    @property
    def subject(self) -> str:
        """Source of the first argument, for messages."""
        return self.source(0)

    def source(self, place: int) -> str:
        """Source of an argument as written, for messages."""
        sources = list(_split(self.text.partition("(")[2]))
        return sources[place] if place < len(sources) and sources[place] else self.text


def _split(inside: str) -> Iterator[str]:
    """The arguments of a call: what stands between commas, outside of brackets and quotes."""
    depth, quote, start = 0, "", 0
    for i, letter in enumerate(inside):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"`":
            quote = letter
        elif depth == 0 and letter in ",)":
            yield inside[start:i].strip()
            start = i + 1
        else:
            depth += (letter in "([{") - (letter in ")]}")
