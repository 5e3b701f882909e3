"""Tables that are computed when they are read, as rows that come in chunks: DuckDB, polars, dask; and which
source is what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import Any

import pandas as pd

from interlace.design.chunked import ROWS, Chunked, InProcess, Readers, check_rows, need_pyarrow, unreadable
from interlace.design.distributed import RayRows, SparkRows
from interlace.design.files import DataFiles, files, is_dataset, is_path
from interlace.design.grouped import group_by
from interlace.design.kinds import check_types
from interlace.errors import DataError, shown
from interlace.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Relation(InProcess):
    """A relation of DuckDB, computed anew each time.

    Attributes
    ----------
    relation : duckdb.DuckDBPyRelation
    types : pyarrow.Schema
        Of its columns. A connection has one open result at a time: they are not asked for while it is read.
    rows : int
    """

    relation: Any
    types: Any
    rows: int
    said = "the rows of the DuckDB relation"
    table = "relation.to_arrow_table()"
    counts = True

    def schema(self) -> Any:
        """As it was at first."""
        return self.types

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Of these columns alone, which are all that DuckDB computes."""
        quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
        with _reader(self.relation.project(quoted), self.rows) as reader:
            yield from reader

    def grouped(self, keys: Sequence[str], response: str, about: float) -> Any:
        """By GROUP BY."""
        return group_by(self.relation, keys, response, about, self.rows)

    def failures(self) -> tuple[type[Exception], ...]:
        """Those of DuckDB too."""
        import duckdb
        import pyarrow

        return pyarrow.ArrowException, OSError, duckdb.Error


def _opened(relation: Any, rows: int) -> Relation:
    """With the types of the columns, by no rows of it.

    Raises
    ------
    DataError
        DuckDB cannot compute it.
    """
    import duckdb

    try:
        with _reader(relation.limit(0), 1) as reader:
            return Relation(relation, reader.schema, rows)
    except duckdb.Error as error:
        raise unreadable(Relation.said, error) from error


def _reader(relation: Any, rows: int) -> Any:
    """By the name that the version of DuckDB has for it."""
    newest = getattr(relation, "to_arrow_reader", None)
    return newest(rows) if newest is not None else relation.fetch_record_batch(rows)


