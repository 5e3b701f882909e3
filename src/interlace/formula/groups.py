"""Random terms: columns, bar, grouping."""

from __future__ import annotations

from interlace.errors import FormulaError
from interlace.formula.algebra import terms_of
from interlace.formula.formula import RandomTerm, Sum
from interlace.formula.sums import Side, is_offset
from interlace.formula.tree import Bar, Call, Chain, Constant, Listing, Name, Node, Number, Text, walk

Grouping = tuple[Node, ...]


def random_terms(bar: Bar, text: str) -> list[tuple[RandomTerm, int]]:
    """The random terms that one bar stands for, each with its place in the text."""
    for found in walk(bar.columns):
        _refuse_in_columns(found, text)
    columns = Side(text).read(bar.columns).sum
    if not terms_of(columns):
        raise FormulaError(
            "this random term has no columns; write (1 | g) for an intercept", text, bar.columns.position
        )
    covariance = bar.structure or ("unstructured" if bar.bar == "|" else "independent")
    _check_structure(covariance, columns, bar, text)
    groupings = _groupings(bar.grouping, text)
    return [(RandomTerm(columns, grouping, covariance), bar.position) for grouping in groupings]


def _check_structure(covariance: str, columns: Sum, bar: Bar, text: str) -> None:
    """What can be seen without the data: compound symmetry is of several effects, AR(1) of one factor."""
    terms = terms_of(columns)
    if covariance in ("cs", "homcs") and len(terms) == 1 and not terms[0].members:
        raise FormulaError(
            "cs(1 | g) has one random effect, and a correlation needs two: write (1 | g), or name columns, "
            "as in cs(0 + f | g)",
            text,
            bar.position,
        )
    if covariance not in ("ar1", "hetar1"):
        return
    if columns.intercept and len(terms) == 2 and len(terms[1].members) == 1:
        raise FormulaError(
            f"ar1() has an effect for each level of a factor, in their order, and no intercept: write "
            f"ar1(0 + {terms[1].label} | ...)",
            text,
            bar.position,
        )
    if len(terms) != 1 or len(terms[0].members) != 1:
        raise FormulaError(
            "ar1() has an effect for each level of one factor, in their order: write ar1(0 + t | g)",
            text,
            bar.position,
        )


def _refuse_in_columns(node: Node, text: str) -> None:
    if isinstance(node, Bar):
        raise FormulaError("a random term cannot stand inside another one", text, node.at)
    if isinstance(node, Name) and node.name == ".":
        raise FormulaError("'.' cannot be used in a random term; name the columns", text, node.position)
    if is_offset(node):
        raise FormulaError("an offset cannot stand in a random term", text, node.position)


def _groupings(node: Node, text: str) -> list[Grouping]:
    """`a/b/c` -> (a), (a, b), (a, b, c); `a:b` -> (a, b)."""
    if not isinstance(node, Chain):
        return [(_factor(node, text),)]
    step = node.steps[0]
    if node.operators == {"/"}:
        nested: list[Grouping] = []
        for _, part in node.parts:
            above = nested[-1] if nested else ()
            nested.extend(_joined(above, factors) for factors in _groupings(part, text))
        return nested
    if node.operators == {":"}:
        return [_product(node, text)]
    refused = next(s for s in node.steps if s.operator not in ("/", ":"))
    if refused.operator in ("|", "||"):
        raise FormulaError("a random term has one bar: (columns | grouping)", text, step.position)
    message = (
        f"'{refused.operator}' cannot join grouping factors; write (1 | a) + (1 | b) for two factors, "
        "(1 | a:b) for their combinations, (1 | a/b) for nesting"
    )
    raise FormulaError(message, text, refused.position)


def _product(node: Chain, text: str) -> Grouping:
    """The factors of `a:b:c`, each a name or a call."""
    factors: Grouping = ()
    for _, part in node.parts:
        below = _groupings(part, text)
        if len(below) > 1:
            message = "'/' inside ':' is not a grouping; write the nesting out as several random terms"
            raise FormulaError(message, text, part.position)
        factors = _joined(factors, below[0])
    return factors


def _joined(above: Grouping, below: Grouping) -> Grouping:
    return above + tuple(factor for factor in dict.fromkeys(below) if factor not in above)


def _factor(node: Node, text: str) -> Node:
    """One factor of a grouping: a name or a call."""
    if isinstance(node, (Number, Text, Constant, Listing)):
        message = f"the grouping factor is {node}; name a column on the right of the bar"
        raise FormulaError(message, text, node.position)
    if isinstance(node, Bar):
        raise FormulaError("a random term has one bar: (columns | grouping)", text, node.at)
    if not isinstance(node, (Name, Call)) or (isinstance(node, Name) and node.name == "."):
        raise FormulaError("a grouping factor is a column or a function of one", text, node.position)
    if isinstance(node, Call) and not any(isinstance(found, Name) for found in walk(node)):
        message = f"the grouping factor '{node}' names no column; name one on the right of the bar"
        raise FormulaError(message, text, node.position)
    return node


def check_random(random: list[tuple[RandomTerm, int]], text: str) -> None:
    """There is a random term, and no column twice for one grouping factor."""
    if not random:
        message = (
            "the formula has no random term; add one, for example '(1 | group)', "
            "or fit a model without random effects by interlace.lm"
        )
        raise FormulaError(message, text, len(text.rstrip()))
    columns: dict[frozenset[str], set[frozenset[str]]] = {}
    for term, position in random:
        seen = columns.setdefault(frozenset(term.factors), set())
        for column in terms_of(term.columns):
            if column.key in seen:
                what = f"'{column.label}'" if column.members else "a random intercept"
                message = (
                    f"{what} for the grouping factor '{term.group}' is in more than one random term; "
                    "keep one of them (write 0 + x in a term that shall have no intercept)"
                )
                raise FormulaError(message, text, position)
            seen.add(column.key)
