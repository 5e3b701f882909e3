"""Which names an expression uses, in what role, and where they stand in the text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import repeat

from interlace.formula.formula import Formula, Sum
from interlace.formula.tree import ADD, Braces, Call, Chain, Name, Node, Unary, children, level_of
from interlace.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Use:
    """A name in an expression.

    Attributes
    ----------
    name : str
        Without back-quotes; dots are part of it (``np.log``, ``Sepal.Length``).
    role : {"term", "value", "function"}
        A bare name at the level of terms, a value inside a call, or the function of a call.
    position : int
        Index into the text of the formula.
    """

    name: str
    role: str
    position: int


def names_in(part: Node | Sum) -> Iterator[Use]:
    """Names of an expression or right-hand side, in order.

    Examples
    --------
    >>> from interlace.formula import parse
    >>> [(n.name, n.role) for n in names_in(parse("y ~ x + log(z, base=b) + (1 | g)").fixed)]
    [('x', 'term'), ('log', 'function'), ('z', 'value'), ('b', 'value')]
    """
    nodes = [node for _, node in part.items] if isinstance(part, Sum) else [part]
    waiting = [(node, "term") for node in reversed(nodes)]
    while waiting:
        node, role = waiting.pop()
        if isinstance(node, Name):
            yield Use(node.name, role, node.position)
            continue
        if isinstance(node, Call):
            yield Use(node.function, "function", node.position)
        inside = "value" if isinstance(node, (Call, Braces)) or is_logical(node) else role
        waiting.extend((child, inside) for child in reversed(list(children(node))))


def is_logical(node: Node) -> bool:
    """Whether a node is a comparison or joins some: a column in itself, and no terms."""
    if isinstance(node, Unary):
        return node.operator == "!"
    return isinstance(node, Chain) and level_of(node.steps[0].operator) < ADD


@lru_cache(maxsize=512)  # parts are values, and a fit asks for those of one formula several times
def used_names(part: Node | Sum) -> frozenset[str]:
    """Names of values in an expression or right-hand side."""
    return frozenset(use.name for use in names_in(part) if use.role != "function")


@lru_cache(maxsize=512)
def computed_with(formula: Formula) -> frozenset[str]:
    """Names of values that a formula uses otherwise than to group rows."""
    parts: list[Node | Sum] = [formula.response, formula.fixed, *formula.offsets]
    return frozenset().union(*map(used_names, [*parts, *(term.columns for term in formula.random)]))


@lru_cache(maxsize=512)
def explaining(formula: Formula) -> frozenset[str]:
    """Names of values in all terms, groupings and offsets."""
    parts: list[Node | Sum] = [formula.fixed, *formula.offsets]
    for term in formula.random:
        parts += [term.columns, *term.grouping]
    return frozenset().union(*map(used_names, parts))


def uses_of(formula: Formula) -> tuple[Use, ...]:
    """Names of all pieces of a formula, in the order of `parts_of`."""
    return _uses_of(formula, formula.text)


@lru_cache(maxsize=512)  # the text is part of the key: equal formulas of another text have other positions
def _uses_of(formula: Formula, text: str) -> tuple[Use, ...]:
    return tuple(use for part in parts_of(formula) for use in names_in(part))


def parts_of(formula: Formula) -> tuple[Node | Sum, ...]:
    """Every piece of a formula that names columns."""
    random: list[Node | Sum] = []
    for term in formula.random:
        random += [term.columns, *term.grouping]
    absorbed = [
        Name(name, position=place)
        for term in formula.absorbed
        for name, place in zip(term.columns, term.places or repeat(-1), strict=False)
    ]
    return (formula.response, formula.fixed, *formula.offsets, *random, *absorbed)
