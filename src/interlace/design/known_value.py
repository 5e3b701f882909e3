"""A known covariance of the levels of a grouping factor, as an encoding holds it."""

from __future__ import annotations

from typing import Any

import numpy as np

from interlace.frozen import dataclass

KINDS = ("covariance", "precision")


@dataclass(frozen=True, eq=False)
class Known:
    """The covariance K of the levels up to a factor that is estimated, or its inverse.

    Attributes
    ----------
    kind : {"covariance", "precision"}
    matrix : ndarray or scipy.sparse.csr_array, (L, L)
        Symmetric.
    labels : ndarray, (L,)
        The levels, in the order of the rows.
    """

    kind: str
    matrix: Any
    labels: np.ndarray
