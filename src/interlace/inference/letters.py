"""Compact letter displays: which means could not be told apart."""

from __future__ import annotations

import string
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from interlace.errors import DataError

SYMBOLS = string.ascii_letters + "."


def letters(
    names: Sequence[str], different: NDArray[np.bool_], symbols: Sequence[str] = SYMBOLS
) -> list[str]:
    """Letters for each mean: two means share one if and only if they are not shown to be different.

    Piepho's insert-and-absorb algorithm. One letter starts with all means; each pair that differs splits the
    letters that both have; a letter whose means all have another letter is absorbed by it.

    Parameters
    ----------
    names : sequence of str
        The means, in the order in which they are shown.
    different : ndarray of bool, shape (n, n)
        Whether the means i and j differ; symmetric, and False on the diagonal.
    symbols : sequence of str
        The letters in their order. Where they run out, the last one comes before the others: `.a`, `.b`.

    Returns
    -------
    list of str
        One text per mean; all have the same width, with a blank for each letter that a mean does not have.

    Raises
    ------
    DataError
        The matrix has another shape, is not symmetric, or says that a mean differs from itself; there are
        fewer than two symbols, or one of them stands there twice.

    References
    ----------
    Piepho (2004), Journal of Computational and Graphical Statistics 13(2), 456-466. The order of the letters
    is that of the R package multcompView.

    Examples
    --------
    >>> letters(["low", "mid", "high"], [[0, 0, 1], [0, 0, 0], [1, 0, 0]])
    ['a ', 'ab', ' b']
    """
    matrix = np.asarray(different, dtype=np.bool_)
    _check(len(names), matrix, symbols)
    columns = [(1 << len(names)) - 1] if names else []
    for j in range(len(names)):
        for i in range(j):
            if matrix[i, j]:
                columns = _absorbed(_split(columns, i, j))
    ordered = _ordered(columns)
    shown = _enough(len(ordered), list(symbols))
    return [
        "".join(
            letter if column >> i & 1 else " " * len(letter)
            for letter, column in zip(shown, ordered, strict=True)
        )
        for i in range(len(names))
    ]


def _check(n: int, matrix: NDArray[np.bool_], symbols: Sequence[str]) -> None:
    if matrix.shape != (n, n):
        raise DataError(
            f"{n} means need a matrix of differences of shape ({n}, {n}), not {matrix.shape}: "
            "one row and one column for each mean"
        )
    if (matrix != matrix.T).any() or matrix.diagonal().any():
        raise DataError(
            "a matrix of differences must be symmetric, with False on its diagonal: mean i differs from "
            "mean j if and only if j differs from i, and no mean differs from itself"
        )
    if len(symbols) < 2 or len(set(symbols)) < len(symbols) or not all(symbols):
        raise DataError(f"letters must be at least two different symbols, such as 'abc', not {symbols!r}")


def _split(columns: list[int], i: int, j: int) -> list[int]:
    """Letters that both i and j have become two: one without j (in its place), one without i (at the end)."""
    both = 1 << i | 1 << j
    kept = [column & ~(1 << j) if column & both == both else column for column in columns]
    return kept + [column & ~(1 << i) for column in columns if column & both == both]


def _absorbed(columns: list[int]) -> list[int]:
    """Without letters whose means all have another letter; of two equal ones the first is kept."""
    return [
        column
        for at, column in enumerate(columns)
        if not any(
            column & other == column and (other != column or before < at)
            for before, other in enumerate(columns)
            if before != at
        )
    ]


def _ordered(columns: list[int]) -> list[int]:
    """By the first mean of each letter; neighbours that share it by those after it, in one pass as in R."""
    ordered = sorted(columns, key=lambda column: column & -column)
    for at in range(len(ordered) - 1):
        one, two = ordered[at : at + 2]
        apart = one ^ two
        if (one & -one) == (two & -two) and two & (apart & -apart):
            ordered[at : at + 2] = two, one
    return ordered


def _enough(n: int, symbols: Sequence[str]) -> list[str]:
    """The first n symbols; the last one of them only stands before others."""
    shown, prefix = list(symbols[:-1]), symbols[-1]
    while len(shown) < n:
        shown += [prefix + symbol for symbol in symbols[:-1]]
        prefix += symbols[-1]
    return shown[:n]
