"""What stands beside the rows of a table of means: levels of factors, or labels of contrasts, in groups."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from interlace.frozen import dataclass

CONTRAST = "contrast"
_OF_DIFFERENCES = ("pairwise", "revpairwise", "consec", "mean_chg", "dunnett")
_OPERATORS = re.compile(r"[-+/|*]")  # labels with one of these are put in parentheses in labels made of them


@dataclass(frozen=True, slots=True)
class RowLabels:
    """The labels of m rows.

    Attributes
    ----------
    columns : dict of str to tuple
        Values of each column, (m,).
    by : tuple of str
        The columns that make groups.
    """

    columns: dict[str, tuple[Any, ...]]
    by: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    @property
    def own(self) -> tuple[str, ...]:
        """The columns that tell the rows of a group apart."""
        return tuple(name for name in self.columns if name not in self.by)

    def take(self, rows: Sequence[int] | np.ndarray) -> RowLabels:
        """Some rows."""
        taken = [int(i) for i in rows]
        return RowLabels({name: tuple(v[i] for i in taken) for name, v in self.columns.items()}, self.by)

    def grouped(self, by: Sequence[str]) -> RowLabels:
        """The same rows in other groups."""
        return RowLabels(self.columns, tuple(by))

    def groups(self) -> list[tuple[tuple[Any, ...], np.ndarray]]:
        """The values of the columns of `by`, and the rows that have them, in order of appearance."""
        found: dict[tuple[Any, ...], list[int]] = {}
        for i in range(len(self)):
            found.setdefault(tuple(self.columns[name][i] for name in self.by), []).append(i)
        return [(values, np.array(rows)) for values, rows in found.items()]

    def title(self, values: Sequence[Any]) -> str:
        """What a group with these values of `by` is called."""
        return ", ".join(f"{name} = {short(v)}" for name, v in zip(self.by, values, strict=True))

    def levels(self, name: str) -> tuple[Any, ...]:
        """The distinct values of a column in order of appearance."""
        return tuple(dict.fromkeys(self.columns[name]))

    def named(self, rows: np.ndarray) -> list[str]:
        """What rows are called in contrasts: numbers have the name of their variable before them."""
        own = self.own
        prefix = {name: name if _are_numbers(self.columns[name]) else "" for name in own}
        parts = [[f"{prefix[name]}{text(self.columns[name][i])}" for name in own] for i in rows]
        return [in_parentheses(" ".join(part)) for part in parts]

    def plain(self, rows: np.ndarray) -> list[str]:
        """The values themselves, beside each other."""
        return [" ".join(text(self.columns[name][i]) for name in self.own) for i in rows]


def holds_contrasts(name: str) -> bool:
    """Whether a column holds labels of differences: of contrasts, or of those of one factor of several."""
    return name == CONTRAST or ".vs.ctrl" in name or name.endswith(tuple(f"_{m}" for m in _OF_DIFFERENCES))


def in_parentheses(label: str) -> str:
    """A label that has an operator in it, so that labels made of it can be read."""
    return f"({label})" if _OPERATORS.search(label) else label


def text(value: Any) -> str:
    """A value as R writes it, 15 digits; True and False are those of Python, as in names of coefficients."""
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value)


def short(value: Any) -> str:
    """A value with no more than seven digits."""
    return f"{value:.7g}" if isinstance(value, float) else text(value)


def _are_numbers(values: Sequence[Any]) -> bool:
    """Whether all of them are numbers, or look like some."""
    try:
        return all(np.isfinite(float(text(v))) for v in values)
    except ValueError:
        return False
