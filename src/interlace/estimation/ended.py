"""Where searches for a minimum have led."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from interlace.estimation.criterion import Compiled, Criterion
from interlace.estimation.optimum import Optimum

C = TypeVar("C", bound=Criterion)


class Ended(NamedTuple, Generic[C]):
    """Where searches have led.

    Attributes
    ----------
    criterion : Criterion
        The same function in the basis that suited the search best: what the parameters of the optimum refer
        to.
    optimum : Optimum
    compiled : Compiled or None
        What was searched, if a factor belongs to it: nobody else needs that, and the one at the optimum may
        take its place.
    """

    criterion: C
    optimum: Optimum
    compiled: Compiled | None
