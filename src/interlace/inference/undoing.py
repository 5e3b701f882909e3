"""Functions that responses are transformed by, and the way back from each of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from interlace.arrays import Array
from interlace.callers import called
from interlace.design.response import EXPONENTIAL, LOG, ODDS, PLUS, POWER, TIMES, Made
from interlace.errors import DataError, shown
from interlace.frozen import dataclass
from interlace.options import switch

Function = Callable[[Array], Array]
STEP = 1e-4  # of derivatives that a user does not give


@dataclass(frozen=True, slots=True)
class Undone:
    """A step from the column to the response, and the way back.

    Attributes
    ----------
    transform : callable
        The step itself.
    inverse, slope, curvature : callable
        The way back, and its first and second derivatives.
    low, high : float
        The values that the step can give: others are taken for the nearest of these.
    """

    transform: Function
    inverse: Function
    slope: Function
    curvature: Function
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True, slots=True)
class Registered:
    """What a user told of a function.

    Attributes
    ----------
    step : Undone
    ratios : bool
        Whether differences are logarithms of ratios.
    """

    step: Undone
    ratios: bool


def undone(made: Made) -> Undone | None:
    """A step and its way back; None where that is not known."""
    if made.kind in _REGISTERED:
        return _REGISTERED[made.kind].step
    if made.kind == PLUS:
        return _line(made.number, 1.0)
    if made.kind == TIMES:
        return _line(0.0, made.number) if made.number else None
    if made.kind == POWER:
        return _power(made.number) if made.number else None
    if made.kind == ODDS:
        return _odds(made.number)
    if made.kind in (LOG, EXPONENTIAL) and not np.isnan(made.number):
        rate = float(np.log(made.number)) if made.number > 0 else 0.0
        if not rate:
            return None
        return _logarithm(rate) if made.kind == LOG else _to_the(rate)
    simple = _SIMPLE.get(plain(made.kind))
    return None if simple is None else simple()


def plain(name: str) -> str:
    """The one name of a function that has several."""
    return _OTHER_NAMES.get(name, name)


def known_names() -> tuple[str, ...]:
    """The functions of one argument that are known, those of users among them."""
    return (*_SIMPLE, *_REGISTERED)


def gives_ratios(name: str) -> bool:
    """Whether a user said that differences are logarithms of ratios."""
    return name in _REGISTERED and _REGISTERED[name].ratios


# ---- what is known ----


def _logarithm(rate: float) -> Undone:
    """``log(y) / rate``."""

    return Undone(
        partial(_log_over, rate),
        partial(_exponential, rate, 0),
        partial(_exponential, rate, 1),
        partial(_exponential, rate, 2),
    )


def _log_over(rate: float, v: Array) -> Array:
    return np.asarray(np.log(v) / rate)


def _exponential(rate: float, derivative: int, v: Array) -> Array:
    return np.asarray(rate**derivative * np.exp(rate * v))


def _to_the(rate: float) -> Undone:
    """``exp(rate * y)``."""
    return Undone(
        lambda v: np.exp(rate * v),
        lambda v: np.log(v) / rate,
        lambda v: 1 / (rate * v),
        lambda v: -1 / (rate * v**2),
        low=0.0,
    )


def _power(exponent: float) -> Undone:
    back = 1.0 / exponent
    return Undone(
        lambda v: np.power(v, exponent),
        lambda v: np.power(v, back),
        lambda v: back * np.power(v, back - 1),
        lambda v: back * (back - 1) * np.power(v, back - 2) if back not in (0.0, 1.0) else np.zeros_like(v),
        low=0.0,
    )


def _line(added: float, factor: float) -> Undone:
    return Undone(
        lambda v: added + factor * v,
        lambda v: (v - added) / factor,
        lambda v: np.full_like(v, 1 / factor),
        np.zeros_like,
    )


def _odds(whole: float) -> Undone:
    return Undone(
        lambda v: v / (whole - v),
        lambda v: whole * v / (1 + v),
        lambda v: whole / (1 + v) ** 2,
        lambda v: -2 * whole / (1 + v) ** 3,
        low=0.0,
    )


def _tangent() -> Undone:
    return Undone(np.arctan, np.tan, lambda v: 1 + np.tan(v) ** 2,
                  lambda v: 2 * np.tan(v) * (1 + np.tan(v) ** 2), -np.pi / 2, np.pi / 2)  # fmt: skip


def _normal() -> Undone:
    density = np.sqrt(2 * np.pi)
    return Undone(
        lambda v: _special("ndtri", v),
        lambda v: _special("ndtr", v),
        lambda v: np.exp(-(v**2) / 2) / density,
        lambda v: -v * np.exp(-(v**2) / 2) / density,
    )


def _logistic() -> Undone:
    def slope(v: Array) -> Array:
        p = _special("expit", v)
        return p * (1 - p)

    return Undone(
        lambda v: _special("logit", v),
        lambda v: _special("expit", v),
        slope,
        lambda v: slope(v) * (1 - 2 * _special("expit", v)),
    )


def _complementary() -> Undone:
    def slope(v: Array) -> Array:
        return np.asarray(np.exp(v - np.exp(v)))

    return Undone(
        lambda p: np.log(-np.log1p(-p)),
        lambda v: -np.expm1(-np.exp(v)),
        slope,
        lambda v: slope(v) * (1 - np.exp(v)),
    )


def _cauchy() -> Undone:
    return Undone(
        lambda p: np.tan(np.pi * (p - 0.5)),
        lambda v: 0.5 + np.arctan(v) / np.pi,
        lambda v: 1 / (np.pi * (1 + v**2)),
        lambda v: -2 * v / (np.pi * (1 + v**2) ** 2),
    )


def _special(name: str, v: Array) -> Array:
    from scipy import special

    return np.asarray(getattr(special, name)(v))


_SIMPLE: dict[str, Callable[[], Undone]] = {
    "log": lambda: _logarithm(1.0),
    "log2": lambda: _logarithm(float(np.log(2.0))),
    "log10": lambda: _logarithm(float(np.log(10.0))),
    "log1p": lambda: Undone(np.log1p, np.expm1, np.exp, np.exp),
    "exp": lambda: _to_the(1.0),
    "expm1": lambda: Undone(np.expm1, np.log1p, lambda v: 1 / (1 + v), lambda v: -1 / (1 + v) ** 2, low=-1.0),
    "sqrt": lambda: Undone(np.sqrt, np.square, lambda v: 2 * v, lambda v: np.full_like(v, 2.0), low=0.0),
    "cbrt": lambda: Undone(np.cbrt, lambda v: v**3, lambda v: 3 * v**2, lambda v: 6 * v),
    "square": lambda: _power(2.0),
    "reciprocal": lambda: _power(-1.0),
    "inverse": lambda: _power(-1.0),
    "negative": lambda: _line(0.0, -1.0),
    "asin": lambda: Undone(np.arcsin, np.sin, np.cos, lambda v: -np.sin(v), -np.pi / 2, np.pi / 2),
    "asinh": lambda: Undone(np.arcsinh, np.sinh, np.cosh, np.sinh),
    "sinh": lambda: Undone(np.sinh, np.arcsinh, lambda v: (1 + v**2) ** -0.5,
                           lambda v: -v * (1 + v**2) ** -1.5),
    "atan": _tangent,
    "atanh": lambda: Undone(np.arctanh, np.tanh, lambda v: 1 - np.tanh(v) ** 2,
                            lambda v: -2 * np.tanh(v) * (1 - np.tanh(v) ** 2)),
    "logit": _logistic,
    "probit": _normal,
    "cloglog": _complementary,
    "cauchit": _cauchy,
}  # fmt: skip
_OTHER_NAMES = {
    "arcsin": "asin", "arctan": "atan", "arctanh": "atanh", "arcsinh": "asinh", "qlogis": "logit",
    "qnorm": "probit", "ndtri": "probit",
}  # fmt: skip
_REGISTERED: dict[str, Registered] = {}


# ---- what users tell ----


def register_scale(
    name: str,
    *,
    inverse: Function,
    derivative: Function | None = None,
    transform: Function | None = None,
    ratios: bool = False,
) -> None:
    """Tell how a transformation of the response is undone, for back-transformed marginal means.

    Parameters
    ----------
    name : str
        The function as the formula calls it, ``"boxcox"`` of ``boxcox(y) ~ x + (1 | g)``; or the whole
        response as the formula spells it, ``"sqrt(y) + sqrt(y + 1)"``.
    inverse : callable
        From the scale of the model to that of the response, for arrays.
    derivative : callable, optional
        That of `inverse`; by differences where it is not given.
    transform : callable, optional
        From the response to the scale of the model; needed by ``regrid(name)`` alone.
    ratios : bool
        Whether the scale is of natural logarithms, so that differences are logarithms of ratios.

    Raises
    ------
    DataError
        Something is of the wrong kind.

    Notes
    -----
    Whether `inverse` leads back from the response to the column of the data is seen when it is used. Scales
    that are made of log, sqrt, logit, arc sine, powers and arithmetic are known without being registered.

    Examples
    --------
    >>> import interlace, numpy as np
    >>> def fourth(y):
    ...     return np.sqrt(np.sqrt(y))
    >>> interlace.register_scale("fourth", inverse=lambda v: v**4, derivative=lambda v: 4 * v**3)
    >>> machines = interlace.datasets.load("machines")
    >>> m = interlace.lmer("fourth(score) ~ Machine + (1 | Worker)", machines)
    >>> m.emmeans("Machine", type="response").frame["estimate"].round(1).tolist()
    [52.2, 59.9, 66.2]
    """
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"name must be that of a function in a formula, not {shown(name)}")
    for option, given in (("inverse", inverse), ("derivative", derivative), ("transform", transform)):
        if not callable(given) and not (given is None and option != "inverse"):
            raise DataError(f"{option} must be a function of an array, not {shown(given)}")
    back = _of_caller(name, "inverse", inverse)
    slope = _numeric(back) if derivative is None else _of_caller(name, "derivative", derivative)
    forward = _no_transform(name) if transform is None else _of_caller(name, "transform", transform)
    step = Undone(forward, back, slope, _numeric(slope))
    _REGISTERED[name.strip()] = Registered(step, switch("ratios", ratios))


def _of_caller(name: str, option: str, function: Function) -> Function:
    option = f"{option}= of register_scale({name!r})"
    return partial(called, option, function, advice="it gets an array, and must give one of its length")


def _numeric(function: Function) -> Function:
    def derivative(v: Array) -> Array:
        step = STEP * np.maximum(np.abs(v), 1.0)
        return np.asarray((np.asarray(function(v + step)) - np.asarray(function(v - step))) / (2 * step))

    return derivative


def _no_transform(name: str) -> Function:
    def refuse(v: Array) -> Array:
        raise DataError(f"register_scale({name!r}, ...) was given no transform, which regrid({name!r}) needs")

    return refuse
