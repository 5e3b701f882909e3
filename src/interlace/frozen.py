"""Frozen values that are made quickly: a small fit makes some fifty of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from types import MemberDescriptorType
from typing import Any, Generic, Self, TypeVar, overload

C = TypeVar("C", bound=type)
V = TypeVar("V")


class lazy(Generic[V]):  # noqa: N801  (it stands where `property` would)
    """A property of a frozen value that is computed when it is first asked for, and kept beside the fields.

    `functools.cached_property` has a lock before Python 3.12, and a fork may leave it held.

    Parameters
    ----------
    make : callable
        Of the value, which has no slots; two threads may both call it, and get the same.
    """

    def __init__(self, make: Callable[[Any], V]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, value: None, owner: type) -> Self: ...

    @overload
    def __get__(self, value: object, owner: type) -> V: ...

    def __get__(self, value: object | None, owner: type) -> Self | V:
        if value is None:
            return self
        kept: dict[str, Any] = value.__dict__
        found: V = kept.setdefault(self._name, self._make(value))  # of two threads at once, the first has it
        return found


def quick(cls: C) -> C:
    """A frozen dataclass with an `__init__` of the same signature that writes the fields at once.

    The one that `dataclasses` makes calls `object.__setattr__` for each field, which was a tenth of the time
    of a small fit.

    Parameters
    ----------
    cls : type
        A frozen dataclass, with slots or without; none of its fields is given by name alone.

    Examples
    --------
    >>> from dataclasses import dataclass, replace
    >>> @quick
    ... @dataclass(frozen=True)
    ... class Point:
    ...     x: float
    ...     y: float = 0.0
    >>> replace(Point(1.0), y=2.0)
    Point(x=1.0, y=2.0)
    """
    every = fields(cls)
    names: dict[str, Any] = {"_MISSING": MISSING}
    lines = ["    values = self.__dict__"]
    for field in every:
        names[f"_default_{field.name}"], names[f"_make_{field.name}"] = field.default, field.default_factory
        value, slot = _value(field), getattr(cls, field.name, None)
        if isinstance(slot, MemberDescriptorType):
            names[f"_set_{field.name}"] = slot.__set__
            write = f"_set_{field.name}(self, {value})"
        else:
            write = f"values[{field.name!r}] = {value}"
        lines += [f"    {write}"] * bool(value)
    if not any("values[" in line for line in lines):
        del lines[0]
    if hasattr(cls, "__post_init__"):
        lines.append("    self.__post_init__()")
    parameters = ", ".join(["self", *(_parameter(field) for field in every if field.init)])
    exec("\n".join([f"def __init__({parameters}):", *lines, "    return None"]), names)
    made = names["__init__"]
    made.__qualname__, made.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    made.__annotations__ = vars(cls)["__init__"].__annotations__
    type.__setattr__(cls, "__init__", made)
    return cls


def _parameter(field: Field[Any]) -> str:
    if field.default is not MISSING:
        return f"{field.name}=_default_{field.name}"
    return field.name if field.default_factory is MISSING else f"{field.name}=_MISSING"


def _value(field: Field[Any]) -> str:
    """What is written, or "" where nothing is: the field has no value, or is made by `__post_init__`."""
    made = f"_make_{field.name}()"
    if not field.init:
        if field.default_factory is not MISSING:
            return made
        return "" if field.default is MISSING else f"_default_{field.name}"
    if field.default_factory is MISSING:
        return field.name
    return f"{made} if {field.name} is _MISSING else {field.name}"
