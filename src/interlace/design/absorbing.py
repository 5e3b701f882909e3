"""Factors whose levels are absorbed: what is written of them, and their codes and columns in the data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from interlace import kernel
from interlace.design.checks import LARGEST_PREDICTOR, check_finite, check_values
from interlace.design.design import Design, RandomRows
from interlace.design.frame import Frame, closest
from interlace.design.grouping import Grouping, learn_grouping
from interlace.design.held_slopes import held_slopes
from interlace.design.values import Column, Factor
from interlace.errors import DataError, ModelError, shown
from interlace.formula.formula import AbsorbedTerm
from interlace.frozen import dataclass
from interlace.text import listed, to_numbers

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

    @property
    def first_slope(self) -> int:
        """Which coefficient is the first slope: the one after the intercept."""
        return int(self.term.intercept)


@dataclass(frozen=True)
class AbsorbedEncoding:
    """What was learnt of an absorbed factor.

    Attributes
    ----------
    term : AbsorbedTerm
    grouping : Grouping
        Its levels, and the codes of any new data.
    held : ndarray of bool, shape (levels, k)
        Coefficients that are 0, as others tell all that they could: what is left is a basis of what the
        absorbed factors span.
    """

    term: AbsorbedTerm
    grouping: Grouping
    held: np.ndarray

    @property
    def rank(self) -> int:
        """Coefficients that are not held."""
        return int(self.held.size - self.held.sum())

    def rows(self, frame: Frame) -> RandomRows:
        """Codes of new data and the columns that its coefficients multiply.

        Raises
        ------
        DataError
            A level that the fit has not seen, or a slope that is no number.
        """
        columns = [frame.columns[name] for name in self.term.factors]
        codes = self.grouping.codes(columns)
        if (codes < 0).any():
            self.grouping.refuse_other_types(columns)
            raise DataError(_unknown(self.grouping.group, self.term.factors, columns, codes))
        return self.multiplied(codes, _columns(frame, self.term))

    def multiplied(self, codes: np.ndarray, columns: np.ndarray) -> RandomRows:
        """Rows of the coefficients that are not held: the columns of the others are 0."""
        if not self.held.any():
            return RandomRows(codes, columns)
        free = np.where(self.held, 0.0, 1.0)[codes]
        return RandomRows(codes, columns * free if self.term.slopes else free)


def _unknown(group: str, names: Sequence[str], columns: Sequence[Column], codes: np.ndarray) -> str:
    rows = np.flatnonzero(codes < 0)
    values = [c.levels[c.codes] if isinstance(c, Factor) else c for c in columns]
    labels = dict.fromkeys(":".join(str(v[row]) for v in values) for row in rows[:1000].tolist())
    return (
        f"the absorbed factor '{group}' has levels in {len(rows)} row{'s' * (len(rows) != 1)} that the fit "
        f"has not seen, and their effects are not known: {listed(list(labels))}; leave these rows out, or "
        "use a random term"
    )


def _columns(frame: Frame, term: AbsorbedTerm) -> np.ndarray:
    """What the coefficients of the rows multiply, (n, k)."""
    slopes = [numbers(name, frame.columns[name], "have a slope in each level") for name in term.slopes]
    z = np.column_stack([*([np.ones(frame.nrows)] if term.intercept else []), *slopes])
    check_values(term.coefficients, z, LARGEST_PREDICTOR, None)
    return z


# To find what absorbed factors span: products modulo a prime and of numbers, and numbers in memory, at most.
_PRODUCTS, _FLOPS, _DOUBLES = 2e9, 2e11, 2e8


def encoded(factors: Sequence[AbsorbedFactor]) -> tuple[tuple[AbsorbedEncoding, ...], tuple[RandomRows, ...]]:
    """What is learnt of absorbed factors of a model, and their rows.

    Raises
    ------
    ModelError
        What they span is not found; two of them are the same, or one says nothing beside the others.
    """
    if not factors:
        return (), ()
    held = held_coefficients(factors)
    for factor, own in zip(factors, held, strict=True):
        if own.all():
            others = ", ".join(str(other.term) for other in factors if other is not factor)
            raise ModelError(
                f"the absorbed factor {factor.term} says nothing beside {others}: each of its levels is made "
                "of theirs, as where it is equal to another factor or another is nested in it; leave it out"
            )
    learnt = tuple(AbsorbedEncoding(f.term, f.grouping, own) for f, own in zip(factors, held, strict=True))
    ones = np.ones((len(factors[0].codes), 1))
    rows = [
        one.multiplied(f.codes, ones if f.columns is None else f.columns)
        for one, f in zip(learnt, factors, strict=True)
    ]
    return learnt, tuple(rows)


def held_coefficients(factors: Sequence[AbsorbedFactor]) -> list[np.ndarray]:
    """Coefficients that may be 0 so that the others are determined, (levels, k) for each factor.

    Intercepts are held as elimination in whole numbers says, and slopes where their column is constant
    within the level (zero, without an intercept) or made of other factors.

    Raises
    ------
    ModelError
        Many slopes depend on other factors, or the elimination would need more memory or time than there is.
    """
    plain = [i for i, factor in enumerate(factors) if factor.term.intercept]
    held = [np.zeros((factor.n_levels, factor.k), dtype=np.bool_) for factor in factors]
    if plain:
        found = _rank([factors[i] for i in plain], slopes=False)
        for i, flags in zip(plain, found["held"], strict=True):
            held[i][:, :1] = flags
    sloped = [i for i, factor in enumerate(factors) if factor.columns is not None]
    for i in sloped:
        own = _rank([factors[i]], slopes=True)["held"][0].astype(np.bool_)
        first = factors[i].first_slope
        held[i][:, first:] = own[:, first:]
    if sloped and len(factors) > 1:
        rank = _rank(factors, slopes=True)["rank"]
        many = sum(own.size - int(own.sum()) for own in held) - rank
        if many:
            held = held_slopes(factors, held, many, ", ".join(str(factors[i].term) for i in sloped))
    return held


def _rank(factors: Sequence[AbsorbedFactor], *, slopes: bool) -> dict[str, Any]:
    system = kernel.absorbed(
        [factor.codes for factor in factors],
        [factor.n_levels for factor in factors],
        [factor.columns if slopes else None for factor in factors],
        [factor.term.intercept for factor in factors],
        None,
    )
    found: dict[str, Any] = system.rank(_PRODUCTS, _FLOPS, _DOUBLES)
    if found["rank"] < 0:
        raise ModelError(
            f"what the absorbed factors {', '.join(str(factor.term) for factor in factors)} span is not "
            "found: their elimination would need more memory or time than there is; absorb fewer factors, "
            "or factors with fewer levels or slopes"
        )
    return found


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
    return tuple([_learn(frame, term) for term in terms]) if terms else ()


def factors_of(learnt: Sequence[AbsorbedEncoding], design: Design) -> tuple[AbsorbedFactor, ...]:
    """The same of the rows that they were learnt from; slopes that are held multiply nothing."""
    out = []
    for one, rows in zip(learnt, design.absorbed, strict=True):
        columns = np.ascontiguousarray(_columns(design.frame, one.term)) if one.term.slopes else None
        factor = AbsorbedFactor(one.term, one.grouping, rows.codes, columns)
        held = one.held[:, factor.first_slope :]
        if columns is not None and held.any():
            columns[:, factor.first_slope :] *= ~held[rows.codes]
        out.append(factor)
    return tuple(out)


def without_singletons(
    frame: Frame, kept: np.ndarray | None, terms: Sequence[AbsorbedTerm]
) -> tuple[Frame, np.ndarray | None]:
    """The rows that are not alone in a level that has an intercept; leaving some out may leave others alone.

    Parameters
    ----------
    frame : Frame
    kept : ndarray of int, or None
        Their places in the table; None if all are there.
    terms : sequence of AbsorbedTerm

    Raises
    ------
    DataError
        No row is left.
    """
    codes = [factor.codes for factor in learn_absorbed(frame, [term for term in terms if term.intercept])]
    there = np.ones(frame.nrows, dtype=np.bool_)
    while True:
        alone = [there & (np.bincount(one, weights=there)[one] == 1) for one in codes]
        if not np.any(alone):
            break
        there &= ~np.logical_or.reduce(alone)
    if there.all():
        return frame, kept
    if not there.any():
        raise DataError(
            "without rows that are alone in a level of an absorbed factor no row is left: absorb factors "
            "with fewer levels, or write singletons='keep'"
        )
    rows = np.flatnonzero(there)
    return frame.take(rows), rows if kept is None else kept[rows]


def _learn(frame: Frame, term: AbsorbedTerm) -> AbsorbedFactor:
    columns = [frame.columns[name] for name in term.factors]
    for name, column in zip(term.factors, columns, strict=True):
        _refuse_fractions(name, column)
    grouping, codes = learn_grouping(":".join(term.factors), term.factors, columns)
    if not term.slopes:
        return AbsorbedFactor(term, grouping, codes)
    return AbsorbedFactor(term, grouping, codes, np.ascontiguousarray(_columns(frame, term)))


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
            f"data, for example by {to_numbers(name)}"
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
