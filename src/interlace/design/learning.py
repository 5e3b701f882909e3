"""The steps of `Encoding.learn`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from interlace.design import checks
from interlace.design.basis import Basis, Evaluated, learn_basis, split_terms, used_names
from interlace.design.design import Design, RandomRows
from interlace.design.evaluation import evaluate
from interlace.design.extras import Extra
from interlace.design.frame import Frame
from interlace.design.grouping import Grouping, learn_grouping
from interlace.design.learnt import (
    Learnt,
    RandomEncoding,
    check_unique_columns,
    grouping_columns,
    sum_offsets,
)
from interlace.errors import DataError
from interlace.formula.terms import Formula, RandomTerm


def complete(read: Frame, extras: tuple[Extra, ...], na_action: str) -> tuple[Frame, np.ndarray | None]:
    """The rows without a missing value in any column used."""
    missing = {**read.missing, **{e.label: e.missing for e in extras if e.missing is not None}}
    if na_action != "drop":
        checks.refuse_missing(missing)
    if not missing:
        checks.check_not_empty(read.nrows, read.nrows, {})
        return read, None
    gone = np.logical_or.reduce(list(missing.values()))
    kept = np.flatnonzero(~gone)
    checks.check_not_empty(read.nrows, len(kept), missing)
    return read.take(kept), kept


def blocks_of(term: RandomTerm) -> tuple[str, ...]:
    """Right-hand sides of the covariance blocks of a random term."""
    return (term.columns,) if term.covariance == "unstructured" else split_terms(term.columns)


@dataclass(frozen=True, slots=True)
class Learner:
    """The steps of `Encoding.learn` on the rows used."""

    formula: Formula
    frame: Frame
    kept: np.ndarray | None
    context: dict[str, Any]
    evaluated: dict[str, Evaluated] = field(default_factory=dict)

    def run(
        self, weights: Extra, offset: Extra, contrasts: dict[str, Any], read: Frame
    ) -> tuple[Learnt, Design]:
        # 1) Response, weights, offsets
        state: dict[str, Any] = {}
        y = self._response(state)
        missing = {**read.missing, **{e.label: e.missing for e in (weights, offset) if e.missing is not None}}
        weights, offset = weights.take(self.kept), offset.take(self.kept)
        prior = weights.values
        if prior is not None:
            checks.check_weights(weights.label, prior, self.kept)
        shift = sum_offsets(self.formula, self.frame, self.context, state, offset, self.kept)
        # 2) Fixed part
        self._check_contrasts(contrasts)
        fixed, X = self._basis(self.formula.fixed, contrasts)
        checks.check_coded(contrasts, tuple(fixed.factors))
        # 3) Random part: each grouping factor and each set of columns once
        # (contrasts are for the fixed part alone)
        learnt: dict[str, tuple[Basis, np.ndarray]] = {} if contrasts else {self.formula.fixed: (fixed, X)}
        groups: dict[tuple[str, ...], tuple[Grouping, np.ndarray]] = {}
        random: list[RandomEncoding] = []
        rows: list[RandomRows] = []
        for index, term in enumerate(self.formula.random):
            if term.grouping not in groups:
                groups[term.grouping] = self._grouping(term)
            grouping, codes = groups[term.grouping]
            for rhs in blocks_of(term):
                if rhs not in learnt:
                    learnt[rhs] = self._basis(rhs, {})
                basis, z = learnt[rhs]
                checks.check_effects(grouping.group, z.shape[1], grouping.n_levels, len(y))
                random.append(RandomEncoding(grouping, basis, index))
                rows.append(RandomRows(codes, z))
        check_unique_columns(random)
        self._check_varying(random, rows)
        learnt_all = Learnt(
            self.formula, fixed, tuple(random), weights.source, offset.source, self.context, state
        )
        counts = tuple((name, int(mask.sum())) for name, mask in missing.items())
        return learnt_all, Design(y, X, tuple(rows), prior, shift, read.nrows, self.kept, counts, self.frame)

    def _check_varying(self, random: list[RandomEncoding], rows: list[RandomRows]) -> None:
        intercepts = {frozenset(block.grouping.factors) for block in random if block.intercept is not None}
        for block, row in zip(random, rows, strict=True):
            if frozenset(block.grouping.factors) in intercepts:
                checks.check_varying(block.group, block.columns, row.z)

    def _response(self, state: dict[str, Any]) -> np.ndarray:
        name = self.formula.response
        values = evaluate(name, self.frame.columns, self.context, state, self.formula)
        y = checks.numeric_response(name, values, self.frame.nrows)
        checks.check_values((name,), y[:, None], checks.LARGEST_RESPONSE, self.kept)
        checks.check_not_constant(name, y)
        return y

    def _basis(self, rhs: str, contrasts: dict[str, Any]) -> tuple[Basis, np.ndarray]:
        basis, matrix = learn_basis(
            rhs,
            self.frame.columns,
            self.frame.nrows,
            context=self.context,
            contrasts=contrasts,
            formula=self.formula,
            evaluated=self.evaluated,
        )
        checks.check_values(basis.names, matrix, checks.LARGEST_PREDICTOR, self.kept)
        return basis, matrix

    def _grouping(self, term: RandomTerm) -> tuple[Grouping, np.ndarray]:
        columns = grouping_columns(term.grouping, self.frame, self.context, self.formula)
        grouping, codes = learn_grouping(term.group, term.grouping, columns)
        checks.check_levels(grouping.group, grouping.n_levels, self.frame.nrows)
        return grouping, codes

    def _check_contrasts(self, contrasts: dict[str, Any]) -> None:
        names = used_names(self.formula.fixed)
        for name in contrasts:
            if name not in names and name not in self.formula.fixed:
                raise DataError(f"contrasts are given for '{name}', which is not a factor of the fixed part")
