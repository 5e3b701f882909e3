"""Expressions as values: a small tree of frozen nodes, and its one canonical spelling.

Chains hold operators of one level of precedence side by side, so that the depth of a tree is that of its
brackets and never the length of a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field, replace

from interlace.formula.tokens import is_plain
from interlace.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of an expression; `position` is its place in the text and no part of equality."""

    position: int = field(default=-1, compare=False, repr=False, kw_only=True)

    def __str__(self) -> str:
        return spell(self)


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A number as Python writes it: ``2`` and ``2.0`` are different text and equal values."""

    text: str

    @property
    def value(self) -> float:
        """The number."""
        return float(self.text)


@dataclass(frozen=True, slots=True)
class Text(Node):
    """A string."""

    value: str


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """``True``, ``False`` or ``None`` (R's TRUE, FALSE, NULL)."""

    value: bool | None


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A column, a constant or an object of the caller.

    `quoted` is about spelling alone: whether dots are those of the name and not of a package.
    """

    name: str
    quoted: bool = field(default=False, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call."""

    name: str | None
    value: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of arguments."""

    function: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Listing(Node):
    """Several values in Python's brackets, `[` or `(`; the same as ``c(...)``."""

    items: tuple[Node, ...]
    bracket: str


@dataclass(frozen=True, slots=True)
class Braces(Node):
    """``{x + 1}``: arithmetic as a term, named by what stands inside."""

    inside: Node


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """A sign, or ``!``."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Power(Node):
    """``base ** exponent``."""

    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Step:
    """An operator and its right operand; `position` is that of the operator."""

    operator: str
    operand: Node
    position: int = field(default=-1, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """Binary operators of one level, applied from the left."""

    head: Node
    steps: tuple[Step, ...]

    @property
    def operators(self) -> frozenset[str]:
        """The operators of the chain."""
        return frozenset(step.operator for step in self.steps)

    @property
    def parts(self) -> tuple[tuple[str, Node], ...]:
        """The operands, each with the operator before it; the first has "+"."""
        return (("+", self.head), *((step.operator, step.operand) for step in self.steps))


@dataclass(frozen=True, slots=True)
class Bar(Node):
    """``(columns | grouping)``; `at` is the position of the bar, `structure` what a function around it says
    of the covariance."""

    columns: Node
    bar: str
    grouping: Node
    at: int = field(default=-1, compare=False, repr=False)
    structure: str | None = None


# Precedence, loosest first; R's, with Python's `//` and `%` beside `*`.
OR, AND, NOT, COMPARE, ADD, MULTIPLY, SPECIAL, RANGE, SIGN, POWER, ATOM = range(1, 12)
LEVELS = {
    **dict.fromkeys(("|", "||"), OR),
    **dict.fromkeys(("&", "&&"), AND),
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), COMPARE),
    **dict.fromkeys(("+", "-"), ADD),
    **dict.fromkeys(("*", "/", "%", "//"), MULTIPLY),
    ":": RANGE,
}


def level_of(operator: str) -> int:
    """How tightly a binary operator binds; those between percent signs have one level."""
    return LEVELS.get(operator, SPECIAL)


def chain(head: Node, steps: tuple[Step, ...], position: int = -1) -> Node:
    """A chain in its normal form: a chain of the same level at its head is a part of it."""
    if not steps:
        return head
    level = level_of(steps[0].operator)
    if isinstance(head, Chain) and _level(head) == level and level != COMPARE:
        return Chain(head.head, (*head.steps, *steps), position=position)
    return Chain(head, steps, position=position)


def product(members: tuple[Node, ...]) -> Node:
    """The interaction of some expressions."""
    return chain(members[0], tuple(Step(":", member) for member in members[1:]))


def label(node: Node) -> str:
    """What a term or column is called: the spelling, without back-quotes or braces round a whole."""
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Braces):
        return spell(node.inside)
    return spell(node)


def children(node: Node) -> Iterator[Node]:
    """The nodes directly inside a node."""
    if isinstance(node, Call):
        yield from (argument.value for argument in node.arguments)
    elif isinstance(node, Listing):
        yield from node.items
    elif isinstance(node, Braces):
        yield node.inside
    elif isinstance(node, Unary):
        yield node.operand
    elif isinstance(node, Power):
        yield from (node.base, node.exponent)
    elif isinstance(node, Chain):
        yield node.head
        yield from (step.operand for step in node.steps)
    elif isinstance(node, Bar):
        yield from (node.columns, node.grouping)


def walk(node: Node) -> Iterator[Node]:
    """A node and all nodes inside it, in the order of writing."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(reversed(list(children(found))))


def with_names(node: Node, changed: Callable[[Name], Node]) -> Node:
    """The tree with another node in place of every name."""

    def again(inside: Node) -> Node:
        return with_names(inside, changed)

    match node:
        case Name():
            return changed(node)
        case Call(arguments=arguments):
            return replace(node, arguments=tuple(Argument(a.name, again(a.value)) for a in arguments))
        case Listing(items=items):
            return replace(node, items=tuple(map(again, items)))
        case Braces(inside=inside):
            return replace(node, inside=again(inside))
        case Unary(operand=operand):
            return replace(node, operand=again(operand))
        case Power(base=base, exponent=exponent):
            return replace(node, base=again(base), exponent=again(exponent))
        case Chain(head=head, steps=steps):
            return chain(
                again(head), tuple(replace(s, operand=again(s.operand)) for s in steps), node.position
            )
    return node


# ---- spelling ----


def _level(node: Node) -> int:
    if isinstance(node, Chain):
        return level_of(node.steps[0].operator)
    if isinstance(node, Unary):
        return NOT if node.operator == "!" else SIGN
    return POWER if isinstance(node, Power) else ATOM


def spell(node: Node, at_least: int = 0) -> str:
    """The canonical text of a node, in parentheses if it binds less tightly than `at_least`.

    Where R and Python read operators differently (``&`` beside comparisons), parentheses make both agree.
    """
    words = _words(node)
    return f"({words})" if _level(node) < at_least else words


def _words(node: Node) -> str:
    match node:
        case Number(text=text):
            return text
        case Text(value=value):
            return repr(value)
        case Constant(value=value):
            return str(value)
        case Name(name=name, quoted=quoted):
            return name if (is_plain(name) and not quoted) or name == "." else f"`{name}`"
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(_argument(a) for a in arguments)})"
        case Listing(items=items, bracket=bracket):
            inside = ", ".join(spell(item) for item in items)
            if bracket == "[":
                return f"[{inside}]"
            return f"({inside},)" if len(items) == 1 else f"({inside})"
        case Braces(inside=inside):
            return f"{{{spell(inside)}}}"
        case Unary(operator="!", operand=operand):
            return f"!{spell(operand, ATOM)}"
        case Unary(operator=operator, operand=operand):
            return f"{operator}{spell(operand, SIGN)}"
        case Power(base=base, exponent=exponent):
            return f"{spell(base, ATOM)} ** {spell(exponent, POWER)}"
        case Chain():
            return _chain_words(node)
        case Bar(columns=columns, bar=bar, grouping=grouping):
            return f"({spell(columns)} {bar} {spell(grouping)})"
    raise AssertionError(f"no spelling for {type(node).__name__}")


def _argument(argument: Argument) -> str:
    words = spell(argument.value)
    return words if argument.name is None else f"{argument.name}={words}"


def _chain_words(node: Chain) -> str:
    level = _level(node)
    words = [_operand(node.head, level, level + 1 if level == COMPARE else level)]
    for step in node.steps:
        between = ":" if step.operator == ":" else f" {step.operator} "
        words += [between, _operand(step.operand, level, level + 1)]
    return "".join(words)


def _operand(node: Node, level: int, at_least: int) -> str:
    # Python would read `x > 1 & y` as `x > (1 & y)`.
    logical = level in (OR, AND) and _level(node) == COMPARE
    return spell(node, ATOM if logical else at_least)
