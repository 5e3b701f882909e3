"""How the covariance blocks of a formula lie in the blocks of the kernel and in lme4's theta."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from interlace.design.encoding import Encoding


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
        groups: dict[str, list[int]] = {}
        for i, block in enumerate(encoding.random):
            groups.setdefault(block.group, []).append(i)
        sizes = [len(block.columns) for block in encoding.random]
        n_levels = [len(block.levels) for block in encoding.random]

        def place(blocks: list[int]) -> tuple[bool, int]:
            linked = encoding.random[blocks[0]].known is not None  # levels that touch each other do not lead
            return linked, -n_levels[blocks[0]] * sum(sizes[i] for i in blocks)

        ordered = sorted(groups.values(), key=place)
        places: dict[int, Place] = {}
        for group, blocks in enumerate(ordered):
            start = 0
            for i in blocks:
                places[i] = Place(group, start, sizes[i])
                start += sizes[i]
        return cls(
            blocks=tuple(tuple(blocks) for blocks in ordered),
            places=tuple(places[i] for i in range(len(sizes))),
            levels=tuple(n_levels[blocks[0]] for blocks in ordered),
            k=tuple(sum(sizes[i] for i in blocks) for blocks in ordered),
            theta_order=term_order(encoding),
        )


def term_order(encoding: Encoding) -> tuple[int, ...]:
    """Covariance blocks by decreasing number of levels, as lme4's mkReTrms has them.

    The order of lme4's bars if that does it already, else ``rev(order(nl))``, which turns ties around.
    """
    n_levels = [len(block.levels) for block in encoding.random]
    bars = _bars(encoding)
    if all(n_levels[a] >= n_levels[b] for a, b in pairwise(bars)):
        return tuple(bars)
    return tuple(reversed(sorted(bars, key=lambda i: n_levels[i])))


def _bars(encoding: Encoding) -> list[int]:
    """Covariance blocks in the order of lme4's `findbars`.

    A double bar is cut into its terms first; each of them is then nested, the innermost factor first:
    ``(x || a/b)`` is ``(1 | b:a) + (1 | a) + (0 + x | b:a) + (0 + x | a)``.
    """
    found, terms = [], encoding.formula.random
    for i, block in enumerate(encoding.random):
        part = sum(other.term == block.term for other in encoding.random[:i])
        bar = terms[block.term].bar
        found.append((block.term, 0, 0, i) if bar is None else (bar, part, -block.term, i))
    return [i for *_, i in sorted(found)]
