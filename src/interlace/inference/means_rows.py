"""The rows of a table of means: linear functions of coefficients, with what stands beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from interlace.arrays import Array
from interlace.errors import DataError, shown
from interlace.frozen import dataclass
from interlace.inference.families import NONE
from interlace.inference.means_labels import RowLabels, text
from interlace.inference.means_source import Source
from interlace.inference.means_view import CONTRASTS, MEANS, View
from interlace.inference.response_scale import NoWayBack, ResponseScale


@dataclass(frozen=True, repr=False, eq=False)
class MeansRows:
    """Rows with their estimates; taking some and putting several together.

    Attributes
    ----------
    source : MeansSource or GivenSource
    labels : RowLabels
        What stands beside the rows.
    L : ndarray, (m, P)
        Over all columns of X, those too that were dropped for depending on others.
    shift : ndarray, (m,)
        What the offset adds.
    kind : {"means", "contrasts", "trends"}
        Contrasts print with tests, the others with intervals.
    level : float
        Confidence level.
    adjust : str
        The adjustment for several tests by default.
    family : str
        "pairwise" if each group holds all differences of two means.
    said : tuple of str
        Notes that go with every table.
    scale : ResponseScale, NoWayBack or None
        How the response was transformed; None where it was not, or where estimates have no place on its
        scale.
    view : View
        The scale of tables.
    cross_adjust : str
        The adjustment of tests over groups by default.
    """

    source: Source
    labels: RowLabels
    L: Array
    shift: Array
    kind: str = MEANS
    level: float = 0.95
    adjust: str = NONE
    family: str = ""
    said: tuple[str, ...] = ()
    scale: ResponseScale | NoWayBack | None = None
    view: View = field(default_factory=View)
    cross_adjust: str = NONE

    # ---- numbers ----

    @cached_property
    def estimate(self) -> Array:
        """The estimates, (m,); NaN where the data do not tell them."""
        return self.source.estimate(self.L) + self.shift

    @cached_property
    def se(self) -> Array:
        """Their standard errors, (m,)."""
        return self.source.se(self.L)

    @cached_property
    def df(self) -> Array:
        """Their degrees of freedom, (m,)."""
        return self.source.df(self.L)

    @property
    def vcov(self) -> pd.DataFrame:
        """The covariance of the estimates, (m, m)."""
        return pd.DataFrame(self.source.vcov(self.L), index=self._names, columns=self._names)

    @property
    def linfct(self) -> Array:
        """The rows as linear functions of all columns of X, (m, P); a copy."""
        return self.L.copy()

    @property
    def by(self) -> tuple[str, ...]:
        """The columns that make groups."""
        return self.labels.by

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def _names(self) -> list[str]:
        columns = self.labels.columns.values()
        return [" ".join(text(values[i]) for values in columns) for i in range(len(self))]

    # ---- rows ----

    def __getitem__(self, rows: Any) -> Self:
        """Some rows: a slice, a mask, places, or one place."""
        try:
            taken = np.arange(len(self))[rows]
        except (IndexError, TypeError, ValueError) as error:
            raise DataError(f"{shown(rows)} chooses no rows: there are {len(self)}, from 0") from error
        at = np.atleast_1d(taken)
        return replace(
            self, labels=self.labels.take(at), L=self.L[at], shift=self.shift[at], family=self._family_of(at)
        )

    def _family_of(self, rows: np.ndarray) -> str:
        return self.family if len(rows) == len(self) else ""

    def __add__(self, other: Any) -> Self:
        """The rows of both, in one group: of the same model, with the same columns."""
        if not isinstance(other, MeansRows):
            return NotImplemented
        _refuse_others(self.source, other.source)
        same = other.scale == self.scale and other.kind == self.kind
        said = list(dict.fromkeys([*self.said, *other.said]))
        if other.scale != self.scale:
            said.append("on the scale of the model: rows of several scales have no common way back")
        mine, theirs = self.labels.columns, other.labels.columns
        names = list(dict.fromkeys([*mine, *theirs]))
        columns = {
            name: (*mine.get(name, (".",) * len(self)), *theirs.get(name, (".",) * len(other)))
            for name in names
        }
        return replace(
            self,
            labels=RowLabels(columns),
            L=np.vstack([self.L, other.L]),
            shift=np.concatenate([self.shift, other.shift]),
            kind=self.kind if same else CONTRASTS,
            scale=self.scale if same else None,
            family="",
            said=tuple(said),
        )

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))


def _refuse_others(mine: Source, theirs: Source) -> None:
    if not np.array_equal(theirs.beta, mine.beta, equal_nan=True):
        raise DataError("rows of two different models cannot stand in one table")
    if theirs.ddf.name != mine.ddf.name or not np.array_equal(theirs.ddf.vcov, mine.ddf.vcov):
        raise DataError(
            f"rows with degrees of freedom by {mine.ddf.name} and by {theirs.ddf.name}, or with two "
            "covariances of the coefficients, cannot stand in one table"
        )
