"""Text to `Formula`: response ~ fixed part + offset(...) + (columns | grouping)."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import count

from interlace.errors import FormulaError
from interlace.formula.groups import check_random, random_terms
from interlace.formula.sums import (
    Item,
    bar_of,
    canonical_sum,
    check_ends,
    is_offset,
    offset_expression,
    outside_calls,
    refuse_hidden_bar,
    summands,
)
from interlace.formula.terms import Formula, RandomTerm
from interlace.formula.tokens import Tokens, render, tokenize

_EXAMPLE = "for example 'y ~ x + (1 | group)'"


@lru_cache(maxsize=512)
def parse(text: str) -> Formula:
    """Parse a mixed-model formula.

    Parameters
    ----------
    text : str
        ``response ~ fixed + (columns | grouping) + ...``; all of lme4's random-term syntax.

    Returns
    -------
    Formula
        ``parse(str(formula)) == formula``.

    Raises
    ------
    FormulaError
        With the text and a caret at the place that is wrong.

    Examples
    --------
    >>> print(parse("y ~ x + (x|a/b)"))
    y ~ 1 + x + (1 + x | a) + (1 + x | a:b)
    """
    tokens = tokenize(text)
    response, rhs = _sides(tokens, text)
    fixed: list[Item] = []
    random: list[tuple[RandomTerm, int]] = []
    bars = count()
    offsets: list[str] = []
    for item in summands(rhs, text):
        if is_offset(item.tokens):
            offsets.append(offset_expression(item, text))
        elif (bar := bar_of(item.tokens)) is not None:
            written = next(bars)
            random += [(replace(t, bar=written), place) for t, place in random_terms(item, bar, text)]
        else:
            refuse_hidden_bar(item.tokens, text)
            fixed.append(item)
    check_random(random, text)
    return Formula(
        response=render(response),
        fixed=canonical_sum(fixed, text, empty=True),
        random=tuple(term for term, _ in random),
        offsets=tuple(offsets),
        text=text,
    )


def _sides(tokens: Tokens, text: str) -> tuple[Tokens, Tokens]:
    """The tokens left and right of the only '~'."""
    if not tokens:
        raise FormulaError(f"the formula is empty; write a response, '~' and terms, {_EXAMPLE}")
    tildes = [i for i, token in enumerate(tokens) if token.is_op("~")]
    if not tildes:
        raise FormulaError(
            f"the formula has no '~'; write the response on its left, {_EXAMPLE}", text, len(text.rstrip())
        )
    if len(tildes) > 1:
        raise FormulaError("the formula has a second '~'; it must have one", text, tokens[tildes[1]].position)
    left, right = tokens[: tildes[0]], tokens[tildes[0] + 1 :]
    position = tokens[tildes[0]].position
    if _depth_at(tokens, tildes[0]):
        raise FormulaError("this '~' stands inside brackets", text, position)
    if not left:
        raise FormulaError(f"the response is missing on the left of '~', {_EXAMPLE}", text, position)
    if not right:
        raise FormulaError(f"there is nothing on the right of '~', {_EXAMPLE}", text, position + 1)
    for index, token in outside_calls(left):
        if token.is_op("|", "||", ","):
            raise FormulaError("the response must be one column or expression", text, left[index].position)
    check_ends(left, text)
    return left, right


def _depth_at(tokens: Tokens, index: int) -> int:
    opened = sum(t.is_op("(", "[", "{") for t in tokens[:index])
    return opened - sum(t.is_op(")", "]", "}") for t in tokens[:index])
