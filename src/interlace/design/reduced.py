"""Smaller models made from what was learnt for a larger one: columns leave, no formula is read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from interlace.design.basis import Basis, FactorCoding
from interlace.design.columns import Columns, Plain
from interlace.design.design import Design, RandomRows
from interlace.design.evaluation import Memory
from interlace.design.learnt import RandomEncoding
from interlace.design.products import Product, TermColumns
from interlace.design.rows import Rows
from interlace.design.values import Column
from interlace.formula.algebra import Term
from interlace.frozen import dataclass

UNCORRELATED = {"cs": "diag", "homcs": "homdiag", "ar1": "homdiag", "hetar1": "diag"}
ROUNDING = 1e-12  # share of the sizes that are added up
Chosen = tuple[tuple[int, tuple[int, ...]], ...]


@dataclass(frozen=True)
class SelectedBasis:
    """Some columns of a basis, after an intercept if one is put in front of them.

    Attributes
    ----------
    basis : Basis
    selected : tuple of int
        Columns of `basis`, increasing.
    constant : bool
        Whether an intercept is put before them.
    """

    basis: Basis
    selected: tuple[int, ...]
    constant: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        names = self.basis.names
        return (("Intercept",) if self.constant else ()) + tuple(names[j] for j in self.selected)

    @property
    def terms(self) -> tuple[tuple[str, slice], ...]:
        """Terms that have columns left."""
        terms, start = [("1", slice(0, 1))] if self.constant else [], int(self.constant)
        for (label, _), width in zip(self.basis.terms, self._widths, strict=True):
            if width:
                terms.append((label, slice(start, start + width)))
                start += width
        return tuple(terms)

    @property
    def members(self) -> tuple[tuple[str, ...], ...]:
        """Per term, the expressions it is the product of; none for the intercept."""
        left = [m for m, width in zip(self.basis.members, self._widths, strict=True) if width]
        return ((),) * self.constant + tuple(left)

    @property
    def written(self) -> tuple[tuple[str, ...], ...]:
        """The members as a formula writes them."""
        left = [m for m, width in zip(self.basis.written, self._widths, strict=True) if width]
        return ((),) * self.constant + tuple(left)

    @property
    def _widths(self) -> list[int]:
        return [sum(c.start <= j < c.stop for j in self.selected) for _, c in self.basis.terms]

    @property
    def factors(self) -> dict[str, FactorCoding]:
        """The categorical factors of the whole basis."""
        return self.basis.factors

    @property
    def contrasts(self) -> dict[str, Any]:
        """The contrasts of the categorical factors."""
        return self.basis.contrasts

    def member_columns(self, columns: Mapping[str, Column], nrows: int) -> dict[str, np.ndarray]:
        """Columns of each member of the whole basis."""
        return self.basis.member_columns(columns, nrows)

    def of_terms(self, terms: tuple[Term, ...]) -> Basis:
        """That of the terms of the whole basis: all of their columns."""
        return self.basis.of_terms(terms)

    def remembering(self, memory: Memory) -> SelectedBasis:
        """The selection from the basis that remembers."""
        return replace(self, basis=self.basis.remembering(memory))

    @property
    def term_columns(self) -> tuple[TermColumns, ...]:
        """Terms that have columns left, with how they come from the members."""
        found = [TermColumns("1", (), slice(0, 1), (Product(slice(0, 1), ()),))] if self.constant else []
        at = int(self.constant)
        for term, width in zip(self.basis.term_columns, self._widths, strict=True):
            if width:
                start = term.columns.start
                kept = tuple(j - start for j in self.selected if start <= j < term.columns.stop)
                found.append(replace(term, columns=slice(at, at + width), kept=kept))
                at += width
        return tuple(found)

    def columns(self, columns: Mapping[str, Column], nrows: int) -> Columns:
        """The selected columns of new rows."""
        whole = self.basis.columns(columns, nrows)
        return Plain(self.of(whole.array())) if self.constant else whole.select(self.selected)

    def of(self, matrix: np.ndarray) -> np.ndarray:
        """The selected columns of a matrix of the whole basis."""
        ones = np.ones((len(matrix), int(self.constant)))
        return np.ascontiguousarray(np.hstack([ones, matrix[:, list(self.selected)]]))

    def matrix(self, columns: Mapping[str, Column], nrows: int) -> np.ndarray:
        """float64 array (n, k), C-contiguous."""
        return self.of(self.basis.matrix(columns, nrows))


@dataclass(frozen=True, slots=True)
class Reduction:
    """A model with less in its random part.

    Attributes
    ----------
    label : str
        What was dropped, as lmerTest says it: "(1 | g)" or "x in (x | g)".
    variances : int
        How many variances were dropped.
    rows : Rows
        Of the smaller model; `rows.encoding.random` may be empty, and the formula is still the larger one's.
    stranger : str
        The term of the smaller model whose columns are no combinations of those of the larger one: then the
        models are not nested, and no likelihood ratio compares them. "" where they are nested.
    chosen : tuple of (int, tuple of int), or None
        For each covariance block of the smaller model that of the larger one, and which of its columns stay.
        None where one has a column that the larger one has not.
    """

    label: str
    variances: int
    rows: Rows
    chosen: Chosen | None
    stranger: str = ""


def without_columns(rows: Rows, kept: tuple[int, ...]) -> Rows:
    """The same model with some columns of X only."""
    encoding = rows.encoding
    if len(kept) == len(encoding.fixed_names):
        return rows
    basis = SelectedBasis(encoding.fixed, kept)
    return rows.changed(replace(encoding, fixed=basis), partial(Design.selected, kept=kept))


def without_block(rows: Rows, i: int) -> Reduction:
    """The model without covariance block i."""
    block = rows.encoding.random[i]
    dropped = {"homdiag": 1}.get(block.covariance, len(block.columns))
    return _reduction(block.text(), dropped, rows, i, None)


def without_correlation(rows: Rows, i: int) -> Reduction:
    """The model where the effects of block i, which has a structure, are independent."""
    blocks = list(rows.encoding.random)
    block = blocks[i]
    blocks[i] = replace(block, covariance=UNCORRELATED[block.covariance])
    smaller = rows.changed(replace(rows.encoding, random=tuple(blocks)), _unchanged)
    return Reduction(f"correlation in {block.text()}", 0, smaller, _all_columns(rows))


def _unchanged(design: Design) -> Design:
    return design


def without_slopes(rows: Rows, i: int) -> list[Reduction]:
    """Models without one of the slopes of covariance block i, as lmerTest's `ranova` makes them.

    Terms of the block that are not part of a higher one are dropped in turn. When there is only
    one, an intercept stays (even where there was none); a block that is just an intercept leaves as a whole.
    So does one that leaves an intercept which it does not hold, besides: only without it is the model nested.
    A block with a structure loses its correlation, and leaves as a whole; one of independent effects with
    unequal variances loses slopes as long as others stay.
    """
    block = rows.encoding.random[i]
    if block.covariance in UNCORRELATED:
        return [without_correlation(rows, i), without_block(rows, i)]
    if block.covariance == "homdiag":
        return [without_block(rows, i)]
    if block.covariance == "diag":
        parts = [_without_slope(rows, i, label) for label in _droppable(block.basis)]
        nested = [r for r in parts if _leaves_some(r, block)]
        return nested or [without_block(rows, i)]
    slopes = [label for label, _ in block.basis.terms if label != "1"]
    if not slopes:
        return [without_block(rows, i)]
    found = [_without_slope(rows, i, label) for label in _droppable(block.basis)]
    return [*found, without_block(rows, i)] if any(r.stranger for r in found) else found


def _leaves_some(reduction: Reduction, block: RandomEncoding) -> bool:
    """Are the columns that are left some of those of the block?"""
    left = [b for b in reduction.rows.encoding.random if b.term == block.term]
    return bool(left) and set(left[0].columns) < set(block.columns)


def _without_slope(rows: Rows, i: int, label: str) -> Reduction:
    block, z = rows.encoding.random[i], _BlockColumns(rows, i)
    basis = _reduced_basis(block.basis, label, z)
    name = f"{label} in {block.text()}"
    width = len(block.columns)
    if basis.names == ("Intercept",) and _has_constant_elsewhere(rows, i):
        return _reduction(name, width, rows, i, None)
    held = not basis.constant or z.spans_constant()
    found = _reduction(name, width - len(basis.names), rows, i, basis)
    return found if held else replace(found, stranger=found.rows.encoding.random[i].text())


def _has_constant_elsewhere(rows: Rows, i: int) -> bool:
    """Do the columns of another block of the same groups hold the constant?"""
    random = rows.encoding.random
    return any(
        other.grouping is random[i].grouping
        and (other.intercept is not None or _BlockColumns(rows, j).spans_constant())
        for j, other in enumerate(random)
        if j != i
    )


def _reduced_basis(basis: Basis, label: str, z: _BlockColumns) -> SelectedBasis:
    terms = dict(basis.terms)
    gone = range(len(basis.names))[terms[label]]
    rest = tuple(j for j in range(len(basis.names)) if j not in gone)
    if not rest:
        return SelectedBasis(basis, (), constant=True)
    return SelectedBasis(basis, rest, constant=_needs_constant(basis, label, z, rest))


def _needs_constant(basis: Basis, label: str, z: _BlockColumns, rest: tuple[int, ...]) -> bool:
    """In `0 + f + g` the levels of f hold the constant and g is coded without one of its levels: without f, g
    has all levels, and its columns span what the constant and the coded columns do."""
    is_factor = [name != label and name in basis.factors for name, _ in basis.terms]
    if not any(is_factor) or "Intercept" in basis.names:
        return False
    return z.spans_constant() and not z.spans_constant(rest)


@dataclass(frozen=True, slots=True)
class _BlockColumns:
    """The columns of covariance block i, over all rows."""

    rows: Rows
    i: int

    def spans_constant(self, selected: tuple[int, ...] | None = None) -> bool:
        """Is the constant a combination of (some of) the columns, to rounding in what is added up?"""
        return _spans_constant(lambda: self._columns(selected))

    def _columns(self, selected: tuple[int, ...] | None) -> Iterator[np.ndarray]:
        for design in self.rows.designs():
            z = design.random[self.i].z
            yield z if selected is None else z[:, list(selected)]


def _spans_constant(chunks: Callable[[], Iterable[np.ndarray]]) -> bool:
    """Of columns (n, k) that can be had again and again, some rows at a time."""
    R: np.ndarray | None = None
    for z in chunks():
        more = np.column_stack([z, np.ones(len(z))])
        R = np.asarray(np.linalg.qr(more if R is None else np.vstack([R, more]), mode="r"))
    assert R is not None
    length = np.linalg.norm(R[:, :-1], axis=0)
    length = np.where(length > 0, length, 1.0)
    weights = np.linalg.lstsq(R[:, :-1] / length, R[:, -1], rcond=None)[0] / length
    return all(_is_one(z, weights) for z in chunks())


def _is_one(z: np.ndarray, weights: np.ndarray) -> bool:
    added = 1.0 + np.abs(z) @ np.abs(weights)
    return bool(np.all(np.abs(z @ weights - 1.0) <= ROUNDING * added))


def _droppable(basis: Basis) -> list[str]:
    """Terms that are not part of a higher term."""
    labels = [label for label, _ in basis.terms]
    factors = {label: set(m) for label, m in zip(labels, basis.members, strict=True)}
    return [
        label
        for label, mine in factors.items()
        if label != "1" and not any(mine < other for other in factors.values())
    ]


def _reduction(label: str, variances: int, rows: Rows, i: int, basis: SelectedBasis | None) -> Reduction:
    """To a model with another basis in block i, or without the block."""
    every: list[tuple[int, tuple[int, ...]]] = list(_all_columns(rows))
    chosen: Chosen | None
    if basis is None:
        chosen = tuple(one for j, one in enumerate(every) if j != i)
    else:
        every[i] = i, basis.selected
        chosen = None if basis.constant else tuple(every)
    return Reduction(label, variances, _replaced(rows, i, basis), chosen)


def _all_columns(rows: Rows) -> Chosen:
    return tuple((j, tuple(range(len(block.columns)))) for j, block in enumerate(rows.encoding.random))


def _replaced(rows: Rows, i: int, basis: SelectedBasis | None) -> Rows:
    """With another basis in block i, or without the block."""
    blocks = list(rows.encoding.random)
    if basis is None:
        del blocks[i]
    else:
        blocks[i] = replace(blocks[i], basis=basis)
    encoding = replace(rows.encoding, random=tuple(blocks))
    return rows.changed(encoding, partial(_with_block, i=i, basis=basis))


def _with_block(design: Design, i: int, basis: SelectedBasis | None) -> Design:
    random = list(design.random)
    if basis is None:
        del random[i]
    else:
        random[i] = RandomRows(random[i].codes, basis.of(random[i].z))
    return replace(design, random=tuple(random))
