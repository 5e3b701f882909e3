"""Factors to columns: codings by name, by matrix, or as an object.

Conventions (R's): an unordered factor has treatment coding, an ordered one orthogonal polynomials; a factor
whose coding needs all its levels (because no intercept or margin spans it) has one 0/1 column per level.
Names of columns: ``a[T.b]`` treatment, ``a[S.b]`` sum, ``a[H.b]`` Helmert, ``a[D.b]`` successive differences,
``a[.L]`` polynomial, ``a[b]`` full coding, ``a[1]`` a matrix without names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from interlace.design.orthogonal import orthonormal_polynomials
from interlace.errors import DataError
from interlace.frozen import dataclass

FULL = "{name}[{field}]"


@dataclass(frozen=True, slots=True)
class Coding:
    """A coding matrix (levels x columns), what names its columns, and how: ``{name}[T.{field}]``."""

    matrix: np.ndarray
    fields: tuple[Any, ...]
    format: str


class Contrast(Protocol):
    """How the L levels of a factor become columns beside an intercept."""

    def reduced(self, name: str, levels: tuple[Any, ...]) -> Coding:
        """The columns of the factor `name` beside an intercept."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """Each level against the base: the first one, a level, or the number of one counted from 1.

    Attributes
    ----------
    base : level or int, optional
        None is the first level, or the last one if `last`.
    count : int, optional
        How many levels the factor must have.
    numbered : bool
        Whether an integer that is no level is the number of one.
    last : bool
        Whether the last level is the base by default (SAS).
    """

    base: Any = None
    count: int | None = None
    numbered: bool = False
    last: bool = False

    def reduced(self, name: str, levels: tuple[Any, ...]) -> Coding:
        """An indicator of each level but the base."""
        _check_count(name, self.count, levels)
        base = self._position(name, levels)
        kept = [i for i in range(len(levels)) if i != base]
        return Coding(np.eye(len(levels))[:, kept], tuple(levels[i] for i in kept), "{name}[T.{field}]")

    def _position(self, name: str, levels: tuple[Any, ...]) -> int:
        if self.base is None:
            return len(levels) - 1 if self.last else 0
        if self.numbered:
            return levels.index(reference_level(name, self.base, levels))
        if not _is_among(self.base, levels):
            raise _no_such_level(name, self.base, levels)
        return levels.index(self.base)


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """`contr.treatment(3)`: how many levels there are in R, a level in Python."""

    number: Any

    def reduced(self, name: str, levels: tuple[Any, ...]) -> Coding:
        """As a level if it is one, as the count if it is that, refused if both."""
        is_level, is_count = _is_among(self.number, levels), self.number == len(levels)
        if is_level and is_count:
            raise DataError(
                f"contr.treatment({self.number:g}) for '{name}' could mean its {self.number:g} levels or the "
                f"level {self.number:g}; write contr.treatment(base = ...)"
            )
        if is_count:
            return Treatment().reduced(name, levels)
        return Treatment(self.number).reduced(name, levels)


@dataclass(frozen=True, slots=True)
class Sum:
    """Each level but the last against the mean of all: the last level is -1 everywhere."""

    count: int | None = None

    def reduced(self, name: str, levels: tuple[Any, ...]) -> Coding:
        """Columns sum to zero."""
        _check_count(name, self.count, levels)
        matrix = np.eye(len(levels))[:, :-1]
        matrix[-1] = -1
        return Coding(matrix, levels[:-1], "{name}[S.{field}]")


@dataclass(frozen=True, slots=True)
class Helmert:
    """Each level against the mean of those before it, not scaled (as in R)."""

    count: int | None = None

    def reduced(self, name: str, levels: tuple[Any, ...]) -> Coding:
        """Column j has -1 for the levels before j + 1 and j for that one."""
        _check_count(name, self.count, levels)
        n = len(levels)
        matrix = -np.triu(np.ones((n, n - 1)))
        matrix[np.arange(1, n), np.arange(n - 1)] = np.arange(1, n)
        return Coding(matrix, levels[1:], "{name}[H.{field}]")


@dataclass(frozen=True, slots=True)
class Successive:
    """Each level against the one before it (`contr.sdif` of R's package MASS)."""

    count: int | None = None

    def reduced(self, name: str, levels: tuple[Any, ...]) -> Coding:
        """Column j is (j + 1) / L - 1 for the first j + 1 levels and (j + 1) / L for the others."""
        _check_count(name, self.count, levels)
        n = len(levels)
        matrix = np.repeat([np.arange(1, n)], n, axis=0) / n - np.triu(np.ones((n, n - 1)))
        return Coding(matrix, levels[1:], "{name}[D.{field}]")


@dataclass(frozen=True, slots=True)
class Polynomial:
    """Orthonormal polynomials of the numbers of the levels, or of `scores`."""

    count: int | None = None
    scores: tuple[float, ...] | None = None

    def reduced(self, name: str, levels: tuple[Any, ...]) -> Coding:
        """Columns of degree 1 to L - 1."""
        _check_count(name, self.count, levels)
        n = len(levels)
        scores = np.arange(n, dtype=np.float64) if self.scores is None else np.array(self.scores)
        if len(scores) != n:
            raise DataError(
                f"'{name}' has {n} levels and contr.poly() {len(scores)} scores; give one for each"
            )
        if len(np.unique(scores)) < n:
            raise DataError(f"the scores of contr.poly() for '{name}' must be different: {scores.tolist()}")
        named = {1: ".L", 2: ".Q", 3: ".C"}
        fields = tuple(named.get(degree, f"^{degree}") for degree in range(1, n))
        return Coding(orthonormal_polynomials(scores, n - 1)[0], fields, FULL)


@dataclass(frozen=True, slots=True, eq=False)
class Custom:
    """A coding matrix (levels x columns) of the user's own.

    Attributes
    ----------
    matrix : ndarray of float64, shape (L, k)
    names : tuple
        Of its columns.
    """

    matrix: np.ndarray
    names: tuple[Any, ...]

    @classmethod
    def numbered(cls, matrix: np.ndarray) -> Custom:
        """Columns that are named by their numbers, counted from 1."""
        return cls(matrix, tuple(range(1, matrix.shape[1] + 1)))

    def reduced(self, name: str, levels: tuple[Any, ...]) -> Coding:
        """The matrix itself."""
        if len(self.matrix) != len(levels):
            raise DataError(
                f"the contrast matrix for '{name}' has {len(self.matrix)} rows; "
                f"the factor has {len(levels)} levels"
            )
        return Coding(self.matrix, self.names, FULL)


_NAMED: dict[str, Contrast] = {
    "treatment": Treatment(),
    "sum": Sum(),
    "helmert": Helmert(),
    "poly": Polynomial(),
    "sdif": Successive(),
    "diff": Successive(),
    "sas": Treatment(last=True),
}

CODINGS = ", ".join(key for key in _NAMED if key != "diff")


def _check_count(name: str, count: int | None, levels: tuple[Any, ...]) -> None:
    if count is not None and count != len(levels):
        raise DataError(f"the contrast for '{name}' is for {count} levels; the factor has {len(levels)}")


def _is_among(wanted: Any, levels: Sequence[Any]) -> bool:
    """By value, where True is not 1."""
    return any(level == wanted and isinstance(level, bool) == isinstance(wanted, bool) for level in levels)


def _no_such_level(name: str, wanted: Any, levels: Sequence[Any], numbers: bool = False) -> DataError:
    shown = f"{wanted:g}" if isinstance(wanted, float) else repr(wanted)
    return DataError(
        f"the reference level {shown} of '{name}' does not occur; give one of {list(levels)}"
        f"{f', or its number from 1 to {len(levels)}' if numbers else ''}"
    )


def reference_level(name: str, wanted: Any, levels: Sequence[Any]) -> Any:
    """The level of the factor `name` that is meant: an integer that is none counts them from 1, as in R."""
    if _is_among(wanted, levels):
        return wanted
    number = isinstance(wanted, int | float | np.integer) and not isinstance(wanted, bool)
    if number and np.isfinite(wanted) and wanted == int(wanted) and 1 <= wanted <= len(levels):
        return levels[int(wanted) - 1]
    raise _no_such_level(name, wanted, levels, number)


def resolve(name: str, contrast: Any) -> Contrast:
    """The coding meant by an entry of `contrasts` or the second argument of `C()`.

    Parameters
    ----------
    name : str
        The factor, for messages.
    contrast : str, Contrast, array of shape (L, k) or mapping
        A name such as "sum" or "contr.sum", the coding matrix itself, or its columns by name.
    """
    if isinstance(contrast, str):
        key = contrast.removeprefix("contr.").lower()
        if key not in _NAMED:
            raise DataError(
                f"there is no contrast named '{contrast}' (for '{name}'); use one of {CODINGS}, or a matrix"
            )
        return _NAMED[key]
    if isinstance(contrast, _CLASSES):
        return contrast
    if isinstance(contrast, pd.DataFrame):
        return Custom(_matrix(name, contrast.to_numpy(), contrast), tuple(str(c) for c in contrast.columns))
    if isinstance(contrast, Mapping):
        columns = [np.asarray(column) for column in contrast.values()]
        if not columns or any(c.shape != columns[0].shape or c.ndim != 1 for c in columns):
            raise _no_matrix(name, contrast)
        return Custom(_matrix(name, np.column_stack(columns), contrast), tuple(contrast))
    if _is_vector(contrast):
        return completed(name, Custom.numbered(_matrix(name, np.asarray(contrast)[:, None], contrast)))
    return Custom.numbered(_matrix(name, contrast, contrast))


def _is_vector(contrast: Any) -> bool:
    if isinstance(contrast, list | tuple):
        return bool(contrast) and all(isinstance(v, int | float) and abs(v) < 1e300 for v in contrast)
    return isinstance(contrast, np.ndarray) and contrast.ndim == 1 and contrast.dtype.kind in "iuf"


def completed(name: str, contrast: Custom, columns: int | None = None) -> Custom:
    """R's rule for a matrix of fewer columns than are wanted (L - 1 by default): others are added that are
    orthogonal to the constant and to those given, and to each other."""
    matrix = contrast.matrix
    n_levels, given = matrix.shape
    wanted = n_levels - 1 if columns is None else min(columns, n_levels - 1)
    if given >= wanted:
        return Custom(matrix[:, :wanted], contrast.names[:wanted])
    whole = np.column_stack([np.ones(n_levels), matrix])
    if np.linalg.matrix_rank(whole) < given + 1:
        raise DataError(
            f"the contrasts for '{name}' are not independent of each other and of the constant: "
            f"{matrix.T.tolist()}"
        )
    q, _ = np.linalg.qr(whole, mode="complete")
    more = q[:, given + 1 : wanted + 1]
    return Custom(np.column_stack([matrix, more]), (*contrast.names, *range(given + 1, wanted + 1)))


_CLASSES = (Treatment, Ambiguous, Sum, Helmert, Successive, Polynomial, Custom)


def _matrix(name: str, values: Any, contrast: Any) -> np.ndarray:
    """A finite matrix (levels x columns), copied."""
    try:
        matrix = np.asarray(values)
    except (ValueError, TypeError, OverflowError):  # rows of different lengths
        raise _no_matrix(name, contrast) from None
    if matrix.ndim != 2 or matrix.dtype.kind not in "iuf" or not matrix.shape[1]:
        raise _no_matrix(name, contrast)
    if not np.isfinite(matrix).all():
        raise DataError(f"the contrast matrix for '{name}' has values that are not finite")
    return np.array(matrix, dtype=np.float64)


def _no_matrix(name: str, contrast: Any) -> DataError:
    return DataError(
        f"the contrast for '{name}' is neither a name nor a matrix of numbers (levels x columns) but "
        f"{_described(contrast)}; use one of {CODINGS}, for example C({name}, contr.sum)"
    )


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    called = getattr(value, "__name__", None)
    return f"the function {called}" if called else f"of type {type(value).__name__}"


def indicators(levels: np.ndarray) -> Coding:
    """A column for each level, where nothing else spans them."""
    values = tuple(levels.tolist())
    return Coding(np.eye(len(values)), values, FULL)


def default_contrast(ordered: bool) -> Contrast:
    """R's defaults: polynomials for ordered factors, treatment for others."""
    return Polynomial() if ordered else Treatment()
