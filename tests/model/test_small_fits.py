"""What a small fit costs is the number of calls of Python that it takes: they are counted here."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from inspect import signature
from pathlib import Path
from types import FrameType
from typing import Any
from weakref import ref

import pytest

import interlace
from interlace.frozen import lazy, quick

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
            and code.co_name != "__eq__"
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


# Frozen values that are made quickly


@quick
@dataclass(frozen=True, slots=True)
class Slotted:
    a: int
    b: list[int] = field(default_factory=list)
    c: str = "c"
    made: int = field(init=False, default=7)


@quick
@dataclass(frozen=True)
class Plain:
    a: int
    b: list[int] = field(default_factory=list)
    calls: list[str] = field(init=False, default_factory=list, compare=False)

    def __post_init__(self) -> None:
        self.calls.append("made")

    @lazy
    def twice(self) -> int:
        """Of a."""
        self.calls.append("twice")
        return 2 * self.a


@pytest.mark.parametrize("kind", [Slotted, Plain])
def test_values_made_quickly_are_those_of_dataclasses(kind: Any) -> None:
    one, other = kind(1), kind(1)
    assert one == other and one.b == [] and one.b is not other.b
    assert kind(2, [3]) == kind(a=2, b=[3]) == replace(one, a=2, b=[3])
    assert hash(kind(1, ())) == hash(kind(1, ()))
    assert list(signature(kind).parameters) == [f.name for f in fields(kind) if f.init]
    with pytest.raises(AttributeError):
        one.a = 3
    with pytest.raises(TypeError, match=rf"{kind.__name__}.__init__\(\) missing 1 required positional"):
        kind()
    with pytest.raises(TypeError, match="unexpected keyword argument 'd'"):
        kind(1, d=2)


def test_fields_without_a_parameter_have_their_values() -> None:
    assert Slotted(1).made == 7 and Plain(1).calls == ["made"]


def test_a_lazy_property_is_computed_once_and_is_no_field() -> None:
    value = Plain(4)
    assert (value.twice, value.twice) == (8, 8) and value.calls == ["made", "twice"]
    assert replace(value, a=5).twice == 10
    assert isinstance(Plain.twice, lazy) and Plain.twice.__doc__ == "Of a."
