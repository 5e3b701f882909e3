"""Values to a table of plain entries and a list of arrays."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from interlace.errors import SavingError, shown
from interlace.storage.allowed import class_name, function_name, place_of
from interlace.storage.registry import CALLED, REFERRED

AS_THEY_ARE = "biufcSUmM"  # kinds of arrays that are written as numbers


class Writer:
    """Writes values; each object once, however often it is referred to.

    Attributes
    ----------
    entries : list of dict
        What each object is.
    arrays : list of ndarray
    """

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.arrays: list[np.ndarray] = []
        self._places: dict[int, int] = {}
        self._kept: list[Any] = []  # no object may go, and another come in its place

    def value(self, value: Any) -> Any:
        """What stands for a value: itself where JSON has it, or the number of its entry.

        Raises
        ------
        SavingError
            It is code of the caller's, or of a kind that files do not hold.
        """
        if value is None or isinstance(value, bool) or type(value) in (int, str):
            return value
        if type(value) is float and math.isfinite(value):
            return value
        if id(value) not in self._places:
            entry = self._entry(value)
            self._places[id(value)] = len(self.entries)
            self._kept.append(value)
            self.entries.append(entry)
        return {"@": self._places[id(value)]}

    def _entry(self, value: Any) -> dict[str, Any]:
        for kind, write in _KINDS:
            if isinstance(value, kind):
                return write(self, value)
        name = place_of(type(value))
        if name.startswith("interlace."):
            return self._own(value, name)
        if name.startswith("scipy.sparse."):
            by_column = value.tocsc()
            parts = (by_column.data, by_column.indices, by_column.indptr)
            return {"sparse": self.all(parts), "shape": list(value.shape)}
        if callable(value):
            return self._function(value)
        raise SavingError(
            f"a value of type {name} cannot be written to a file without code; give numbers, text, tables or "
            "arrays, or pickle the model"
        )

    def all(self, values: Any) -> list[Any]:
        """Of several values."""
        return [self.value(one) for one in values]

    def _own(self, value: Any, name: str) -> dict[str, Any]:
        kind: Any = type(value)
        if name == "interlace._core.CrossProducts":
            return {"products": self.value(value.__getstate__())}
        if kind.__reduce__ is not object.__reduce__:
            called, given = value.__reduce__()[:2]
            return {"call": self._called(called), "given": self.all(given)}
        known = class_name(kind)
        if not known:
            raise SavingError(f"a value of type {name} cannot be written to a file")
        state = _state(value)
        return {"class": known, "fields": {key: self.value(part) for key, part in state.items()}}

    def _called(self, called: Any) -> str:
        bound: Any = getattr(called, "__self__", None)
        of_class = isinstance(bound, type)
        place = f"{place_of(bound)}.{called.__name__}" if of_class else place_of(called)
        name = function_name(place, CALLED)
        if not name:
            raise SavingError(f"a value that is made by {place} cannot be written to a file")
        return name

    def _function(self, value: Any) -> dict[str, Any]:
        if isinstance(value, np.ufunc):
            return {"ufunc": self._ufunc(value)}
        if isinstance(value, partial):
            return {
                "partial": self._function(value.func), "given": self.all(value.args),
                "named": {key: self.value(one) for key, one in value.keywords.items()},
            }  # fmt: skip
        place = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value)}"
        if name := function_name(place, REFERRED):
            return {"function": name}
        raise SavingError(
            f"the formula uses {_said(value)} of yours, and the file "
            "holds no code: compute the column in the data, or pickle the model with cloudpickle"
        )

    def _ufunc(self, value: np.ufunc) -> str:
        name = str(value.__name__)
        if getattr(np, name, None) is not value:
            raise SavingError(f"'{name}' is no function of NumPy's own, and the file holds no code")
        return name

    # ---- numbers, tables, containers ---

    def _array(self, value: np.ndarray) -> dict[str, Any]:
        if value.dtype.kind in AS_THEY_ARE:
            self.arrays.append(value)
            return {"array": len(self.arrays) - 1, "fixed": not value.flags.writeable}
        items = self.all(value.ravel().tolist())
        return {"objects": items, "shape": list(value.shape), "fixed": not value.flags.writeable}

    def _index(self, value: pd.Index) -> dict[str, Any]:
        if isinstance(value, pd.RangeIndex):
            return {"range": [value.start, value.stop, value.step], "name": self.value(value.name)}
        if isinstance(value, pd.MultiIndex):
            levels, codes = self.all(value.levels), self.all(map(np.asarray, value.codes))
            return {"levels": levels, "codes": codes, "names": self.all(value.names)}
        values = value.to_numpy(dtype=object) if value.dtype.kind not in AS_THEY_ARE else value.to_numpy()
        return {"index": self.value(values), "dtype": str(value.dtype), "name": self.value(value.name)}

    def _frame(self, value: pd.DataFrame) -> dict[str, Any]:
        columns = [value.iloc[:, j].to_numpy() for j in range(value.shape[1])]
        return {
            "frame": self.all(columns), "columns": self.value(value.columns), "rows": self.value(value.index),
        }  # fmt: skip

    def _series(self, value: pd.Series) -> dict[str, Any]:
        parts = {"rows": self.value(value.index), "name": self.value(value.name)}
        return {"series": self.value(value.to_numpy()), **parts}

    def _dict(self, value: dict[Any, Any]) -> dict[str, Any]:
        return {"dict": [[self.value(key), self.value(one)] for key, one in value.items()]}

    def _scalar(self, value: np.generic) -> dict[str, Any]:
        return {"scalar": self.value(np.asarray(value))}


def _state(value: Any) -> dict[str, Any]:
    """The fields of a value, without those that it makes again."""
    kind: Any = type(value)
    if hasattr(kind, "__slots__") or kind.__getstate__ is object.__getstate__:
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    state = value.__getstate__()
    return {field.name: state[field.name] for field in dataclasses.fields(value) if field.name in state}


def _said(function: Any) -> str:
    name = getattr(function, "__name__", "")
    return "a lambda" if name == "<lambda>" else f"'{name}', a function" if name else shown(function)


def _plain(word: str) -> Any:
    return lambda writer, value: {word: writer.all(value)}


_KINDS: tuple[tuple[type, Callable[[Writer, Any], dict[str, Any]]], ...] = (
    (np.ndarray, Writer._array),
    (np.generic, Writer._scalar),
    (float, lambda _, value: {"float": repr(value)}),
    (tuple, _plain("tuple")),
    (list, _plain("list")),
    (frozenset, lambda writer, value: {"frozenset": writer.all(sorted(value, key=repr))}),
    (set, lambda writer, value: {"set": writer.all(sorted(value, key=repr))}),
    (dict, Writer._dict),
    (slice, lambda writer, value: {"slice": writer.all((value.start, value.stop, value.step))}),
    (pd.Index, Writer._index),
    (pd.DataFrame, Writer._frame),
    (pd.Series, Writer._series),
    (pd.Timestamp, lambda _, value: {"timestamp": value.isoformat()}),
    (pd.Timedelta, lambda _, value: {"timedelta": value.value}),
    (datetime.date, lambda _, value: {"date": value.isoformat()}),
    (np.dtype, lambda _, value: {"dtype": value.str}),
)
