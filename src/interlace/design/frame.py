"""The only place that touches data frames on the way in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from interlace.design.values import Column, Factor, from_anything, from_numpy, from_series
from interlace.errors import DataError

_ACCEPTED = (
    "give a pandas or polars data frame, a pyarrow table, anything narwhals reads, or a mapping of arrays"
)


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
        for name in wanted:
            _check_present(name, present)
            read[name], mask = source.column(name)
            if mask is not None:
                missing[name] = mask
        nrows = source.nrows
        for name, values in read.items():
            if len(values) != nrows:
                raise DataError(f"column '{name}' has {len(values)} values, others have {nrows}")
        return cls(read, missing, nrows, source.library, source.index)

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self.columns)

    @property
    def labels(self) -> pd.Index | None:
        """Row labels for a table that is handed out: renaming them there is not renaming them here."""
        return None if self.index is None else self.index.copy()

    def complete_rows(self, names: Iterable[str]) -> np.ndarray | None:
        """Indices of the rows without a missing value in these columns; None if that is every row."""
        gone: np.ndarray | None = None
        for name in names:
            if name in self.missing:
                gone = self.missing[name] if gone is None else gone | self.missing[name]
        return None if gone is None or not gone.any() else np.flatnonzero(~gone)

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
        index = None if self.index is None else self.index.copy(deep=True)
        return Frame(columns, self.missing, self.nrows, self.library, index)

    def row_table(self, arrays: Mapping[str, Any]) -> Any:
        """A table with a row per row of this frame, in the caller's own library (pandas keeps its index)."""
        if self.library == "pandas":
            return pd.DataFrame(dict(arrays), index=self.labels)
        import narwhals as nw

        backend: Any = self.library
        return nw.from_dict(dict(arrays), backend=backend).to_native()

    def to_pandas(self) -> pd.DataFrame:
        """The columns as a pandas data frame."""
        table = {n: c.to_series().array if isinstance(c, Factor) else c for n, c in self.columns.items()}
        return pd.DataFrame(table, index=self.index)


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


def closest(name: str, names: Sequence[str]) -> str:
    """A hint with the names most like `name`.

    Examples
    --------
    >>> closest("Dayz", ["Days", "Subject"])
    "did you mean 'Days'?"
    """
    lowered = {candidate.lower(): candidate for candidate in reversed(names)}
    near = [lowered[low] for low in get_close_matches(name.lower(), list(lowered), n=3, cutoff=0.6)]
    if near:
        return f"did you mean {' or '.join(repr(n) for n in near)}?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"the data have the columns {shown}" if names else "the data have no columns"


def _check_present(name: str, names: Sequence[str]) -> None:
    count = names.count(name)
    if count == 0:
        raise DataError(f"the data have no column '{name}'; {closest(name, names)}")
    if count > 1:
        raise DataError(f"the data have {count} columns named '{name}'; rename all but one")


# The kinds of tables


@dataclass(frozen=True)
class _PandasSource:
    data: pd.DataFrame

    library = "pandas"

    @cached_property
    def names(self) -> list[str]:
        return [name for name in self.data.columns.tolist() if isinstance(name, str)]

    @property
    def nrows(self) -> int:
        return len(self.data)

    @property
    def index(self) -> pd.Index | None:
        return self.data.index

    def column(self, name: str) -> tuple[Column, np.ndarray | None]:
        return from_series(name, self.data[name])


@dataclass(frozen=True, slots=True)
class _MappingSource:
    data: Mapping[Any, Any]

    library = "pandas"
    index = None

    @property
    def names(self) -> list[str]:
        return [name for name in self.data if isinstance(name, str)]

    @property
    def nrows(self) -> int:
        for name, values in self.data.items():
            if not hasattr(values, "__len__") or isinstance(values, str):
                raise DataError(
                    f"'{name}' is a single value; a mapping of columns needs an array for each name"
                )
            return len(values)
        return 0

    def column(self, name: str) -> tuple[Column, np.ndarray | None]:
        values = self.data[name]
        if isinstance(values, str) or not hasattr(values, "__len__"):
            raise DataError(f"'{name}' is a single value; a mapping of columns needs an array for each name")
        return read_array(name, values)


@dataclass(frozen=True, slots=True)
class _NarwhalsSource:
    data: Any

    index = None

    @property
    def library(self) -> str:
        return str(self.data.implementation.value)

    @property
    def names(self) -> list[str]:
        return list(self.data.columns)

    @property
    def nrows(self) -> int:
        return len(self.data)

    def column(self, name: str) -> tuple[Column, np.ndarray | None]:
        return _from_narwhals(name, self.data[name])


_Source = _PandasSource | _MappingSource | _NarwhalsSource


