"""Names of coefficients and terms as a person types them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from interlace.errors import FormulaError
from interlace.formula.grammar import expression
from interlace.formula.tokens import outside_calls, tokenize
from interlace.formula.tree import Name, label
from interlace.text import nearest, question

_INTERCEPT = ("Intercept", "1", "(Intercept)")  # among the coefficients, among the terms, in R


def resolve(name: str, known: Iterable[str]) -> str | None:
    """The known name that is meant; None if there is none, or more than one.

    Blanks, back-quotes, the order of a product and R's spelling of operators make no difference.

    Examples
    --------
    >>> resolve("z:I(x^2)", ["Intercept", "I(x ** 2):z"])
    'I(x ** 2):z'
    """
    known = list(known)
    if name in known:
        return name
    key = _key(name)
    meant = [one for one in known if _key(one) == key]
    return meant[0] if len(meant) == 1 else None


def known_as(name: str, known: Iterable[str]) -> str | None:
    """The known name that is meant, in R's spelling of coefficients too; None if there is none, or several.

    Examples
    --------
    >>> known_as("recipeB:(Intercept)", ["Intercept", "recipe[T.B]"]), known_as("recipeB", ["recipe[T.B]"])
    (None, 'recipe[T.B]')
    """
    known = list(known)
    found = resolve(name, known)
    if found is None:
        key = _key(_as_in_r(name))
        same = [one for one in known if _key(_as_in_r(one)) == key]
        found = same[0] if len(same) == 1 else None
    return found


def hint(name: str, known: Iterable[str]) -> str:
    """A question with the names most like one that is not known; "" if there are none.

    Examples
    --------
    >>> hint("recipeB", ["Intercept", "recipe[T.B]", "recipe[T.C]"])
    " (did you mean 'recipe[T.B]'?)"
    """
    known = list(known)
    same = [one for one in known if _key(_as_in_r(one)) == _key(_as_in_r(name))]
    meant = question(same or nearest(name, known))
    return f" ({meant})" if meant else ""


def _key(name: str) -> tuple[str, ...]:
    """The factors of a product in an order of their own, without blanks and back-quotes."""
    try:
        parts: Sequence[str] = list(_factors(name))
    except FormulaError:  # a level with characters that formulas do not have
        parts = [name]
    return tuple(sorted("".join(part.split()).replace("`", "") for part in parts))


def _factors(name: str) -> Iterator[str]:
    start = 0
    for _, token in outside_calls(tokenize(name)):
        if token.is_op(":", "%in%"):
            yield _canonical(name[start : token.position])
            start = token.position + len(token.text)
    yield _canonical(name[start:])


def _canonical(factor: str) -> str:
    """The spelling of one factor as columns have it; what stands in brackets behind it stays as it is."""
    bracket = next((t.position for _, t in outside_calls(tokenize(factor)) if t.is_op("[")), len(factor))
    node = expression(factor[:bracket])
    if isinstance(node, Name) and factor.lstrip().startswith("("):  # R's (Intercept)
        return factor
    return label(node) + factor[bracket:]


def _as_in_r(name: str) -> str:
    """What R calls a coefficient: `fB` for `f[T.B]`."""
    return _INTERCEPT[-1] if name in _INTERCEPT else re.sub(r"\[(?:[A-Z]\.)?([^\]]*)\]", r"\1", name)
