"""What leaves with an observation or a group: deletion diagnostics of the fixed effects and the variances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from interlace.arrays import Array, Index
from interlace.errors import DataError
from interlace.estimation.fit import Fit
from interlace.estimation.optimize import minimise_again
from interlace.estimation.penalized import Solution
from interlace.options import word
from interlace.precision.marginal import Marginal
from interlace.prediction.leverage import level_means, leverage
from interlace.prediction.residuals import residuals
from interlace.progress import watched
from interlace.refitting.deletion import products_without
from interlace.tables.table import Table

METHODS = ("fixed", "refit")
MEASURES = ("cooksd", "mdffits", "covtrace", "covratio")


@dataclass(frozen=True, slots=True)
class Deleted:
    """The model without some rows.

    Attributes
    ----------
    kept : tuple of int
        Coefficients that the other rows still tell.
    beta, vcov : ndarray
        Of these.
    variances : ndarray or None
        Variances and covariances, sigma^2 first; None where they are those of the model.
    converged : bool
    """

    kept: tuple[int, ...]
    beta: Array
    vcov: Array
    variances: Array | None
    converged: bool


def of_rows(fit: Fit) -> dict[str, Array]:
    """The measures for each row, theta and sigma held, (n,) each.

    With ``P = V^-1 - V^-1X C X'V^-1`` and row i alone deleted, ``C_(i) = C + C x x'C / P_ii`` for
    ``x = X'V^-1 e_i``: all four are functions of ``q = x'C x / P_ii`` and of ``(Py)_i``. Nothing is solved.
    """
    marginal, system = Marginal.of(fit), fit.criterion.system
    rows = fit.kernel_rows()
    left = 1 - leverage(fit)["overall"]  # P_ii, sigma = 1
    root = np.ones(len(left)) if rows["w"] is None else np.sqrt(rows["w"])
    x = (rows["x"] - rows["x_origin"]) @ np.linalg.inv(np.triu(fit.solution.factor.rx[:-1, :-1]))
    factors = system.internal_factors(fit.solution.factors)
    for f, (F, zvx) in enumerate(zip(factors, marginal.zvx, strict=True)):
        levels = system.covariance(f, F @ (F.T @ zvx))
        z = rows["z"][f] - rows["z_origin"][f]
        x = x - np.einsum("nk,nkp->np", z, levels[rows["codes"][f]])
    x *= root[:, None]
    r = residuals(fit, kind="standardized")
    p = x.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        q = np.where(left > 1e-12, np.einsum("np,np->n", x, x) / left, np.nan)
        cook = q * r**2 / left / p
    return {"cooksd": cook, "mdffits": cook / (1 + q), "covtrace": q, "covratio": 1 + q}


def of_levels(fit: Fit, level: str, *, method: str, progress: bool | None = None) -> Table:
    """The measures for each level of a grouping factor, with the means of leverage over its rows."""
    method = word("method", method, METHODS)
    means = level_means(fit, level)
    i = [block.group for block in fit.encoding.random].index(level)
    codes, labels = fit.design.random[i].codes, fit.encoding.random[i].levels
    there = np.unique(codes)
    if len(there) < 2:
        raise DataError(f"'{level}' has one level: without it no rows are left")
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], [there, there + 1])
    sets = [order[a:b] for a, b in ends.T]
    without = _held(fit) if method == "fixed" else _refitted(fit)
    found = [without(rows) for rows in watched(sets, len(sets), progress, "influence")]
    columns = _measures(fit, found)
    columns |= {f"leverage_{name}": means[name].to_numpy() for name in means.columns}
    if method == "refit":
        columns |= _changes(fit, found)
    return Table.of(
        columns, list(labels[there]), name=level, note=_notes(fit, method, level, labels[there], found)
    )


def _notes(fit: Fit, method: str, level: str, labels: Any, found: list[Deleted]) -> list[str]:
    said = {
        "fixed": "theta and sigma are those of the model",
        "refit": "the model is fitted again without each level",
    }[method]
    p, notes = len(fit.names), [said]
    lost = [str(label) for label, one in zip(labels, found, strict=True) if len(one.kept) < p]
    if lost:
        notes.append(
            f"without {', '.join(lost[:5])}{', ...' * (len(lost) > 5)} of '{level}' the other rows do not "
            "tell every coefficient: measured on the others"
        )
    if stopped := sum(not one.converged for one in found):
        notes.append(f"{stopped} refits did not converge")
    return notes


def _measures(fit: Fit, found: list[Deleted]) -> dict[str, Array]:
    out = np.array([_measured(fit, one) for one in found])
    return dict(zip(MEASURES, out.T, strict=True))


def _measured(fit: Fit, one: Deleted) -> tuple[float, float, float, float]:
    kept = list(one.kept)
    change, C = fit.solution.beta[kept] - one.beta, fit.vcov[np.ix_(kept, kept)]
    p = len(kept)
    if not p:
        return np.nan, np.nan, np.nan, np.nan
    unit = 1 / np.sqrt(np.diagonal(C))
    C, D, change = C * np.outer(unit, unit), one.vcov * np.outer(unit, unit), change * unit
    ratio = np.linalg.slogdet(D)[1] - np.linalg.slogdet(C)[1]
    return (
        float(change @ np.linalg.solve(C, change)) / p,
        float(change @ np.linalg.solve(D, change)) / p,
        abs(float(np.trace(np.linalg.solve(C, D))) - p),
        float(np.exp(ratio)),
    )


def _changes(fit: Fit, found: list[Deleted]) -> dict[str, Array]:
    """Relative change of each variance and covariance; NaN where it is zero in the model."""
    names, whole = _variance_names(fit), _variances(fit.solution, fit.scale)
    changed = np.array([one.variances for one in found])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(whole == 0, np.nan, changed / whole - 1)
    return {f"rvc[{name}]": share[:, j] for j, name in enumerate(names)}


def _variance_names(fit: Fit) -> list[str]:
    out = ["sigma2"]
    for i in fit.layout.theta_order:
        block = fit.encoding.random[i]
        for col in range(len(block.columns)):
            out.append(f"{block.columns[col]}|{block.group}")
            out += [
                f"{block.columns[row]}.{block.columns[col]}|{block.group}"
                for row in range(col + 1, len(block.columns))
            ]
    return out


def _variances(solution: Solution, scale: float) -> Array:
    out = [scale]
    for i in solution.system.A.layout.theta_order:
        S = scale * solution.factors[i] @ solution.factors[i].T
        out += [S[row, col] for col in range(len(S)) for row in range(col, len(S))]
    return np.array(out)


def _held(fit: Fit) -> Callable[[Index], Deleted]:
    design = fit.design.selected(fit.kept)

    def without(rows: Index) -> Deleted:
        A, kept = products_without(fit.A, design, rows)
        solution = Solution.at(fit.criterion.system.with_products(A), fit.solution.factors)
        return Deleted(kept, solution.beta, fit.scale * solution.unscaled_vcov, None, True)

    return without


def _refitted(fit: Fit) -> Callable[[Index], Deleted]:
    design = fit.design.selected(fit.kept)

    def without(rows: Index) -> Deleted:
        A, kept = products_without(fit.A, design, rows)
        criterion = replace(fit.criterion, system=fit.criterion.system.with_products(A))
        criterion, optimum = minimise_again(criterion)
        solution = criterion.solution(optimum.par)
        df = A.n - len(kept) if fit.reml else A.n
        scale = solution.pwrss / df
        return Deleted(
            kept,
            solution.beta,
            scale * solution.unscaled_vcov,
            _variances(solution, scale),
            optimum.converged,
        )

    return without
