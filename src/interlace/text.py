"""Words for messages: names that were probably meant, and lists that do not become too long."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str], *, most: int = 3, cutoff: float = 0.6) -> list[str]:
    """The known names most like one that is not known, best first.

    Capitals, dots and underscores make no difference.

    Parameters
    ----------
    name : str
    known : iterable of str
    most : int
        How many, at most.
    cutoff : float
        How like they must be, from 0 to 1 (`difflib`'s ratio).

    Examples
    --------
    >>> nearest("Dayz", ["Days", "Subject"])
    ['Days']
    """
    folded: dict[str, str] = {}
    for one in known:
        folded.setdefault(fold(one), one)
    return [folded[one] for one in get_close_matches(fold(name), list(folded), n=most, cutoff=cutoff)]


def did_you_mean(name: str, known: Iterable[str], *, most: int = 3, cutoff: float = 0.6) -> str:
    """A question with the names most like one that is not known; "" if there are none.

    Examples
    --------
    >>> did_you_mean("Dayz", ["Days", "Subject"])
    "did you mean 'Days'?"
    """
    return question(nearest(name, known, most=most, cutoff=cutoff))


def question(names: Sequence[str]) -> str:
    """Whether one of these was meant; "" if there are none."""
    return f"did you mean {' or '.join(repr(one) for one in names)}?" if names else ""


def listed(names: Sequence[str], most: int = 12) -> str:
    """The first names, and "..." for the others.

    Examples
    --------
    >>> listed(["a", "b", "c"], 2)
    'a, b, ...'
    """
    return ", ".join([*names[:most], *(["..."] if len(names) > most else [])])


def fold(name: str) -> str:
    """A name without what people write in different ways."""
    return name.lower().replace("_", "").replace(".", "")


def to_numbers(name: str) -> str:
    """How a column of text becomes one of numbers, in pandas and in polars."""
    return (
        f"pd.to_numeric(data[{name!r}], errors='coerce') (in polars: "
        f"pl.col({name!r}).cast(pl.Float64, strict=False))"
    )


def to_days(name: str) -> str:
    """How a column of dates becomes one of days, in pandas and in polars.

    What is no name of a column but something computed, such as `I(when)`, has 'the column' for its name.
    """
    name = name if re.fullmatch(r"[\w. ]+", name) else "the column"
    return f"(data[{name!r}] - data[{name!r}].min()).dt.days (in polars: .dt.total_days())"
