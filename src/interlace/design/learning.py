"""The steps of `Encoding.learn`."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from interlace.design import checks
from interlace.design.absorbing import encoded, learn_absorbed
from interlace.design.basis import Basis, Learning, NumericBasis, learn_basis
from interlace.design.columns import Coded, Columns
from interlace.design.design import Design, RandomRows
from interlace.design.evaluation import Evaluator, Memory
from interlace.design.extras import Extra
from interlace.design.frame import Frame
from interlace.design.grouping import Grouping, learn_grouping
from interlace.design.learnt import (
    Covariate,
    Learnt,
    RandomEncoding,
    check_unique_columns,
    grouping_columns,
    sum_offsets,
)
from interlace.design.scan import scanned
from interlace.design.structure_columns import check_structure, structure_of
from interlace.design.values import without_rows
from interlace.formula.algebra import separate
from interlace.formula.formula import NO_RESPONSE, Formula, RandomTerm, Sum
from interlace.formula.names import used_names
from interlace.formula.tree import Number, label
from interlace.frozen import dataclass

L = TypeVar("L", bound=Learnt)


def complete(read: Frame, missing: dict[str, np.ndarray], na_action: str) -> tuple[Frame, np.ndarray | None]:
    """The rows without a missing value in any column used, or in what stands beside the table."""
    if na_action != "drop":
        checks.refuse_missing(missing)
    if not missing:
        checks.check_not_empty(read.nrows, read.nrows, {})
        return read, None
    gone = np.logical_or.reduce(list(missing.values()))
    kept = np.flatnonzero(~gone)
    checks.check_not_empty(read.nrows, len(kept), missing)
    return read.take(kept), kept


def blocks_of(term: RandomTerm) -> tuple[Sum, ...]:
    """Right-hand sides of the covariance blocks of a random term."""
    return separate(term.columns) if term.covariance == "independent" else (term.columns,)


@dataclass(frozen=True, slots=True)
class Learner:
    """The steps of `Encoding.learn` on the rows used."""

    formula: Formula
    frame: Frame
    kept: np.ndarray | None
    memory: Memory

    def run(
        self,
        kind: type[L],
        weights: Extra,
        offset: Extra,
        contrasts: dict[str, Any],
        missing: dict[str, int],
        n_read: int,
    ) -> tuple[L, Design]:
        """What is learnt of the rows, and their numbers.

        Parameters
        ----------
        kind : type
            What holds what is learnt.
        weights, offset : Extra
            Of the rows used.
        contrasts : dict
        missing : dict of str to int
            Missing values by column.
        n_read : int
            Rows of the table, used or not.
        """
        # 1) Response, weights, offsets
        y = self._response()
        prior = weights.values
        if prior is not None:
            checks.check_weights(weights.label, prior, self.kept)
        shift = sum_offsets(self.formula, self.frame, self.memory, offset, self.kept)
        # 2) Fixed part
        learning = Learning(self.frame.columns, self.frame.nrows, self.memory, contrasts)
        fixed, X = self._basis(self.formula.fixed, learning)
        absorbed, absorbed_rows = encoded(learn_absorbed(self.frame, self.formula.absorbed))
        # 3) Random part: each grouping factor and each set of columns once
        learnt: dict[Sum, tuple[Basis, Columns]] = {self.formula.fixed: (fixed, X)}
        groups: dict[tuple[str, ...], tuple[Grouping, np.ndarray]] = {}
        random: list[RandomEncoding] = []
        rows: list[RandomRows] = []
        for index, term in enumerate(self.formula.random):
            factors = term.factors
            if factors not in groups:
                groups[factors] = self._grouping(term)
            grouping, codes = groups[factors]
            for rhs in blocks_of(term):
                if rhs not in learnt:
                    learnt[rhs] = self._basis(rhs, learning)
                basis, z = learnt[rhs]
                check_structure(term, basis)
                random.append(RandomEncoding(grouping, basis, index, None, structure_of(term)))
                rows.append(RandomRows(codes, z.array()))
        if contrasts:
            learning.refuse_two_codings()
            names = {name: None for basis, _ in learnt.values() for name in basis.factors}
            checks.check_coded(contrasts, tuple(names))
        check_unique_columns(random)
        self._check_varying(random, rows)
        in_fixed_part = self._in_fixed_part()
        covariates = Covariate.of_columns(self.frame, in_fixed_part)
        sources = weights.source, offset.source
        kinds = {name: without_rows(self.frame.columns[name]) for name in in_fixed_part}
        learnt_all = kind(
            self.formula, fixed, tuple(random), *sources, self.memory, covariates, absorbed, kinds
        )
        counts = tuple(missing.items())
        design = Design(
            y, X, tuple(rows), prior, shift, n_read, self.kept, counts, self.frame, absorbed=absorbed_rows
        )
        return learnt_all, design

    def _in_fixed_part(self) -> list[str]:
        names = used_names(self.formula.fixed)
        return [name for name in self.frame.columns if name in names]

    def _check_varying(self, random: list[RandomEncoding], rows: list[RandomRows]) -> None:
        intercepts = {frozenset(block.grouping.factors) for block in random if block.intercept is not None}
        for block, row in zip(random, rows, strict=True):
            if frozenset(block.grouping.factors) in intercepts:
                checks.check_varying(block.group, block.columns, row.z)

    def _response(self) -> np.ndarray:
        if isinstance(self.formula.response, Number) and self.formula.response == NO_RESPONSE:
            return np.zeros(self.frame.nrows)
        name = label(self.formula.response)
        values = Evaluator(self.frame.columns, self.frame.nrows, self.memory).column(self.formula.response)
        y = checks.numeric_response(name, values, self.frame.nrows)
        found = self.frame.scan(name) if values is self.frame.columns.get(name) else scanned(y)
        if not checks.plain_sizes([found.squares], len(y), checks.LARGEST_RESPONSE):
            checks.check_values((name,), y[:, None], checks.LARGEST_RESPONSE, self.kept)
        checks.check_not_constant(name, y, found)
        return y

    def _basis(self, rhs: Sum, learning: Learning) -> tuple[Basis, Columns]:
        basis, columns = learn_basis(rhs, learning)
        if not self._plain(basis):
            check_columns(basis.names, columns, self.kept)
        return basis, columns

    def _plain(self, basis: Basis) -> bool:
        """Are its columns those of the table, with no number in doubt?"""
        if not isinstance(basis, NumericBasis):
            return False
        squares = [self.frame.scan(name).squares for name in basis.variables]
        return checks.plain_sizes(squares, self.frame.nrows, checks.LARGEST_PREDICTOR)

    def _grouping(self, term: RandomTerm) -> tuple[Grouping, np.ndarray]:
        columns = grouping_columns(term, self.frame, self.memory)
        grouping, codes = learn_grouping(term.group, term.factors, columns)
        checks.check_levels(grouping.group, grouping.n_levels)
        return grouping, codes


def check_columns(names: tuple[str, ...], columns: Columns, kept: np.ndarray | None) -> None:
    """As `checks.check_values`; columns held as codes are made only where a number in them is in doubt."""
    largest = checks.LARGEST_PREDICTOR
    if isinstance(columns, Coded):
        codings = [cells.coding.val for cells in columns.cells]
        sizes = [np.abs(a[a != 0]) for a in (*columns.arrays(), *codings) if a.dtype.kind == "f"]
        root = np.sqrt(largest)
        if all(not size.size or 1 / root < size.min() <= size.max() < root for size in sizes):
            return
    checks.check_values(names, columns.array(), largest, kept)
