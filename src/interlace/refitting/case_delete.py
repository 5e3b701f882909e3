"""Everything that is estimated without some rows, a value for each set of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from interlace.arrays import Array, Index
from interlace.design.design import Design
from interlace.design.gathered import some_rows
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.options import word
from interlace.prediction.ranef import blocks_by_group
from interlace.refitting.deleted import METHODS, Deleted, rows_of_levels, solved, variance_names, variances
from interlace.refitting.deletion import Piece
from interlace.refitting.influence import SAID
from interlace.refitting.left_out import Cases, cases, without_each
from interlace.tables.markup import frame_html, page, title
from interlace.tables.table import Table

HTML_ROWS = 60  # more deletions than this are counted in a notebook


@dataclass(frozen=True, slots=True)
class CaseDeletion:
    """What `LinearMixedModel.case_delete` found, a row or an entry for each set of rows that left.

    Attributes
    ----------
    fixef : Table
        Coefficients by name; NaN for those that the other rows do not tell.
    vcov : dict
        {label: their covariance, a DataFrame of those that are told}.
    varcomp : Table
        "sigma2", then variances and covariances of the random effects ("Days|Subject").
    ranef : dict
        {grouping factor: DataFrame of conditional modes, indexed by label and level}; levels without rows
        are absent.
    converged : Series of bool
    method : {"fixed", "onestep", "refit"}
    note : str
    """

    fixef: Table
    vcov: dict[Any, pd.DataFrame]
    varcomp: Table
    ranef: dict[str, pd.DataFrame]
    converged: pd.Series
    method: str
    note: str

    def __repr__(self) -> str:
        return f"{len(self.fixef)} deletions: {self.note}\n\n{self.fixef!r}\n\n{self.varcomp!r}"

    def _repr_html_(self) -> str:
        said = title(f"{len(self.fixef)} deletions: {self.note}")
        tables = (frame_html(table, "", HTML_ROWS) for table in (self.fixef, self.varcomp))
        return page(said, *tables)


def case_delete(
    fit: Fit, level: object, *, delete: object, method: str, n_jobs: int, progress: bool | None
) -> CaseDeletion:
    """See `LinearMixedModel.case_delete`."""
    method, chosen = word("method", method, METHODS), cases(fit, level, delete)
    by_method, levels = solved(fit, method), rows_of_levels(fit.rows)

    def kept(piece: Piece) -> Callable[[Index], tuple[Deleted, dict[str, pd.DataFrame]]]:
        without = by_method(piece)

        def of(rows: Index) -> tuple[Deleted, dict[str, pd.DataFrame]]:
            found = without(rows)
            return found, _modes(fit, found, levels, some_rows(piece.design, rows))

        return of

    found = without_each(fit, chosen, kept, n_jobs=n_jobs, progress=progress, label="deletions")
    return _gathered(fit, chosen, method, found)


def _gathered(
    fit: Fit, chosen: Cases, method: str, found: list[tuple[Deleted, dict[str, pd.DataFrame]]]
) -> CaseDeletion:
    labels, names = chosen.labels, list(fit.names)
    what = "each row" if chosen.name is None else f"each level of '{chosen.name}'"
    note = SAID[method].format(what if len(found) > 1 else f"these of {chosen.words}")
    beta = np.full((len(found), len(names)), np.nan)
    for row, (one, _) in zip(beta, found, strict=True):
        row[list(one.kept)] = one.beta
    variance = np.array([variances(fit, one.factors, one.scale) for one, _ in found])
    vcov = {}
    for label, (one, _) in zip(labels, found, strict=True):
        told = [names[j] for j in one.kept]
        vcov[label] = pd.DataFrame(one.vcov, index=told, columns=told)
    groups = list(blocks_by_group(fit))
    return CaseDeletion(
        fixef=_table(names, beta, labels, chosen.name, note),
        vcov=vcov,
        varcomp=_table(variance_names(fit), variance, labels, chosen.name, note),
        ranef={
            group: pd.concat([modes[group] for _, modes in found], keys=labels, names=["deleted"])
            for group in groups
        },
        converged=pd.Series([one.converged for one, _ in found], index=labels, name="converged"),
        method=method,
        note=note,
    )


def _table(names: list[str], values: Array, labels: list[Any], name: str | None, note: str) -> Table:
    return Table.of(dict(zip(names, values.T, strict=True)), labels, name=name, note=note)


def _solution(one: Deleted) -> Any:
    assert one.solution is not None
    return one.solution


def _modes(fit: Fit, one: Deleted, levels: Sequence[Index], gone: Design) -> dict[str, pd.DataFrame]:
    """Conditional modes of the levels that have rows, by grouping factor."""
    tables = {}
    for group, blocks in blocks_by_group(fit).items():
        block, left = fit.encoding.random[blocks[0]], levels[blocks[0]]
        lost = np.bincount(gone.random[blocks[0]].codes, minlength=len(block.levels))
        there = (left > lost) | (left == 0)
        names = [name for i in blocks for name in fit.encoding.random[i].columns]
        values = np.hstack([_solution(one).b[i] for i in blocks])[there]
        tables[group] = pd.DataFrame(values, index=pd.Index(block.levels[there], name=group), columns=names)
    return tables
