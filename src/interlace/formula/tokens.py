"""Text to tokens, and tokens back to text in one canonical spelling."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass

from interlace.errors import FormulaError

_PATTERN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<quoted>`[^`]*`)
  | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<name>(?:[^\W\d]|\.(?=[^\W\d]))[\w.]*|\.(?![\w.]))
  | (?P<operator>%[^%\s]*%|\|\||::|\*\*|==|!=|<=|>=|//|->|[-+*/^:~|()\[\]{},=<>&!%@])
    """,
    re.VERBOSE,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
# Words of Python that can be columns (`yield`, `class`) because no expression can begin with them.
_STATEMENTS = frozenset(keyword.kwlist) - set(
    ["True", "False", "None", "and", "or", "not", "in", "is", "if", "else", "lambda", "for"]
)
_TIGHT = {":", "(", ")", "[", "]", "{", "}", "@"}


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
        if _is_plain(word[1:-1]):
            return Token("name", word[1:-1], position)
    if kind == "name" and word in _STATEMENTS:
        return Token("quoted", f"`{word}`", position)
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


def _is_plain(name: str) -> bool:
    """Whether a name needs no back-quotes."""
    return name.isidentifier() and not keyword.iskeyword(name) and name not in ("TRUE", "FALSE", "NULL")


def quote(name: str) -> str:
    """A column name as it is written in a formula.

    Examples
    --------
    >>> quote("x"), quote("my col")
    ('x', '`my col`')
    """
    return name if _is_plain(name) else f"`{name}`"


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


def is_call(tokens: Tokens, index: int) -> bool:
    """Whether the opening bracket at `index` starts the arguments of a function or a subscript."""
    if index == 0:
        return False
    before = tokens[index - 1]
    return before.is_name or before.is_op(")", "]")


def render(tokens: Tokens) -> str:
    """Canonical text of a piece of a formula: R spellings become Python's, spaces are normal.

    At the level of terms `^` is a power (`**`) and `%in%` a product (`:`); inside a call R's `TRUE`, `FALSE`,
    `^` and `pkg::` go.
    """
    words: list[str] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.is_op("(", "[") and is_call(tokens, index):
            end = closing(tokens, index)
            words[-1:] = [_FUNCTIONS.get(words[-1], words[-1])]
            words.append(token.text + _render_code(tokens[index + 1 : end]) + tokens[end].text)
            index = end + 1
            continue
        if token.is_op("::"):
            words.pop()
        elif token.is_op("{"):
            end = closing(tokens, index)
            words.append("{" + _render_code(tokens[index + 1 : end]) + "}")
            index = end + 1
            continue
        else:
            words.append(_spaced(token, words))
        index += 1
    return "".join(words).strip()


def _spaced(token: Token, before: list[str]) -> str:
    """A token of the level of terms with the spaces that belong to it."""
    if token.kind == "name" and token.text in keyword.kwlist and token.text not in ("True", "False", "None"):
        return f"`{token.text}`"
    if token.kind != "operator" or token.text in _TIGHT:
        return token.text
    if token.text == "%in%":  # R: the same term as a product
        return ":"
    word = "**" if token.text == "^" else token.text
    unary = word in "+-" and (not before or before[-1][-1] in "( *:/+-")
    return word if unary else f" {word} "


# Names that are none in Python, because of their dots, and what stands for them.
_FUNCTIONS = {"as.factor": "factor", "as.ordered": "ordered", "as.numeric": "as_numeric"}
_CODE_WORDS = {"TRUE": "True", "FALSE": "False", "NULL": "None", "T": "T", "F": "F"}


def _render_code(tokens: Tokens) -> str:
    """Canonical text of the inside of a call (a Python expression, R spellings translated)."""
    words: list[str] = []
    depth: list[str] = ["("]
    for index, token in enumerate(tokens):
        if token.is_op("(", "["):
            depth.append(token.text)
        elif token.is_op(")", "]"):
            depth.pop()
        if token.is_op("::"):
            words.pop()
        elif token.kind == "name":
            words.append(_name_in_code(token, tokens[index + 1] if index + 1 < len(tokens) else None))
        elif token.kind != "operator" or token.text in _TIGHT - {":"}:
            words.append(token.text)
        elif token.text == ",":
            words.append(", ")
        elif token.text == "=" or (token.text == ":" and depth[-1] == "["):
            words.append(token.text)
        else:
            words.append(_operator_in_code(token, tokens, index))
    return "".join(words).strip()


def _name_in_code(token: Token, following: Token | None) -> str:
    """A name inside a call; the dots in names of functions and arguments go."""
    if following is not None and following.is_op("("):
        return _FUNCTIONS.get(token.text, token.text)
    if following is not None and following.is_op("="):
        return token.text.replace(".", "_").lower() if "." in token.text else token.text
    return _CODE_WORDS.get(token.text, token.text)


def _operator_in_code(token: Token, tokens: Tokens, index: int) -> str:
    word = "**" if token.text == "^" else token.text
    before = tokens[index - 1] if index else None
    starts = before is None or (before.kind == "operator" and before.text not in (")", "]"))
    if starts and word in ("+", "-", "!", "*", "**"):
        return word
    return f" {word} "
