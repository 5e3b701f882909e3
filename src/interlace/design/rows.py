"""The rows of a model: what was learnt of them, and where they can be read again, in chunks.

This is the one door to rows after the fit. A table in memory is one chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from interlace.design.chunked import Chunked, LeftOut
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.equal_rows import collapsed, key_columns
from interlace.design.frame import Frame, closest
from interlace.design.held_cells import HeldCells
from interlace.design.joining import joined
from interlace.design.scan import scanned
from interlace.design.source import further_column
from interlace.design.values import Column, Factor, factorize
from interlace.errors import DataError, ModelError
from interlace.formula.formula import plain_name
from interlace.frozen import dataclass


class Rows(Protocol):
    """Rows used in a fit."""

    @property
    def encoding(self) -> Encoding:
        """What was learnt of them."""

    @property
    def n(self) -> int:
        """Their number."""

    @property
    def n_read(self) -> int:
        """The number of rows that were read, used or not."""

    @property
    def readable(self) -> bool:
        """Are they here, or can they be read again?"""

    @property
    def frame(self) -> Frame:
        """What it takes to hand out a table with a row for each: the caller's library and row labels."""

    @property
    def design(self) -> Design:
        """All of them at once.

        Raises
        ------
        ModelError
            They are not in memory.
        """

    @property
    def means(self) -> Mapping[str, float]:
        """Of columns of numbers of the data, over these rows, as far as they were counted before."""

    def column(self, option: str, name: str) -> tuple[Column, np.ndarray | None]:
        """A column of the data, of the model or not, and which of its values are missing.

        It has a value for each row used or, of a table, perhaps for each row that was read.

        Parameters
        ----------
        option, name : str
            What asks for the column, for messages; the column.

        Raises
        ------
        DataError
            There is no such column, or the data are not what they were.
        """

    def designs(self) -> Iterator[Design]:
        """All of them, chunk by chunk, always in the same order."""

    def cells(self) -> Iterator[Design]:
        """The same for sums over them: cells of equal rows where that takes less time. `kept` says nothing of
        where they were among all rows."""

    def for_sums(self) -> Rows:
        """The same, of which `cells` may be asked again and again."""

    def changed(self, encoding: Encoding, change: Callable[[Design], Design]) -> Rows:
        """The same rows for a model of an encoding, each chunk changed."""


@dataclass(frozen=True, slots=True)
class FrameRows:
    """Rows in memory.

    Attributes
    ----------
    encoding : Encoding
    design : Design
    keys : tuple of str
        Columns of the frame, where rows that agree in them agree in all but y; else nothing.
    means : mapping of str to float
        Of columns of numbers, as far as they were computed: those of the fixed part, and the response.
    """

    encoding: Encoding
    design: Design
    keys: tuple[str, ...] = ()
    means: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, encoding: Encoding, design: Design) -> FrameRows:
        """Rows as an encoding makes them of a table."""
        keys = key_columns(encoding.formula, design.frame.columns, encoding.context, ())
        means = {name: found.mean for name, found in encoding.covariates.items()}
        response = plain_name(encoding.formula.response)
        if response is not None and design.y is not None:
            means[response] = scanned(design.y).sum / len(design.y)
        return cls(encoding, design, keys, means)

    @property
    def n(self) -> int:
        """Their number."""
        repeats = self.design.repeats
        return self.design.nrows if repeats is None else repeats.rows

    @property
    def n_read(self) -> int:
        """Rows of the table."""
        return self.design.n_rows_read

    @property
    def readable(self) -> bool:
        """They are here."""
        return True

    @property
    def frame(self) -> Frame:
        """The rows used."""
        return self.design.frame

    def column(self, option: str, name: str) -> tuple[Column, np.ndarray | None]:
        """Of the table of the fit."""
        found = self.design.frame.columns.get(name)
        return further_column(self.design, option, name) if found is None else (found, None)

    def designs(self) -> Iterator[Design]:
        """The one chunk."""
        yield self.design

    def cells(self) -> Iterator[Design]:
        """The one chunk, or its cells."""
        yield collapsed(self.design, self.keys)

    def for_sums(self) -> FrameRows:
        """Their cells, where sums over these take less time."""
        cells = collapsed(self.design, self.keys)
        return self if cells is self.design else FrameRows(self.encoding, cells, means=self.means)

    def changed(self, encoding: Encoding, change: Callable[[Design], Design]) -> FrameRows:
        """The same rows, changed."""
        return FrameRows(encoding, change(self.design))


