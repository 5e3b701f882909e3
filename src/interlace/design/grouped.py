"""Cells of equal rows as a database counts them: GROUP BY over the columns of a formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from interlace.design.equal_rows import EqualRows
from interlace.design.frame import Frame
from interlace.design.held_cells import HeldCells
from interlace.design.learnt import Covariate
from interlace.design.merging import Chunk, Counted, Seen, Task
from interlace.design.scan import scanned
from interlace.design.values import Factor
from interlace.frozen import dataclass

_FLOATS = ("FLOAT", "DOUBLE")
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")


@dataclass(frozen=True, slots=True)
class Grouped:
    """Rows by what they have in some columns.

    Attributes
    ----------
    keys : pyarrow.Table
        The columns, a row for each of their combinations.
    n_read, n : ndarray of int64
        Rows of each, and those of them that have a response.
    mean, within, low, high : ndarray of float64
        Of the response: mean, sum of squares about it, range.
    """

    keys: Any
    n_read: np.ndarray
    n: np.ndarray
    mean: np.ndarray
    within: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def taught(self, task: Task, response: str) -> tuple[Seen, HeldCells] | None:
        """What they show of all rows, and the cells; None where a number is in doubt or no row complete."""
        read = Frame.read(self.keys)
        complete = self.n > 0
        for mask in read.missing.values():
            complete &= ~mask
        some = np.flatnonzero(complete)
        y = np.concatenate([self.low[some], self.high[some]])
        if not len(some) or not np.isfinite([*y, *self.within[some]]).all():
            return None
        cells = EqualRows(some.astype(np.int32), self.n[some], self.mean[some], self.within[some])
        of_cells = _with(read.take(some), response, cells.mean)
        ends = _with(read.take(np.concatenate([some, some])), response, y)
        seen = Seen.of(task, Chunk(ends, ends, None))
        counted = self._counted(read, of_cells, task, response, some)
        return replace(seen, counted=counted), HeldCells(tuple(read.names), of_cells, cells)

    def _counted(self, read: Frame, frame: Frame, task: Task, response: str, some: np.ndarray) -> Counted:
        n = self.n[some]
        gone = {name: int(self.n_read[mask].sum()) for name, mask in read.missing.items()}
        gone[response] = int((self.n_read - self.n).sum())
        missing = {name: gone[name] for name in task.columns if gone.get(name)}
        total, covariates = int(n.sum()), {}
        for name, column in frame.columns.items():
            if not isinstance(column, Factor) and column.dtype.kind in "iuf":
                found = scanned(column)
                covariates[name] = Covariate(total, float(n @ column) / total, found.low, found.high)
        ends = float(self.low[some].min()), float(self.high[some].max())
        covariates[response] = replace(covariates[response], low=ends[0], high=ends[1])
        return Counted(total, int(self.n_read.sum()), missing, covariates)


def _with(frame: Frame, response: str, y: np.ndarray) -> Frame:
    return replace(frame, columns={**frame.columns, response: y}, scans={})


def group_by(relation: Any, keys: Sequence[str], response: str, about: float, most: int) -> Grouped | None:
    """The rows of a relation of DuckDB by columns; None where there are more than `most` combinations, where
    the response is no column of numbers, or where DuckDB refuses."""
    import duckdb

    types = {name: str(kind) for name, kind in zip(relation.columns, relation.types, strict=True)}
    kind, y = types[response], _quoted(response)
    if kind not in (*_FLOATS, *_NUMBERS):
        return None
    value = f"CASE WHEN isnan({y}) THEN NULL ELSE {y}::DOUBLE END" if kind in _FLOATS else f"{y}::DOUBLE"
    try:
        return _grouped(relation, keys, f"({value}) - {about!r}::DOUBLE", about, most)
    except duckdb.Error:
        return None  # the rows are read, and what is wrong is said with its row


def _grouped(relation: Any, keys: Sequence[str], y: str, about: float, most: int) -> Grouped | None:
    named = ", ".join(_quoted(name) for name in keys)
    sums = "count(*), count(y_), favg(y_), var_pop(y_) * count(y_), min(y_), max(y_)"
    inner = f"SELECT {named}, {y} AS y_ FROM rows_"
    in_order = f"GROUP BY {named} ORDER BY {named} LIMIT {most + 1}"
    table = relation.query("rows_", f"SELECT {named}, {sums} FROM ({inner}) {in_order}").to_arrow_table()
    if table.num_rows > most:
        return None
    k = len(keys)
    n_read, n, mean, within, low, high = (_numbers(table.column(k + j)) for j in range(6))
    return Grouped(
        table.select(range(k)).rename_columns(list(keys)), n_read.astype(np.int64), n.astype(np.int64),
        about + mean, within, about + low, about + high,
    )  # fmt: skip


def _numbers(column: Any) -> np.ndarray:
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
