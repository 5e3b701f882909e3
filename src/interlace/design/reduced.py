"""Smaller models made from what was learnt for a larger one: columns leave, no formula is read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from interlace.design.basis import Basis, FactorCoding
from interlace.design.design import Design, RandomRows
from interlace.design.encoding import Encoding
from interlace.design.learnt import RandomEncoding
from interlace.design.values import Column

UNCORRELATED = {"cs": "diag", "homcs": "homdiag", "ar1": "homdiag", "hetar1": "diag"}
ROUNDING = 1e-12  # share of the sizes that are added up


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
    encoding, design : Encoding, Design
        Of the smaller model; `encoding.random` may be empty. `encoding.formula` is still the larger model's.
    stranger : str
        The term of the smaller model whose columns are no combinations of those of the larger one: then the
        models are not nested, and no likelihood ratio compares them. "" where they are nested.
    """

    label: str
    variances: int
    encoding: Encoding
    design: Design
    stranger: str = ""


def without_columns(encoding: Encoding, design: Design, kept: tuple[int, ...]) -> tuple[Encoding, Design]:
    """The same model with some columns of X only."""
    if len(kept) == design.X.shape[1]:
        return encoding, design
    basis = SelectedBasis(encoding.fixed, kept)
    return replace(encoding, fixed=basis), replace(design, X=basis.of(design.X))


def without_block(encoding: Encoding, design: Design, i: int) -> Reduction:
    """The model without covariance block i."""
    block = encoding.random[i]
    dropped = {"homdiag": 1}.get(block.covariance, len(block.columns))
    return Reduction(block.text(), dropped, *_replaced(encoding, design, i, None))


def without_correlation(encoding: Encoding, design: Design, i: int) -> Reduction:
    """The model where the effects of block i, which has a structure, are independent."""
    block = encoding.random[i]
    blocks = list(encoding.random)
    blocks[i] = replace(block, covariance=UNCORRELATED[block.covariance])
    label = f"correlation in {block.text()}"
    return Reduction(label, 0, replace(encoding, random=tuple(blocks)), design)


def without_slopes(encoding: Encoding, design: Design, i: int) -> list[Reduction]:
    """Models without one of the slopes of covariance block i, as lmerTest's `ranova` makes them.

    Terms of the block that are not part of a higher one are dropped in turn. When there is only
    one, an intercept stays (even where there was none); a block that is just an intercept leaves as a whole.
    So does one that leaves an intercept which it does not hold, besides: only without it is the model nested.
    A block with a structure loses its correlation, and leaves as a whole; one of independent effects with
    unequal variances loses slopes as long as others stay.
    """
    block = encoding.random[i]
    if block.covariance in UNCORRELATED:
        return [without_correlation(encoding, design, i), without_block(encoding, design, i)]
    if block.covariance == "homdiag":
        return [without_block(encoding, design, i)]
    if block.covariance == "diag":
        parts = [_without_slope(encoding, design, i, label) for label in _droppable(block.basis)]
        nested = [r for r in parts if _leaves_some(r, block)]
        return nested or [without_block(encoding, design, i)]
    slopes = [label for label, _ in block.basis.terms if label != "1"]
    if not slopes:
        return [without_block(encoding, design, i)]
    found = [_without_slope(encoding, design, i, label) for label in _droppable(block.basis)]
    return [*found, without_block(encoding, design, i)] if any(r.stranger for r in found) else found


def _leaves_some(reduction: Reduction, block: RandomEncoding) -> bool:
    """Are the columns that are left some of those of the block?"""
    left = [b for b in reduction.encoding.random if b.term == block.term]
    return bool(left) and set(left[0].columns) < set(block.columns)


def _without_slope(encoding: Encoding, design: Design, i: int, label: str) -> Reduction:
    block = encoding.random[i]
    basis = _reduced_basis(block.basis, label, design.random[i].z)
    name = f"{label} in {block.text()}"
    width = len(block.columns)
    if basis.names == ("Intercept",) and _has_constant_elsewhere(encoding, design, i):
        return Reduction(name, width, *_replaced(encoding, design, i, None))
    held = not basis.constant or _spans_constant(design.random[i].z)
    smaller = _replaced(encoding, design, i, basis)
    return Reduction(name, width - len(basis.names), *smaller, "" if held else smaller[0].random[i].text())


def _has_constant_elsewhere(encoding: Encoding, design: Design, i: int) -> bool:
    """Do the columns of another block of the same groups hold the constant?"""
    grouping = encoding.random[i].grouping
    return any(
        other.grouping is grouping and (other.intercept is not None or _spans_constant(rows.z))
        for j, (other, rows) in enumerate(zip(encoding.random, design.random, strict=True))
        if j != i
    )


def _reduced_basis(basis: Basis, label: str, z: np.ndarray) -> SelectedBasis:
    terms = dict(basis.terms)
    gone = range(len(basis.names))[terms[label]]
    rest = tuple(j for j in range(len(basis.names)) if j not in gone)
    if not rest:
        return SelectedBasis(basis, (), constant=True)
    return SelectedBasis(basis, rest, constant=_needs_constant(basis, label, z, rest))


def _needs_constant(basis: Basis, label: str, z: np.ndarray, rest: tuple[int, ...]) -> bool:
    """In `0 + f + g` the levels of f hold the constant and g is coded without one of its levels: without f, g
    has all levels, and its columns span what the constant and the coded columns do."""
    is_factor = [name != label and name in basis.factors for name, _ in basis.terms]
    if not any(is_factor) or "Intercept" in basis.names:
        return False
    return _spans_constant(z) and not _spans_constant(z[:, list(rest)])


def _spans_constant(z: np.ndarray) -> bool:
    """Is the constant a combination of the columns, to rounding in what is added up?"""
    length = np.linalg.norm(z, axis=0)
    columns = z / np.where(length > 0, length, 1.0)
    weights = np.linalg.lstsq(columns, np.ones(len(z)), rcond=None)[0]
    added = 1.0 + np.abs(columns) @ np.abs(weights)
    return bool(np.all(np.abs(columns @ weights - 1.0) <= ROUNDING * added))


def _droppable(basis: Basis) -> list[str]:
    """Terms that are not part of a higher term."""
    labels = [label for label, _ in basis.terms]
    factors = {label: set(m) for label, m in zip(labels, basis.members, strict=True)}
    return [
        label
        for label, mine in factors.items()
        if label != "1" and not any(mine < other for other in factors.values())
    ]


def _replaced(
    encoding: Encoding, design: Design, i: int, basis: SelectedBasis | None
) -> tuple[Encoding, Design]:
    blocks, rows = list(encoding.random), list(design.random)
    if basis is None:
        del blocks[i], rows[i]
    else:
        blocks[i] = replace(blocks[i], basis=basis)
        rows[i] = RandomRows(rows[i].codes, basis.of(rows[i].z))
    return replace(encoding, random=tuple(blocks)), replace(design, random=tuple(rows))