@dataclass(frozen=True)
class ChunkedRows:
    """Rows that are read in chunks.

    Attributes
    ----------
    encoding : Encoding
        Of the model.
    source : Chunked
    columns : tuple of str
        The columns that are read.
    n, n_read : int
        Rows used, and rows of the source.
    missing : tuple of (str, int)
        Columns with missing values and their number.
    reader : Encoding
        What makes numbers of a chunk.
    changes : tuple of callable
        What is done to these numbers for the model, in turn.
    means : dict of str to float
        Of columns of numbers, over all rows used.
    held : HeldCells or None
        Cells of all rows, where they are few.
    summed : object or None
        The sums over the rows that were made while the encoding was learnt from them, if they were.
    """

    encoding: Encoding
    source: Chunked
    columns: tuple[str, ...]
    n: int
    n_read: int
    missing: tuple[tuple[str, int], ...]
    reader: Encoding
    changes: tuple[Callable[[Design], Design], ...] = ()
    means: Mapping[str, float] = field(default_factory=dict)
    held: HeldCells | None = None
    summed: object | None = None

    def __getstate__(self) -> dict[str, object]:
        """Without the cells: they are rows, and those stay where they are. Sums are in the fit."""
        return {name: value for name, value in self.__dict__.items() if name not in ("held", "summed")}

    @property
    def readable(self) -> bool:
        """As far as the source is here."""
        return self.source.readable_here

    @property
    def frame(self) -> Frame:
        """No columns; values per row are handed out as arrays."""
        return Frame({}, {}, self.n, "pyarrow")

    @property
    def design(self) -> Design:
        """Refused."""
        if not self.readable:
            self.source.schema()
        raise ModelError(
            f"this needs all rows in memory at once, and the model was fitted from {self.source.said}, which "
            f"are read in chunks; if the rows fit in memory, fit their table: {self.source.table}"
        )

    def column(self, option: str, name: str) -> tuple[Column, np.ndarray | None]:
        """As a factor of the rows used: a code for each row is all that is kept of it."""
        names = self.source.names
        if name not in names:
            raise DataError(f"{option} '{name}' is no column of the data; {closest(name, names)}")
        columns = self.columns if name in self.columns else (*self.columns, name)
        frames: list[Frame] = []
        for design, table in self._read(columns):
            read = Frame.read(table, [name])
            values, missing = read.columns[name], read.missing.get(name)
            factor = values if isinstance(values, Factor) else factorize(values)
            if missing is not None:
                factor = replace(factor, codes=np.where(missing, np.int32(-1), factor.codes))
            if design.kept is not None:
                factor = factor.take(design.kept)
            frames.append(Frame({name: factor}, {}, design.nrows, "pyarrow"))
        return joined(frames, self.source.given_order).columns[name], None

    def designs(self) -> Iterator[Design]:
        """Chunk by chunk; rows with missing values are left out, and `kept` counts the rows of all chunks.

        Raises
        ------
        DataError
            The rows are not what they were.
        """
        return self.source.beside(self._changed(self._numbered()))

    def _numbered(self) -> Generator[Design, None, None]:
        before = 0
        for design, table in self._read(self.columns):
            kept = np.arange(table.num_rows) if design.kept is None else design.kept
            yield replace(design, kept=before + kept)
            before += table.num_rows

    def _changed(self, designs: Iterable[Design]) -> Generator[Design, None, None]:
        for design in designs:
            if design.nrows:
                for change in self.changes:
                    design = change(design)
                yield design

    def _read(self, columns: Sequence[str]) -> Iterator[tuple[Design, Any]]:
        """What is made of each chunk, and its table."""
        n = 0
        for table in self.source.tables(columns):
            design = self.reader.design(table, response="required")
            n += design.nrows
            yield design, table
        if n != self.n:
            raise DataError(
                f"{self.source.said} have {n} rows without missing values, where there were {self.n} before: "
                "they have changed, so fit again"
            )

    def cells(self) -> Iterator[Design]:
        """Those that are held, or chunk by chunk."""
        if self.held is None:
            yield from self.source.beside(self._changed(design for design, _ in self._read(self.columns)))
            return
        design = self.held.design(self.reader)
        for change in self.changes:
            design = change(design)
        yield design

    def for_sums(self) -> ChunkedRows:
        """They themselves."""
        return self

    def changed(self, encoding: Encoding, change: Callable[[Design], Design]) -> ChunkedRows:
        """The same rows, each chunk changed when it is read."""
        return replace(self, encoding=encoding, changes=(*self.changes, change), summed=None)


def kept_of(rows: Rows) -> np.ndarray | None:
    """Which of the rows that were read are used; None if all are."""
    if isinstance(rows, FrameRows):
        return rows.design.kept
    if rows.n == rows.n_read:
        return None
    return per_row(rows, lambda d: np.arange(d.nrows) if d.kept is None else np.asarray(d.kept))


def as_rows(encoding: Encoding, rows: Design | Rows) -> Rows:
    """A design is the one chunk of its rows."""
    return FrameRows(encoding, rows) if isinstance(rows, Design) else rows


def selected(rows: Rows, kept: tuple[int, ...]) -> Rows:
    """The same rows with some columns of X; the encoding stays that of all columns."""
    if kept == tuple(range(len(rows.encoding.fixed_names))):
        return rows
    return rows.changed(rows.encoding, partial(_with_columns, kept=kept))


def _with_columns(design: Design, kept: tuple[int, ...]) -> Design:
    return design.selected(kept)


def left_out(rows: Rows) -> ChunkedRows:
    """What is known of rows that are left out of a file: how many there were."""
    return ChunkedRows(rows.encoding, LeftOut(), (), rows.n, rows.n_read, (), rows.encoding)


def per_row(rows: Rows, value: Callable[[Design], np.ndarray]) -> np.ndarray:
    """Values of each row, (n, ...), from those of the rows of a design."""
    found = [value(design) for design in rows.designs()]
    return found[0] if len(found) == 1 else np.concatenate(found)


def codes_of(rows: Rows) -> list[np.ndarray]:
    """The level of each row, (n,), for each random term: a number of four bytes for each."""
    found = [[part.codes for part in design.random] for design in rows.designs()]
    return found[0] if len(found) == 1 else [np.concatenate(parts) for parts in zip(*found, strict=True)]


def side_by_side(pieces: Sequence[Iterator[np.ndarray]]) -> Iterator[tuple[np.ndarray, ...]]:
    """Values of the same rows from several readings of them, whose chunks may begin at other rows."""
    waiting: list[np.ndarray | None] = [None] * len(pieces)
    while True:
        for i, one in enumerate(pieces):
            found = waiting[i]
            waiting[i] = found if found is not None and len(found) else next(one, None)
        here = [found for found in waiting if found is not None]
        if len(here) < len(pieces):
            return
        n = min(len(found) for found in here)
        yield tuple(found[:n] for found in here)
        waiting = [found[n:] for found in here]
