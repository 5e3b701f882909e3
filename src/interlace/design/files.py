"""Parquet and CSV files, and datasets of pyarrow, as rows that come in chunks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import reduce
from glob import glob
from os import PathLike, fspath, walk
from os.path import exists, isdir
from typing import Any

from interlace.design.chunked import ROWS, Chunked, Extents, check_rows, need_pyarrow, unreadable
from interlace.errors import DataError, shown
from interlace.frozen import dataclass

PARQUET, CSV = (".parquet", ".pq"), (".csv", ".csv.gz", ".csv.bz2", ".tsv", ".tsv.gz", ".tab")
AHEAD = 4  # chunks that pyarrow reads ahead: with more it takes as long, and longer to stop
PIECE = 1 << 20  # bytes of a file that are read at a time
_PASSED_OVER = "._"  # first letters of files that are not data, as for pyarrow
_KINDS = {"parquet": "Parquet", "csv": "CSV", "tsv": "tab-separated"}


@dataclass(frozen=True, slots=True)
class DataFiles(Chunked):
    """Files of rows, or a dataset of pyarrow, read one after the other.

    Attributes
    ----------
    paths : tuple of str
        Files or directories, in the order of their rows; empty where a dataset was given.
    dataset : pyarrow.dataset.Dataset or None
    kind : {"parquet", "csv", "tsv"}
    rows : int
        Rows of a chunk.
    """

    paths: tuple[str, ...]
    dataset: Any
    kind: str
    rows: int
    in_threads = True

    @property
    def said(self) -> str:  # type: ignore[override]
        """The first of them by name."""
        if self.dataset is not None:
            return "the Parquet data of the dataset"
        named = ", ".join(f"'{path}'" for path in self.paths[:3]) + (", ..." if len(self.paths) > 3 else "")
        return f"the {_KINDS[self.kind]} data {named}"

    @property
    def table(self) -> str:  # type: ignore[override]
        """By the reader of the kind."""
        return "pyarrow.parquet.read_table(...)" if self.kind == "parquet" else "pandas.read_csv(...)"

    def schema(self) -> Any:
        """Of all files together: numbers are of the widest type among them."""
        return self._opened().schema

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """File by file; an error names the file."""
        opened = self._opened()
        options = {"columns": list(columns), "batch_size": self.rows, "batch_readahead": AHEAD}
        if self.dataset is None and self.kind == "parquet":
            options["fragment_scan_options"] = _piece_by_piece()
        fragments = _fragments(opened)
        if fragments is None:
            yield from opened.to_batches(**options, use_threads=False)
            return
        for fragment in fragments:
            self._check_columns(fragment, columns)
            try:
                yield from fragment.to_batches(schema=opened.schema, **options, use_threads=False)
            except GeneratorExit:
                raise
            except self.failures() as error:
                path = getattr(fragment, "path", None)
                raise unreadable(f"the file '{path}'" if path else self.said, error) from error

    def _check_columns(self, fragment: Any, columns: Sequence[str]) -> None:
        """A file has the columns itself, or by its directory; a dataset that was given is as it is."""
        from pyarrow import dataset

        if self.dataset is not None:
            return
        there = {*fragment.physical_schema.names, *dataset.get_partition_keys(fragment.partition_expression)}
        for name in columns:
            if name not in there:
                raise DataError(
                    f"the file '{fragment.path}' has no column '{name}', which other files have: write it, "
                    "with missing values where nothing is known"
                )

    def pieces(self) -> Iterator[tuple[str, int]]:
        """The files; none of a dataset that is filtered, whose rows are not all those of its files."""
        for fragment in _fragments(self._opened()) or ():
            path = getattr(fragment, "path", None)
            yield f"the file '{path}'" if path else self.said, fragment.count_rows()

    def telling(self, error: Exception) -> str:
        """Also where pyarrow does not read a file for columns that nobody asks for."""
        words = Chunked.telling(self, error)
        return "several columns have one name; rename all but one" if "duplicate field" in words else words

    def extents(self, columns: Collection[str]) -> Extents | None:
        """By the ends of Parquet files: the least and the largest value of each piece of a column.

        Other columns are not looked at: pyarrow has no value for the least of some, such as dates after 9999.
        """
        with self.readable():
            opened = self._opened()
            fragments = _fragments(opened)
            if not fragments or not all(hasattr(fragment, "row_groups") for fragment in fragments):
                return None
            rows = sum(group.num_rows for fragment in fragments for group in fragment.row_groups)
            ranges = {name: _range(name, opened.schema, fragments) for name in columns}
            return Extents(rows, {name: found for name, found in ranges.items() if found is not None})

    def failures(self) -> tuple[type[Exception], ...]:
        """pyarrow takes a path that it cannot use for a value or a type of the wrong kind."""
        import pyarrow

        return pyarrow.ArrowException, OSError, ValueError, TypeError

    def _opened(self) -> Any:
        """The pyarrow dataset; files are opened anew each time, so that nothing of them is held."""
        if self.dataset is not None:
            return self.dataset
        from pyarrow import dataset

        source = self.paths[0] if len(self.paths) == 1 else list(self.paths)
        kind = "parquet" if self.kind == "parquet" else _csv_format("\t" if self.kind == "tsv" else ",")
        first = dataset.dataset(source, format=kind, partitioning="hive")
        fragments = list(first.get_fragments())
        if len(fragments) < 2:
            return first
        together = self._together(first.schema, fragments)
        return dataset.dataset(source, format=kind, partitioning="hive", schema=together)

    def _together(self, first: Any, fragments: list[Any]) -> Any:
        """The schema of the first file with the types that hold the values of all."""
        import pyarrow

        def wider(schema: Any, fragment: Any) -> Any:
            try:
                return pyarrow.unify_schemas([schema, fragment.physical_schema], promote_options="permissive")
            except self.failures() as error:
                raise unreadable(f"the file '{fragment.path}'", error) from error

        return reduce(wider, fragments, first)


def _piece_by_piece() -> Any:
    """Local files are read a piece of a column at a time: whole row groups of them in memory, as pyarrow has
    them for stores far away, take longer, and half a gigabyte."""
    from pyarrow import dataset

    return dataset.ParquetFragmentScanOptions(pre_buffer=False, use_buffered_stream=True, buffer_size=PIECE)


def _fragments(opened: Any) -> list[Any] | None:
    """Of a dataset; None where it is filtered: pyarrow hands out none of these."""
    import pyarrow

    try:
        return list(opened.get_fragments())
    except pyarrow.ArrowException:  # files that cannot be read: some of these errors are ValueErrors too
        raise
    except ValueError:
        return None


def _range(name: str, opened: Any, fragments: list[Any]) -> tuple[int, int] | None:
    """Between which two values a column of whole numbers lies, where that is known of each piece."""
    if not all(_is_integer(schema, name) for schema in (opened, *(f.physical_schema for f in fragments))):
        return None
    low, high = list[int](), list[int]()
    for fragment in fragments:
        place = [fragment.metadata.schema.column(j).path for j in range(fragment.metadata.num_columns)]
        for group in filter(_has_rows, fragment.row_groups):
            found = group.metadata.column(place.index(name)).statistics
            if found is None or not found.has_min_max:
                return None
            low.append(found.min)
            high.append(found.max)
    return (min(low), max(high)) if low else None


def _has_rows(group: Any) -> bool:
    return bool(group.num_rows)


def _is_integer(schema: Any, name: str) -> bool:
    from pyarrow import types

    return bool(schema.names.count(name) == 1 and types.is_integer(schema.field(name).type))


def _csv_format(separator: str) -> Any:
    """As pandas reads them: a field without characters, or one of its words for it, is missing."""
    from pyarrow import csv, dataset

    return dataset.CsvFileFormat(
        parse_options=csv.ParseOptions(delimiter=separator),
        convert_options=csv.ConvertOptions(
            strings_can_be_null=True,
            null_values=["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A", "<NA>"],
        ),
    )


def parquet(source: Any, *, rows: int = ROWS) -> DataFiles:
    """Parquet files as the data of `lmer`, read in chunks: the rows need not fit in memory.

    The files are read several times: for levels and what functions of the formula learn, means, and
    cross-products (at once, where a million rows or more have groups that are whole numbers with few gaps),
    and again whenever something asks for rows, as `fitted` does. They must stay where and what they are.

    Parameters
    ----------
    source : path, list of paths, or pyarrow.dataset.Dataset
        A file, a directory of files, or a pattern such as "data/*.parquet", whose files are taken in the
        order of their names.
    rows : int
        Rows that are in memory at a time.

    Returns
    -------
    Chunked

    Raises
    ------
    DataError
        There are no such files, pyarrow is not installed, or `rows` is no number of rows.

    See Also
    --------
    interlace.chunks : other sources of rows.

    Examples
    --------
    >>> import interlace
    >>> model = interlace.lmer("y ~ x + (1 | g)", interlace.parquet("part-*.parquet"))  # doctest: +SKIP
    """
    need_pyarrow("Parquet files")
    check_rows(rows)
    if is_dataset(source):
        return DataFiles((), source, "parquet", rows)
    return DataFiles(_paths(source, "Parquet"), None, "parquet", rows)


def files(source: Any, rows: int) -> DataFiles:
    """Files by their paths, of the kind that the ends of their names tell, in a folder those of its files."""
    paths = _paths(source, "Parquet or CSV")
    kinds = {kind for path in paths for kind in _kinds_of(path)}
    if len(kinds) > 1:
        raise DataError(
            f"the files are of several kinds ({', '.join(sorted(_KINDS[kind] for kind in kinds))}); give "
            "those of one kind"
        )
    return DataFiles(paths, None, kinds.pop(), rows)


def is_path(data: Any) -> bool:
    """Whether this says where files of rows are: by the ends of their names, or as a folder.

    Raises
    ------
    DataError
        It is a path, and neither.
    """
    if not isinstance(data, str | PathLike):
        return False
    name = str(fspath(data))
    if not (name.lower().endswith(PARQUET + CSV) or isdir(name)):
        raise DataError(
            f"the data are the text {shown(name)}, which is neither a folder nor a path that ends in "
            f"{', '.join(PARQUET + CSV)}; read other files yourself, and give their table"
        )
    return True


def is_dataset(data: Any) -> bool:
    """Whether this is a dataset of pyarrow."""
    return any(kind.__module__ == "pyarrow._dataset" for kind in type(data).__mro__)


def _kinds_of(path: str) -> set[str]:
    """Of a file, or of the files that are read of a folder.

    Raises
    ------
    DataError
        The folder holds none.
    """
    if not isdir(path):
        return {_kind(path)}
    names = [name for _, folders, names in walk(path) for name in names if name[0] not in _PASSED_OVER]
    found = {_kind(name) for name in names if name.lower().endswith(PARQUET + CSV)}
    if not names:
        raise DataError(f"the folder '{path}' holds no files")
    return found or {"parquet"}


def _kind(path: str) -> str:
    name = path.lower()
    if not name.endswith(CSV):
        return "parquet"
    return "tsv" if ".tsv" in name or name.endswith(".tab") else "csv"


def _paths(source: Any, kind: str) -> tuple[str, ...]:
    given = [source] if isinstance(source, str | PathLike) else source
    if not isinstance(given, list | tuple) or not given:
        raise DataError(
            f"give the path of a {kind} file, a list of paths, or a pyarrow dataset, not an object of type "
            f"{type(source).__name__}"
        )
    return tuple(path for one in given for path in _found(one, kind))


def _found(path: Any, kind: str) -> list[str]:
    if not isinstance(path, str | PathLike):
        raise DataError(f"a path is text, not {shown(path)}")
    name = fspath(path)
    if not isinstance(name, str):
        raise DataError(f"a path is text, not {shown(path)}")
    found = [name] if exists(name) else sorted(glob(name))
    if not found:
        raise DataError(f"there is no {kind} file '{name}'")
    return found
