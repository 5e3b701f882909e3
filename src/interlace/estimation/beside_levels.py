"""Absorbed factors of a model: which columns of X they leave, and the effects of their levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array
from interlace.design.absorbing import learn_absorbed
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.rows import Rows
from interlace.errors import ModelError
from interlace.estimation.absorbed import Absorbed, Effects
from interlace.estimation.rank import TOLERANCE, independent, triangle

# Of the length of the response, what is rounding error.
EXACT = 1e-10
# Why what leaves out rows is refused.
ROWS_LEAVE = "without some rows, levels of the absorbed factors may leave and their rank may change"
# Of the length of a column, less than this leaves products of columns without the digits that a search needs.
HARDLY = 1e-4


def absorbed_of(encoding: Encoding, rows: Rows, n_jobs: int | None = None) -> Absorbed | None:
    """The absorbed factors of these rows, which are in memory; None if there are none."""
    if not encoding.absorbed:
        return None
    design = rows.design
    factors = learn_absorbed(design.frame, [one.term for one in encoding.absorbed])
    return Absorbed(factors, design.weights, n_jobs)


def beside(absorbed: Absorbed, rows: Rows) -> tuple[int, ...]:
    """Columns of X of which the absorbed factors leave something that does not depend on earlier ones, by the
    rule of `independent`."""
    left, share = _left(absorbed, rows)
    hardly = np.flatnonzero((share > TOLERANCE) & (share < HARDLY))
    if len(hardly):
        name = rows.encoding.fixed_names[hardly[0]]
        raise ModelError(
            f"the absorbed factors leave {share[hardly[0]]:.1g} of the length of '{name}': too little of it "
            "for products of large numbers, and too much to leave it out. Take what they explain from it "
            "beforehand: the column of interlace.demean(data, ...) has the same coefficient"
        )
    places = np.flatnonzero(share > TOLERANCE)
    return tuple(places[list(independent(triangle(left[:, places])))].tolist()) if len(places) else ()


def beside_levels(encoding: Encoding, rows: Rows, columns: Array) -> Array:
    """What absorbed factors leave of columns of the rows, without weights; the columns if there are none."""
    absorbed = absorbed_of(encoding, rows)
    return columns if absorbed is None else replace(absorbed, weights=None).residuals(columns).values


def surely_left(absorbed: Absorbed, rows: Rows) -> NDArray[np.bool_]:
    """Of which columns of X the absorbed factors leave more than 1e-7 of their length about the mean."""
    return np.asarray(_left(absorbed, rows)[1] > TOLERANCE)


def _left(absorbed: Absorbed, rows: Rows) -> tuple[Array, Array]:
    """What is left of the columns of X, with the roots of the weights, and the share of their length."""
    X = rows.design.X
    root = np.ones((len(X), 1)) if absorbed.weights is None else np.sqrt(absorbed.weights)[:, None]
    spans = any(factor.term.intercept for factor in absorbed.factors)
    centred = X - X.mean(axis=0) if spans else X
    left = absorbed.residuals(centred).values * root
    length = np.linalg.norm(root * centred, axis=0)
    return left, np.linalg.norm(left, axis=0) / np.where(length > 0, length, 1.0)


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
