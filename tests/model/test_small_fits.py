"""What a small fit costs is the number of calls of Python that it takes: they are counted here."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any
from weakref import ref

import pytest

import interlace

OURS = str(Path(interlace.__file__).parent)

SMALL = {
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", 400),
    "exam": ("normexam ~ standLRT + (standLRT | school)", 400),
    "penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", 460),
}


def calls_of(work: Callable[[], object]) -> Counter[str]:
    """Calls of Python functions of this library; those of pandas are not ours to count.

    Comparisons of formulas depend on which of two equal ones was seen first, perhaps by another test.
    """
    found: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if (
            event == "call"
            and code.co_name not in ("__eq__", "equal")
            and (code.co_filename.startswith(OURS) or code.co_filename == "<string>")
        ):
            found[f"{Path(code.co_filename).name}:{code.co_qualname}"] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return found


@pytest.mark.parametrize("name", SMALL)
def test_a_small_fit_takes_few_calls(name: str) -> None:
    """Raise a bound only for what every fit needs; what one question needs is computed when it is asked."""
    formula, most = SMALL[name]
    data = interlace.datasets.load(name)
    interlace.lmer(formula, data)  # what is kept from one fit to the next
    found = calls_of(lambda: interlace.lmer(formula, data))
    assert found.total() <= most, found.most_common(20)


def test_nothing_of_a_fit_is_kept_for_the_next_one() -> None:
    """What is remembered of formulas and layouts holds no rows."""

    def of_a_model() -> list[ref[Any]]:
        data = interlace.datasets.load("sleepstudy")
        design = interlace.lmer("Reaction ~ Days + (Days | Subject)", data).fit.design
        return [ref(data), ref(design.X), ref(design.random[0].codes), ref(design.y)]

    left = of_a_model()
    gc.collect()
    assert [one() for one in left] == [None] * 4
