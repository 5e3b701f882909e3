"""For griffe, which reads the sources for the reference: values are dataclasses, whoever makes the classes."""

from __future__ import annotations

from typing import Any

from griffe import Alias, Extension


class Values(Extension):
    """`interlace.frozen.dataclass` has the signature of that of `dataclasses`."""

    def on_alias_instance(self, *, alias: Alias, **_: Any) -> None:
        """Of a name that a module imports."""
        if alias.target_path == "interlace.frozen.dataclass":
            alias.target_path = "dataclasses.dataclass"
