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
    """An F statistic with its degrees of freedom; `den_df` is infinite where sigma is taken as known.

    `note` is what a reader must know about this one test, such as why there is none; "" if nothing.
    """

    F: float
    num_df: float
    den_df: float
    note: str = ""


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
    """Independent directions of ``L Var(beta) L'``, and the parts of the Wald statistic.

    Parameters
    ----------
    L : (m, p)
    vcov : (p, p)
    distance : (m,)
        `L beta - rhs`.

    Returns
    -------
    rows : (q, p)
        ``P'L`` for the eigenvectors P of ``L Var(beta) L'`` with the q largest eigenvalues; q is the rank.
    t2 : (q,)
        Independent squared t statistics: their sum is ``distance' (L Var(beta) L')^- distance``.
    """
    V = L @ vcov @ L.T
    # 1) rank and statistics in units of standard errors: neither depends on the units of the columns of X
    se = np.sqrt(np.diagonal(V))
    unit = 1 / np.where(se > 0, se, 1.0)
    values, vectors = np.linalg.eigh(V * np.outer(unit, unit))
    keep = values > RANK_TOLERANCE
    q = int(keep.sum())
    z = vectors[:, keep].T @ (unit * distance)
    # 2) the directions are those of V itself, as in lmerTest
    P = np.linalg.eigh(V)[1][:, ::-1][:, :q]
    return P.T @ L, z**2 / values[keep]


def rowwise(L: Array, middle: Array) -> Array:
    """`diag(L middle L')`."""
    return np.einsum("ij,jk,ik->i", L, middle, L)


def mean(t2: Array) -> float:
    """F of independent squared t statistics; NaN where there is none."""
    return float(t2.mean()) if t2.size else float("nan")


def correlation(vcov: np.ndarray) -> np.ndarray:
    """The correlation matrix of a covariance matrix; NaN where a variance is zero."""
    sd = np.sqrt(np.diagonal(vcov))
    with np.errstate(divide="ignore", invalid="ignore"):
        corr = vcov / np.outer(sd, sd)
    corr[np.diag_indices_from(corr)] = np.where(sd > 0, 1.0, np.nan)
    return corr
