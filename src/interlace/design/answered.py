"""Rows that are read in chunks, but with a response that is not theirs, or without some of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace

import numpy as np

from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.frame import Frame
from interlace.design.gathered import some_rows
from interlace.design.rows import Rows
from interlace.design.values import Column, Factor
from interlace.frozen import dataclass

Answers = Callable[[Design], np.ndarray]  # the response of the rows of one chunk after another


class Derived:
    """What rows have of those that they are made of, which are read in chunks."""

    rows: Rows

    @property
    def n_read(self) -> int:
        """Rows of the source."""
        return self.rows.n_read

    @property
    def readable(self) -> bool:
        """As far as the source is here."""
        return self.rows.readable

    @property
    def frame(self) -> Frame:
        """No columns; values per row are handed out as arrays."""
        return self.rows.frame

    @property
    def design(self) -> Design:
        """Refused."""
        return self.rows.design


@dataclass(frozen=True)
class AnsweredRows(Derived):
    """Rows that are read in chunks, with a response that is not theirs.

    Attributes
    ----------
    encoding : Encoding
        Of the model.
    rows : Rows
        As they are read.
    opened : callable
        Begins anew: gives a function that is called with each chunk in turn, and gives its response.
    changes : tuple of callable
        What is done to the chunks after that.
    """

    encoding: Encoding
    rows: Rows
    opened: Callable[[], Answers] = field(repr=False)
    changes: tuple[Callable[[Design], Design], ...] = ()

    @property
    def n(self) -> int:
        """Their number."""
        return self.rows.n

    @property
    def means(self) -> Mapping[str, float]:
        """Those of columns that are no response."""
        response = str(self.encoding.formula.response)
        return {name: mean for name, mean in self.rows.means.items() if name != response}

    def column(self, option: str, name: str) -> tuple[Column, np.ndarray | None]:
        """That of the data."""
        return self.rows.column(option, name)

    def designs(self) -> Iterator[Design]:
        """Chunk by chunk."""
        answers = self.opened()
        for read in self.rows.designs():
            design = replace(read, y=answers(read))
            for change in self.changes:
                design = change(design)
            yield design

    def cells(self) -> Iterator[Design]:
        """The rows: equal rows have other responses."""
        return self.designs()

    def for_sums(self) -> AnsweredRows:
        """They themselves."""
        return self

    def changed(self, encoding: Encoding, change: Callable[[Design], Design]) -> AnsweredRows:
        """The same rows, each chunk changed when it is read."""
        return replace(self, encoding=encoding, changes=(*self.changes, change))


@dataclass(frozen=True)
class OtherRows(Derived):
    """Rows without some of them.

    Attributes
    ----------
    encoding : Encoding
        Of the model.
    rows : Rows
        All of them.
    gone : ndarray of int
        Places of those that are left out.
    """

    encoding: Encoding
    rows: Rows
    gone: np.ndarray = field(repr=False)

    @property
    def n(self) -> int:
        """Their number."""
        return self.rows.n - len(self.gone)

    @property
    def means(self) -> Mapping[str, float]:
        """Not counted."""
        return {}

    def column(self, option: str, name: str) -> tuple[Column, np.ndarray | None]:
        """That of the data, without these rows."""
        column, missing = self.rows.column(option, name)
        stay = np.setdiff1d(np.arange(self.rows.n), self.gone)
        found = column.take(stay) if isinstance(column, Factor) else column[stay]
        return found, None if missing is None else missing[stay]

    def designs(self) -> Iterator[Design]:
        """Chunk by chunk."""
        stay = np.ones(self.rows.n, dtype=bool)
        stay[self.gone] = False
        start = 0
        for design in self.rows.designs():
            left = np.flatnonzero(stay[start : start + design.nrows])
            start += design.nrows
            if left.size:
                yield some_rows(design, left)

    def cells(self) -> Iterator[Design]:
        """The rows."""
        return self.designs()

    def for_sums(self) -> OtherRows:
        """They themselves."""
        return self

    def changed(self, encoding: Encoding, change: Callable[[Design], Design]) -> OtherRows:
        """The same rows, each chunk changed when it is read."""
        return OtherRows(encoding, self.rows.changed(encoding, change), self.gone)
