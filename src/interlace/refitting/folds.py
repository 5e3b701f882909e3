"""Which rows are held out together, and which are then fitted: the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from interlace.arrays import Index
from interlace.design.row_labels import row_labels
from interlace.design.rows import codes_of, per_row
from interlace.errors import DataError, shown
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.options import count, generator


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows that are held out, and rows that the model is not fitted to.

    Attributes
    ----------
    label : object
        What the table calls it: the group that is left out, or a number.
    held : ndarray of int
        Places among the rows used, in order, of those that are predicted.
    gone : ndarray of int
        Of those that are not fitted: these, and perhaps more.
    """

    label: Any
    held: Index
    gone: Index


@dataclass(frozen=True, slots=True)
class Folds:
    """Passes over the data, in each of which no row is held out twice.

    Attributes
    ----------
    passes : tuple of tuple of Fold
    units : ndarray of int, (n,)
        What is predicted as one and counts as one observation of the errors: the group of each row, or the
        row itself.
    n_units : int
    groups : str
        Name of the groups; "" where rows are held out one by one.
    words : str
        What was done, for a note.
    """

    passes: tuple[tuple[Fold, ...], ...]
    units: Index
    n_units: int
    groups: str
    words: str

    @property
    def count(self) -> int:
        """The number of folds in all passes."""
        return sum(len(folds) for folds in self.passes)


def make_folds(fit: Fit, *, by: Any, k: Any, repeats: int, seed: Any) -> Folds:
    """The folds that are asked for; see `LinearMixedModel.cross_validate`.

    Raises
    ------
    DataError
        Neither groups nor a number, more folds than groups, or a splitter that gives no rows.
    """
    repeats = count("repeats", repeats)
    name, units, labels = _units(fit, by)
    what = f"the groups of {name}" if name else "the rows"
    if k is None:
        if by is None:
            raise DataError("say what is held out: a grouping factor, by='...', or a number of folds, k=10")
        if repeats > 1:
            raise DataError(
                "repeats goes with k: one group at a time is held out in one way only, whatever the seed"
            )
        passes: tuple[tuple[Fold, ...], ...] = (_each(units, labels),)
        return Folds(passes, units, len(labels), name, f"each of the {len(labels)} groups of {name} held out")
    if not isinstance(k, int | np.integer | float) or isinstance(k, bool):
        if repeats > 1:
            raise DataError(
                "repeats goes with a number of folds k: a splitter says itself how often it splits"
            )
        passes = _split(fit, k, units if name else None)
        return Folds(passes, units, len(labels), name, f"folds of {type(k).__name__}")
    k = count("k", k)
    if k < 2:
        raise DataError(f"k must be 2 or more, not {k}: with one fold no rows are left to fit")
    if k > len(labels):
        raise DataError(
            f"k={k} folds need as many of {what}, and there are {len(labels)}"
            + ("; leave k out to hold out one group at a time" if name else "")
        )
    rng = generator(seed)
    passes = tuple(_parts(rng, units, len(labels), k) for _ in range(repeats))
    again = f", {repeats} times over" if repeats > 1 else ""
    return Folds(passes, units, len(labels), name, f"{k} folds of {what}{again}")


def _units(fit: Fit, by: Any) -> tuple[str, Index, Any]:
    if by is None:
        n = fit.rows.n
        return "", np.arange(n), range(n)
    if isinstance(by, list | tuple) and all(isinstance(one, str) for one in by) and len(by) != fit.rows.n:
        raise DataError(f"by takes one grouping, not {shown(by)}: write by='a:b', or put both in one column")
    name, codes, labels = _grouping(fit, by)
    there, codes = np.unique(codes, return_inverse=True)
    if len(there) < 2:
        one = f"by={name} has" if isinstance(by, str) else f"{name} have"
        raise DataError(f"{one} one level: without it no rows are left to fit")
    chosen = np.asarray(labels)[there].tolist()  # Python's own numbers and texts
    return name, codes.reshape(-1), chosen


def _grouping(fit: Fit, by: Any) -> tuple[str, Index, Any]:
    if isinstance(by, str):
        for i, block in enumerate(fit.encoding.random):
            if by == block.group:
                return f"'{by}'", codes_of(fit.rows)[i], block.levels
    factor = row_labels(fit.rows, "by", by)
    return (f"'{by}'" if isinstance(by, str) else "the labels given"), factor.codes, factor.levels


def _each(units: Index, labels: Any) -> tuple[Fold, ...]:
    order = np.argsort(units, kind="stable")
    ends = np.searchsorted(units[order], np.arange(len(labels) + 1))
    held = (order[a:b] for a, b in pairwise(ends))
    return tuple(Fold(label, rows, rows) for label, rows in zip(labels, held, strict=True))


def _parts(rng: np.random.Generator, units: Index, n_units: int, k: int) -> tuple[Fold, ...]:
    """Units in random order, cut into k parts whose numbers of units differ by one at most."""
    part = np.empty(n_units, dtype=np.intp)
    for j, some in enumerate(np.array_split(rng.permutation(n_units), k)):
        part[some] = j
    return _each(part[units], range(1, k + 1))


def _split(fit: Fit, splitter: Any, groups: Index | None) -> tuple[tuple[Fold, ...], ...]:
    """The folds of a splitter of scikit-learn, or of pairs (train, test) of places of rows."""
    n = fit.rows.n
    if hasattr(splitter, "split") and not isinstance(splitter, str):
        try:
            y = per_row(fit.rows, lambda design: np.asarray(design.y))
            pairs = list(splitter.split(np.empty((n, 1)), y, groups))
        except ValueError as error:
            raise DataError(f"the splitter cannot split the rows: {error}") from error
    elif isinstance(splitter, Iterable) and not isinstance(splitter, str | bytes):
        pairs = list(splitter)
    else:
        raise DataError(
            "k must be a number of folds, a splitter such as GroupKFold(5), or pairs (train, test) of places "
            f"of rows, not {shown(splitter)}"
        )
    if not pairs:
        raise DataError("the splitter gives no folds")
    passes: list[list[Fold]] = [[]]
    seen = np.zeros(n, dtype=bool)
    for number, pair in enumerate(pairs, 1):
        train, held = _pair(number, pair, n)
        if seen[held].any():
            passes.append([])
            seen[:] = False
        seen[held] = True
        gone = np.ones(n, dtype=bool)
        gone[train] = False
        passes[-1].append(Fold(number, held, np.flatnonzero(gone)))
    return tuple(map(tuple, passes))


def _pair(number: int, pair: Any, n: int) -> tuple[Index, Index]:
    try:
        train, held = (np.asarray(part) for part in pair)
    except (TypeError, ValueError) as error:
        raise DataError(f"fold {number} is no pair (train, test) of places of rows") from error
    found = []
    for what, part in (("train", train), ("test", held)):
        places = np.flatnonzero(part) if part.dtype == bool and part.shape == (n,) else part
        if places.ndim != 1 or places.dtype.kind not in "iu" or not places.size:
            raise DataError(f"fold {number}: the {what} rows must be whole numbers, one or more")
        if places.min() < 0 or places.max() >= n:
            raise DataError(f"fold {number}: the {what} rows must be from 0 to {n - 1}, places of rows used")
        unique = np.unique(places).astype(np.intp)
        if len(unique) != len(places):
            raise DataError(f"fold {number} has a row twice among its {what} rows")
        found.append(unique)
    if np.intersect1d(found[0], found[1]).size:
        raise DataError(f"fold {number} has rows both to fit and to predict")
    return found[0], found[1]
