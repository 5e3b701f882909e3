"""Levels and labels of factors as they are given in a formula."""

from __future__ import annotations

from typing import Any

import numpy as np

from interlace.design.functions.call import Call
from interlace.design.functions.values import Value, described, level_text
from interlace.design.values import CodedFactor, Factor
from interlace.errors import DataError, FormulaError


def given_levels(call: Call, argument: str, values: Value) -> np.ndarray:
    """Constants as an array of levels: whole numbers as integers; of mixed kinds, as text."""
    parts = values if isinstance(values, tuple) else (values,)
    if isinstance(values, np.ndarray) and values.ndim == 1:
        parts = tuple(values.tolist())
    if isinstance(values, Factor) and len(values) and values.codes.min() >= 0:
        parts = tuple(values.levels[values.codes].tolist())
    if not parts or not all(isinstance(p, bool | float | str) and p == p for p in parts):
        raise FormulaError(
            f"{call.name}() needs constants for '{argument}', for example c('a', 'b'), not "
            f"{described(values)}"
        )
    kinds = {bool if isinstance(p, bool) else type(p) for p in parts}
    if len(kinds) > 1:
        parts = tuple(level_text(p) for p in parts)
    if len(set(parts)) < len(parts):
        raise DataError(
            f"the levels given to {call.name}() must be different: {', '.join(map(level_text, parts[:9]))}"
        )
    return as_levels(parts)


def as_levels(parts: tuple[Any, ...]) -> np.ndarray:
    """Constants of one kind as an array."""
    if all(isinstance(p, str) for p in parts):
        return np.array(parts, dtype=object)
    if all(isinstance(p, bool) for p in parts):
        return np.array(parts, dtype=bool)
    if all(isinstance(p, float) and p == np.floor(p) and abs(p) < 2**53 for p in parts):
        return np.array(parts, dtype=np.int64)
    return np.array([level_text(p) for p in parts], dtype=object) if _mixed(parts) else np.array(parts)


def _mixed(parts: tuple[Any, ...]) -> bool:
    return not all(isinstance(p, float) for p in parts)


def into_levels(call: Call, found: Factor, levels: np.ndarray) -> Factor:
    """Codes into `levels`, -1 for values that are none of them; numbers and text are compared as text."""
    if _kind(found.levels) == _kind(levels) or not len(found.levels):
        return found.recode(levels)
    as_text = [level_text(v) for v in found.levels.tolist()]
    wanted = [level_text(v) for v in levels.tolist()]
    if found.levels.dtype.kind == "b" and set(wanted) & {"True", "False"}:
        as_text = [str(v) for v in found.levels.tolist()]
    places = {text: i for i, text in enumerate(wanted)}
    codes = np.array([*(places.get(text, -1) for text in as_text), -1], dtype=np.int32)[found.codes]
    return Factor(codes, levels, found.ordered)


def _kind(levels: np.ndarray) -> str:
    if levels.dtype.kind == "O":
        kinds = {type(v) for v in levels.tolist()}
        return "b" if kinds == {bool} else "number" if kinds <= {int, float} and kinds else "text"
    return {"b": "b", "i": "number", "u": "number", "f": "number"}.get(levels.dtype.kind, levels.dtype.kind)


def check_occurring(call: Call, found: Factor, levels: np.ndarray) -> None:
    """At least one of the levels given must be there."""
    if len(found.codes) and len(found.levels) and (into_levels(call, found, levels).codes < 0).all():
        there = ", ".join(f"'{level_text(v)}'" for v in found.levels[:5])
        raise DataError(
            f"none of the levels given to '{call.text}' occurs in '{call.subject}', which has {there}"
        )


def refuse_unseen(call: Call, found: Factor, levels: np.ndarray) -> None:
    """Values that were not there in the fit are named."""
    known = found.recode(levels)
    unseen = np.flatnonzero((known.codes < 0) & (found.codes >= 0))
    if len(unseen):
        names = dict.fromkeys(level_text(v) for v in found.levels[found.codes[unseen]])
        raise DataError(
            f"'{call.text}' has values that the fit has not seen: "
            f"{', '.join(repr(n) for n in list(names)[:5])} (first at row {unseen[0]}); "
            f"known are {', '.join(level_text(v) for v in levels[:20])}"
        )


def labelled(call: Call, found: Factor, labels: Value) -> CodedFactor:
    """The factor with other names for its levels; levels of the same name become one, as in R."""
    count = len(found.levels)
    parts = labels if isinstance(labels, tuple) else (labels,)
    if not all(isinstance(p, bool | float | str) for p in parts):
        raise FormulaError(
            f"{call.name}() needs names for 'labels', for example c('a', 'b'), not {described(labels)}"
        )
    if len(parts) == 1 and count > 1 and call.name != "cut":  # R numbers one label
        parts = tuple(f"{level_text(parts[0])}{i}" for i in range(1, count + 1))
    if len(parts) != count:
        raise DataError(f"'{call.subject}' has {count} levels and {len(parts)} labels; give a label for each")
    if len({type(p) for p in parts}) > 1:
        parts = tuple(level_text(p) for p in parts)
    distinct = tuple(dict.fromkeys(parts))
    places = {part: i for i, part in enumerate(distinct)}
    place = np.array([*(places[p] for p in parts), -1], dtype=np.int32)
    return CodedFactor(place[found.codes], as_levels(distinct), found.ordered)
