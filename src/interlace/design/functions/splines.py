"""Spline bases: those of R's package splines, and cubic splines by their values at knots."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from interlace.design.functions.call import Call
from interlace.design.functions.function import Function
from interlace.design.functions.values import Value, finite_column, flag, number, several, whole
from interlace.design.values import Matrix
from interlace.errors import DataError, FormulaError


def bs(
    call: Call,
    x: Value,
    df: Value = None,
    knots: Value = None,
    degree: Value = 3.0,
    intercept: Value = False,
    boundary_knots: Value = None,
) -> Matrix:
    """B-spline basis, equal to R's `splines::bs`; outside the boundary knots the polynomials go on.

    Parameters
    ----------
    df : whole number, optional
        Number of columns; ``df - degree - intercept`` inner knots are put at quantiles of x.
    knots : numbers, optional
        The inner knots themselves.
    boundary_knots : two numbers, optional
        The range of x by default.
    """
    values = finite_column(call, x)
    constant, power = flag(call, "intercept", intercept), whole(call, "degree", degree, 1)
    if not call.state:
        _learn_knots(call, values, df, knots, boundary_knots, power + constant)
    inner, (low, high) = np.array(call.state["knots"]), call.state["boundary"]
    at_ends = int((inner == low).sum()), int((inner == high).sum())  # they have columns of zeros
    t = np.concatenate([[low] * (power + 1), inner[(inner > low) & (inner < high)], [high] * (power + 1)])
    basis = np.pad(_b_splines(values, t, power), ((0, 0), at_ends))
    first = 0 if constant else 1
    return Matrix(basis[:, first:], tuple(map(str, range(first, basis.shape[1]))))


def ns(
    call: Call,
    x: Value,
    df: Value = None,
    knots: Value = None,
    intercept: Value = False,
    boundary_knots: Value = None,
) -> Matrix:
    """Natural cubic spline basis, equal to R's `splines::ns`; linear outside the boundary knots.

    The cubic B-spline basis restricted to functions with zero second derivative at both boundary knots,
    expressed in the basis that the QR decomposition of the two constraints gives. The arguments are those of
    `bs`; ``df - 1 - intercept`` inner knots are put at quantiles.
    """
    values = finite_column(call, x)
    constant = flag(call, "intercept", intercept)
    if not call.state:
        _learn_knots(call, values, df, knots, boundary_knots, 1 + constant)
    inner, (low, high) = np.array(call.state["knots"]), call.state["boundary"]
    basis = _natural_basis(values, inner, low, high, constant)
    return Matrix(basis, tuple(map(str, range(1, basis.shape[1] + 1))))


def _learn_knots(call: Call, x: np.ndarray, df: Value, knots: Value, boundary: Value, free: int) -> None:
    """Boundary and inner knots into the state; a basis of `free` columns has no inner knots."""
    low, high = _boundary(call, x, boundary)
    inner: list[float] = []
    if knots is not None:
        inner = sorted(several(call, "knots", knots))
        if inner[0] <= low or inner[-1] >= high:
            raise DataError(
                f"the knots of '{call.text}' must lie inside the boundary knots {low:g} and {high:g}: {inner}"
            )
    elif df is not None:
        count = whole(call, "df", df, 1) - free
        if count < 0:
            raise DataError(f"'{call.text}' needs df of at least {free}, not {df:g}")
        _check_count(call, int(df), len(x))
        inside = x[(x >= low) & (x <= high)]
        if count and not len(inside):
            raise DataError(f"'{call.text}' has no value between its boundary knots {low:g} and {high:g}")
        if count:
            inner = np.quantile(inside, np.linspace(0, 1, count + 2)[1:-1]).tolist()
    _check_count(call, free + len(inner), len(x))
    call.state.update(boundary=(low, high), knots=tuple(inner))


def _check_count(call: Call, count: int, nrows: int) -> None:
    if count > max(nrows, 30):
        raise DataError(f"'{call.text}' asks for {count} columns, and the data have {nrows} rows; use fewer")


def _boundary(call: Call, x: np.ndarray, given: Value) -> tuple[float, float]:
    if given is None:
        low, high = float(x.min()), float(x.max())
        if low == high:
            raise DataError(
                f"'{call.text}' cannot be computed: all values of '{call.subject}' are equal; leave it out"
            )
        return low, high
    found = sorted(several(call, "Boundary.knots", given))
    if len(found) != 2 or found[0] == found[1]:
        raise FormulaError(f"'Boundary.knots' of '{call.text}' must be two different numbers, not {found}")
    return found[0], found[1]


def _b_splines(x: np.ndarray, t: np.ndarray, degree: int) -> np.ndarray:
    """The B-splines of knots t at x (n,); missing values stay missing."""
    from scipy.interpolate import BSpline

    spline = BSpline(t, np.eye(len(t) - degree - 1), degree)
    known = np.isfinite(x)
    basis = np.full((len(x), len(t) - degree - 1), np.nan)
    if known.any():
        basis[known] = spline(x[known])
    return basis


def _natural_basis(x: np.ndarray, knots: np.ndarray, low: float, high: float, intercept: bool) -> np.ndarray:
    from scipy.interpolate import BSpline

    t = np.concatenate([[low] * 4, knots, [high] * 4])
    spline = BSpline(t, np.eye(len(t) - 4), 3)
    inside = np.clip(x, low, high)
    basis = _b_splines(inside, t, 3)
    outside = np.flatnonzero(x != inside)
    outside = outside[np.isfinite(x[outside])]
    if len(outside):
        basis[outside] += spline(inside[outside], 1) * (x - inside)[outside, None]
    constraint = spline(np.array([low, high]), 2)
    if not intercept:
        basis, constraint = basis[:, 1:], constraint[:, 1:]
    q, _ = np.linalg.qr(constraint.T, mode="complete")
    return _times(basis, q[:, 2:])


def _times(basis: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The product, row by row the same whatever other rows there are."""
    total = np.zeros((len(basis), matrix.shape[1]))
    for column, row in zip(basis.T, matrix, strict=True):
        total += column[:, None] * row
    return total


