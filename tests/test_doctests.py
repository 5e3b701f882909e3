"""The examples in the docstrings of the installed package are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import interlace

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
MODULES = sorted(module.name for module in pkgutil.walk_packages(interlace.__path__, "interlace."))


@pytest.mark.parametrize("name", ["interlace", *(name for name in MODULES if not name.endswith("._core"))])
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name), optionflags=FLAGS).failed == 0
