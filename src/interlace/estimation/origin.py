"""What is taken from y and from the columns before products are made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import identity
from interlace.design.columns import Columns, Plain
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.rows import Rows, as_rows
from interlace.formula.formula import plain_name
from interlace.frozen import dataclass

Array = NDArray[np.floating]
N = TypeVar("N", float, Array)


@dataclass(frozen=True, slots=True)
class Origin:
    """Numbers subtracted from y and from columns of X and Z before products are taken.

    Large means would cost digits. A column is moved only where the model has an intercept to take the
    difference, so the model stays the same: `beta` and `b` change by a triangular transform with unit
    diagonal.

    Attributes
    ----------
    y : float
    x : ndarray, shape (p,)
        Zero for the intercept itself, and everywhere when there is none.
    z : tuple of ndarray, shape (k,)
        One per covariance block.
    beta : ndarray, shape (p,)
        Coefficients of the (moved) columns of X whose product is taken from y as well; mostly zero.
    """

    y: float
    x: Array
    z: tuple[Array, ...]
    beta: Array

    @classmethod
    def of(cls, encoding: Encoding, rows: Design | Rows) -> Origin:
        """Means of these rows."""
        rows = as_rows(encoding, rows)
        known = cls._known(encoding, rows.means)
        if known is not None:
            return known
        intercepts = [encoding.intercept, *(block.intercept for block in encoding.random)]
        sums: list[Array] = []
        y = 0.0
        for design in rows.cells():
            times = None if design.repeats is None else design.repeats.n.astype(np.float64)
            y += _sum(shifted_response(design), times)
            columns = [design.fixed, *(Plain(part.z) for part in design.random)]
            moved = _moved_columns(encoding, columns, intercepts)
            found = _all_sums(columns, moved, times)
            sums = [a + b for a, b in zip(sums, found, strict=True)] if sums else found
        x, *z = (_means(total, one, rows.n) for total, one in zip(sums, intercepts, strict=True))
        middle = near(y / rows.n) if encoding.spans_constant else 0.0
        return cls(middle, x, tuple(z), np.zeros(len(x)))

    @classmethod
    def _known(cls, encoding: Encoding, means: Mapping[str, float]) -> Origin | None:
        """From the means of columns of the data, if those are all that is needed: no pass over the rows."""
        response = plain_name(encoding.formula.response)
        if encoding.absorbed or encoding.formula.offsets or encoding.offset is not None:
            return None
        if response is None or response not in means:
            return None
        x, z = _at_means(encoding.fixed.names, means), list[Array]()
        if x is None:
            return None
        for block in encoding.random:
            known = x if block.basis is encoding.fixed else _at_means(block.basis.names, means)
            if known is None:
                return None
            z.append(known)
        middle = near(means[response]) if encoding.spans_constant else 0.0
        return cls(middle, x, tuple(z), np.zeros(len(x)))

    def shift(self, encoding: Encoding, i: int) -> Array:
        """(k, k) matrix R of block i with ``Z = (Z - origin) R``, so that the effects about the origin are
        ``R b``."""
        return _moved(self.z[i], encoding.random[i].intercept)

    def unshift(self, encoding: Encoding, i: int) -> Array:
        """The inverse of `shift`."""
        return _moved(-self.z[i], encoding.random[i].intercept)


def near(means: N) -> N:
    """The first 36 binary digits of means: in whatever order the rows were added up, the origin is the same,
    and so are the digits of all that comes after it.

    Source: Dekker (1971), A floating-point technique for extending the available precision, section 5.

    Examples
    --------
    >>> near(0.1 + 0.2) == near(0.3)
    True
    """
    ahead = means * 131073.0  # 2^17 + 1
    return ahead - (ahead - means)


def _at_means(names: Sequence[str], means: Mapping[str, float]) -> Array | None:
    """The means of columns beside an intercept, which are moved there; zeros where there is none."""
    if "Intercept" not in names:
        return np.zeros(len(names))
    try:
        return np.array([0.0 if name == "Intercept" else near(means[name]) for name in names])
    except KeyError:
        return None


def _moved(z: Array, intercept: int | None) -> Array:
    R = identity(len(z)).copy()
    if intercept is not None:
        R[intercept] += z
    return R


def _moved_columns(
    encoding: Encoding, columns: Sequence[Columns], intercepts: Sequence[int | None]
) -> list[bool]:
    """Which of X and the Z are moved: those beside an intercept; and X beside absorbed ones, if it is held as
    numbers."""
    out = [one is not None and c.shape[1] > 1 for c, one in zip(columns, intercepts, strict=True)]
    if intercepts[0] is None and encoding.spans_constant:
        out[0] = isinstance(columns[0], Plain)
    return out


def _all_sums(columns: Sequence[Columns], moved: Sequence[bool], times: Array | None) -> list[Array]:
    """The sums of the columns of X and Z that are moved; the same array is looked at once."""
    out: list[Array] = []
    for j, (one, is_moved) in enumerate(zip(columns, moved, strict=True)):
        same = next((i for i in range(j) if _is_same(columns[i], one) and moved[i] == is_moved), None)
        out.append(_sums(one, is_moved, times) if same is None else out[same])
    return out


def _is_same(a: Columns, b: Columns) -> bool:
    return isinstance(a, Plain) and isinstance(b, Plain) and a.values is b.values


def _sums(columns: Columns, is_moved: bool, times: Array | None) -> Array:
    return columns.sums(times) if is_moved else np.zeros(columns.shape[1])


def _sum(y: Array, times: Array | None) -> float:
    return float(np.add.reduce(y) if times is None else times @ y)


def _means(sums: Array, intercept: int | None, n: int) -> Array:
    means = near(sums / n)
    if intercept is not None:
        means[intercept] = 0.0
    return means


def response_origin(encoding: Encoding, rows: Rows) -> float:
    if not encoding.spans_constant:
        return 0.0
    return near(sum(float(np.add.reduce(shifted_response(one))) for one in rows.designs()) / rows.n)


def shifted_response(design: Design) -> Array:
    assert design.y is not None
    return design.y if design.offset is None else design.y - design.offset
