"""Right-hand sides as sums: summands, their signs, and the intercept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from interlace.errors import FormulaError
from interlace.formula.tokens import Token, Tokens, closing, is_call, render, tokenize


@dataclass(frozen=True, slots=True)
class Item:
    """One summand of a right-hand side with its sign."""

    sign: str
    tokens: Tokens


def summands(tokens: Tokens, text: str) -> Iterator[Item]:
    """The summands of a right-hand side; `+ (a + b)` is opened up, `- (a + b)` is left alone."""
    sign: Token | None = None
    start = 0
    index = 0
    while index <= len(tokens):
        end = index == len(tokens)
        if not end and tokens[index].is_op("(", "[", "{"):
            index = closing(tokens, index) + 1
            continue
        if end or (tokens[index].is_op("+", "-") and not _is_operand_sign(tokens, start, index)):
            if start < index:
                yield from _opened(Item(sign.text if sign else "+", tokens[start:index]), text)
            elif end or (sign is not None and start > 0 and not _may_follow(sign, tokens[index])):
                where = sign.position if sign else 0
                raise FormulaError("a term is missing after this sign", text, where)
            if not end:
                sign = tokens[index]
            start = index + 1
        index += 1


def _is_operand_sign(tokens: Tokens, start: int, index: int) -> bool:
    """Whether a sign belongs to the operand of a power, as in `x ** -1`."""
    return index > start and tokens[index - 1].is_op("**", "^")


def _may_follow(sign: Token, following: Token) -> bool:
    """`+ -1` is the one pair of signs that formulas have in practice."""
    return sign.text == "+" and following.is_op("-")


def _opened(item: Item, text: str) -> Iterator[Item]:
    inside = inside_group(item.tokens)
    if inside is None:
        check_ends(item.tokens, text)
        _check_operators(item.tokens, text)
        yield item
    elif not inside:
        raise FormulaError("these parentheses are empty", text, item.tokens[0].position)
    elif bar_of(item.tokens) is not None:
        yield Item(item.sign, inside if inside_group(inside) else item.tokens)
    elif item.sign == "+" or len(inside) == 1:
        for part in summands(inside, text):
            yield Item(part.sign if item.sign == "+" else item.sign, part.tokens)
    else:
        refuse_hidden_bar(item.tokens, text)
        yield item


def inside_group(tokens: Tokens) -> Tokens | None:
    """What stands inside if the tokens are one parenthesised group, else None."""
    if tokens and tokens[0].is_op("(") and closing(tokens, 0) == len(tokens) - 1:
        return tokens[1:-1]
    return None


_BINARY = (
    "*",
    "/",
    ":",
    "**",
    "^",
    "|",
    "||",
    ",",
    "=",
    "%in%",
    "&",
    "==",
    "<",
    ">",
    "!=",
    "<=",
    ">=",
    "::",
    "@",
)


_COMPARISONS = ("==", "!=", "<", ">", "<=", ">=", "&", "!", "=", "//", "@")


def _check_operators(tokens: Tokens, text: str) -> None:
    """Terms are joined by the operators of formulas, not by those of arithmetic."""
    if any(token.is_op("|", "||") for _, token in outside_calls(tokens)):
        return
    for index, token in outside_calls(tokens):
        if token.is_op(*_COMPARISONS):
            raise FormulaError(f"'{token.text}' cannot join terms; put it into I(...)", text, token.position)
        if token.kind == "operator" and token.text[0] == "%" and token.text != "%in%":
            raise FormulaError(
                f"'{token.text}' cannot join terms; compute the column in the data", text, token.position
            )
        power = index and tokens[index - 1].is_op("**", "^")
        if token.kind == "number" and len(tokens) > 1 and not power:
            raise FormulaError("a number cannot be part of a term; write I(2 * x)", text, token.position)


def check_ends(tokens: Tokens, text: str) -> None:
    """No operator at either end, and no two operands side by side."""
    if tokens[-1].kind == "operator" and tokens[-1].text in (*_BINARY, "+", "-", "!") and len(tokens) > 1:
        raise FormulaError(f"something is missing after '{tokens[-1].text}'", text, tokens[-1].position)
    if tokens[0].is_op(*_BINARY):
        raise FormulaError(f"something is missing before '{tokens[0].text}'", text, tokens[0].position)
    index = 0
    while index < len(tokens):
        token = tokens[index]
        inside = token.is_op("(", "[", "{")
        argument = inside and is_call(tokens, index)
        if index and not argument and _is_operand_end(tokens[index - 1]) and _is_operand_start(token):
            raise FormulaError("an operator such as '+' is missing here", text, token.position)
        if inside and not argument and closing(tokens, index) == index + 1:
            raise FormulaError("these parentheses are empty", text, token.position)
        if token.is_op(*_BINARY) and index and tokens[index - 1].is_op(*_BINARY):
            raise FormulaError(f"something is missing before '{token.text}'", text, token.position)
        index = closing(tokens, index) + 1 if argument else index + 1


def _is_operand_start(token: Token) -> bool:
    return token.kind != "operator" or token.is_op("(", "{")


def _is_operand_end(token: Token) -> bool:
    return token.kind != "operator" or token.is_op(")", "]", "}")


def canonical_sum(items: list[Item], text: str, *, empty: bool) -> str:
    """Canonical sum with its intercept written out; the last word on the intercept counts."""
    intercept = True
    terms: list[str] = []
    for item in items:
        number = item.tokens[0] if len(item.tokens) == 1 and item.tokens[0].kind == "number" else None
        if number is not None:
            if number.text not in ("0", "1"):
                raise FormulaError("the only numbers that can be terms are 0 and 1", text, number.position)
            intercept = (number.text == "1") == (item.sign == "+")
            continue
        words = ("- " if item.sign == "-" else "+ ") + render(item.tokens)
        if words not in terms:
            terms.append(words)
    if not empty and not intercept and not any(term.startswith("+") for term in terms):
        where = items[0].tokens[0].position
        raise FormulaError("this random term has no columns; write (1 | g) for an intercept", text, where)
    return " ".join(["1" if intercept else "0", *terms])


def is_offset(tokens: Tokens) -> bool:
    return (
        len(tokens) > 2
        and tokens[0].kind == "name"
        and tokens[0].text == "offset"
        and tokens[1].is_op("(")
        and closing(tokens, 1) == len(tokens) - 1
    )


def offset_expression(item: Item, text: str) -> str:
    inside = item.tokens[2:-1]
    if item.sign == "-":
        raise FormulaError(
            "an offset cannot be taken away; write offset(-(...))", text, item.tokens[0].position
        )
    if not inside:
        raise FormulaError("offset() is empty; name a column in it", text, item.tokens[0].position)
    # Rendered as the argument of a call, so that R's spellings inside are translated.
    return render(item.tokens)[len("offset(") : -1]


def outside_calls(tokens: Tokens) -> Iterator[tuple[int, Token]]:
    """The tokens that stand outside every bracket, with their indices."""
    index = 0
    while index < len(tokens):
        yield index, tokens[index]
        index = closing(tokens, index) + 1 if tokens[index].is_op("(", "[", "{") else index + 1


def bar_of(tokens: Tokens) -> int | None:
    """Index of the bar if the tokens are `(columns | grouping)`, however many parentheses are round it."""
    inside = inside_group(tokens)
    if inside is None:
        return None
    for index, token in outside_calls(inside):
        if token.is_op("|", "||"):
            return index
    return bar_of(inside)


def refuse_hidden_bar(tokens: Tokens, text: str) -> None:
    """A bar that is not in parentheses of its own is an error; what it should be depends on where it is."""
    depth = 0
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.is_op("(", "[", "{") and is_call(tokens, index):
            _refuse_forgotten_sign(tokens, index, text)
            index = closing(tokens, index) + 1
            continue
        depth += token.is_op("(") - token.is_op(")")
        if token.is_op("|", "||") and depth == 0:
            raise FormulaError(
                f"put parentheses round the random term: '(1 {token.text} g)'", text, token.position
            )
        if token.is_op("|", "||"):
            raise FormulaError(
                "a random term cannot stand inside another term; add it to the others: '+ (1 | g)'",
                text,
                token.position,
            )
        index += 1


def _refuse_forgotten_sign(tokens: Tokens, index: int, text: str) -> None:
    """`x (1 | g)` is meant as `x + (1 | g)`, not as a call of `x`."""
    apart = tokens[index].position > tokens[index - 1].position + len(tokens[index - 1].text)
    if apart and any(
        t.is_op("|", "||") for _, t in outside_calls(tokens[index + 1 : closing(tokens, index)])
    ):
        raise FormulaError("an operator such as '+' is missing here", text, tokens[index].position)


@lru_cache(maxsize=1024)
def split_sum(rhs: str) -> tuple[str, ...]:
    """The summands of a canonical right-hand side; those taken away keep their sign.

    Examples
    --------
    >>> split_sum("1 + a * b - a:b + I(x + z)")
    ('1', 'a * b', '- a:b', 'I(x + z)')
    """
    tokens = tokenize(rhs)
    cuts = [token.position for i, token in outside_calls(tokens) if i and token.is_op("+", "-")]
    pieces = [rhs[a:b].strip() for a, b in zip([0, *cuts], [*cuts, len(rhs)], strict=True)]
    return tuple(piece.removeprefix("+ ") for piece in pieces)
