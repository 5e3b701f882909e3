"""What a linear model is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from interlace.estimation.fit import Fit
from interlace.estimation.ols_fit import LeastSquaresFit
from interlace.model.choice import Choice
from interlace.precision import memory

if TYPE_CHECKING:
    from interlace.prediction.per_row import Handed
    from interlace.refitting.specification import LinearSpecification


class LeastMade:
    """What a linear model is made of."""

    def __init__(
        self,
        fit: LeastSquaresFit,
        choice: Choice,
        asked: LinearSpecification,
        handed: Handed | None = None,
    ) -> None:
        self._fit = cast(Fit, fit)  # the rooms ask nothing that it does not answer
        self._least, self._choice = fit, choice
        self._asked = asked.changed(context=fit.encoding.memory.context, at_once=False)
        self._memory = cast(memory.Memory, choice)
        self._handed = handed or self._asked.handed(fit.rows)
