"""Text to tokens."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence

from interlace.errors import FormulaError
from interlace.frozen import dataclass

_PATTERN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<quoted>`[^`]*`)
  | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?L?(?![\w.]))
  | (?P<name>(?:[^\W\d]|\.(?=[^\W\d]))[\w.]*|\.(?![\w.]))
  | (?P<operator>%[^%\s]*%|\|\||&&|::|\*\*|==|!=|<=|>=|//|->|[-+*/^:~|()\[\]{},=<>&!%@])
    """,
    re.VERBOSE | re.DOTALL,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_NAME = re.compile(r"(?:[^\W\d]|\.(?=[^\W\d]))[\w.]*")
#: Words that stand for values; a column of such a name needs back-quotes.
CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None, "True": True, "False": False, "None": None}


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a formula: `kind` is name, quoted, number, string or operator."""

    kind: str
    text: str
    position: int

    def is_op(self, *texts: str) -> bool:
        """Whether this is one of these operators."""
        return self.kind == "operator" and self.text in texts

    @property
    def is_name(self) -> bool:
        """Whether this names something, quoted or not."""
        return self.kind in ("name", "quoted")

    @property
    def name(self) -> str:
        """The name without back-quotes."""
        return self.text[1:-1] if self.kind == "quoted" else self.text


Tokens = Sequence[Token]


def tokenize(text: str) -> tuple[Token, ...]:
    """Split a formula into tokens and check that every bracket and quote is closed.

    Raises
    ------
    FormulaError
        For a character that has no meaning, an open quote, or brackets that do not match.
    """
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        if match is None:
            raise _unreadable(text, position)
        kind = str(match.lastgroup)
        if kind != "space":
            tokens.append(_token(kind, match.group(), position, text))
        position = match.end()
    _check_brackets(tokens, text)
    return tuple(tokens)


def _token(kind: str, word: str, position: int, text: str) -> Token:
    if kind == "quoted":
        if not word[1:-1].strip():
            raise FormulaError("the name between these back-quotes is empty", text, position)
        if "\n" in word:
            raise FormulaError("this back-quote is never closed", text, position)
    return Token(kind, word, position)


def _unreadable(text: str, position: int) -> FormulaError:
    char = text[position]
    if char == "`":
        return FormulaError("this back-quote is never closed", text, position)
    if char in "\"'":
        return FormulaError("this quote is never closed", text, position)
    word = re.match(r"[\w.]*", text[position:])
    if word and word.group():
        name = word.group()
        return FormulaError(
            f"'{name}' is neither a number nor a name; put a column of that name in back-quotes: `{name}`",
            text,
            position,
        )
    return FormulaError(
        f"the character {char!r} has no meaning here; put a column name that contains it in back-quotes",
        text,
        position,
    )


def _check_brackets(tokens: Tokens, text: str) -> None:
    open_brackets: list[Token] = []
    for token in tokens:
        if token.is_op("(", "[", "{"):
            open_brackets.append(token)
        elif token.is_op(")", "]", "}"):
            if not open_brackets:
                raise FormulaError(f"this '{token.text}' closes nothing", text, token.position)
            if _CLOSING[open_brackets.pop().text] != token.text:
                raise FormulaError(
                    f"this '{token.text}' does not match the bracket it closes", text, token.position
                )
    if open_brackets:
        raise FormulaError(
            f"this '{open_brackets[-1].text}' is never closed", text, open_brackets[-1].position
        )


def is_plain(name: str) -> bool:
    """Whether a name with dots at most can be written without back-quotes."""
    return _NAME.fullmatch(name) is not None and not keyword.iskeyword(name) and name not in CONSTANTS


def quote(name: str) -> str:
    """A column name as it is written in a formula; dots are quoted because packages have them too.

    Examples
    --------
    >>> quote("x"), quote("my col")
    ('x', '`my col`')
    """
    return name if is_plain(name) and "." not in name else f"`{name}`"


def closing(tokens: Tokens, start: int) -> int:
    """Index of the bracket that closes the one at `start` (brackets are known to match)."""
    depth = 0
    for index in range(start, len(tokens)):
        if tokens[index].is_op("(", "[", "{"):
            depth += 1
        elif tokens[index].is_op(")", "]", "}"):
            depth -= 1
            if depth == 0:
                return index
    raise AssertionError("brackets were checked by tokenize")


def outside_calls(tokens: Tokens) -> Iterator[tuple[int, Token]]:
    """The tokens that stand outside every bracket, with their indices."""
    index = 0
    while index < len(tokens):
        yield index, tokens[index]
        index = closing(tokens, index) + 1 if tokens[index].is_op("(", "[", "{") else index + 1


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)


def unquoted(token: Token, text: str) -> str:
    """What a string token says."""

    def replaced(match: re.Match[str]) -> str:
        word = match[1]
        if len(word) > 1 and int(word[1:], 16) <= 0x10FFFF:
            return chr(int(word[1:], 16))
        if word in _ESCAPES:
            return _ESCAPES[word]
        raise FormulaError(
            f"'\\{word}' has no meaning in text; write \\\\ for a backslash", text, token.position
        )

    return _ESCAPE.sub(replaced, token.text[1:-1])
