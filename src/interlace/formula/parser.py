"""Text to `Formula`: response ~ fixed part + offset(...) + (columns | grouping)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from interlace.errors import FormulaError
from interlace.formula.terms import Formula, RandomTerm
from interlace.formula.tokens import Token, Tokens, closing, is_call, render, tokenize

_EXAMPLE = "for example 'y ~ x + (1 | group)'"


@dataclass(frozen=True, slots=True)
class _Item:
    """One summand of a right-hand side with its sign."""

    sign: str
    tokens: Tokens


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
    fixed: list[_Item] = []
    random: list[tuple[RandomTerm, int]] = []
    offsets: list[str] = []
    for item in _items(rhs, text):
        if _is_offset(item.tokens):
            offsets.append(_offset(item, text))
        elif (bar := _bar_of(item.tokens)) is not None:
            random.extend(_random_terms(item, bar, text))
        else:
            _refuse_hidden_bar(item.tokens, text)
            fixed.append(item)
    _check_random(random, text)
    return Formula(
        response=render(response),
        fixed=_sum(fixed, text, empty=True),
        random=tuple(term for term, _ in random),
        offsets=tuple(offsets),
        text=text,
    )


# 1) Sides -----------------------------------------------------------------------------------------------------


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
    for index, token in _outside_calls(left):
        if token.is_op("|", "||", ","):
            raise FormulaError("the response must be one column or expression", text, left[index].position)
    _check_ends(left, text)
    return left, right


def _depth_at(tokens: Tokens, index: int) -> int:
    opened = sum(t.is_op("(", "[", "{") for t in tokens[:index])
    return opened - sum(t.is_op(")", "]", "}") for t in tokens[:index])


# 2) Sums ------------------------------------------------------------------------------------------------------


def _items(tokens: Tokens, text: str) -> Iterator[_Item]:
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
                yield from _opened(_Item(sign.text if sign else "+", tokens[start:index]), text)
            elif end or (sign is not None and start > 0 and not _may_follow(sign, tokens[index])):
                where = sign.position if sign else 0
                raise FormulaError("a term is missing after this sign", text, where)
            if not end:
                sign = tokens[index]
            start = index + 1
        index += 1


def _is_operand_sign(tokens: Tokens, start: int, index: int) -> bool:
    """Whether a sign belongs to the operand of another operator, as in `x ** -1`."""
    return index > start and tokens[index - 1].kind == "operator" and not tokens[index - 1].is_op(")", "]", "}")


def _may_follow(sign: Token, following: Token) -> bool:
    """`+ -1` is the one pair of signs that formulas have in practice."""
    return sign.text == "+" and following.is_op("-")


def _opened(item: _Item, text: str) -> Iterator[_Item]:
    inside = _inside_group(item.tokens)
    if inside is None:
        _check_ends(item.tokens, text)
        yield item
    elif not inside:
        raise FormulaError("these parentheses are empty", text, item.tokens[0].position)
    elif _bar_of(item.tokens) is not None:
        yield _Item(item.sign, inside if _inside_group(inside) else item.tokens)
    elif item.sign == "+" or len(inside) == 1:
        for part in _items(inside, text):
            yield _Item(part.sign if item.sign == "+" else item.sign, part.tokens)
    else:
        _refuse_hidden_bar(item.tokens, text)
        yield item


def _inside_group(tokens: Tokens) -> Tokens | None:
    """What stands inside if the tokens are one parenthesised group, else None."""
    if tokens and tokens[0].is_op("(") and closing(tokens, 0) == len(tokens) - 1:
        return tokens[1:-1]
    return None


_BINARY = ("*", "/", ":", "**", "^", "|", "||", ",", "=", "%in%", "&", "==", "<", ">", "!=", "<=", ">=", "::", "@")


def _check_ends(tokens: Tokens, text: str) -> None:
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


def _sum(items: list[_Item], text: str, *, empty: bool) -> str:
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


# 3) Offsets ---------------------------------------------------------------------------------------------------


def _is_offset(tokens: Tokens) -> bool:
    return (
        len(tokens) > 2
        and tokens[0].kind == "name"
        and tokens[0].text == "offset"
        and tokens[1].is_op("(")
        and closing(tokens, 1) == len(tokens) - 1
    )


def _offset(item: _Item, text: str) -> str:
    inside = item.tokens[2:-1]
    if item.sign == "-":
        raise FormulaError("an offset cannot be taken away; write offset(-(...))", text, item.tokens[0].position)
    if not inside:
        raise FormulaError("offset() is empty; name a column in it", text, item.tokens[0].position)
    # Rendered as the argument of a call, so that R's spellings inside are translated.
    return render(item.tokens)[len("offset(") : -1]


# 4) Random terms ----------------------------------------------------------------------------------------------


def _outside_calls(tokens: Tokens) -> Iterator[tuple[int, Token]]:
    """The tokens that stand outside every bracket, with their indices."""
    index = 0
    while index < len(tokens):
        yield index, tokens[index]
        index = closing(tokens, index) + 1 if tokens[index].is_op("(", "[", "{") else index + 1


def _bar_of(tokens: Tokens) -> int | None:
    """Index of the bar if the tokens are `(columns | grouping)`, however many parentheses are round it."""
    inside = _inside_group(tokens)
    if inside is None:
        return None
    for index, token in _outside_calls(inside):
        if token.is_op("|", "||"):
            return index
    return _bar_of(inside)


def _refuse_hidden_bar(tokens: Tokens, text: str) -> None:
    """A bar that is not in parentheses of its own is an error; what it should be depends on where it is."""
    depth = 0
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.is_op("(", "[", "{") and is_call(tokens, index):
            index = closing(tokens, index) + 1
            continue
        depth += token.is_op("(") - token.is_op(")")
        if token.is_op("|", "||") and depth == 0:
            raise FormulaError(
                f"put parentheses round the random term: '(1 {token.text} g)'", text, token.position
            )
        if token.is_op("|", "||"):
            raise FormulaError(
                "a random term cannot be part of an interaction or be subtracted in a group; add it: '+ (1 | g)'",
                text,
                token.position,
            )
        index += 1


def _random_terms(item: _Item, bar: int, text: str) -> list[tuple[RandomTerm, int]]:
    """The random terms that one bar stands for, each with its place in the text."""
    inside = item.tokens
    while (deeper := _inside_group(inside)) is not None:
        inside = deeper
    position = item.tokens[0].position
    if item.sign == "-":
        raise FormulaError("a random term cannot be taken away; leave it out instead", text, position)
    columns, grouping = inside[:bar], inside[bar + 1 :]
    for _, token in _outside_calls(grouping):
        if token.is_op("|", "||"):
            raise FormulaError("a random term has one bar: (columns | grouping)", text, token.position)
    if not columns:
        raise FormulaError(
            "the columns are missing on the left of the bar; write (1 | g) for an intercept", text, inside[bar].position
        )
    if not grouping:
        raise FormulaError("the grouping factor is missing on the right of the bar", text, inside[bar].position + 1)
    covariance = "unstructured" if inside[bar].text == "|" else "independent"
    items = list(_items(columns, text))
    for part in items:
        _refuse_in_columns(part.tokens, text)
    words = _sum(items, text, empty=False)
    return [(RandomTerm(words, factors, covariance), position) for factors in _groupings(grouping, text)]


def _refuse_in_columns(tokens: Tokens, text: str) -> None:
    for token in tokens:
        if token.is_op("|", "||"):
            raise FormulaError("a random term cannot stand inside another one", text, token.position)
    if len(tokens) == 1 and tokens[0].text == ".":
        raise FormulaError("'.' cannot be used in a random term; name the columns", text, tokens[0].position)
    if _is_offset(tokens):
        raise FormulaError("an offset cannot stand in a random term", text, tokens[0].position)


def _groupings(tokens: Tokens, text: str) -> list[tuple[str, ...]]:
    """`a/b/c` -> (a), (a, b), (a, b, c); `a:b` -> (a, b)."""
    nested: list[tuple[str, ...]] = []
    for part in _split(tokens, "/", text):
        inside = _inside_group(part)
        below = _groupings(inside, text) if inside is not None else [_product(part, text)]
        above = nested[-1] if nested else ()
        nested.extend(_joined(above, factors) for factors in below)
    return nested


def _product(tokens: Tokens, text: str) -> tuple[str, ...]:
    """The factors of `a:b:c`, each a name or a call."""
    factors: tuple[str, ...] = ()
    for part in _split(tokens, ":", text):
        inside = _inside_group(part)
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
    cuts = [i for i, token in _outside_calls(tokens) if token.is_op(operator)]
    pieces = [tokens[a + 1 : b] for a, b in zip([-1, *cuts], [*cuts, len(tokens)], strict=True)]
    for cut, piece in zip([*cuts, cuts[-1] if cuts else 0], pieces, strict=True):
        if not piece:
            raise FormulaError(f"a grouping factor is missing beside '{operator}'", text, tokens[cut].position)
    return pieces


def _factor(tokens: Tokens, text: str) -> str:
    """One factor of a grouping: a name or a call."""
    first = tokens[0]
    if first.kind in ("number", "string"):
        message = f"the grouping factor is {first.text}; name a column on the right of the bar"
        raise FormulaError(message, text, first.position)
    for _, token in _outside_calls(tokens):
        if token.is_op("+", "-", "*", "**", "^", "%in%"):
            message = (
                f"'{token.text}' cannot join grouping factors; write (1 | a) + (1 | b) for two factors, "
                "(1 | a:b) for their combinations, (1 | a/b) for nesting"
            )
            raise FormulaError(message, text, token.position)
    _check_ends(tokens, text)
    last_call = len(tokens) > 1 and tokens[-1].is_op(")", "]")
    if not first.is_name or (len(tokens) > 1 and not last_call):
        raise FormulaError("a grouping factor is a column or a function of one", text, first.position)
    return render(tokens)


# 5) Checks of the whole ---------------------------------------------------------------------------------------


def _check_random(random: list[tuple[RandomTerm, int]], text: str) -> None:
    if not random:
        message = (
            "the formula has no random term; add one, for example '(1 | group)', "
            "or use ordinary least squares for a model without random effects"
        )
        raise FormulaError(message, text, len(text.rstrip()))
    columns: dict[frozenset[str], set[str]] = {}
    for term, position in random:
        seen = columns.setdefault(frozenset(term.grouping), set())
        for column in term.columns.split(" + "):
            if column == "0":
                continue
            if column in seen:
                what = "a random intercept" if column == "1" else f"'{column}'"
                message = (
                    f"{what} for the grouping factor '{term.group}' is in more than one random term; "
                    "keep one of them (write 0 + x in a term that shall have no intercept)"
                )
                raise FormulaError(message, text, position)
            seen.add(column)
