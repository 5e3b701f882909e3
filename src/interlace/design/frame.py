"""The only place that touches data frames on the way in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import field, replace
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from interlace.design.foreign import ACCEPTED, ArrowTable, arrow_table, as_table, from_narwhals, series_column
from interlace.design.once import Once
from interlace.design.reading import Scans, from_anything, from_array, from_numpy, from_series
from interlace.design.scan import Scan, scanned
from interlace.design.values import Column, Factor, masks, with_nan
from interlace.errors import DataError, shown
from interlace.frozen import dataclass
from interlace.text import did_you_mean, listed


@dataclass(frozen=True, slots=True)
class Frame:
    """The needed columns of the caller's table, and what it takes to hand tables back.

    Attributes
    ----------
    columns : dict of str to ndarray or Factor
        Each of length `nrows`; strings and categoricals are `Factor`.
    missing : dict of str to ndarray of bool
        Masks of the columns that have missing values.
    nrows : int
    library : str
        "pandas" or the name narwhals gives the caller's library.
    index : pandas.Index or None
        Row labels of a pandas caller.
    """

    columns: dict[str, Column]
    missing: dict[str, np.ndarray]
    nrows: int
    library: str = "pandas"
    index: pd.Index | None = None
    scans: dict[str, Scan] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, data: Any, columns: Iterable[str] | None = None) -> Frame:
        """Read these columns (all if None).

        Raises
        ------
        DataError
            No table, a column that is not there or is there twice, unequal lengths, unusable types.
        """
        source = open_table(data)
        if isinstance(source, Frame):
            return source
        present = source.names
        wanted = present if columns is None else list(columns)
        read: dict[str, Column] = {}
        missing: dict[str, np.ndarray] = {}
        scans: Scans = {}
        for name in wanted:
            if present.count(name) != 1:
                raise _not_one(name, present)
            read[name], mask = source.column(name, scans)
            if mask is not None:
                missing[name] = mask
        if isinstance(source, _MappingSource):
            source.check_labels(read)
        nrows = source.nrows
        for name, values in read.items():
            if len(values) != nrows:
                raise DataError(f"column '{name}' has {len(values)} values, others have {nrows}")
        return cls(read, missing, nrows, source.library, source.index, scans)

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self.columns)

    @property
    def labels(self) -> pd.Index | None:
        """Row labels for a table that is handed out: renaming them there is not renaming them here."""
        return None if self.index is None else self.index.copy()

    def scan(self, name: str) -> Scan:
        """A look at a column of numbers, the same however often it is asked for."""
        found = self.scans.get(name)
        if found is None:
            found = self.scans[name] = scanned(self.columns[name])
        return found

    def is_finite(self, name: str) -> bool:
        """Has a look at a column of numbers, when it was read, shown none that is infinite or NaN?"""
        found = self.scans.get(name)
        return found is not None and isfinite(found.sum)

    def select(self, names: Iterable[str]) -> Frame:
        """The frame with these columns only."""
        columns = {name: self.columns[name] for name in names}
        missing = {name: mask for name, mask in self.missing.items() if name in columns}
        return Frame(columns, missing, self.nrows, self.library, self.index)

    def take(self, rows: np.ndarray) -> Frame:
        """The frame at these rows."""
        columns = {n: c.take(rows) if isinstance(c, Factor) else c[rows] for n, c in self.columns.items()}
        missing = {n: m[rows] for n, m in self.missing.items()}
        index = None if self.index is None else self.index.take(rows)
        return Frame(columns, {n: m for n, m in missing.items() if m.any()}, len(rows), self.library, index)

    def owned(self, known: Mapping[str, Column], read: Frame) -> Frame:
        """The frame without memory of `read`: `known` columns in place of its own, the others copied."""
        columns = {
            name: known[name] if name in known else _copied(column, read.columns.get(name))
            for name, column in self.columns.items()
        }
        index = None if self.index is None else _own_index(self.index)
        return Frame(columns, self.missing, self.nrows, self.library, index)

    def row_table(self, arrays: Mapping[str, Any]) -> Any:
        """A table with a row per row of this frame, in the caller's own library (pandas keeps its index).

        Values that are masked (`numpy.ma`) are missing: null, and NaN in pandas, which has no null of floats.
        """
        plain = {name: with_nan(values) for name, values in arrays.items()}
        if self.library == "pandas":
            return pd.DataFrame(plain, index=self.labels)
        import narwhals as nw

        backend: Any = self.library
        table = nw.from_dict(plain, backend=backend)
        for name, mask in masks(arrays).items():
            there = nw.new_series("there", ~mask, nw.Boolean, backend=backend)
            table = table.with_columns(nw.when(there).then(nw.col(name)).alias(name))
        return table.to_native()

    def to_pandas(self) -> pd.DataFrame:
        """The columns as a pandas data frame."""
        table = {n: c.to_series().array if isinstance(c, Factor) else c for n, c in self.columns.items()}
        return pd.DataFrame(table, index=self.index)


def _own_index(index: pd.Index) -> pd.Index:
    """An index whose values and name nobody else can change; those of a range cannot be changed anyway."""
    return index[:] if isinstance(index, pd.RangeIndex) else index.copy(deep=True)


def _copied(column: Column, lent: Column | None) -> Column:
    """A copy if this is the column that was read, or lies in its memory."""
    if isinstance(column, Factor):
        lent_codes = lent.codes if isinstance(lent, Factor) else None
        if lent_codes is None or not np.may_share_memory(column.codes, lent_codes):
            return column
        return Factor(column.codes.copy(), column.levels, column.ordered)
    if isinstance(lent, np.ndarray) and np.may_share_memory(column, lent):
        return column.copy()
    return column


def own_value(value: Any) -> Any:
    """A value of the caller's that a model keeps: a copy of what can be changed in place."""
    return deepcopy(value) if isinstance(value, np.ndarray | list | dict | set | pd.Series) else value


