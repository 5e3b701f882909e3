"""A right-hand side learnt from data: the same columns for any data after that.

Two kinds: `NumericBasis` (intercept and bare numeric columns, straight to NumPy) and `TermBasis` (everything
else, from the expressions of its terms). Both give the same columns where both can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache
from math import prod
from typing import Any, Protocol

import numpy as np

from interlace.design.coded import by_cell, cells_of
from interlace.design.columns import Coded, Columns, Plain
from interlace.design.evaluation import Evaluator, Memory
from interlace.design.functions import FUNCTIONS
from interlace.design.members import FactorPart, Part, learn_part
from interlace.design.products import NumberColumns, Product, TermColumns, multiplied
from interlace.design.spans import Piece, pieces
from interlace.design.values import CodedFactor, Column, Factor, Value
from interlace.errors import DataError, FormulaError, ModelError
from interlace.formula.algebra import Term, terms_of
from interlace.formula.formula import Sum, plain_name
from interlace.formula.names import names_in
from interlace.formula.tokens import quote
from interlace.formula.tree import Node, spell
from interlace.frozen import dataclass

CELLS_AT_ONCE = 1 << 17
MOST_COLUMNS = (
    1_000_000  # of a term; no design of such a width can be fitted, and its names alone fill memory
)


class Basis(Protocol):
    """Columns learnt from one right-hand side."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the k columns."""

    @property
    def terms(self) -> tuple[tuple[str, slice], ...]:
        """Terms in order with their columns."""

    @property
    def members(self) -> tuple[tuple[str, ...], ...]:
        """Per term, the expressions it is the product of; none for the intercept."""

    @property
    def written(self) -> tuple[tuple[str, ...], ...]:
        """The members as a formula writes them, with back-quotes where a name needs them."""

    @property
    def factors(self) -> dict[str, FactorCoding]:
        """The categorical factors by expression."""

    @property
    def contrasts(self) -> dict[str, Any]:
        """The contrasts of the categorical factors, as objects that `learn_basis` takes."""

    @property
    def term_columns(self) -> tuple[TermColumns, ...]:
        """Terms in order with how their columns come from each of their members."""

    def columns(self, columns: Mapping[str, Column], nrows: int) -> Columns:
        """The n rows of the k columns; factors with many levels stay codes."""

    def matrix(self, columns: Mapping[str, Column], nrows: int) -> np.ndarray:
        """float64 array (n, k), C-contiguous."""

    def member_columns(self, columns: Mapping[str, Column], nrows: int) -> dict[str, np.ndarray]:
        """Columns (n, k) of each member: an indicator per level of a categorical factor, else its values."""

    def of_terms(self, terms: tuple[Term, ...]) -> Basis:
        """The basis of some of the terms, coded as if there were no others."""

    def remembering(self, memory: Memory) -> Basis:
        """The basis whose expressions have learnt what is in this memory."""


@dataclass(frozen=True, slots=True)
class FactorCoding:
    """Levels of a categorical factor of the fixed part and its contrast matrix (levels x columns)."""

    levels: tuple[Any, ...]
    ordered: bool
    contrast: np.ndarray


# Direct path


@lru_cache(maxsize=512)
def _simple(rhs: Sum) -> NumericBasis | None:
    """The basis that a right-hand side has where it is a sum of bare names of numbers, else None."""
    names = [plain_name(node) for sign, node in rhs.items if sign == "+"]
    if len(names) < len(rhs.items) or any(name is None or name == "." for name in names):
        return None
    return NumericBasis(rhs.intercept, tuple(dict.fromkeys(str(name) for name in names)))


