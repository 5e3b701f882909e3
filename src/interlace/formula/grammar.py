"""Tokens to a tree, by R's precedence (operators are read by how tightly they bind)."""

from __future__ import annotations

from dataclasses import replace

from interlace.errors import FormulaError
from interlace.formula.structured import ALIASES, HOM
from interlace.formula.tokens import CONSTANTS, Token, Tokens, outside_calls, tokenize, unquoted
from interlace.formula.tree import (
    COMPARE,
    NOT,
    POWER,
    SIGN,
    SPECIAL,
    Argument,
    Bar,
    Braces,
    Call,
    Chain,
    Constant,
    Listing,
    Name,
    Node,
    Number,
    Power,
    Step,
    Text,
    Unary,
    chain,
    level_of,
)

MAX_DEPTH = 100
_LONGEST_NUMBER = 300
_BARS = ("|", "||")
_SIGNS = ("+", "-")
_POWERS = ("^", "**")
_BINARY = frozenset(
    ["+", "-", "*", "/", "//", "%", ":", "^", "**", "&", "&&", "|", "||", "==", "!=", "<", "<=", ">", ">="]
)
_NO_OPERATORS = frozenset(["=", ",", "@", "->", "~", "::", "!"])
# Python's spelling of operators between percent signs, so that names of columns are the same for both.
_SPELLED = {"%%": "%", "%/%": "//", "^": "**"}
# Names of functions with dots that have had Python's spelling in names of columns from the beginning.
_FUNCTIONS = {"as.factor": "factor", "as.ordered": "ordered", "as.numeric": "as_numeric"}
_WORDS = {"and": "&", "or": "|", "not": "!", "in": "%in%", "is": "=="}


def read_terms(tokens: Tokens, text: str) -> Node:
    """The tree of a right-hand side: bars are those of random terms."""
    return _Reader(tokens, text, calls=0).whole()


def read_expression(tokens: Tokens, text: str) -> Node:
    """The tree of an expression: bars are logical."""
    return _Reader(tokens, text, calls=1).whole()


