"""Batches of rows that come one by one: their tables, and whether their columns are of one kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from interlace.design import checks
from interlace.design.chunked import need_pyarrow
from interlace.design.evaluation import Evaluator
from interlace.design.foreign import ArrowTable
from interlace.design.frame import Frame, open_table
from interlace.design.joining import members
from interlace.design.kinds import Kind, kind_of
from interlace.design.learnt import sum_offsets
from interlace.design.merging import Task
from interlace.design.queries import chunked
from interlace.errors import DataError, shown
from interlace.formula.tree import label
from interlace.frozen import dataclass


def names_of(like: Any) -> list[str]:
    """Names of the columns of a table, of a source of rows, of a schema; or the names themselves.

    Raises
    ------
    DataError
        It is none of these.
    """
    if isinstance(like, list | tuple):
        if not all(isinstance(name, str) for name in like):
            raise DataError(f"names of columns are texts, not {shown(like)}")
        return list(like)
    if (
        type(like).__module__.startswith("pyarrow")
        and hasattr(like, "names")
        and not hasattr(like, "columns")
    ):
        return [str(name) for name in like.names]
    source = chunked(like)
    return source.names if source is not None else list(open_table(like).names)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that came together.

    Attributes
    ----------
    frame : Frame
        As read.
    kinds : dict of str to Kind
        Of the columns that have values.
    given_order : frozenset of str
        Columns whose levels have an order of their own.
    """

    frame: Frame
    kinds: dict[str, Kind]
    given_order: frozenset[str]


def batches_of(data: Any, columns: list[str], part: str | None) -> Iterator[Batch]:
    """A table is one batch; a source in chunks has several. Messages name the rows as `part`."""
    source = chunked(data)
    if source is not None:
        given = source.given_order
        for table in source.tables(columns):
            yield _batch(table, columns, given, part)
        return
    table = open_table(_as_table(data))
    yield _batch(table, columns, _given_order(table, columns), part)


def _batch(table: Any, columns: list[str], given_order: frozenset[str], part: str | None) -> Batch:
    read = Frame.read(table, columns)
    frame = Frame(read.columns, read.missing, read.nrows, "pyarrow")
    kinds = {
        name: Kind(kind_of(column), part)
        for name, column in frame.columns.items()
        if _has_values(frame, name)
    }
    return Batch(frame, kinds, given_order & set(columns))


def _as_table(data: Any) -> Any:
    """A record batch of pyarrow is a table of one batch."""
    if type(data).__module__.startswith("pyarrow") and type(data).__name__ == "RecordBatch":
        need_pyarrow("record batches")
        import pyarrow

        return pyarrow.Table.from_batches([data])
    return data


def _has_values(frame: Frame, name: str) -> bool:
    mask = frame.missing.get(name)
    return bool(frame.nrows) and (mask is None or not mask.all())


def _given_order(table: Any, columns: list[str]) -> frozenset[str]:
    data = getattr(table, "data", None)
    if isinstance(data, pd.DataFrame):
        dtypes = dict(zip(map(str, data.columns), data.dtypes, strict=True))
        return frozenset(name for name in columns if isinstance(dtypes.get(name), pd.CategoricalDtype))
    if data is None or isinstance(data, Mapping):
        return frozenset()
    if isinstance(table, ArrowTable):
        return table.given_order & set(columns)
    import narwhals as nw

    return frozenset(
        name for name in columns if name in data.columns and isinstance(data[name].dtype, nw.Enum)
    )


def check_batch(task: Task, frame: Frame, kept: np.ndarray | None) -> None:
    """Complete rows must have numbers where numbers are needed; rows are counted within the batch.

    Raises
    ------
    DataError
        With the column and the row.
    """
    if not frame.nrows:
        return
    formula, evaluator = task.scope.formula, Evaluator(frame.columns, frame.nrows, task.memory)
    name = label(formula.response)
    y = checks.numeric_response(name, evaluator.column(formula.response), frame.nrows)
    checks.check_values((name,), y[:, None], checks.LARGEST_RESPONSE, kept)
    for node in members(formula):
        value = evaluator.value(node)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim == 1:
            checks.check_values((label(node),), value[:, None], checks.LARGEST_PREDICTOR, kept)
    weights, offset = task.extras(frame)
    if weights.values is not None:
        checks.check_weights(weights.label, weights.values, kept)
    sum_offsets(formula, frame, task.memory, offset, kept)