# Cubic splines by their values at the knots


def cs(
    call: Call,
    x: Value,
    df: Value = None,
    knots: Value = None,
    lower_bound: Value = None,
    upper_bound: Value = None,
    constraints: Value = None,
) -> Matrix:
    """Natural cubic regression spline: column j is the spline that is 1 at knot j and 0 at the others.

    The columns add up to one. With ``constraints = "center"`` each spline sums to zero over the rows of the
    fit. Outside the bounds the splines are linear. (Wood 2017, Generalized Additive Models, 5.3.1.)
    """
    return _cardinal(call, x, df, knots, (lower_bound, upper_bound), constraints, "natural")


def cc(
    call: Call,
    x: Value,
    df: Value = None,
    knots: Value = None,
    lower_bound: Value = None,
    upper_bound: Value = None,
    constraints: Value = None,
) -> Matrix:
    """Cyclic cubic regression spline: `cs` with equal values and derivatives at both bounds."""
    return _cardinal(call, x, df, knots, (lower_bound, upper_bound), constraints, "periodic")


def _cardinal(
    call: Call,
    x: Value,
    df: Value,
    knots: Value,
    bounds: tuple[Value, Value],
    constraints: Value,
    kind: str,
) -> Matrix:
    values = finite_column(call, x)
    if constraints is not None and not (isinstance(constraints, str) and constraints == "center"):
        raise FormulaError(f"{call.name}() knows constraints = 'center' only")
    centred = constraints is not None
    if not call.state:
        found = _cardinal_knots(call, values, df, knots, bounds, centred, kind)
        if centred:
            means = _cardinal_basis(values, found, kind).mean(axis=0)
            q, _ = np.linalg.qr(means[:, None], mode="complete")
            call.state["constraint"] = q[:, 1:]
        call.state["knots"] = tuple(found.tolist())
    basis = _cardinal_basis(values, np.array(call.state["knots"]), kind)
    if centred:
        basis = _times(basis, call.state["constraint"])
    return Matrix(basis, tuple(map(str, range(1, basis.shape[1] + 1))))


