"""What a model says of rows, chunk by chunk: no more than one chunk is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from interlace.design.design import Design
from interlace.design.queries import chunked
from interlace.design.values import with_nan
from interlace.errors import DataError
from interlace.estimation.beside_levels import refuse_absorbed
from interlace.estimation.fit import Fit
from interlace.options import word
from interlace.prediction import predict
from interlace.prediction.leverage import Leverages
from interlace.prediction.predict import fixed_part, linear_predictor
from interlace.prediction.residuals import RESIDUAL_KINDS, residuals_by_chunk
from interlace.prediction.selection import select
from interlace.prediction.uncertainty import Uncertainty

Chunk = dict[str, np.ndarray]
KINDS = tuple(kind for kind in RESIDUAL_KINDS if kind != "marginal-cholesky")
WHAT = ("fitted", "marginal-fitted", "leverage", *KINDS)


def of_rows(fit: Fit, what: Sequence[str]) -> Iterator[Chunk]:
    """Of the rows of the fit; "row" counts those of the data from 0."""
    refuse_absorbed(
        fit.encoding, "m.stream", "its rows are in memory, and m.fitted and m.residuals() have them"
    )
    names = [word("what", one, WHAT) for one in what] or ["fitted", "response"]
    values = {name: _value(fit, name) for name in dict.fromkeys(names)}
    return _of_rows(fit, values)


def _of_rows(fit: Fit, values: dict[str, Callable[[Design], np.ndarray]]) -> Iterator[Chunk]:
    for design in fit.rows.designs():
        rows = np.arange(design.nrows) if design.kept is None else np.asarray(design.kept)
        yield {"row": rows.astype(np.int64), **{name: value(design) for name, value in values.items()}}


def _value(fit: Fit, name: str) -> Callable[[Design], np.ndarray]:
    if name == "fitted":
        parts = select(fit.encoding, "all")
        return lambda design: linear_predictor(fit, design, parts)
    if name == "marginal-fitted":
        return lambda design: fixed_part(fit, design)
    if name == "leverage":
        leverages = Leverages(fit)
        return lambda design: leverages(design)["overall"]
    return residuals_by_chunk(fit, name)


def of_new_rows(
    fit: Fit, data: Any, *, random: str | Sequence[str], new_levels: str, asked: predict.Asked
) -> Iterator[Chunk]:
    """Predictions of the rows of a source, as `predict.predict`; "row" counts them from 0.

    Raises
    ------
    DataError
        The data are no source that is read in chunks, or a chunk of it cannot be predicted.
    """
    source = chunked(data)
    if source is None:
        raise DataError(
            "data= are rows that are read in chunks: a path, or interlace.chunks(...); m.predict(newdata) "
            "takes tables"
        )
    new_levels = word("new_levels", new_levels, predict.NEW_LEVELS)
    parts, sure = select(fit.encoding, random), Uncertainty(fit)
    known = {*fit.encoding.memory.columns, fit.encoding.weights, fit.encoding.offset}
    columns = [name for name in source.names if name in known]

    def found() -> Iterator[Chunk]:
        before = 0
        for table in source.tables(columns):
            values = predict.of_new(fit, table, sure, parts, asked, predict.New(new_levels))
            plain = {name: with_nan(one) for name, one in values.items()}
            yield {"row": np.arange(before, before + table.num_rows), **plain}
            before += table.num_rows

    return found()
