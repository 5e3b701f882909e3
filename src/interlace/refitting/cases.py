"""Rows drawn anew, with the groups that they come in: the case bootstrap, and rows left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from interlace.arrays import Index
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.gathered import some_rows
from interlace.design.grouping import Grouping
from interlace.design.reduced import without_columns
from interlace.design.relearning import without_extras
from interlace.design.rows import FrameRows
from interlace.design.values import Column
from interlace.errors import DataError, ModelError, shown
from interlace.estimation.fit import Fit
from interlace.estimation.fit import fit as fit_model
from interlace.frozen import dataclass
from interlace.refitting.resampling import refuse_known
from interlace.text import did_you_mean

ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Factors:
    """The grouping factors of a model, those with the fewest levels first.

    Attributes
    ----------
    names : tuple of str
    codes : tuple of ndarray of int, (n,)
    """

    names: tuple[str, ...]
    codes: tuple[Index, ...]

    @classmethod
    def of(cls, fit: Fit) -> Factors:
        """Those of the model."""
        found = {
            block.group: np.unique(rows.codes, return_inverse=True)[1]
            for block, rows in zip(fit.encoding.random, fit.design.random, strict=True)
        }
        order = sorted(found, key=lambda name: int(found[name].max()))
        return cls(tuple(order), tuple(found[name] for name in order))

    def within(self, inner: int, outer: int) -> bool:
        """Does each level of one lie in a level of the other?"""
        return nested(self.codes[inner], self.codes[outer])

    @property
    def outermost(self) -> list[int]:
        """Factors whose levels lie in levels of no other factor."""
        every = range(len(self.names))
        return [i for i in every if not any(self.within(i, j) for j in range(i))]

    def independent(self, kind: str) -> int:
        """The factor in whose levels all others lie: its levels are independent of each other.

        Raises
        ------
        ModelError
            There is none.
        """
        if len(self.outermost) > 1:
            crossed = " and ".join(self.names[i] for i in self.outermost)
            raise ModelError(
                f"kind='{kind}' needs groups of rows that are independent of each other, and the levels of "
                f"{crossed} are crossed: take kind='parametric' or 'residual', or name a factor by resample="
            )
        return 0


def nested(inner: Index, outer: Index) -> bool:
    """Does each level of one lie in a level of the other?"""
    first = np.zeros(int(inner.max()) + 1, dtype=outer.dtype)
    first[inner] = outer
    return bool((first[inner] == outer).all())


@dataclass(frozen=True, slots=True)
class Cases:
    """Levels of grouping factors, or rows within them, are drawn with replacement.

    A level that is drawn twice is two levels of the sample, each with effects of its own (Van der Leeden,
    Meijer and Busing 2008).

    Attributes
    ----------
    factors : Factors
    chain : tuple of int
        Factors from the outermost to the innermost that is drawn from, each nested in the one before.
    drawn : tuple of bool
        Which of these are drawn.
    rows : bool
        Are rows drawn, within levels of the last of the chain?
    """

    factors: Factors
    chain: tuple[int, ...]
    drawn: tuple[bool, ...]
    rows: bool

    @classmethod
    def of(cls, fit: Fit, resample: Any) -> Cases:
        """What `resample` names: grouping factors and "rows"; or a True or False for each factor from the
        outermost to the innermost, and one for the rows; by default the outermost factor alone."""
        refuse_known(fit)
        factors = Factors.of(fit)
        if resample is None:
            return cls(factors, (factors.independent("case"),), (True,), False)
        names = _names(factors, resample)
        asked = [i for i, name in enumerate(factors.names) if name in names]
        rows = ROWS in names and ROWS not in factors.names
        inner = asked[-1] if asked else len(factors.names) - 1
        chain = [i for i in range(inner + 1) if i in asked or i == inner or factors.within(inner, i)]
        if rows:
            chain = [i for i in range(len(factors.names)) if i in chain or factors.within(i, inner)]
        for outer, one in pairwise(chain):
            if not factors.within(one, outer):
                raise ModelError(
                    f"the levels of '{factors.names[one]}' are not nested in those of "
                    f"'{factors.names[outer]}', so that they cannot be drawn within them: draw the levels of "
                    "one of the two"
                )
        if rows and len(factors.outermost) > 1 and not asked:
            raise ModelError(
                "rows are drawn within levels of a grouping factor, and those of "
                f"{' and '.join(factors.names[i] for i in factors.outermost)} are crossed: name one of them "
                "too"
            )
        return cls(factors, tuple(chain), tuple(i in asked for i in chain), rows)

    def sample(self, rng: np.random.Generator) -> tuple[Index, dict[str, Index]]:
        """Rows, and the code of each in every grouping factor."""
        rows: Index = np.arange(len(self.factors.codes[0]))
        unit: Index = np.zeros(len(rows), dtype=np.intp)
        units: dict[int, Index] = {}
        for i, drawn in zip(self.chain, self.drawn, strict=True):
            places, unit = _levels(unit, self.factors.codes[i][rows], rng if drawn else None)
            rows, units = rows[places], {j: codes[places] for j, codes in units.items()} | {i: unit}
        if self.rows:
            order = np.argsort(unit, kind="stable")
            size = np.bincount(unit)
            first = (np.cumsum(size) - size)[unit[order]]
            picked = order[first + np.floor(rng.random(len(rows)) * size[unit[order]]).astype(np.intp)]
            rows, units = rows[picked], {i: codes[picked] for i, codes in units.items()}
        return rows, {name: self._codes(i, rows, units) for i, name in enumerate(self.factors.names)}

    def _codes(self, i: int, rows: Index, units: dict[int, Index]) -> Index:
        """Levels of a factor in the sample: those within a level that was copied are copies too."""
        codes = self.factors.codes[i][rows]
        around = [j for j in self.chain if self.factors.within(i, j)]
        if around:
            codes = codes * (int(units[around[-1]].max()) + 1) + units[around[-1]]
        return np.unique(codes, return_inverse=True)[1]


def _levels(unit: Index, codes: Index, rng: np.random.Generator | None) -> tuple[Index, Index]:
    """Levels within each unit, drawn with replacement or kept: places of the rows, and their new units."""
    level = np.unique(unit * (int(codes.max()) + 1) + codes, return_inverse=True)[1]
    order = np.argsort(level, kind="stable")
    size = np.bincount(level)
    first = np.cumsum(size) - size
    chosen = np.arange(len(size))
    if rng is not None:
        parent = unit[order[first]]  # levels of one unit stand side by side
        many = np.bincount(parent)
        begin = np.cumsum(many) - many
        chosen = begin[parent] + np.floor(rng.random(len(size)) * many[parent]).astype(np.intp)
    new = np.repeat(np.arange(len(chosen)), size[chosen])
    within = np.arange(len(new)) - np.repeat(np.cumsum(size[chosen]) - size[chosen], size[chosen])
    return order[first[chosen][new] + within], new


def _names(factors: Factors, resample: Any) -> tuple[str, ...]:
    known = [*factors.names, ROWS]
    given = [resample] if isinstance(resample, str) else resample
    if not isinstance(given, Sequence) or not given:
        raise DataError(f"resample must name grouping factors or 'rows', not {shown(resample)}")
    if all(isinstance(one, bool | np.bool_) for one in given):
        if len(given) != len(known):
            raise DataError(
                f"resample has {len(given)} entries of True or False, and there are {len(known)} levels to "
                f"draw from: {', '.join(known)}"
            )
        given = [name for name, one in zip(known, given, strict=True) if one]
        if not given:
            raise DataError("resample is False everywhere: nothing would be drawn")
    for name in given:
        if not isinstance(name, str) or name not in known:
            near = did_you_mean(name, known) if isinstance(name, str) else ""
            raise DataError(
                f"resample names {shown(name)}: {near}{' ' * bool(near)}choose from {', '.join(known)}"
            )
    return tuple(given)


def fit_rows(
    fit: Fit,
    rows: Index,
    codes: dict[str, Index] | None = None,
    columns: Mapping[str, Column] | None = None,
) -> Fit:
    """The model fitted to some of its rows (any of them more than once), with its options.

    Parameters
    ----------
    rows : ndarray of int
    codes : dict of str to ndarray of int, optional
        Levels of the grouping factors; those of the rows by default.
    columns : mapping of str to column, optional
        Columns with other values than those of the rows; what the formula has learnt stays.

    Raises
    ------
    ModelError
        The rows do not tell every coefficient, or cannot be fitted.
    DataError
        There are levels of which a known covariance says nothing.
    """
    whole = without_columns(fit.rows, fit.kept)
    design, encoding = _taken(whole.design, rows), whole.encoding
    if columns:
        design = _encoded(encoding, design, columns)
    random, blocks, groupings = list(design.random), list(encoding.random), dict[str, Grouping]()
    for i, block in enumerate(blocks):
        if block.known is not None:  # its levels stay, those without rows too
            _check_known(block.group, design.random[i].codes, None if codes is None else codes[block.group])
            continue
        given = design.random[i].codes if codes is None else codes[block.group]
        there, new = np.unique(given, return_inverse=True)
        random[i] = replace(design.random[i], codes=np.ascontiguousarray(new, dtype=np.int32))
        if block.group not in groupings:
            labels = block.levels[there] if codes is None else np.arange(len(there))
            groupings[block.group] = _grouping(block.grouping, labels)
        blocks[i] = replace(block, grouping=groupings[block.group])
    encoding, design = replace(encoding, random=tuple(blocks)), replace(design, random=tuple(random))
    found = fit_model(encoding, FrameRows(encoding, design), reml=fit.reml, n_jobs=fit.n_jobs)
    if found.names != fit.names:
        raise ModelError("the rows do not tell every coefficient")
    return found


def _check_known(group: str, own: Index, asked: Index | None) -> None:
    there, ranks = np.unique(own, return_inverse=True)
    if asked is not None and not np.array_equal(ranks, asked):
        raise DataError(
            f"levels of '{group}' have a known covariance, which says nothing of other levels: take as many "
            f"of '{group}' as there are or fewer ({len(there)} have rows), or more rows by n_per_group"
        )


def _encoded(encoding: Encoding, design: Design, columns: Mapping[str, Column]) -> Design:
    """The design with other values in some columns."""
    frame = replace(design.frame, columns={**design.frame.columns, **columns})
    found = without_extras(encoding).design(frame)
    if found.kept is not None:
        raise ModelError(f"the formula has no value for some of the values of {', '.join(columns)}")
    return replace(
        found, y=design.y, weights=design.weights, offset=design.offset, n_rows_read=design.n_rows_read
    )


def _grouping(old: Grouping, labels: np.ndarray) -> Grouping:
    """A factor with these levels; of a product the first factor has them, and the others one level."""
    if old.combinations is None:
        return Grouping(old.group, old.factors, (labels,), None)
    others = [np.array([""], dtype=object)] * (len(old.parts) - 1)
    return Grouping(old.group, old.factors, (labels, *others), np.arange(len(labels), dtype=np.int64))


def _taken(design: Design, rows: Index) -> Design:
    """Some rows, with all columns."""
    frame = design.frame
    columns = {name: c.take(rows) for name, c in frame.columns.items()}
    index = None if frame.index is None else frame.index[rows]
    return replace(
        some_rows(design, rows),
        n_rows_read=len(rows),
        kept=None,
        frame=replace(frame, columns=columns, missing={}, nrows=len(rows), index=index),
        source=None,
    )
