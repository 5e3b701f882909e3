"""What the documentation site reads of the sources; `make docs` runs this with its own requirements."""

from __future__ import annotations

import inspect
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

import interlace

griffe: Any = pytest.importorskip("griffe")

ROOT = Path(__file__).parent.parent
VALUES = [
    name
    for name in interlace.__all__
    if inspect.isclass(found := getattr(interlace, name)) and is_dataclass(found)
]


def test_the_reference_shows_the_fields_of_values() -> None:
    ours = griffe.load_extensions(ROOT / "docs" / "values.py")
    package = griffe.load("interlace", search_paths=[ROOT / "src"], extensions=ours)
    assert "ClusterRobust" in VALUES
    for name in VALUES:
        shown = [one.name for one in package[name].final_target.parameters]
        assert shown == ["self", *(field.name for field in fields(getattr(interlace, name)) if field.init)], (
            name
        )


def test_without_the_extension_it_would_not() -> None:
    """Where this fails, docs/values.py may go."""
    package = griffe.load("interlace", search_paths=[ROOT / "src"])
    assert [*package["ClusterRobust"].final_target.parameters] == []
