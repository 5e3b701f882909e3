"""Which names an expression uses, in what role, and where they stand in the text."""

from __future__ import annotations

import builtins
import keyword
from dataclasses import dataclass
from functools import lru_cache

from interlace.formula.terms import Formula
from interlace.formula.tokens import Tokens, closing, is_call, quote, tokenize

_CONSTANTS = frozenset({"TRUE", "FALSE", "NULL", *keyword.kwlist})


@dataclass(frozen=True, slots=True)
class Name:
    """A name in an expression.

    Attributes
    ----------
    name : str
        Without back-quotes; dots are part of it (``np.log``, ``Sepal.Length``).
    role : {"term", "value", "function"}
        A bare name at the level of terms, a value inside a call, or the function of a call.
    position : int
        Index into the text of the expression.
    """

    name: str
    role: str
    position: int


@lru_cache(maxsize=2048)
def names_in(expression: str) -> tuple[Name, ...]:
    """Names of an expression or right-hand side, in order.

    Examples
    --------
    >>> [(n.name, n.role) for n in names_in("x + log(z, base=2)")]
    [('x', 'term'), ('log', 'function'), ('z', 'value')]
    """
    found: list[Name] = []
    _collect(tokenize(expression), False, found)
    return tuple(found)


def _collect(tokens: Tokens, inside: bool, found: list[Name]) -> None:
    index = 0
    while index < len(tokens):
        token = tokens[index]
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.is_op("(", "[", "{"):
            end = closing(tokens, index)
            argument = is_call(tokens, index) or token.text == "{"
            _collect(tokens[index + 1 : end], inside or argument, found)
            index = end
        elif token.is_name and not _is_syntax(token.text, token.name, inside, following):
            called = following is not None and following.is_op("(")
            role = "function" if called else "value" if inside else "term"
            found.append(Name(token.name, role, token.position))
        index += 1


def _is_syntax(text: str, name: str, inside: bool, following: object) -> bool:
    """Keywords, constants, the names of arguments, package prefixes, and methods of a result."""
    is_op = getattr(following, "is_op", None)
    if text.startswith("`"):
        return False
    argument = inside and is_op is not None and is_op("=")
    package = is_op is not None and is_op("::")
    return name in _CONSTANTS or argument or package or (name.startswith(".") and inside)


def expressions(formula: Formula) -> tuple[str, ...]:
    """Every piece of a formula that names columns."""
    random = [part for term in formula.random for part in (term.columns, *term.grouping)]
    return (formula.response, formula.fixed, *formula.offsets, *random)


def locate(formula: Formula, name: str) -> int | None:
    """Index into the formula's text where a name first stands."""
    if not formula.text:
        return None
    return next((found.position for found in _names_anywhere(formula.text) if found.name == name), None)


def _names_anywhere(text: str) -> tuple[Name, ...]:
    return tuple(Name(t.name, "value", t.position) for t in tokenize(text) if t.is_name)


def is_builtin(name: str) -> bool:
    """Whether Python itself knows this name."""
    return hasattr(builtins, name)


def quote_columns(expression: str, columns: frozenset[str]) -> str:
    """Put back-quotes round dotted column names, so that they are names and not attributes in calls.

    Examples
    --------
    >>> quote_columns("log(Sepal.Length) + np.exp(x)", frozenset({"Sepal.Length", "x"}))
    'log(`Sepal.Length`) + np.exp(x)'
    """
    dotted = [n for n in names_in(expression) if "." in n.name and n.name in columns and n.role != "function"]
    for found in reversed(dotted):
        end = found.position + len(found.name)
        if expression[found.position] != "`":
            expression = expression[: found.position] + quote(found.name) + expression[end:]
    return expression
