"""Factors to columns: codings by name or matrix, and the functions `C()` and `factor()` of formulas.

Conventions (R's): an unordered factor has treatment coding, an ordered one orthogonal polynomials; a factor
whose coding needs all its levels (because no intercept or margin spans it) has one 0/1 column per level.
Column names are formulaic's: ``a[T.b]`` treatment, ``a[S.b]`` sum, ``a[H.b]`` Helmert, ``a[D.b]`` successive
differences, ``a[.L]`` polynomial, ``a[b]`` full coding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from formulaic.materializers.types import FactorValues
from formulaic.transforms.contrasts import (
    Contrasts,
    CustomContrasts,
    DiffContrasts,
    HelmertContrasts,
    PolyContrasts,
    SASContrasts,
    SumContrasts,
    TreatmentContrasts,
)

from interlace.design.values import Factor, factorize, from_anything
from interlace.errors import DataError

_NAMED: dict[str, type[Contrasts]] = {
    "treatment": TreatmentContrasts,
    "sum": SumContrasts,
    "helmert": HelmertContrasts,
    "poly": PolyContrasts,
    "sdif": DiffContrasts,
    "diff": DiffContrasts,
    "sas": SASContrasts,
}

#: What formulas find as `contr`: `C(a, contr.sum)`.
contr = SimpleNamespace(**_NAMED, SAS=SASContrasts, custom=CustomContrasts)


def resolve(name: str, contrast: Any) -> Contrasts:
    """The coding meant by an entry of `contrasts` or the second argument of `C()`.

    Parameters
    ----------
    name : str
        The factor, for messages.
    contrast : str, Contrasts, array of shape (L, k) or mapping
        A name such as "sum" or "contr.sum", an object of formulaic, or the coding matrix itself.
    """
    if isinstance(contrast, str):
        key = contrast.removeprefix("contr.").lower()
        if key not in _NAMED:
            known = ", ".join(k for k in _NAMED if k != "diff")
            raise DataError(
                f"there is no contrast named '{contrast}' (for '{name}'); use one of {known}, or a matrix"
            )
        return _NAMED[key]()
    if isinstance(contrast, type) and issubclass(contrast, Contrasts):
        return contrast()
    if isinstance(contrast, Contrasts):
        return contrast
    if isinstance(contrast, pd.DataFrame):
        return CustomContrasts(contrast.to_numpy(dtype=np.float64), names=[str(c) for c in contrast.columns])
    if isinstance(contrast, Mapping):
        return CustomContrasts(dict(contrast))
    matrix = np.asarray(contrast)
    if matrix.ndim != 2 or matrix.dtype.kind not in "iuf":
        raise DataError(
            f"the contrast for '{name}' is neither a name nor a matrix of numbers (levels x columns)"
        )
    return CustomContrasts(matrix.astype(np.float64))


@dataclass(frozen=True, slots=True)
class Coding:
    """A coding matrix (levels x columns) and the names of its columns."""

    matrix: np.ndarray
    fields: tuple[Any, ...]
    format: str


def coding(name: str, contrast: Contrasts, levels: np.ndarray, reduced: bool) -> Coding:
    """The columns of a factor: `reduced` ones beside an intercept, otherwise one per level."""
    key = tuple(levels.tolist())
    if (
        type(contrast) is TreatmentContrasts
        and contrast.base not in key
        and "UNSET" not in repr(contrast.base)
    ):
        raise DataError(
            f"the reference level {contrast.base!r} of '{name}' does not occur; levels: {list(key)}"
        )
    if isinstance(contrast, CustomContrasts):
        _check_custom(name, contrast, len(key))
        return _build(contrast, key, reduced)
    return _coding(_Hashed(contrast), key, reduced)


class _Hashed:
    """A named contrast as a key of a cache: equal if they print the same."""

    __slots__ = ("contrast",)

    def __init__(self, contrast: Contrasts) -> None:
        self.contrast = contrast

    def __hash__(self) -> int:
        return hash(repr(self.contrast))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and repr(self.contrast) == repr(other.contrast)


@lru_cache(maxsize=256)
def _coding(key: _Hashed, levels: tuple[Any, ...], reduced: bool) -> Coding:
    return _build(key.contrast, levels, reduced)


def _build(contrast: Contrasts, levels: tuple[Any, ...], reduced: bool) -> Coding:
    matrix = contrast.get_coding_matrix(list(levels), reduced_rank=reduced)
    fields = contrast.get_coding_column_names(list(levels), reduced_rank=reduced)
    shape = contrast.get_factor_format(list(levels), reduced_rank=reduced)
    return Coding(np.asarray(matrix, dtype=np.float64), tuple(fields), shape)


def _check_custom(name: str, contrast: CustomContrasts, n_levels: int) -> None:
    rows = np.asarray(contrast.contrasts).shape[0]
    if rows != n_levels:
        raise DataError(f"the contrast matrix for '{name}' has {rows} rows; the factor has {n_levels} levels")


# Functions of formulas


def to_factor(values: Any, levels: Any = None, ordered: bool | None = None) -> Factor:
    """Anything as a factor: levels sorted, or those given in the order given."""
    column = from_anything("factor()", values)
    if not isinstance(column, Factor):
        column = factorize(column)
    if levels is not None:
        column = column.recode(np.asarray(levels, dtype=object))
    return Factor(column.codes, column.levels, column.ordered if ordered is None else ordered)


def factor(x: Any, levels: Any = None, ordered: bool | None = None) -> FactorValues:
    """R's `factor()`: `factor(x)`, `factor(x, levels=["lo", "hi"])`."""
    return FactorValues(to_factor(x, levels, ordered), kind="categorical", spans_intercept=True)


def C(x: Any, contrasts: Any = None, *, levels: Any = None) -> FactorValues:
    """R's and formulaic's `C()`: a factor, with a coding of its own if one is given."""
    values = to_factor(x, levels)
    if contrasts is not None:
        values = CodedFactor(values.codes, values.levels, values.ordered, resolve("C()", contrasts))
    return FactorValues(values, kind="categorical", spans_intercept=True)


@dataclass(frozen=True, slots=True)
class CodedFactor(Factor):
    """A factor that brings its contrasts along."""

    contrast: Contrasts | None = None
