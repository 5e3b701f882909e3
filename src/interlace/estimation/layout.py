"""How the covariance blocks of a formula lie in the blocks of the kernel and in lme4's theta."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from interlace.design.encoding import Encoding
from interlace.design.learnt import RandomEncoding
from interlace.frozen import dataclass

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Place:
    """Where one covariance block lies: columns `start` to `start + k` of grouping factor `group` of the
    kernel."""

    group: int
    start: int
    k: int

    @property
    def columns(self) -> slice:
        """Its columns within the grouping factor."""
        return slice(self.start, self.start + self.k)


@dataclass(frozen=True, slots=True)
class Layout:
    """Blocks with the same grouping factor are amalgamated; these are ordered by number of random
    effects, largest first, after them those whose levels have a known covariance. Absorbed factors stand
    among them by their size.

    Attributes
    ----------
    blocks : tuple of tuple of int
        Grouping factor of the kernel -> indices into `Encoding.random`; none for an absorbed factor.
    places : tuple of Place
        One per `Encoding.random`.
    levels, k : tuple of int
        Per grouping factor of the kernel.
    theta_order : tuple of int
        Indices into `Encoding.random` in the order of lme4's theta.
    absorbed : tuple of (int or None)
        Grouping factor of the kernel -> index into `Encoding.absorbed`, if it is one of these.
    """

    blocks: tuple[tuple[int, ...], ...]
    places: tuple[Place, ...]
    levels: tuple[int, ...]
    k: tuple[int, ...]
    theta_order: tuple[int, ...]
    absorbed: tuple[int | None, ...]

    @classmethod
    def of(cls, encoding: Encoding) -> Layout:
        """The layout of a model."""
        terms = encoding.formula.random
        random = tuple([_Block.of(block, terms[block.term].bar) for block in encoding.random])
        return _layout(random, tuple([one.held.shape for one in encoding.absorbed]))

    def names(self, encoding: Encoding) -> tuple[str, ...]:
        """Names of the grouping factors of the kernel."""
        return tuple(
            [
                str(encoding.absorbed[at].term) if at is not None else encoding.random[blocks[0]].group
                for at, blocks in zip(self.absorbed, self.blocks, strict=True)
            ]
        )

    @property
    def corners(self) -> list[tuple[int, int]]:
        """Per covariance block its grouping factor of the kernel, and its first column there."""
        return [(place.group, place.start) for place in self.places]

    @property
    def effects(self) -> int:
        """All effects of all levels, q."""
        return sum(map(mul, self.levels, self.k))

    def assembled(self, blocks: Sequence[Array]) -> list[Array]:
        """Matrices of the covariance blocks, (k, k), on the diagonal of those of the grouping factors of the
        kernel; the identity for absorbed factors."""
        out: list[Array] = []
        for members, k, absorbed in zip(self.blocks, self.k, self.absorbed, strict=True):
            if len(members) == 1:
                out.append(blocks[members[0]])
                continue
            whole = np.zeros((k, k)) if absorbed is None else np.identity(k)
            for i in members:
                whole[self.places[i].columns, self.places[i].columns] = blocks[i]
            out.append(whole)
        return out

    @property
    def varying(self) -> tuple[int, ...]:
        """Grouping factors of the kernel that have random effects."""
        return tuple(f for f, at in enumerate(self.absorbed) if at is None)


class _Block(NamedTuple):
    """All that a layout depends on, of one covariance block."""

    group: str
    size: int
    levels: int
    linked: bool  # levels that touch each other do not lead
    term: int
    bar: int | None

    @classmethod
    def of(cls, block: RandomEncoding, bar: int | None) -> _Block:
        grouping = block.grouping
        linked = block.known is not None
        return cls(grouping.group, len(block.columns), grouping.n_levels, linked, block.term, bar)


@lru_cache(maxsize=512)  # models are fitted by the thousand, and their layouts are few
def _layout(random: tuple[_Block, ...], absorbed: tuple[tuple[int, int], ...]) -> Layout:
    groups: dict[str, list[int]] = {}
    for i, block in enumerate(random):
        groups.setdefault(block.group, []).append(i)
    every = [_Group.of(random, blocks) for blocks in groups.values()]
    every += [_Group((), at, levels, k, False) for at, (levels, k) in enumerate(absorbed)]
    ordered = sorted(every, key=lambda group: (group.linked, -group.levels * group.k))
    places: dict[int, Place] = {}
    for f, group in enumerate(ordered):
        start = 0
        for i in group.blocks:
            places[i] = Place(f, start, random[i].size)
            start += random[i].size
    return Layout(
        blocks=tuple(group.blocks for group in ordered),
        places=tuple(places[i] for i in range(len(random))),
        levels=tuple(group.levels for group in ordered),
        k=tuple(group.k for group in ordered),
        theta_order=_term_order(random),
        absorbed=tuple(group.absorbed for group in ordered),
    )


class _Group(NamedTuple):
    """A grouping factor of the kernel."""

    blocks: tuple[int, ...]
    absorbed: int | None
    levels: int
    k: int
    linked: bool

    @classmethod
    def of(cls, random: Sequence[_Block], blocks: Sequence[int]) -> _Group:
        first = random[blocks[0]]
        return cls(tuple(blocks), None, first.levels, sum(random[i].size for i in blocks), first.linked)


def term_order(encoding: Encoding) -> tuple[int, ...]:
    """Covariance blocks in the order of lme4's theta."""
    return Layout.of(encoding).theta_order


def _term_order(random: Sequence[_Block]) -> tuple[int, ...]:
    """Covariance blocks by decreasing number of levels, as lme4's mkReTrms has them.

    The order of lme4's bars if that does it already, else ``rev(order(nl))``, which turns ties around.
    """
    n_levels = [block.levels for block in random]
    bars = _bars(random)
    if all(n_levels[a] >= n_levels[b] for a, b in pairwise(bars)):
        return tuple(bars)
    return tuple(reversed(sorted(bars, key=lambda i: n_levels[i])))


def _bars(random: Sequence[_Block]) -> list[int]:
    """Covariance blocks in the order of lme4's `findbars`.

    A double bar is cut into its terms first; each of them is then nested, the innermost factor first:
    ``(x || a/b)`` is ``(1 | b:a) + (1 | a) + (0 + x | b:a) + (0 + x | a)``.
    """
    found = []
    for i, block in enumerate(random):
        part = sum(other.term == block.term for other in random[:i])
        found.append((block.term, 0, 0, i) if block.bar is None else (block.bar, part, -block.term, i))
    return [i for *_, i in sorted(found)]
