"""Which random effects a prediction uses: "all", "none", or some of them by name."""

from __future__ import annotations

from collections.abc import Sequence

from interlace.design.encoding import Encoding, RandomEncoding
from interlace.errors import DataError, FormulaError, shown
from interlace.formula.algebra import terms_of
from interlace.formula.formula import RandomTerm
from interlace.formula.parser import parse_random
from interlace.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """Some columns of one random-effects term of the model."""

    block: int
    columns: tuple[int, ...]


def select(encoding: Encoding, random: str | Sequence[str]) -> tuple[Part, ...]:
    """The parts of the random effects that `random` names.

    Parameters
    ----------
    random : str or sequence of str
        "all", "none", names of grouping factors ("Subject", "batch:cask"), or terms of a formula
        ("(1 | Subject)", which may hold fewer columns than the model's own term on that factor).

    Raises
    ------
    DataError
        If something is named that the model does not have.
    """
    everything = tuple(Part(i, tuple(range(len(block.columns)))) for i, block in enumerate(encoding.random))
    if isinstance(random, str):
        if random in ("all", "none"):
            return everything if random == "all" else ()
        random = [random]
    if not isinstance(random, Sequence):
        raise DataError(
            f"random= takes 'all', 'none' or a list of names, not {shown(random)}; {_choices(encoding)}"
        )
    chosen = [part for text in random for part in _named(encoding, everything, text)]
    return _united(chosen)


def _named(encoding: Encoding, everything: tuple[Part, ...], text: str) -> list[Part]:
    if not isinstance(text, str):
        raise DataError(
            f"random= takes 'all', 'none' or a list of names, not {shown(text)}; {_choices(encoding)}"
        )
    if "|" in text:
        return [part for term in _terms(encoding, text) for part in _of_term(encoding, term, text)]
    wanted = frozenset(name.strip() for name in text.split(":"))
    parts = [part for part in everything if _factors(encoding.random[part.block]) == wanted]
    if not parts:
        raise DataError(
            f"random= names {shown(text)}, which is not a grouping factor of the model; {_choices(encoding)}"
        )
    return parts


def _terms(encoding: Encoding, text: str) -> tuple[RandomTerm, ...]:
    term = text.strip().removeprefix("~").strip()  # lme4's re.form has a tilde
    term = term if term.startswith("(") else f"({term})"
    try:
        return parse_random(term)
    except FormulaError as error:
        raise DataError(
            f"random= names {shown(text)}, which is not a random-effects term; {_choices(encoding)}"
        ) from error


def _of_term(encoding: Encoding, term: RandomTerm, text: str) -> list[Part]:
    """The columns of the model's terms on the factor of `term` that `term` asks for."""
    factors = frozenset(term.factors)
    wanted = {found.key for found in terms_of(term.columns)}
    found = []
    for i, block in enumerate(encoding.random):
        here = [(key, columns) for key, columns in _columns_by_term(block) if key in wanted]
        if _factors(block) == factors and here:
            found.append(Part(i, tuple(j for _, columns in here for j in columns)))
            wanted -= {key for key, _ in here}
    if wanted:
        raise DataError(
            f"random= names {shown(text)}, which is not a part of the model; {_choices(encoding)}"
        )
    return found


def _columns_by_term(block: RandomEncoding) -> list[tuple[frozenset[str], range]]:
    every = range(len(block.columns))
    terms = zip(block.basis.members, block.basis.terms, strict=True)
    return [(frozenset(members), every[columns]) for members, (_, columns) in terms]


def _factors(block: RandomEncoding) -> frozenset[str]:
    return frozenset(block.grouping.factors)


def _choices(encoding: Encoding) -> str:
    terms = ", ".join(str(term) for term in encoding.formula.random)
    groups = ", ".join(dict.fromkeys(block.group for block in encoding.random))
    return f"choose 'all', 'none', a grouping factor ({groups}) or a term ({terms})"


def _united(parts: Sequence[Part]) -> tuple[Part, ...]:
    columns: dict[int, set[int]] = {}
    for part in parts:
        columns.setdefault(part.block, set()).update(part.columns)
    return tuple(Part(block, tuple(sorted(chosen))) for block, chosen in columns.items())
