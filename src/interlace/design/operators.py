"""Operators of expressions, with R's meaning: numbers are float64, logicals count, factors go by labels.

A logical with missing values is a factor of the levels False and True, so that none is lost.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from interlace.design.functions.values import level_text
from interlace.design.values import Factor, Matrix, Value, match
from interlace.errors import FormulaError
from interlace.formula.tree import Node
from interlace.frozen import dataclass

_LOGICAL = np.array([False, True])
_LONGEST_RANGE = 100_000

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.mod,
    "//": np.floor_divide,
    "**": np.power,
}
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator and the expression it is used in, which is for messages."""

    operator: str
    place: Node

    def binary(self, left: Value, right: Value, nrows: int) -> Value:
        """The value of ``left operator right``."""
        if self.operator == "%in%":
            return self._is_in(left, right)
        if self.operator == ":":
            return self._range(left, right)
        tuples = [isinstance(side, tuple) for side in (left, right)]
        if any(tuples) and not any(isinstance(side, np.ndarray | Factor | Matrix) for side in (left, right)):
            return self._each(left, right, nrows)
        left, right = self._recycled(left, nrows), self._recycled(right, nrows)
        with np.errstate(all="ignore"):
            if self.operator in _COMPARISONS:
                return self._compared(left, right)
            if self.operator in ("&", "|"):
                return self._connected(left, right)
            if self.operator in _ARITHMETIC:
                return self._computed(left, right)
        raise self.error(
            f"there is no operator '{self.operator}' in expressions; compute the column in the data"
        )

    def _each(self, left: Value, right: Value, nrows: int) -> Value:
        """Constants with constants, one by one."""
        sides = [side if isinstance(side, tuple) else (side,) for side in (left, right)]
        n = max(map(len, sides))
        if any(len(side) not in (1, n) for side in sides):
            raise self.error(f"there are {len(sides[0])} and {len(sides[1])} constants")
        a, b = (side * n if len(side) == 1 else side for side in sides)
        return tuple(self.binary(x, y, nrows) for x, y in zip(a, b, strict=True))  # type: ignore[misc]

    def unary(self, value: Value, nrows: int) -> Value:
        """The value of ``operator value``."""
        if isinstance(value, tuple):
            return tuple(self.unary(part, nrows) for part in value)  # type: ignore[misc]
        value = self._recycled(value, nrows)
        if self.operator == "!":
            truth, missing = self._truth(value)
            return _logical(np.logical_not(truth), missing)
        if isinstance(value, Matrix):
            return value if self.operator == "+" else Matrix(-value.values, value.labels)
        number = self._number(value)
        return _plain(number if self.operator == "+" else np.negative(number))

    def error(self, message: str) -> FormulaError:
        """An error that says where."""
        return FormulaError(f"in '{self.place}' {message}")

    # ---- arithmetic ----

    def _computed(self, left: Value, right: Value) -> Value:
        of = _ARITHMETIC[self.operator]
        if isinstance(left, Matrix) or isinstance(right, Matrix):
            return self._matrix(of, left, right)
        if _is_date(left) and _is_date(right) and self.operator == "-":
            days: Value = (np.asarray(left) - np.asarray(right)) / np.timedelta64(1, "D")
            return days
        return _plain(of(self._number(left), self._number(right)))

    def _matrix(self, of: Callable[[Any, Any], Any], left: Value, right: Value) -> Matrix:
        labels = (
            left.labels if isinstance(left, Matrix) else right.labels if isinstance(right, Matrix) else ()
        )
        sides = [
            side.values if isinstance(side, Matrix) else np.asarray(self._number(side)).reshape(-1, 1)
            for side in (left, right)
        ]
        if isinstance(left, Matrix) and isinstance(right, Matrix) and len(left.labels) != len(right.labels):
            raise self.error(f"there are {len(left.labels)} and {len(right.labels)} columns")
        return Matrix(np.asarray(of(*sides), dtype=np.float64), labels)

    def _number(self, value: Value) -> Any:
        """float64, column or constant."""
        if isinstance(value, bool | float | int):
            return np.float64(value)
        if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "fb":
            return value.astype(np.float64, copy=False)
        if _is_logical(value):
            assert isinstance(value, Factor)
            return np.where(value.codes < 0, np.nan, value.levels[value.codes].astype(np.float64))
        raise self.error(
            f"{_described(value)} cannot be taken for numbers by '{self.operator}'{_advice(value)}"
        )

    # ---- logic ----

    def _connected(self, left: Value, right: Value) -> Value:
        """R's three-valued logic: what is missing matters only where it could change the answer."""
        (a, a_missing), (b, b_missing) = self._truth(left), self._truth(right)
        if self.operator == "&":
            value, decided = a & b, (~a & ~a_missing) | (~b & ~b_missing)
        else:
            value, decided = a | b, (a & ~a_missing) | (b & ~b_missing)
        missing = (a_missing | b_missing) & ~decided
        return _logical(np.where(decided, self.operator == "|", value), missing)

    def _truth(self, value: Value) -> tuple[np.ndarray, np.ndarray]:
        if isinstance(value, np.ndarray) and value.dtype.kind == "b":
            return value, np.zeros(len(value), dtype=bool)
        number = np.asarray(self._number(value))
        missing = np.isnan(number)
        return (number != 0) & ~missing, missing

    # ---- comparisons ----

    def _compared(self, left: Value, right: Value) -> Value:
        of = _COMPARISONS[self.operator]
        if isinstance(left, Matrix) or isinstance(right, Matrix):
            raise self.error("a matrix cannot be compared; take one column")
        if _is_categorical(left) or _is_categorical(right):
            return self._compared_labels(left, right)
        if self._is_logical_text(left, right):
            sides = [side.upper() if isinstance(side, str) else side for side in (left, right)]
            return self._compared_labels(*sides)
        if _is_date(left) or _is_date(right):
            a, b = self._date(left), self._date(right)
            return _logical(of(a, b), np.isnat(a) | np.isnat(b))
        if isinstance(left, str) and isinstance(right, str):
            return bool(of(left, right))
        for side in (left, right):
            if isinstance(side, str) or side is None:
                raise self.error(f"numbers are compared with {_described(side)}; write a number")
        a, b = self._number(left), self._number(right)
        return _logical(of(a, b), np.isnan(a) | np.isnan(b))

    @staticmethod
    def _is_logical_text(left: Value, right: Value) -> bool:
        """A logical beside "TRUE", as it is read from a file."""
        texts = [side for side in (left, right) if isinstance(side, str)]
        logical = any(
            _is_logical(side) or (isinstance(side, np.ndarray) and side.dtype.kind == "b")
            for side in (left, right)
        )
        return logical and bool(texts) and texts[0].upper() in ("TRUE", "FALSE")

    def _date(self, value: Value) -> np.ndarray:
        if _is_date(value):
            return np.asarray(value)
        try:
            if isinstance(value, str):
                return np.asarray(np.datetime64(value))
        except ValueError:
            pass
        raise self.error(f"dates are compared with {_described(value)}; write a date as '2020-12-31'")

    def _compared_labels(self, left: Value, right: Value) -> Value:
        """Categories by their labels, in order only where the levels are ordered."""
        if self.operator not in ("==", "!="):
            return self._in_order(left, right)
        (a, a_labels), (b, b_labels) = self._labelled(left), self._labelled(right)
        places = np.append(match(a_labels, b_labels), -1)
        missing = (a < 0) | (b < 0)
        equal = (places[a] == b) & ~missing
        return _logical(equal if self.operator == "==" else ~equal, missing)

    def _labelled(self, value: Value) -> tuple[np.ndarray, np.ndarray]:
        """Codes and the labels they stand for."""
        if isinstance(value, np.ndarray) and value.dtype.kind == "b":
            value = Factor(value.astype(np.int8), _LOGICAL)
        if isinstance(value, Factor):
            labels = np.array([level_text(level) for level in value.levels.tolist()], dtype=object)
            distinct = list(dict.fromkeys(labels.tolist()))
            places = np.append(match(labels, np.array(distinct, dtype=object)), -1)
            return places[value.codes], np.array(distinct, dtype=object)
        if isinstance(value, str | float | int):
            return np.zeros(1, dtype=np.int32), np.array([level_text(value)], dtype=object)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            found, places = np.unique(value, return_inverse=True)
            labels = np.array([level_text(level) for level in found.tolist()], dtype=object)
            return np.where(np.isnan(value), -1, places), labels
        raise self.error(f"categories are compared with {_described(value)}")

    def _in_order(self, left: Value, right: Value) -> Value:
        ordered = left if isinstance(left, Factor) else right
        if not isinstance(ordered, Factor) or not ordered.ordered:
            raise self.error(
                f"'{self.operator}' needs an order that the categories do not have; make them ordered(...) "
                "with their levels in order"
            )
        labels = np.array([level_text(level) for level in ordered.levels.tolist()], dtype=object)
        a, b = self._rank(left, labels), self._rank(right, labels)
        return _logical(_COMPARISONS[self.operator](a, b), (a < 0) | (b < 0))

    def _rank(self, value: Value, labels: np.ndarray) -> np.ndarray:
        codes, own = self._labelled(value)
        places = match(own, labels)
        if (places < 0).any():
            gone = own[int(np.argmin(places))]
            raise self.error(
                f"'{gone}' is no level of the ordered factor ({', '.join(map(str, labels[:10]))})"
            )
        return np.asarray(np.append(places, -1)[codes])

    def _is_in(self, left: Value, right: Value) -> Value:
        wanted = right if isinstance(right, tuple) else (right,)
        if isinstance(right, np.ndarray):
            wanted = tuple(right.tolist())
        elif isinstance(right, Factor):
            wanted = tuple(right.drop_unused().levels.tolist())
        if isinstance(left, np.ndarray) and left.dtype.kind == "f":
            numbers = [float(w) for w in wanted if isinstance(w, bool | float | int)]
            if len(numbers) < len(wanted):
                raise self.error("numbers are looked for among text; write numbers, as in x %in% c(8, 10)")
            return np.isin(left, np.array(numbers, dtype=np.float64))
        if isinstance(left, Matrix) or _is_date(left) or left is None or isinstance(left, tuple):
            raise self.error(f"{_described(left)} cannot be looked for; name a column")
        codes, labels = self._labelled(left)
        found = np.append(np.isin(labels, [level_text(w) for w in wanted]), False)[codes]
        return bool(found[0]) if not isinstance(left, Factor | np.ndarray) else found

    # ---- sequences ----

    def _range(self, left: Value, right: Value) -> Value:
        """`1:3` of numbers, the combinations of two factors."""
        if isinstance(left, Factor) and isinstance(right, Factor):
            return _combined(left, right)
        if not all(isinstance(side, float | int) and not isinstance(side, bool) for side in (left, right)):
            raise self.error("':' makes 1:3 of numbers and combines two factors, and nothing else")
        first, last = float(left), float(right)  # type: ignore[arg-type]
        if not abs(last - first) < _LONGEST_RANGE:
            raise self.error("the sequence is too long")
        step = 1.0 if last >= first else -1.0
        return tuple(first + step * i for i in range(int(abs(last - first) + 1e-10) + 1))

    def _recycled(self, value: Value, nrows: int) -> Value:
        """Several constants beside columns: as many as there are rows, or one."""
        if not isinstance(value, tuple):
            return value
        if len(value) == 1:
            return value[0]
        if len(value) != nrows or not all(isinstance(part, float | int) for part in value):
            raise self.error(
                f"there are {len(value)} constants and not one; write c(...) after %in% to compare"
            )
        return np.array(value, dtype=np.float64)


