"""Several tables of means side by side."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from interlace.tables.markup import page, paragraphs


class Shown(Protocol):
    """What shows itself in a notebook."""

    def _repr_html_(self) -> str: ...


T = TypeVar("T", bound=Shown)


class MeansList(dict[str, T]):
    """Several tables of means or contrasts by name, printed one after the other."""

    # Any: what was asked for in one word, `m.emmeans("A")`, is no list, and its attributes need no narrowing
    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no {name!r} here, but {', '.join(self)}") from None

    def __repr__(self) -> str:
        return "\n\n".join(f"{name}:\n{table!r}" for name, table in self.items())

    def _repr_html_(self) -> str:
        return page(*(paragraphs([name]) + table._repr_html_() for name, table in self.items()))
