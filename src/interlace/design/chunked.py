"""Rows that come in chunks, from a source that can be read again and again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, TypeVar

from interlace.callers import called
from interlace.design.ahead import ahead
from interlace.errors import DataError, shown
from interlace.frozen import dataclass

Made = TypeVar("Made")
ROWS = 1 << 18


@dataclass(frozen=True, slots=True)
class Extents:
    """What a source says of its rows before one of them is read.

    Attributes
    ----------
    rows : int
        Their number.
    integers : dict of str to (int, int)
        Those of the columns that hold whole numbers, and between which two these lie.
    """

    rows: int
    integers: dict[str, tuple[int, int]]


class Chunked(ABC):
    """A source of rows, read in chunks of the same columns.

    Attributes
    ----------
    rows : int
        The most rows of a chunk.
    said : str
        What it is, in the plural, as messages name it.
    table : str
        How all its rows are had in memory, as code.
    readable_here : bool
        Can this process read it?
    counts : bool
        Can it count equal rows itself?
    in_threads : bool
        May another thread than that of the caller read it?
    """

    rows: int
    said: str
    table: str
    readable_here = True
    counts = False
    in_threads = False

    @abstractmethod
    def schema(self) -> Any:
        """Names and types of the columns, as of pyarrow."""

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """The rows of these columns, from the first to the last, as pyarrow's record batches of any size."""

    def grouped(self, keys: Sequence[str], response: str, about: float) -> Any:
        """The rows as `Grouped` by these columns, where the source counts them; None where it cannot.

        `about` is a number in the middle of the response.
        """
        return None

    def extents(self, columns: Collection[str]) -> Extents | None:
        """What the source says of its rows, and of some columns, before one is read; None where it says
        nothing."""
        return None

    def pieces(self) -> Iterator[tuple[str, int]]:
        """Files or partitions, in the order of their rows: how messages name each, and its number of rows."""
        return iter(())

    def place(self, row: int) -> str:
        """Where row number `row` lies, for a message; "" where there are no pieces."""
        for name, n in self.pieces():
            if row < n:
                return f"row {row} of {name}"
            row -= n
        return ""

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        with self.readable():
            return [str(name) for name in self.schema().names]

    @property
    def given_order(self) -> frozenset[str]:
        """Categorical columns, whose levels have an order of their own."""
        import pyarrow

        with self.readable():
            return frozenset(f.name for f in self.schema() if pyarrow.types.is_dictionary(f.type))

    def tables(self, columns: Sequence[str]) -> Iterator[Any]:
        """The rows of some columns, from the first to the last, as pyarrow tables of `rows` rows at most.

        A batch of at least half as many is a table by itself: its numbers can stay where they are.

        Raises
        ------
        DataError
            A column is there twice, or the source cannot be read.
        """
        import pyarrow

        self._check_once(columns)
        waiting: list[Any] = []
        with self.readable():
            for batch in self.batches(columns):
                if not waiting and self.rows <= 2 * batch.num_rows <= 2 * self.rows:
                    yield pyarrow.Table.from_batches([batch])
                    continue
                waiting.append(batch)
                while sum(b.num_rows for b in waiting) >= self.rows:
                    table = pyarrow.Table.from_batches(waiting)
                    waiting = table.slice(self.rows).to_batches()
                    yield table.slice(0, self.rows)
            if waiting:
                yield pyarrow.Table.from_batches(waiting)

    def beside(self, made: Generator[Made, None, None]) -> Generator[Made, None, None]:
        """What is made of the rows, one chunk after the other: the next one while the present one is used,
        where threads may read the source."""
        return ahead(made) if self.in_threads else made

    def _check_once(self, columns: Sequence[str]) -> None:
        names = self.names
        for name in columns:
            if names.count(name) > 1:
                raise DataError(
                    f"the data have {names.count(name)} columns named '{name}'; rename all but one"
                )

    @contextmanager
    def readable(self) -> Iterator[None]:
        """Inside, what the library that reads says is wrong becomes a `DataError`."""
        try:
            yield
        except (DataError, GeneratorExit):  # at the end of the process there is no library to be asked
            raise
        except self.failures() as error:
            raise DataError(f"{self.said} cannot be read: {self.telling(error)}") from error

    def telling(self, error: Exception) -> str:
        """The line of an error that tells what is wrong; the first, where nothing else is known."""
        words = str(error).strip().splitlines()
        return words[0] if words else type(error).__name__

    def failures(self) -> tuple[type[Exception], ...]:
        """Errors that the source may end with."""
        import pyarrow

        return pyarrow.ArrowException, OSError


