"""Which codings keep the columns of several terms independent: R's rule for factors, made exact.

A factor `a` stands for the constant and its reduced columns, `1 + a-`. A term stands for the products of
its members' parts; what earlier terms span already is left out, and what is left is put together again by
the rule ``anything:a- + anything = anything:a``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

Member = tuple[str, bool]  # its name, and whether it is coded without one of its levels
Piece = tuple[Member, ...]  # a product of members


def pieces(terms: Iterable[Sequence[str]], factors: frozenset[str]) -> list[tuple[Piece, ...]]:
    """For each term, the products of coded members that give its columns.

    Parameters
    ----------
    terms : sequence of sequence of str
        Names of the members of each term; none for the intercept.
    factors : frozenset of str
        The members that are categorical.

    Examples
    --------
    >>> pieces([(), ("a",), ("a", "x")], frozenset("a"))
    [((),), ((('a', True),),), ((('a', False), ('x', False)),)]
    """
    spanned: set[frozenset[Member]] = set()
    found = []
    for term in terms:
        parts = [((name, True), None) if name in factors else ((name, False),) for name in term]
        span = [tuple(m for m in choice if m is not None) for choice in product(*parts)]
        new = [piece for piece in span if frozenset(piece) not in spanned]
        spanned.update(map(frozenset, new))
        found.append(tuple(_simplified(new)))
    return found


def _simplified(span: Iterable[Piece]) -> list[Piece]:
    """The fewest products with the same span, in the order of writing as far as can be."""
    kept: list[Piece] = []
    for piece in sorted(span, key=len):
        for index, smaller in enumerate(kept):
            extra = set(piece) - set(smaller)
            if len(smaller) != len(piece) - 1 or len(extra) != 1:
                continue
            (name, reduced) = extra.pop()
            if reduced:
                whole = tuple((name, False) if member == (name, True) else member for member in piece)
                kept = _simplified([*kept[:index], *kept[index + 1 :], whole])
                break
        else:
            kept.append(piece)
    return kept
