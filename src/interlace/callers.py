"""The code outside this library that called it: what it can see."""

from __future__ import annotations

import sys
from collections import ChainMap
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any, TypeAlias

from interlace.errors import FunctionError, InterlaceError, shown

#: A value for each row, in the library that the data came in (an array where that has none), and a table with
#: a row for each: no type checker can know which library that is.
CallersSeries: TypeAlias = Any
CallersTable: TypeAlias = Any

_OURS = str(Path(__file__).parent)


def caller_scope() -> ChainMap[str, Any]:
    """The local names of the nearest code outside this library, before its global ones."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(_OURS) and frame.f_back is not None:
        frame = frame.f_back
    return ChainMap(frame.f_locals, frame.f_globals)


def name_of(value: object, scope: Mapping[str, Any]) -> str:
    """The variable that holds a value, for the line "Data:" of a summary; "" when there is none."""
    for names in getattr(scope, "maps", ()):
        for name, found in list(names.items()):
            if found is value and not name.startswith("_"):
                return str(name)
    return ""


def called(
    option: str, function: Callable[..., Any], *given: Any, where: str = "", advice: str = "correct it"
) -> Any:
    """What a function of the caller's gives; `option` is where it was given.

    Raises
    ------
    FunctionError
        It fails: with its name, its own error as the cause, and `advice`. Errors of this library pass.

    Examples
    --------
    >>> called("se=", float, "much")
    Traceback (most recent call last):
    interlace.errors.FunctionError: the function se= (float) fails: ValueError: could not convert ...
    """
    try:
        return function(*given)
    except InterlaceError:
        raise
    except Exception as error:
        name = getattr(function, "__name__", "")
        known = shown(function) if not name else "a lambda" if name == "<lambda>" else name
        failure = " ".join(f"{type(error).__name__}: {error}".split())
        failed = FunctionError(f"the function {option} ({known})", failure, advice, where)
        failed.original = error
        raise failed from error


def picklable(value: Any) -> bool:
    """Whether pickle finds a function by its name; whatever else it is, and for cloudpickle and dill: yes."""
    if not isinstance(value, FunctionType):
        return True
    found: Any = sys.modules.get(value.__module__)
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value or _by_value()


def _by_value() -> bool:
    """Whether the pickler that calls this writes functions with their code."""
    frame = sys._getframe(1)
    while frame is not None:
        if {"cloudpickle", "dill", "_dill"} & set(frame.f_globals.get("__name__", "").split(".")):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
