"""One call of a function in a formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
        inside = self.text.partition("(")[2]
        return _first_argument(inside) or self.name


def _first_argument(inside: str) -> str:
    depth, quote = 0, ""
    for i, letter in enumerate(inside):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"`":
            quote = letter
        elif depth == 0 and letter in ",)":
            return inside[:i].strip()
        else:
            depth += (letter in "([{") - (letter in ")]}")
    return inside.strip()
