"""Covariances made of standard deviations and a correlation that depends on one number."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import identity
from interlace.estimation.correlation import (
    Autoregressive,
    CompoundSymmetry,
    Correlation,
    Independent,
)
from interlace.estimation.covariance import Covariance, Unstructured
from interlace.frozen import dataclass

Array = NDArray[np.floating]

# Shares of the range of rho from which another minimum is looked for.
SHARES = (0.1, 0.35, 0.65, 0.85, 0.97)
# The same standard deviations, smaller and larger ones.
TIMES = (1.0, 0.3, 3.0)
# Up to so many unequal standard deviations are made smaller and larger one by one, their roots by this.
FEW, SMALL = 12, 0.2
# A correlation, as a share of the range, for which no covariance matrix is special.
ORDINARY = 0.7
# Relative error with which a factor must have a structure.
SAME = 1e-6
SMALLEST = 1e-100


@dataclass(frozen=True, slots=True)
class Scaled:
    """``T = diag(s) C(angle)``: standard deviations s and a correlation.

    The sign of a shared standard deviation does not matter, nor that of any without correlations. Unequal
    ones with correlations must not be negative: there the parameters are their roots, ``s = par^2``, whose
    sign does not matter either. So no parameter has a bound.

    Attributes
    ----------
    k : int
    correlation : Correlation
    variances : int
        k, or 1 where all effects have the same.
    """

    k: int
    correlation: Correlation
    variances: int

    @property
    def n_par(self) -> int:
        """Standard deviations (or their roots), then the angle of the correlation if there is one."""
        return self.variances + self.correlation.n_par

    @property
    def counted(self) -> int:
        """All of them."""
        return self.n_par

    @property
    def start(self) -> Array:
        """The identity."""
        angle = [self.correlation.angle(0.0, self.k)] * self.correlation.n_par
        return np.array([*(1.0 for _ in range(self.variances)), *angle])

    @property
    def even(self) -> NDArray[np.bool_]:
        """The standard deviations."""
        return np.arange(self.n_par) < self.variances

    @property
    def entries(self) -> tuple[tuple[int, int], ...]:
        """Those of the correlation."""
        return self.correlation.places(self.k)

    @property
    def plain(self) -> bool:
        """Where the standard deviations are all there is."""
        return self.variances == self.k and not self.correlation.n_par

    @property
    def effects(self) -> tuple[tuple[NDArray[np.intp], int], ...]:
        """The standard deviations: one by one where they are independent, else together."""
        if self.correlation.n_par:
            return ((np.arange(self.variances), 0),)
        return tuple((np.array([j]), j) for j in range(self.variances))

    def names(self, columns: Sequence[str]) -> list[str]:
        """The columns, "sd" where they share one, and "rho"."""
        sd = list(columns) if self.variances == self.k else ["sd"]
        return [*sd, *(["rho"] * self.correlation.n_par)]

    def rho(self, par: Array) -> float:
        """The correlation."""
        return self.correlation.rho(self._angle(par), self.k)

    def _angle(self, par: Array) -> float:
        return float(par[-1]) if self.correlation.n_par else 0.0

    @property
    def power(self) -> int:
        """Of a parameter that is a standard deviation."""
        return 2 if self.variances > 1 and self.correlation.n_par else 1

    def _sd(self, par: Array) -> Array:
        return np.broadcast_to(par[: self.variances] ** self.power, (self.k,))

    def factor(self, par: Array) -> Array:
        """``diag(s) C``, (k, k)."""
        return self._sd(par)[:, None] * self.correlation.at(self._angle(par), self.k)[0]

    def derivative(self, par: Array) -> Array:
        """Rows of C times the derivatives of s, and ``diag(s)`` times the slope of C."""
        C, slope, _ = self.correlation.at(self._angle(par), self.k)
        out = np.zeros((self.n_par, self.k, self.k))
        if self.variances == 1:
            out[0] = C
        else:
            out[np.arange(self.k), np.arange(self.k)] = C * self._ds(par)[:, None]
        if self.correlation.n_par:
            out[-1] = self._sd(par)[:, None] * slope
        return out

    def _ds(self, par: Array) -> Array:
        """Derivatives of s in their parameters."""
        return 2 * par[: self.variances] if self.power == 2 else np.ones(self.variances)

    def curvature(self, par: Array, weights: Array) -> Array:
        """Nothing between different standard deviations."""
        out = np.zeros((self.n_par, self.n_par))
        if self.correlation.n_par:
            C, slope, bend = self.correlation.at(self._angle(par), self.k)
            mixed = (weights * slope).sum(axis=1)
            out[-1, :-1] = out[:-1, -1] = mixed.sum() if self.variances == 1 else mixed * self._ds(par)
            if self.power == 2:
                out[np.arange(self.k), np.arange(self.k)] = 2 * (weights * C).sum(axis=1)
            out[-1, -1] = np.sum(weights * (self._sd(par)[:, None] * bend))
        return out

    def par(self, factor: Array) -> Array:
        """Lengths of the rows, and the correlation of the first two that have one."""
        sd = np.linalg.norm(factor, axis=1)
        if self.variances == 1:
            sd = np.array([np.sqrt(np.mean(sd**2))])
        angle = [self.correlation.angle(self._rho(factor), self.k)] * self.correlation.n_par
        return np.append(sd if self.power == 1 else np.sqrt(sd), angle)

    def _rho(self, factor: Array) -> float:
        length = np.linalg.norm(factor, axis=1)
        told = np.flatnonzero(length > 0)
        pairs = [(i, j) for i, j in pairwise(told.tolist()) if j == i + 1]
        if not pairs:
            return 0.0
        i, j = pairs[0]
        return float(factor[i] @ factor[j] / (length[i] * length[j]))

    def triangular(self, F: Array) -> Array:
        """The same with signs of its columns changed; what should be zero is."""
        out = np.zeros_like(F)
        rows, cols = np.array(self.entries).T
        out[rows, cols] = F[rows, cols]
        return out * np.where(np.diagonal(out) < 0.0, -1.0, 1.0)

    def as_they_are(self, shift: Array, basis: Array, T: Array) -> Array:
        """The same of ``shift^-1 basis T``: a shift moves one effect, and ``2 I - shift`` undoes it."""
        return self.triangular((2.0 * identity(self.k) - shift) @ (basis @ T))

    def basis(self, orthonormal: Array, shift: Array) -> Array:
        """Units of the columns as they are; one for all where they share a variance."""
        length = np.linalg.norm(np.linalg.solve(orthonormal, shift), axis=0)
        if self.variances == 1:
            length = np.full(self.k, np.sqrt(np.mean(length**2)))
        return np.asarray(shift / length)

    def pivoted(self, basis: Array, par: Array) -> tuple[Array, Array]:
        """Standard deviations larger than one are in units of their own."""
        sizes = par[: self.variances]
        units = np.where(np.abs(sizes) > 1.0, np.abs(sizes), 1.0)
        sd = np.broadcast_to(units**self.power, (self.k,))
        return basis * sd, np.append(sizes / units, par[self.variances :])

    def at_limit(self, par: Array, near: float) -> Array:
        """Small standard deviations are zero, and correlations near a limit there."""
        out = np.where(self.even & (np.abs(par) < near), 0.0, par)
        if self.correlation.n_par and out[: self.variances].any():
            quarter = np.pi / 2
            limit = quarter * np.round(par[-1] / quarter)
            rho, limits = self.correlation.rho(limit, self.k), self.correlation.limits(self.k)
            if abs(par[-1] - limit) < near and np.isclose(rho, limits).any():
                out[-1] = limit
        return out

    @property
    def scouted(self) -> bool:
        """Where there are correlations."""
        return self.correlation.n_par > 0

    def elsewhere(self, par: Array) -> list[list[Array]]:
        """Other correlations, and with them larger and smaller standard deviations: all, or one of unequal
        ones."""
        if not self.correlation.n_par:
            return []
        low, high = self.correlation.limits(self.k)
        angles = [self.correlation.angle(low + share * (high - low), self.k) for share in SHARES]
        sizes = [times * par[:-1] for times in TIMES]
        if 1 < self.variances <= FEW:
            each = np.where(np.identity(self.k) > 0, SMALL, 1.0)
            sizes += [par[:-1] * row for row in each] + [np.maximum(par[:-1], SMALL) / row for row in each]
        return [[np.append(size, angle) for size in sizes] for angle in angles]

    def theta(self, T: Array) -> Array:
        """As lme4's: the entries of T column by column; of a shared variance those that differ."""
        rows, cols = np.array(self._theta_places).T
        return np.asarray(T[rows, cols])

    @property
    def _theta_places(self) -> tuple[tuple[int, int], ...]:
        return self.entries if self.variances == self.k else self.correlation.distinct(self.k)

    @property
    def n_theta(self) -> int:
        """Their number."""
        return len(self._theta_places)

    @property
    def diagonal(self) -> NDArray[np.bool_]:
        """Which entries are on the diagonal."""
        return np.array([row == col for row, col in self._theta_places])

    def of_theta(self, theta: Array) -> Array:
        """The factor with these entries.

        Raises
        ------
        ValueError
            There is none.
        """
        T = np.zeros((self.k, self.k))
        rows, cols = np.array(self._theta_places).T
        T[rows, cols] = theta
        if self.variances == 1:
            first = T[:, 0].copy()
            angle = self.correlation.angle(first[1] / first[0] if first[0] and self.k > 1 else 0.0, self.k)
            par = np.array([first[0], *([angle] * self.correlation.n_par)])
        else:
            par = self.par(T)
        found = self.triangular(self.factor(par))
        if not np.allclose(self.theta(found), theta, rtol=SAME, atol=SAME * np.abs(theta).max(initial=0.0)):
            raise ValueError("theta has not this structure")
        return found

    def directions(self, T: Array) -> list[tuple[Array, float]]:
        """Along each variance, with its covariances at the same correlation, and along rho.

        ``T T'`` is the sum of the variances times their directions.
        """
        G, sd = T @ T.T, np.linalg.norm(T, axis=1)
        out: list[tuple[Array, float]] = []
        C = G / np.outer(np.maximum(sd, SMALLEST), np.maximum(sd, SMALLEST))
        C[np.diag_indices(self.k)] = 1.0
        if self.variances == 1:
            out.append((self._correlations(self._rho(T)), float(np.mean(sd**2))))
        else:
            for j in range(self.k):
                ratio = sd / sd[j] / 2 if sd[j] > SMALLEST else np.zeros(self.k)
                D = np.zeros((self.k, self.k))
                D[j] = C[j] * ratio
                D[:, j] = D[j]
                D[j, j] = 1.0
                out.append((D, float(sd[j] ** 2)))
        if self.correlation.n_par:
            out.append((np.outer(sd, sd) * self.correlation.slope(self._rho(T), self.k), 0.0))
        return out

    def _correlations(self, rho: float) -> Array:
        C = self.correlation.at(self.correlation.angle(rho, self.k), self.k)[0]
        return np.asarray(C @ C.T)

    @property
    def tangents(self) -> Array:
        """The directions for unequal variances and a correlation that is not special."""
        low, high = self.correlation.limits(self.k)
        sd = np.linspace(1.0, 1.5, self.variances) if self.variances > 1 else np.ones(1)
        angle = [self.correlation.angle(low + ORDINARY * (high - low), self.k)] * self.correlation.n_par
        return np.array([D for D, _ in self.directions(self.factor(np.append(sd, angle)))])

    def folded(self, of_entries: Array) -> Array:
        """Sums over the entries of the tangents."""
        return self.tangents.reshape(self.n_par, -1) @ of_entries

    @property
    def linear(self) -> bool:
        """Without a correlation, and with one variance and one covariance."""
        return isinstance(self.correlation, Independent) or (
            isinstance(self.correlation, CompoundSymmetry) and self.variances == 1
        )

    def units(self, squares: Array) -> Array:
        """``1 / sqrt(square)``."""
        return np.asarray(squares**-0.5)


_CORRELATIONS: dict[str, Correlation] = {
    "diag": Independent(),
    "cs": CompoundSymmetry(),
    "ar1": Autoregressive(),
}
# What a random term of a formula says, and the correlation and whether effects share a variance.
_KINDS = {
    "diag": ("diag", False),
    "homdiag": ("diag", True),
    "cs": ("cs", False),
    "homcs": ("cs", True),
    "hetar1": ("ar1", False),
    "ar1": ("ar1", True),
}


@cache
def structure(kind: str, k: int) -> Covariance:
    """The covariance structure of k effects that a random term asks for (`RandomTerm.covariance`).

    Any covariance of two effects is one of unequal variances and a correlation.
    """
    if kind not in _KINDS or k == 1 or (kind in ("cs", "hetar1") and k == 2):
        return Unstructured(k)
    correlation, shared = _KINDS[kind]
    return Scaled(k, _CORRELATIONS[correlation], 1 if shared else k)
