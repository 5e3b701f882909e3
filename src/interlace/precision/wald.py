"""What a method of denominator degrees of freedom answers, and the linear algebra that all of them share."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from interlace.arrays import Array
from interlace.frozen import dataclass

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
    def name(self) -> str:
        """The method, as it is printed."""
        ...

    @property
    def description(self) -> str:
        """What t tests use, in words."""
        ...

    @property
    def covariance(self) -> str:
        """Which covariance of beta it is, in words; "" for that of the model."""
        ...

    @property
    def vcov(self) -> Array:
        """Covariance of beta, (p, p); the adjusted one for Kenward-Roger."""
        ...

    @property
    def note(self) -> str:
        """What a reader of the table must know, such as how a singular fit was treated; "" if nothing."""
        ...

    def se(self, L: Array) -> Array:
        """Standard error of each row of L on its own, (m,); NaN where there is none."""
        ...

    def df(self, L: Array) -> Array:
        """Degrees of freedom of each row of L on its own, (m,)."""
        ...

    def f_test(self, L: Array, rhs: Array | float = 0.0) -> FTest:
        """Test of `L beta = rhs`, all rows at once; rows that depend on others do not count."""
        ...


class Worded:
    """What a bound method says of itself: words, and no arrays."""

    __slots__ = ()

    @property
    def covariance(self) -> str:
        """Which covariance of beta it is, in words; "" for that of the model."""
        return ""

    def __repr__(self: Ddf) -> str:
        return f"{self.name}: t-tests use {self.description}"


@dataclass(frozen=True, slots=True, repr=False)
class ConstantDdf(Worded):
    """Degrees of freedom that are the same for every row; infinite ones for z.

    Attributes
    ----------
    beta : ndarray, (p,)
    vcov : ndarray, (p, p)
    den_df : float
    note : str
    """

    beta: Array
    vcov: Array
    den_df: float
    note: str = ""

    def se(self, L: Array) -> Array:
        """Standard error of each row of L, (m,)."""
        return standard_errors(L, self.vcov)

    def df(self, L: Array) -> Array:
        """The degrees of freedom, (m,)."""
        return np.full(len(L), self.den_df)

    def f_test(self, L: Array, rhs: Array | float = 0.0) -> FTest:
        """Wald's F."""
        _, t2 = scores(L, self.vcov, L @ self.beta - rhs)
        return FTest(mean(t2), float(t2.size), self.den_df)


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
    # 1) rows in units of the standard errors of beta, and of a size of their own: no product is too large or
    # too small for a number
    correlations, se = standardized(vcov)
    L, size = scaled_rows(L)
    rows, length = scaled_rows(L * se)
    V = rows @ correlations @ rows.T
    # 2) rank and statistics in units of standard errors: neither depends on the units of the columns of X
    scaled, own = standardized(V)
    values, vectors = np.linalg.eigh(scaled)
    keep = values > RANK_TOLERANCE
    q = int(keep.sum())
    far = np.abs(distance).max(initial=0.0) or 1.0  # of any size: what overflows is the statistic alone
    z = vectors[:, keep].T @ (distance / far / size / length / own)
    # 3) the directions are those of L Var(beta) L' itself, as in lmerTest
    size /= size.max(initial=0.0)
    length *= size
    length /= length.max(initial=0.0)
    P = np.linalg.eigh(V * np.outer(length, length))[1][:, ::-1][:, :q]
    with np.errstate(over="ignore"):  # a statistic of infinity where the hypothesis is that far off
        return P.T @ (size[:, None] * L), (far * z) ** 2 / values[keep]


def standardized(V: Array) -> tuple[Array, Array]:
    """A covariance matrix in units of its standard deviations, and these; 1 where one is not positive."""
    sd = np.sqrt(np.maximum(np.diagonal(V), 0.0))
    sd = np.where(sd > 0, sd, 1.0)
    return V / sd[:, None] / sd, sd


def scaled_rows(A: Array) -> tuple[Array, Array]:
    """Rows divided by their largest entries, and these; rows of zeros by 1."""
    size = np.abs(A).max(axis=1, initial=0.0)
    size = np.where(size > 0, size, 1.0)
    return A / size[:, None], size


def whitened(L: Array, root: Array) -> Array:
    """``L K`` for a root K of ``Var(beta)``; the largest entry of each row is made 1."""
    rows, _ = scaled_rows(np.asarray(L, dtype=np.float64))
    return scaled_rows(rows @ root)[0]


def rowwise(L: Array, middle: Array) -> Array:
    """`diag(L middle L')`."""
    return np.asarray(np.einsum("ij,jk,ik->i", L, middle, L))


def standard_errors(L: Array, vcov: Array) -> Array:
    """The roots of the diagonal of ``L Var(beta) L'``."""
    rows, size = scaled_rows(np.asarray(L, dtype=np.float64))
    return size * np.sqrt(rowwise(rows, vcov))


def mean(t2: Array) -> float:
    """F of independent squared t statistics; NaN where there is none."""
    return float(t2.mean()) if t2.size else float("nan")


def correlation(vcov: np.ndarray) -> np.ndarray:
    """The correlation matrix of a covariance matrix; NaN where a variance is not positive."""
    corr, _ = standardized(vcov)
    zero = ~(np.diagonal(vcov) > 0)
    corr[np.diag_indices_from(corr)] = 1.0
    corr[zero] = corr[:, zero] = np.nan
    return corr
