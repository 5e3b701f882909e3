"""A right-hand side learnt from data: the same columns for any data after that.

Two kinds: `NumericBasis` (intercept and bare numeric columns, straight to NumPy) and `FormulaicBasis`
(everything else, by formulaic's model specification). Both give what formulaic gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from formulaic import Formula as FormulaicFormula
from formulaic import ModelSpec
from formulaic.errors import FormulaicError

from interlace.design.evaluation import LIBRARY, evaluation_error
from interlace.design.formulaic_contrasts import coding, resolve
from interlace.design.materializer import Evaluated, Materializer
from interlace.design.values import Column, Factor
from interlace.errors import DataError, FormulaError, InterlaceError
from interlace.formula.names import names_in
from interlace.formula.sums import split_sum
from interlace.formula.terms import Formula, plain_name


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
    def factors(self) -> dict[str, FactorCoding]:
        """The categorical factors by expression."""

    @property
    def contrasts(self) -> dict[str, Any]:
        """The contrasts of the categorical factors, as objects that `learn_basis` takes."""

    def matrix(self, columns: Mapping[str, Column], nrows: int) -> np.ndarray:
        """float64 array (n, k), C-contiguous."""

    def member_columns(self, columns: Mapping[str, Column], nrows: int) -> dict[str, np.ndarray]:
        """Columns (n, k) of each member: an indicator per level of a categorical factor, else its values."""


@dataclass(frozen=True, slots=True)
class FactorCoding:
    """Levels of a categorical factor of the fixed part and its contrast matrix (levels x columns)."""

    levels: tuple[Any, ...]
    ordered: bool
    contrast: np.ndarray


# Direct path


@lru_cache(maxsize=512)
def _simple(rhs: str) -> tuple[bool, tuple[str, ...]] | None:
    """Intercept and column names if a right-hand side is a sum of bare names, else None."""
    intercept, *terms = split_sum(rhs)
    names = [plain_name(term) for term in terms]
    if any(name is None or name == "." for name in names):
        return None
    return intercept == "1", tuple(dict.fromkeys(str(name) for name in names))


@dataclass(frozen=True, slots=True)
class NumericBasis:
    """Intercept and bare numeric columns."""

    intercept: bool
    variables: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return (("Intercept",) if self.intercept else ()) + self.variables

    @property
    def terms(self) -> tuple[tuple[str, slice], ...]:
        labels = (("1",) if self.intercept else ()) + self.variables
        return tuple((label, slice(j, j + 1)) for j, label in enumerate(labels))

    @property
    def members(self) -> tuple[tuple[str, ...], ...]:
        return (((),) if self.intercept else ()) + tuple((name,) for name in self.variables)

    @property
    def factors(self) -> dict[str, FactorCoding]:
        return {}

    @property
    def contrasts(self) -> dict[str, Any]:
        return {}

    def member_columns(self, columns: Mapping[str, Column], nrows: int) -> dict[str, np.ndarray]:
        return {n: _numeric(n, columns[n]).astype(np.float64).reshape(-1, 1) for n in self.variables}

    def matrix(self, columns: Mapping[str, Column], nrows: int) -> np.ndarray:
        first = int(self.intercept)
        X = np.empty((nrows, first + len(self.variables)))
        X[:, :first] = 1.0
        for j, name in enumerate(self.variables, first):
            X[:, j] = _numeric(name, columns[name])
        return X


def _numeric(name: str, values: Any) -> np.ndarray:
    if isinstance(values, Factor) or values.dtype.kind not in "iufb":
        kind = "a factor" if isinstance(values, Factor) else f"of type {values.dtype}"
        raise DataError(f"column '{name}' is {kind}, the model needs numbers there; convert it")
    return np.asarray(values)


# Formulaic


@lru_cache(maxsize=512)
def _formulaic(rhs: str) -> Any:
    return FormulaicFormula(rhs)


@lru_cache(maxsize=512)
def split_terms(rhs: str) -> tuple[str, ...]:
    """A right-hand side cut into one for each term: `1 + x` -> `1`, `0 + x`."""
    parts = []
    for term in _formulaic(rhs):
        label = ":".join(_quoted_factor(f) for f in term.factors)
        parts.append("1" if label == "1" else f"0 + {label}")
    return tuple(parts)


def _quoted_factor(part: Any) -> str:
    if part.eval_method.value == "lookup" and not part.expr.isidentifier():
        return f"`{part.expr}`"
    return str(part.expr)


@dataclass(frozen=True)
class FormulaicBasis:
    """Any right-hand side that formulaic understands, with what its functions and factors learnt."""

    spec: ModelSpec
    context: dict[str, Any]
    formula: Formula
    names: tuple[str, ...]
    terms: tuple[tuple[str, slice], ...]
    factors: dict[str, FactorCoding] = field(default_factory=dict)

    @property
    def members(self) -> tuple[tuple[str, ...], ...]:
        return tuple(
            tuple(str(f.expr) for f in row.term.factors if f.eval_method.value != "literal")
            for row in self.spec.structure or []
        )

    @property
    def contrasts(self) -> dict[str, Any]:
        return {expr: self.spec.encoder_state[expr][1]["contrast"] for expr in self.factors}

    def matrix(self, columns: Mapping[str, Column], nrows: int) -> np.ndarray:
        return _materialize(Materializer(columns, nrows, self.context), self.spec, self.formula)[0]

    def member_columns(self, columns: Mapping[str, Column], nrows: int) -> dict[str, np.ndarray]:
        materializer = Materializer(columns, nrows, self.context)
        with np.errstate(all="ignore"):
            return materializer.member_columns(self.spec)


def _materialize(materializer: Materializer, spec: Any, formula: Formula) -> tuple[np.ndarray, ModelSpec]:
    try:
        with np.errstate(all="ignore"):
            matrix = materializer.get_model_matrix(spec, output="numpy", na_action="ignore")
    except InterlaceError:
        raise
    except (
        FormulaicError,
        ArithmeticError,
        LookupError,
        NameError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:
        known = error.__cause__
        if isinstance(known, InterlaceError):
            raise known from None
        expression = str(spec.formula) if isinstance(spec, ModelSpec) else str(spec)
        raise evaluation_error(_failed(error, expression), error, formula) from error
    return np.asarray(matrix.__wrapped__), matrix.model_spec


def _failed(error: Exception, expression: str) -> str:
    """The factor that formulaic names in its message, else the whole right-hand side."""
    words = str(error).split("`")
    return words[1] if len(words) > 2 else expression


def learn_basis(
    rhs: str,
    columns: Mapping[str, Column],
    nrows: int,
    *,
    context: Mapping[str, Any],
    contrasts: Mapping[str, Any],
    formula: Formula,
    evaluated: dict[str, Evaluated],
) -> tuple[Basis, np.ndarray]:
    """Learn a right-hand side (intercept written out) from data; the basis and its columns (n, k)."""
    simple = _simple(rhs)
    if simple is not None and all(_is_number(columns.get(name)) for name in simple[1]):
        plain = NumericBasis(*simple)
        return plain, plain.matrix(columns, nrows)
    try:
        parsed = _formulaic(rhs)
    except (FormulaicError, SyntaxError, ValueError, TypeError) as error:
        first = str(error).strip().splitlines()[0]
        raise FormulaError(f"'{rhs}' cannot be understood: {first}", formula.text or None) from error
    materializer = Materializer(columns, nrows, context, evaluated)
    materializer.contrasts = {name: resolve(name, c) for name, c in contrasts.items()}
    matrix, spec = _materialize(materializer, parsed, formula)
    basis = FormulaicBasis(
        spec, dict(context), formula, tuple(spec.column_names), _terms(spec), _factors(spec)
    )
    _check_rowwise(rhs, basis, matrix, columns)
    return basis, matrix


def _check_rowwise(
    rhs: str, basis: FormulaicBasis, matrix: np.ndarray, columns: Mapping[str, Column]
) -> None:
    """Functions that are not known to remember must not look at other rows, or predictions would be wrong."""
    if all(n.name in LIBRARY for n in names_in(rhs) if n.role == "function"):
        return
    rows = np.arange(0, len(matrix), 2)[:20]
    some = {n: v.take(rows) if isinstance(v, Factor) else v[rows] for n, v in columns.items()}
    wrong = ~np.isclose(basis.matrix(some, len(rows)), matrix[rows], rtol=1e-9, equal_nan=True).all(axis=0)
    if wrong.any():
        name = basis.names[int(np.flatnonzero(wrong)[0])]
        raise FormulaError(
            f"'{name}' has other values when it is computed on some of the rows only, so predictions for "
            "new data would be wrong; use center(), scale() or poly(), or compute the column in the data",
            basis.formula.text or None,
        )


def _is_number(values: Column | None) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind in "iuf"


def _terms(spec: ModelSpec) -> tuple[tuple[str, slice], ...]:
    terms, start = [], 0
    for row in spec.structure or []:
        terms.append((str(row.term), slice(start, start + len(row.columns))))
        start += len(row.columns)
    return tuple(terms)


def _factors(spec: ModelSpec) -> dict[str, FactorCoding]:
    found = {}
    for expr, (_, state) in spec.encoder_state.items():
        if "levels" in state:
            matrix = coding(expr, state["contrast"], state["levels"], True).matrix
            found[expr] = FactorCoding(tuple(state["levels"].tolist()), state["ordered"], matrix)
    return found


def used_names(rhs: str) -> frozenset[str]:
    """Names of values in a right-hand side, and the objects of methods (`x` of `x.clip(0)`)."""
    return frozenset(n.name for n in names_in(rhs) if n.role != "function" or "." in n.name)
