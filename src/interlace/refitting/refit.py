"""The same model for another response or by the other criterion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from interlace.design.checks import LARGEST_RESPONSE, check_values
from interlace.design.extras import check_index
from interlace.design.foreign import series_of
from interlace.design.frame import read_array
from interlace.design.rows import Rows, kept_of
from interlace.design.values import Factor
from interlace.errors import DataError
from interlace.estimation.answering import Given
from interlace.estimation.fit import Fit
from interlace.estimation.fit import fit as fit_model
from interlace.options import switch


def refit(fit: Fit, y: Any = None, *, reml: bool | None = None) -> Fit:
    """Fit again with every option kept, save those that are given.

    Parameters
    ----------
    y : array-like, optional
        A value per row used, or per row of the data (those of rows left out are passed over). The index of a
        pandas Series must be that of the data.
    reml : bool, optional
        REML or maximum likelihood.
    """
    reml = None if reml is None else switch("reml", reml)
    response = None if y is None else read_response(fit.rows, y)
    if reml is None or reml == fit.reml:
        return fit if response is None else fit.refit(response)
    if response is None:
        return fit.by(reml=reml)
    return fit_model(fit.encoding, Given(response[None]).rows(0, fit.rows), reml=reml, n_jobs=fit.n_jobs)


def refit_many(fit: Fit, Y: Any, *, reml: bool | None = None) -> list[Fit]:
    """`refit` for each column of a table or of an array with a row for each row of the data."""
    fit = refit(fit, reml=reml)
    return fit.refit_many(read_responses(fit.rows, Y)[1])


def read_responses(rows: Rows, Y: Any) -> tuple[list[Any], np.ndarray]:
    """The names of the columns of a table, or their numbers, and the responses as float64 (r, n).

    Raises
    ------
    DataError
        There is no column, one is no response, or two have one name; the message says which.
    """
    columns: list[tuple[Any, Any]]
    if isinstance(Y, pd.DataFrame):
        columns = [(name, Y.iloc[:, j]) for j, name in enumerate(Y.columns)]
    elif hasattr(Y, "columns"):
        columns = series_of(Y)
    else:
        columns = list(enumerate(np.asarray(Y).T))
    kept = kept_of(rows)
    responses = [_read_column(rows, kept, name, y) for name, y in columns]
    if not responses:
        raise DataError("the matrix of responses has no column")
    names = [name for name, _ in columns]
    twice = (
        [name for j, name in enumerate(names) if name in names[:j]] if len(set(names)) < len(names) else []
    )
    if twice:
        raise DataError(
            f"two columns of the responses are called {twice[0]!r}, and names tell them apart: rename one"
        )
    return names, np.array(responses)


def _read_column(rows: Rows, kept: np.ndarray | None, name: Any, y: Any) -> np.ndarray:
    try:
        return _read_response(rows, kept, y)
    except DataError as error:
        raise DataError(f"column {name!r} of the responses: {error}") from error


def read_response(rows: Rows, y: Any) -> np.ndarray:
    """A new response as float64 (n,): a value per row used, or per row read (rows left out are passed over).

    Raises
    ------
    DataError
        If it has another length or index, more than one dimension, or values that are not finite numbers.
    """
    return _read_response(rows, kept_of(rows), y)


def _read_response(rows: Rows, kept: np.ndarray | None, y: Any) -> np.ndarray:
    check_index("the response", y, rows.frame.index, kept)
    if np.ndim(y) != 1:
        raise DataError(
            f"the response must be one column of numbers, not an array with {np.ndim(y)} dimensions"
        )
    column, missing = read_array("response", y)
    if isinstance(column, Factor) or column.dtype.kind not in "iufb":
        raise DataError("the response is not made of numbers; convert it with astype(float)")
    values = np.where(missing, np.nan, column) if missing is not None else column.astype(np.float64)
    n, n_read = rows.n, rows.n_read
    if values.size not in (n, n_read):
        wanted = f"{n}" if n == n_read else f"{n} (rows used) or {n_read} (rows of the data)"
        raise DataError(f"the response has {values.size} values, not {wanted}")
    if values.size != n:
        values = values[kept]
    if not np.isfinite(values).all():
        bad = np.flatnonzero(~np.isfinite(values))
        raise DataError(
            f"the response is missing or not finite at {bad.size} of the rows used (first: {bad[0]})"
        )
    check_values(("the response",), values[:, None], LARGEST_RESPONSE, kept)
    return values
