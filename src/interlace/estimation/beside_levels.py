"""Absorbed factors of a model: which columns of X they leave, and the effects of their levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array
from interlace.design.absorbing import factors_of
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.rows import Rows, selected
from interlace.errors import ModelError
from interlace.estimation.absorbed import Absorbed, Effects
from interlace.estimation.rank import TOLERANCE, independent, triangle, triangle_of
from interlace.frozen import dataclass

# Of the length of the response, what is rounding error.
EXACT = 1e-10
# Why what leaves out rows is refused.
ROWS_LEAVE = "without some rows, levels of the absorbed factors may leave and their rank may change"
# Products of columns tell their triangle to 1e-12 where no combination of them, each of length 1, is shorter
# than the root of this.
PLAIN = 1e-3
# Of the length of a column, less than this leaves products of columns without the digits that a search needs.
HARDLY = 1e-4


def absorbed_of(encoding: Encoding, rows: Rows, n_jobs: int | None = None) -> Absorbed | None:
    """The absorbed factors of these rows, which are in memory; None if there are none."""
    if not encoding.absorbed:
        return None
    design = rows.design
    return Absorbed(factors_of(encoding.absorbed, design), design.weights, n_jobs)


@dataclass(frozen=True, slots=True)
class Left:
    """What absorbed factors leave of the columns of X, and of a response if there is one.

    Attributes
    ----------
    values : ndarray of float64, shape (n, m) or (n, m + 1)
        Column after column, the response last.
    R : ndarray of float64
        Upper triangular with ``R'R = values'W values``, to rounding in `values`.
    places : tuple of int
        The m columns of X: all but the intercept where levels have intercepts.
    share : ndarray of float64, shape (p,)
        Of the length of each column of X, about its mean where levels have intercepts.
    """

    values: Array
    R: Array
    places: tuple[int, ...]
    share: Array

    @classmethod
    def of(cls, absorbed: Absorbed, rows: Rows, y: Array | None = None) -> Left:
        """Of the rows, which are in memory."""
        X = rows.design.X
        spans = any(factor.term.intercept for factor in absorbed.factors)
        names = rows.encoding.fixed_names
        places = tuple(j for j, name in enumerate(names) if not (spans and name == "Intercept"))
        given = [X[:, j] for j in places] + ([] if y is None else [y])
        columns = np.empty((len(X), len(given)), order="F")
        for j, column in enumerate(given):
            columns[:, j] = column
            if spans:
                columns[:, j] -= columns[:, j].mean()
        m = len(places)
        whole = _squares(columns[:, :m], absorbed.weights)
        values = absorbed.residuals(columns).values
        left = _squares(values[:, :m], absorbed.weights)
        share = np.zeros(X.shape[1])
        share[list(places)] = np.sqrt(left / np.where(whole > 0, whole, 1.0))
        return cls(values, _triangle(values, absorbed.weights), places, share)

    def kept(self, names: Sequence[str]) -> tuple[int, ...]:
        """Columns of X of which something is left that does not depend on earlier ones, by the rule of
        `independent`.

        Raises
        ------
        ModelError
            Too little is left of a column.
        """
        hardly = np.flatnonzero((self.share > TOLERANCE) & (self.share < HARDLY))
        if len(hardly):
            raise ModelError(
                f"the absorbed factors leave {self.share[hardly[0]]:.1g} of the length of "
                f"'{names[hardly[0]]}': too little of it for products of large numbers, and too much to "
                "leave it out. Take what they explain from it beforehand: the column of "
                "interlace.demean(data, ...) has the same coefficient"
            )
        seen = [i for i, j in enumerate(self.places) if self.share[j] > TOLERANCE]
        return tuple(self.places[seen[i]] for i in independent(self.R[:, seen])) if seen else ()

    def selected(self, kept: Sequence[int]) -> tuple[Array, Array]:
        """Some columns of X and the response, and the triangle of these."""
        if tuple(kept) == self.places:
            return self.values, self.R
        chosen = [*(self.places.index(j) for j in kept), len(self.places)]
        return self.values[:, chosen], np.asarray(np.linalg.qr(self.R[:, chosen], mode="r"))


def _triangle(columns: Array, weights: Array | None) -> Array:
    """`triangle`, from the products of the columns where these keep all the digits that are asked for."""
    products = columns.T @ (columns if weights is None else weights[:, None] * columns)
    lengths = np.sqrt(np.diagonal(products))
    if lengths.size and lengths.all():
        correlations = products / np.outer(lengths, lengths)
        if np.linalg.eigvalsh(correlations)[0] > PLAIN:
            return np.asarray(np.linalg.cholesky(correlations).T * lengths)
    return triangle(columns, weights)


def _squares(columns: Array, weights: Array | None) -> Array:
    """Weighted sums of squares of columns that lie one after another."""
    return np.array([np.dot(c, c if weights is None else weights * c) for c in columns.T])


def beside(absorbed: Absorbed, rows: Rows) -> tuple[int, ...]:
    """Columns of X that the model has: see `Left.kept`."""
    return Left.of(absorbed, rows).kept(rows.encoding.fixed_names)


def beside_levels(encoding: Encoding, rows: Rows, columns: Array) -> Array:
    """What absorbed factors leave of columns of the rows, without weights; the columns if there are none."""
    absorbed = absorbed_of(encoding, rows)
    return columns if absorbed is None else replace(absorbed, weights=None).residuals(columns).values


def unweighted_triangle(rows: Rows, kept: tuple[int, ...]) -> Array:
    """R with ``R'R = X'X`` of what the absorbed factors leave of the columns of X that are kept, (p, p)."""
    if rows.encoding.absorbed:
        return triangle(beside_levels(rows.encoding, rows, rows.design.selected(kept).X))
    return triangle_of(selected(rows, kept), weighted=False)


def surely_left(absorbed: Absorbed, rows: Rows) -> NDArray[np.bool_]:
    """Of which columns of X the absorbed factors leave more than 1e-7 of their length about the mean."""
    return np.asarray(Left.of(absorbed, rows).share > TOLERANCE)


def refuse_absorbed(encoding: Encoding, what: str, why: str) -> None:
    """Refuse what is not computed beside absorbed factors.

    Raises
    ------
    ModelError
    """
    if encoding.absorbed:
        raise ModelError(
            f"{what} is not there for a model with absorbed factors: {why}; write them as terms or as random "
            "terms where it is needed"
        )


def without_effects(absorbed: Absorbed, rows: Rows) -> Rows:
    """Rows whose response is what the absorbed factors leave of it: their model is the same, but for the
    effects of the levels.

    Raises
    ------
    ModelError
        They leave nothing.
    """
    design = rows.design
    assert design.y is not None
    y = design.y if design.offset is None else design.y - design.offset
    left = absorbed.residuals(y[:, None]).values[:, 0]
    if np.linalg.norm(left) <= EXACT * np.linalg.norm(y - y.mean()):
        raise ModelError(
            "the absorbed factors fit the response exactly, and leave no variation that could be explained: "
            "absorb fewer factors, or factors with fewer levels"
        )
    left = left if design.offset is None else left + design.offset
    return rows.changed(rows.encoding, lambda one: replace(one, y=left))


def effects_of(
    encoding: Encoding, rows: Rows, explained: Callable[[Design], Array], n_jobs: int | None = None
) -> Effects:
    """Estimates of all levels, given what the model without them says of a row.

    Raises
    ------
    ModelError
        Nothing is absorbed.
    """
    absorbed = absorbed_of(encoding, rows, n_jobs)
    if absorbed is None:
        raise ModelError("the model has no absorbed factors: write them after a bar, y ~ x + (1 | g) | f")
    design = rows.design
    assert design.y is not None
    left = design.y - explained(design)
    if design.offset is not None:
        left = left - design.offset
    return absorbed.effects(left[:, None])
