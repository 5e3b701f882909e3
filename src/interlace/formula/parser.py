"""Text to `Formula`: response ~ fixed part + offset(...) + (columns | grouping)."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from interlace.errors import FormulaError
from interlace.formula.after_bar import absorbed_terms, at_the_bar, refuse_several
from interlace.formula.algebra import terms_of
from interlace.formula.formula import NO_RESPONSE, AbsorbedTerm, Formula, RandomTerm
from interlace.formula.grammar import read_expression, read_terms
from interlace.formula.groups import check_random, random_terms
from interlace.formula.sums import Side
from interlace.formula.tokens import Token, Tokens, outside_calls, tokenize
from interlace.formula.tree import Call, Chain, Constant, Listing, Name, Node, Number, Text, label
from interlace.frozen import dataclass

_EXAMPLE = "for example 'y ~ x + (1 | group)'"


@lru_cache(maxsize=512)
def parse(text: str) -> Formula:
    """Parse a mixed-model formula.

    Parameters
    ----------
    text : str
        ``response ~ fixed + (columns | grouping) + ... | absorbed + ...``; all of lme4's random-term syntax.

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
    read = _Read.of(text)
    random = [
        (replace(term, bar=i), place)
        for i, bar in enumerate(read.side.bars)
        for term, place in random_terms(bar, text)
    ]
    if read.bar is not None and not random:
        raise FormulaError(
            "put parentheses round the random term: '(1 | g)'; factors after a bar outside parentheses are "
            "absorbed fixed effects, and interlace.lm fits a model without random terms",
            text,
            read.bar.position,
        )
    check_random(random, text)
    return read.formula(text, tuple(term for term, _ in random))


def parse_any(text: str) -> Formula:
    """Parse a formula with random terms, as `parse`, or without any, as `parse_linear`.

    Raises
    ------
    FormulaError

    Examples
    --------
    >>> [len(parse_any(text).random) for text in ("y ~ x", "y ~ x + (1 | g)")]
    [0, 1]
    """
    return parse(text) if _Read.of(text).side.bars else parse_linear(text)


@lru_cache(maxsize=512)
def parse_linear(text: str) -> Formula:
    """Parse a formula without random terms: ``response ~ terms | absorbed + ...``.

    Returns
    -------
    Formula
        ``parse_linear(str(formula)) == formula``.

    Raises
    ------
    FormulaError
        As for `parse`; or there is a random term.

    Examples
    --------
    >>> print(parse_linear("y ~ x | firm^year + worker[[x]]"))
    y ~ 1 + x | firm:year + worker[[x]]
    """
    read = _Read.of(text)
    read.refuse_random(
        text,
        "lm has no random effects, and this is a random term: fit the model by interlace.lmer, or write "
        "the grouping factor after a bar outside parentheses, 'y ~ x | g', to absorb it",
    )
    return read.formula(text)


@lru_cache(maxsize=512)
def parse_fixed(text: str) -> Formula:
    """Parse a formula without random terms; where there is nothing left of '~', the response is the number 0.

    Raises
    ------
    FormulaError
        As for `parse`; or there is a random term.

    Examples
    --------
    >>> print(parse_fixed("~ a * x"))
    0 ~ 1 + a * x
    """
    tokens = tokenize(text)
    alone = bool(tokens) and tokens[0].is_op("~")
    left, right = sides(tokens, text, alone=alone)
    read = _Read(
        NO_RESPONSE if alone else read_response(left, text), Side(text).read(read_terms(right, text))
    )
    read.refuse_random(text, "random terms have no coefficients here; leave them out")
    _check_fixed(read.response, read.side, text)
    return read.formula(text)


