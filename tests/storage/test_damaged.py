"""Damaged files, and files that a new process reads: a model that is equal, or one of our errors."""

from __future__ import annotations

import io
import json
import pickle
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import interlace
from interlace.errors import DataError, InterlaceError, SavingError
from interlace.storage.archive import DOCUMENT
from storage.test_saved import MODELS

PENICILLIN = interlace.datasets.load("penicillin")


def iterative() -> Any:
    return interlace.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", PENICILLIN, solver="iterative")


NEW_PROCESS = """
import pathlib, pickle, sys
import interlace

for path in map(pathlib.Path, sys.argv[1:]):
    saved = path.suffix == ".interlace"
    m = interlace.load(path) if saved else pickle.loads(path.read_bytes())
    assert m.coef_table().to_csv() == path.with_suffix(".csv").read_text(), path
    assert len(m.predict()) == m.nobs
    print(type(m).__name__)
"""


@pytest.mark.parametrize("kind", ["structures", "absorbed", "linear absorbed", "iterative"])
def test_a_new_process_reads_every_kind(kind: str, tmp_path: Path) -> None:
    """One that has loaded nothing of this library before."""
    m = {**MODELS, "iterative": iterative}[kind]()
    m.save(tmp_path / "m.interlace")
    (tmp_path / "m.pickle").write_bytes(pickle.dumps(m))
    (tmp_path / "m.csv").write_text(m.coef_table().to_csv())
    command = [sys.executable, "-W", "error", "-c", NEW_PROCESS]
    paths = [str(tmp_path / name) for name in ("m.interlace", "m.pickle")]
    done = subprocess.run([*command, *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [type(m).__name__] * 2


def flipped(data: bytearray, draw: random.Random) -> None:
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def cut(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(len(data)) :]


def lost(data: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(data))
    del data[at : at + draw.randrange(1, 9)]


def zeros(data: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(data))
    data[at : at + 64] = bytes(len(data[at : at + 64]))


def directory(data: bytearray, draw: random.Random) -> None:
    data[draw.randrange(bytes(data).find(b"PK\x01\x02"), len(data))] = draw.randrange(256)


@pytest.mark.parametrize("damage", [flipped, cut, lost, zeros, directory])
def test_damaged_bytes(damage: Callable[[bytearray, random.Random], None], tmp_path: Path) -> None:
    m, path = MODELS["absorbed"](), tmp_path / "m"
    m.save(path, rows=False)
    whole, table, draw = path.read_bytes(), m.coef_table(), random.Random(20261129)
    refused = 0
    for _ in range(80):
        data = bytearray(whole)
        damage(data, draw)
        path.write_bytes(data)
        try:
            again = interlace.load(path)
        except SavingError as error:
            refused += 1
            assert "damaged" in str(error) or "newer" in str(error)
            assert len(str(error)) < 200 + len(str(path))
        else:
            assert again.coef_table().equals(table)
    assert refused >= 30


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def containers(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] * bool(inner) + [one for part in inner for one in containers(part)]


@pytest.mark.parametrize("kind", ["absorbed", "linear", "structures"])
def test_documents_of_another_hand(kind: str, tmp_path: Path) -> None:
    """The archive is whole, and what it says is not what was written."""
    path = tmp_path / "m"
    MODELS[kind]().save(path)
    parts = parts_of(path)
    for seed in range(60):
        draw = random.Random(seed)
        document = json.loads(parts[DOCUMENT])
        held = draw.choice(containers(document))
        at = draw.choice(list(held) if isinstance(held, dict) else range(len(held)))
        other = [None, 0, -1, 2**40, "x", [], {}, True, {"@": draw.randrange(len(document["entries"]))}]
        held[at] = draw.choice(other)
        with zipfile.ZipFile(path, "w") as archive:
            for name, part in {**parts, DOCUMENT: json.dumps(document).encode()}.items():
                archive.writestr(name, part)
        try:
            interlace.load(path)
        except InterlaceError as error:
            assert isinstance(error, SavingError)


def test_arrays_of_other_sizes(tmp_path: Path) -> None:
    path = tmp_path / "m"
    MODELS["absorbed"]().save(path)
    parts = parts_of(path)
    for changed in (name for name in parts if name != DOCUMENT):
        array = np.load(io.BytesIO(parts[changed]))
        held = io.BytesIO()
        np.save(held, array.ravel()[: array.size // 2])
        with zipfile.ZipFile(path, "w") as archive:
            for name, part in {**parts, changed: held.getvalue()}.items():
                archive.writestr(name, part)
        try:
            interlace.load(path)
        except InterlaceError as error:
            assert isinstance(error, SavingError)


@pytest.mark.parametrize("path", [3, None, "", b"m", "a\0b"])
def test_what_names_no_file(path: Any) -> None:
    for call in (MODELS["linear"]().save, interlace.load):
        with pytest.raises(DataError, match="path must be the name of a file, not"):
            call(path)


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        interlace.load(tmp_path)
    with pytest.raises(DataError, match="cannot be written: File name too long"):
        MODELS["linear"]().save(tmp_path / ("x" * 300))
    twice = lambda x: 2 * x  # noqa: E731
    assert twice(1) == 2
    m = interlace.lm("twice(diameter) ~ plate", PENICILLIN)
    with pytest.raises(SavingError, match="the formula uses a lambda of yours, and the file holds no code"):
        m.save(tmp_path / "m")
