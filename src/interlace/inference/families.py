"""Tests and intervals of several rows at once: every group of rows is a family, and is adjusted by itself."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError
from interlace.frozen import dataclass
from interlace.inference import adjust
from interlace.inference.contrast_plan import PAIRWISE
from interlace.inference.means_labels import RowLabels
from interlace.inference.means_source import Source
from interlace.options import word
from interlace.precision.wald import standardized

NONE = "none"
TWO_SIDED, GREATER, LESS = "two-sided", ">", "<"
_SIDES = {TWO_SIDED: TWO_SIDED, "greater": GREATER, "less": LESS}


def method(given: str | None, default: str) -> str:
    """The adjustment that is meant.

    Raises
    ------
    DataError
        It is not known.
    """
    if given is None:
        return default
    return word("adjust", given, adjust.METHODS)


def side(given: Any) -> str:
    """The alternative that is meant: "two-sided", ">" or "<".

    Raises
    ------
    DataError
        It is none of these.
    """
    if isinstance(given, str) and given.strip() in (GREATER, LESS):
        return given.strip()
    return _SIDES[word("side", given, _SIDES)]


@dataclass(frozen=True, slots=True)
class Families:
    """The rows of a table of means, group by group.

    Attributes
    ----------
    source : Source
    labels : RowLabels
    L : ndarray, (m, P)
    kind : str
        "pairwise" if each group holds all differences of two means.
    """

    source: Source
    labels: RowLabels
    L: Array
    kind: str

    def p_values(self, t: Array, df: Array, asked: str, alternative: str) -> tuple[Array, list[str]]:
        """P-values (m,), and what was done to them."""

        def found(family: adjust.Family, used: str) -> Array:
            return np.asarray(adjust.adjusted(used, family, alternative))

        return self._each(t, df, asked, ("test", alternative), found)

    def across(self, p: Array, asked: str) -> tuple[Array, list[str]]:
        """P-values adjusted over the groups, each with the same test of the others, and what is said of it.

        Raises
        ------
        DataError
            Groups do not have the same tests.
        """
        groups = [rows for _, rows in self.labels.groups()]
        if asked == NONE or len(groups) < 2:
            return p, []
        tests = [self.labels.plain(rows) for rows in groups]
        if any(one != tests[0] for one in tests):
            raise DataError(
                "cross_adjust compares the same tests in each group, and the groups have others: leave "
                "cross_adjust out, or choose contrasts that all groups have"
            )
        order = np.concatenate(groups)
        out = np.empty_like(p)
        out[order] = adjust.cross(p[order], asked, len(groups))
        return out, [adjust.cross_note(asked)]

    def critical(self, df: Array, asked: str, level: float, side: str) -> tuple[Array, list[str]]:
        """What a standard error is multiplied by for an interval, (m,), and what was done to it."""

        def found(family: adjust.Family, used: str) -> Array:
            return np.asarray(adjust.critical(used, family, level, side))

        return self._each(np.where(np.isnan(df), np.nan, 0.0), df, asked, ("interval", side), found)

    def _each(
        self,
        t: Array,
        df: Array,
        asked: str,
        purpose: tuple[str, str],
        numbers: Callable[[adjust.Family, str], Array],
    ) -> tuple[Array, list[str]]:
        out, notes = np.full(len(df), np.nan), []
        for _, rows in self.labels.groups():
            family = self._family(rows, t, df)
            used, note = adjust.choose(asked, family, *purpose)
            out[rows] = numbers(family, used)
            notes.append(note)
        return out, [note for note in dict.fromkeys(notes) if note]

    def _family(self, rows: np.ndarray, t: Array, df: Array) -> adjust.Family:
        L = self.L[rows]
        means = _means_of_pairs(len(rows)) if self.kind == PAIRWISE else None
        return adjust.Family(t[rows], df[rows], self.source.rank(L), means, lambda: self._correlation(L))

    def _correlation(self, L: Array) -> Array:
        return standardized(self.source.vcov(L))[0]


def _means_of_pairs(n: int) -> int | None:
    """How many means have n differences of two."""
    k = (1 + isqrt(1 + 8 * n)) // 2
    return k if k * (k - 1) // 2 == n else None
