"""Formulas that may well be right, and formulas that surely are not."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.columns import Rng
from fuzz.expressions import ATTACKS, EXPRESSIONS, LONG, SIZES

Parts = tuple[str, tuple[str, ...], tuple[str, ...]]


def sound_parts(rng: Rng) -> Parts:
    """Response, fixed terms and random terms that fit ordinary data."""
    return _parts(rng, lambda kind: _one(rng, kind, 0.0))


def wild_parts(rng: Rng) -> Parts:
    """The same from all lists, in every third with a hostile expression somewhere."""
    response, fixed, random = _parts(rng, lambda kind: _one(rng, kind, 0.4))
    if rng.random() < 0.35:
        attack = str(rng.choice(ATTACKS))
        wrapped = f"I({attack})" if rng.random() < 0.5 else attack
        place = rng.random()
        if place < 0.6:
            fixed = (*fixed, wrapped)
        elif place < 0.75:
            random = (*random, f"({wrapped} | g)")
        elif place < 0.9:
            random = (*random, f"(1 | {wrapped})")
        else:
            response = wrapped
    return response, fixed, random


def _parts(rng: Rng, one: Callable[[str], str]) -> Parts:
    n_fixed = int(rng.choice([0, 1, 2, 3, 4], p=[0.1, 0.3, 0.35, 0.2, 0.05]))
    n_random = int(rng.choice([0, 1, 2, 3], p=[0.02, 0.6, 0.33, 0.05]))
    fixed = tuple(one("fixed") for _ in range(n_fixed))
    bars = rng.choice(["|", "||"], size=n_random, p=[0.85, 0.15])
    random = tuple(f"({one('columns')} {bar} {one('groups')})" for bar in bars)
    return one("responses"), fixed, tuple(dict.fromkeys(random))


def _one(rng: Rng, kind: str, odd: float) -> str:
    return str(rng.choice(EXPRESSIONS[f"odd_{kind}" if rng.random() < odd else kind]))


def random_text(rng: Rng, text: str) -> str | None:
    """A formula that is no sum of terms: very long, random words, or `text` with errors; mostly None."""
    kind = rng.random()
    if kind < 0.04:
        return LONG[str(rng.choice(list(LONG)))](int(rng.choice(SIZES)))
    if kind < 0.08:
        return "".join(str(rng.choice(EXPRESSIONS["pieces"])) for _ in range(int(rng.integers(1, 25))))
    if kind < 0.25:
        return _with_errors(rng, text)
    return None


def _with_errors(rng: Rng, text: str) -> str:
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(0, len(text) + 1))
        what = rng.random()
        if what < 0.35:
            text = text[:at] + text[at + 1 :]
        elif what < 0.8:
            text = text[:at] + str(rng.choice(EXPRESSIONS["pieces"])) + text[at:]
        else:
            text = text[:at] + text[at : at + 4] + text[at:]
    return text