@dataclass(frozen=True, slots=True)
class NumericBasis:
    """Intercept and bare numeric columns."""

    intercept: bool
    variables: tuple[str, ...]
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    terms: tuple[tuple[str, slice], ...] = field(init=False, repr=False, compare=False)
    members: tuple[tuple[str, ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        one, names = int(self.intercept), self.variables
        labels = ("1",) * one + names
        object.__setattr__(self, "names", ("Intercept",) * one + names)
        object.__setattr__(self, "terms", tuple((label, slice(j, j + 1)) for j, label in enumerate(labels)))
        object.__setattr__(self, "members", ((),) * one + tuple((name,) for name in names))

    @property
    def written(self) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(map(quote, members)) for members in self.members)

    @property
    def factors(self) -> dict[str, FactorCoding]:
        return {}

    @property
    def contrasts(self) -> dict[str, Any]:
        return {}

    @property
    def term_columns(self) -> tuple[TermColumns, ...]:
        return tuple(
            TermColumns(label, members, at, (Product(at, tuple(NumberColumns(n, 1) for n in members)),))
            for (label, at), members in zip(self.terms, self.members, strict=True)
        )

    def columns(self, columns: Mapping[str, Column], nrows: int) -> Plain:
        return Plain(self.matrix(columns, nrows))

    def member_columns(self, columns: Mapping[str, Column], nrows: int) -> dict[str, np.ndarray]:
        return {n: _numeric(n, columns[n]).astype(np.float64).reshape(-1, 1) for n in self.variables}

    def of_terms(self, terms: tuple[Term, ...]) -> NumericBasis:
        names = [term.names for term in terms]
        return NumericBasis(() in names, tuple(name for one in names for name in one))

    def remembering(self, memory: Memory) -> NumericBasis:
        return self

    def matrix(self, columns: Mapping[str, Column], nrows: int) -> np.ndarray:
        first = int(self.intercept)
        X = np.empty((nrows, first + len(self.variables)))
        X[:, :first] = 1.0
        for j, name in enumerate(self.variables, first):
            X[:, j] = _numeric(name, columns[name])
        return X


def columns_as_they_are(basis: Basis) -> tuple[str, ...] | None:
    """The columns of the data of which a basis has the numbers as they are, and none else but the intercept;
    None where there are others."""
    return basis.variables if isinstance(basis, NumericBasis) else None


def is_same_numbers(one: Basis, other: Basis) -> bool:
    """Do both have the same columns of the data as they are, so that one matrix serves both?"""
    return isinstance(one, NumericBasis) and one == other


def _numeric(name: str, values: Any) -> np.ndarray:
    if isinstance(values, Factor) or values.dtype.kind not in "iufb":
        kind = "a factor" if isinstance(values, Factor) else f"of type {values.dtype}"
        raise DataError(f"column '{name}' is {kind}, the model needs numbers there; convert it")
    return np.asarray(values)


# Terms


@dataclass(frozen=True)
class TermBasis:
    """Any right-hand side, with what its functions and factors learnt.

    Attributes
    ----------
    nodes : dict of str to Node
        The expressions of the members.
    parts : dict of str to Part
        What was learnt of each: how its values become columns.
    layout : tuple of (tuple of str, tuple of Piece)
        For each term its members, and the products of coded members that give its columns.
    memory : Memory
        Shared by all that is evaluated for one formula.
    """

    nodes: dict[str, Node]
    parts: dict[str, Part]
    layout: tuple[tuple[tuple[str, ...], tuple[Piece, ...]], ...]
    memory: Memory
    names: tuple[str, ...] = ()
    terms: tuple[tuple[str, slice], ...] = field(default=())

    @classmethod
    def of(cls, terms: tuple[Term, ...], parts: dict[str, Part], memory: Memory) -> TermBasis:
        """From the terms and what was learnt of their members."""
        categorical = frozenset(name for name, part in parts.items() if isinstance(part, FactorPart))
        found = pieces([term.names for term in terms], categorical)
        _check_width(terms, found, parts)
        names: list[str] = []
        places = []
        for term, products in zip(terms, found, strict=True):
            start = len(names)
            names += [name for piece in products for name in _piece_names(piece, parts)]
            places.append((term.label, slice(start, len(names))))
        nodes = {n: m for term in terms for n, m in zip(term.names, term.members, strict=True)}
        layout = tuple((term.names, products) for term, products in zip(terms, found, strict=True))
        return cls(nodes, parts, layout, memory, tuple(names), tuple(places))

    @property
    def members(self) -> tuple[tuple[str, ...], ...]:
        return tuple(members for members, _ in self.layout)

    @property
    def written(self) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(spell(self.nodes[name]) for name in members) for members in self.members)

    @property
    def factors(self) -> dict[str, FactorCoding]:
        return {
            name: FactorCoding(tuple(part.levels.tolist()), part.ordered, part.reduced.matrix)
            for name, part in self.parts.items()
            if isinstance(part, FactorPart)
        }

    @property
    def contrasts(self) -> dict[str, Any]:
        return {name: part.contrast for name, part in self.parts.items() if isinstance(part, FactorPart)}

    @property
    def term_columns(self) -> tuple[TermColumns, ...]:
        found = []
        for (label, at), (members, pieces_of_term) in zip(self.terms, self.layout, strict=True):
            start, products = at.start, []
            for piece in pieces_of_term:
                parts = tuple(self.parts[name].described(reduced) for name, reduced in piece)
                stop = start + prod(part.width for part in parts)
                products.append(Product(slice(start, stop), parts))
                start = stop
            found.append(TermColumns(label, members, at, tuple(products)))
        return tuple(found)

    def matrix(self, columns: Mapping[str, Column], nrows: int) -> np.ndarray:
        return self.columns(columns, nrows).array()

    def columns(self, columns: Mapping[str, Column], nrows: int) -> Columns:
        evaluator = Evaluator(columns, nrows, self.memory)
        return self.encode({name: evaluator.value(node) for name, node in self.nodes.items()}, nrows)

    def encode(self, values: Mapping[str, Value], nrows: int) -> Columns:
        """The columns (n, k) from the values of the members."""
        ready = {name: part.conformed(values[name], nrows) for name, part in self.parts.items()}
        products = [product for term in self.term_columns for product in term.products]
        many = [product for product in products if by_cell(product, nrows)]
        if not many:
            return Plain(_numbers(products, ready, nrows))
        few = [product for product in products if not by_cell(product, nrows)]
        at = [j for product in few for j in range(product.columns.start, product.columns.stop)]
        cells = cells_of(many, ready, nrows)
        return Coded(_numbers(few, ready, nrows), tuple(at), cells, len(self.names))

    def member_columns(self, columns: Mapping[str, Column], nrows: int) -> dict[str, np.ndarray]:
        evaluator = Evaluator(columns, nrows, self.memory)
        return {
            name: part.described(False).columns(part.conformed(evaluator.value(self.nodes[name]), nrows))
            for name, part in self.parts.items()
        }

    def of_terms(self, terms: tuple[Term, ...]) -> TermBasis:
        return TermBasis.of(terms, {n: self.parts[n] for term in terms for n in term.names}, self.memory)

    def remembering(self, memory: Memory) -> TermBasis:
        return replace(self, memory=memory)


