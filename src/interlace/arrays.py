"""The types of numbers, and of places in arrays."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Index = NDArray[np.integer]


@cache
def identity(k: int) -> Array:
    """The identity, (k, k), read-only: small ones are asked for in every fit."""
    out = np.identity(k)
    out.flags.writeable = False
    return out
