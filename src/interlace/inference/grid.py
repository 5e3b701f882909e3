"""The reference grid: means of the fixed part over levels and values of its variables.

The grid itself is never built. The columns of a term are averaged over the levels of the variables of that
term alone, so that ten factors cost what their terms cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import prod

import numpy as np

from interlace.arrays import Array
from interlace.design.products import FactorColumns, MemberColumns, TermColumns
from interlace.design.reference import columns_of_rows, member_values, members_of
from interlace.errors import DataError
from interlace.estimation.any_fit import AnyFit
from interlace.frozen import dataclass
from interlace.inference.means_labels import text
from interlace.inference.variables import Asked, Variable, variables_of
from interlace.inference.weighting import Weighting
from interlace.text import listed


@dataclass(frozen=True)
class ReferenceGrid:
    """The values at which the fixed part is looked at.

    Attributes
    ----------
    fit : AnyFit
    variables : dict of str to Variable
    """

    fit: AnyFit
    variables: dict[str, Variable]

    @classmethod
    def of(cls, fit: AnyFit, asked: Asked) -> ReferenceGrid:
        """From the values that are asked for; see `variables_of`."""
        return cls(fit, variables_of(fit, asked))

    def sizes(self, names: Sequence[str]) -> list[int]:
        """The number of values of each of these variables."""
        return [len(self.variables[name].levels) for name in names]

    def combinations(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """The places (m,) of the values in all combinations, those of the first variable varying fastest."""
        sizes = self.sizes(names)
        places = np.unravel_index(np.arange(prod(sizes)), sizes, order="F") if names else ()
        return dict(zip(names, (np.asarray(p) for p in places), strict=True))

    def rows(self, at: Mapping[str, np.ndarray], weighting: Weighting) -> Array:
        """The means as linear functions of all columns of X.

        Parameters
        ----------
        at : mapping of str to ndarray of int, (m,)
            For the variables that are not averaged over, the place of the value in each mean.
        weighting : Weighting
            Of all others.

        Returns
        -------
        ndarray, (m, P)
            P counts the columns of X that were dropped too.
        """
        m = len(next(iter(at.values()))) if at else 1
        terms = self.fit.encoding.term_columns
        L = np.zeros((m, len(self.fit.encoding.fixed_names)))
        for term in terms:
            L[:, term.columns] = _TermMeans(self, term, dict(at), weighting, m).rows()
        return L

    @cached_property
    def offset(self) -> float:
        """What the offset adds to every mean: its own mean over the rows, as R's emmeans has it."""
        encoding = self.fit.encoding
        if not encoding.formula.offsets and encoding.offset is None:
            return 0.0
        total, n = 0.0, 0
        for _, weights, offset in columns_of_rows(self.fit.rows, ()):
            total += 0.0 if offset is None else float(offset.sum())
            n += len(weights)
        return total / n


@dataclass(frozen=True, slots=True)
class _Live:
    """The variables of a piece that are not averaged one by one: those of the means, and those weighed
    together.

    Attributes
    ----------
    fixed, joint, alone : list of str
        Variables that the means are at; that are weighed together; that are weighed by themselves.
    """

    fixed: list[str]
    joint: list[str]
    alone: list[str]
    names: list[str]
    grid: ReferenceGrid
    at: dict[str, np.ndarray]
    weighting: Weighting
    m: int

    @classmethod
    def of(
        cls,
        grid: ReferenceGrid,
        names: Sequence[str],
        at: dict[str, np.ndarray],
        weighting: Weighting,
        m: int,
    ) -> _Live:
        fixed = [n for n in names if n in at]
        joint = [n for n in names if n in weighting.joint]
        alone = [n for n in names if n not in at and n not in weighting.joint]
        order = [n for n in names if n not in alone]
        return cls(fixed, joint, alone, order, grid, at, weighting, m)

    def means(self, values: Array) -> Array:
        """Rows of the means (m, k) from those of the combinations of `names`, the last varying fastest."""
        k = values.shape[1]
        sizes = self.grid.sizes(self.names)
        table = values.reshape(*sizes, k)
        place = [self.names.index(n) for n in (*self.fixed, *self.joint)]
        few = self.grid.sizes(self.fixed)
        table = table.transpose(*place, len(sizes)).reshape(prod(few), -1, k)
        index = np.zeros(self.m, dtype=np.int64)
        for name, size in zip(self.fixed, few, strict=True):
            index = index * size + self.at[name]
        if not self.joint:
            return np.asarray(table[index, 0])
        weights = self.weighting.of_rows(self.joint, self.grid.sizes(self.joint), self.at)
        if len(weights) == 1:
            return np.asarray(np.einsum("a,sak->sk", weights[0], table)[index])
        found = np.empty((self.m, k))
        for one in np.unique(index):
            found[index == one] = weights[index == one] @ table[one]
        return found