def parse_random(text: str) -> tuple[RandomTerm, ...]:
    """The random terms of a right-hand side that has nothing else.

    Raises
    ------
    FormulaError
        There is something else, or nothing.
    """
    tokens = tokenize(text)
    if not tokens:
        raise FormulaError("there is no random term", text, 0)
    side = Side(text).read(read_terms(tokens, text))
    if side.items or side.offsets or not side.bars:
        raise FormulaError("a random term such as '(1 | g)' is wanted here", text, 0)
    return tuple(term for bar in side.bars for term, _ in random_terms(bar, text))


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of a formula.

    Attributes
    ----------
    response : Node
    side : Side
        What stands right of '~', before a bar outside parentheses.
    absorbed : tuple of AbsorbedTerm
        What stands after that.
    bar : Token or None
    """

    response: Node
    side: Side
    absorbed: tuple[AbsorbedTerm, ...] = ()
    bar: Token | None = None

    @classmethod
    def of(cls, text: str) -> _Read:
        """A formula with a response and, after a bar, absorbed factors.

        Where these have intercepts, the levels of each sum up to one in every row, whether an intercept is
        written beside them or left out: it is there.
        """
        tokens = tokenize(text)
        _refuse_instruments(tokens, text)
        left, right = sides(tokens, text)
        before, after, bar = at_the_bar(right, text)
        response = read_response(left, text)
        side = Side(text).read(read_terms(before, text))
        _check_fixed(response, side, text)
        if bar is None:
            return cls(response, side)
        if not side.bars:
            refuse_several(tokens, text)
            _refuse_several_responses(response, text)
        terms = absorbed_terms(after, text)
        _check_absorbed(response, terms, text)
        side.intercept |= any(term.intercept for term in terms)
        return cls(response, side, terms, bar)

    def refuse_random(self, text: str, message: str) -> None:
        """Refuse random terms.

        Raises
        ------
        FormulaError
        """
        if self.side.bars:
            raise FormulaError(message, text, self.side.bars[0].position)

    def formula(self, text: str, random: tuple[RandomTerm, ...] = ()) -> Formula:
        """With these random terms."""
        fixed = self.side.sum
        # columns that are those of the fixed part are one value with it, and are not compared again
        random = tuple(replace(t, columns=fixed) if t.columns == fixed else t for t in random)
        return Formula(self.response, fixed, random, tuple(self.side.offsets), self.absorbed, text)


def _refuse_instruments(tokens: Tokens, text: str) -> None:
    """``y ~ x | f | endogenous ~ instruments`` of fixest and pyfixest."""
    places = [(i, token) for i, token in outside_calls(tokens) if token.is_op("~", "|")]
    signs = [token.text for _, token in places]
    if signs.count("~") == 2 and signs[0] == "~" and "|" in signs[1:-1]:
        raise FormulaError(
            "the second '~' makes instrumental variables, which are not there; pyfixest.feols, linearmodels' "
            "IV2SLS and fixest have them",
            text,
            places[-1][1].position,
        )


def _refuse_several_responses(response: Node, text: str) -> None:
    """``y1 + y2 ~ x | f`` is two models in pyfixest, and arithmetic in R."""
    if isinstance(response, Chain) and response.operators == {"+"}:
        parts = [part for _, part in response.parts]
        if all(isinstance(part, Name) for part in parts):
            raise FormulaError(
                f"a model has one response: fit a model for each, or write I({response}) for the sum",
                text,
                response.steps[0].position,
            )


def _check_absorbed(response: Node, terms: tuple[AbsorbedTerm, ...], text: str) -> None:
    name = label(response)
    for term in terms:
        if name in term.columns:
            raise FormulaError(
                f"the response '{name}' stands on the right of '~' as well; take it out there",
                text,
                term.places[term.columns.index(name)],
            )


def sides(tokens: Tokens, text: str, *, alone: bool = False) -> tuple[Tokens, Tokens]:
    """The tokens left and right of the only '~'; `alone`: there need be none on its left.

    Raises
    ------
    FormulaError
        There is none, or another, or nothing on a side of it.
    """
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
    if not left and not alone:
        raise FormulaError(f"the response is missing on the left of '~', {_EXAMPLE}", text, position)
    if not right:
        raise FormulaError(f"there is nothing on the right of '~', {_EXAMPLE}", text, position + 1)
    for index, token in outside_calls(left):
        if token.is_op("|", "||", ","):
            raise FormulaError("the response must be one column or expression", text, left[index].position)
    return left, right


def _depth_at(tokens: Tokens, index: int) -> int:
    opened = sum(t.is_op("(", "[", "{") for t in tokens[:index])
    return opened - sum(t.is_op(")", "]", "}") for t in tokens[:index])


def read_response(tokens: Tokens, text: str) -> Node:
    """The expression of a response.

    Raises
    ------
    FormulaError
        It is none of one response.
    """
    node = read_expression(tokens, text)
    if isinstance(node, (Number, Text, Constant, Listing)):
        message = f"the response is {node}; name a column on the left of '~'"
        raise FormulaError(message, text, node.position)
    if isinstance(node, Call) and node.function in ("cbind", "mvbind", "c"):
        message = (
            "a linear mixed model has one response; fit a model for each, or stack the responses in a column"
        )
        raise FormulaError(message, text, node.position)
    return node


def _check_fixed(response: Node, side: Side, text: str) -> None:
    """The response cannot explain itself."""
    name = label(response)
    for term in terms_of(side.sum):
        if name in term.names:
            place = term.members[term.names.index(name)].position
            raise FormulaError(
                f"the response '{name}' stands on the right of '~' as well; take it out there", text, place
            )
