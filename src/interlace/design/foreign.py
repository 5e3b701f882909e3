"""Tables and series of libraries other than pandas, by narwhals and by Arrow's stream."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

from interlace.design.chunked import Chunked
from interlace.design.reading import Scans, from_numpy
from interlace.design.values import Column, Factor
from interlace.errors import DataError
from interlace.frozen import dataclass

ACCEPTED = (
    "give a pandas or polars data frame, a pyarrow table, a DuckDB relation, anything else that narwhals "
    "reads or that has an Arrow stream, or a mapping of arrays"
)

# How the rows of a lazy table are had, by narwhals' name of its library.
_COLLECTED = {"polars": "collect()", "dask": "compute()", "pyspark": "toPandas()", "ibis": "to_pyarrow()"}


def as_table(data: Any) -> tuple[Any, list[str]]:
    """A narwhals data frame of a table of another library, and the names of its columns.

    Arrow lets columns have one name, and narwhals does not: in its frame the later ones have others.

    Raises
    ------
    DataError
        It is no table, or one whose rows have not been computed.
    """
    import narwhals as nw

    if isinstance(data, Chunked):
        raise DataError(
            f"the data are {data.said}, which are read in chunks, and here a table is needed: give "
            f"{data.table}, or a part of it"
        )
    table, names = _narwhal(data)
    if isinstance(table, nw.LazyFrame):
        native = table.to_native()
        if not hasattr(native, "__arrow_c_stream__"):
            library = str(table.implementation.value)
            how = _COLLECTED.get(library, "making it a pandas data frame or a pyarrow table")
            raise DataError(f"the data are a lazy table of {library}, without rows yet: get them by {how}")
        table, names = _narwhal(_of_stream(native))
    elif hasattr(data, "__arrow_c_stream__") and not isinstance(table, nw.DataFrame | nw.Series):
        table, names = _narwhal(_of_stream(data))
    if not isinstance(table, nw.DataFrame):
        raise DataError(f"the data are of type {type(data).__name__}; {ACCEPTED}")
    return table, names or list(table.columns)


def _narwhal(data: Any) -> tuple[Any, list[str]]:
    """As narwhals sees it, and itself where that does not know it; the names where some are equal."""
    import narwhals as nw

    try:
        return nw.from_native(data, pass_through=True), []
    except nw.exceptions.DuplicateError as error:
        if not hasattr(data, "rename_columns"):  # no table of Arrow
            raise DataError("the data have columns with one name; rename all but one") from error
    names = [str(name) for name in data.column_names]
    return nw.from_native(data.rename_columns(_told_apart(names))), names


def _told_apart(names: list[str]) -> list[str]:
    """Names of which the first of equal ones stays, and the others become what is no name of a column."""
    longest = max(map(len, names))
    return [name if name not in names[:j] else f"{'_' * longest}_{j}" for j, name in enumerate(names)]


def series_of(data: Any) -> list[tuple[str, Any]]:
    """The names of the columns of a table, and each as a series of its library.

    Raises
    ------
    DataError
        As `as_table`.
    """
    table, names = as_table(data)
    return [(name, column.to_native()) for name, column in zip(names, table.iter_columns(), strict=True)]


def _of_stream(data: Any) -> Any:
    """A pyarrow table or polars data frame of what an Arrow stream gives."""
    what = f"the data are of type {type(data).__name__}"
    if find_spec("pyarrow"):
        import pyarrow

        try:
            return pyarrow.table(data)
        except (pyarrow.ArrowException, TypeError, ValueError) as error:
            raise DataError(f"{what}, whose Arrow stream is no table ({error}); {ACCEPTED}") from error
    if find_spec("polars"):
        import polars

        try:
            return polars.DataFrame(data)
        except (polars.exceptions.PolarsError, TypeError, ValueError) as error:
            raise DataError(f"{what}, whose Arrow stream is no table ({error}); {ACCEPTED}") from error
    raise DataError(
        f"{what}, which pyarrow or polars reads: install one of them, or give a pandas data frame"
    )


def series_column(name: str, values: Any) -> tuple[Column, np.ndarray | None] | None:
    """The column of a series that narwhals reads; None for other things."""
    import narwhals as nw

    series = nw.from_native(values, series_only=True, pass_through=True)
    return from_narwhals(name, series) if isinstance(series, nw.Series) else None


def from_narwhals(name: str, series: Any, scans: Scans | None = None) -> tuple[Column, np.ndarray | None]:
    """A column of a polars, pyarrow or other table; a look at all of its numbers is put into `scans`."""
    import narwhals as nw

    dtype = series.dtype
    gone = series.is_null().to_numpy() if series.null_count() else None
    if isinstance(dtype, (nw.Categorical, nw.Enum)):
        return _from_narwhals_categories(series, gone)
    if dtype.is_float():
        return from_numpy(name, _numpy(series), scans)
    if dtype.is_integer() or isinstance(dtype, nw.Boolean):
        filler = False if isinstance(dtype, nw.Boolean) else 0
        return from_numpy(name, _numpy(series if gone is None else series.fill_null(filler)))[0], gone
    if isinstance(dtype, nw.Decimal):
        return from_numpy(name, _numpy(series.cast(nw.Float64)))
    if isinstance(dtype, (nw.Datetime, nw.Date)):
        return from_numpy(name, _numpy(series.cast(nw.Datetime("ns"))).astype("datetime64[ns]"))
    return from_numpy(name, np.array(series.to_list(), dtype=object))


@dataclass(frozen=True, slots=True)
class ArrowTable:
    """A pyarrow table. Its numbers are asked for here: narwhals takes a third of a millisecond for a column,
    which counts where a table comes in many chunks.

    Attributes
    ----------
    data : pyarrow.Table
    names : list of str
        Of its columns; some may be equal.
    """

    data: Any
    names: list[str]

    library = "pyarrow"
    index = None

    @property
    def nrows(self) -> int:
        """Number of rows."""
        return int(self.data.num_rows)

    @property
    def given_order(self) -> frozenset[str]:
        """Dictionaries, whose levels have an order of their own."""
        from pyarrow import types

        return frozenset(
            n
            for n, field in zip(self.names, self.data.schema, strict=True)
            if types.is_dictionary(field.type)
        )

    def column(self, name: str, scans: Scans) -> tuple[Column, np.ndarray | None]:
        """A column, of which there is one of the name."""
        import narwhals as nw
        from pyarrow import types

        values = self.data.column(self.names.index(name))
        if types.is_float64(values.type) or types.is_float32(values.type):
            return from_numpy(name, _arrow_numbers(values), scans)
        if types.is_integer(values.type) and not values.null_count:
            return from_numpy(name, _arrow_numbers(values))
        return from_narwhals(name, nw.from_native(values, series_only=True), scans)


def arrow_table(data: Any) -> ArrowTable | None:
    """Data as a table of pyarrow, if that is what they are."""
    if not type(data).__module__.startswith("pyarrow"):
        return None
    import pyarrow

    return (
        ArrowTable(data, [str(name) for name in data.column_names])
        if isinstance(data, pyarrow.Table)
        else None
    )


def _arrow_numbers(values: Any) -> np.ndarray:
    """Numbers of a chunked array of Arrow, NaN for null; where they lie, if in one piece."""
    if values.num_chunks != 1:
        return np.ascontiguousarray(values.to_numpy())
    return np.asarray(values.chunk(0).to_numpy(zero_copy_only=not values.null_count))


def _numpy(series: Any) -> np.ndarray:
    """The values of a series of numbers without missing ones; those of Arrow lie where they are, if in one
    piece."""
    native = series.to_native()
    if type(native).__module__.startswith("pyarrow") and getattr(native, "num_chunks", 0) == 1:
        import pyarrow

        if pyarrow.types.is_primitive(native.type) and not pyarrow.types.is_boolean(native.type):
            return _arrow_numbers(native)
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
