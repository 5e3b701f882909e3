"""Two fits that must be one: compared in units that do not depend on those of the data."""

from __future__ import annotations

from typing import Any

import numpy as np


class BrokenError(Exception):
    """Two answers differ that must not."""


def close(what: str, a: Any, b: Any, tolerance: float, scale: Any = 1.0) -> None:
    """|a - b| <= tolerance * scale; NaN only in the same places."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape:
        raise BrokenError(f"{what}: shapes {a.shape} and {b.shape}")
    if np.any(np.isnan(a) != np.isnan(b)):
        raise BrokenError(f"{what}: NaN in other places")
    with np.errstate(invalid="ignore"):
        off = np.where((a == b) | np.isnan(a), 0.0, np.abs(a - b)) / scale
    if off.size and off.max() > tolerance:
        raise BrokenError(f"{what}: differ by {off.max():.3g}")


def criteria(what: str, a: Any, b: Any, shift: float = 0.0, tolerance: float = 1e-6) -> None:
    """The criterion of b is that of a plus `shift`, to `tolerance`, nine digits and what rounding may do."""
    value = a.fit.optimum.value
    known = tolerance + 1e-9 * max(10.0, abs(value)) + 10 * max(_rounding(a), _rounding(b))
    close(f"{what}: criterion", b.fit.optimum.value, value + shift, known)


def _rounding(m: Any) -> float:
    """The rounding error of the criterion: large where the residuals are a small part of the response."""
    compiled = m.fit.criterion.kernel()
    compiled.value(m.fit.optimum.par)
    return float(compiled.rounding)


def _unknown(m: Any) -> np.ndarray:
    """How far the coefficients, and sigma after them, go along valleys that are level to the rounding error
    of the criterion."""
    criterion, par, hessian = m.fit.criterion, m.fit.optimum.par, m.fit.optimum.hessian
    here = np.append(m.fit.solution.beta, m.sigma)
    out = np.zeros(len(here))
    if not par.any():
        return out
    curvature, directions = np.linalg.eigh(hessian)
    for i in np.flatnonzero(curvature < 1e-6 * curvature[-1]):
        step = directions[:, i] * np.sqrt(2 * _rounding(m) / max(abs(curvature[i]), 1e-12))
        for sign in (1.0, -1.0):
            there = criterion.solution(par + sign * step)
            sigma = np.sqrt(there.pwrss / criterion.df)
            out = np.maximum(out, np.abs(np.append(there.beta, sigma) - here))
    return out


def same_fixef(what: str, a: Any, b: Any, tolerance: float, unit: float = 1.0) -> None:
    """Coefficients, in standard errors, or as far as they are known; `unit`: of the response of b."""
    unknown = (_unknown(a) + _unknown(b) / unit)[:-1]
    known = np.maximum(tolerance * a.se.to_numpy(), unknown)
    close(f"{what}: fixef", b.fixef / unit, a.fixef, 1.0, known)


def same_fit(what: str, a: Any, b: Any, tolerance: float = 1e-5) -> None:
    """Criterion, coefficients, standard errors, sigma; a hundred times looser in standard errors."""
    criteria(what, a, b, tolerance=1e-7)
    same_fixef(what, a, b, 100 * tolerance)
    close(f"{what}: se", b.se, a.se, 100 * tolerance, a.se.to_numpy())
    known = max(tolerance * a.sigma, (_unknown(a) + _unknown(b))[-1])
    close(f"{what}: sigma", b.sigma, a.sigma, 1.0, known)


def same_rows(what: str, a: Any, b: Any, tolerance: float = 1e-4) -> None:
    """Fitted values, in standard deviations of the response."""
    close(f"{what}: fitted", b.fitted, a.fitted, tolerance, spread(a))


def spread(m: Any) -> float:
    """Standard deviation of the response."""
    return float(np.std(m.fit.design.y)) or 1.0


def used_rows(m: Any) -> np.ndarray:
    """Numbers of the rows of the table that are in the fit."""
    kept = m.fit.design.kept
    return np.arange(m.nobs) if kept is None else np.asarray(kept)
