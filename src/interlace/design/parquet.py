"""Parquet files as a source of rows that can be read again and again, in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import glob
from importlib.util import find_spec
from os import PathLike, fspath
from os.path import exists
from typing import Any

from interlace.errors import DataError, shown

ROWS = 1 << 18
_FEWEST = 256  # rows of a chunk; fewer would cost time and save nothing


@dataclass(frozen=True, slots=True)
class ParquetFiles:
    """Parquet files, read in chunks of rows; made by `parquet`.

    Attributes
    ----------
    paths : tuple of str
        Files or directories, in the order of their rows; empty where a dataset was given.
    dataset : pyarrow.dataset.Dataset or None
    rows : int
        Rows of a chunk.
    """

    paths: tuple[str, ...]
    dataset: Any
    rows: int

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [str(name) for name in self._opened().schema.names]

    @property
    def given_order(self) -> frozenset[str]:
        """Categorical columns, whose levels have an order of their own."""
        import pyarrow

        return frozenset(f.name for f in self._opened().schema if pyarrow.types.is_dictionary(f.type))

    def tables(self, columns: Sequence[str]) -> Iterator[Any]:
        """The rows of some columns, from the first to the last, as pyarrow tables.

        Raises
        ------
        DataError
            A column is there twice, or a file cannot be read.
        """
        import pyarrow

        names = self.names
        for name in columns:
            if names.count(name) > 1:
                raise DataError(
                    f"the data have {names.count(name)} columns named '{name}'; rename all but one"
                )
        waiting: list[Any] = []
        try:
            batches = self._opened().to_batches(
                columns=list(columns), batch_size=self.rows, use_threads=False
            )
            for batch in batches:
                waiting.append(batch)
                if sum(b.num_rows for b in waiting) >= self.rows:
                    table = pyarrow.Table.from_batches(waiting)
                    waiting = table.slice(self.rows).to_batches()
                    yield table.slice(0, self.rows)
        except (pyarrow.ArrowException, OSError) as error:
            raise self._unreadable(error) from error
        if waiting:
            yield pyarrow.Table.from_batches(waiting)

    def _opened(self) -> Any:
        """The pyarrow dataset; files are opened anew each time, so that nothing of them is held."""
        if self.dataset is not None:
            return self.dataset
        import pyarrow
        from pyarrow import dataset

        source = self.paths[0] if len(self.paths) == 1 else list(self.paths)
        try:
            return dataset.dataset(source, format="parquet", partitioning="hive")
        except (pyarrow.ArrowException, OSError, ValueError, TypeError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> DataError:
        shown = ", ".join(f"'{path}'" for path in self.paths[:3]) + (", ..." if len(self.paths) > 3 else "")
        words = str(error).strip().splitlines()
        return DataError(
            f"the Parquet data {shown or 'of the dataset'} cannot be read: "
            f"{words[0] if words else type(error).__name__}"
        )


def parquet(source: Any, *, rows: int = ROWS) -> ParquetFiles:
    """Parquet files as the data of `lmer`, read in chunks: the rows need not fit in memory.

    The files are read several times: levels and what functions of the formula learn, means, cross-products,
    and again whenever something asks for rows, as `fitted` does. They must stay where and what they are.

    Parameters
    ----------
    source : path, list of paths, or pyarrow.dataset.Dataset
        A file, a directory of files, or a pattern such as "data/*.parquet", whose files are taken in the
        order of their names.
    rows : int
        Rows that are in memory at a time.

    Returns
    -------
    ParquetFiles

    Raises
    ------
    DataError
        There are no such files, pyarrow is not installed, or `rows` is no number of rows.

    Examples
    --------
    >>> import interlace
    >>> model = interlace.lmer("y ~ x + (1 | g)", interlace.parquet("part-*.parquet"))  # doctest: +SKIP
    """
    if find_spec("pyarrow") is None:
        raise DataError("reading Parquet files in chunks needs pyarrow: pip install 'interlace[parquet]'")
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < _FEWEST:
        raise DataError(f"rows must be a whole number, {_FEWEST} or more, not {shown(rows)}")
    if is_dataset(source):
        return ParquetFiles((), source, rows)
    given = [source] if isinstance(source, str | PathLike) else source
    if not isinstance(given, list | tuple) or not given:
        raise DataError(
            "give the path of a Parquet file, a list of paths, or a pyarrow dataset, not an object of type "
            f"{type(source).__name__}"
        )
    paths = tuple(path for one in given for path in _found(one))
    return ParquetFiles(paths, None, rows)


def is_dataset(data: Any) -> bool:
    """Whether this is a dataset of pyarrow."""
    return any(kind.__module__ == "pyarrow._dataset" for kind in type(data).__mro__)


def _found(path: Any) -> list[str]:
    if not isinstance(path, str | PathLike):
        raise DataError(f"a path is text, not {shown(path)}")
    name = fspath(path)
    if not isinstance(name, str):
        raise DataError(f"a path is text, not {shown(path)}")
    found = [name] if exists(name) else sorted(glob(name))
    if not found:
        raise DataError(f"there is no Parquet file '{name}'")
    return found
