"""Frozen values: what our decorator makes is what that of `dataclasses` makes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields, replace
from typing import Any

import pytest

from interlace import frozen
from interlace.frozen import lazy


def values(dataclass: Any) -> dict[str, Any]:
    """Classes of all kinds, made by one decorator or the other."""

    @dataclass(frozen=True, slots=True)
    class Slotted:
        a: int
        b: list[int] = field(default_factory=list)
        c: str = "c"
        made: int = field(init=False, default=7)

    @dataclass(frozen=True)
    class Plain:
        """Of a plain kind."""

        a: int
        b: list[int] = field(default_factory=list, compare=False)
        c: str = field(default="c", repr=False)
        calls: list[str] = field(init=False, default_factory=list, compare=False)

        def __post_init__(self) -> None:
            self.calls.append("made")

    @dataclass(frozen=True, slots=True)
    class Base(ABC):
        a: int
        place: int = field(default=-1, compare=False, repr=False, kw_only=True)

        @abstractmethod
        def half(self) -> float: ...

    @dataclass(frozen=True, slots=True)
    class Derived(Base):
        b: Any = ()
        c: str = "c"

        def half(self) -> float:
            return self.a / 2

    @dataclass(frozen=True, slots=True)
    class One:
        a: int

    @dataclass(frozen=True, slots=True, repr=False, eq=False)
    class Bare:
        a: int
        b: int = 2
        c: str = "c"

        def __repr__(self) -> str:
            return "mine"

    @dataclass(frozen=True, slots=True)
    class OwnEquality:
        a: int
        b: int = 2
        c: str = "c"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, OwnEquality)

    @dataclass(frozen=True)
    class NamedAsOthersAre:
        a: int
        values: list[int] = field(default_factory=list)
        names: str = "c"
        state: int = 3
        cls: int = 4

    @dataclass(frozen=True)
    class Empty:
        a: int = field(compare=False)

    return {
        cls.__name__: cls
        for cls in (NamedAsOthersAre, Empty, Slotted, Plain, Derived, One, Bare, OwnEquality)
    }


OURS, THEIRS = values(frozen.dataclass), values(dataclasses.dataclass)


def outcome(work: Callable[[], object]) -> object:
    """What it gives, or what it raises."""
    try:
        return work()
    except (AttributeError, TypeError) as error:
        return type(error), str(error)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize(
    "asked",
    {
        "repr": lambda cls: repr(cls(1)),
        "of itself": lambda cls: repr((one := cls(1, made := []), made.append(one))[0]),
        "equal": lambda cls: (cls(1) == cls(1), cls(1) == cls(2), cls(1) == 1, cls(1) != cls(1)),
        "compared": lambda cls: cls(1, (1,)) == cls(1, (2,)),
        "hash": lambda cls: hash(cls(1, ())) == hash(cls(1, ())),
        "hashed lists": lambda cls: isinstance(hash(cls(1, [1])), int),
        "replaced": lambda cls: (one := replace(cls(1), a=5)).a + len(str(one)),
        "assigned": lambda cls: setattr(cls(1), "a", 2),
        "deleted": lambda cls: delattr(cls(1), "a"),
        "none given": lambda cls: cls(),
        "too many": lambda cls: cls(1, 2, "x", 4, 5, 6),
        "unknown": lambda cls: cls(1, d=2),
        "signature": lambda cls: str(inspect.signature(cls)),
        "parameters": lambda cls: list(inspect.signature(cls).parameters),
        "by name": lambda cls: [getattr(cls(a=1), one.name) for one in fields(cls)],
        "matched": lambda cls: cls.__match_args__,
        "fields": lambda cls: [(one.name, one.type, one.kw_only, one.init) for one in fields(cls)],
        "slots": lambda cls: getattr(cls, "__slots__", None),
        "copied": lambda cls: [repr(made(cls(1))) for made in (copy.copy, copy.deepcopy)],
        "names": lambda cls: [cls.__init__.__qualname__.split(".")[-2:], cls.__init__.__module__],
        "a field of a subclass": lambda cls: setattr(type("Child", (cls,), {})(1), "a", 2),
        "abstract": lambda cls: inspect.isabstract(cls.__mro__[1]),
    }.items(),
    ids=lambda asked: asked[0],
)
def test_it_answers_as_that_of_dataclasses(name: str, asked: tuple[str, Callable[[Any], object]]) -> None:
    ours, theirs = (outcome(lambda kinds=kinds: asked[1](kinds[name])) for kinds in (OURS, THEIRS))
    assert ours == theirs


@pytest.mark.parametrize("cls", OURS.values())
def test_only_a_subclass_takes_other_attributes(cls: Any) -> None:
    """With slots, `dataclasses` raises TypeError for both: its methods know the class without slots."""
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'other'"):
        cls(1).other = 2
    child = type("Child", (cls,), {})(1)
    child.other = 2
    assert child.other == 2


@frozen.dataclass(frozen=True, slots=True)
class Pickled:
    a: int
    b: list[int] = field(default_factory=list)
    made: int = field(init=False, default=7)


@frozen.dataclass(frozen=True)
class PickledPlain:
    a: int
    b: list[int] = field(default_factory=list)

    @lazy
    def twice(self) -> int:
        """Of a."""
        self.b.append(self.a)
        return 2 * self.a


@pytest.mark.parametrize("kind", [Pickled, PickledPlain])
def test_pickles_come_back_and_are_frozen(kind: Any) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        found = pickle.loads(pickle.dumps(kind(3, [4]), protocol))
        assert found == kind(3, [4]) and found.b == [4]
        with pytest.raises(FrozenInstanceError, match="cannot assign to field 'a'"):
            found.a = 2


def test_values_of_factories_are_not_shared() -> None:
    assert Pickled(1).b == [] and Pickled(1).b is not Pickled(1).b


def test_a_lazy_property_is_computed_once_and_is_no_field() -> None:
    value = PickledPlain(4)
    assert (value.twice, value.twice) == (8, 8) and value.b == [4]
    assert replace(value, a=5, b=[]).twice == 10
    assert isinstance(PickledPlain.twice, lazy) and PickledPlain.twice.__doc__ == "Of a."


def test_classes_that_are_not_frozen_are_those_of_dataclasses() -> None:
    @frozen.dataclass
    class Open:
        a: int = 1

    one = Open()
    one.a = 2
    assert one == Open(2) and repr(one).endswith("Open(a=2)")
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)
