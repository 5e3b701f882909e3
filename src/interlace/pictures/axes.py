"""The types of what pictures are drawn on, for type checkers: nothing here loads matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes

#: One `Axes`, or an array of them where the model has several panels: which of both follows from the model.
OneOrMoreAxes: TypeAlias = Any
