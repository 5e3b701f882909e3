"""Which codings keep the columns of several terms independent: R's rule for factors, made exact.

A factor `a` stands for the constant and its reduced columns, `1 + a-`. A term stands for the products of
its members' parts; what earlier terms span already is left out, and what is left is put together again by
the rule ``anything:a- + anything = anything:a``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from interlace.errors import FormulaError

MOST_FACTORS = 16

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
        if len(factors.intersection(term)) > MOST_FACTORS:
            raise FormulaError(
                f"the term '{':'.join(term)}' is an interaction of more than {MOST_FACTORS} factors; "
                "combine some of them in the data"
            )
        parts = [((name, True), None) if name in factors else ((name, False),) for name in term]
        span = [tuple(m for m in choice if m is not None) for choice in product(*parts)]
        new = [piece for piece in span if frozenset(piece) not in spanned]
        spanned.update(map(frozenset, new))
        found.append(tuple(_simplified(new)))
    return found


def _simplified(span: Iterable[Piece]) -> list[Piece]:
    """The fewest products with the same span, in the order of writing as far as can be."""
    kept: dict[frozenset[Member], tuple[int, Piece]] = {}
    for order, piece in enumerate(sorted(span, key=len)):
        while (found := _smaller(piece, kept)) is not None:
            del kept[frozenset(piece) - {found}]
            piece = tuple((found[0], False) if member == found else member for member in piece)
        kept[frozenset(piece)] = (order, piece)
    return [piece for _, piece in kept.values()]


def _smaller(piece: Piece, kept: Mapping[frozenset[Member], tuple[int, Piece]]) -> Member | None:
    """The reduced member without which the piece is among those kept; for the first of these."""
    whole = frozenset(piece)
    found = [(kept[whole - {m}][0], m) for m in piece if m[1] and whole - {m} in kept]
    return min(found)[1] if found else None
