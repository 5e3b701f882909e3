"""Expressions of a formula, evaluated on columns: a tree is walked, and nothing is run that it does not name.

Names are columns first, then constants, then the caller's objects. Functions are those of the library first,
then the caller's by their names. There is no way from a value to its attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from interlace.callers import picklable
from interlace.design.functions import CONSTANTS, FUNCTIONS
from interlace.design.operators import Operation
from interlace.design.reading import from_anything
from interlace.design.values import Column, Factor, Matrix, Value, factorize
from interlace.errors import DataError, FormulaError, InterlaceError, SavingError
from interlace.formula.tree import (
    Braces,
    Call,
    Chain,
    Constant,
    Listing,
    Name,
    Node,
    Number,
    Power,
    Text,
    Unary,
    label,
)
from interlace.frozen import dataclass

# Functions whose arguments are labels and no numbers.
_OF_LABELS = frozenset(
    ["factor", "ordered", "C", "interaction", "as.character", "as_character", "droplevels"]
)


@dataclass(frozen=True, slots=True)
class Memory:
    """What the expressions of one formula share: the caller's objects, and what its functions learnt.

    Attributes
    ----------
    context : dict
        The caller's functions and values that the formula uses, those of modules by their dotted names.
    state : dict
        What each call of a function learnt.
    text : str
        The formula as written, for messages.
    columns : frozenset of str
        The names that are columns of the data.
    """

    context: dict[str, Any] = field(default_factory=dict)
    state: dict[Node, dict[str, Any]] = field(default_factory=dict)
    text: str = ""
    columns: frozenset[str] = frozenset()

    def __getstate__(self) -> list[Any]:
        """For pickle, which knows functions by their names alone.

        Raises
        ------
        SavingError
            The formula uses a function that has none.
        """
        for name, value in self.context.items():
            if not picklable(value):
                raise SavingError(
                    f"the model cannot be pickled: its formula uses '{name}', a lambda or a function inside "
                    "another one, and pickle knows functions by their names alone. Define it with def "
                    "at the top of a module, compute the column in the data, or use cloudpickle"
                )
        return [getattr(self, field.name) for field in fields(self)]

    def __copy__(self) -> Memory:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Memory:
        return self


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Values of expressions on some rows."""

    columns: Mapping[str, Column]
    nrows: int
    memory: Memory

    def value(self, node: Node) -> Value:
        """The value of an expression.

        Raises
        ------
        FormulaError, DataError
            With the formula and a caret at the expression that failed.
        """
        try:
            return self._value(node)
        except FormulaError as error:
            if error.text is not None or not self.memory.text or node.position < 0:
                raise
            raise FormulaError(error.message, self.memory.text, node.position) from error.__cause__ or error

    def column(self, node: Node) -> Column:
        """One column: numbers (float64), logicals, dates or a factor, of the length of the data.

        A bare name gives the column as it is in the data.
        """
        if isinstance(node, Name) and node.name in self.columns:
            return self.columns[node.name]
        found = self.value(node)
        if isinstance(found, bool | float):
            return np.full(self.nrows, found)
        if isinstance(found, Matrix):
            if len(found.labels) == 1:
                return found.values[:, 0]
            return found.values
        if isinstance(found, np.ndarray | Factor):
            if len(found) != self.nrows:
                raise DataError(f"'{node}' has {len(found)} rows where the data have {self.nrows}")
            return found
        raise DataError(f"'{node}' is {_described(found)} and no column; name a column of the data in it")

    # ---- nodes ----

    def _value(self, node: Node) -> Value:
        match node:
            case Number():
                return node.value
            case Text(value=text):
                return text
            case Constant(value=constant):
                return constant
            case Name(name=name):
                return self._named(name)
            case Call():
                return self._call(node)
            case Chain():
                return self._chain(node)
            case Power(base=base, exponent=exponent):
                return Operation("**", node).binary(self._value(base), self._value(exponent), self.nrows)
            case Unary(operator=operator, operand=operand):
                return Operation(operator, node).unary(self._value(operand), self.nrows)
            case Listing(items=items):
                return _constants([self._value(item) for item in items], str(node))
            case Braces(inside=inside):
                return self._value(inside)
        raise FormulaError(f"'{node}' cannot stand in an expression")

    def _chain(self, node: Chain) -> Value:
        found = self._value(node.head)
        for step in node.steps:
            right = self._value(step.operand)
            found = Operation(step.operator, node).binary(found, right, self.nrows)
        return found

    def _named(self, name: str) -> Value:
        if name in self.columns:
            return as_value(self.columns[name])
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name in self.memory.context:
            return self._object(name, self.memory.context[name])
        if name in FUNCTIONS:
            return FUNCTIONS[name]  # type: ignore[return-value]  # what `C(f, contr.sum)` is given
        if name.startswith("contr."):
            return name  # no coding of this name: the factor says so
        raise FormulaError(f"the data have no column '{name}'")

    def _object(self, name: str, value: Any) -> Value:
        """A value of the caller; arrays are copied, as everything that a formula is given."""
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, list | tuple | range):
            parts = tuple(
                float(v) if isinstance(v, int | np.integer) and not isinstance(v, bool) else v for v in value
            )
            return parts
        if isinstance(value, np.ndarray | pd.Series | pd.Index | pd.Categorical):
            return self._array(name, value)
        plain: Value = value
        return plain

    def _array(self, name: str, value: Any) -> Value:
        if getattr(value, "ndim", 1) != 1:
            return np.array(value)
        column = from_anything(name, value)
        if len(column) == self.nrows:
            return as_value(column if isinstance(column, Factor) else column.copy())
        if isinstance(column, Factor):
            return tuple(column.levels[column.codes].tolist())
        return (
            tuple(column.astype(np.float64).tolist())
            if column.dtype.kind in "iuf"
            else tuple(column.tolist())
        )

    # ---- calls ----

    def _call(self, node: Call) -> Value:
        arguments = [(argument.name, argument.value) for argument in node.arguments]
        if node.function in FUNCTIONS:
            value_of = self._label if node.function in _OF_LABELS else self._value
            args = [value_of(value) for name, value in arguments if name is None]
            named = {name: value_of(value) for name, value in arguments if name is not None}
            known = self.memory.state.get(node)
            state: dict[str, Any] = {} if known is None else known
            found: Value = FUNCTIONS[node.function].call(args, named, state, str(node), self.nrows)
            if known is None and state:
                self.memory.state[node] = state
            return found
        function = self.memory.context.get(node.function)
        if isinstance(function, np.ufunc):
            return self._ufunc(node, function)
        if not callable(function):
            raise FormulaError(f"'{node.function}' is no function")
        return self._of_caller(node, function)

    def _label(self, node: Node) -> Value:
        """The value of an argument that is taken for labels: wide integers need not be computed with."""
        if isinstance(node, Name) and node.name in self.columns:
            column = self.columns[node.name]
            if isinstance(column, np.ndarray) and _is_inexact(column):
                return factorize(column)
        return self._value(node)

    def _ufunc(self, node: Call, function: np.ufunc) -> Value:
        """A function of NumPy's kind: of its operands and of nothing to write into."""
        if len(node.arguments) != function.nin or any(a.name for a in node.arguments) or function.nout != 1:
            raise FormulaError(
                f"{node.function}() takes {function.nin} columns or numbers here and nothing else"
            )
        given = [self._value(argument.value) for argument in node.arguments]
        for value in given:
            if not isinstance(value, float | bool) and not (
                isinstance(value, np.ndarray) and value.dtype.kind in "fb"
            ):
                raise FormulaError(
                    f"{node.function}() needs numbers, and '{node}' gives it {_described(value)}"
                )
        numbers = [np.asarray(value, dtype=np.float64) for value in given]
        try:
            with np.errstate(all="ignore"):
                found = function(*numbers)
        except (TypeError, ValueError) as error:
            raise failed(node, error) from error
        return float(found) if np.ndim(found) == 0 else as_value(found)

    def _of_caller(self, node: Call, function: Any) -> Value:
        args = [self._given(argument.value) for argument in node.arguments if argument.name is None]
        named = {a.name: self._given(a.value) for a in node.arguments if a.name is not None}
        try:
            with np.errstate(all="ignore"):
                found = function(*args, **named)
        except InterlaceError:
            raise
        except Exception as error:
            raise failed(node, error) from error
        return self._taken(node, found)

    def _given(self, node: Node) -> Any:
        """What the caller's functions are given: pandas series and plain values, all of them copies."""
        if isinstance(node, Number) and node.text.isdigit():
            return int(node.text)
        found = self._value(node)
        if isinstance(found, tuple):
            return np.array(found)
        if isinstance(found, Matrix):
            return found.values.copy()
        if isinstance(found, Factor):
            copied = Factor(found.codes.copy(), found.levels, found.ordered)
            return copied.to_series().rename(label(node))
        if isinstance(found, np.ndarray):
            return pd.Series(found.copy(), name=label(node))
        return found

    def _taken(self, node: Call, found: Any) -> Value:
        """What they give back, as a value."""
        if found is None or isinstance(found, str | bool | float):
            return found
        if isinstance(found, int | np.number | np.bool_):
            return bool(found) if isinstance(found, np.bool_) else float(found)
        if isinstance(found, Factor | Matrix):
            return found
        if isinstance(found, pd.DataFrame):
            found = {str(name): found[name] for name in found.columns}
        if isinstance(found, Mapping):
            return self._matrix(node, _side_by_side(node, found), tuple(map(str, found)))
        if isinstance(found, tuple | list) and len(found) != self.nrows:
            return _constants(list(found), str(node))
        if np.ndim(found) == 0:
            raise DataError(f"'{node}' gives an object of type {type(found).__name__}, and no column")
        column = from_anything(str(node), found)
        if isinstance(column, np.ndarray) and column.ndim == 2:
            return self._matrix(node, column, tuple(map(str, range(column.shape[1]))))
        return as_value(column)

    def _matrix(self, node: Call, values: np.ndarray, labels: tuple[str, ...]) -> Matrix:
        if len(values) != self.nrows or values.dtype.kind not in "iufb":
            raise DataError(f"'{node}' has {len(values)} rows where the data have {self.nrows}")
        return Matrix(values.astype(np.float64), labels)


