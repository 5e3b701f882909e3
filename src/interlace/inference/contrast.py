"""Tests of linear hypotheses about the fixed effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from interlace.errors import DataError
from interlace.estimation.fit import Fit
from interlace.inference.df import DdfLike, ddf_method
from interlace.inference.estimates import LinearEstimates, f_p_value, kept_names, p_values
from interlace.inference.wald import Array

LONGEST_LABEL = 3  # coefficients spelt out in the label of a row


@dataclass(frozen=True, slots=True, repr=False)
class ContrastTest:
    """Tests of the rows of `L beta = rhs`, one at a time and all at once.

    Attributes
    ----------
    rows : pandas.DataFrame
        `estimate`, `se`, `df`, `t`, `p` and the confidence interval `lower`, `upper` of each row of L.
    F, num_df, den_df, p : float
        The joint test. Rows that follow from others do not count in `num_df`. Of a single row F is the square
        of t (Kenward-Roger's scaling included, which is 1 there).
    ddf : str
        The method of the degrees of freedom.
    note : str
        What a reader must know about them; "" if nothing.
    """

    rows: pd.DataFrame
    F: float
    num_df: float
    den_df: float
    p: float
    ddf: str
    note: str

    def __repr__(self) -> str:
        joint = f"F = {self.F:.4g} on {self.num_df:g} and {self.den_df:.4g} df, p = {self.p:.3g} ({self.ddf})"
        return "\n".join([self.rows.to_string(), joint, *([f"note: {self.note}"] if self.note else [])])

    def _repr_html_(self) -> str:
        return f"{self.rows.to_html()}<pre>{str(self).removeprefix(self.rows.to_string()).strip()}</pre>"


def contrast_test(fit: Fit, L: Any, *, rhs: ArrayLike, ddf: DdfLike, level: float) -> ContrastTest:
    """Test `L beta = rhs`.

    Raises
    ------
    DataError
        L names a coefficient that is not in the model, has the wrong shape, or rhs contradicts itself.
    """
    if not 0 < level < 1:
        raise DataError(f"level must lie between 0 and 1, not {level!r}")
    labels, rows = linear_functions(fit, L)
    values = _right_hand_side(rows, rhs)
    method = ddf_method(ddf)
    bound = method.bind(fit)
    estimates = LinearEstimates(labels, rows, rows @ fit.solution.beta, bound)
    joint = bound.f_test(rows, values)
    return ContrastTest(
        rows=_table(estimates, values, level),
        F=joint.F,
        num_df=joint.num_df,
        den_df=joint.den_df,
        p=float(f_p_value(joint.F, joint.num_df, joint.den_df)) if joint.num_df else np.nan,
        ddf=method.name,
        note=bound.note,
    )


def linear_functions(fit: Fit, L: Any) -> tuple[tuple[str, ...], Array]:
    """Labels and rows, over the columns of X in the model, of an array or of weights by coefficient name."""
    if isinstance(L, pd.DataFrame):
        named = {str(label): dict(row) for label, row in L.iterrows()}
        return tuple(named), np.array([_named_row(fit, row) for row in named.values()]).reshape(len(L), -1)
    if isinstance(L, Mapping | pd.Series):
        weights = dict(L)
        if weights and all(isinstance(row, Mapping | pd.Series) for row in weights.values()):
            return tuple(map(str, weights)), np.array([_named_row(fit, dict(r)) for r in weights.values()])
        rows = _named_row(fit, weights)[None]
        return (_label(fit, rows[0], 0),), rows
    rows = _array_rows(fit, L)
    return tuple(_label(fit, row, i) for i, row in enumerate(rows)), rows


def _named_row(fit: Fit, weights: dict[Any, Any]) -> Array:
    names = kept_names(fit)
    row = np.zeros(len(names))
    for name, weight in weights.items():
        if not isinstance(weight, int | float | np.number) or not np.isfinite(float(weight)):
            raise DataError(f"the weight of coefficient '{name}' must be a finite number, not {weight!r}")
        if name in names:
            row[names.index(name)] = weight
        elif name in fit.dropped and weight != 0:
            raise DataError(
                f"coefficient '{name}' was left out of the model because earlier columns determine it: a "
                "contrast of it cannot be estimated"
            )
        elif name not in fit.dropped:
            raise DataError(f"there is no coefficient '{name}'; the model has {', '.join(names)}")
    return row


def _array_rows(fit: Fit, L: ArrayLike) -> Array:
    try:
        rows = np.atleast_2d(np.asarray(L, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise DataError("L must be numbers: an array, or weights by the name of the coefficient") from error
    names = kept_names(fit)
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise DataError(
            f"L must have a column for each of the {len(names)} coefficients ({', '.join(names)}), "
            f"not shape {rows.shape}"
        )
    if not np.isfinite(rows).all():
        raise DataError("L has values that are missing or infinite")
    return rows


def _right_hand_side(rows: Array, rhs: ArrayLike) -> Array:
    try:
        values = np.broadcast_to(np.asarray(rhs, dtype=np.float64), (len(rows),))
    except (TypeError, ValueError) as error:
        raise DataError(f"rhs must be a number, or one for each of the {len(rows)} rows of L") from error
    if not np.isfinite(values).all():
        raise DataError("rhs has values that are missing or infinite")
    solution = np.linalg.lstsq(rows, values, rcond=None)[0]
    scale = np.abs(rows) @ np.abs(solution) + np.abs(values)
    if np.any(np.abs(rows @ solution - values) > 1e-8 * scale):
        raise DataError(
            "the rows of L depend on each other and rhs contradicts that: no beta has L beta = rhs"
        )
    return values


def _label(fit: Fit, row: Array, i: int) -> str:
    names = kept_names(fit)
    used = np.flatnonzero(row)
    if not 0 < len(used) <= LONGEST_LABEL:
        return f"row {i + 1}"
    text = ""
    for j in used:
        sign = "-" if row[j] < 0 else "+"
        size = "" if abs(row[j]) == 1 else f"{abs(row[j]):g} "
        text += f" {sign} {size}{names[j]}" if text else f"{'-' if sign == '-' else ''}{size}{names[j]}"
    return text


def _table(estimates: LinearEstimates, rhs: Array, level: float) -> pd.DataFrame:
    df, se = estimates.df, estimates.se
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (estimates.estimate - rhs) / se
    lower, upper = estimates.interval(level)
    columns = {
        "estimate": estimates.estimate,
        "se": se,
        "df": df,
        "t": t,
        "p": p_values(t, df),
        "lower": lower,
        "upper": upper,
    }
    return pd.DataFrame(columns, index=list(estimates.labels))
