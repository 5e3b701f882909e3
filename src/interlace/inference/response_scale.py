"""From the scale on which a model is linear back to that of the response."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from interlace.arrays import Array

Function = Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class ResponseScale:
    """The inverse of a transformation of the response.

    Attributes
    ----------
    name : str
        Of the transformation.
    inverse, slope, curvature : callable
        The inverse, and its first and second derivatives.
    ratios : bool
        Whether differences become ratios.
    """

    name: str
    inverse: Function
    slope: Function
    curvature: Function
    ratios: bool = False


def _exponential(name: str, base: float, shift: float = 0.0) -> ResponseScale:
    rate = float(np.log(base))
    return ResponseScale(
        name,
        lambda v: np.exp(rate * v) - shift,
        lambda v: rate * np.exp(rate * v),
        lambda v: rate**2 * np.exp(rate * v),
        shift == 0.0,
    )


_KNOWN = {
    "log": _exponential("log", float(np.e)),
    "log2": _exponential("log2", 2.0),
    "log10": _exponential("log10", 10.0),
    "log1p": _exponential("log1p", float(np.e), 1.0),
    "sqrt": ResponseScale("sqrt", np.square, lambda v: 2 * v, lambda v: np.full(np.shape(v), 2.0)),
}


def response_scale(function: str) -> ResponseScale | None:
    """That of a function of the response, such as "log" or "np.log"; None if it is not known."""
    return _KNOWN.get(function.rpartition(".")[2])