def expression(text: str) -> Node:
    """The tree of an expression given as text.

    Raises
    ------
    FormulaError
        With a caret at the place that is wrong.

    Examples
    --------
    >>> str(expression("x>1&!male"))
    '(x > 1) & !male'
    """
    tokens = tokenize(text)
    if not tokens:
        raise FormulaError("the expression is empty", text, 0)
    return read_expression(tokens, text)


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: Tokens, text: str, *, calls: int) -> None:
        self.tokens = tokens
        self.text = text
        self.calls = calls
        self.index = 0
        self.depth = 0

    def whole(self) -> Node:
        try:
            node = self.expression(0)
        except RecursionError:
            raise self.error("the formula is nested too deeply", self.tokens[0]) from None
        if self.token is not None:
            raise self.not_joined(self.token)
        return node

    @property
    def token(self) -> Token | None:
        return self.tokens[self.index] if self.index < len(self.tokens) else None

    @property
    def before(self) -> Token | None:
        return self.tokens[self.index - 1] if self.index else None

    def error(self, message: str, token: Token | int) -> FormulaError:
        return FormulaError(message, self.text, token.position if isinstance(token, Token) else token)

    def not_joined(self, token: Token) -> FormulaError:
        if token.is_op("[") or token.is_op("@", "::", "->", "=", ",", "~"):
            return self.error(_what_for(token.text, self.calls), token)
        before = self.before
        for word in (token, before):
            if word is not None and word.kind == "name" and word.text in _WORDS:
                return self.error(
                    f"'{word.text}' is no operator of formulas; write {_WORDS[word.text]}", word
                )
        column = ""
        if before is not None and before.kind == token.kind == "name":
            column = f"; a column whose name has a space stands in back-quotes: `{before.text} {token.text}`"
        return self.error(f"an operator such as '+' is missing here{column}", token)

    # ---- operators ----

    def expression(self, at_least: int) -> Node:
        """An expression whose operators bind at least this tightly."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            place = self.token or self.tokens[-1]
            raise self.error(
                f"the formula is nested more than {MAX_DEPTH} levels deep; write it flatter", place
            )
        node = self.operand()
        while (token := self.token) is not None and (level := self.level(token)) >= at_least and level:
            if level == POWER:
                self.index += 1
                node = Power(node, self.expression(POWER), position=node.position)
                continue
            steps: list[Step] = []
            # Those between percent signs are of one level here and of two in their spelling: one at a time.
            while (token := self.token) is not None and self.level(token) == level:
                if level == COMPARE and steps:
                    raise self.error("comparisons do not chain; write (a < b) & (b < c)", token)
                self.index += 1
                operator = _SPELLED.get(token.text, token.text)
                steps.append(Step(operator, self.expression(level + 1), token.position))
                if level == SPECIAL:
                    break
            node = chain(node, tuple(steps), node.position)
        self.depth -= 1
        return node

    def level(self, token: Token) -> int:
        """How tightly a token binds if it is a binary operator, else 0."""
        if token.kind != "operator":
            return 0
        if token.text in _POWERS:
            return POWER
        if token.text in _BINARY:
            return level_of(token.text)
        return SPECIAL if token.text.startswith("%") else 0

    # ---- operands ----

    def operand(self) -> Node:
        token = self.token
        if token is None or token.is_op(")", "]", "}", ","):
            raise self.missing(token)
        if token.is_op("+", "-"):
            return self.sign(token)
        if token.is_op("!"):
            self.index += 1
            return Unary("!", self.expression(NOT), position=token.position)
        if self.level(token) or token.is_op(*_NO_OPERATORS):
            raise self.missing(token)
        self.index += 1
        match token.kind:
            case "number":
                return self.number(token)
            case "string":
                return Text(unquoted(token, self.text), position=token.position)
            case "name" | "quoted":
                return self.named(token)
        return self.bracketed(token)

    def sign(self, token: Token) -> Node:
        before = self.before
        if not self.calls and before is not None and self.level(before):
            if before.is_op("-") and token.text == "-":
                raise self.error("a term is missing after this sign", before)
            if not before.is_op(*_SIGNS, *_BARS, *_POWERS):
                raise self.error(f"something is missing after '{before.text}'", before)
        self.index += 1
        return Unary(token.text, self.expression(SIGN), position=token.position)

    def missing(self, token: Token | None) -> FormulaError:
        """What to say where an operand should stand."""
        before = self.before
        opening = before is None or before.is_op("(", "[", "{", ",")
        if token is not None and opening and token.is_op(","):
            return self.error("an argument is missing before this comma", token)
        if token is not None and opening and token.is_op(")", "]", "}") and before is not None:
            if before.is_op(","):
                return self.error("an argument is missing after this comma", before)
            return self.error("these parentheses are empty", before)
        if token is not None and token.is_op(*_BARS) and opening:
            return self.error(
                "the columns are missing on the left of the bar; write (1 | g) for an intercept", token
            )
        if before is not None and not opening and before.is_op(*_SIGNS):
            return self.error("a term is missing after this sign", before)
        if before is not None and before.is_op(*_BARS) and not self.calls:
            return self.error("the grouping factor is missing on the right of the bar", before.position + 1)
        if token is None or token.is_op(")", "]", "}", ","):
            if before is None:
                return FormulaError("the expression is empty", self.text, 0)
            if self.grouping():
                return self.error(f"a grouping factor is missing beside '{before.text}'", before)
            return self.error(f"something is missing after '{before.text}'", before)
        return self.error(f"something is missing before '{token.text}'", token)

    def grouping(self) -> bool:
        """Whether the place before the current token is on the right of the bar of a random term."""
        if self.calls:
            return False
        depth = 0
        for token in reversed(self.tokens[: self.index]):
            depth += token.is_op(")") - token.is_op("(")
            if token.is_op(*_BARS) and depth <= 0:
                return True
        return False

    def number(self, token: Token) -> Number:
        word = token.text.removesuffix("L")
        if len(word) > _LONGEST_NUMBER:
            raise self.error("this number has too many digits", token)
        if word.isascii() and word.isdigit():
            return Number(str(int(word)), position=token.position)
        try:
            value = float(word)
        except ValueError:
            raise self.error("this is no number", token) from None
        if value in (float("inf"), float("-inf")):
            raise self.error("this number is too large", token)
        return Number(repr(value), position=token.position)

    def named(self, token: Token) -> Node:
        following = self.token
        if following is not None and following.is_op("::") and token.kind == "name":
            self.index += 1
            function = self.token
            if function is None or not function.is_name:
                raise self.error("the name of a function is missing after '::'", following)
            self.index += 1
            return replace(self.named(function), position=token.position)
        if following is not None and following.is_op("("):
            return self.call(token, following)
        if token.kind == "name" and token.text in CONSTANTS:
            return Constant(CONSTANTS[token.text], position=token.position)
        return Name(token.name, token.kind == "quoted" and "." in token.name, position=token.position)

    def call(self, token: Token, bracket: Token) -> Node:
        self.refuse_forgotten_sign(token, bracket)
        self.index += 1
        self.calls += 1
        arguments: list[Argument] = []
        while not self.at(")"):
            arguments.append(self.argument())
            if self.at(","):
                self.index += 1
                if self.at(")"):
                    raise self.missing(self.token)
            elif not self.at(")"):
                raise self.not_joined(self.tokens[self.index])
        self.calls -= 1
        self.index += 1
        if token.text == "Q" and len(arguments) == 1 and isinstance(arguments[0].value, Text):
            return Name(arguments[0].value.value, position=token.position)  # patsy's back-quotes
        function = _FUNCTIONS.get(token.name, token.name)
        return Call(function, tuple(arguments), position=token.position)

    def argument(self) -> Argument:
        token, index = self.token, self.index
        following = self.tokens[index + 1] if index + 1 < len(self.tokens) else None
        if token is not None and token.is_name and following is not None and following.is_op("="):
            self.index += 2
            name = token.name.replace(".", "_").lower() if "." in token.name else token.name
            return Argument(name, self.expression(0))
        return Argument(None, self.expression(0))

    def at(self, text: str) -> bool:
        return self.token is not None and self.token.is_op(text)

    def refuse_forgotten_sign(self, token: Token, bracket: Token) -> None:
        """`x (1 | g)` is meant as `x + (1 | g)`, not as a call of `x`."""
        apart = bracket.position > token.position + len(token.text)
        if not apart or self.calls or token.text == "I" or token.text in (*HOM, *ALIASES):
            return
        end = self.index + 1
        depth = 1
        while depth:
            depth += self.tokens[end].is_op("(") - self.tokens[end].is_op(")")
            end += 1
        if any(t.is_op(*_BARS) for _, t in outside_calls(self.tokens[self.index + 1 : end - 1])):
            raise self.error("an operator such as '+' is missing here", bracket)

    def bracketed(self, token: Token) -> Node:
        """What stands in brackets that are not those of a call."""
        if token.is_op("{"):
            self.calls += 1
            inside = self.expression(0)
            self.closed("}")
            self.calls -= 1
            return Braces(inside, position=token.position)
        if token.is_op("["):
            return self.listing(token, [])
        node = self.expression(0)
        if self.calls and self.at(","):
            return self.listing(token, [node])
        self.closed(")")
        if not self.calls and isinstance(node, Chain) and node.operators & set(_BARS):
            return self.bar(node, token)
        return replace(node, position=token.position) if not isinstance(node, Bar) else node

    def listing(self, token: Token, items: list[Node]) -> Node:
        closing = "]" if token.text == "[" else ")"
        if items:
            self.index += 1
        while not self.at(closing):
            items.append(self.expression(0))
            if self.at(","):
                self.index += 1
            elif not self.at(closing):
                raise self.not_joined(self.tokens[self.index])
        self.index += 1
        return Listing(tuple(items), token.text, position=token.position)

    def closed(self, bracket: str) -> None:
        if not self.at(bracket):
            raise self.not_joined(self.tokens[self.index])
        self.index += 1

    def bar(self, node: Chain, token: Token) -> Bar:
        first, *more = node.steps
        if more:
            raise self.error("a random term has one bar: (columns | grouping)", more[0].position)
        return Bar(node.head, first.operator, first.operand, first.position, position=token.position)


def _what_for(operator: str, calls: int) -> str:
    if operator == "[":
        return "columns have no subscripts in a formula; compute the column in the data"
    if operator == "=" and calls:
        return "'=' names an argument of a function; write == to compare"
    if calls or operator in (",", "~", "::"):
        return f"'{operator}' has no meaning here"
    return f"'{operator}' cannot join terms; put it into I(...)"
