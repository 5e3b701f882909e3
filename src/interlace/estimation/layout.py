"""How the covariance blocks of a formula lie in the blocks of the kernel and in lme4's theta."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from interlace.design.encoding import Encoding
from interlace.design.learnt import RandomEncoding


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
    effects, largest first, after them those whose levels have a known covariance.

    Attributes
    ----------
    blocks : tuple of tuple of int
        Grouping factor of the kernel -> indices into `Encoding.random`.
    places : tuple of Place
        One per `Encoding.random`.
    levels, k : tuple of int
        Per grouping factor of the kernel.
    theta_order : tuple of int
        Indices into `Encoding.random` in the order of lme4's theta.
    """

    blocks: tuple[tuple[int, ...], ...]
    places: tuple[Place, ...]
    levels: tuple[int, ...]
    k: tuple[int, ...]
    theta_order: tuple[int, ...]

    @classmethod
    def of(cls, encoding: Encoding) -> Layout:
        """The layout of a model."""
        terms = encoding.formula.random
        return _layout(tuple(_Block.of(block, terms[block.term].bar) for block in encoding.random))


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
def _layout(random: tuple[_Block, ...]) -> Layout:
    groups: dict[str, list[int]] = {}
    for i, block in enumerate(random):
        groups.setdefault(block.group, []).append(i)
    sizes = [block.size for block in random]
    n_levels = [block.levels for block in random]

    def place(blocks: list[int]) -> tuple[bool, int]:
        return random[blocks[0]].linked, -n_levels[blocks[0]] * sum(sizes[i] for i in blocks)

    ordered = sorted(groups.values(), key=place)
    places: dict[int, Place] = {}
    for group, blocks in enumerate(ordered):
        start = 0
        for i in blocks:
            places[i] = Place(group, start, sizes[i])
            start += sizes[i]
    return Layout(
        blocks=tuple(tuple(blocks) for blocks in ordered),
        places=tuple(places[i] for i in range(len(sizes))),
        levels=tuple(n_levels[blocks[0]] for blocks in ordered),
        k=tuple(sum(sizes[i] for i in blocks) for blocks in ordered),
        theta_order=_term_order(random),
    )


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
