"""What leaves with an observation or a group: deletion diagnostics of the fixed effects and the variances."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from interlace.arrays import Array, Index
from interlace.design.design import Design
from interlace.design.rows import per_row
from interlace.errors import DataError, shown
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.options import word
from interlace.prediction.leverage import leverage
from interlace.prediction.per_row import row_table
from interlace.refitting.deleted import (
    METHODS,
    Deleted,
    displacement,
    method_of,
    variance_names,
    variances,
)
from interlace.refitting.deletion import Piece
from interlace.refitting.left_out import Cases, cases, without_each
from interlace.refitting.small_solves import SMALLEST, SmallSolves
from interlace.tables.table import Table
from interlace.text import listed

MEASURES = ("cooksd", "mdffits", "covtrace", "covratio")
SAID = {
    "fixed": "theta and sigma are those of the model",
    "onestep": "one step in theta without {}",
    "refit": "the model is fitted again without {}",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What is measured of one deletion.

    Attributes
    ----------
    kept : tuple of int
        Coefficients that the other rows still tell.
    beta, se : ndarray, (p,)
        NaN for the others.
    measures : tuple of float
        Those of `MEASURES`.
    variances : ndarray or None
        None where theta and sigma are held.
    displacement : float
    converged : bool
    """

    kept: tuple[int, ...]
    beta: Array
    se: Array
    measures: tuple[float, ...]
    variances: Array | None
    displacement: float
    converged: bool


@dataclass(frozen=True, slots=True)
class Deletions:
    """Every deletion that was asked for, and how they were made."""

    fit: Fit
    cases: Cases
    method: str
    found: list[Found]

    @classmethod
    def of(
        cls, fit: Fit, chosen: Cases, *, method: str, wanted: Index, n_jobs: int, progress: bool | None
    ) -> Deletions:
        """Delete each set by `method`; the measures are of the coefficients `wanted`."""
        by_method = method_of(fit, method)

        def measured(piece: Piece) -> Callable[[Index], Found]:
            without = by_method(piece)
            return lambda rows: _found(fit, without(rows), wanted)

        found = without_each(fit, chosen, measured, n_jobs=n_jobs, progress=progress, label="influence")
        return cls(fit, chosen, method, found)

    def measures(self) -> dict[str, Array]:
        """A column for each measure."""
        out = np.array([one.measures for one in self.found])
        return dict(zip(MEASURES, out.T, strict=True))

    def changes(self) -> dict[str, Array]:
        """Displacement, and relative changes of variances and covariances (NaN where one is zero)."""
        if self.method == "fixed":
            return {}
        fit = self.fit
        whole = variances(fit, fit.solution.factors, fit.scale)
        changed = np.array([one.variances for one in self.found])
        share = np.full(changed.shape, np.nan)
        np.divide(changed, whole, out=share, where=whole != 0)
        columns = {f"rvc[{name}]": share[:, j] - 1 for j, name in enumerate(variance_names(fit))}
        return columns | {"displacement": np.array([one.displacement for one in self.found])}

    def notes(self) -> list[str]:
        """How they were made, and what the other rows do not tell."""
        p, name = len(self.fit.names), self.cases.name
        what = "each row" if name is None else f"each level of '{name}'"
        said = SAID[self.method].format(what if len(self.found) > 1 else f"these of {self.cases.words}")
        lost = [
            str(label)
            for label, one in zip(self.cases.labels, self.found, strict=bool(self.found))
            if len(one.kept) < p
        ]
        notes = [said]
        if lost:
            notes.append(
                f"without {listed(lost, 5)} of {self.cases.words} the other rows do not tell every "
                "coefficient: measured on the others"
            )
        if stopped := sum(not one.converged for one in self.found):
            notes.append(f"{stopped} refits did not converge")
        return notes

    def table(self, columns: dict[str, Array], more: Iterable[str] = ()) -> Any:
        """A row for each set: a table of the caller's library where there is one for each row of the data."""
        notes = [*self.notes(), *more]
        if not self.cases.every:
            return Table.of(columns, self.cases.labels, name=self.cases.name, note=notes)
        table = row_table(self.fit.rows.frame, columns)
        if hasattr(table, "attrs"):
            table.attrs["note"] = "; ".join(note for note in notes if note)
        return table


