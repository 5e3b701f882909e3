"""The code outside this library that called it: what it can see."""

from __future__ import annotations

import sys
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import Any, TypeAlias

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
