"""A value as a zip archive: `model.json`, and `arrays/0.npy`, `arrays/1.npy` ..."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from interlace.errors import DataError, InterlaceError, SavingError, shown
from interlace.log import info
from interlace.storage.earlier import with_names
from interlace.storage.reader import Reader
from interlace.storage.writer import Writer
from interlace.version import installed_version

FORMAT = 2
DOCUMENT, ARRAYS = "model.json", "arrays/{}.npy"
KIND = "interlace model"
Made = TypeVar("Made")
#: Number of a format -> what makes a document of the next one.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: with_names}


def save(value: Any, path: str | os.PathLike[str]) -> None:
    """Write a value.

    Raises
    ------
    SavingError
        It holds code of the caller's.
    DataError
        The file cannot be written.
    """
    target = _file(path)
    writer = Writer()
    root = writer.value(value)
    about = {"kind": KIND, "format": FORMAT, "written_by": installed_version()}
    document = {**about, "entries": writer.entries, "value": root}
    partly = target.with_name(target.name + ".part")
    try:
        with zipfile.ZipFile(partly, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(DOCUMENT, json.dumps(document, ensure_ascii=False, allow_nan=False))
            for i, array in enumerate(writer.arrays):
                with archive.open(ARRAYS.format(i), "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)
        partly.replace(target)
        info("wrote %s: %d values, %d arrays", target, len(writer.entries), len(writer.arrays))
    except OSError as error:
        with suppress(OSError):  # a name that is too long
            partly.unlink(missing_ok=True)
        raise DataError(f"'{target}' cannot be written: {error.strerror}") from error


def load(path: str | os.PathLike[str], made: Callable[[Any], Made]) -> Made:
    """Read a value that was written, by earlier versions too, and make of it what the caller hands out.

    Raises
    ------
    DataError
        There is no such file, or it may not be read.
    SavingError
        It is none of these, is damaged, or was written by a newer version.
    """
    try:
        with zipfile.ZipFile(_file(path)) as archive:
            return made(_value(_document(archive, path), archive))
    except FileNotFoundError as error:
        raise DataError(f"there is no file '{path}'") from error
    except (IsADirectoryError, PermissionError) as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}") from error
    except (InterlaceError, MemoryError):
        raise
    except (
        Exception
    ) as error:  # what zlib, zipfile, NumPy and our values say of wrong bytes has no common class
        said = shown(str(error))[1:-1] or type(error).__name__
        raise SavingError(f"'{path}' is no file of interlace, or it is damaged: {said}") from error


def _file(path: object) -> Path:
    """The path of a file that may be there, or may be written."""
    if not isinstance(path, str | os.PathLike) or not isinstance(given := os.fspath(path), str):
        raise DataError(f"path must be the name of a file, not {shown(path)}")
    if not Path(given).name or "\0" in given:
        raise DataError(f"path must be the name of a file, not {shown(given)}")
    return Path(given)


def _value(document: dict[str, Any], archive: zipfile.ZipFile) -> Any:
    def array(i: int) -> np.ndarray:
        data = io.BytesIO(archive.read(ARRAYS.format(int(i))))
        return np.lib.format.read_array(data, allow_pickle=False)

    return Reader(document["entries"], array).value(document["value"])


def _document(archive: zipfile.ZipFile, path: object) -> dict[str, Any]:
    read = json.loads(archive.read(DOCUMENT))
    if not isinstance(read, dict) or read.get("kind") != KIND:
        raise SavingError(f"'{path}' is no file of interlace: it was not written by m.save(path)")
    document: dict[str, Any] = read
    written = document["format"]
    if written > FORMAT:
        raise SavingError(
            f"'{path}' has format {written}, of interlace {document.get('written_by')}; this version reads "
            f"formats up to {FORMAT}: install a newer one"
        )
    while document["format"] < FORMAT:
        document = MIGRATIONS[document["format"]](document)
    return document
