"""Frozen values that are made quickly, and so are their classes: a first fit loads two hundred of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from operator import attrgetter
from reprlib import recursive_repr
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

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


class _Made:
    """The default of a field whose value is made anew each time, as signatures show it."""

    def __repr__(self) -> str:
        return "<factory>"


_MADE = _Made()


def _dataclass(
    cls: type[Any] | None = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    eq: bool = True,
    repr: bool = True,
) -> Any:
    """`dataclasses.dataclass` for frozen values: the same class, made in a part of the time.

    Before Python 3.13 `dataclasses` compiles six functions for each class, one by one: more than half of
    the time of the first fit of a process. Here only `__init__` is compiled, when it is first asked
    for, and the other methods are closures over the names of the fields. This `__init__` writes the
    fields at once; that of `dataclasses` calls `object.__setattr__` for each, which was a tenth of the
    time of a small fit.

    Parameters
    ----------
    cls : type
        The class of the fields.
    frozen, slots, eq, repr : bool
        As in `dataclasses`, which makes the classes that are not frozen.

    Examples
    --------
    >>> from dataclasses import replace
    >>> @_dataclass(frozen=True)
    ... class Point:
    ...     x: float
    ...     y: float = 0.0
    >>> replace(Point(1.0), y=2.0)
    Point(x=1.0, y=2.0)
    """
    if cls is None:
        return lambda cls: _dataclass(cls, frozen=frozen, slots=slots, eq=eq, repr=repr)
    if not frozen:
        return dataclasses.dataclass(eq=eq, repr=repr, slots=slots)(cls)
    own = {name for name, one in vars(cls).items() if not (name == "__hash__" and one is None)}
    cls.__doc__ = cls.__doc__ or cls.__name__  # `dataclasses` would look for the signature
    made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
    every = fields(made)
    if "__init__" not in own:
        type.__setattr__(made, "__init__", _Initializer(made))
    methods: dict[str, Callable[..., Any]] = {**_fixed(made, {one.name for one in every})}
    if slots:
        methods |= _state([one.name for one in every])
    if repr:
        methods["__repr__"] = _shown([one.name for one in every if one.repr])
    if eq:
        methods |= _compared([one.name for one in every if one.compare])
    for name, method in methods.items():
        if name not in own:
            method.__name__ = name
            method.__qualname__, method.__module__ = f"{made.__qualname__}.{name}", made.__module__
            type.__setattr__(made, name, method)
    return made


if TYPE_CHECKING:  # for type checkers and readers of signatures it is that of `dataclasses`
    from dataclasses import dataclass as dataclass
else:
    dataclass = _dataclass


class _Initializer:
    """Stands for `__init__` until one looks at it, or makes a value: only then it is compiled."""

    def __init__(self, cls: type) -> None:
        self._cls = cls

    def __get__(self, value: object | None, owner: type) -> Any:
        made = _compiled(self._cls)
        type.__setattr__(self._cls, "__init__", made)
        return made.__get__(value, owner)


def _compiled(cls: type[Any]) -> Callable[..., None]:
    """The `__init__`, which writes slots by their descriptors and all other fields into `__dict__`."""
    names: dict[str, Any] = {"_MADE": _MADE}
    lines = ["    _all = self.__dict__"]
    for field in fields(cls):
        names[f"_default_{field.name}"], names[f"_make_{field.name}"] = field.default, field.default_factory
        value, slot = _value(field), getattr(cls, field.name, None)
        if isinstance(slot, MemberDescriptorType):
            names[f"_set_{field.name}"] = slot.__set__
            write = f"_set_{field.name}(self, {value})"
        else:
            write = f"_all[{field.name!r}] = {value}"
        lines += [f"    {write}"] * bool(value)
    if not any("_all[" in line for line in lines):
        del lines[0]
    if hasattr(cls, "__post_init__"):
        lines.append("    self.__post_init__()")
    given = [field for field in fields(cls) if field.init]
    by_name = [_parameter(field) for field in given if field.kw_only]
    parameters = ["self", *(_parameter(field) for field in given if not field.kw_only)]
    parameters += ["*", *by_name] if by_name else []
    exec("\n".join([f"def __init__({', '.join(parameters)}):", *lines, "    return None"]), names)
    made: Callable[..., None] = names["__init__"]
    made.__qualname__, made.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    made.__annotations__ = {field.name: field.type for field in given} | {"return": None}
    return made


def _parameter(field: Field[Any]) -> str:
    if field.default is not MISSING:
        return f"{field.name}=_default_{field.name}"
    return field.name if field.default_factory is MISSING else f"{field.name}=_MADE"


def _value(field: Field[Any]) -> str:
    """What is written, or "" where nothing is: the field has no value, or is made by `__post_init__`."""
    made = f"_make_{field.name}()"
    if not field.init:
        if field.default_factory is not MISSING:
            return made
        return "" if field.default is MISSING else f"_default_{field.name}"
    if field.default_factory is MISSING:
        return field.name
    return f"{made} if {field.name} is _MADE else {field.name}"


def _fixed(cls: type[Any], names: set[str]) -> dict[str, Callable[..., None]]:
    """A subclass that is no dataclass may have attributes of its own, as with `dataclasses`."""

    def assign(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def delete(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return {"__setattr__": assign, "__delattr__": delete}


def _state(names: list[str]) -> dict[str, Callable[..., Any]]:
    def state(self: Any) -> list[Any]:
        return [getattr(self, name) for name in names]

    def restore(self: Any, values: list[Any]) -> None:
        for name, value in zip(names, values, strict=True):
            object.__setattr__(self, name, value)

    return {"__getstate__": state, "__setstate__": restore}


def _shown(names: list[str]) -> Callable[[Any], str]:
    def show(self: Any) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({values})"

    return recursive_repr()(show)


def _compared(names: list[str]) -> dict[str, Callable[..., Any]]:
    values = attrgetter(*names) if names else lambda value: ()

    def equal(self: Any, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return [values(self)] == [values(other)]  # what is the same object is equal, as in tuples

    def hashed(self: Any) -> int:
        return hash((values(self),))

    return {"__eq__": equal, "__hash__": hashed}
