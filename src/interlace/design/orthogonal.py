"""Polynomials that are orthonormal over given points, and the same polynomials at any other points."""

from __future__ import annotations

import numpy as np


def orthonormal_polynomials(x: np.ndarray, degree: int) -> tuple[np.ndarray, tuple[tuple[float, ...], ...]]:
    """Polynomials of degree 1 to `degree` that are orthonormal over the points, and to the constant.

    Arnoldi's process with the diagonal matrix of the (centred and scaled) points: each polynomial is x times
    the one before it, less its projections on all before. In exact arithmetic this is the three-term
    recurrence; written out, it stays orthogonal for high degrees as well.

    Parameters
    ----------
    x : ndarray, shape (n,)
        At least ``degree + 1`` different values.
    degree : int

    Returns
    -------
    ndarray, shape (n, degree)
        Leading coefficients are positive, as in R.
    tuple of tuple of float
        The recurrence, for `evaluate`: the centre and scale of x, then for each degree its projections.

    References
    ----------
    Brubeck, Nakatsukasa, Trefethen (2021), Vandermonde with Arnoldi. SIAM Review 63, 405-415.
    """
    middle = float(x.mean())
    spread = float(np.abs(x - middle).max()) or 1.0
    points = (x - middle) / spread
    basis = [np.full(len(x), 1 / np.sqrt(len(x)))]
    steps: list[tuple[float, ...]] = [(middle, spread, float(basis[0][0]))]
    for _ in range(degree):
        rest = points * basis[-1]
        sizes = np.zeros(len(basis))
        for _ in range(2):  # the second pass removes what rounding left
            found = np.array([q @ rest for q in basis])
            rest = rest - found @ np.array(basis)
            sizes += found
        norm = float(np.linalg.norm(rest))
        basis.append(rest / norm)
        steps.append((*sizes.tolist(), norm))
    return np.column_stack(basis[1:]) if degree else np.empty((len(x), 0)), tuple(steps)


def evaluate(x: np.ndarray, recurrence: tuple[tuple[float, ...], ...]) -> np.ndarray:
    """The polynomials of a recurrence at x (n,), row by row the same whatever other rows there are."""
    (middle, spread, constant), *steps = recurrence
    points = (x - middle) / spread
    basis = [np.full(len(x), constant)]
    for *sizes, norm in steps:
        rest = points * basis[-1]
        for size, q in zip(sizes, basis, strict=True):
            rest = rest - size * q
        basis.append(rest / norm)
    return np.column_stack(basis[1:]) if steps else np.empty((len(x), 0))
