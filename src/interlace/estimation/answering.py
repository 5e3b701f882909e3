"""Responses that are not those of the data, for the same rows: given as arrays, or made chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from interlace.arrays import Array
from interlace.design.answered import AnsweredRows, Answers
from interlace.design.checks import LARGEST_RESPONSE, check_values
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.rows import FrameRows, Rows
from interlace.errors import DataError
from interlace.frozen import dataclass


class Responses(Protocol):
    """Some responses of rows."""

    def __len__(self) -> int:
        """Their number r."""

    def __getitem__(self, some: slice) -> Responses:
        """Some of them."""

    def checked(self, n: int) -> Responses:
        """They, if all are numbers for n rows.

        Raises
        ------
        DataError
            One has another length than n, or numbers that a response cannot have.
        """

    def middle(self, encoding: Encoding, rows: Rows) -> Array:
        """About which numbers they lie, less the offset, (r,)."""

    def over(self, rows: Rows) -> Iterator[tuple[Design, Array]]:
        """Chunks of the rows, and the responses of the rows of each, (r, m)."""

    def rows(self, j: int, rows: Rows) -> Rows:
        """The rows with response j."""


@dataclass(frozen=True, slots=True)
class Given:
    """Responses in memory.

    Attributes
    ----------
    values : ndarray, (r, n)
    """

    values: Array

    def __len__(self) -> int:
        """Their number r."""
        return len(self.values)

    def __getitem__(self, some: slice) -> Given:
        """Some of them."""
        return Given(self.values[some])

    def checked(self, n: int) -> Given:
        """They, if all are numbers for n rows."""
        return Given(np.array([_response(y, n) for y in self.values]))

    def middle(self, encoding: Encoding, rows: Rows) -> Array:
        """Their means, less that of the offset."""
        means: Array = np.add.reduce(self.values, axis=1) / self.values.shape[1]
        if not encoding.formula.offsets and encoding.offset is None:
            return means
        total = sum(0.0 if one.offset is None else float(np.add.reduce(one.offset)) for one in rows.designs())
        return np.asarray(means - total / rows.n)

    def over(self, rows: Rows) -> Iterator[tuple[Design, Array]]:
        """Chunks of the rows, and the responses of the rows of each, (r, m)."""
        start = 0
        for design in rows.designs():
            yield design, np.ascontiguousarray(self.values[:, start : start + design.nrows])
            start += design.nrows

    def rows(self, j: int, rows: Rows) -> Rows:
        """The rows with response j."""
        y = self.values[j]
        if isinstance(rows, FrameRows):
            return FrameRows(rows.encoding, replace(rows.design, y=y))
        return AnsweredRows(rows.encoding, rows, OneOf(y))


@dataclass(frozen=True, slots=True)
class OneOf:
    """A response in memory, handed out chunk by chunk.

    Attributes
    ----------
    y : ndarray, (n,)
    """

    y: Array

    def __call__(self) -> Answers:
        start = 0

        def following(design: Design) -> Array:
            nonlocal start
            start += design.nrows
            return self.y[start - design.nrows : start]

        return following


def as_responses(Y: Array | Responses) -> Responses:
    """A matrix (r, n) as responses."""
    return Given(Y) if isinstance(Y, np.ndarray) else Y


def _response(y: ArrayLike, n: int) -> Array:
    values = np.asarray(y, dtype=np.float64)
    if values.shape != (n,):
        raise DataError(
            f"the response must have one value for each of the {n} rows used, not shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise DataError("the response has values that are missing or infinite")
    check_values(("the response",), values[:, None], LARGEST_RESPONSE, None)
    return values
