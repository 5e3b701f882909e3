"""Factors whose levels are absorbed: what is written of them, and their codes and columns in the data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from interlace.design.checks import LARGEST_PREDICTOR, check_finite, check_values
from interlace.design.frame import Frame, closest
from interlace.design.grouping import Grouping, learn_grouping
from interlace.design.values import Column, Factor
from interlace.errors import DataError, shown
from interlace.formula.formula import AbsorbedTerm

_SLOPES = re.compile(r"^(?P<factors>[^\[\]]+)\[(?P<both>\[?)(?P<slopes>[^\[\]]+)\](?P<end>\]?)$")


@dataclass(frozen=True)
class AbsorbedFactor:
    """An absorbed factor in the data.

    Attributes
    ----------
    term : AbsorbedTerm
    grouping : Grouping
        Its levels, and the codes of any new data.
    codes : ndarray of int32, shape (n,)
        The level of each row; every level occurs.
    columns : ndarray of float64, shape (n, k), or None
        What its coefficients multiply, ones first if it has intercepts; None is ones alone.
    """

    term: AbsorbedTerm
    grouping: Grouping
    codes: np.ndarray
    columns: np.ndarray | None = None

    @property
    def n_levels(self) -> int:
        """Number of levels."""
        return self.grouping.n_levels

    @property
    def k(self) -> int:
        """Coefficients of each level."""
        return 1 if self.columns is None else self.columns.shape[1]


def parse_term(text: object, names: Sequence[str]) -> AbsorbedTerm:
    """A factor as `demean` is given it: a column, ``a:b`` or ``a^b``, ``a[x]`` or ``a[[x]]``.

    A text that is the name of a column is that column, whatever signs it has.

    Parameters
    ----------
    text : str
    names : sequence of str
        The columns that there are.

    Raises
    ------
    DataError
        It is no text, or names a column that is not there.

    Examples
    --------
    >>> parse_term("firm^year[[x]]", ["firm", "year", "x"])
    AbsorbedTerm(factors=('firm', 'year'), slopes=('x',), intercept=False)
    """
    if not isinstance(text, str):
        raise DataError(
            f"a factor is the name of a column, or a text such as 'a:b' or 'a[x]', not {shown(text)}"
        )
    if text in names:
        return AbsorbedTerm((text,))
    found = _SLOPES.match(text.strip())
    if found and len(found["both"]) == len(found["end"]):
        factors = _parts(found["factors"], "[:^]")
        slopes = _parts(found["slopes"], ",")
        term = AbsorbedTerm(factors, slopes, intercept=not found["both"])
    else:
        term = AbsorbedTerm(_parts(text, "[:^]"))
    for name in term.columns:
        if name not in names:
            within = "" if name == text else f", which the factor {shown(text)} names"
            raise DataError(f"the data have no column '{name}'{within}; {closest(name, names)}")
    return term


def _parts(text: str, between: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(between, text))


def needed(terms: Iterable[AbsorbedTerm], columns: Iterable[str]) -> list[str]:
    """All columns that are read, each once."""
    return list(dict.fromkeys([*columns, *(name for term in terms for name in term.columns)]))


def learn_absorbed(frame: Frame, terms: Sequence[AbsorbedTerm]) -> tuple[AbsorbedFactor, ...]:
    """The absorbed factors in a frame without missing values.

    Raises
    ------
    DataError
        A factor is a measurement, or a slope is no number.
    """
    return tuple(_learn(frame, term) for term in terms)


def _learn(frame: Frame, term: AbsorbedTerm) -> AbsorbedFactor:
    columns = [frame.columns[name] for name in term.factors]
    for name, column in zip(term.factors, columns, strict=True):
        _refuse_fractions(name, column)
    grouping, codes = learn_grouping(":".join(term.factors), term.factors, columns)
    if not term.slopes:
        return AbsorbedFactor(term, grouping, codes)
    slopes = [numbers(name, frame.columns[name], "have a slope in each level") for name in term.slopes]
    z = np.column_stack([*([np.ones(frame.nrows)] if term.intercept else []), *slopes])
    check_values(term.coefficients, z, LARGEST_PREDICTOR, None)
    return AbsorbedFactor(term, grouping, codes, np.ascontiguousarray(z))


def _refuse_fractions(name: str, column: Column) -> None:
    """Numbers that are not whole measure something."""
    if isinstance(column, Factor) or column.dtype.kind != "f":
        return
    wrong = np.flatnonzero(~np.isfinite(column) | (np.trunc(column) != column))
    if len(wrong):
        raise DataError(
            f"the factor '{name}' holds numbers that are not whole, such as {column[wrong[0]]:g} in row "
            f"{wrong[0]} (counted from 0), and levels are labels: if these numbers are labels, make them "
            "text in the data; if they measure something, they belong among the columns"
        )


def numbers(name: str, column: Column, purpose: str) -> np.ndarray:
    """A column as float64, shape (n,).

    Raises
    ------
    DataError
        It is text, dates, or not finite.
    """
    if isinstance(column, Factor) or column.dtype.kind not in "iufb":
        holds = "text or categories" if isinstance(column, Factor) else f"values of type {column.dtype}"
        raise DataError(
            f"the column '{name}' holds {holds}, and only numbers can {purpose}: make it numbers in the "
            f"data, for example by pd.to_numeric(data[{name!r}], errors='coerce')"
        )
    values = column.astype(np.float64)
    check_finite((name,), values[:, None], None)
    return values


def refuse_gaps(frame: Frame) -> None:
    """Rows and no missing values.

    Raises
    ------
    DataError
    """
    if frame.nrows == 0:
        raise DataError("the data have no rows")
    if frame.missing:
        counts = ", ".join(f"'{name}' {int(mask.sum())}" for name, mask in frame.missing.items())
        raise DataError(
            f"there are missing values (by column: {counts}), and such rows belong to no mean: leave them "
            f"out first, for example by data.dropna(subset={list(frame.missing)})"
        )
