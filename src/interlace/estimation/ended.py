"""Where searches for a minimum have led."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from interlace import kernel
from interlace.estimation.criterion import Criterion
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
    factor : kernel.Cholesky or None
        The last one of the search: nobody else needs it, and a factor at the optimum may take its place.
    """

    criterion: C
    optimum: Optimum
    factor: kernel.Cholesky | None
