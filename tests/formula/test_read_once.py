"""A formula is read once: what comes after has its terms, and no text is put together to be read again."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import count

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.formula import grammar, parser, tokens
from interlace.inference import linear, spelling

RNG = np.random.default_rng(8)
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=200),
        "x": RNG.normal(size=200),
        "f": np.tile(["a", "b"], 100),
        "g": np.repeat(np.arange(20), 10),
    }
)
DATA["y"] += RNG.normal(size=20)[DATA.g] + DATA.x * RNG.normal(size=20)[DATA.g]
FRESH = count()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every text that is cut into tokens."""
    found: list[str] = []

    def tokenize(text: str) -> tuple[tokens.Token, ...]:
        found.append(text)
        return tokens.tokenize(text)

    for room in (grammar, parser, linear, spelling):
        monkeypatch.setattr(room, "tokenize", tokenize)
    yield found


def test_one_call_reads_its_formula_once(read: list[str]) -> None:
    formula = f"y ~ x * f + I(x + {next(FRESH)}) + (1 + x | g) + (0 + f | g:f)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        interlace.lmer(formula, DATA)
    assert read == [formula]
    interlace.lmer("y ~ x + (1 | g)", DATA)
    again = len(read)
    interlace.lmer("y ~ x + (1 | g)", DATA)
    assert len(read) == again


def test_what_is_asked_of_a_model_reads_nothing(read: list[str]) -> None:
    formula = f"y ~ poly(x, 2) + f + I(x + {next(FRESH)}) + (1 + x || g)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        m = interlace.lmer(formula, DATA)
        small = interlace.lmer("y ~ f + (1 | g)", DATA)
        before = len(read)
        str(m.summary())
        m.anova()
        m.anova(type=2)
        m.drop1()
        m.drop1(test="lrt")
        m.ranova()
        m.coef_table(ddf="kenward-roger")
        m.predict(DATA.head(), random="g")
        m.refit(reml=False).predict(DATA)
        m.contrast_test({"f[T.b]": 1})
        interlace.compare(small, m)
    assert read[before:] == []


def test_terms_that_are_named_are_compared_as_terms(read: list[str]) -> None:
    """The text of the user is read, once; that of the model is not."""
    m = interlace.lmer("y ~ x + (1 + x | g)", DATA)
    del read[:]
    m.predict(DATA, random="(x - 1 | g)")
    assert read == ["(x - 1 | g)"]
