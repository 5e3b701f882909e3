"""The statistics of a bootstrap: what they give, and what stands for one that does not pickle."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError, ModelError
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass

Statistic = Callable[[Fit], Any]


def pickled_or_lost(function: Statistic | None, name: str) -> Statistic | None:
    """A function as it is pickled: itself, or what says that it was lost."""
    try:
        pickle.dumps(function)
    except (pickle.PicklingError, AttributeError, TypeError):
        return Lost(name)
    return function


@dataclass(frozen=True, slots=True)
class Lost:
    """Stands where a function was that did not pickle."""

    name: str

    def __call__(self, fit: Fit) -> Any:
        raise ModelError(self.words)

    @property
    def words(self) -> str:
        """What to do."""
        return (
            f"the function given as {self.name}= was not pickled with the bootstrap, as it is defined inside "
            "another or a lambda: nothing can be added to it; define the function in a module"
        )


def numbers(found: Any) -> Array:
    """What a statistic gave, (m,).

    Raises
    ------
    DataError
        It is no number, nor several.
    """
    if found is None:
        raise DataError("the statistic gave nothing: it must return a number or several")
    try:
        values = np.atleast_1d(np.asarray(found, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise DataError(f"the statistic must give a number or several, not {type(found).__name__}") from error
    if values.ndim != 1 or not values.size:
        raise DataError(f"the statistic must give a number or several, not an array of shape {values.shape}")
    return values
