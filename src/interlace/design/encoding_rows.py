"""The steps of `Encoding.design`: new data through what was learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from interlace.design import checks
from interlace.design.basis import Basis, columns_as_they_are, is_same_numbers
from interlace.design.columns import Columns, Plain
from interlace.design.design import Design, RandomRows
from interlace.design.evaluation import Evaluator
from interlace.design.extras import Extra, read_extra
from interlace.design.frame import Frame, open_table
from interlace.design.learning import blocks_of
from interlace.design.learnt import Learnt, grouping_columns, sum_offsets
from interlace.design.scope import check_columns
from interlace.errors import DataError
from interlace.formula.formula import Sum
from interlace.formula.names import used_names
from interlace.formula.tree import Node, label
from interlace.frozen import dataclass


@dataclass(frozen=True, slots=True)
class RowEncoder:
    """The steps of `Encoding.design` on new data."""

    encoding: Learnt
    random: Mapping[int, Sequence[int]] | None
    response: str

    def run(self, data: Any, weights: Any, offset: Any) -> Design:
        encoding = self.encoding
        # 1) Columns: the predictors must be there, the response may be
        table = open_table(data)
        names = table.names
        needed = self._needed(names, replaced=offset is not None)
        answer = [n for n in self._columns_of(encoding.formula.response) if n in names and n not in needed]
        read = Frame.read(table, [*needed, *answer])
        prior = read_extra("weights", self._option(weights, encoding.weights, names), read, data)
        shift = read_extra("offset", self._offset(offset), read, data)
        # 2) Rows: complete in what must be there
        must = [*needed, *answer] if self.response == "required" else needed
        gone = [read.missing[n] for n in must if n in read.missing]
        gone += [e.missing for e in (prior, shift) if e.missing is not None]
        kept = np.flatnonzero(~np.logical_or.reduce(gone)) if gone else None
        frame = read if kept is None else read.take(kept)
        counts = tuple((name, int(mask.sum())) for name, mask in read.missing.items())
        if not frame.nrows:
            return self._without_rows(frame, kept, read.nrows, counts)
        return self.of_frame(frame, kept, read.nrows, counts, prior.take(kept), shift.take(kept))

    def of_frame(
        self,
        frame: Frame,
        kept: np.ndarray | None,
        n_read: int,
        counts: tuple[tuple[str, int], ...],
        weights: Extra,
        offset: Extra,
    ) -> Design:
        """The numbers of rows without missing values; at least one."""
        encoding = self.encoding
        fixed = encoding.fixed.columns(frame.columns, frame.nrows)
        if not _known_finite(encoding.fixed, frame):
            _check_finite(encoding.fixed_names, fixed, kept)
        if weights.values is not None:
            checks.check_weights(weights.label, weights.values, kept)
        total = sum_offsets(encoding.formula, frame, encoding.memory, offset, kept)
        absorbed = tuple(one.rows(frame) for one in encoding.absorbed)
        return Design(
            self._y(frame, kept), fixed, self._random(frame, kept, fixed), weights.values, total,
            n_read, kept, counts, frame, absorbed=absorbed,
        )  # fmt: skip

    def _without_rows(
        self, frame: Frame, kept: np.ndarray | None, n_read: int, counts: tuple[tuple[str, int], ...]
    ) -> Design:
        """No row is left: columns without values have no type that could be wrong."""
        empty = [
            RandomRows(np.zeros(0, np.int32), np.zeros((0, len(b.columns)))) for b in self.encoding.random
        ]
        fixed = Plain(np.zeros((0, len(self.encoding.fixed_names))))
        y = np.zeros(0) if self.response == "required" else None
        none = tuple(
            RandomRows(np.zeros(0, np.int32), np.zeros((0, b.held.shape[1]))) for b in self.encoding.absorbed
        )
        return Design(y, fixed, tuple(empty), None, None, n_read, kept, counts, frame, absorbed=none)

    def _wanted(self, i: int) -> tuple[int, ...]:
        """The columns that are wanted of covariance block i."""
        if self.random is None:
            return tuple(range(len(self.encoding.random[i].columns)))
        return tuple(self.random.get(i, ()))

    def _only_intercept(self, i: int) -> bool:
        intercept = self.encoding.random[i].intercept
        return intercept is not None and set(self._wanted(i)) <= {intercept}

    def _random_parts(self) -> list[Node | Sum]:
        """Expressions of the covariance blocks that are wanted, as far as they are."""
        formula, place = self.encoding.formula, dict[int, int]()
        parts: list[Node | Sum] = []
        for i, block in enumerate(self.encoding.random):
            term = formula.random[block.term]
            rhs = blocks_of(term)[place.setdefault(block.term, 0)]
            place[block.term] += 1
            if self._wanted(i):
                parts += [*([] if self._only_intercept(i) else [rhs]), *term.grouping]
        return parts

    def _needed(self, names: list[str], *, replaced: bool) -> list[str]:
        """Columns that the parts to be encoded use."""
        encoding = self.encoding
        parts: list[Node | Sum] = [encoding.formula.fixed, *encoding.formula.offsets]
        parts += self._random_parts()
        if self.response == "required":
            parts.append(encoding.formula.response)
        needed = dict.fromkeys(name for part in parts for name in self._columns_of(part))
        needed |= dict.fromkeys(name for one in encoding.absorbed for name in one.term.columns)
        if encoding.offset is not None and encoding.offset != Extra.ARRAY and not replaced:
            needed[encoding.offset] = None
        check_columns(names, needed)
        return list(needed)

    def _columns_of(self, part: Node | Sum) -> list[str]:
        """The columns of the data that a piece of the formula used in the fit."""
        return sorted(used_names(part) & self.encoding.memory.columns)

    def _option(self, given: Any, learnt: str | None, names: list[str]) -> Any:
        if given is not None:
            return given
        return learnt if learnt in names else None

    def _offset(self, given: Any) -> Any:
        learnt = self.encoding.offset
        if given is None and learnt == Extra.ARRAY:
            raise DataError(
                "the model was fitted with an offset array; give that of these data as well: "
                "predict(newdata, offset=...)"
            )
        return given if given is not None else learnt

    def _y(self, frame: Frame, kept: np.ndarray | None) -> np.ndarray | None:
        response = self.encoding.formula.response
        names = self._columns_of(response)
        if self.response == "optional" and any(n not in frame.columns or n in frame.missing for n in names):
            return None
        values = Evaluator(frame.columns, frame.nrows, self.encoding.memory).column(response)
        y = checks.numeric_response(label(response), values, frame.nrows)
        if not frame.is_finite(label(response)):
            checks.check_finite((label(response),), y[:, None], kept)
        return y

    def _random(self, frame: Frame, kept: np.ndarray | None, fixed: Columns) -> tuple[RandomRows, ...]:
        encoding = self.encoding
        codes: dict[int, np.ndarray] = {}
        matrices: dict[int, np.ndarray] = {}
        if isinstance(fixed, Plain):  # effects that vary by group are often those of the fixed part
            same = [b.basis for b in encoding.random if is_same_numbers(b.basis, encoding.fixed)]
            matrices = dict.fromkeys(map(id, same), fixed.values)
        rows: list[RandomRows] = []
        for i, block in enumerate(encoding.random):
            if not self._wanted(i):
                nothing = np.zeros((frame.nrows, len(block.columns)))
                rows.append(RandomRows(np.full(frame.nrows, -1, np.int32), nothing))
                continue
            key, basis = id(block.grouping), id(block.basis)
            if key not in codes:
                term = encoding.formula.random[block.term]
                columns = grouping_columns(term, frame, encoding.memory)
                codes[key] = block.grouping.codes(columns)
            if self._only_intercept(i):
                z = np.zeros((frame.nrows, len(block.columns)))
                z[:, block.intercept] = 1.0
                rows.append(RandomRows(codes[key], z))
                continue
            if basis not in matrices:
                matrices[basis] = block.basis.matrix(frame.columns, frame.nrows)
                checks.check_finite(block.columns, matrices[basis], kept)
            rows.append(RandomRows(codes[key], matrices[basis]))
        return tuple(rows)


def _known_finite(basis: Basis, frame: Frame) -> bool:
    """Do columns that were looked at when they were read say so?"""
    names = columns_as_they_are(basis)
    return names is not None and all(map(frame.is_finite, names))


def _check_finite(names: tuple[str, ...], columns: Columns, kept: np.ndarray | None) -> None:
    """As `checks.check_finite`; the columns themselves are made only where one is in doubt."""
    if not all(map(checks.all_finite, columns.arrays())):
        checks.check_finite(names, columns.array(), kept)
