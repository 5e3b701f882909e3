"""Data and a formula to an encoding and rows: in memory, or in chunks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from interlace.design.checks import check_mapping
from interlace.design.chunked import Chunked
from interlace.design.design import Source
from interlace.design.encoding import Encoding
from interlace.design.first_reading import Summing
from interlace.design.held_cells import HeldCells
from interlace.design.learnt import Learnt
from interlace.design.merging import Counted, Task
from interlace.design.queries import chunked
from interlace.design.rows import ChunkedRows, FrameRows, Rows
from interlace.design.streaming import ChunkLearner, Room
from interlace.errors import ModelError
from interlace.formula.formula import Formula
from interlace.formula.parser import parse


def _no_limit(needed: float, what: str) -> None:
    """Room for everything."""


def learn(
    formula: Formula | str,
    data: Any,
    *,
    weights: Any = None,
    offset: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    na_action: str = "drop",
    context: Mapping[str, Any] | None = None,
    room: Room = _no_limit,
    singletons: str = "keep",
    source: Source | None = None,
    summing: Summing | None = None,
) -> tuple[Encoding, Rows]:
    """Learn levels, contrasts and transforms from data in memory or in files, and where its rows are.

    Parameters
    ----------
    formula, data, weights, offset, contrasts, na_action, context
        As for `Encoding.learn`; `data` may be `Chunked`, or a source of which chunks are made (see
        `queries.chunked`), whose weights and offset are columns.
    room : callable
        Refuses (by an error of its own) work that needs more bytes than can be had.
    singletons, source
        As for `Encoding.learn`.
    summing : Summing, optional
        What may add up numbers of rows that come in chunks meanwhile: `ChunkedRows.summed`.

    Raises
    ------
    FormulaError, DataError, ModelError
    """
    in_chunks = chunked(data)
    options = {"weights": weights, "offset": offset}
    if in_chunks is None:
        encoding, design = Encoding.learn(
            formula, data, contrasts=contrasts, na_action=na_action, context=context, singletons=singletons,
            source=source, **options,
        )  # fmt: skip
        return encoding, FrameRows.of(encoding, design)
    check_mapping(contrasts)
    parsed = parse(formula) if isinstance(formula, str) else formula
    if parsed.absorbed:
        raise ModelError(
            f"absorbed factors need all rows in memory, and {in_chunks.said} are read in chunks; "
            f"if the rows fit in memory, fit their table: {in_chunks.table}"
        )
    task = Task.of(parsed, in_chunks.names, **options, na_action=na_action, context=context)
    taught = ChunkLearner(in_chunks, task, room, summing).run(contrasts or {})
    encoding, rows = chunked_rows(taught.learnt, taught.counted, in_chunks, task, taught.held)
    summed = None if taught.reading is None else taught.reading.found(encoding)
    return encoding, rows if summed is None else replace(rows, summed=summed)


def chunked_rows(
    learnt: Learnt, counted: Counted, source: Chunked, task: Task, held: HeldCells | None = None
) -> tuple[Encoding, ChunkedRows]:
    """An encoding of what was learnt, and the rows of a source."""
    encoding = Encoding(**{f.name: getattr(learnt, f.name) for f in fields(Learnt)})
    missing = tuple(counted.missing.items())
    columns = tuple(task.columns)
    means = {name: found.mean for name, found in counted.covariates.items()}
    rows = ChunkedRows(
        encoding, source, columns, counted.n, counted.n_read, missing, encoding, means=means, held=held
    )
    return encoding, rows