class ColumnNames(list[str]):
    """Names of columns as a formula writes them; `in_index` are names of row labels, which are no columns."""

    labels: pd.Index | None = None

    @property
    def in_index(self) -> tuple[str, ...]:
        """Asked for where a name is not among the columns."""
        names = [] if self.labels is None else self.labels.names
        return tuple(str(name) for name in names if name is not None)


def closest(name: str, names: Sequence[str]) -> str:
    """A hint with the names most like `name`.

    Examples
    --------
    >>> closest("Dayz", ["Days", "Subject"])
    "did you mean 'Days'?"
    """
    if name in getattr(names, "in_index", ()):
        return f"'{name}' is in the index of the data: data.reset_index() makes it a column"
    if meant := did_you_mean(name, names):
        return meant
    return f"the data have the columns {listed(names)}" if names else "the data have no columns"


def _not_one(name: str, names: Sequence[str]) -> DataError:
    """What is said of a column that is not there, or more than once."""
    count = names.count(name)
    if count == 0:
        return DataError(f"the data have no column '{name}'; {closest(name, names)}")
    return DataError(f"the data have {count} columns named '{name}'; rename all but one")


# The kinds of tables


def _as_text(columns: pd.Index) -> tuple[str, ...]:
    return tuple(map(str, columns))


_names: Once[pd.Index, tuple[str, ...]] = Once(_as_text)


@dataclass(frozen=True, slots=True)
class _PandasSource:
    data: pd.DataFrame
    names: ColumnNames

    library = "pandas"

    @classmethod
    def of(cls, data: pd.DataFrame) -> _PandasSource:
        names = ColumnNames(_names(data.columns))
        names.labels = data.index
        return cls(data, names)

    @property
    def nrows(self) -> int:
        return len(self.data.index)

    @property
    def index(self) -> pd.Index | None:
        return self.data.index

    def column(self, name: str, scans: Scans) -> tuple[Column, np.ndarray | None]:
        held = _held(self.data, self.names.index(name))
        if isinstance(held, pd.Series):
            return from_series(name, held, scans)
        return from_array(name, held, scans)


@dataclass(frozen=True, slots=True)
class _MappingSource:
    data: Mapping[Any, Any]

    library = "pandas"
    index = None

    @property
    def names(self) -> list[str]:
        return [str(name) for name in self.data]

    @property
    def nrows(self) -> int:
        for name, values in self.data.items():
            if not hasattr(values, "__len__") or isinstance(values, str):
                raise DataError(
                    f"'{name}' is a single value; a mapping of columns needs an array for each name"
                )
            return len(values)
        return 0

    def column(self, name: str, scans: Scans) -> tuple[Column, np.ndarray | None]:
        values = next(values for key, values in self.data.items() if str(key) == name)
        if isinstance(values, str) or not hasattr(values, "__len__"):
            raise DataError(f"'{name}' is a single value; a mapping of columns needs an array for each name")
        return read_array(name, values, scans)

    def check_labels(self, names: Iterable[str]) -> None:
        """Columns that are pandas series have the same labels: their values are put together by position."""
        wanted = set(names)
        series = {str(k): v for k, v in self.data.items() if str(k) in wanted and isinstance(v, pd.Series)}
        first = next(iter(series), "")
        for name, values in series.items():
            index = series[first].index
            if len(values) == len(index) and values.index is not index and not values.index.equals(index):
                raise DataError(
                    f"the columns '{first}' and '{name}' are Series with different indexes, so that their "
                    "values would not be of the same rows: give pd.DataFrame(data), which puts them in order"
                )