def _numbers(products: Sequence[Product], ready: Mapping[str, np.ndarray], nrows: int) -> np.ndarray:
    """The columns of some products, side by side."""
    width = sum(product.columns.stop - product.columns.start for product in products)
    X = np.empty((nrows, width))
    # Some rows at a time: whole columns of a wide matrix would each walk through all of memory.
    step = max(16, CELLS_AT_ONCE // max(1, width))
    for start in range(0, nrows, step):
        rows = slice(start, start + step)
        at = 0
        for product in products:
            block = multiplied([part.columns(ready[part.name][rows]) for part in product.parts], 1)
            X[rows, at : at + block.shape[1]] = block
            at += block.shape[1]
    return X


def _check_width(terms: tuple[Term, ...], found: list[tuple[Piece, ...]], parts: Mapping[str, Part]) -> None:
    for term, products in zip(terms, found, strict=True):
        width = sum(prod(len(parts[name].names(reduced)) for name, reduced in piece) for piece in products)
        if width > MOST_COLUMNS:
            raise ModelError(
                f"the term '{term.label}' has {width:,} columns; make it a random term, "
                f"(1 | {term.label}), or use coarser factors"
            )


def _piece_names(piece: Piece, parts: Mapping[str, Part]) -> list[str]:
    """Names of the columns of a product, in their order."""
    if not piece:
        return ["Intercept"]
    found = list(parts[piece[0][0]].names(piece[0][1]))
    for name, reduced in piece[1:]:
        found = [f"{before}:{own}" for own in parts[name].names(reduced) for before in found]
    return found


@dataclass(slots=True)
class Learning:
    """What has been evaluated for one formula on the rows used, each expression once."""

    columns: Mapping[str, Column]
    nrows: int
    memory: Memory
    contrasts: Mapping[str, Any] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)

    def part(self, name: str, node: Node) -> Part:
        """What is learnt of a member."""
        if name not in self.parts:
            self.values[name] = Evaluator(self.columns, self.nrows, self.memory).value(node)
            self.parts[name] = learn_part(name, node, self.values[name], self.nrows, self.contrasts)
        return self.parts[name]

    def refuse_two_codings(self) -> None:
        """Contrasts for an expression that chooses its coding itself would be passed over."""
        for name in self.contrasts:
            value = self.values.get(name)
            if isinstance(value, CodedFactor) and value.contrast is not None:
                raise DataError(
                    f"contrasts are given for '{name}', which chooses its coding in the formula: leave one "
                    "of the two out"
                )


def learn_basis(rhs: Sum, learning: Learning, terms: tuple[Term, ...] | None = None) -> tuple[Basis, Columns]:
    """Learn a right-hand side from data; the basis and its columns (n, k). Its terms, if they are known."""
    plain = _simple(rhs)
    if plain is not None and all([_is_number(learning.columns.get(name)) for name in plain.variables]):
        return plain, plain.columns(learning.columns, learning.nrows)
    terms = _terms(rhs, learning.memory) if terms is None else terms
    parts = {n: learning.part(n, m) for term in terms for n, m in zip(term.names, term.members, strict=True)}
    basis = TermBasis.of(terms, parts, learning.memory)
    found = basis.encode(learning.values, learning.nrows)
    _check_rowwise(rhs, basis, found, learning.columns)
    return basis, found


def _terms(rhs: Sum, memory: Memory) -> tuple[Term, ...]:
    try:
        return terms_of(rhs)
    except FormulaError as error:
        raise FormulaError(error.message, memory.text or None) from error


def _check_rowwise(rhs: Sum, basis: TermBasis, found: Columns, columns: Mapping[str, Column]) -> None:
    """Functions that are not known to remember must not look at other rows, or predictions would be wrong."""
    if all(n.name in FUNCTIONS for n in names_in(rhs) if n.role == "function"):
        return
    rows = np.arange(0, found.shape[0], 2)[:20]
    some = {n: v.take(rows) if isinstance(v, Factor) else v[rows] for n, v in columns.items()}
    wrong = ~np.isclose(basis.matrix(some, len(rows)), found.rows(rows), rtol=1e-9, equal_nan=True).all(
        axis=0
    )
    if wrong.any():
        name = basis.names[int(np.flatnonzero(wrong)[0])]
        raise FormulaError(
            f"'{name}' has other values when it is computed on some of the rows only, so predictions for "
            "new data would be wrong; use center(), scale() or poly(), or compute the column in the data",
            basis.memory.text or None,
        )


def _is_number(values: Column | None) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind in "iuf"
