"""Of what kind the values of a column are, and parts of the data that disagree about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interlace.design.values import Column, Factor
from interlace.errors import DataError
from interlace.frozen import dataclass

NUMBERS, TEXT, LOGICAL, DATES = "numbers", "text or categories", "logical values", "dates"
_OF_CODES = {"b": LOGICAL, "M": DATES}


@dataclass(frozen=True, slots=True)
class Kind:
    """What the values of a column are, and the part of the data that showed it first.

    Attributes
    ----------
    name : str
        "numbers", "text or categories", ...
    part : str or None
        As messages name it.
    """

    name: str
    part: str | None = None


def kind_of(column: Column) -> str:
    """Of values as they were read."""
    if isinstance(column, Factor):
        return TEXT
    return _OF_CODES.get(column.dtype.kind, NUMBERS)


def merged_kinds(known: Mapping[str, Kind], found: Mapping[str, Kind]) -> dict[str, Kind]:
    """Of the columns of both.

    Raises
    ------
    DataError
        A column has values of another kind than before.
    """
    for name, kind in found.items():
        if name in known and known[name].name != kind.name:
            raise DataError(_disagreement(name, kind, known[name]))
    return {**found, **known}


def _disagreement(name: str, new: Kind, old: Kind) -> str:
    begin = "" if new.part is None else f"{new.part}: "
    rest = "other rows have" if old.part is None or old.part == new.part else f"{old.part} has"
    return (
        f"{begin}column '{name}' has {new.name}, where {rest} {old.name}: make it of one type in all of the "
        "data"
    )


def check_types(part: str, found: Any, schema: Any, columns: Sequence[str]) -> None:
    """The columns of a part are there, and of the kinds that the schema of all of them says.

    Parameters
    ----------
    part : str
        As messages name it.
    found, schema : pyarrow.Schema
    columns : sequence of str

    Raises
    ------
    DataError
    """
    for name in columns:
        if name not in found.names:
            there = ", ".join(f"'{one}'" for one in found.names[:5])
            raise DataError(f"{part} has no column '{name}', which other rows have; it has {there}")
        new, old = _kind_of_type(found.field(name).type), _kind_of_type(schema.field(name).type)
        if new is not None and old is not None and new != old:
            raise DataError(_disagreement(name, Kind(new, part), Kind(old)))


def _kind_of_type(kind: Any) -> str | None:
    """Of a type of Arrow; None for a type without values, and for those that reading refuses."""
    from pyarrow import types

    if types.is_dictionary(kind) or types.is_string(kind) or types.is_large_string(kind):
        return TEXT
    if types.is_boolean(kind):
        return LOGICAL
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return NUMBERS
    return DATES if types.is_temporal(kind) else None
