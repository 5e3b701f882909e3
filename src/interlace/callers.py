"""The code outside this library that called it: what it can see."""

from __future__ import annotations

import sys
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
