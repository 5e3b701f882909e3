"""Tables that the command line reads: files, standard input, shipped data sets."""

from __future__ import annotations

import io
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from interlace import datasets
from interlace.design.queries import chunks
from interlace.errors import DataError
from interlace.model import LinearMixedModel
from interlace.model.least import LinearModel

PARQUET = (".parquet", ".pq")
TAB_SEPARATED = (".tsv", ".tsv.gz", ".tab")
STANDARD_INPUT = "-"


def read_data(name: str) -> Any:
    """The table of a CSV or Parquet file or of a shipped data set; "-" is a CSV file on standard input, and a
    directory or a pattern of names stands for files that are read in chunks.

    Raises
    ------
    DataError
        If there is no such file and no such data set, or the file cannot be read.
    """
    if name == STANDARD_INPUT:
        return _read_standard_input()
    path = Path(name)
    if path.is_file():
        if path.suffix.lower() in PARQUET:
            return _read_parquet(path)
        return _read_csv(path, str(path), "\t" if name.lower().endswith(TAB_SEPARATED) else ",")
    if path.is_dir() or any(sign in name for sign in "*?["):
        return chunks(name)
    if path.suffix or path.name != name:
        raise DataError(f"there is no file '{name}'")
    return _shipped(name)


def _shipped(name: str) -> Any:
    known = datasets.names()
    if name.lower() not in known:
        raise DataError(
            f"there is no file '{name}', and no shipped data set of that name ({', '.join(known)})"
        )
    return datasets.load(name)


def _read_standard_input() -> pd.DataFrame:
    """By commas, or by tabs where the names of the columns have tabs and no commas."""
    content = sys.stdin.buffer.read()
    header = content.partition(b"\n")[0]
    by_tabs = b"\t" in header and b"," not in header
    return _read_csv(io.BytesIO(content), "standard input", "\t" if by_tabs else ",")


def _read_csv(source: Path | BinaryIO, name: str, separator: str) -> pd.DataFrame:
    try:
        header = pd.read_csv(source, sep=separator, header=None, nrows=1, dtype=str)
        _check_header(name, [] if header.empty else header.iloc[0].dropna().tolist(), separator)
        if not isinstance(source, Path):
            source.seek(0)
        return pd.read_csv(source, sep=separator, low_memory=False)
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(f"'{name}' is no text in UTF-8; save it in that encoding") from error
    except pd.errors.EmptyDataError as error:
        raise DataError(f"'{name}' is empty") from error
    except (
        OSError,
        EOFError,
        ValueError,
        zlib.error,
    ) as error:  # a parser error and a bad encoding are ValueErrors
        raise DataError(f"'{name}' cannot be read as a CSV file: {one_line(error)}") from error


def _check_header(path: str, names: list[str], separator: str) -> None:
    """Columns must have names of their own, and there must be more than one of them."""
    twice = list(dict.fromkeys(name for name in names if names.count(name) > 1))
    if twice:
        raise DataError(f"'{path}' has more than one column named '{twice[0]}'; rename them")
    other = next((s for s in (",", ";", "\t") if s in names[0]), None) if len(names) == 1 else None
    if other is not None:
        words = {",": "commas", ";": "semicolons", "\t": "tabs"}
        raise DataError(
            f"the columns of '{path}' seem to be separated by {words[other]}, not {words[separator]}; "
            f"write it with {words[separator]}, and with decimal points"
        )


def _read_parquet(path: Path) -> Any:
    if find_spec("pyarrow"):
        return _read_by_pyarrow(path)
    if find_spec("polars"):
        return _read_by_polars(path)
    raise DataError(f"reading the Parquet file '{path}' needs pyarrow or polars: pip install pyarrow")


def _read_by_pyarrow(path: Path) -> Any:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise _unreadable_parquet(path, error) from error


def _read_by_polars(path: Path) -> Any:
    import polars

    try:
        return polars.read_parquet(path)
    except (OSError, polars.exceptions.PolarsError) as error:
        raise _unreadable_parquet(path, error) from error


def _unreadable_parquet(path: Path, error: Exception) -> DataError:
    return DataError(f"'{path}' cannot be read as a Parquet file: {one_line(error)}")


def one_line(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def levels_of(model: LinearMixedModel | LinearModel) -> dict[str, Any]:
    """The levels of each column that is a factor of the model."""
    encoding = model.fit.encoding
    found: dict[str, Any] = {name: coding.levels for name, coding in encoding.fixed.factors.items()}
    groupings = [one.grouping for one in encoding.random] + [one.grouping for one in encoding.absorbed]
    for grouping in groupings:
        found |= dict(zip(grouping.factors, grouping.parts, strict=True))
    return found


def with_types_of_levels(table: pd.DataFrame, levels: dict[str, Any], *, refuse: bool) -> pd.DataFrame:
    """A table whose columns have levels of the types of those of the fit: a file does not say what 308 is.

    Raises
    ------
    DataError
        A word is no level of a factor of numbers, and such are refused.
    """
    changed = {}
    for name, known in levels.items():
        if name not in table or not len(known):
            continue
        by_text = {str(level): level for level in known}
        if not isinstance(known[0], str):  # words among numbers are levels that the fit has not seen
            words = [v for v in table[name].dropna().unique() if isinstance(v, str) and v not in by_text]
            if words and refuse:
                raise DataError(
                    f"the factor '{name}' has a level that the model has not seen: '{words[0]}'; "
                    "--new-levels population takes the effects of such levels as zero in a mixed model"
                )
            by_text |= {word: max(known) + 1 + i for i, word in enumerate(words)}
        there = table[name]
        if set(there.dropna()) - set(known):
            words_too = isinstance(known[0], str)  # a number that the fit has not seen is a word among words
            as_known = [
                value if pd.isna(value) else by_text.get(_text(value), _text(value) if words_too else value)
                for value in there
            ]
            changed[name] = pd.Series(as_known, index=table.index, dtype=object)
    return table.assign(**changed)


def _text(value: Any) -> str:
    """A number as it stands in a file: 308 for 308.0, which pandas makes of whole numbers beside gaps."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
