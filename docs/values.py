"""For griffe, which reads the sources for the reference: all values are dataclasses to it."""

from __future__ import annotations

from typing import Any

from griffe import Alias, Extension


class Values(Extension):
    """`interlace.frozen.dataclass` has the signature of that of `dataclasses`."""

    def on_alias_instance(self, *, alias: Alias, **_: Any) -> None:
        """Of a name that a module imports."""
        if alias.target_path == "interlace.frozen.dataclass":
            alias.target_path = "dataclasses.dataclass"
