"""Calls of functions of formulas on a table, for tests: `call("log(x, base = 2)", columns, state)`.

A small reader of calls of its own, so that the functions are tested without the formula language.
"""

from __future__ import annotations

import ast
import operator
import re
from typing import Any

import numpy as np
import pandas as pd

from interlace.design.functions import CONSTANTS, FUNCTIONS
from interlace.design.values import Factor, factorize

_OPERATORS: dict[type, Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def columns_of(table: pd.DataFrame) -> dict[str, Any]:
    """Columns as expressions see them: float64, bool, factors."""
    found: dict[str, Any] = {}
    for name, series in table.items():
        if isinstance(series.dtype, pd.CategoricalDtype):
            levels = np.array(series.cat.categories.tolist(), dtype=object)
            found[str(name)] = Factor(series.cat.codes.to_numpy(np.int32), levels, bool(series.cat.ordered))
        elif series.dtype.kind == "b":
            found[str(name)] = series.to_numpy(bool)
        elif series.dtype.kind in "iuf":
            found[str(name)] = series.to_numpy(np.float64)
        else:
            found[str(name)] = factorize(series.to_numpy(object))
    return found


class Reader:
    """Evaluates R's spelling of a call; `states` are those of its calls, in order."""

    def __init__(self, columns: dict[str, Any], states: list[dict[str, Any]]) -> None:
        self.columns = columns
        self.states = states
        self.position = 0
        self.nrows = len(next(iter(columns.values())))

    def read(self, text: str) -> Any:
        spelled = re.sub(r"(?<=[A-Za-z])\.(?=[A-Za-z])", "_DOT_", text)
        return self._value(ast.parse(spelled, mode="eval").body)

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return float(node.value) if isinstance(node.value, int) else node.value
        if isinstance(node, ast.Name):
            return self._name(node.id.replace("_DOT_", "."))
        if isinstance(node, ast.UnaryOp):
            return -self._value(node.operand)
        if isinstance(node, ast.BinOp):
            return _OPERATORS[type(node.op)](self._value(node.left), self._value(node.right))
        if isinstance(node, ast.Compare):
            return self._value(node.left) > self._value(node.comparators[0])
        assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        args = [self._value(arg) for arg in node.args]
        named = {str(k.arg).replace("_DOT_", "."): self._value(k.value) for k in node.keywords}
        if self.position == len(self.states):
            self.states.append({})
        state = self.states[self.position]
        self.position += 1
        text = ast.unparse(node).replace("_DOT_", ".")
        return FUNCTIONS[node.func.id.replace("_DOT_", ".")].call(args, named, state, text, self.nrows)

    def _name(self, name: str) -> Any:
        words = {"TRUE": True, "FALSE": False, "NULL": None, **CONSTANTS}
        if name in self.columns:
            return self.columns[name]
        return words[name] if name in words else FUNCTIONS[name]


def call(text: str, table: pd.DataFrame, states: list[dict[str, Any]] | None = None) -> Any:
    """The value of a call on a table; `states` is filled, or used if filled."""
    return Reader(columns_of(table), [] if states is None else states).read(text)
