"""What a method of denominator degrees of freedom answers, and the linear algebra that all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

RANK_TOLERANCE = (
    1e-8  # eigenvalues of L Var(beta) L' below this share of the largest are zero, as in lmerTest
)


@dataclass(frozen=True, slots=True)
class FTest:
    """An F statistic with its degrees of freedom; `den_df` is infinite where sigma is taken as known."""

    F: float
    num_df: float
    den_df: float


class Ddf(Protocol):
    """A method of denominator degrees of freedom bound to one fit.

    L has one row per linear function of beta, over the columns of X that are in the model.
    """

    @property
    def vcov(self) -> Array:
        """Covariance of beta, (p, p); the adjusted one for Kenward-Roger."""
        ...

    @property
    def note(self) -> str:
        """What a reader of the table must know, such as how a singular fit was treated; "" if nothing."""
        ...

    def df(self, L: Array) -> Array:
        """Degrees of freedom of each row of L on its own, (m,)."""
        ...

    def f_test(self, L: Array, rhs: Array | float = 0.0) -> FTest:
        """Test of `L beta = rhs`, all rows at once; rows that depend on others do not count."""
        ...


def scores(L: Array, vcov: Array, distance: Array) -> tuple[Array, Array]:
    """Independent directions of `L Var(beta) L'` and the squared t statistic along each.

    Parameters
    ----------
    L : (m, p)
    vcov : (p, p)
    distance : (m,)
        `L beta - rhs`.

    Returns
    -------
    rows : (q, p)
        `P'L` for the eigenvectors P whose eigenvalue is not zero; q is the rank.
    t2 : (q,)
        `(P' distance)^2 / eigenvalue`.
    """
    values, vectors = np.linalg.eigh(L @ vcov @ L.T)
    values, vectors = values[::-1], vectors[:, ::-1]
    keep = values > max(RANK_TOLERANCE * values[0], 0.0) if values.size else np.zeros(0, dtype=bool)
    P = vectors[:, keep]
    return P.T @ L, (P.T @ distance) ** 2 / values[keep]


def rowwise(L: Array, middle: Array) -> Array:
    """`diag(L middle L')`."""
    return np.einsum("ij,jk,ik->i", L, middle, L)
