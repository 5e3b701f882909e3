"""Options that are words, switches and numbers: one rule for what is meant by each."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np

from interlace.errors import DataError, shown
from interlace.text import did_you_mean

TYPES = (1, 2, 3)
MODEL = "model"  # the covariance of the coefficients that is not a robust one
SCORES = ("rmse", "mae", "r2", "elpd", "crps")  # of predictions, in the order of their columns


class _Kept:
    """The default of an option that stays as it was."""

    def __repr__(self) -> str:
        return "as before"


KEPT = _Kept()


def word(option: str, given: object, known: Iterable[str], *, elsewhere: str = "") -> str:
    """The word that is meant; capitals, blanks, hyphens and underscores make no difference.

    Raises
    ------
    DataError
        It is none of those known; `elsewhere` says where others are answered.

    Examples
    --------
    >>> word("ddf", "Kenward_Roger", ["satterthwaite", "kenward-roger"])
    'kenward-roger'
    """
    known = tuple(known)
    if isinstance(given, str) and given in known:
        return given
    meant = {_folded(one): one for one in known}
    meant |= {short: one for short, one in _SHORT.items() if one in meant.values()}
    if not isinstance(given, str) or _folded(given) not in meant:
        words = list(dict.fromkeys(meant.values()))
        near = did_you_mean(given, words, most=1, cutoff=0.75) if isinstance(given, str) else ""
        raise DataError(
            f"{option} {shown(given)} is not known: {near}{' ' * bool(near)}choose from {', '.join(words)}"
            f"{elsewhere and '; '}{elsewhere}"
        )
    return meant[_folded(given)]


def switch(option: str, given: object) -> bool:
    """An option that is on or off.

    Raises
    ------
    DataError
        It is neither True nor False.
    """
    if not isinstance(given, bool | np.bool_):
        raise DataError(f"{option} must be True or False, not {shown(given)}")
    return bool(given)


def count(option: str, given: object, *, at_most: float = math.inf) -> int:
    """A positive whole number.

    Raises
    ------
    DataError
        It is something else, or more than can be done.
    """
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
        raise DataError(f"{option} must be a positive whole number, not {shown(given)}")
    if given > at_most:
        said = f"{given:,}" if given < 10**40 else shown(given)
        raise DataError(f"{option} is {said}, and {at_most:,.0f} is the most that memory has room for")
    return int(given)


def number(option: str, given: object) -> float:
    """A real number that is neither missing nor infinite.

    Raises
    ------
    DataError
    """
    if isinstance(given, bool | np.bool_) or not isinstance(given, Real) or not _is_finite(given):
        raise DataError(f"{option} must be a finite number, not {shown(given)}")
    return float(given)


def _is_finite(number: Any) -> bool:
    """As a float: whole numbers may be too large for one, and short floats do not know the largest."""
    value = number.item() if isinstance(number, np.generic) else number
    return bool(abs(value) <= sys.float_info.max)


def labels(option: str, given: object) -> tuple[str, ...]:
    """A list of texts.

    Raises
    ------
    DataError
        It is something else, one text alone too.
    """
    one = isinstance(given, str | bytes) or not getattr(given, "ndim", 1)
    texts = list(given) if isinstance(given, Iterable) and not one else None
    if texts is None or not all(isinstance(text, str) for text in texts):
        example = given if isinstance(given, str) else "x"
        raise DataError(f"{option} must be a list of texts, such as [{example!r}], not {shown(given)}")
    return tuple(texts)


def generator(seed: object) -> np.random.Generator:
    """Random numbers from a seed; a Generator is itself, and None is another seed each time.

    Raises
    ------
    DataError
        It is no seed.
    """
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool) and seed >= 0
    if seed is not None and not whole and not isinstance(seed, np.random.Generator):
        raise DataError(f"seed must be a whole number from 0, or a numpy Generator, not {shown(seed)}")
    return np.random.default_rng(seed)  # type: ignore[arg-type]


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
    raise DataError(f"type must be 1, 2 or 3, not {shown(given)}")


# Abbreviations in use, of whichever option has the word.
_SHORT = {
    "kr": "kenward-roger",
    "kenward": "kenward-roger",
    "satt": "satterthwaite",
    "boot": "bootstrap",
    "chisq": "lrt",  # R's word for likelihood ratios, where there is no other test of that name
}


_NO_MARKS = {ord(mark): None for mark in " -_."}


def _folded(text: str) -> str:
    return text.lower().translate(_NO_MARKS)
