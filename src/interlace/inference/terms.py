"""The terms of the fixed part: what each is a product of, its columns, and which terms contain which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from interlace.arrays import Array
from interlace.design.design import Design
from interlace.design.products import NumberColumns, multiplied
from interlace.design.values import Column, Factor
from interlace.errors import DataError
from interlace.estimation.any_fit import AnyFit
from interlace.estimation.rank import triangle
from interlace.frozen import dataclass
from interlace.inference.spelling import hint, resolve

INTERCEPT = "1"

#: Functions whose value is a matrix in R, of one column too: no covariates in the sense of `Terms.contains`.
_MATRIX_FUNCTIONS = ("poly", "ns", "bs", "scale")

_CHUNK = 1 << 14


@dataclass(frozen=True, slots=True)
class Term:
    """One term of the fixed part.

    Attributes
    ----------
    label : str
        As written; the intercept is "1".
    members : tuple of str
        The expressions it is the product of.
    columns : tuple of int
        Its columns among the columns of X that are in the model (the places of its coefficients in beta).
    """

    label: str
    members: tuple[str, ...]
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """All terms in order, the intercept among them.

    Attributes
    ----------
    terms : tuple of Term
    categorical : frozenset of str
        Members with levels.
    covariates : frozenset of str
        Numeric members of one column. Those of several columns (`poly`, splines) and `scale()` are neither
        here nor there: R counts them as matrices.
    """

    terms: tuple[Term, ...]
    categorical: frozenset[str]
    covariates: frozenset[str]

    @classmethod
    def of(cls, fit: AnyFit) -> Terms:
        """The terms of a fit, with the columns that were kept."""
        place = {column: j for j, column in enumerate(fit.kept)}
        encoding = fit.encoding
        terms = tuple(
            Term(label, members, tuple(place[j] for j in range(at.start, at.stop) if j in place))
            for (label, at), members in zip(encoding.fixed_terms, encoding.fixed.members, strict=True)
        )
        categorical = frozenset(encoding.fixed_factors)
        parts = [
            part for term in encoding.term_columns for product in term.products for part in product.parts
        ]
        covariates = {part.name for part in parts if isinstance(part, NumberColumns) and _is_covariate(part)}
        return cls(terms, categorical, frozenset(covariates))

    @property
    def tested(self) -> tuple[Term, ...]:
        """All terms but the intercept."""
        return tuple(term for term in self.terms if term.label != INTERCEPT)

    def contains(self, outer: Term, inner: Term) -> bool:
        """Does `outer` contain `inner` (SAS): has it all its members and more, but no more covariates?"""
        inside, outside = set(inner.members), set(outer.members)
        return inside < outside and not (outside - inside) & self.covariates

    def containing(self, inner: Term) -> tuple[Term, ...]:
        """The terms that contain `inner`."""
        return tuple(term for term in self.terms if self.contains(term, inner))

    def relatives(self, inner: Term) -> tuple[Term, ...]:
        """The terms that `inner` is marginal to: they have all its members and more, covariates or not."""
        return tuple(term for term in self.terms if set(inner.members) < set(term.members))

    def select(self, labels: tuple[str, ...] | None) -> tuple[Term, ...]:
        """The terms of these labels, all but the intercept by default.

        Raises
        ------
        DataError
            A label is not that of a term.
        """
        if labels is None:
            return self.tested
        known = {term.label: term for term in self.terms}
        found = []
        for label in labels:
            name = resolve(label, known)
            if name is None:
                raise DataError(
                    f"'{label}' is not a term of the model{hint(label, known)}; its terms are "
                    f"{', '.join(known)}"
                )
            found.append(known[name])
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Indicators:
    """The terms with one column per cell of their factors, and which of these R's treatment coding takes.

    All that is kept of the columns is a triangular factor `R` of ``[indicators X]`` (same cross-products),
    with columns of length 1 where they are not zero.

    Attributes
    ----------
    R : ndarray, shape (k + p, k + p)
    length : ndarray, shape (k + p,)
        What the columns were divided by; 1 for columns of zeros (cells without rows).
    place : dict of str to slice
        Columns of each term among the k indicators.
    treatment : tuple of int
        Columns, among the k, of the treatment-coded model matrix: the first level of a factor is left out
        where the term without that factor is in the model (or is empty).
    """

    R: Array
    length: Array
    place: dict[str, slice]
    treatment: tuple[int, ...]

    @classmethod
    def of(cls, fit: AnyFit, terms: Terms) -> Indicators:
        """From the rows of a fit, a chunk at a time."""
        basis, kept = fit.encoding.fixed, list(fit.kept)
        R: Array = np.zeros((0, 0))
        for design, rows in _pieces(fit):
            members = basis.member_columns(_rows(design, rows), len(rows))
            blocks = [multiplied([members[e] for e in term.members], len(rows)) for term in terms.terms]
            chunk = np.hstack([*blocks, design.fixed.rows(rows)[:, kept]])
            R = triangle(np.vstack([R.reshape(-1, chunk.shape[1]), chunk]))
        length = np.sqrt(np.einsum("ij,ij->j", R, R))
        length[length == 0] = 1.0
        place, at = {}, 0
        for term, block in zip(terms.terms, blocks, strict=True):
            place[term.label] = slice(at, at + block.shape[1])
            at += block.shape[1]
        widths = {e: c.shape[1] for e, c in members.items()}
        taken = [place[term.label].start + j for term in terms.terms for j in _treatment(term, terms, widths)]
        return cls(R / length, length, place, tuple(taken))


def _treatment(term: Term, terms: Terms, widths: Mapping[str, int]) -> list[int]:
    """The columns of a term that treatment coding takes, by R's rule."""
    present: set[frozenset[str]] = {frozenset(), *(frozenset(other.members) for other in terms.terms)}
    taken = np.ones(1, dtype=bool)
    for expression in term.members:
        part = np.ones(widths[expression], dtype=bool)
        if (
            expression in terms.categorical
            and frozenset(term.members) - {expression} in present
            and (term.label, expression) != _in_place_of_intercept(terms)
        ):
            part[0] = False
        taken = np.outer(part, taken).ravel()
    return np.flatnonzero(taken).tolist()


def _in_place_of_intercept(terms: Terms) -> tuple[str, str] | None:
    """Without an intercept the first factor keeps all its levels: its first term and its expression."""
    if terms.terms[0].label == INTERCEPT:
        return None
    found = ((t.label, e) for t in terms.terms for e in t.members if e in terms.categorical)
    return next(found, None)


def _pieces(fit: AnyFit) -> Iterator[tuple[Design, np.ndarray]]:
    """Some rows at a time: a design, and which of its rows."""
    for design in fit.rows.designs():
        for start in range(0, design.nrows, _CHUNK):
            yield design, np.arange(start, min(start + _CHUNK, design.nrows))


def _rows(design: Design, rows: np.ndarray) -> dict[str, Column]:
    columns = design.frame.columns
    return {n: c.take(rows) if isinstance(c, Factor) else c[rows] for n, c in columns.items()}


def _is_covariate(part: NumberColumns) -> bool:
    return part.width == 1 and part.function not in _MATRIX_FUNCTIONS