def as_value(column: Column) -> Value:
    """A column as expressions have it: numbers of every width become float64, and cannot be written to."""
    if isinstance(column, Factor):
        return column
    if column.dtype.kind in "iuf":
        _refuse_inexact(column)
        column = column.astype(np.float64, copy=False).view()
        column.flags.writeable = False
    return column


def _is_inexact(column: np.ndarray) -> bool:
    """Whether there are integers beyond 2^53: they would run into each other as floating-point numbers."""
    wide = column.dtype.kind in "iu" and column.dtype.itemsize == 8 and len(column) > 0
    return wide and max(int(column.max()), -int(column.min())) > 1 << 53


def _refuse_inexact(column: np.ndarray) -> None:
    if _is_inexact(column):
        raise DataError(
            "integers beyond 2^53 cannot be computed with exactly; make them smaller, or text if they are "
            "labels"
        )


def from_module(path: str, context: Mapping[str, Any]) -> Any:
    """`np.log`, `scipy.special.expit`: a function of numbers (ufunc) or a number of a module, or None.

    Nothing else of a module can be reached, so that a formula cannot open files or run programs; what a
    module only makes when it is asked for (deprecated names, parts not imported yet) is not asked for.
    """
    root, *rest = path.split(".")
    found = context.get(root, np if root == "np" else None)
    if not rest or not isinstance(found, ModuleType) or any(part.startswith("_") for part in rest):
        return None
    for part in rest:
        if not isinstance(found, ModuleType):
            return None
        found = vars(found).get(part)
    return found if isinstance(found, np.ufunc | bool | int | float) else None


def _side_by_side(node: Call, found: Mapping[Any, Any]) -> np.ndarray:
    """The columns that a function gives by their names, (n, k)."""
    if not found:
        raise DataError(f"'{node}' gives no columns")
    try:
        return np.column_stack([np.asarray(part, dtype=np.float64) for part in found.values()])
    except (TypeError, ValueError) as error:
        raise DataError(f"the columns that '{node}' gives are not numbers of one length: {error}") from error


def _constants(values: list[Any], text: str) -> tuple[Any, ...]:
    for value in values:
        if not isinstance(value, str | bool | float | int) and value is not None:
            raise FormulaError(f"'{text}' can hold numbers and text, not {_described(value)}")
    return tuple(float(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in values)


def _described(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return f"the text '{value}'"
    if isinstance(value, tuple):
        return f"{len(value)} constants"
    if isinstance(value, Factor):
        return "a column of categories"
    if isinstance(value, np.ndarray):
        return "a column of dates" if value.dtype.kind in "mM" else "a column"
    return f"an object of type {type(value).__name__}"


def failed(node: Node, error: BaseException) -> FormulaError:
    """What to say when a function of the caller fails."""
    return FormulaError(f"'{node}' cannot be evaluated: {type(error).__name__}: {error}")
