"""What an answer of a model may look like: finite where it must be, and what dense algebra gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dense_oracle import dense_z, oracle
from fuzz.columns import Rng

LARGEST_SIZE = 1e4  # of random effects in standard deviations of the residuals


class WrongError(Exception):
    """An answer that the library has no right to."""


def finite(what: str, values: Any, *, infinite: bool = False) -> None:
    """No NaN, and no infinity unless it is allowed."""
    a = np.asarray(values, dtype=np.float64)
    if np.isnan(a).any():
        raise WrongError(f"NaN in {what}")
    if np.isinf(a).any() and not infinite:
        raise WrongError(f"infinity in {what}")


def well_formed(what: str, table: pd.DataFrame, *, infinite_df: bool = False) -> None:
    """p in [0, 1]; NaN only together with p, and only where a note says that there is no test."""
    for label, row in table.iterrows():
        values = row.to_numpy(dtype=float)
        p = float(row["p"])
        if np.isnan(values).all() or row.get("num_df", row["df"] if "chisq" in row else 1) == 0:
            continue  # a term without columns of its own
        if np.isnan(values).any() and not np.isnan(p):
            raise WrongError(f"NaN beside a p-value in {what} ({label})")
        if np.isnan(p) and not table.attrs.get("note"):
            raise WrongError(f"NaN without a note in {what} ({label})")
        if not np.isnan(p) and not 0 <= p <= 1:
            raise WrongError(f"p outside [0, 1] in {what} ({label})")
        bounded = row.drop([name for name in ("df", "den_df") if name in row and infinite_df])
        if np.isinf(bounded.to_numpy(dtype=float)).any():
            raise WrongError(f"infinity in {what} ({label})")
        for name in ("df", "den_df", "num_df"):
            if name in row and row[name] <= 0:
                raise WrongError(f"{name} {row[name]:g} in {what} ({label})")


def same_as_dense(m: Any) -> None:
    """Criterion, coefficients and standard errors at the fitted theta against dense algebra.

    Left out where dense algebra itself has few digits: large models, and those whose matrices or
    residuals leave less than half of them.
    """
    fit = m.fit
    levels = tuple(len(block.levels) for block in fit.encoding.random)
    q = sum(L * len(b.columns) for L, b in zip(levels, fit.encoding.random, strict=True))
    if fit.design.nrows > 130 or q > 300 or not _well_conditioned(fit, levels):
        return
    dense = oracle(fit.design, levels, fit.solution.factors, fit.kept)
    value = dense.reml if fit.reml else dense.ml
    found = fit.optimum.value
    if abs(found - value) > 1e-5 * (1 + abs(value)):
        raise WrongError(f"criterion {found:.10g}, by dense algebra {value:.10g}")
    se = fit.sigma * np.sqrt(np.diagonal(dense.vcov))
    if np.any(np.abs(m.fixef.to_numpy() - dense.beta) > 1e-3 * se):
        raise WrongError("coefficients are not those of dense algebra")
    if np.any(np.abs(m.se.to_numpy() - se) > 1e-3 * se):
        raise WrongError("standard errors are not those of dense algebra")


def _well_conditioned(fit: Any, levels: tuple[int, ...]) -> bool:
    design = fit.design
    X = design.X[:, list(fit.kept)]
    w = np.ones(design.nrows) if design.weights is None else design.weights
    y = design.y if design.offset is None else design.y - design.offset
    Omega = np.diag(1 / w)
    for i, (L, T) in enumerate(zip(levels, fit.solution.factors, strict=True)):
        ZL = dense_z(design, i, L) @ np.kron(np.eye(L), T)
        Omega = Omega + ZL @ ZL.T
    plain = np.isfinite(Omega).all() and np.isfinite(X).all() and np.abs(X).max(initial=0) < 1e100
    if not plain or np.abs(y).max() > 1e100 or np.linalg.cond(Omega) > 1e8:
        return False
    size = np.abs(X).max(axis=0, initial=0)
    if np.any((size < 1e-100) | (size > 1e6 * np.maximum(size.min(initial=1), 1e-300))):
        return False
    whitened = np.linalg.solve(np.linalg.cholesky(Omega), np.column_stack([X, y]))
    rss = fit.solution.pwrss
    return bool(
        (X.shape[1] == 0 or np.linalg.cond(whitened[:, :-1]) < 1e5)
        and rss > 1e-8 * float(whitened[:, -1] @ whitened[:, -1])
        and rss > 1e-250
    )


def lowest(m: Any, rng: Rng) -> None:
    """No other theta that is tried has a clearly lower criterion, or the model says that there may be one.

    Left out where the residuals are less than 1e-4 of the random effects, for the fit or for what is tried:
    docs/limitations.md promises no digits there.
    """
    from interlace.estimation.fit import deviance_at
    from interlace.kernel import NotPositiveDefiniteError

    fit, theta = m.fit, m.theta
    best = fit.optimum.value
    size = relative_size(fit)
    if m.convergence.status != "converged" or size > LARGEST_SIZE:
        return
    diagonal = (
        np.concatenate([_is_diagonal(len(T)) for T in _in_order(fit)]) if len(theta) else np.zeros(0, bool)
    )
    unit = np.abs(theta).max(initial=0) or 1.0
    tries = [np.zeros(len(theta)), np.where(diagonal, unit, 0.0)]
    for _ in range(15):
        near = np.where(diagonal, np.abs(theta * np.exp(0.5 * rng.normal(size=len(theta)))), theta)
        tries.append(near + 0.1 * ~diagonal * rng.normal(size=len(theta)) * unit)
        far = np.where(diagonal, 10.0 ** rng.uniform(-2, 2, len(theta)), rng.normal(size=len(theta)))
        tries.append(far * unit)
    for trial in tries:
        if size * np.abs(trial).max(initial=0) > LARGEST_SIZE * unit:
            continue
        try:
            value = deviance_at(fit, trial, reml=fit.reml)
        except NotPositiveDefiniteError:
            continue
        if value < best - 1e-3 - 1e-7 * abs(best):
            raise WrongError(
                f"a lower criterion: {best:.8g} at {theta.tolist()}, {value:.8g} at {trial.tolist()}"
            )


def relative_size(fit: Any) -> float:
    """The largest standard deviation of the random effects over that of the residuals."""
    terms, w = zip(fit.design.random, fit.solution.factors, strict=True), fit.design.weights
    w = 1.0 if w is None else w
    sizes = [np.sqrt(np.mean(w * np.sum((rows.z @ T) ** 2, axis=1))) for rows, T in terms]
    return float(max(sizes, default=0.0))


def _is_diagonal(k: int) -> np.ndarray:
    rows, columns = np.triu_indices(k)
    return rows == columns


def _in_order(fit: Any) -> list[np.ndarray]:
    """The factors of the terms in the order of theta."""
    return [fit.solution.factors[i] for i in fit.criterion.system.A.layout.theta_order]