@dataclass(frozen=True, slots=True)
class Lazy(InProcess):
    """A LazyFrame of polars, collected anew each time, in batches.

    Attributes
    ----------
    frame : polars.LazyFrame
    rows : int
    """

    frame: Any
    rows: int
    said = "the rows of the polars LazyFrame"
    table = "frame.collect()"

    def schema(self) -> Any:
        """Of no rows of it."""
        return self.frame.limit(0).collect().to_arrow().schema

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Of these columns alone, which are all that polars computes."""
        chosen = self.frame.select(list(columns))
        if hasattr(chosen, "collect_batches"):
            parts = chosen.collect_batches(chunk_size=self.rows, maintain_order=True)
        else:  # of polars before 1.34
            parts = [chosen.collect()]
        for part in parts:
            yield from part.to_arrow().to_batches()

    def failures(self) -> tuple[type[Exception], ...]:
        """Those of polars too."""
        import polars
        import pyarrow

        return pyarrow.ArrowException, OSError, polars.exceptions.PolarsError


@dataclass(frozen=True, slots=True)
class Partitions(InProcess):
    """A dask DataFrame, of which one partition after the other is computed.

    Attributes
    ----------
    frame : dask.dataframe.DataFrame
    rows : int
    """

    frame: Any
    rows: int
    said = "the partitions of the dask DataFrame"
    table = "frame.compute()"

    def schema(self) -> Any:
        """By what dask knows of the types; values of unknown type are text."""
        import pyarrow

        return pyarrow.Schema.from_pandas(self.frame._meta_nonempty, preserve_index=False)

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """One partition after the other, without the other columns; an error names the partition."""
        import pyarrow

        schema = self.schema()
        schema = pyarrow.schema([schema.field(name) for name in columns])
        chosen = self.frame[list(columns)]
        for i in range(self.frame.npartitions):
            part, name = self._computed(chosen, i), f"partition {i} of the dask DataFrame"
            try:
                check_types(name, pyarrow.Schema.from_pandas(part, preserve_index=False), schema, columns)
                yield from pyarrow.Table.from_pandas(part, schema=schema, preserve_index=False).to_batches()
            except pyarrow.ArrowException as error:
                raise DataError(f"{name} has other columns: {error}") from error

    def pieces(self) -> Iterator[tuple[str, int]]:
        """The partitions."""
        for i in range(self.frame.npartitions):
            yield f"partition {i} of the dask DataFrame", len(self.frame.get_partition(i))

    def _computed(self, chosen: Any, i: int) -> Any:
        try:
            return chosen.get_partition(i).compute()
        except Exception as error:  # whatever the code of the caller, or of the cluster, raises
            words = f"{type(error).__name__}: {self.telling(error)}"
            raise DataError(f"partition {i} of the dask DataFrame cannot be computed: {words}") from error


def chunks(source: Any, *, query: str | None = None, rows: int = ROWS) -> Chunked:
    """Rows of any source that can be read again, as the data of `lmer`, read in chunks.

    The source is read several times: for levels and what functions of the formula learn, for means, for
    cross-products, and again whenever something asks for rows, as `fitted` does. It must stay what it is, and
    give its rows in the same order. Only the columns of the formula are read.

    Parameters
    ----------
    source : object
        Paths of Parquet or CSV files (one, a list, a pattern such as "data/*.parquet", a directory), a
        pyarrow dataset, a relation of DuckDB, a LazyFrame of polars, a DataFrame of dask or Spark, a dataset
        of Ray, or a function without arguments that opens the rows as a `pyarrow.RecordBatchReader` (or
        anything with an Arrow stream). A connection of DuckDB, with a `query`.
    query : str, optional
        SQL, for a connection of DuckDB.
    rows : int
        Rows that are in memory at a time.

    Returns
    -------
    Chunked

    Raises
    ------
    DataError
        The source can be read once only, or is none of these; pyarrow is not installed; `rows` is no number
        of rows.

    Examples
    --------
    >>> import interlace, duckdb
    >>> connection = duckdb.connect()
    >>> data = interlace.datasets.load("sleepstudy")
    >>> table = connection.register("sleepstudy", data)
    >>> rows = interlace.chunks(connection, query="from sleepstudy where Days > 1")
    >>> interlace.lmer("Reaction ~ Days + (Days | Subject)", rows).fit.rows.n
    144
    """
    need_pyarrow("rows")
    check_rows(rows)
    if query is not None:
        return _opened(_relation(source, query), rows)
    found = chunked(source, rows)
    if found is not None:
        return found
    if isinstance(source, list | tuple | str):
        return files(source, rows)
    if _is(source, "duckdb", "DuckDBPyRelation"):
        return _opened(source, rows)
    if callable(source):
        return Readers(source, rows)
    if _is(source, "pyarrow", "RecordBatchReader"):
        raise DataError(
            "a RecordBatchReader can be read once, and the rows are read several times: give the function "
            "that opens it, such as lambda: dataset.scanner().to_reader()"
        )
    raise DataError(
        f"chunks of an object of type {type(source).__name__} are not known: give paths, a pyarrow dataset, "
        "a DuckDB relation, a polars LazyFrame, a DataFrame of dask or Spark, a Ray dataset, or a function "
        "that opens a RecordBatchReader"
    )


def chunked(data: Any, rows: int = ROWS) -> Chunked | None:
    """Data that are never in memory at once: paths, datasets, lazy tables. None for tables."""
    if isinstance(data, pd.DataFrame):
        return None
    if isinstance(data, Chunked):
        return data
    if is_dataset(data):
        return DataFiles((), data, "parquet", rows)
    if is_path(data):
        need_pyarrow("files")
        return files(data, rows)
    if _is(data, "polars", "LazyFrame"):
        need_pyarrow("a LazyFrame")
        return Lazy(data, rows)
    for library, name, kind in _CLUSTERS:
        if _is(data, library, name):
            need_pyarrow(f"a {name} of {library}")
            return kind(data, rows)
    if isinstance(data, list | tuple):
        return _listed(data, rows)
    if callable(data) and not isinstance(data, type) and not hasattr(data, "__arrow_c_stream__"):
        need_pyarrow("a function that opens rows")
        return Readers(data, rows)
    return None


def _listed(data: list[Any] | tuple[Any, ...], rows: int) -> Chunked | None:
    """Paths, or a connection of DuckDB and a query."""
    if len(data) == 2 and _is(data[0], "duckdb", "DuckDBPyConnection"):
        need_pyarrow("a query")
        return _opened(_relation(*data), rows)
    if data and all(isinstance(path, str | PathLike) for path in data):
        need_pyarrow("files")
        return files(data, rows)
    return None


_CLUSTERS: tuple[tuple[str, str, Callable[[Any, int], Chunked]], ...] = (
    ("dask", "DataFrame", Partitions),
    ("pyspark", "DataFrame", SparkRows),
    ("ray", "Dataset", RayRows),
)


def _is(data: Any, library: str, name: str) -> bool:
    """Whether it is an object of a class of a library, which need not be installed."""
    return any(
        kind.__name__ == name and kind.__module__.lstrip("_").split(".")[0] == library
        for kind in type(data).__mro__
    )


def _relation(connection: Any, query: str) -> Any:
    if not isinstance(query, str):
        raise DataError(f"query must be SQL as text, not {shown(query)}")
    if not _is(connection, "duckdb", "DuckDBPyConnection"):
        raise DataError(
            "a query is asked of a connection of DuckDB, not of an object of type "
            f"{type(connection).__name__}"
        )
    import duckdb

    try:
        found = connection.sql(query)
    except duckdb.Error as error:
        words = str(error).strip().splitlines()
        raise DataError(f"DuckDB refuses the query: {words[0] if words else error}") from error
    if found is None:
        raise DataError("the query gives no rows: it must be a SELECT")
    return found
