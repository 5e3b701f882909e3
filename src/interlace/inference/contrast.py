"""Tests of linear hypotheses about the fixed effects."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from interlace.arrays import Array
from interlace.errors import DataError, shown
from interlace.estimation.any_fit import AnyFit
from interlace.frozen import dataclass
from interlace.inference.estimates import LinearEstimates, f_p_value, p_values
from interlace.inference.linear import linear_functions
from interlace.options import number
from interlace.precision.wald import Ddf, scaled_rows
from interlace.tables.cells import lines, printed
from interlace.tables.markup import page, paragraphs, table_html
from interlace.tables.table import Table

ROUNDING = 1e-8  # share of what is added up


@dataclass(frozen=True, slots=True, repr=False)
class ContrastTest:
    """Tests of the rows of `L beta = rhs`, one at a time and all at once.

    Attributes
    ----------
    rows : Table
        `estimate`, `se`, `df`, `t`, `p` and the confidence interval `lower`, `upper` of each row of L.
    F, num_df, den_df, p : float
        The joint test. Rows that follow from others do not count in `num_df`. Of a single row F is the square
        of t (Kenward-Roger's scaling included, which is 1 there).
    ddf : str
        The method of the degrees of freedom.
    note : str
        What a reader must know about them; "" if nothing.
    """

    rows: Table
    F: float
    num_df: float
    den_df: float
    p: float
    ddf: str
    note: str

    def __repr__(self) -> str:
        return "\n".join([*lines(self.rows, words=False), *self._words()])

    def _repr_html_(self) -> str:
        return page(table_html("", *printed(self.rows)), paragraphs(self._words()))

    def _words(self) -> list[str]:
        joint = f"F = {self.F:.4g} on {self.num_df:g} and {self.den_df:.4g} df, p = {self.p:.3g} ({self.ddf})"
        return [joint, *([f"note: {self.note}"] if self.note else [])]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """``L beta = rhs``, checked against a fit, and the level of the intervals.

    Attributes
    ----------
    labels : tuple of str
        One for each row of L.
    L : ndarray, (m, p)
    rhs : ndarray, (m,)
    level : float
    """

    labels: tuple[str, ...]
    L: Array
    rhs: Array
    level: float

    @classmethod
    def of(cls, fit: AnyFit, L: Any, *, rhs: ArrayLike, level: float) -> Hypothesis:
        """From what a user writes.

        Raises
        ------
        DataError
            L names a coefficient that is not in the model, has the wrong shape or a row of zeros, or rhs
            contradicts itself.
        """
        if not 0 < number("level", level) < 1:
            raise DataError(f"level must lie between 0 and 1, not {shown(level)}")
        labels, rows, said = linear_functions(fit, L)
        return cls(labels, rows, _right_hand_side(rows, rhs, said), level)


def contrast_test(fit: AnyFit, asked: Hypothesis, ddf: Ddf) -> ContrastTest:
    """Test each row, and all of them at once.

    Raises
    ------
    DataError
        The weights of L are too large or too small for floating-point arithmetic.
    """
    rows, size = scaled_rows(asked.L)  # the tests do not depend on their units, and products might overflow
    scaled = _beside(asked.rhs, size)
    estimates = LinearEstimates(asked.labels, rows, rows @ fit.solution.beta, ddf)
    largest = size.max()  # the sizes of the rows beside each other have a part in Satterthwaite's df
    joint = ddf.f_test(asked.L / largest, asked.rhs / largest)
    return ContrastTest(
        rows=_table(estimates, scaled, size, asked.level),
        F=joint.F,
        num_df=joint.num_df,
        den_df=joint.den_df,
        p=float(f_p_value(joint.F, joint.num_df, joint.den_df)) if joint.num_df else np.nan,
        ddf=ddf.name,
        note="; ".join(note for note in (ddf.note, joint.note) if note),
    )


def _right_hand_side(rows: Array, rhs: ArrayLike, said: Array) -> Array:
    try:
        values = np.broadcast_to(np.asarray(rhs, dtype=np.float64), (len(rows),))
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"rhs must be a number, or one for each of the {len(rows)} rows of L") from error
    if values.any() and said.any():
        raise DataError("L has right-hand sides of its own ('x = 1'): leave rhs out")
    values = values + said
    if not np.isfinite(values).all():
        raise DataError("rhs has values that are missing or infinite")
    if _contradicts(rows, values):
        raise DataError(
            "the rows of L depend on each other and rhs contradicts that: no beta has L beta = rhs"
        )
    return values


def _contradicts(rows: Array, values: Array) -> bool:
    """Is there no beta with ``rows @ beta = values``?"""
    rows, size = scaled_rows(rows)
    values = scaled_rows(_beside(values, size)[None])[0][0]
    solution = np.linalg.lstsq(rows, values, rcond=None)[0]
    added = np.abs(rows) @ np.abs(solution) + np.abs(values)
    return bool(np.any(np.abs(rows @ solution - values) > ROUNDING * added))


def _beside(values: Array, size: Array) -> Array:
    """Right-hand sides over the largest weights of their rows."""
    with np.errstate(over="ignore", divide="ignore"):
        scaled = values / size
    if not np.isfinite(scaled).all():
        raise DataError("the weights of L are too small for floating-point arithmetic: give larger ones")
    return np.asarray(scaled)


def _table(estimates: LinearEstimates, rhs: Array, size: Array, level: float) -> Table:
    """Of the rows times `size`."""
    df, se = estimates.df, estimates.se
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        t = (estimates.estimate - rhs) / se
    lower, upper = estimates.interval(level)
    with np.errstate(over="ignore", invalid="ignore"):
        estimate, se, lower, upper = (size * v for v in (estimates.estimate, se, lower, upper))
    if np.isinf(estimate).any() or np.isinf(se).any():
        raise DataError("the weights of L are too large for floating-point arithmetic: give smaller ones")
    columns = {
        "estimate": estimate,
        "se": se,
        "df": df,
        "t": t,
        "p": p_values(t, df),
        "lower": lower,
        "upper": upper,
    }
    return Table.of(columns, estimates.labels, note=estimates.ddf.note)
