"""Values of rows that leave chunk by chunk: as tables of Arrow, or into a Parquet file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from interlace.design.chunked import need_pyarrow
from interlace.errors import DataError, shown

if TYPE_CHECKING:
    from pyarrow import Table

    ArrowTable: TypeAlias = Table


def tables_of(chunks: Iterable[Mapping[str, np.ndarray]]) -> Iterator[ArrowTable]:
    """A pyarrow table of each chunk; numbers that are not there (NaN) are missing values."""
    need_pyarrow("values of rows")
    import pyarrow

    for chunk in chunks:
        yield pyarrow.table({name: pyarrow.array(values, from_pandas=True) for name, values in chunk.items()})


def write(chunks: Iterable[Mapping[str, np.ndarray]], to: Any) -> int:
    """A Parquet file of all chunks, which is there when all of them are; the number of its rows.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    if not isinstance(to, str | PathLike):
        raise DataError(f"to= is the path of a Parquet file that is written, not {shown(to)}")
    need_pyarrow("Parquet files")
    from pyarrow import parquet

    path, writer, rows = fspath(to), None, 0
    unfinished = f"{path!s}.part"
    try:
        for table in tables_of(chunks):
            if writer is None:
                writer = parquet.ParquetWriter(unfinished, table.schema)
            writer.write_table(table)
            rows += table.num_rows
        if writer is None:
            raise DataError("there are no rows to write")
        writer.close()
        os.replace(unfinished, path)
    except OSError as error:
        raise DataError(f"'{path!s}' cannot be written: {error.strerror or error}") from error
    finally:
        if writer is not None:
            writer.close()
        if os.path.exists(unfinished):
            os.remove(unfinished)
    return rows
