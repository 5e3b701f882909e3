"""One look at a column of numbers: all that is asked of it before a model is made."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from interlace import kernel
from interlace.design.values import Column


class Scan(NamedTuple):
    """What a look at n numbers tells.

    Attributes
    ----------
    sum : float
        No number where there is one that is none, or where the numbers are too large to be added.
    squares : float
        The sum of their squares.
    low, high : float
        The least and the largest of them.
    """

    sum: float
    squares: float
    low: float
    high: float


def scanned(values: Column) -> Scan:
    """Of one number at least, integers or floats of any width."""
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.strides[0] % numbers.itemsize:  # a field of a packed record
        numbers = numbers.copy()
    return Scan(*kernel.scan(numbers))
