"""What a file may name: values of this library, by where they are defined, and nothing else.

A file names classes and functions; it holds none. A class is taken if it is a frozen value of this library;
a function is called while a file is read, or put back where it stood, if it stands in
`CALLED` or `REFERRED`.
"""

from __future__ import annotations

import dataclasses
from importlib import import_module
from typing import Any

from interlace.errors import SavingError

PACKAGE = "interlace"
CALLED = (
    "interlace.estimation.penalized._restored",
    "interlace.estimation.penalized.System.of",
    "interlace.estimation.iterative.IterativeSystem.by",
    "interlace.precision.memory.Memory",
    "interlace.design.design.Source",
    "interlace.design.chunked.Forgotten",
)
REFERRED = (
    "interlace.design.rows._with_columns",
    "interlace.design.design.Design.selected",
    "interlace.design.reduced._with_block",
    "interlace.design.reduced._unchanged",
)


def name_of(thing: Any) -> str:
    """Where a class or a function is defined."""
    return f"{thing.__module__}.{thing.__qualname__}"


def value_class(name: str) -> type:
    """The class of values of this library with this name.

    Raises
    ------
    SavingError
        There is none.
    """
    found = _found(name)
    if isinstance(found, type) and dataclasses.is_dataclass(found):
        return found
    raise _unknown(name)


def function(name: str, known: tuple[str, ...]) -> Any:
    """A function of this library that is one of those known.

    Raises
    ------
    SavingError
        It is not.
    """
    if name not in known:
        raise _unknown(name)
    return _found(name)


def _found(name: str) -> Any:
    """The value with this name; looked up in the modules of this library alone."""
    parts = name.split(".")
    if parts[0] != PACKAGE or not all(part.isidentifier() for part in parts):
        raise _unknown(name)
    for end in range(len(parts) - 1, 0, -1):
        try:
            found: Any = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part, None)
        if found is None or not str(getattr(found, "__module__", "")).startswith(PACKAGE):
            raise _unknown(name)
        return found
    raise _unknown(name)


def _unknown(name: str) -> SavingError:
    return SavingError(
        f"the file names '{name}', which is no value of this version of interlace: it was written by a newer "
        "version, or is no file of interlace"
    )
