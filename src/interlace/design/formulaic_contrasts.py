"""Factors to columns: codings by name, by matrix, or as an object.

Conventions (R's): an unordered factor has treatment coding, an ordered one orthogonal polynomials; a factor
whose coding needs all its levels (because no intercept or margin spans it) has one 0/1 column per level.
Column names are formulaic's: ``a[T.b]`` treatment, ``a[S.b]`` sum, ``a[H.b]`` Helmert, ``a[D.b]`` successive
differences, ``a[.L]`` polynomial, ``a[b]`` full coding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
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
from formulaic.utils.sentinels import UNSET

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

_CODINGS = ", ".join(key for key in _NAMED if key != "diff")


class NumberedTreatment(TreatmentContrasts):
    """Treatment coding whose base is a level or, as in R, the number of one."""


def treatment(*first: Any, base: Any = UNSET) -> Contrasts:
    """`contr.treatment` of formulas: `contr.treatment("b")`, `contr.treatment(base=2)`.

    The number of levels, which R wants before `base`, may stand there. Alone, the first argument is a level.
    """
    return TreatmentContrasts(*first) if base is UNSET else NumberedTreatment(base)


class Codings:
    """What formulas find as `contr`: `C(a, contr.sum)`. A name that is no coding stays text.

    `resolve` refuses it, where the factor is known.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _IN_FORMULAS.get(name, name)


_IN_FORMULAS = {**_NAMED, "SAS": SASContrasts, "custom": CustomContrasts, "treatment": treatment}
contr = Codings()


def reference_level(name: str, wanted: Any, levels: Sequence[Any]) -> Any:
    """The level of the factor `name` that is meant: an integer that is none counts them from 1, as in R."""
    if wanted in levels:
        return wanted
    number = isinstance(wanted, (int, np.integer)) and not isinstance(wanted, bool)
    if number and 1 <= wanted <= len(levels):
        return levels[int(wanted) - 1]
    raise DataError(
        f"the reference level {wanted!r} of '{name}' does not occur; give one of {list(levels)}"
        f"{f', or its number from 1 to {len(levels)}' if number else ''}"
    )


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
            raise DataError(
                f"there is no contrast named '{contrast}' (for '{name}'); use one of {_CODINGS}, or a matrix"
            )
        return _NAMED[key]()
    if contrast is treatment:
        return TreatmentContrasts()
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
            f"the contrast for '{name}' is neither a name nor a matrix of numbers (levels x columns) but "
            f"{_described(contrast)}; use one of {_CODINGS}, for example C({name}, contr.sum)"
        )
    return CustomContrasts(matrix.astype(np.float64))


def _described(value: Any) -> str:
    called = getattr(value, "__name__", None)
    return f"the function {called}" if called else f"of type {type(value).__name__}"


@dataclass(frozen=True, slots=True)
class Coding:
    """A coding matrix (levels x columns) and the names of its columns."""

    matrix: np.ndarray
    fields: tuple[Any, ...]
    format: str


def coding(name: str, contrast: Contrasts, levels: np.ndarray, reduced: bool) -> Coding:
    """The columns of a factor: `reduced` ones beside an intercept, otherwise one per level."""
    key = tuple(levels.tolist())
    if isinstance(contrast, NumberedTreatment):
        contrast = TreatmentContrasts(reference_level(name, contrast.base, key))
    elif type(contrast) is TreatmentContrasts and contrast.base is not UNSET and contrast.base not in key:
        raise DataError(
            f"the reference level {contrast.base!r} of '{name}' does not occur; give one of {list(key)}"
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
