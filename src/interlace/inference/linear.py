"""Linear functions of the coefficients as a person gives them: text, weights by name, tables, arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from interlace.arrays import Array
from interlace.design.frame import Frame
from interlace.errors import DataError, shown
from interlace.estimation.any_fit import AnyFit
from interlace.formula.tokens import Tokens, outside_calls, tokenize
from interlace.inference.spelling import hint, resolve

LONGEST_LABEL = 3  # coefficients spelt out in the label of a row
EXAMPLES = "weights by name such as {'x': 1, 'z': -1}, text such as 'x - z = 0', or an array of numbers"

Functions = tuple[
    tuple[str, ...], Array, Array
]  # labels, rows over the columns in the model, right-hand sides


def linear_functions(fit: AnyFit, L: Any) -> Functions:
    """What L says; right-hand sides other than zero come from text only.

    Raises
    ------
    DataError
        It cannot be understood, names a coefficient that is not in the model, has the wrong shape, or has a
        row of zeros.
    """
    labels, rows, rhs = _read(fit, L)
    if not len(rows):
        raise DataError(f"L has no rows, so that nothing is tested; give {EXAMPLES}")
    zero = [label for label, row in zip(labels, rows, strict=True) if not row.any()]
    if zero:
        raise DataError(
            f"'{zero[0]}' of L weighs every coefficient 0, so that nothing is tested; give {EXAMPLES}"
        )
    return labels, rows, rhs


def _read(fit: AnyFit, L: Any) -> Functions:
    texts = [L] if isinstance(L, str) else L
    if isinstance(texts, list | tuple) and texts and all(isinstance(text, str) for text in texts):
        return _from_texts(fit, texts)
    labels, rows = _from_numbers(fit, L)
    return labels, rows, np.zeros(len(rows))


def _from_numbers(fit: AnyFit, L: Any) -> tuple[tuple[str, ...], Array]:
    if hasattr(L, "columns") and not isinstance(L, pd.DataFrame | Mapping):
        L = _as_pandas(L)
    if isinstance(L, pd.DataFrame):
        named = {str(label): dict(row) for label, row in L.iterrows()}
        rows = [_named_row(fit, row) for row in named.values()]
        return tuple(named), np.array(rows).reshape(len(rows), len(fit.names))
    if isinstance(L, Mapping | pd.Series):
        weights = dict(L)
        if weights and all(isinstance(row, Mapping | pd.Series) for row in weights.values()):
            return tuple(map(str, weights)), np.array([_named_row(fit, dict(r)) for r in weights.values()])
        rows = [_named_row(fit, weights)]
        return (_label(fit, rows[0], 0),), np.array(rows)
    array = _array_rows(fit, L)
    return tuple(_label(fit, row, i) for i, row in enumerate(array)), array


def _as_pandas(L: Any) -> pd.DataFrame:
    frame = Frame.read(L)
    if frame.missing:
        raise DataError(
            f"the weights of coefficient '{next(iter(frame.missing))}' are missing in some rows of L"
        )
    return frame.to_pandas()


def _named_row(fit: AnyFit, weights: Mapping[Any, Any]) -> Array:
    names = fit.names
    row = np.zeros(len(names))
    for given, weight in weights.items():
        if not _is_finite(weight):
            raise DataError(
                f"the weight of coefficient '{given}' must be a finite number, not {shown(weight)}"
            )
        name = _coefficient(fit, str(given))
        if name in names:
            row[names.index(name)] += weight
        elif weight != 0:
            raise DataError(
                f"coefficient '{name}' was left out of the model because earlier columns determine it: a "
                "contrast of it cannot be estimated"
            )
    return row


def _is_finite(weight: object) -> bool:
    if not isinstance(weight, int | float | np.integer | np.floating):
        return False
    try:
        return bool(np.isfinite(float(weight)))
    except OverflowError:
        return False


def _coefficient(fit: AnyFit, given: str) -> str:
    """The name that is meant, of the coefficients and of the columns left out."""
    names = fit.names
    name = resolve(given, (*names, *fit.dropped))
    if name is None:
        raise DataError(
            f"there is no coefficient '{given}'{hint(given, names)}; the model has {', '.join(names)}"
        )
    return name


def _array_rows(fit: AnyFit, L: ArrayLike) -> Array:
    try:
        rows = np.atleast_2d(np.asarray(L, dtype=np.float64))
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"L cannot be understood; give {EXAMPLES}") from error
    names = fit.names
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise DataError(
            f"L must have a column for each of the {len(names)} coefficients ({', '.join(names)}), "
            f"not shape {rows.shape}"
        )
    if not np.isfinite(rows).all():
        raise DataError("L has values that are missing or infinite")
    return rows


# ---- text ---


def _from_texts(fit: AnyFit, texts: Sequence[str]) -> Functions:
    rows, rhs, labels = [], [], []
    for i, text in enumerate(texts):
        weights, value = _hypothesis(fit, text)
        rows.append(_named_row(fit, weights))
        rhs.append(value)
        labels.append(" ".join(text.split()) if "=" in text else _label(fit, rows[-1], i))
    return tuple(labels), np.array(rows), np.array(rhs)


def _hypothesis(fit: AnyFit, text: str) -> tuple[dict[str, float], float]:
    """Weights and right-hand side of `x - 2 * z = 1`, or of `x - 2 * z`, which is `= 0`."""
    alone = resolve(text, (*fit.names, *fit.dropped))
    if alone is not None:  # a name may have signs in it
        return {alone: 1.0}, 0.0
    tokens = tokenize(text)
    equals = [i for i, token in outside_calls(tokens) if token.is_op("=", "==")]
    if len(equals) > 1:
        raise DataError(f"'{text}' has more than one '='; give a list with a text for each hypothesis")
    sides = [(1.0, tokens[: equals[0]]), (-1.0, tokens[equals[0] + 1 :])] if equals else [(1.0, tokens)]
    weights: dict[str, float] = {}
    constant = 0.0
    for side, part in sides:
        for sign, piece in _summands(part, text):
            weight, name = _product(fit, piece, text)
            if name is None:
                constant += side * sign * weight
            else:
                weights[name] = weights.get(name, 0.0) + side * sign * weight
    return weights, -constant


def _summands(tokens: Tokens, text: str) -> Iterator[tuple[float, Tokens]]:
    """The pieces between signs, each with its own."""
    signs = [i for i, token in outside_calls(tokens) if token.is_op("+", "-")]
    sign, start = 1.0, 0
    for end in (*signs, len(tokens)):
        if start < end:
            yield sign, tokens[start:end]
            sign = 1.0
        elif end == len(tokens):
            raise DataError(f"something is missing in '{text}'; write it as in 'x - z = 0'")
        if end < len(tokens) and tokens[end].is_op("-"):
            sign = -sign
        start = end + 1


def _product(fit: AnyFit, piece: Tokens, text: str) -> tuple[float, str | None]:
    """A number, a name, or a number before a name."""
    weight = 1.0
    if piece[0].kind == "number":
        weight, piece = float(piece[0].text), piece[1:]
        if not piece:
            return weight, None
        piece = piece[1:] if piece[0].is_op("*") and len(piece) > 1 else piece
    return weight, _coefficient(fit, text[piece[0].position : piece[-1].position + len(piece[-1].text)])


def _label(fit: AnyFit, row: Array, i: int) -> str:
    names = fit.names
    used = np.flatnonzero(row)
    if not 0 < len(used) <= LONGEST_LABEL:
        return f"row {i + 1}"
    text = ""
    for j in used:
        sign = "-" if row[j] < 0 else "+"
        size = "" if abs(row[j]) == 1 else f"{abs(row[j]):g} "
        text += f" {sign} {size}{names[j]}" if text else f"{'-' if sign == '-' else ''}{size}{names[j]}"
    return text