def open_table(data: Any) -> _Source | Frame:
    """A table of any kind, ready to be asked for its columns; one that is open already stays as it is.

    Raises
    ------
    DataError
        The data are no table.
    """
    if isinstance(data, (Frame, _PandasSource, _MappingSource, _NarwhalsSource)):
        return data
    if isinstance(data, pd.DataFrame):
        return _PandasSource(data)
    if isinstance(data, Mapping):
        return _MappingSource(data)
    if isinstance(data, np.ndarray) and data.dtype.names:
        return _MappingSource({name: data[name] for name in data.dtype.names})
    if data is None or isinstance(data, (str, bytes, list, tuple, np.ndarray, pd.Series)):
        raise DataError(f"the data are of type {type(data).__name__}; {_ACCEPTED}")
    import narwhals as nw

    table = nw.from_native(data, pass_through=True)
    if isinstance(table, nw.LazyFrame):
        raise DataError("the data are a lazy frame; collect() it first")
    if not isinstance(table, nw.DataFrame):
        raise DataError(f"the data are of type {type(data).__name__}; {_ACCEPTED}")
    native = table.to_native()
    return _PandasSource(native) if isinstance(native, pd.DataFrame) else _NarwhalsSource(table)


def read_array(name: str, values: Any) -> tuple[Column, np.ndarray | None]:
    """A column and its missing mask from one array, list, or series of any library."""
    if isinstance(values, np.ndarray):
        return from_numpy(name, values)
    if isinstance(values, pd.Series):
        return from_series(name, values)
    if isinstance(values, (list, tuple)):
        array = np.asarray(values, dtype=object)
        return from_numpy(name, array)
    if isinstance(values, (pd.Index, pd.api.extensions.ExtensionArray)):
        return from_series(name, pd.Series(values))
    import narwhals as nw

    series = nw.from_native(values, series_only=True, pass_through=True)
    if isinstance(series, nw.Series):
        return _from_narwhals(name, series)
    column = from_anything(name, values)
    if not isinstance(column, Factor) and column.ndim != 1:
        raise DataError(f"{name} must have one value per row, not {values!r}")
    return column, None


def _from_narwhals(name: str, series: Any) -> tuple[Column, np.ndarray | None]:
    """A column of a polars, pyarrow or other table."""
    import narwhals as nw

    dtype = series.dtype
    gone = series.is_null().to_numpy() if series.null_count() else None
    if isinstance(dtype, (nw.Categorical, nw.Enum)):
        return _from_narwhals_categories(series, gone)
    if dtype.is_float():
        return from_numpy(name, _numpy(series))
    if dtype.is_integer() or isinstance(dtype, nw.Boolean):
        filler = False if isinstance(dtype, nw.Boolean) else 0
        return from_numpy(name, _numpy(series if gone is None else series.fill_null(filler)))[0], gone
    if isinstance(dtype, nw.Decimal):
        return from_numpy(name, _numpy(series.cast(nw.Float64)))
    if isinstance(dtype, (nw.Datetime, nw.Date)):
        return from_numpy(name, _numpy(series.cast(nw.Datetime("ns"))).astype("datetime64[ns]"))
    return from_numpy(name, np.array(series.to_list(), dtype=object))


def _numpy(series: Any) -> np.ndarray:
    return np.ascontiguousarray(series.to_numpy())


def _from_narwhals_categories(series: Any, gone: np.ndarray | None) -> tuple[Factor, np.ndarray | None]:
    """Enums and Arrow dictionaries keep their order.

    The categories of a polars Categorical have no order of their own (they lie in a pool that other
    columns share), so they are sorted like strings.
    """
    import narwhals as nw

    native = nw.to_native(series)
    if type(native).__module__.startswith("pyarrow"):
        return _from_arrow_dictionary(native), gone
    values = np.array(series.cast(nw.String).to_list(), dtype=object)
    if isinstance(series.dtype, nw.Enum):
        levels = np.array(series.dtype.categories, dtype=object)
        return Factor(
            pd.Index(levels).get_indexer(pd.Index(values, dtype=object)).astype(np.int32), levels
        ), gone
    column, missing = from_numpy("", values)
    if not isinstance(column, Factor):
        column = Factor(np.full(len(values), -1, dtype=np.int32), np.array([], dtype=object))
    return column, missing


def _from_arrow_dictionary(native: Any) -> Factor:
    """Codes and categories of a pyarrow dictionary column."""
    chunked = native.unify_dictionaries() if hasattr(native, "unify_dictionaries") else native
    array = chunked.combine_chunks() if hasattr(chunked, "combine_chunks") else chunked
    if hasattr(array, "num_chunks"):
        array = array.chunk(0)
    codes = array.indices.fill_null(-1) if array.indices.null_count else array.indices
    levels = np.array(array.dictionary.to_pandas())
    return Factor(np.asarray(codes).astype(np.int32), levels, bool(array.type.ordered))
