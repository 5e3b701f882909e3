"""Which columns of a matrix carry information of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.design.columns import Columns, Plain
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.objects import is_number
from interlace.design.rows import Rows
from interlace.errors import ModelError, RankDeficiencyWarning, shown, warn
from interlace.estimation.crossproducts import CrossProducts
from interlace.text import to_numbers

Array = NDArray[np.floating]

TOLERANCE = 1e-7
# Share of the square of a column that is left after projection: above this, cross-products can tell it from
# rounding error.
CERTAIN = 1e-6
ROWS_AT_ONCE = 16384


def independent_columns(A: CrossProducts, rows: Design | Rows) -> tuple[int, ...]:
    """Indices of the columns of X that are not (nearly) combinations of earlier ones, as `independent`.

    Cross-products show lengths down to about 1e-3 of a column reliably: where less than that is left of one,
    the rows are factored.

    Parameters
    ----------
    A : CrossProducts
    rows : Rows
        Those that `A` was made from.
    """
    if kernel.independent(A.products, A.origin.x, CERTAIN):
        return tuple(range(A.products.p))
    return independent(triangle_of(rows))


def independent(A: Array) -> tuple[int, ...]:
    """Columns that are not (nearly) combinations of earlier ones, by the rule of R's ``qr(tol = 1e-7)``.

    lme4 drops columns of X by it: what is left of a column after projection on the kept ones before it must
    not be shorter than 1e-7 times the column.
    """
    kept: list[int] = []
    Q = np.zeros((len(A), min(A.shape)))
    for j in range(A.shape[1]):
        if len(kept) == len(A):
            break
        left, basis = A[:, j], Q[:, : len(kept)]
        length = np.linalg.norm(left)
        for _ in range(2):
            left = left - basis @ (basis.T @ left)
        size = np.linalg.norm(left)
        if size > TOLERANCE * length:
            Q[:, len(kept)] = left / size
            kept.append(j)
    return tuple(kept)


def triangle(A: Array | Columns, weights: Array | None = None) -> Array:
    """An upper triangular R with ``R'R = A'WA``, to rounding in A itself; some rows at a time."""
    columns = Plain(A) if isinstance(A, np.ndarray) else A
    n, p = columns.shape
    R = np.zeros((0, p))
    for start in range(0, n, ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        rows = columns.rows(part) if weights is None else columns.rows(part) * np.sqrt(weights[part, None])
        R = np.asarray(np.linalg.qr(np.vstack([R, rows]), mode="r"))
    return R


def triangle_of(rows: Design | Rows, *, weighted: bool = True) -> Array:
    """The triangle of the columns of X of all rows."""
    R: Array | None = None
    for design in rows.cells():
        times = None if design.repeats is None else design.repeats.n
        found = triangle(design.fixed, design.weights if weighted else times)
        R = found if R is None else joined_triangles(R, found)
    assert R is not None
    return R


def joined_triangles(R: Array, S: Array) -> Array:
    """The triangle of the rows of both."""
    return np.asarray(np.linalg.qr(np.vstack([R, S]), mode="r"))


def warn_of_dropped(dropped: Sequence[str], encoding: Encoding) -> None:
    """Tell which columns of X left because others say what they say."""
    if not dropped:
        return
    within = "the absorbed factors explain, or that " if encoding.absorbed else ""
    column, depend = ("column", "depends") if len(dropped) == 1 else ("columns", "depend")
    warn(
        f"the fixed-effects model matrix is rank deficient: dropped {len(dropped)} {column} that "
        f"{within}{depend} on earlier ones: {', '.join(dropped)}",
        RankDeficiencyWarning,
    )


def check_rows(encoding: Encoding, n: int, p: int, called: str = "coefficients") -> None:
    """There must be more rows than coefficients.

    Raises
    ------
    ModelError
    """
    levels = sum([one.rank for one in encoding.absorbed])
    if n > p + levels:
        return
    effects = f"{p} {called}" + (f", {levels} effects of absorbed levels" if levels else "")
    raise ModelError(
        f"{n} rows cannot tell {effects} and a residual variance apart: use more data or fewer terms"
        f"{_many_levels(encoding, n)}"
    )


def _many_levels(encoding: Encoding, n: int) -> str:
    """Which factor has so many levels as numbers or dates have that were read as text."""
    for name, coding in encoding.fixed.factors.items():
        levels = coding.levels
        if all(isinstance(level, str) and is_number(level) for level in levels):
            words = f"'{name}' is text, and each of its {len(levels)} numbers a level of its own"
            return f". {words}: make it numbers by {to_numbers(name)}"
        if 2 * len(levels) >= n:
            words = f"'{name}' is a factor of {len(levels)} levels, such as {shown(levels[0])}"
            return f". {words}: if it measures something, make it numbers in the data"
    return ""
