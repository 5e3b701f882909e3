"""`demean`: columns without the means of the levels of factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from interlace.design.absorbing import learn_absorbed, needed, numbers, parse_term, refuse_gaps
from interlace.design.checks import check_weights
from interlace.design.extras import read_extra
from interlace.design.frame import Frame, open_table
from interlace.errors import DataError, shown
from interlace.estimation.absorbed import Absorbed
from interlace.hints import answers_options
from interlace.kernel import thread_count

if TYPE_CHECKING:
    from interlace.callers import CallersTable


@answers_options
def demean(
    data: Any,
    columns: Any,
    factors: Any,
    *,
    weights: Any = None,
    n_jobs: int | None = None,
) -> CallersTable:
    """Columns less what the levels of factors explain of them.

    The residuals of a least-squares fit of each column v on a dummy variable for every level of every factor:

    ``v - D a`` with ``D' W (v - D a) = 0``.

    With one factor these are deviations from the means of its levels. D is never made.

    Parameters
    ----------
    data : table
        pandas, polars or pyarrow, anything narwhals reads, or a mapping of arrays. No value that is used is
        missing.
    columns : str or list of str
        The columns of numbers to demean.
    factors : str or list of str
        Each a column whose values are levels: text, categories, whole numbers, dates. ``"a:b"`` (or
        ``"a^b"``) has a level for each combination; ``"a[x]"`` has an intercept and a slope of x in each
        level, and ``"a[[x]]"`` the slope alone. A text that is the name of a column is that column.
    weights : str or array-like, optional
        Prior weights, positive: a column or a value per row.
    n_jobs : int, optional
        Threads at most; -1: one per processor. The numbers do not depend on it.

    Returns
    -------
    table
        The columns, shape (n, m), in the caller's own library (pandas keeps its index; a mapping gives
        pandas).

    Raises
    ------
    DataError
        A column is not there, is not numeric, or has missing values; a factor is a measurement.
    ConvergenceError
        The normal equations could not be solved to 1e-10.

    Notes
    -----
    The levels of the largest factor are eliminated, and the system of the others is factored where its factor
    is small, or else solved by conjugate gradients, with sampled factors where levels are poorly connected
    [1]_. The normal equations are checked afterwards, to 1e-10. The result is the same for any number of
    threads.

    References
    ----------
    .. [1] Gao, Y., Kyng, R. and Spielman, D. A. (2025). AC(k): Robust solution of Laplacian equations by
       randomized approximate Cholesky factorization. SIAM Journal on Scientific Computing.

    Examples
    --------
    >>> import interlace
    >>> machines = interlace.datasets.load("machines")
    >>> within = interlace.demean(machines, "score", ["Worker", "Machine"])
    >>> print(within.head(2).round(4).to_string())
        score
    0 -1.6167
    1 -0.8167
    """
    names = _texts("columns", columns)
    source = open_table(data)
    present = list(source.names)
    terms = [parse_term(text, present) for text in _texts("factors", factors)]
    frame = Frame.read(source, needed(terms, names))
    refuse_gaps(frame)
    w = _weights(weights, frame, source)
    absorbed = Absorbed(learn_absorbed(frame, terms), w, thread_count(n_jobs))
    values = np.empty((frame.nrows, len(names)), order="F")
    for j, name in enumerate(names):
        values[:, j] = numbers(name, frame.columns[name], "be demeaned")
    found = absorbed.residuals(values).values
    return frame.row_table({name: found[:, j] for j, name in enumerate(names)})


def _texts(option: str, given: Any) -> list[str]:
    """One text, or several, each once."""
    texts = [given] if isinstance(given, str) else list(given) if isinstance(given, list | tuple) else None
    if not texts or not all(isinstance(text, str) for text in texts):
        raise DataError(f"{option} must be a name or a list of names, not {shown(given)}")
    if twice := next((text for text in texts if texts.count(text) > 1), None):
        raise DataError(f"{option} names '{twice}' more than once")
    return texts


def _weights(given: Any, frame: Frame, source: Any) -> np.ndarray | None:
    extra = read_extra("weights", given, frame, source)
    if extra.values is None:
        return None
    missing = extra.missing if extra.missing is not None else np.zeros(frame.nrows, dtype=bool)
    if missing.any():
        raise DataError(f"{extra.label} is missing in {int(missing.sum())} rows: leave these out first")
    check_weights(extra.label, extra.values, None)
    return np.ascontiguousarray(extra.values)
