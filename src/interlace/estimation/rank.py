"""Which columns of X carry information of their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from interlace.estimation.crossproducts import CrossProducts

TOLERANCE = 1e-7


def independent_columns(A: CrossProducts) -> tuple[int, ...]:
    """Indices of the columns of X that are not (nearly) combinations of earlier ones.

    The rule of R's ``qr(X, tol = 1e-7)``, by which lme4 drops columns: what is left of a column after
    projection on the kept ones before it must not be shorter than 1e-7 times the column. The projection is
    done on the cross-products about the origin, where it loses least.
    """
    xx: NDArray[np.float64] = np.array(A.products.xx)
    length = np.sqrt(np.diagonal(xx) + _total_weight(A, xx) * A.origin.x**2)
    kept = []
    for j in range(len(xx)):
        if np.sqrt(max(xx[j, j], 0.0)) <= TOLERANCE * length[j]:
            continue
        kept.append(j)
        row = xx[j, j + 1 :] / xx[j, j]
        xx[j + 1 :, j + 1 :] -= np.outer(xx[j + 1 :, j], row)
    return tuple(kept)


def _total_weight(A: CrossProducts, xx: NDArray[np.float64]) -> float:
    """Sum of weights; any positive number does where no column is moved."""
    moved = np.flatnonzero(A.origin.x)
    if not moved.size:
        return 0.0
    intercept = next(j for j in range(len(xx)) if A.origin.x[j] == 0.0)
    return float(xx[intercept, intercept])
