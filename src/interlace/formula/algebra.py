"""Sums to terms, by R's rules: what each operator of a right-hand side stands for."""

from __future__ import annotations

from collections.abc import Iterable

from interlace.errors import FormulaError
from interlace.formula.formula import Sum
from interlace.formula.tree import Chain, Node, Number, Power, Unary, label, product
from interlace.frozen import dataclass

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
    found: _Terms = {}
    for sign, node in rhs.items:
        found = _joined(found, sign, _expanded(node))
    intercept = [Term((), ())] if rhs.intercept else []
    return tuple(sorted([*intercept, *found.values()], key=lambda term: len(term.names)))


def separate(rhs: Sum) -> tuple[Sum, ...]:
    """A right-hand side for each of its terms: `1 + x` gives `1` and `0 + x`."""
    return tuple(of_terms([term]) for term in terms_of(rhs))


def of_terms(terms: Iterable[Term]) -> Sum:
    """The right-hand side that stands for some terms."""
    terms = list(terms)
    items = tuple(("+", product(term.members)) for term in terms if term.members)
    return Sum(len(items) < len(terms), items)


# Terms by what they are the product of, in order. An operator may put the right ones into the left ones, so
# that a sum of thousands is made in linear time.
_Terms = dict[frozenset[str], Term]


def _expanded(node: Node) -> _Terms:
    if isinstance(node, Power):
        return _raised(_expanded(node.base), node.exponent)
    if isinstance(node, Unary) and node.operator == "-":
        return {}
    if not isinstance(node, Chain) or not node.operators <= {"+", "-", "*", "/", ":", "%in%"}:
        return _with({}, [Term((node,), (label(node),))])
    found = _expanded(node.head)
    for step in node.steps:
        found = _joined(found, step.operator, _expanded(step.operand))
    return found


def _joined(left: _Terms, operator: str, right: _Terms) -> _Terms:
    match operator:
        case "+":
            return _with(left, right.values())
        case "-":
            for key in right:
                left.pop(key, None)
            return left
        case ":":
            return _interactions(left, right)
        case "*":
            both = _interactions(left, right)
            return _with(_with(left, right.values()), both.values())
        case "/":
            whole = _united(left)
            return _with(left, [whole & term for term in right.values()])
        case "%in%":
            whole = _united(right)
            return _with({}, [term & whole for term in left.values()])
    raise AssertionError(operator)


def _raised(terms: _Terms, exponent: Node) -> _Terms:
    assert isinstance(exponent, Number)
    found = terms
    for _ in range(min(int(exponent.text), len(terms)) - 1):  # more powers give nothing new
        found = _interactions(found, terms)
    return found


def _interactions(left: _Terms, right: _Terms) -> _Terms:
    if len(left) * len(right) > MOST_TERMS * 10:
        raise _too_many()
    return _with({}, [a & b for a in left.values() for b in right.values()])


def _with(terms: _Terms, more: Iterable[Term]) -> _Terms:
    """The terms and those that are new among the others."""
    for term in more:
        terms.setdefault(term.key, term)
    if len(terms) > MOST_TERMS:
        raise _too_many()
    return terms


def _too_many() -> FormulaError:
    return FormulaError(
        f"the formula stands for more than {MOST_TERMS} terms; take a lower power or name the terms"
    )


def _united(terms: _Terms) -> Term:
    whole = Term((), ())
    for term in terms.values():
        whole &= term
    return whole