@dataclass(frozen=True, slots=True)
class _NarwhalsSource:
    data: Any
    names: list[str]

    index = None

    @property
    def library(self) -> str:
        return str(self.data.implementation.value)

    @property
    def nrows(self) -> int:
        return len(self.data)

    def column(self, name: str, scans: Scans) -> tuple[Column, np.ndarray | None]:
        return from_narwhals(name, self.data[name], scans)


def _held(data: pd.DataFrame, place: int) -> Any:
    """A column as pandas holds it, read-only; or its series, which takes twenty times as long to make, where
    a kind of table has columns of its own or pandas does not hand its arrays out."""
    array = getattr(data, "_get_column_array", None)
    if array is None or type(data) is not pd.DataFrame:
        return data.iloc[:, place]
    found = array(place)
    if isinstance(found, np.ndarray):
        found = found.view()
        found.flags.writeable = False
    return found


_Source = _PandasSource | _MappingSource | _NarwhalsSource | ArrowTable


def open_table(data: Any) -> _Source | Frame:
    """A table of any kind, ready to be asked for its columns; one that is open already stays as it is.

    Raises
    ------
    DataError
        The data are no table.
    """
    if isinstance(data, (Frame, _PandasSource, _MappingSource, _NarwhalsSource, ArrowTable)):
        return data
    if isinstance(data, pd.DataFrame):
        return _pandas_source(data)
    if isinstance(data, Mapping):
        return _MappingSource(data)
    if isinstance(data, np.ndarray) and data.dtype.names:
        return _MappingSource({name: data[name] for name in data.dtype.names})
    if isinstance(data, str) and data.endswith((".parquet", ".pq", ".csv")):
        raise DataError(f"the data are the path '{data}'; read the file: {ACCEPTED}")
    if isinstance(data, (str, bytes, list, tuple, np.ndarray, pd.Series)) or data is None:
        raise DataError(_no_table(data))
    arrow = arrow_table(data)
    if arrow is not None:
        return arrow
    table, names = as_table(data)
    native = table.to_native()
    if isinstance(native, pd.DataFrame):
        return _pandas_source(native)
    arrow = arrow_table(native)
    return _NarwhalsSource(table, names) if arrow is None else replace(arrow, names=names)


def _no_table(data: object) -> str:
    if data is None:
        return f"the data are None; {ACCEPTED}"
    known = {
        pd.Series: "data.to_frame() makes a table of a column, and data.to_frame().T of a row",
        np.ndarray: "pd.DataFrame(data, columns=[...]) gives the columns their names",
        list: "pd.DataFrame(data) makes a table of rows in a list",
    }
    how = next((f": {words}" for kind, words in known.items() if isinstance(data, kind)), "")
    return f"the data are of type {type(data).__name__}{how}; {ACCEPTED}"


def _pandas_source(data: pd.DataFrame) -> _PandasSource:
    if isinstance(data.columns, pd.MultiIndex):
        raise DataError(
            f"the columns of the data have {data.columns.nlevels} levels (a MultiIndex), and a formula names "
            "each column by one text: data.columns = ['_'.join(map(str, names)) for names in data.columns]"
        )
    return _PandasSource.of(data)


def _objects(values: Sequence[Any]) -> np.ndarray:
    """An array of these objects; tuples are labels and no rows of a matrix."""
    if not any(isinstance(value, tuple) for value in values):
        return np.asarray(values, dtype=object)
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    return array


def read_array(name: str, values: Any, scans: Scans | None = None) -> tuple[Column, np.ndarray | None]:
    """A column and its missing mask from one array, list, or series of any library."""
    if isinstance(values, np.ndarray):
        return from_numpy(name, values, scans)
    if isinstance(values, pd.Series):
        return from_series(name, values, scans)
    if isinstance(values, (list, tuple)):
        return from_numpy(name, _objects(values))
    if isinstance(values, (pd.Index, pd.api.extensions.ExtensionArray)):
        return from_series(name, pd.Series(values))
    foreign = series_column(name, values)
    if foreign is not None:
        return foreign
    column = from_anything(name, values)
    if not isinstance(column, Factor) and column.ndim != 1:
        raise DataError(f"{name} must have one value per row, not {shown(values)}")
    return column, None
