"""Coefficients and their covariance from elsewhere, in place of a fit: all that marginal means ask of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.design.encoding import Encoding
from interlace.design.rows import Rows
from interlace.errors import DataError, shown
from interlace.estimation.rank import independent, triangle_of
from interlace.frozen import dataclass
from interlace.inference.spelling import hint, known_as
from interlace.options import number
from interlace.precision.wald import ConstantDdf
from interlace.text import listed

SYMMETRIC = (
    1e-6  # share of the standard deviations by which two sides may differ: printed numbers are rounded
)
NEGATIVE = 1e-6  # eigenvalue of the correlation matrix below which it is none


@dataclass(frozen=True, slots=True)
class GivenBeta:
    """Coefficients of the columns of X that are in the model, (p,)."""

    beta: Array


@dataclass(frozen=True, slots=True)
class GivenFit:
    """What stands in place of a fit.

    Attributes
    ----------
    encoding : Encoding
    rows : Rows
    kept : tuple of int
        Columns of X that are in the model; the others depend on them.
    solution : GivenBeta
    sigma : float
        Residual standard deviation, NaN if it is not known.
    """

    encoding: Encoding
    rows: Rows
    kept: tuple[int, ...]
    solution: GivenBeta
    sigma: float


@dataclass(frozen=True, slots=True, repr=False)
class GivenDdf(ConstantDdf):
    """Degrees of freedom that were given."""

    @property
    def name(self) -> str:
        """As printed."""
        return "asymptotic" if np.isinf(self.den_df) else f"{self.den_df:g}, as given"

    @property
    def description(self) -> str:
        """In words."""
        return "the normal distribution" if np.isinf(self.den_df) else f"t with {self.den_df:g} df"


def given_fit(
    rows: Rows, coef: Any, vcov: Any, df: float | None, sigma: float | None
) -> tuple[GivenFit, GivenDdf]:
    """What stands in place of a fit and of its degrees of freedom.

    Parameters
    ----------
    rows : Rows
    coef, vcov
        See `interlace.qdrg`.
    df, sigma : float or None

    Raises
    ------
    DataError
        Numbers, names or sizes do not fit the columns of X, or each other.
    """
    names = rows.encoding.fixed_names
    beta, places = _coefficients(coef, names)
    V = _covariance(vcov, names, places, np.isfinite(beta))
    kept, transform = _independent(rows, np.flatnonzero(np.isfinite(beta)))
    known = np.isfinite(beta)
    beta, V = transform @ beta[known], transform @ V[np.ix_(known, known)] @ transform.T
    fit = GivenFit(rows.encoding, rows, kept, GivenBeta(beta), _positive("sigma", sigma, np.nan))
    return fit, GivenDdf(beta, V, _positive("df", df, np.inf))


def _positive(what: str, given: float | None, default: float) -> float:
    if given is None:
        return default
    value = float("inf") if given == float("inf") else number(what, given)
    if not value > 0:
        raise DataError(f"{what} must be above zero, and is {shown(given)}")
    return value


# ---- coefficients ----


def _coefficients(coef: Any, names: Sequence[str]) -> tuple[Array, list[int]]:
    """In the order of the columns of X, (P,), NaN where there is none; and the place of each given one."""
    mapped = isinstance(coef, Mapping)
    labels = [str(one) for one in coef] if mapped else _labels(coef)
    values = _numbers("coef", list(coef.values()) if mapped else coef)
    if values.ndim != 1:
        raise DataError(f"coef must be one-dimensional, and has shape {values.shape}")
    places = list(range(len(values))) if labels is None else _places("coef", labels, names)
    if labels is None and len(values) != len(names):
        raise DataError(
            f"coef has {len(values)} values, and the formula makes {len(names)} columns: "
            f"{listed(list(names))}"
        )
    if np.isinf(values).any():
        raise DataError("coef has infinite values")
    found = np.full(len(names), np.nan)
    found[places] = values
    if not np.isfinite(found).any():
        raise DataError("coef has no values: they are all NaN")
    return found, places


def _labels(given: Any) -> list[str] | None:
    """The labels of a pandas object, if they are text."""
    index = getattr(given, "index", None)
    if index is None or callable(index):
        return None
    labels = list(index)
    return labels if labels and all(isinstance(one, str) for one in labels) else None


def _places(what: str, labels: Sequence[str], names: Sequence[str]) -> list[int]:
    found: list[int] = []
    for one in labels:
        name = known_as(one, names)
        if name is None:
            raise DataError(
                f"{what} names '{one}', which is no column that the formula makes{hint(one, names)}; these "
                f"are {listed(list(names))}"
            )
        found.append(list(names).index(name))
    if len(set(found)) < len(found):
        twice = next(names[j] for j in found if found.count(j) > 1)
        raise DataError(f"{what} names '{twice}' twice")
    return found


def _numbers(what: str, given: Any) -> Array:
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} must be numbers, not {shown(given)}") from error


# ---- covariance ----


def _covariance(vcov: Any, names: Sequence[str], places: Sequence[int], known: np.ndarray) -> Array:
    """In the order of the columns of X, (P, P); NaN where there is none."""
    labels, V = _labels(vcov), _numbers("vcov", vcov)
    if V.ndim != 2 or V.shape[0] != V.shape[1]:
        raise DataError(f"vcov must be a square matrix, and has shape {V.shape}")
    if labels is not None:
        at = _places("vcov", labels, names)
    elif len(V) == len(places):
        at = list(places)
    else:
        at = [place for place in places if known[place]]
    if len(at) != len(V):
        count = f"{len(places)} values" + (f", {len(at)} of them no NaN" if len(at) < len(places) else "")
        raise DataError(f"vcov has {len(V)} rows, and coef has {count}")
    found = np.full((len(names), len(names)), np.nan)
    found[np.ix_(at, at)] = V
    inner = found[np.ix_(known, known)]
    if not np.isfinite(inner).all():
        missing = [names[j] for j in np.flatnonzero(known).tolist() if not np.isfinite(found[j, known]).all()]
        raise DataError(f"vcov has no finite variances and covariances of {listed(missing)}")
    _check_covariance(inner, [names[j] for j in np.flatnonzero(known).tolist()])
    found[np.ix_(known, known)] = (inner + inner.T) / 2
    return found


def _check_covariance(V: Array, names: Sequence[str]) -> None:
    variances = np.diagonal(V)
    if (variances < 0).any():
        j = int(np.argmin(variances))
        raise DataError(f"vcov has a negative variance: {variances[j]:g} of {names[j]}")
    sd = np.where(variances > 0, np.sqrt(variances), 1.0)
    R = V / sd[:, None] / sd
    apart = np.abs(R - R.T)
    if apart.max(initial=0.0) > SYMMETRIC:
        i, j = (int(place) for place in np.unravel_index(int(np.argmax(apart)), apart.shape))
        raise DataError(
            f"vcov is not symmetric: {V[i, j]:g} for {names[i]} and {names[j]}, and {V[j, i]:g} the other way"
        )
    if np.linalg.eigvalsh((R + R.T) / 2).min(initial=0.0) < -NEGATIVE * len(R):
        raise DataError(
            "vcov is no covariance matrix: some combination of coefficients has a negative variance"
        )


# ---- rank ----


def _independent(rows: Rows, given: np.ndarray) -> tuple[tuple[int, ...], Array]:
    """Columns that tell all that X tells, and the matrix that makes their coefficients of those given."""
    R, names = triangle_of(rows), rows.encoding.fixed_names
    among = given[list(independent(R[:, given]))]
    rank = independent(R)
    if len(among) < len(rank):
        missing = [names[j] for j in rank if j not in set(given.tolist())]
        raise DataError(
            f"coef has no value for {listed(missing) or 'some columns'}, and the data tell it: its column "
            "does not depend on the others"
        )
    rest = np.setdiff1d(given, among)
    transform = np.zeros((len(among), len(given)))
    transform[np.arange(len(among)), np.searchsorted(given, among)] = 1.0
    if rest.size:
        transform[:, np.searchsorted(given, rest)] = np.linalg.lstsq(R[:, among], R[:, rest], rcond=None)[0]
    return tuple(int(j) for j in among), transform
