"""`poly()`: polynomials of one column or of several."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from interlace.design.functions.call import Call
from interlace.design.functions.function import Function
from interlace.design.functions.values import Value, column, described, finite_column, flag, is_column, whole
from interlace.design.orthogonal import evaluate, orthonormal_polynomials
from interlace.design.values import Matrix
from interlace.errors import DataError, FormulaError


def poly(
    call: Call, x: Value, *more: Value, degree: Value = 1.0, raw: Value = False, simple: Value = False
) -> Matrix:
    """R's `poly(x, degree)`, `poly(x, z, degree = 2)`: orthogonal polynomials, powers with ``raw = TRUE``.

    Of several columns, all products of their polynomials up to the degree; "2.1" is the second polynomial of
    the first column times the first one of the second.
    """
    others = list(more)
    if len(others) == 1 and not is_column(others[0]):
        degree = others.pop()
    if any(not is_column(other) for other in others):
        raise FormulaError(
            f"poly() takes columns and then degree =, raw =; '{call.text}' gives it "
            f"{described(next(o for o in others if not is_column(o)))}; "
            "write poly(x, 2, raw = TRUE) or poly(x, z, degree = 2)"
        )
    highest = whole(call, "degree", degree, 1)
    powers = flag(call, "raw", raw)
    flag(call, "simple", simple)
    columns = [_one(call, value, highest, powers, j) for j, value in enumerate([x, *others])]
    if not others:
        return Matrix(columns[0], tuple(map(str, range(1, highest + 1))))
    return _products(columns, highest)


def _one(call: Call, value: Value, degree: int, raw: bool, j: int) -> np.ndarray:
    """The polynomials of one column, (n, degree); the recurrence is learnt."""
    values = column(call, value, j) if raw else finite_column(call, value, j)
    if raw:
        if not call.state:
            _check_size(call, values, degree)
        return np.column_stack([values**power for power in range(1, degree + 1)])
    recurrences: dict[int, Any] = call.state.get("recurrences", {})
    if j not in recurrences:
        distinct = len(np.unique(values))
        if degree >= distinct:
            raise DataError(
                f"the degree {degree} of '{call.text}' must be less than the number of distinct values, "
                f"{distinct}"
            )
        _check_size(call, values, degree)
        with np.errstate(all="ignore"):
            found, recurrence = orthonormal_polynomials(values, degree)
        if not np.isfinite(found).all() or not np.isfinite(np.concatenate(recurrence)).all():
            raise DataError(
                f"'{call.text}' cannot be computed: the values are too far apart or too close for the degree "
                f"{degree}; use a lower degree"
            )
        recurrences = {**recurrences, j: recurrence}
        call.state["recurrences"] = recurrences
    return evaluate(values, recurrences[j])


def _check_size(call: Call, values: np.ndarray, degree: int) -> None:
    if degree > max(len(values), 30):
        raise DataError(
            f"the degree {degree} of '{call.text}' is more than the data can tell, which have "
            f"{len(values)} rows"
        )


def _products(columns: list[np.ndarray], degree: int) -> Matrix:
    """Products of total degree 1 to `degree`; the powers of the first column change fastest, as in R."""
    ones = np.ones((len(columns[0]), 1))
    bases = [np.hstack([ones, part]) for part in columns]
    chosen = [
        powers[::-1]
        for powers in itertools.product(range(degree + 1), repeat=len(bases))
        if 0 < sum(powers) <= degree
    ]
    parts = []
    for powers in chosen:
        product = np.ones(len(ones))
        for basis, power in zip(bases, powers, strict=True):
            product = product * basis[:, power]
        parts.append(product)
    return Matrix(np.column_stack(parts), tuple(".".join(map(str, powers)) for powers in chosen))


POLYNOMIALS: tuple[Function, ...] = (Function("poly", poly),)
