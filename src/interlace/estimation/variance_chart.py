"""Variances and covariances as functions of the parameters of the search and log sigma^2."""

from __future__ import annotations

import numpy as np

from interlace import kernel
from interlace.arrays import Array, Index
from interlace.estimation.covariance import Covariance
from interlace.estimation.parameters import Parameters

# Of the search for the nearest parameters.
TOLERANCE, EVALUATIONS, ROUNDING, FARTHEST = 1e-12, 60, 1e-15, 1e3


class VarianceChart:
    """``psi = (sigma^2, entries of sigma^2 T T')`` of ``x = (par, log sigma^2)``.

    Of each block there are as many entries, in the basis of the parameters, as it has parameters: they tell
    all others. Slopes are (m + 1, m + 1).

    Parameters
    ----------
    parameters : Parameters
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._places = [_told_by(s) for s in parameters.structures]

    def at(self, x: Array) -> Array:
        """psi, (m + 1,)."""
        out = [np.ones(1)]
        for (rows, cols), T in zip(self._places, self._parameters.small(x[:-1]), strict=True):
            out.append(np.einsum("ij,ij->i", T[rows], T[cols]))
        return np.asarray(np.exp(x[-1]) * np.concatenate(out))

    def slope(self, x: Array) -> Array:
        """``d psi / dx``."""
        out, at, p = np.zeros((len(x), len(x))), 1, self._parameters
        blocks = zip(p.structures, self._places, p.small(x[:-1]), p.slices, strict=True)
        for s, (rows, cols), T, own in blocks:
            d = s.derivative(x[:-1][own])
            change = np.einsum("pij,ij->ip", d[:, rows], T[cols])
            change += np.einsum("pij,ij->ip", d[:, cols], T[rows])
            out[at : at + len(rows), own] = change
            at += len(rows)
        out *= np.exp(x[-1])
        out[:, -1] = self.at(x)
        return out

    def bend(self, x: Array, weights: Array) -> Array:
        """Second derivatives in par of the sum of psi times weights, (m, m)."""
        m, at, p = len(x) - 1, 1, self._parameters
        out = np.zeros((m, m))
        blocks = zip(p.structures, self._places, p.small(x[:-1]), p.slices, strict=True)
        for s, (rows, cols), T, own in blocks:
            W = np.zeros((s.k, s.k))
            np.add.at(W, (rows, cols), weights[at : at + len(rows)])
            W = W + W.T
            d = s.derivative(x[:-1][own])
            flat = d.reshape(len(d), -1)
            out[own, own] = flat @ (W @ d).reshape(len(d), -1).T + s.curvature(x[:-1][own], W @ T)
            at += len(rows)
        return np.asarray(out * np.exp(x[-1]))

    def nearest(self, start: Array, step: Array, metric: Array) -> Array:
        """The x whose psi is that of a start and a step, (m + 1,).

        Where there is none, it is the nearest in the metric, (m + 1, m + 1).
        """
        target = self.at(start) + step

        def distance(x: Array) -> float:
            left = self.at(x) - target if np.abs(x).max() < FARTHEST else np.full(len(x), np.inf)
            return float(left @ metric @ left)

        def derivatives(x: Array) -> tuple[Array, Array]:
            slope, weights = self.slope(x), 2 * metric @ (self.at(x) - target)
            H = 2 * slope.T @ metric @ slope
            H[:-1, :-1] += self.bend(x, weights)
            across = slope.T @ weights
            H[-1, :-1] += across[:-1]
            H[:-1, -1] += across[:-1]
            H[-1, -1] += across[-1]
            return across, H

        found = kernel.minimise(distance, derivatives, start, TOLERANCE, EVALUATIONS, lambda: ROUNDING)
        return np.asarray(found["par"])


def _told_by(s: Covariance) -> tuple[Index, Index]:
    """Rows and columns of the entries of ``T T'`` of a structure."""
    places = list(s.entries)
    if not s.plain:
        sizes = int(s.even.sum())
        places = [(j, j) for j in range(sizes)] + [(1, 0)] * (s.n_par - sizes)
    rows, cols = np.array(places, dtype=np.intp).reshape(-1, 2).T
    return rows, cols
