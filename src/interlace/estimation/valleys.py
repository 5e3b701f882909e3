"""Where a criterion may have more than one minimum, and where to begin to look for the others.

Five things make a second valley. A random term whose columns, summed over the levels, are not in the span of
X: then the term may take a mean for itself, and its variance is large, or leave it to another term or to the
residuals. Levels that know their effects with very different precision (groups of unequal size, prior weights
over decades): then the large groups may say one variance and the small ones another. And coefficients and
effects that are nearly as many as the observations: then the effects may take nearly all of the response. And
covariates whose slope within levels is another than between them (see `Criterion.rivals`): with large effects
the slope within levels is believed. And correlated effects of which each level tells little more than one
combination, or that end with a singular covariance (see `Criterion.turned`): covariances of rank one may be
at a minimum in several directions. A model without any of them is searched once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice, product
from math import ceil, log10

import numpy as np
from numpy.typing import NDArray

from interlace.estimation.parameters import Parameters
from interlace.frozen import dataclass

Array = NDArray[np.floating]

# Levels of which one knows its effect so many times better than another, both a tenth from their end of the
# order, may not agree on the scale of their effects: where they are very few, few, and many.
UNEQUAL_VERY_FEW, UNEQUAL_FEW, UNEQUAL_MANY = 1.5, 3.0, 30.0
# Fewer levels than the first are very few, and a term with so few is looked at in large models too. Fewer
# than the second are few where the model has other terms, which may take the effects of some of them. Levels
# that leave fewer observations than they are have the first limit as well: the residual variance is known
# worse than theirs.
VERY_FEW, FEW = 12, 40
# With so many random effects an evaluation costs little beside reading a formula: every effect is looked at.
CHEAP = 400
# Observations that coefficients and random effects must leave, or the effects may take nearly all the rest.
LEFT = 6
# Then all of them together may take the place of the residuals, as which they are so many times as large.
REPLACED = 1000.0
# Searches from the start and about one minimum, at most: where a term has a mean, and where none has. Levels
# that know their effects over decades have more searches from the start, one for each decade of standard
# deviations above the first value that is LARGEST times that of the average level.
MOST, MOST_UNEQUAL = 32, 8
LARGEST = 100.0
# Standard deviations, in units of the residual one, of a term that is (nearly) left out.
SMALL = 1e-2
# Entries of the factors are so many times larger than the moments say, each alone.
TIMES = (10.0, 100.0)
# Directions of covariances of rank one that are looked at for each block, and sizes over the present one.
DIRECTIONS, SIZES = 32, (0.25, 1.0, 4.0)
# So many columns are looked at with both signs.
SIGNS = 6


@dataclass(frozen=True, slots=True)
class Term:
    """What the design says of one covariance block in the basis where its columns are orthonormal.

    Attributes
    ----------
    mean : bool
    spread : float
    levels : int
        As in `BlockFacts`.
    """

    mean: bool
    spread: float
    levels: int

    def unequal(self, terms: int, left: int) -> bool:
        """Do the levels know their effects with precision so different that they may not agree on a variance,
        in a model with so many terms, whose coefficients and effects leave so many observations?
        """
        if self.levels < VERY_FEW or left < self.levels:
            return self.spread > UNEQUAL_VERY_FEW
        return self.spread > (UNEQUAL_FEW if terms > 1 and self.levels < FEW else UNEQUAL_MANY)

    @property
    def decades(self) -> int:
        """Decades of standard deviations between `LARGEST` times the one of levels near the top and ten times
        the one of those near the bottom.
        """
        return max(0, ceil(log10(self.spread) / 2 + 1 - log10(LARGEST)))


@dataclass(frozen=True, slots=True)
class Effect:
    """One random effect: the parameters that say how large it is, which of them does it alone, and for how
    many decades of standard deviations above `LARGEST` the levels that know least have something to say.
    """

    row: NDArray[np.intp]
    diagonal: int
    decades: int

    def scaled(self, par: Array, times: float) -> Array:
        """The parameters, (..., m), with this effect so many times larger."""
        out = par.copy()
        nothing = np.abs(out[..., self.row]).max(axis=-1) < SMALL
        out[..., self.diagonal] = np.where(nothing, SMALL, out[..., self.diagonal])
        out[..., self.row] *= times
        return out


@dataclass(frozen=True, slots=True)
class Correlated:
    """A block of correlated effects: its parameters, the first column of its factor, and the other diagonal
    entries.

    Where the effects are far larger than the residuals, a covariance of rank one may leave nothing of some
    level for each of many directions, and each of them may be at a minimum. Far from it a search falls into
    any of them; a look at all directions tells which.
    """

    at: NDArray[np.intp]
    first: NDArray[np.intp]
    diagonal: NDArray[np.intp]

    @classmethod
    def of(cls, effects: Sequence[tuple[NDArray[np.intp], int]]) -> Correlated | None:
        """Of the effects of a block; none where they are not all correlated."""
        if len(effects) < 2 or any(len(row) != i + 1 for i, (row, _) in enumerate(effects)):
            return None
        return cls(
            np.concatenate([row for row, _ in effects]),
            np.array([row[0] for row, _ in effects]),
            np.array([diagonal for _, diagonal in effects[1:]]),
        )

    def singular(self, par: Array) -> list[Array]:
        """The parameters, (..., m), with a (nearly) singular covariance of this block, in all directions."""
        size, out = np.maximum(np.linalg.norm(par[..., self.at], axis=-1, keepdims=True), 1.0), []
        for direction in _directions(len(self.first)):
            for times in SIZES:
                trial = par.copy()
                trial[..., self.at] = 0.0
                trial[..., self.diagonal] = SMALL
                trial[..., self.first] = times * size * direction
                out.append(trial)
        return out


@lru_cache(maxsize=32)
def _directions(k: int) -> Array:
    """Unit vectors over the half sphere whose first entry is positive, the same for any sign of a column."""
    if k == 2:
        angle = np.pi * ((np.arange(DIRECTIONS) + 0.5) / DIRECTIONS - 0.5)
        return np.column_stack([np.cos(angle), np.sin(angle)])
    signs = np.array(list(product((1.0, -1.0), repeat=min(k - 1, SIGNS))))
    signs = np.hstack([np.ones((len(signs), k - signs.shape[1])), signs])
    found = np.abs(np.random.default_rng(k).normal(size=(max(1, k * DIRECTIONS // len(signs)), k)))
    found = (found[:, None] * signs).reshape(-1, k)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def one_by_one(parameters: Parameters, moments: Array, rival: Array, apart: float) -> list[Array]:
    """The moments with one effect after the other as large as a rival start has it, where that is more than
    `apart` times as large; none where the rival differs in one effect alone."""
    out = []
    for row, diagonal in (effect for block in parameters.effects for effect in block):
        there, here = (np.linalg.norm(par[row]) for par in (rival, moments))
        if there > apart * max(float(here), SMALL):
            start = moments.copy()
            start[row], start[diagonal] = 0.0, there
            out.append(start)
    return out if len(out) > 1 else []


@dataclass(frozen=True, slots=True)
class Doubt:
    """The random effects whose size may have a second value at a minimum, and how often to look.

    Attributes
    ----------
    terms : tuple of Term
        What the design says of each covariance block.
    left : int
        Observations less coefficients and random effects.
    effects : tuple of Effect
        None where the criterion has one minimum. All of them, where a term is in doubt and an evaluation is
        cheap; else those of terms with a mean, or with very few and unequal levels.
    correlated : tuple of Correlated
        The blocks of which some effects are in doubt, where an evaluation is cheap.
    one : ndarray
        Parameters of random effects as large as the residuals.
    sizes : ndarray of bool
        Which parameters are in proportion to the size of the effects.
    most : int
        Searches from the start, and about one minimum.
    """

    terms: tuple[Term, ...]
    left: int
    effects: tuple[Effect, ...]
    correlated: tuple[Correlated, ...]
    one: Array
    sizes: NDArray[np.bool_]
    most: int

    @classmethod
    def of(cls, parameters: Parameters, terms: Sequence[Term], left: int) -> Doubt:
        """Of the covariance blocks of a model, and the observations that all effects leave."""
        unequal = [term.unequal(len(terms), left) for term in terms]
        return cls._among(parameters, terms, left, unequal)

    @classmethod
    def everywhere(cls, parameters: Parameters, terms: Sequence[Term], left: int) -> Doubt:
        """Of all effects, as far as an evaluation is cheap or a term has very few levels."""
        return cls._among(parameters, terms, left, [True] * len(terms))

    @classmethod
    def _among(
        cls, parameters: Parameters, terms: Sequence[Term], left: int, unequal: Sequence[bool]
    ) -> Doubt:
        structures, one, sizes = parameters.structures, parameters.start, parameters.sizes
        if left >= LEFT and not any(unequal) and not any([term.mean for term in terms]):
            return cls(tuple(terms), left, (), (), one, sizes, 0)
        cheap = sum(s.k * term.levels for s, term in zip(structures, terms, strict=True)) <= CHEAP
        out, blocks = [], []
        for s, effects, term, differs in zip(structures, parameters.effects, terms, unequal, strict=True):
            if s.scouted:
                continue
            if cheap or term.mean or (differs and term.levels < VERY_FEW):
                out += [Effect(row, diagonal, term.decades) for row, diagonal in effects]
                blocks += [Correlated.of(effects)] * cheap
        most = MOST if any(term.mean for term in terms) else MOST_UNEQUAL
        correlated = tuple(block for block in blocks if block is not None)
        return cls(
            tuple(terms), left, tuple(out), correlated, one, sizes, most if cheap and out else len(out)
        )

    @classmethod
    def none(cls, parameters: Parameters) -> Doubt:
        """Nothing is looked at."""
        return cls((), LEFT, (), (), parameters.start, parameters.sizes, 0)

    def all_times(self, par: Array, times: float) -> Array:
        """The parameters with every effect so many times larger."""
        return np.where(self.sizes, times * par, par)

    def replacing(self) -> Iterator[Array]:
        """Effects so large that they take the place of the residuals, if there are so many that they may."""
        if self.left < LEFT:
            yield self.all_times(self.one, REPLACED)

    def starts(self, moments: Array) -> Iterator[Array]:
        """Parameters from which to search again, in the basis where the columns are orthonormal: one random
        effect after another is far larger, or far smaller, than the moments say, or larger than all others.

        With moments of many responses, (r, m), each start is one for all of them, (m,), or has their shape.
        """
        one, small = self.one, self.all_times(self.one, SMALL)
        kinds = ((moments, 100.0), (small, 1000.0), (one, 10.0), (moments, 10.0), (moments, 0.01))
        each = [effect.scaled(par, times) for par, times in kinds for effect in self.effects]
        first = len(self.effects)
        yield from islice(chain(each[:first], (one, self.all_times(one, 100.0)), each[first:]), self.most)
        for effect in self.effects:
            yield from (effect.scaled(one, LARGEST * 10.0**k) for k in range(1, effect.decades + 1))

    def entry_by_entry(self, moments: Array) -> Iterator[Array]:
        """Zero, and the moments, (..., m), with one entry after another so many times larger; none where an
        evaluation is not cheap, or all starts are among the others."""
        if not self.correlated:
            return
        yield np.where(self.sizes, 0.0, moments)
        for entry in np.flatnonzero(self.sizes & moments.reshape(-1, moments.shape[-1]).any(axis=0)):
            for times in TIMES:
                start = moments.copy()
                start[..., entry] *= times
                yield start

    def singular_about(self, optimum: Array) -> Iterator[list[Array]]:
        """Per block of correlated effects: covariances of rank one about the lowest minimum found so far."""
        return (block.singular(optimum) for block in self.correlated)

    def starts_about(self, optimum: Array) -> Iterator[Array]:
        """The same about the lowest minimum that was found."""
        each = (
            effect.scaled(optimum, times) for times in (10.0, 0.1, 100.0, 0.01) for effect in self.effects
        )
        yield from islice(each, self.most)