def influence(
    fit: Fit,
    level: object,
    *,
    method: str,
    delete: object,
    parameters: object,
    n_jobs: int,
    progress: bool | None,
) -> Any:
    """See `LinearMixedModel.influence`."""
    method, chosen = word("method", method, METHODS), cases(fit, level, delete)
    wanted = chosen_parameters(fit, parameters)
    columns: dict[str, Array]
    if chosen.every and method == "fixed":
        made = Deletions(fit, chosen, method, [])
        columns = of_rows(fit, wanted)
    else:
        made = Deletions.of(fit, chosen, method=method, wanted=wanted, n_jobs=n_jobs, progress=progress)
        columns = made.measures()
    for name, values in leverage(fit).items():
        means = values if chosen.every else np.array([values[rows].mean() for rows in chosen.rows])
        columns[f"leverage_{name}"] = means
    about = "" if len(wanted) == len(fit.names) else f"of {', '.join(fit.names[j] for j in wanted)}"
    return made.table(columns | made.changes(), [about])


def chosen_parameters(fit: Fit, parameters: object) -> Index:
    """Places of the coefficients that are meant; all for None.

    Raises
    ------
    DataError
    """
    names = list(fit.names)
    if parameters is None:
        return np.arange(len(names))
    given = [parameters] if isinstance(parameters, str) else parameters
    if not isinstance(given, Iterable):
        raise DataError(f"parameters must be names of coefficients, not {shown(parameters)}")
    wanted = list(dict.fromkeys(given))
    for one in wanted:
        if one not in names:
            raise DataError(f"parameters names {shown(one)}: the coefficients are {listed(names)}")
    if not wanted:
        raise DataError(f"parameters is empty: name some of {listed(names)}, or leave it out")
    return np.array([names.index(one) for one in wanted])


def of_rows(fit: Fit, wanted: Index) -> dict[str, Array]:
    """The measures for each row, theta and sigma held, (n,) each.

    With ``P = V^-1 - V^-1X C X'V^-1`` and row i alone deleted, ``C_(i) = C + C x x'C / P_ii`` for
    ``x = X'V^-1 e_i``: all four are functions of ``q = v'C_s^-1 v / P_ii``, v the entries of C x of the
    coefficients that are meant and C_s their covariance, and of ``(Py)_i``. Nothing is solved.
    """
    change, e, left, there = _of_each_row(fit)
    v = change[:, wanted]
    q = np.full(len(left), np.nan)
    C, unit = _unit(fit.solution.unscaled_vcov[np.ix_(wanted, wanted)])
    half = np.linalg.solve(np.linalg.cholesky(C), (v * unit).T)
    q[there] = np.einsum("pn,pn->n", half, half)[there] / left[there]
    cook = np.full(len(left), np.nan)
    if wanted.size:  # no coefficients have no distance
        cook[there] = q[there] * (e[there] / fit.sigma) ** 2 / left[there] / wanted.size
    return {"cooksd": cook, "mdffits": cook / (1 + q), "covtrace": q, "covratio": 1 + q}


def _unit(C: Array) -> tuple[Array, Array]:
    unit = 1 / np.sqrt(np.diagonal(C))
    return C * np.outer(unit, unit), unit


def _of_each_row(fit: Fit) -> tuple[Array, Array, Array, np.ndarray]:
    """``C x / sigma^2`` of each row, (n, p); ``(Py)_i``; P_ii; and where that is no rounding error."""

    def of(design: Design) -> Array:
        small = SmallSolves.of(fit, design.selected(fit.kept))
        return np.column_stack([small.x @ small.root.T, small.e])

    found = per_row(fit.rows, of)
    left = 1 - leverage(fit)["overall"]  # P_ii, sigma = 1
    return found[:, :-1], found[:, -1], left, left > SMALLEST**2


