"""Random terms: columns, bar, grouping."""

from __future__ import annotations

from interlace.errors import FormulaError
from interlace.formula.sums import (
    Item,
    canonical_sum,
    check_ends,
    inside_group,
    is_offset,
    outside_calls,
    split_sum,
    summands,
)
from interlace.formula.terms import RandomTerm
from interlace.formula.tokens import Tokens, render


def random_terms(item: Item, bar: int, text: str) -> list[tuple[RandomTerm, int]]:
    """The random terms that one bar stands for, each with its place in the text."""
    inside = item.tokens
    while (deeper := inside_group(inside)) is not None:
        inside = deeper
    position = item.tokens[0].position
    if item.sign == "-":
        raise FormulaError("a random term cannot be taken away; leave it out instead", text, position)
    columns, grouping = inside[:bar], inside[bar + 1 :]
    for _, token in outside_calls(grouping):
        if token.is_op("|", "||"):
            raise FormulaError("a random term has one bar: (columns | grouping)", text, token.position)
    if not columns:
        raise FormulaError(
            "the columns are missing on the left of the bar; write (1 | g) for an intercept",
            text,
            inside[bar].position,
        )
    if not grouping:
        raise FormulaError(
            "the grouping factor is missing on the right of the bar", text, inside[bar].position + 1
        )
    covariance = "unstructured" if inside[bar].text == "|" else "independent"
    items = list(summands(columns, text))
    for part in items:
        _refuse_in_columns(part.tokens, text)
    words = canonical_sum(items, text, empty=False)
    return [(RandomTerm(words, factors, covariance), position) for factors in _groupings(grouping, text)]


def _refuse_in_columns(tokens: Tokens, text: str) -> None:
    for token in tokens:
        if token.is_op("|", "||"):
            raise FormulaError("a random term cannot stand inside another one", text, token.position)
    if len(tokens) == 1 and tokens[0].text == ".":
        raise FormulaError("'.' cannot be used in a random term; name the columns", text, tokens[0].position)
    if is_offset(tokens):
        raise FormulaError("an offset cannot stand in a random term", text, tokens[0].position)


def _groupings(tokens: Tokens, text: str) -> list[tuple[str, ...]]:
    """`a/b/c` -> (a), (a, b), (a, b, c); `a:b` -> (a, b)."""
    nested: list[tuple[str, ...]] = []
    for part in _split(tokens, "/", text):
        inside = inside_group(part)
        below = _groupings(inside, text) if inside is not None else [_product(part, text)]
        above = nested[-1] if nested else ()
        nested.extend(_joined(above, factors) for factors in below)
    return nested


def _product(tokens: Tokens, text: str) -> tuple[str, ...]:
    """The factors of `a:b:c`, each a name or a call."""
    factors: tuple[str, ...] = ()
    for part in _split(tokens, ":", text):
        inside = inside_group(part)
        if inside is not None:
            below = _groupings(inside, text)
            if len(below) > 1:
                message = "'/' inside ':' is not a grouping; write the nesting out as several random terms"
                raise FormulaError(message, text, part[0].position)
            factors = _joined(factors, below[0])
        else:
            factors = _joined(factors, (_factor(part, text),))
    return factors


def _joined(above: tuple[str, ...], below: tuple[str, ...]) -> tuple[str, ...]:
    return above + tuple(factor for factor in dict.fromkeys(below) if factor not in above)


def _split(tokens: Tokens, operator: str, text: str) -> list[Tokens]:
    """Pieces between `operator`, none of them empty."""
    cuts = [i for i, token in outside_calls(tokens) if token.is_op(operator)]
    pieces = [tokens[a + 1 : b] for a, b in zip([-1, *cuts], [*cuts, len(tokens)], strict=True)]
    for cut, piece in zip([*cuts, cuts[-1] if cuts else 0], pieces, strict=True):
        if not piece:
            raise FormulaError(
                f"a grouping factor is missing beside '{operator}'", text, tokens[cut].position
            )
    return pieces


def _factor(tokens: Tokens, text: str) -> str:
    """One factor of a grouping: a name or a call."""
    first = tokens[0]
    if first.kind in ("number", "string"):
        message = f"the grouping factor is {first.text}; name a column on the right of the bar"
        raise FormulaError(message, text, first.position)
    for _, token in outside_calls(tokens):
        if token.is_op("+", "-", "*", "**", "^", "%in%"):
            message = (
                f"'{token.text}' cannot join grouping factors; write (1 | a) + (1 | b) for two factors, "
                "(1 | a:b) for their combinations, (1 | a/b) for nesting"
            )
            raise FormulaError(message, text, token.position)
    check_ends(tokens, text)
    last_call = len(tokens) > 1 and tokens[-1].is_op(")", "]")
    if not first.is_name or (len(tokens) > 1 and not last_call):
        raise FormulaError("a grouping factor is a column or a function of one", text, first.position)
    return render(tokens)


def check_random(random: list[tuple[RandomTerm, int]], text: str) -> None:
    if not random:
        message = (
            "the formula has no random term; add one, for example '(1 | group)', "
            "or use ordinary least squares for a model without random effects"
        )
        raise FormulaError(message, text, len(text.rstrip()))
    columns: dict[frozenset[str], set[str]] = {}
    for term, position in random:
        seen = columns.setdefault(frozenset(term.grouping), set())
        for column in split_sum(term.columns):
            if column == "0" or column.startswith("- "):
                continue
            if column in seen:
                what = "a random intercept" if column == "1" else f"'{column}'"
                message = (
                    f"{what} for the grouping factor '{term.group}' is in more than one random term; "
                    "keep one of them (write 0 + x in a term that shall have no intercept)"
                )
                raise FormulaError(message, text, position)
            seen.add(column)