def unreadable(said: str, error: Exception) -> DataError:
    """The error of data that cannot be read, with the first line of what was said about them."""
    words = str(error).strip().splitlines()
    return DataError(f"{said} cannot be read: {words[0] if words else type(error).__name__}")


class InProcess(Chunked):
    """A source that no other process can read: a pickle of it remembers what it was, and no rows."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Forgotten, (self.said,)


@dataclass(frozen=True, slots=True)
class Readers(InProcess):
    """A function that opens the rows anew, each time it is called, as a stream of Arrow.

    Attributes
    ----------
    opened : callable
        Returns a `pyarrow.RecordBatchReader`, or anything with `__arrow_c_stream__`.
    rows : int
    """

    opened: Callable[[], Any]
    rows: int
    said = "the rows of the function"
    table = "pyarrow.table(open_rows())"

    def schema(self) -> Any:
        """As the reader says."""
        return self._reader().schema

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Of a new reader, without the other columns."""
        for batch in self._reader():
            yield batch.select(list(columns))

    def _reader(self) -> Any:
        import pyarrow

        found = called("that opens the rows", self.opened, advice="call it without arguments to see why")
        if isinstance(found, pyarrow.RecordBatchReader):
            return found
        if hasattr(found, "__arrow_c_stream__"):
            return pyarrow.RecordBatchReader.from_stream(found)
        raise DataError(
            "the function must return a pyarrow.RecordBatchReader, or something with an Arrow stream, not "
            f"{shown(found)}"
        )


@dataclass(frozen=True, slots=True)
class Forgotten(Chunked):
    """What stands for a source that another process had: its rows stayed there.

    Attributes
    ----------
    said : str
    """

    said: str
    rows = ROWS
    table = "the table that they came from"
    readable_here = False

    def schema(self) -> Any:
        """Refused."""
        raise DataError(
            f"{self.said} stayed in the process that fitted the model; what needs no rows is answered, and "
            "for the rest fit the model here, or from files, which are found again"
        )

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Refused."""
        return iter(self.schema())


@dataclass(frozen=True, slots=True)
class Elsewhere(Chunked):
    """What stands for rows that other processes have looked at, and that were never here."""

    rows = ROWS
    said = "the rows that the accumulator was updated with"
    table = "lmer(formula, table)"
    readable_here = False

    def schema(self) -> Any:
        """Refused."""
        raise DataError(
            "this looks at rows again, and those that the accumulator was updated with are not here: say "
            "where they are when it is fitted, accumulator.fit(rows=interlace.chunks(...)), and they are "
            "read in chunks where they are needed"
        )

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Refused."""
        return iter(self.schema())


@dataclass(frozen=True, slots=True)
class LeftOut(Chunked):
    """What stands for the rows of a model that was made without them."""

    rows = ROWS
    said = "the rows of the data"
    table = "the data"
    readable_here = False

    def schema(self) -> Any:
        """Refused."""
        raise DataError(
            "this looks at the rows of the data, and the model was made without them, by m.without_rows() or "
            "m.save(path, rows=False): ask the model that has them, or fit again"
        )

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Refused."""
        return iter(self.schema())


def check_rows(rows: object) -> int:
    """The number of rows of a chunk.

    Raises
    ------
    DataError
        It is none.
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise DataError(f"rows must be a whole number, 1 or more, not {shown(rows)}")
    return rows


def need_pyarrow(what: str) -> None:
    """
    Raises
    ------
    DataError
        pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise DataError(f"reading {what} in chunks needs pyarrow: pip install 'interlace[parquet]'")
