"""Sums to terms, by R's rules: what each operator of a right-hand side stands for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from interlace.errors import FormulaError
from interlace.formula.terms import Sum
from interlace.formula.tree import Chain, Node, Number, Power, Unary, label, product

MOST_TERMS = 20_000


@dataclass(frozen=True, slots=True)
class Term:
    """The interaction of some expressions; of none: the intercept.

    Attributes
    ----------
    members : tuple of Node
    names : tuple of str
        What the members are called.
    """

    members: tuple[Node, ...]
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """The name of the term; the intercept is "1"."""
        return ":".join(self.names) if self.names else "1"

    @property
    def key(self) -> frozenset[str]:
        """Terms with the same members are the same term."""
        return frozenset(self.names)

    def __and__(self, other: Term) -> Term:
        """The interaction of both."""
        members = dict(zip(self.names, self.members, strict=True))
        for name, member in zip(other.names, other.members, strict=True):
            members.setdefault(name, member)
        return Term(tuple(members.values()), tuple(members))


def terms_of(rhs: Sum) -> tuple[Term, ...]:
    """The terms of a right-hand side: the intercept, main effects, interactions of two, of three ...

    Raises
    ------
    FormulaError
        There are too many.

    Examples
    --------
    >>> from interlace.formula import parse
    >>> [term.label for term in terms_of(parse("y ~ (a + b + x)^2 - b:x + (1 | g)").fixed)]
    ['1', 'a', 'b', 'x', 'a:b', 'a:x']
    """
    found: list[Term] = []
    for sign, node in rhs.items:
        found = _joined(found, sign, _expanded(node))
    intercept = [Term((), ())] if rhs.intercept else []
    return tuple(sorted([*intercept, *found], key=lambda term: len(term.names)))


def separate(rhs: Sum) -> tuple[Sum, ...]:
    """A right-hand side for each of its terms: `1 + x` gives `1` and `0 + x`."""
    return tuple(of_terms([term]) for term in terms_of(rhs))


def of_terms(terms: Iterable[Term]) -> Sum:
    """The right-hand side that stands for some terms."""
    terms = list(terms)
    items = tuple(("+", product(term.members)) for term in terms if term.members)
    return Sum(len(items) < len(terms), items)


def _expanded(node: Node) -> list[Term]:
    if isinstance(node, Power):
        return _raised(_expanded(node.base), node.exponent)
    if isinstance(node, Unary) and node.operator == "-":
        return []
    if not isinstance(node, Chain) or not node.operators <= {"+", "-", "*", "/", ":", "%in%"}:
        return [Term((node,), (label(node),))]
    found = _expanded(node.head)
    for step in node.steps:
        found = _joined(found, step.operator, _expanded(step.operand))
    return found


def _joined(left: list[Term], operator: str, right: list[Term]) -> list[Term]:
    match operator:
        case "+":
            return _distinct([*left, *right])
        case "-":
            gone = {term.key for term in right}
            return [term for term in left if term.key not in gone]
        case ":":
            return _interactions(left, right)
        case "*":
            return _distinct([*left, *right, *_interactions(left, right)])
        case "/":
            whole = _united(left)
            return _distinct([*left, *(whole & term for term in right)])
        case "%in%":
            whole = _united(right)
            return _distinct([term & whole for term in left])
    raise AssertionError(operator)


def _raised(terms: list[Term], exponent: Node) -> list[Term]:
    assert isinstance(exponent, Number)
    found = terms
    for _ in range(min(int(exponent.text), len(terms)) - 1):  # more powers give nothing new
        found = _interactions(found, terms)
    return found


def _interactions(left: list[Term], right: list[Term]) -> list[Term]:
    if len(left) * len(right) > MOST_TERMS * 10:
        raise _too_many()
    return _distinct([a & b for a in left for b in right])


def _distinct(terms: list[Term]) -> list[Term]:
    found: dict[frozenset[str], Term] = {}
    for term in terms:
        found.setdefault(term.key, term)
    if len(found) > MOST_TERMS:
        raise _too_many()
    return list(found.values())


def _too_many() -> FormulaError:
    return FormulaError(
        f"the formula stands for more than {MOST_TERMS} terms; take a lower power or name the terms"
    )


def _united(terms: list[Term]) -> Term:
    whole = Term((), ())
    for term in terms:
        whole &= term
    return whole
