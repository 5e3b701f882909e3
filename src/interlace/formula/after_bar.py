"""What stands after a bar outside parentheses: absorbed factors, ``firm:year[x] + worker``."""

from __future__ import annotations

from itertools import pairwise
from typing import NoReturn

from interlace.errors import FormulaError
from interlace.formula.formula import AbsorbedTerm
from interlace.formula.tokens import CONSTANTS, Token, Tokens, outside_calls
from interlace.frozen import dataclass

_EXAMPLE = "for example 'y ~ x | firm + year'"
_JOINING = (":", "^")
#: Words of fixest and pyfixest that stand for several models.
SEVERAL = ("sw", "sw0", "csw", "csw0", "mvsw")
_IN_PLACE = {
    "*": "write a:b for their combinations, among whose levels those of both lie",
    "/": "write a:b for the levels of b within a, among which those of a lie",
    "-": "leave out what shall not be absorbed",
    "**": "write a^b, or a:b, for the combinations of a and b",
    "||": "the covariances of random effects are set by (1 + x || g), inside parentheses",
}


def at_the_bar(right: Tokens, text: str) -> tuple[Tokens, Tokens, Token | None]:
    """The tokens before and after the bar of absorbed factors, and the bar; None where there is none.

    Raises
    ------
    FormulaError
        There is a second bar, or nothing on one of its sides.
    """
    bars = [i for i, token in outside_calls(right) if token.is_op("|", "||")]
    if not bars:
        return right, (), None
    bar = right[bars[0]]
    before, after = right[: bars[0]], right[bars[0] + 1 :]
    if bar.is_op("||"):
        raise FormulaError(
            "put parentheses round the random term: '(1 || g)'; a single bar absorbs factors: 'y ~ x | g'",
            text,
            bar.position,
        )
    if len(bars) > 1:
        raise FormulaError(
            "there is a second bar outside parentheses; join absorbed factors by '+', and put parentheses "
            "round random terms: '(1 | g)'",
            text,
            right[bars[1]].position,
        )
    if not before:
        raise FormulaError(
            f"there is nothing between '~' and the bar; name the terms that are wanted, {_EXAMPLE}",
            text,
            bar.position,
        )
    if not after:
        raise FormulaError(
            f"the absorbed factors are missing on the right of the bar, {_EXAMPLE}", text, bar.position + 1
        )
    return before, after, bar


def refuse_several(tokens: Tokens, text: str) -> None:
    """Words of fixest and pyfixest that ask for several models, or for instruments.

    Raises
    ------
    FormulaError
        With the word.
    """
    for token, following in pairwise(tokens):
        if token.kind == "name" and token.text in SEVERAL and following.is_op("("):
            raise FormulaError(
                f"{token.text}() stands for several models, as in fixest and pyfixest, and a formula here is "
                "one model: fit each, and put them beside each other with interlace.compare",
                text,
                token.position,
            )


def absorbed_terms(tokens: Tokens, text: str) -> tuple[AbsorbedTerm, ...]:
    """The factors after the bar.

    Raises
    ------
    FormulaError
        It is no sum of factors, or a factor stands there twice.
    """
    refuse_several(tokens, text)
    reader = _Reader(tokens, text)
    found: list[AbsorbedTerm] = []
    while True:
        start = reader.token
        term = reader.term()
        if any(_same(term, other) for other in found):
            reader.refuse(f"the absorbed factor {term} stands in the formula twice; leave one out", start)
        found.append(term)
        if reader.token is None:
            return tuple(found)
        reader.next("+")


def _same(one: AbsorbedTerm, other: AbsorbedTerm) -> bool:
    return set(one.factors) == set(other.factors) and set(one.coefficients) == set(other.coefficients)


@dataclass(slots=True)
class _Reader:
    """Reads absorbed factors from left to right."""

    tokens: Tokens
    text: str
    index: int = 0

    @property
    def token(self) -> Token | None:
        return self.tokens[self.index] if self.index < len(self.tokens) else None

    def refuse(self, message: str, at: Token | None) -> NoReturn:
        raise FormulaError(message, self.text, len(self.text.rstrip()) if at is None else at.position)

    def at(self, *texts: str) -> bool:
        return self.token is not None and self.token.is_op(*texts)

    def next(self, operator: str) -> None:
        """Step over an operator that must be here."""
        token = self.token
        if self.at(operator):
            self.index += 1
            return
        if token is None:
            self.refuse(f"'{operator}' is missing here", None)
        if token.text in _IN_PLACE:
            self.refuse(f"'{token.text}' cannot join absorbed factors; {_IN_PLACE[token.text]}", token)
        if token.is_op("("):
            self.refuse_call(self.tokens[self.index - 1])
        self.refuse(f"'{operator}' is missing before this; absorbed factors are joined by '+'", token)

    def term(self) -> AbsorbedTerm:
        factors = self.names("an absorbed factor", _JOINING)
        if not self.at("["):
            return AbsorbedTerm(tuple(factors), places=tuple(factors.values()))
        self.index += 1
        alone = self.at("[")
        self.index += int(alone)
        slopes = self.names("a slope", (",",))
        for _ in range(1 + alone):
            self.next("]")
        places = (*factors.values(), *slopes.values())
        return AbsorbedTerm(tuple(factors), tuple(slopes), not alone, places)

    def names(self, what: str, between: tuple[str, ...]) -> dict[str, int]:
        """Names of columns with their places, each once."""
        found: dict[str, int] = {}
        while True:
            place = -1 if self.token is None else self.token.position
            found.setdefault(self.name(what), place)
            if not self.at(*between):
                return found
            self.index += 1

    def name(self, what: str) -> str:
        """The name of a column, which must be here."""
        token = self.token
        if token is None or token.is_op("+", ":", "^", "]", ","):
            self.refuse(f"{what} is missing here, {_EXAMPLE}", token)
        if token.is_op("("):
            self.refuse_brackets(token)
        following = self.tokens[self.index + 1] if self.index + 1 < len(self.tokens) else None
        if following is not None and following.is_op("(") and token.is_name:
            self.refuse_call(token)
        if not token.is_name or (token.kind == "name" and (token.text in CONSTANTS or token.text == ".")):
            advice = _IN_PLACE.get(token.text, "name columns of the data after the bar")
            self.refuse(f"'{token.text}' is no column; {advice}, {_EXAMPLE}", token)
        self.index += 1
        return token.name

    def refuse_brackets(self, token: Token) -> NoReturn:
        rest = self.tokens[self.index :]
        if any(t.is_op("|", "||") for t in rest):
            self.refuse(
                "random terms stand before the bar of the absorbed factors: 'y ~ x + (1 | g) | firm'", token
            )
        self.refuse("leave these parentheses out; absorbed factors are joined by '+'", token)

    def refuse_call(self, token: Token) -> NoReturn:
        self.refuse(
            f"{token.text}(...) cannot be absorbed: absorbed factors and their slopes are columns of the "
            "data; compute the column in the data and name it",
            token,
        )
