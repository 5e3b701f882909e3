"""A formula changed by another, by the rules of R's `update.formula`: `.` is what was there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field

from interlace.errors import FormulaError
from interlace.formula.after_bar import absorbed_terms, at_the_bar
from interlace.formula.algebra import of_terms, terms_of
from interlace.formula.formula import AbsorbedTerm, Formula, RandomTerm, Sum
from interlace.formula.grammar import read_terms
from interlace.formula.groups import random_terms
from interlace.formula.parser import read_response, sides
from interlace.formula.structured import structured
from interlace.formula.sums import Side, is_offset, summands
from interlace.formula.tokens import Tokens, outside_calls, tokenize
from interlace.formula.tree import Bar, Call, Chain, Name, Node, Number, Step, Unary, chain, walk, with_names
from interlace.frozen import dataclass


def updated(old: Formula, text: str) -> Formula:
    """The formula that `text` makes of another one.

    Parameters
    ----------
    old : Formula
    text : str
        ``"~ . + z"``, ``"log(.) ~ ."``, ``". ~ . - (x | g) + (1 | g)"``. Left of '~', `.` is the response of
        `old`; without a left side it stays. On the right, `.` by itself is everything that stood there, and
        inside a product or a call it is the sum of the fixed terms (random terms and offsets then stay).
        After a bar outside parentheses `.` is the absorbed factors; without a bar they stay, and ``| 0``
        leaves them out.

    Returns
    -------
    Formula
        In R's normal form: main effects, interactions of two, of three ...

    Raises
    ------
    FormulaError
        The text cannot be understood, or takes away a random term or an absorbed factor that is not there.

    Examples
    --------
    >>> from interlace.formula import parse
    >>> old = parse("y ~ a * b + (x | g)")
    >>> updated(old, "log(.) ~ . - a:b + z").terse
    'log(y) ~ a + b + z + (x | g)'
    >>> updated(old, "~ . - (x | g) + (1 | g)").terse
    'y ~ a + b + a:b + (1 | g)'
    """
    tokens = tokenize(text)
    left, right = sides(tokens, text, alone=bool(tokens) and tokens[0].is_op("~"))
    response = with_names(read_response(left, text), _in_place(old.response)) if left else old.response
    before, after, bar = at_the_bar(right, text)
    found = _Right(old, text).read(read_terms(before, text))
    absorbed = old.absorbed if bar is None else _absorbed(old.absorbed, after, text)
    random, offsets = tuple(found.random), tuple(found.offsets)
    return Formula(response, found.fixed(), random, offsets, absorbed)


def _in_place(node: Node) -> Callable[[Name], Node]:
    """What puts a node in place of the dot."""

    def changed(name: Name) -> Node:
        return node if _is_dot(name) else name

    return changed


def _is_dot(node: Node) -> bool:
    return isinstance(node, Name) and node.name == "." and not node.quoted


def _sum_node(rhs: Sum) -> Node:
    """The tree of a right-hand side, without an intercept that is there by itself."""
    items = [Step(sign, node) for sign, node in rhs.items]
    if not items or not rhs.intercept or items[0].operator == "-":
        return chain(Number("1" if rhs.intercept else "0"), tuple(items))
    return chain(items[0].operand, tuple(items[1:]))


@dataclass(slots=True)
class _Right:
    """A right-hand side as it is read, from left to right, beside what was there."""

    old: Formula
    text: str
    summands: list[Step] = field(default_factory=list)
    random: list[RandomTerm] = field(default_factory=list)
    offsets: list[Node] = field(default_factory=list)

    def read(self, node: Node) -> _Right:
        for sign, summand in _opened(node):
            part = (isinstance(summand, Call) and structured(summand, self.text)) or summand
            if isinstance(part, Bar):
                self._bar(sign, part)
            elif is_offset(part):
                self._offset(sign, part)
            else:
                self._fixed(sign, part)
        return self

    def fixed(self) -> Sum:
        """The fixed part, simplified."""
        if not self.summands:
            return Sum(True)
        head, *rest = self.summands
        first = head.operand if head.operator == "+" else Unary("-", head.operand)
        return of_terms(terms_of(Side(self.text).read(chain(first, tuple(rest))).sum))

    def _fixed(self, sign: str, part: Node) -> None:
        dotted = any(_is_dot(inside) for inside in walk(part))
        if dotted and sign == "+":
            self.random += [term for term in self.old.random if term not in self.random]
            self.offsets += [one for one in self.old.offsets if one not in self.offsets]
        elif _is_dot(part):
            self.random = [term for term in self.random if term not in self.old.random]
            self.offsets = [one for one in self.offsets if one not in self.old.offsets]
        self.summands.append(Step(sign, with_names(part, _in_place(_sum_node(self.old.fixed)))))

    def _bar(self, sign: str, bar: Bar) -> None:
        for term, place in random_terms(bar, self.text):
            same = [one for one in self.random if _same(one, term)]
            if sign == "+":
                self.random += [] if same else [term]
            elif same:
                self.random = [one for one in self.random if one not in same]
            else:
                known = ", ".join(one.terse for one in self.random)
                raise FormulaError(
                    f"there is no random term {term.terse} to take away; there are {known or 'none'}",
                    self.text,
                    place,
                )

    def _offset(self, sign: str, part: Node) -> None:
        assert isinstance(part, Call)
        found = Side(self.text).read(part).offsets
        if sign == "+":
            self.offsets += [one for one in found if one not in self.offsets]
        else:
            self.offsets = [one for one in self.offsets if one not in found]


def _opened(node: Node, sign: str = "+") -> Iterator[tuple[str, Node]]:
    """The summands; `- (a + (1 | g))` is opened up where it has random terms or offsets."""
    for one, part in summands(node, sign):
        special = isinstance(part, Chain) and any(isinstance(p, Bar) or is_offset(p) for _, p in part.parts)
        if one == "-" and isinstance(part, Chain) and part.operators == {"+"} and special:
            for _, inside in part.parts:
                yield from _opened(inside, "-")
        else:
            yield one, part


def _same(one: RandomTerm, other: RandomTerm) -> bool:
    """Whether both are the same term, in whatever order their columns and factors are written."""
    columns = [frozenset(term.key for term in terms_of(t.columns)) for t in (one, other)]
    return (
        one.covariance == other.covariance
        and columns[0] == columns[1]
        and set(one.factors) == set(other.factors)
    )


def _absorbed(old: tuple[AbsorbedTerm, ...], after: Tokens, text: str) -> tuple[AbsorbedTerm, ...]:
    """What stands after the bar, with `.` for what was there, and 0 for nothing."""
    found: list[AbsorbedTerm] = []
    for sign, tokens in _pieces(after):
        alone = tokens[0].text if len(tokens) == 1 else ""
        terms = old if alone == "." else () if alone == "0" else absorbed_terms(tokens, text)
        for term in terms:
            if sign == "+":
                found += [] if term in found else [term]
            elif term in found:
                found.remove(term)
            else:
                message = f"the factor {term} is not absorbed, and cannot be taken away"
                raise FormulaError(message, text, tokens[0].position)
    return tuple(found)


def _pieces(tokens: Tokens) -> Iterator[tuple[str, Tokens]]:
    """The pieces between signs, each with its own; an empty one is left to `absorbed_terms`."""
    signs = [i for i, token in outside_calls(tokens) if token.is_op("+", "-")]
    sign, start = "+", 0
    for end in (*signs, len(tokens)):
        if start < end or end == len(tokens):
            yield sign, tokens[start:end] or tokens[-1:]
        if end < len(tokens):
            sign, start = tokens[end].text, end + 1
