"""Spline bases equal to those of R's package splines, as transforms that remember their knots."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from formulaic.transforms import basis_spline
from formulaic.transforms import poly as orthogonal_poly
from formulaic.utils.stateful_transforms import stateful_transform


@stateful_transform
def ns(
    x: Any,
    df: int | None = None,
    knots: Iterable[float] | None = None,
    intercept: bool = False,
    boundary_knots: tuple[float, float] | None = None,
    _state: dict[str, Any] | None = None,
) -> dict[int, np.ndarray]:
    """Natural cubic spline basis, equal to R's `splines::ns`.

    The cubic B-spline basis restricted to functions with zero second derivative at both boundary knots,
    expressed in the basis that the QR decomposition of the two constraints gives; linear outside.

    Parameters
    ----------
    x : array of shape (n,)
    df : int, optional
        Number of columns; ``df - 1 - intercept`` inner knots are put at quantiles of `x`.
    knots : sequence of float, optional
        The inner knots themselves.
    """
    x = np.asarray(x, dtype=np.float64)
    state = {} if _state is None else _state
    if "knots" not in state:
        state["boundary"] = tuple(map(float, boundary_knots or (np.nanmin(x), np.nanmax(x))))
        state["knots"] = _inner_knots(x, df, knots, intercept, state["boundary"])
    basis = _natural_basis(x, np.array(state["knots"]), state["boundary"], intercept)
    return {j + 1: basis[:, j] for j in range(basis.shape[1])}


def _inner_knots(
    x: np.ndarray,
    df: int | None,
    knots: Iterable[float] | None,
    intercept: bool,
    boundary: tuple[float, float],
) -> list[float]:
    if knots is not None:
        return sorted(float(k) for k in np.atleast_1d(np.asarray(knots, dtype=np.float64)))
    n_inner = 0 if df is None else df - 1 - int(intercept)
    if n_inner < 0:
        raise ValueError(f"ns() needs df of at least {1 + int(intercept)}, got {df}")
    inside = x[(x >= boundary[0]) & (x <= boundary[1])]
    return np.quantile(inside, np.linspace(0, 1, n_inner + 2)[1:-1]).tolist()


def _natural_basis(
    x: np.ndarray, knots: np.ndarray, boundary: tuple[float, float], intercept: bool
) -> np.ndarray:
    from scipy.interpolate import BSpline

    low, high = boundary
    t = np.concatenate([[low] * 4, knots, [high] * 4])
    spline = BSpline(t, np.eye(len(t) - 4), 3)
    inside = np.clip(x, low, high)
    slope = spline.derivative()
    basis = spline(inside)
    outside = x != inside
    if outside.any():
        basis[outside] += slope(inside[outside]) * (x - inside)[outside, None]
    constraint = slope.derivative()(np.array([low, high]))
    if not intercept:
        basis, constraint = basis[:, 1:], constraint[:, 1:]
    q, _ = np.linalg.qr(constraint.T, mode="complete")
    return basis @ q[:, 2:]


@stateful_transform
def bs(
    x: Any,
    df: int | None = None,
    knots: Iterable[float] | None = None,
    degree: int = 3,
    include_intercept: bool = False,
    intercept: bool = False,
    lower_bound: float | None = None,
    upper_bound: float | None = None,
    extrapolation: str = "extend",
    _state: dict[str, Any] | None = None,
) -> Any:
    """B-spline basis, equal to R's `splines::bs`; outside the boundary knots the polynomials go on."""
    return basis_spline(
        np.asarray(x, dtype=np.float64),
        df=df,
        knots=None if knots is None else np.atleast_1d(np.asarray(knots, dtype=np.float64)).tolist(),
        degree=degree,
        include_intercept=include_intercept or intercept,
        lower_bound=lower_bound,
        upper_bound=upper_bound,
        extrapolation=extrapolation,
        _state=_state,
    )


@stateful_transform
def poly(x: Any, degree: int = 1, raw: bool = False, _state: dict[str, Any] | None = None) -> Any:
    """Orthogonal polynomials equal to R's `poly`, or with ``raw=True`` the powers x, x^2, ..."""
    x = np.asarray(x, dtype=np.float64)
    if raw:
        return {power: x**power for power in range(1, degree + 1)}
    if not _state and degree >= len(np.unique(x)):
        raise ValueError(
            f"the degree {degree} must be less than the number of distinct values, {len(np.unique(x))}"
        )
    return orthogonal_poly(x, degree, _state=_state)