def _found(fit: Fit, one: Deleted, wanted: Index) -> Found:
    beta, se = np.full(len(fit.names), np.nan), np.full(len(fit.names), np.nan)
    kept = list(one.kept)
    beta[kept], se[kept] = one.beta, np.sqrt(np.diagonal(one.vcov))
    held = one.whole is fit.solution
    return Found(
        one.kept,
        beta,
        se,
        measured(fit, one, wanted),
        None if held else variances(fit, one.factors, one.scale),
        np.nan if held else displacement(fit, one),
        one.converged,
    )


def measured(fit: Fit, one: Deleted, wanted: Index) -> tuple[float, float, float, float]:
    """Those of `MEASURES`, of the coefficients `wanted` that the other rows tell; NaN if they tell none."""
    places = [place for place, j in enumerate(one.kept) if j in wanted]
    kept = [one.kept[place] for place in places]
    change, C = fit.solution.beta[kept] - one.beta[places], fit.vcov[np.ix_(kept, kept)]
    p = len(kept)
    if not p:
        return np.nan, np.nan, np.nan, np.nan
    C, unit = _unit(C)
    D, change = one.vcov[np.ix_(places, places)] * np.outer(unit, unit), change * unit
    ratio = np.linalg.slogdet(D)[1] - np.linalg.slogdet(C)[1]
    return (
        float(change @ np.linalg.solve(C, change)) / p,
        float(change @ np.linalg.solve(D, change)) / p,
        abs(float(np.trace(np.linalg.solve(C, D))) - p),
        float(np.exp(ratio)),
    )


def dfbetas(
    fit: Fit,
    level: object,
    *,
    method: str,
    delete: object,
    parameters: object,
    critical: float,
    n_jobs: int,
    progress: bool | None,
) -> Any:
    """See `LinearMixedModel.dfbetas`."""
    method, chosen = word("method", method, METHODS), cases(fit, level, delete)
    wanted = chosen_parameters(fit, parameters)
    dffits: Array | None
    if chosen.every and method == "fixed":
        made, beta, se, dffits = _rows_held(fit, chosen)
    else:
        made = Deletions.of(fit, chosen, method=method, wanted=wanted, n_jobs=n_jobs, progress=progress)
        beta, se = (np.array([getattr(one, what) for one in made.found]) for what in ("beta", "se"))
        dffits = _dffits(fit, beta) if chosen.every else None
    columns = {} if dffits is None else {"dffits": dffits}
    whole, error = fit.solution.beta, np.sqrt(np.diagonal(fit.vcov))
    percent = np.full(beta.shape, np.nan)
    np.divide(100 * (beta - whole), beta, out=percent, where=np.isfinite(beta) & (beta != 0))
    t = beta / se
    was = np.abs(whole / error) > critical
    now = np.abs(t) > critical
    parts = {
        "dfbetas": (whole - beta) / se,
        "pchange": percent,
        "t": t,
        "changed": (now != was) & np.isfinite(t),
    }
    for part, values in parts.items():
        columns |= {f"{part}[{fit.names[j]}]": values[:, j] for j in wanted}
    return made.table(columns, [f"changed: |t| = {critical:g} lies between the model's t and that without"])


def _rows_held(fit: Fit, chosen: Cases) -> tuple[Deletions, Array, Array, Array]:
    """beta and standard errors without each row, theta and sigma held."""
    change, e, left, there = _of_each_row(fit)
    step = np.full(len(left), np.nan)
    step[there] = 1 / left[there]
    beta = fit.solution.beta - change * (e * step)[:, None]
    variance = fit.scale * (np.diagonal(fit.solution.unscaled_vcov) + change**2 * step[:, None])
    return Deletions(fit, chosen, "fixed", []), beta, np.sqrt(variance), _dffits(fit, beta)


def _dffits(fit: Fit, beta: Array) -> Array:
    """``x'(beta - beta_(i)) / sqrt(x'C x)`` of each row; NaN where nothing of the fixed part reaches it."""
    X = per_row(fit.rows, lambda design: design.selected(fit.kept).X)
    change = np.einsum("np,np->n", X, fit.solution.beta - beta)
    se = np.sqrt(np.maximum(np.einsum("np,np->n", X @ fit.vcov, X), 0.0))
    return np.asarray(np.divide(change, se, out=np.full(len(se), np.nan), where=se > 0))
