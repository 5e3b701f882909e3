"""Contrasts of several means, by the names of R's emmeans: labels, coefficients, and what goes with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np
import pandas as pd

from interlace.arrays import Array
from interlace.callers import called
from interlace.errors import DataError, shown
from interlace.frozen import dataclass
from interlace.options import word

MOST_DEGREES = 6


@dataclass(frozen=True, slots=True)
class Contrasts:
    """Some contrasts of k means.

    Attributes
    ----------
    labels : tuple of str
    C : ndarray, (m, k)
    adjust : str
        How p-values of a family of them are adjusted by default.
    pairwise : bool
        Whether these are all differences of two means.
    """

    labels: tuple[str, ...]
    C: Array
    adjust: str = "none"
    pairwise: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """What a method may be told.

    Attributes
    ----------
    ref : sequence of int
        The places of the means that others are compared with.
    reverse : bool
    weights : ndarray or None
        Of the means, for `wtcon`.
    """

    ref: tuple[int, ...] = ()
    reverse: bool = False
    weights: Any = None


Names = Sequence[str]


def _pairwise(names: Names, asked: Options) -> Contrasts:
    k = len(names)
    if asked.reverse:
        pairs = [(i, j) for i in range(1, k) for j in range(i)]
    else:
        pairs = [(i, j) for i in range(k - 1) for j in range(i + 1, k)]
    eye = np.eye(k)
    C = np.array([eye[i] - eye[j] for i, j in pairs]).reshape(len(pairs), k)
    return Contrasts(tuple(f"{names[i]} - {names[j]}" for i, j in pairs), C, "tukey", True)


def _revpairwise(names: Names, asked: Options) -> Contrasts:
    return _pairwise(names, Options(reverse=not asked.reverse))


def _control(names: Names, asked: Options) -> Contrasts:
    k, ref = len(names), asked.ref or (0,)
    if len(ref) >= k:
        raise DataError("all means are references: name fewer of them in ref")
    others = [i for i in range(k) if i not in ref]
    base = np.zeros(k)
    base[list(ref)] = 1 / len(ref)
    said = names[ref[0]] if len(ref) == 1 else f"avg({','.join(names[i] for i in ref)})"
    sign = -1.0 if asked.reverse else 1.0
    C = np.array([sign * (np.eye(k)[i] - base) for i in others])
    labels = [f"{said} - {names[i]}" if asked.reverse else f"{names[i]} - {said}" for i in others]
    return Contrasts(tuple(labels), C, "dunnettx")


def _control_last(names: Names, asked: Options) -> Contrasts:
    return _control(names, Options(asked.ref or (len(names) - 1,), asked.reverse))


def _effects(names: Names, asked: Options) -> Contrasts:
    k = len(names)
    return Contrasts(tuple(f"{name} effect" for name in names), np.eye(k) - 1 / k, "fdr")


def _deleted_effects(names: Names, asked: Options) -> Contrasts:
    k = len(names)
    if k < 2:
        return _effects(names, asked)
    C = np.eye(k) - (1 - np.eye(k)) / (k - 1)
    return Contrasts(tuple(f"{name} effect" for name in names), C, "fdr")


def _consecutive(names: Names, asked: Options) -> Contrasts:
    C = np.diff(np.eye(len(names)), axis=0)
    pairs = list(zip(names[1:], names[:-1], strict=True))
    if asked.reverse:
        return Contrasts(tuple(f"{b} - {a}" for a, b in pairs), -C, "mvt")
    return Contrasts(tuple(f"{a} - {b}" for a, b in pairs), C, "mvt")


def _mean_changes(names: Names, asked: Options) -> Contrasts:
    k, sign = len(names), -1.0 if asked.reverse else 1.0
    rows = [[-sign / (i + 1)] * (i + 1) + [sign / (k - i - 1)] * (k - i - 1) for i in range(k - 1)]
    return Contrasts(tuple(f"{names[i]}|{names[i + 1]}" for i in range(k - 1)), _matrix(rows, k), "mvt")


def _helmert(names: Names, asked: Options) -> Contrasts:
    """Each level with the mean of those before it; reversed, of those after it."""
    k = len(names)
    rows, labels = [], []
    for i in range(k - 1) if asked.reverse else range(1, k):
        others = range(i + 1, k) if asked.reverse else range(i)
        row = np.zeros(k)
        row[i], row[list(others)] = 1.0, -1 / len(others)
        said = names[others[0]] if len(others) == 1 else f"avg({','.join(names[j] for j in others)})"
        rows.append(row)
        labels.append(f"{names[i]} - {said}")
    return Contrasts(tuple(labels), _matrix(rows, k), "none")


def _polynomials(names: Names, asked: Options) -> Contrasts:
    k = len(names)
    degrees = range(1, min(k - 1, MOST_DEGREES) + 1)
    known = ["linear", "quadratic", "cubic", "quartic"]
    labels = [known[d - 1] if d <= len(known) else f"degree {d}" for d in degrees]
    sign = -1 if asked.reverse else 1
    rows = [[sign * value for value in row] for row in _whole_polynomials(k, len(degrees))]
    return Contrasts(tuple(labels), _matrix(rows, k), "none")


def _orthonormal_polynomials(names: Names, asked: Options) -> Contrasts:
    return _of_length_one(_polynomials(names, asked))


def _whole_polynomials(k: int, degrees: int) -> list[list[int]]:
    """Orthogonal polynomials at 1 to k in the smallest whole numbers, the last of each positive."""
    basis: list[list[Fraction]] = [[Fraction(1)] * k]
    for degree in range(1, degrees + 1):
        row = [Fraction(x**degree) for x in range(k)]
        for other in basis:
            inner = sum((a * b for a, b in zip(row, other, strict=True)), Fraction(0))
            share = inner / sum((b * b for b in other), Fraction(0))
            row = [a - share * b for a, b in zip(row, other, strict=True)]
        basis.append(row)
    found = []
    for row in basis[1:]:
        whole = [int(value * lcm(*(v.denominator for v in row))) for value in row]
        divisor = gcd(*whole) or 1
        found.append([value // divisor for value in whole])
    return found


def _normalized(names: Names, asked: Options) -> Contrasts:
    return _of_length_one(_pairwise(names, asked))


def _of_length_one(contrasts: Contrasts) -> Contrasts:
    length = np.sqrt((contrasts.C**2).sum(axis=1, keepdims=True))
    adjust = "none" if contrasts.pairwise else contrasts.adjust
    return Contrasts(contrasts.labels, contrasts.C / length, adjust)


def _weighted_effects(names: Names, asked: Options) -> Contrasts:
    k = len(names)
    weights = np.ones(k) if asked.weights is None else np.asarray(asked.weights, dtype=np.float64)
    if weights.shape != (k,) or not weights.sum() > 0:
        raise DataError(f"wts must hold a weight for each of the {k} means, {', '.join(names[:6])}")
    return Contrasts(tuple(f"{name} effect" for name in names), np.eye(k) - weights / weights.sum(), "fdr")


def _identity(names: Names, asked: Options) -> Contrasts:
    return Contrasts(tuple(names), np.eye(len(names)), "none")


METHODS: dict[str, Callable[[Names, Options], Contrasts]] = {
    "pairwise": _pairwise,
    "revpairwise": _revpairwise,
    "tukey": _pairwise,
    "trt.vs.ctrl": _control,
    "trt.vs.ctrl1": _control,
    "trt.vs.ctrlk": _control_last,
    "dunnett": _control,
    "eff": _effects,
    "del.eff": _deleted_effects,
    "consec": _consecutive,
    "mean_chg": _mean_changes,
    "poly": _polynomials,
    "opoly": _orthonormal_polynomials,
    "helmert": _helmert,
    "nrmlz": _normalized,
    "wtcon": _weighted_effects,
    "identity": _identity,
}


def contrasts_of(method: Any, names: Sequence[str], asked: Options, levels: Sequence[Any]) -> Contrasts:
    """The contrasts that are meant.

    Parameters
    ----------
    method : str, mapping or callable
        A name such as "pairwise" or "trt.vs.ctrl" (also "trt_vs_ctrl"), coefficients by label, or a function
        of the names of the means that gives such a mapping.
    names : sequence of str
        Of the k means, as labels are made of them.
    asked : Options
    levels : sequence
        The k means as they are given to functions.

    Raises
    ------
    DataError
        It is not known, or coefficients are not k finite numbers.
    """
    if isinstance(method, str):
        return METHODS[word("method", method, METHODS)](names, asked)
    if callable(method):
        advice = "it gets the levels in a list, and must give coefficients by the names of contrasts"
        method = called("of the contrasts", method, list(levels), advice=advice)
    if isinstance(method, pd.DataFrame):
        method = {str(name): method[name].to_numpy() for name in method.columns}
    if isinstance(method, Mapping) and method:
        rows = [_coefficients(label, row, names) for label, row in method.items()]
        return Contrasts(tuple(map(str, method)), np.array(rows), "none")
    raise DataError(
        f"method must be one of {', '.join(METHODS)}, a mapping of labels to coefficients, or a function, "
        f"not {shown(method)}"
    )


def _coefficients(label: Any, row: Any, names: Sequence[str]) -> Array:
    if isinstance(row, Mapping):
        unknown = [name for name in row if str(name) not in names]
        if unknown:
            raise DataError(f"the contrast '{label}' names '{unknown[0]}'; the means are {', '.join(names)}")
        row = [row.get(name, 0.0) for name in names]
    try:
        found = np.asarray(row, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"the coefficients of the contrast '{label}' are no numbers") from error
    if found.shape != (len(names),):
        given = found.size if found.ndim == 1 else f"shape {found.shape}"
        raise DataError(
            f"the contrast '{label}' has {given} coefficients, and there are {len(names)} means: "
            f"{', '.join(names[:6])}{', ...' if len(names) > 6 else ''}"
        )
    if not np.isfinite(found).all():
        raise DataError(f"the coefficients of the contrast '{label}' must be finite numbers")
    return found


def _matrix(rows: Sequence[Any], k: int) -> Array:
    return np.array(rows, dtype=np.float64).reshape(len(rows), k)
