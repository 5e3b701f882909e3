"""The scripts of the benchmarks, which import each other from their own folder."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


class Scripts:
    """The modules, by name."""

    def __getattr__(self, name: str) -> Any:
        return importlib.import_module(name)


@pytest.fixture(scope="module", autouse=True)
def scripts() -> Iterator[Scripts]:
    names = {path.stem for path in BENCHMARKS.glob("*.py")}
    before = {name: sys.modules.pop(name) for name in names & set(sys.modules)}
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield Scripts()
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in names & set(sys.modules):
            del sys.modules[name]
        sys.modules.update(before)
