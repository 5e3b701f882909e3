"""What means are asked for: names, lists of names, or text as in R's emmeans (``"pairwise ~ A | B"``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from interlace.errors import DataError, shown
from interlace.frozen import dataclass
from interlace.text import did_you_mean, listed

OVERALL = "1"


@dataclass(frozen=True, slots=True)
class Specs:
    """The variables of the means.

    Attributes
    ----------
    names : tuple of str
        The means are at all combinations of their values.
    by : tuple of str
        Means of different values of these stand in different groups.
    contrast : str
        The contrasts that are wanted beside the means; "" for none.
    """

    names: tuple[str, ...]
    by: tuple[str, ...] = ()
    contrast: str = ""

    @property
    def every(self) -> tuple[str, ...]:
        """All variables, those of the groups last."""
        return (*self.names, *self.by)


def read_specs(specs: Any, by: Any, known: Sequence[str]) -> Specs:
    """The variables that are meant.

    Parameters
    ----------
    specs : str or sequence of str
        A name, several, or text: ``"A"``, ``"A * B"``, ``"A | B"``, ``"pairwise ~ A | B"``; "1" is the mean
        over everything.
    by : None, str or sequence of str
        The variables that make groups.
    known : sequence of str
        The variables of the fixed part.

    Raises
    ------
    DataError
        A name is not known, or there are none.

    Examples
    --------
    >>> read_specs("pairwise ~ A | B", None, ["A", "B"])
    Specs(names=('A',), by=('B',), contrast='pairwise')
    """
    contrast, given, grouping = _split(specs, known)
    more = [] if by is None else [by] if isinstance(by, str) else list(by)
    groups = _named(dict.fromkeys([*grouping, *more]), known)
    names = tuple(name for name in _named(dict.fromkeys(given), known) if name not in groups)
    if not names and not groups and not _is_overall(specs):
        raise DataError("specs names no variable; name one of the fixed part, or '1' for the overall mean")
    return Specs(names, groups, contrast)


def _is_overall(specs: Any) -> bool:
    return isinstance(specs, str) and specs.rpartition("~")[2].split("|")[0].strip() == OVERALL


def _split(specs: Any, known: Sequence[str]) -> tuple[str, list[str], list[str]]:
    if isinstance(specs, str):
        if specs in known:
            return "", [specs], []
        left, tilde, right = specs.rpartition("~")
        if left.count("~") or (tilde and not right.strip()):
            raise DataError(f"specs {shown(specs)} is not understood; write as in 'pairwise ~ A | B'")
        names, _, groups = right.partition("|")
        return left.strip(), _pieces(names, known), _pieces(groups, known)
    if isinstance(specs, Iterable):
        found = list(specs)
        if all(isinstance(one, str) for one in found):
            return "", [name for one in found for name in _pieces(one, known)], []
    raise DataError(f"specs must be a name, a list of names, or text such as 'A | B', not {shown(specs)}")


def _pieces(text: str, known: Sequence[str]) -> list[str]:
    """The names between operators; whole names that have such characters come first."""
    text = text.strip()
    if text in known:
        return [text]
    found, word, depth = [], "", 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character in "*+:," and not depth:
            found.append(word)
            word = ""
        else:
            word += character
    names = [one.strip().strip("`") for one in (*found, word)]
    return [name for name in names if name and name != OVERALL]


def _named(names: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    found = []
    for name in names:
        inside = name[name.index("(") + 1 : -1].strip() if name.endswith(")") and "(" in name else ""
        if name in known:
            found.append(name)
        elif inside in known:  # factor(x): the variable is x
            found.append(inside)
        else:
            raise unknown_variable(name, known)
    return tuple(dict.fromkeys(found))


def unknown_variable(name: Any, known: Sequence[str]) -> DataError:
    """What to say of a name that is no variable."""
    near = did_you_mean(str(name), known)
    question = f" ({near})" if near else ""
    if not known:
        return DataError(f"there is no variable '{name}': the fixed part of the model has none")
    return DataError(
        f"'{name}' is no variable of the fixed part of the model{question}; its variables are {listed(known)}"
    )
