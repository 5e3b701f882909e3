"""A table of plain entries and its arrays to values; what they name is looked up, and no code is run."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from interlace.errors import SavingError
from interlace.kernel import products_of_state
from interlace.storage.allowed import function, value_class
from interlace.storage.registry import CALLED, REFERRED


class Reader:
    """Makes the values of entries, each once, in the order in which they stand."""

    def __init__(self, entries: Sequence[dict[str, Any]], arrays: Callable[[int], np.ndarray]) -> None:
        self._arrays = arrays
        self._made: list[Any] = []
        for entry in entries:
            self._made.append(self._object(entry))

    def value(self, value: Any) -> Any:
        """What a value of JSON stands for.

        Raises
        ------
        SavingError
            It is no value that was written.
        """
        if not isinstance(value, dict):
            return value
        place = value.get("@")
        if not isinstance(place, int) or not 0 <= place < len(self._made):
            raise SavingError("the file is damaged: it refers to what is not there")
        return self._made[place]

    def all(self, values: Sequence[Any]) -> list[Any]:
        """Of several values."""
        return [self.value(one) for one in values]

    def _object(self, entry: dict[str, Any]) -> Any:
        kind = next(iter(entry))
        if kind not in _READ:
            raise SavingError(f"the file has an entry of the kind '{kind}', which this version does not know")
        return _READ[kind](self, entry)

    def _own(self, entry: dict[str, Any]) -> Any:
        cls = value_class(entry["class"])
        given = {name: self.value(part) for name, part in entry["fields"].items()}
        if dataclasses.is_dataclass(cls):
            given = _complete(cls, given)
        made: Any = object.__new__(cls)
        for name, part in given.items():
            object.__setattr__(made, name, part)
        return made

    def _call(self, entry: dict[str, Any]) -> Any:
        return function(entry["call"], CALLED)(*self.all(entry["given"]))

    def _function(self, entry: dict[str, Any]) -> Any:
        if "ufunc" in entry:
            found = getattr(np, str(entry["ufunc"]), None)
            if not isinstance(found, np.ufunc):
                raise SavingError(f"the file names a function '{entry['ufunc']}' that NumPy does not have")
            return found
        if "partial" in entry:
            named = {key: self.value(one) for key, one in entry["named"].items()}
            return partial(self._function(entry["partial"]), *self.all(entry["given"]), **named)
        return function(entry["function"], REFERRED)

    def _array(self, entry: dict[str, Any]) -> np.ndarray:
        array = self._arrays(entry["array"])
        array.flags.writeable = not entry["fixed"]
        return array

    def _objects(self, entry: dict[str, Any]) -> np.ndarray:
        items = self.all(entry["objects"])
        array = np.empty(len(items), dtype=object)
        array[:] = items
        array = array.reshape(entry["shape"])
        array.flags.writeable = not entry["fixed"]
        return array

    def _range(self, entry: dict[str, Any]) -> pd.Index:
        return pd.RangeIndex(*entry["range"], name=self.value(entry["name"]))

    def _levels(self, entry: dict[str, Any]) -> pd.Index:
        return pd.MultiIndex(
            levels=self.all(entry["levels"]), codes=self.all(entry["codes"]), names=self.all(entry["names"])
        )

    def _index(self, entry: dict[str, Any]) -> pd.Index:
        return pd.Index(self.value(entry["index"]), dtype=entry["dtype"], name=self.value(entry["name"]))

    def _frame(self, entry: dict[str, Any]) -> pd.DataFrame:
        rows, columns = self.value(entry["rows"]), self.value(entry["columns"])
        frame = pd.DataFrame(dict(enumerate(self.all(entry["frame"]))), index=rows)
        return frame.set_axis(columns, axis=1)

    def _sparse(self, entry: dict[str, Any]) -> Any:
        from scipy import sparse

        return sparse.csc_matrix(tuple(self.all(entry["sparse"])), shape=tuple(entry["shape"]))

    def _series(self, entry: dict[str, Any]) -> pd.Series:
        rows, name = self.value(entry["rows"]), self.value(entry["name"])
        return pd.Series(self.value(entry["series"]), index=rows, name=name)


def _complete(cls: Any, given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a value; those that the file does not have yet have their defaults."""
    fields = {field.name: field for field in dataclasses.fields(cls)}
    if unknown := set(given) - set(fields):
        raise SavingError(
            f"the file was written by a newer version of interlace: {cls.__name__} has no "
            f"{sorted(unknown)[0]}"
        )
    for name, field in fields.items():
        if name in given:
            continue
        if field.default is not dataclasses.MISSING:
            given[name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            given[name] = field.default_factory()
    return given


def _of(word: str, made: Callable[[Any], Any]) -> Callable[[Reader, dict[str, Any]], Any]:
    return lambda reader, entry: made(reader.all(entry[word]))


_READ: dict[str, Callable[[Reader, dict[str, Any]], Any]] = {
    "array": Reader._array,
    "objects": Reader._objects,
    "scalar": lambda reader, entry: reader.value(entry["scalar"])[()],
    "float": lambda _, entry: float(entry["float"]),
    "tuple": _of("tuple", tuple),
    "list": _of("list", list),
    "frozenset": _of("frozenset", frozenset),
    "set": _of("set", set),
    "dict": lambda reader, entry: {reader.value(k): reader.value(v) for k, v in entry["dict"]},
    "slice": _of("slice", lambda parts: slice(*parts)),
    "range": Reader._range,
    "levels": Reader._levels,
    "index": Reader._index,
    "frame": Reader._frame,
    "series": Reader._series,
    "sparse": Reader._sparse,
    "timestamp": lambda _, entry: pd.Timestamp(entry["timestamp"]),
    "timedelta": lambda _, entry: pd.Timedelta(entry["timedelta"]),
    "date": lambda _, entry: datetime.date.fromisoformat(entry["date"]),
    "dtype": lambda _, entry: np.dtype(entry["dtype"]),
    "products": lambda reader, entry: products_of_state(reader.value(entry["products"])),
    "class": Reader._own,
    "call": Reader._call,
    "function": Reader._function,
    "ufunc": Reader._function,
    "partial": Reader._function,
}
