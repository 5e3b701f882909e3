"""Expressions of a formula, evaluated on columns: what names mean, and what went wrong."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from formulaic.transforms import TRANSFORMS
from formulaic.utils.layered_mapping import LayeredMapping
from formulaic.utils.stateful_transforms import stateful_eval

from interlace.design.factors import C, as_numeric, cut, factor, ordered, relevel
from interlace.design.formulaic_contrasts import contr
from interlace.design.splines import bs, ns, poly
from interlace.design.values import Column, Factor, from_anything
from interlace.errors import FormulaError, InterlaceError
from interlace.formula.names import names_in
from interlace.formula.terms import Formula, plain_name

#: Functions that formulas know; these names always mean these functions.
LIBRARY: dict[str, Any] = {
    **{name: function for name, function in TRANSFORMS.items() if name != "Q"},
    "C": C,
    "factor": factor,
    "ordered": ordered,
    "relevel": relevel,
    "cut": cut,
    "as_numeric": as_numeric,
    "contr": contr,
    "Inf": np.inf,
    "ns": ns,
    "bs": bs,
    "poly": poly,
    "abs": np.abs,
    "c": lambda *values: np.array(values),
    "ceil": np.ceil,
    "cos": np.cos,
    "expm1": np.expm1,
    "floor": np.floor,
    "log1p": np.log1p,
    "round": np.round,
    "sin": np.sin,
    "sqrt": np.sqrt,
    "tan": np.tan,
}


class SeriesView(Mapping[str, Any]):
    """Columns as pandas series, made when asked for: what functions of a formula are given."""

    __slots__ = ("_aliases", "_columns", "_made")

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns
        self._made: dict[str, pd.Series] = {}
        # Python reads identifiers in their NFKC form, which need not be the column's spelling.
        self._aliases = {unicodedata.normalize("NFKC", n): n for n in columns if not n.isascii()}

    def __getitem__(self, name: str) -> pd.Series:
        name = self._aliases.get(name, name)
        if name not in self._made:
            values = self._columns[name]
            self._made[name] = _series(name, values)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._columns or name in self._aliases

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def _series(name: str, values: Column) -> pd.Series:
    """The name is for messages of functions."""
    series = values.to_series() if isinstance(values, Factor) else pd.Series(values, copy=False)
    return series.rename(name)


_FUNCTION = "_function_"


def environment(columns: Mapping[str, Column], context: Mapping[str, Any]) -> LayeredMapping:
    """Names of an expression: columns, then the library, then the caller's objects."""
    hidden = {**context, **LIBRARY}
    functions = {_FUNCTION + name: hidden[name] for name in hidden if name in columns}
    return LayeredMapping(SeriesView(columns), functions, LIBRARY, context)


def compute(
    expression: str,
    columns: Mapping[str, Column],
    environment: Mapping[str, Any],
    state: dict[str, Any],
    spec: Any,
) -> Any:
    """The value of an expression; a function is found even if a column has its name, as in R."""
    for name in reversed(names_in(expression)):
        if name.role == "function" and name.name in columns and _FUNCTION + name.name in environment:
            expression = expression[: name.position] + _FUNCTION + expression[name.position :]
    with np.errstate(all="ignore"):
        return stateful_eval(expression, environment, {}, state, spec)


def evaluate(
    expression: str,
    columns: Mapping[str, Column],
    context: Mapping[str, Any],
    state: dict[str, Any],
    formula: Formula,
) -> Column:
    """One column from one expression; `state` keeps what stateful functions learn, and is used if filled."""
    name = plain_name(expression)
    if name is not None and name in columns:
        return columns[name]
    try:
        value = compute(expression, columns, environment(columns, context), state, None)
    except InterlaceError:
        raise
    except Exception as error:
        raise evaluation_error(expression, error, formula) from error
    wrapped = getattr(value, "__wrapped__", value)
    return from_anything(expression, wrapped)


def evaluation_error(expression: str, error: BaseException, formula: Formula) -> FormulaError:
    """What to say when an expression of the formula fails."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    message = f"'{expression}' cannot be evaluated: {type(cause).__name__}: {cause}"
    position = formula.text.find(expression)
    return FormulaError(message, formula.text or None, position if position >= 0 else None)
