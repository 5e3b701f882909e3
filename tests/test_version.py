"""The version of a source tree that is not installed."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError
from typing import Any, NoReturn

import pytest

import interlace


def absent(name: str) -> NoReturn:
    raise PackageNotFoundError(name)


def test_a_package_that_is_not_installed_has_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", absent)
    assert interlace.__version__ == "unknown"
    found: dict[str, Any] = {}
    exec("from interlace import *", found)
    assert set(interlace.__all__) <= set(found)


def test_the_version_is_that_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("importlib.metadata"), "version", lambda name: f"{name} 9")
    assert interlace.__version__ == "interlace 9"
