"""Documents of earlier formats as documents of the next one."""

from __future__ import annotations

from typing import Any

# What format 1 had by the modules of its time, where the name of today is not the end of it.
_OF_ONE = {
    "interlace.design.contrasts.Sum": "SumCoding",
    "interlace.design.functions.call.Call": "CalledFunction",
    "interlace.estimation.valleys.Term": "TermInDoubt",
    "interlace.estimation.penalized._restored": "solution",
    "interlace.estimation.penalized.System.of": "system",
    "interlace.estimation.iterative.IterativeSystem.by": "iterative system",
    "interlace.precision.memory.Memory": "memory",
    "interlace.design.design.Source": "source",
    "interlace.design.chunked.Forgotten": "forgotten",
    "interlace.design.rows._with_columns": "with columns",
    "interlace.design.design.Design.selected": "selected",
    "interlace.design.reduced._with_block": "with block",
    "interlace.design.reduced._unchanged": "unchanged",
}


def with_names(document: dict[str, Any]) -> dict[str, Any]:
    """Format 2 of a document of format 1, which named classes and functions by where they stood."""
    entries = [_with_name(entry) for entry in document["entries"]]
    return {**document, "format": 2, "entries": entries}


def _with_name(entry: dict[str, Any]) -> dict[str, Any]:
    for kind in ("class", "call", "function"):
        if kind in entry:
            return {**entry, kind: _name(entry[kind])}
    return entry


def _name(place: str) -> str:
    room, _, last = place.rpartition(".")
    return _OF_ONE.get(place) or (last if room.startswith("interlace.") else place)
