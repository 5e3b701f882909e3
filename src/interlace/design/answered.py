"""Rows that are read in chunks, with a response that is not theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.frame import Frame
from interlace.design.rows import Rows
from interlace.design.values import Column

Answers = Callable[[Design], np.ndarray]  # the response of the rows of one chunk after another


@dataclass(frozen=True)
class AnsweredRows:
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