def _cardinal_knots(
    call: Call, x: np.ndarray, df: Value, knots: Value, bounds: tuple[Value, Value], centred: bool, kind: str
) -> np.ndarray:
    """All knots in order, the bounds included."""
    low, high = _bounds(call, x, bounds)
    if (df is None) == (knots is None):
        raise FormulaError(f"{call.name}() needs either df or knots; write {call.name}(x, df = 4)")
    if knots is not None:
        inner = np.unique(several(call, "knots", knots))
    else:
        least = 2 if kind == "natural" and not centred else 1
        count = whole(call, "df", df, least) - 2 + centred + (kind == "periodic")
        _check_count(call, int(df), len(x))
        distinct = np.unique(x[(x >= low) & (x <= high)])
        if count and not len(distinct):
            raise DataError(f"'{call.text}' has no value between its bounds {low:g} and {high:g}")
        inner = np.quantile(distinct, np.linspace(0, 1, count + 2)[1:-1]) if count else np.empty(0)
    found = np.unique([low, high, *inner])
    with np.errstate(all="ignore"):
        steps = np.diff((found - low) / (high - low))
    if not np.isfinite(steps).all() or (steps <= 0).any():
        raise DataError(
            f"the knots of '{call.text}' are too close together or too far apart: {found.tolist()}"
        )
    if len(found) != len(inner) + 2 or found[0] < low or found[-1] > high:
        raise DataError(
            f"the knots of '{call.text}' must be different and lie between {low:g} and {high:g}; use fewer"
        )
    return found


def _bounds(call: Call, x: np.ndarray, bounds: tuple[Value, Value]) -> tuple[float, float]:
    low = float(x.min()) if bounds[0] is None else number(call, "lower_bound", bounds[0])
    high = float(x.max()) if bounds[1] is None else number(call, "upper_bound", bounds[1])
    if bounds == (None, None):
        return _boundary(call, x, None)
    if low >= high:
        raise DataError(f"the lower bound {low:g} of '{call.text}' must be below the upper one, {high:g}")
    return low, high


def _cardinal_basis(x: np.ndarray, knots: np.ndarray, kind: str) -> np.ndarray:
    """Cardinal splines at x (n,): natural ones linear outside the knots, periodic ones periodic."""
    from scipy.interpolate import CubicSpline

    # The splines do not depend on the unit, and cubes of large numbers overflow.
    low, width = knots[0], knots[-1] - knots[0]
    x, knots = (x - low) / width, (knots - low) / width
    if kind == "periodic":
        values = np.eye(len(knots))[:, :-1]
        values[-1, 0] = 1.0  # the last knot is the first one again
        if len(knots) < 3:
            return np.where(np.isfinite(x), 1.0, np.nan)[:, None]
        return _known_only(CubicSpline(knots, values, bc_type="periodic"), x)
    spline = CubicSpline(knots, np.eye(len(knots)), bc_type="natural")
    inside = np.clip(x, 0.0, 1.0)
    basis = _known_only(spline, inside)
    outside = np.flatnonzero(np.isfinite(x) & (x != inside))
    if len(outside):
        basis[outside] += spline(inside[outside], 1) * (x - inside)[outside, None]
    return basis


def _known_only(spline: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    known = np.isfinite(x)
    found = spline(np.where(known, x, 0.0))
    found[~known] = np.nan
    return found


_INTERCEPT = {"include_intercept": "intercept"}

SPLINES: tuple[Function, ...] = (
    Function("bs", bs, _INTERCEPT),
    Function("ns", ns, _INTERCEPT),
    Function("cs", cs),
    Function("cr", cs),
    Function("cc", cc),
)
