"""Functions that put constants together: `c()`, `seq()`, and matrices of contrasts."""

from __future__ import annotations

from typing import Literal

import numpy as np

from interlace.design.functions.call import Call
from interlace.design.functions.function import Function
from interlace.design.functions.values import Value, described, flag, is_column, number, several, whole
from interlace.errors import FormulaError


def c(call: Call, *values: Value) -> Value:
    """`c(1, 2)`, `c("a", "b")`: several constants."""
    flat = tuple(p for v in values for p in (v if isinstance(v, tuple) else (v,)))
    wrong = next((v for v in flat if not isinstance(v, float | bool | str)), None)
    if wrong is not None or not flat:
        raise FormulaError(
            f"c() puts constants together, such as c(1, 2) or c('a', 'b'); '{call.text}' has "
            f"{described(wrong) if flat else 'none'} in it; columns are added with +"
        )
    return flat


def seq(call: Call, from_: Value, to: Value, by: Value = None, length_out: Value = None) -> Value:
    """`seq(0, 10, by = 2)`, `seq(0, 1, length.out = 5)`: constants in equal steps."""
    first, last = number(call, "from", from_), number(call, "to", to)
    if length_out is not None:
        return tuple(
            np.linspace(first, last, _counted(call, whole(call, "length.out", length_out, 1))).tolist()
        )
    step = (1.0 if last >= first else -1.0) if by is None else number(call, "by", by)
    if step == 0 or (last - first) / step < 0:
        raise FormulaError(f"seq() cannot go from {first:g} to {last:g} by {step:g}")
    count = _counted(call, int((last - first) / step + 1e-10) + 1)
    return tuple((first + step * np.arange(count)).tolist())


def _counted(call: Call, count: int) -> int:
    if count > 100_000:
        raise FormulaError(f"'{call.text}' has {count} numbers; that is more than a formula needs")
    return count


def matrix(
    call: Call, data: Value, nrow: Value = None, ncol: Value = None, byrow: Value = False
) -> np.ndarray:
    """R's `matrix(c(1, 0, -1), 3)`: numbers as a matrix, filled by columns; for the contrasts of `C()`."""
    if is_column(data):
        raise FormulaError(f"matrix() makes matrices of constants, and '{call.text}' gives it a column")
    numbers = several(call, "data", data)
    columns = None if ncol is None else whole(call, "ncol", ncol, 1)
    if nrow is not None:
        rows = whole(call, "nrow", nrow, 1)
    else:
        rows = len(numbers) if columns is None else -(-len(numbers) // columns)
    columns = -(-len(numbers) // rows) if columns is None else columns
    if rows * columns != len(numbers):
        raise FormulaError(f"'{call.text}' has {len(numbers)} numbers for {rows} rows and {columns} columns")
    order: Literal["C", "F"] = "C" if flag(call, "byrow", byrow) else "F"
    return np.array(numbers).reshape((rows, columns), order=order)


def cbind(call: Call, *columns: Value) -> np.ndarray:
    """R's `cbind(c(1, 0, -1), c(0, 1, -1))`: a matrix of these columns; for the contrasts of `C()`."""
    return _bound(call, columns).T


def rbind(call: Call, *rows: Value) -> np.ndarray:
    """R's `rbind()`: a matrix of these rows."""
    return _bound(call, rows)


def _bound(call: Call, parts: tuple[Value, ...]) -> np.ndarray:
    if not parts or any(is_column(part) for part in parts):
        raise FormulaError(
            f"{call.name}() makes matrices of constants, such as cbind(c(1, 0, -1), c(0, 1, -1)), for the "
            "contrasts of C(); a model has one response, and columns are added with +"
        )
    found = [several(call, "...", part) for part in parts]
    if len({len(part) for part in found}) > 1:
        raise FormulaError(f"the parts of '{call.text}' have different lengths: {[len(p) for p in found]}")
    return np.array(found)


CONSTANT_FUNCTIONS: tuple[Function, ...] = (
    Function("c", c),
    Function("seq", seq, {"from": "from_"}),
    Function("matrix", matrix),
    Function("cbind", cbind),
    Function("rbind", rbind),
)