def _combined(left: Factor, right: Factor) -> Factor:
    """Factor of the combinations of two, the second varying fastest."""
    names = [
        f"{a}:{b}"
        for a in map(level_text, left.levels.tolist())
        for b in map(level_text, right.levels.tolist())
    ]
    codes = np.where(
        (left.codes < 0) | (right.codes < 0),
        -1,
        left.codes.astype(np.int64) * len(right.levels) + right.codes,
    )
    return Factor(codes, np.array(names, dtype=object))


def _logical(value: Any, missing: Any) -> Value:
    if np.ndim(value) == 0:
        return bool(value) if not missing else float("nan")
    if np.any(missing):
        return Factor(np.where(missing, -1, value).astype(np.int8), _LOGICAL)
    return np.asarray(value, dtype=bool)


def _plain(value: Any) -> Value:
    return float(value) if np.ndim(value) == 0 else value


def _is_logical(value: Value) -> bool:
    """A logical with missing values."""
    return isinstance(value, Factor) and len(value.levels) == 2 and value.levels.dtype.kind == "b"


def _is_categorical(value: Value) -> bool:
    return isinstance(value, Factor) and not _is_logical(value)


def _is_date(value: Value) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "Mm"


def _described(value: Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return f"the text '{value}'"
    if isinstance(value, tuple):
        return "several constants"
    if isinstance(value, Factor):
        return "a column of categories"
    if _is_date(value):
        return "a column of dates"
    return "a matrix" if isinstance(value, Matrix) else f"a value of type {type(value).__name__}"


def _advice(value: Value) -> str:
    if isinstance(value, Factor):
        return "; compare it with a level, as in f == 'a', or convert the column in the data"
    if _is_date(value):
        return "; compute the days since the first date in the data"
    return ""
