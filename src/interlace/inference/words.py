"""Options that are words: one rule for what is meant by them."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real

from interlace.errors import DataError

TYPES = (1, 2, 3)


def word(option: str, given: object, known: Iterable[str]) -> str:
    """The word that is meant; capitals, blanks, hyphens and underscores make no difference.

    Raises
    ------
    DataError
        It is none of those known.

    Examples
    --------
    >>> word("ddf", "Kenward_Roger", ["satterthwaite", "kenward-roger"])
    'kenward-roger'
    """
    meant = {_folded(one): one for one in known}
    if not isinstance(given, str) or _folded(given) not in meant:
        raise DataError(f"{option} {given!r} is not known: choose from {', '.join(meant.values())}")
    return meant[_folded(given)]


def type_number(given: object) -> int:
    """The type of an ANOVA table: a number, or R's and SAS's "I", "II", "III".

    Raises
    ------
    DataError
        It is something else.
    """
    if isinstance(given, Real | str) and not isinstance(given, bool):
        for number in TYPES:
            if given == number or (isinstance(given, str) and given.upper() in (str(number), "I" * number)):
                return number
    raise DataError(f"type must be 1, 2 or 3, not {given!r}")


def _folded(text: str) -> str:
    return text.lower().translate({ord(mark): None for mark in " -_"})