@dataclass(frozen=True, slots=True)
class _TermMeans:
    """The columns of one term in all means."""

    grid: ReferenceGrid
    term: TermColumns
    at: dict[str, np.ndarray]
    weighting: Weighting
    m: int

    def rows(self) -> Array:
        """(m, k)."""
        members = members_of(self.grid.fit.encoding)
        used = {name: members[name].columns for name in self.term.members}
        names = list(dict.fromkeys(column for columns in used.values() for column in columns))
        live = _Live.of(self.grid, names, self.at, self.weighting, self.m)
        shared = {n for n in live.alone if sum(n in columns for columns in used.values()) > 1}
        order = [n for n in names if n in live.names or n in shared]
        blocks = []
        for product in self.term.products:
            parts = [self._part(part, used[part.name], live, shared, order) for part in product.parts]
            blocks.append(_multiplied(parts, tuple(self.grid.sizes(order))))
        values = np.concatenate(blocks, axis=-1)
        if self.term.kept is not None:
            values = values[..., list(self.term.kept)]
        for name in reversed(order):
            if name in shared:
                values = np.tensordot(self.weighting.each[name], values, ([0], [order.index(name)]))
        return live.means(values.reshape(-1, values.shape[-1]))

    def _part(
        self, part: MemberColumns, columns: Sequence[str], live: _Live, shared: set[str], order: list[str]
    ) -> Array:
        """The columns of a member over the axes of `order`, of length 1 where it does not depend on one."""
        values = self._values(part, columns)
        left = list(columns)
        for name in columns:
            if name in live.alone and name not in shared:
                values = np.tensordot(self.weighting.each[name], values, ([0], [left.index(name)]))
                left.remove(name)
        inside = [n for n in order if n in left]
        values = values.transpose(*(left.index(n) for n in inside), len(left))
        shape = [self.grid.sizes([n])[0] if n in left else 1 for n in order]
        return np.asarray(values.reshape(*shape, values.shape[-1]))

    def _values(self, part: MemberColumns, columns: Sequence[str]) -> Array:
        """The columns (k) of a member at all values of the columns of the data it uses."""
        sizes = self.grid.sizes(columns)
        n = prod(sizes)
        places = np.unravel_index(np.arange(n), sizes) if columns else ()
        data = {
            name: self.grid.variables[name].column(np.asarray(place))
            for name, place in zip(columns, places, strict=True)
        }
        found = member_values(self.grid.fit.encoding, part.name, data, n)
        if not np.isfinite(found).all():
            said = ", ".join(
                f"{name} = {listed(list(map(text, self.grid.variables[name].levels)))}" for name in columns
            )
            raise DataError(f"'{part.name}' is not finite at {said}: choose other values with at")
        if isinstance(part, FactorColumns):
            return part.columns(found).reshape(*sizes, part.width)
        return np.asarray(part.columns(found)).reshape(*sizes, part.width)


def _multiplied(parts: Sequence[Array], sizes: tuple[int, ...]) -> Array:
    """All products of a column of each part, those of the first varying fastest, over shared axes."""
    found = np.ones((*sizes, 1))
    for part in parts:
        both = part[..., :, None] * found[..., None, :]
        found = both.reshape(*both.shape[:-2], -1)
    return found
