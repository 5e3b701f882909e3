"""Functions of each value by itself: they learn nothing, and missing values stay missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from interlace.design.functions.call import Call
from interlace.design.functions.function import Function
from interlace.design.functions.values import Value, described, level_text, numbers, whole
from interlace.design.values import Factor, Matrix, factorize
from interlace.errors import DataError, FormulaError


def _over(call: Call, x: Value, of: Callable[..., Any]) -> Value:
    """`of` a column, of each column of a matrix, of a number or of each of several numbers."""
    if isinstance(x, Matrix):
        return Matrix(np.asarray(of(x.values), dtype=np.float64), x.labels)
    if isinstance(x, tuple):
        return tuple(_over(call, part, of) for part in x)
    values = of(numbers(call, x))
    return float(values) if np.ndim(values) == 0 else np.asarray(values, dtype=np.float64)


def _elementwise(name: str, of: Callable[[Any], Any]) -> Function:
    def compute(call: Call, x: Value) -> Value:
        return _over(call, x, of)

    return Function(name, compute)


def _special(name: str) -> Callable[[Any], Any]:
    """A function of `scipy.special`, which takes longer to import than most models to be fitted."""

    def of(x: Any) -> Any:
        from scipy import special

        return getattr(special, name)(x)

    return of


_SIMPLE: dict[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "ceiling": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "exp": np.exp,
    "expm1": np.expm1,
    "floor": np.floor,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "plogis": _special("expit"),
    "pnorm": _special("ndtr"),
    "qlogis": _special("logit"),
    "qnorm": _special("ndtri"),
    "sign": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
    "trunc": np.trunc,
}


def log(call: Call, x: Value, base: Value = float(np.e)) -> Value:
    """`log(x)`, `log(x, base)`: to the base e by default."""
    below = numbers(call, base, 1)
    if isinstance(below, float):
        if below in _LOGARITHMS:
            return _over(call, x, _LOGARITHMS[below])
        return _over(call, x, lambda values: np.log(values) / np.log(below))
    return np.log(numbers(call, x)) / np.log(below)


_LOGARITHMS: dict[float, Callable[[Any], Any]] = {float(np.e): np.log, 2.0: np.log2, 10.0: np.log10}


def round_(call: Call, x: Value, digits: Value = 0.0) -> Value:
    """R's `round()` since 4.0: of the two decimal numbers around x the nearer one; the even one of a tie."""
    places = digits if isinstance(digits, float) else float("nan")
    if places != np.floor(places):
        raise FormulaError(f"round() needs a whole number of digits, not {described(digits)}")
    return _over(call, x, lambda values: _rounded(np.asarray(values), int(max(-400, min(400, places)))))


_DIGITS = 15  # that a double can be sure of


def _rounded(x: np.ndarray, places: int) -> np.ndarray:
    if places == 0:
        return np.asarray(np.rint(x))
    with np.errstate(all="ignore"):
        exponent = np.ceil(np.log10(np.abs(x)))
    exact = ~np.isfinite(x) | (x == 0) | (places > _DIGITS - exponent)
    # 10^places in two factors, as it may be too large for a number
    power, rest = 10.0 ** min(abs(places), 300), 10.0 ** max(abs(places) - 300, 0)
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.abs(x) * power * rest if places > 0 else np.abs(x) / power / rest
        low = np.floor(scaled)
        below, above = (v / rest / power if places > 0 else v * power * rest for v in (low, np.ceil(scaled)))
        down, up = np.abs(x) - below, above - np.abs(x)
    takes_low = (down < up) | ((down == up) & (low % 2 == 0))
    return np.where(exact, x, np.copysign(np.where(takes_low, below, above), x))


def signif(call: Call, x: Value, digits: Value = 6.0) -> Value:
    """`signif(x, digits)`: that many significant digits."""
    places = min(22, max(1, whole(call, "digits", digits, 0)))
    return _over(call, x, lambda values: _significant(np.asarray(values), places))


def _significant(x: np.ndarray, places: int) -> np.ndarray:
    known = np.isfinite(x) & (x != 0)
    shift = places - 1 - np.floor(np.log10(np.abs(np.where(known, x, 1.0))))
    power = 10.0 ** np.minimum(np.abs(shift), 308)
    rounded = np.where(shift > 0, np.rint(x * power) / power, np.rint(x / power) * power)
    return np.where(known & np.isfinite(rounded) & (shift < 308), rounded, x)


def identity(call: Call, x: Value) -> Value:
    """`I(x)`, `identity(x)`: x itself."""
    return x


def _extreme(name: str, of: Callable[[Any, Any], Any], of_known: Callable[[Any, Any], Any]) -> Function:
    def compute(call: Call, *x: Value, na_rm: Value = False) -> Value:
        if not x:
            raise FormulaError(f"{name}() needs at least one argument; write {name}(x, 0)")
        combine = of_known if na_rm else of
        found = numbers(call, x[0])
        for place, other in enumerate(x[1:], 1):
            found = combine(found, numbers(call, other, place))
        return float(found) if np.ndim(found) == 0 else found

    return Function(name, compute)


def ifelse(call: Call, test: Value, yes: Value, no: Value) -> Value:
    """`ifelse(test, yes, no)`: `yes` where the test holds, `no` elsewhere, missing where the test is.

    Text gives a factor; categories count as their text.
    """
    held = numbers(call, test)
    if isinstance(held, float):
        held = np.full(call.nrows, held)
    missing = np.isnan(held)
    if any(isinstance(part, str | Factor) for part in (yes, no)):
        return _chosen_text(call, held, missing, yes, no)
    columns = [np.broadcast_to(_plain(call, part), (call.nrows,)) for part in (yes, no)]
    if all(_is_logical(part) for part in (yes, no)) and not missing.any():
        return np.where(held != 0, *columns).astype(bool)
    return np.where(missing, np.nan, np.where(held != 0, *columns))


def _is_logical(value: Value) -> bool:
    return isinstance(value, bool) or (isinstance(value, np.ndarray) and value.dtype.kind == "b")


def _plain(call: Call, value: Value) -> np.ndarray | float:
    if isinstance(value, np.ndarray | float | bool):
        return numbers(call, value)
    raise FormulaError(
        f"ifelse() chooses between columns, numbers or texts; '{call.text}' gives it {described(value)}"
    )


def _chosen_text(call: Call, held: np.ndarray, missing: np.ndarray, yes: Value, no: Value) -> Factor:
    parts = [_texts(call, part) for part in (yes, no)]
    chosen = np.where(held != 0, *parts)
    chosen[missing] = None
    return factorize(chosen)


def _texts(call: Call, value: Value) -> np.ndarray:
    if isinstance(value, str):
        return np.full(call.nrows, value, dtype=object)
    if isinstance(value, Factor):
        labels = np.array([*map(level_text, value.levels.tolist()), None], dtype=object)
        return np.asarray(labels[value.codes])
    raise DataError(
        f"ifelse() cannot choose between text and {described(value)}: make both text or both numbers in "
        f"'{call.text}'"
    )


ELEMENTWISE: tuple[Function, ...] = (
    *(_elementwise(name, of) for name, of in _SIMPLE.items()),
    Function("log", log),
    Function("round", round_),
    Function("signif", signif),
    Function("I", identity),
    Function("identity", identity),
    Function("ifelse", ifelse),
    _extreme("pmin", np.minimum, np.fmin),
    _extreme("pmax", np.maximum, np.fmax),
)
