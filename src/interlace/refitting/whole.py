"""The model of all rows that the models of folds are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from interlace.arrays import Index
from interlace.design.checks import check_levels
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.relearning import learnt_words, relearnt, without_extras
from interlace.design.rows import FrameRows, Rows, selected
from interlace.errors import ModelError
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.fit import Fit
from interlace.estimation.penalized import System
from interlace.frozen import dataclass
from interlace.refitting.deleted import rows_of_levels
from interlace.refitting.deletion import Piece


@dataclass(frozen=True, slots=True)
class Whole:
    """All rows, encoded, with their cross-products and the criterion.

    Attributes
    ----------
    encoding : Encoding
    rows : Rows
        With the columns of X that are in the model.
    design : Design
        All of them, or some that were read.
    places : ndarray of int or None
        Where these stand among all rows; None where they are all.
    criterion : ProfiledDeviance
    names : tuple of str
        Of these columns.
    rows_of_levels : tuple of ndarray
        Per covariance block the number of rows of each level.
    middle : float
        The mean response.
    """

    encoding: Encoding
    rows: Rows
    design: Design
    places: Index | None
    criterion: ProfiledDeviance
    names: tuple[str, ...]
    rows_of_levels: tuple[Index, ...]
    middle: float

    @classmethod
    def of(cls, fit: Fit) -> Whole:
        """Those of a fit in memory."""
        return cls.of_design(fit, FrameRows(fit.encoding, fit.design.selected(fit.kept)), fit.criterion)

    @classmethod
    def of_design(cls, fit: Fit, rows: FrameRows, criterion: ProfiledDeviance) -> Whole:
        """Rows in memory, and a criterion of them."""
        counts = rows_of_levels(rows)
        assert rows.design.y is not None
        middle = float(rows.design.y.mean())
        return cls(rows.encoding, rows, rows.design, None, criterion, fit.names, tuple(counts), middle)

    @classmethod
    def of_pieces(cls, fit: Fit) -> Callable[[Index, Design], Whole]:
        """Those of a fit whose rows are read in chunks: of the places of some rows, and these."""
        rows, counts = selected(fit.rows, fit.kept), tuple(rows_of_levels(fit.rows))
        middle = sum(float(np.add.reduce(np.asarray(one.y))) for one in fit.rows.designs()) / fit.rows.n

        def of(places: Index, design: Design) -> Whole:
            some = design.selected(fit.kept)
            return cls(fit.encoding, rows, some, places, fit.criterion, fit.names, counts, middle)

        return of

    @property
    def piece(self) -> Piece:
        """The rows of the design, and that there are others."""
        return Piece(self.rows, self.design, self.places)

    def levels_left(self, gone: Index) -> Iterator[tuple[str, int]]:
        """Grouping factors that may have lost levels, and how many have rows left."""
        for rows, part, block in zip(
            self.rows_of_levels, self.design.random, self.encoding.random, strict=True
        ):
            if block.known is None and len(rows) <= len(gone) + 1:
                left = rows - np.bincount(part.codes[gone], minlength=len(rows))
                yield block.group, int((left > 0).sum())

    def has_levels(self, gone: Index) -> bool:
        """Do grouping factors keep two levels, or have levels of a known covariance?"""
        return all(levels > 1 for _, levels in self.levels_left(gone))

    def check_levels(self, gone: Index) -> None:
        """The same as an error."""
        for group, levels in self.levels_left(gone):
            check_levels(group, levels)

    def mean_without(self, gone: Index) -> float:
        """The mean response of the other rows."""
        y = self.design.y
        assert y is not None
        return float(self.middle - (y[gone] - self.middle).sum() / (self.rows.n - len(gone)))


def leak(fit: Fit) -> str:
    """The functions of the formula that learn numbers from rows, as a text; "" if there are none."""
    return learnt_words(fit.encoding)


def of_fold(fit: Fit, gone: Index) -> Whole:
    """All rows where functions of the formula have learnt from those that are left alone.

    Raises
    ------
    ModelError
        Groups are made by such a function, and their levels change with the rows.
    """
    before = fit.design
    stay = np.ones(before.nrows, dtype=bool)
    stay[gone] = False
    encoding = relearnt(fit.encoding, before.frame.take(np.flatnonzero(stay)))
    design = without_extras(encoding).design(before.frame)
    for block, part in zip(encoding.random, design.random, strict=True):
        if part.codes.min() < 0:
            raise ModelError(
                f"the groups of '{block.group}' change with the rows that they are learnt from: take "
                "transforms='data', or make the groups in the data"
            )
    if design.kept is not None:
        raise ModelError(
            f"{learnt_words(encoding)}, learnt from the other rows, has no value for some of these: take "
            "transforms='data'"
        )
    design = replace(
        design.selected(fit.kept), y=before.y, weights=before.weights, offset=before.offset, source=None
    )
    A = CrossProducts.of(encoding, design)
    criterion = ProfiledDeviance.of(System.of(encoding, A, fit.n_jobs), reml=fit.reml)
    criterion = criterion.without(fit.identification.superfluous(reml=fit.reml))
    return Whole.of_design(fit, FrameRows(encoding, design), criterion)
