"""What a file may name: values of this library, by names of their own, and nothing else.

A file names classes and functions; it holds none. A class is taken if it is a value that `registry` has; a
function is called while a file is read, or put back where it stood, if that has it too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from interlace.errors import SavingError
from interlace.storage.registry import CALLED, CLASSES, REFERRED

_CLASS_NAMES = {place: name for name, place in CLASSES.items()}
_FUNCTION_NAMES = {place: name for name, place in {**CALLED, **REFERRED}.items()}


def place_of(thing: Any) -> str:
    """Where a class or a function is defined."""
    return f"{thing.__module__}.{thing.__qualname__}"


def class_name(kind: type) -> str:
    """The name of a class of values in files; "" where it has none."""
    return _CLASS_NAMES.get(place_of(kind), "")


def function_name(place: str, known: Mapping[str, str]) -> str:
    """The name in files of the function that is defined there, if it is one of those known; else ""."""
    name = _FUNCTION_NAMES.get(place, "")
    return name if name in known else ""


def value_class(name: str) -> type:
    """The class of values of this library with this name.

    Raises
    ------
    SavingError
        There is none.
    """
    found = _found(name, CLASSES)
    if isinstance(found, type) and dataclasses.is_dataclass(found):
        return found
    raise _unknown(name)


def function(name: str, known: Mapping[str, str]) -> Any:
    """A function of this library that is one of those known.

    Raises
    ------
    SavingError
        It is not.
    """
    return _found(name, known)


def _found(name: str, known: Mapping[str, str]) -> Any:
    """The value with this name; looked up in the modules of this library alone."""
    if name not in known:
        raise _unknown(name)
    parts = known[name].split(".")
    for end in range(len(parts) - 1, 0, -1):
        try:
            found: Any = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    raise _unknown(name)


def _unknown(name: str) -> SavingError:
    return SavingError(
        f"the file names '{name}', which is no value of this version of interlace: it was written by a newer "
        "version, or is no file of interlace"
    )
