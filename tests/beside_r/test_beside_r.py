"""Drawn models beside R, where R is installed; and the comparison itself: it must see what differs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from beside_r.asking import ask, missing, question
from beside_r.comparing import Comparison
from beside_r.running import disagreements
from drawn.model import draw
from interlace.model import LinearMixedModel


@pytest.fixture(scope="module")
def r() -> None:
    """R with its packages; without them a test is skipped, and says why."""
    if reason := missing():
        pytest.skip(f"nothing is compared: {reason}")


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 60, 10))
def test_drawn_models_agree_with_r(r: None, first: int) -> None:
    counts: Counter[str] = Counter()
    assert disagreements(5, range(first, first + 10), counts) == []
    assert counts["agree"] >= 6


@pytest.mark.slow
def test_a_difference_is_seen(r: None) -> None:
    model = draw(5, 0)
    m = model.fit()
    theirs = ask([question(model, m.theta)])[0]
    assert Comparison(model, m, theirs).differences() == []
    worse = replace(m.fit, optimum=replace(m.fit.optimum, value=m.fit.optimum.value + 0.01))
    found = Comparison(model, LinearMixedModel(worse), theirs).differences()
    assert {d.what for d in found} >= {"criterion above lme4's", "criterion at the same theta"}
    other = theirs | {"sigma": 1.01 * theirs["sigma"], "fixef": [v + 1e-3 for v in theirs["fixef"]]}
    other |= {"singular": not theirs["singular"]}
    assert {d.what for d in Comparison(model, m, other).differences()} >= {"sigma", "singular"}


@pytest.mark.slow
def test_what_is_singular_in_the_unit_of_a_column_alone(r: None) -> None:
    """The slopes of numbers near 20,000 have a small theta, which is not near zero."""
    counts: Counter[str] = Counter()
    assert disagreements(5604, [16], counts) == [] and counts["agree"] == 1
